// Opens traces for verbs: a file, the newest one, or standard input; and narrows one to a range of its events. Filters by
// name stand in narrow.ts, which loads much more. It must not know what a verb does with a trace.

import { openTrace, type Trace, type TraceEvent, type TraceFile } from "../trace/mod.ts";
import type { EventRange } from "./event_range.ts";
import { EXIT } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { openInput, STANDARD_STREAM, traceOrNewest } from "./paths.ts";
import { commandLine, shellPath } from "./shell.ts";

/** A trace that is open. */
export interface OpenTrace {
  readonly trace: TraceFile;
  /** As the user would type it; `-` for standard input. */
  readonly path: string;
  /** As people are told of it. */
  readonly name: string;
  readonly sizeInBytes: number;
  close(): void;
}

/** Opens the trace at `path`, or the newest one here. */
export async function open(io: Io, path: string | undefined): Promise<OpenTrace> {
  const chosen = traceOrNewest(io, path);
  const name = chosen === STANDARD_STREAM ? "standard input" : chosen;
  const file = await openInput(io, chosen);
  try {
    const trace = openTrace({ size: file.sizeInBytes, read: (offsetBytes, length) => file.read(offsetBytes, length) });
    return {
      trace,
      path: chosen,
      name,
      sizeInBytes: file.sizeInBytes,
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  }
}

/** The command that goes on with this trace, to be typed next; nothing for a trace that came through a pipe and is gone. */
export function nextOn({ path }: OpenTrace, verb: string, ...words: readonly string[]): { readonly next?: string } {
  if (path === STANDARD_STREAM) return {};
  return { next: [verb, shellPath(path), ...words.map((word) => commandLine([word]))].join(" ") };
}

const LOSSES_TOLD = 8;

/** Says on standard error what a trace lacks: losses, an early end; returns the exit code that this means. */
export function tellLosses(io: Io, { trace, name }: OpenTrace): number {
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
function hasNameFilters({ calls, levels, sides, objects, rules }: Filters): boolean {
  return calls.length + levels.length + sides.length + objects.length + rules.length > 0;
}

/** Checks the filters, and gives what narrows a trace to the events that they admit. Names are loaded where some were typed. */
export async function narrowing(io: Io, filters: Filters): Promise<(trace: Trace) => Trace> {
  if (!hasNameFilters(filters)) return (trace) => inRange(trace, filters.range);
  const { checkFilters, narrowed } = await import("./narrow.ts");
  checkFilters(io, filters);
  return (trace) => narrowed(trace, filters);
}

/** The trace with only the events of a range; all of it for none. */
export function inRange(trace: Trace, range: EventRange | undefined): Trace {
  if (range === undefined) return trace;
  const { first, last } = range;
  return withEvents(trace, () => trace.events({ from: first, ...(last === Infinity ? {} : { to: last }) }));
}

/** The trace as it is, but for its events. */
export function withEvents(trace: Trace, events: () => IterableIterator<TraceEvent>): Trace {
  const { header, end, eventCount } = trace;
  return {
    header,
    end,
    eventCount,
    get complete() {
      return trace.complete;
    },
    get losses() {
      return trace.losses;
    },
    events,
    keyframes: () => trace.keyframes(),
  };
}
