// Opens files as traces, or as no more than a trace's outline: header, blocks and end, which load and read little. Says what
// a trace lacks. It must not know events.

import { visibleText } from "../api/notation/text_literal.ts";
import { type ByteSource, expectTrace, TraceOutline } from "../trace/outline.ts";
import type { Trace } from "../trace/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { openInput, STANDARD_STREAM, traceOrNewest } from "./paths.ts";

/** A file that is open as a trace, or as something of one. */
export interface Opened<T> {
  readonly trace: T;
  /** As the user would type it; `-` for standard input. */
  readonly path: string;
  /** As people are told of it. */
  readonly name: string;
  readonly sizeInBytes: number;
  readonly source: ByteSource;
  close(): void;
}

/** Opens the file at `path`, or the newest trace here, as what `read` makes of it. */
export async function openAs<T>(io: Io, path: string | undefined, read: (source: ByteSource) => T): Promise<Opened<T>> {
  const chosen = traceOrNewest(io, path);
  const name = chosen === STANDARD_STREAM ? "standard input" : visibleText(chosen);
  const file = await naming(name, () => openInput(io, chosen, expectTrace));
  const { sizeInBytes } = file;
  const source: ByteSource = {
    size: sizeInBytes,
    read: (offsetBytes, length) => file.read(offsetBytes, length),
    readInto: (offsetBytes, bytes) => file.readInto(offsetBytes, bytes),
  };
  try {
    const trace = await naming(name, () => read(source));
    return { trace, path: chosen, name, sizeInBytes, source, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** What is wrong with the bytes of a trace says of which one. */
async function naming<T>(name: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Error && !(error instanceof CliError)) error.message = `${name}: ${error.message}`;
    throw error;
  }
}

/** Opens the outline of the trace at `path`, or of the newest one here. */
export function openOutline(io: Io, path: string | undefined): Promise<Opened<TraceOutline>> {
  return openAs(io, path, (source) => new TraceOutline(source));
}

const LOSSES_TOLD = 8;

/** What a trace says of how whole it is. */
type Wholeness = Pick<Trace, "end" | "complete" | "losses" | "eventCount">;

/** Says on standard error what a trace lacks: losses, an early end; returns the exit code that this means. */
export function tellLosses(io: Io, { trace, name }: Pick<Opened<Wholeness>, "trace" | "name">): number {
  tellEnd(io, trace.end, name);
  if (trace.complete) return EXIT.clean;
  const { end, losses } = trace;
  for (const loss of losses.slice(0, LOSSES_TOLD)) io.talk(`${name}: ${loss.what}`);
  if (losses.length > LOSSES_TOLD) io.talk(`${name}: … ${losses.length - LOSSES_TOLD} more losses (info lists them)`);
  if (end === null) io.talk(`${name}: the recording never said how it ended; it is whole up to @${trace.eventCount}`);
  return EXIT.incomplete;
}

function tellEnd(io: Io, end: Trace["end"], name: string): void {
  if (end === null || end.reason === "ended" || end.reason === "imported") return;
  const why = end.message === "" ? "" : `: ${end.message}`;
  io.talk(`${name}: the recording ended early, after @${end.events} (${end.reason})${why}`);
}

/** Whether any filter on events was typed. */
export function hasEventFilters(filters: Filters): boolean {
  return filters.range !== undefined || hasNameFilters(filters);
}

/** Whether any filter but `--range` was typed. */
export function hasNameFilters({ calls, levels, sides, objects, rules }: Filters): boolean {
  return calls.length + levels.length + sides.length + objects.length + rules.length > 0;
}
