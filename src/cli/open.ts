// Opens traces for verbs: a file, the newest one, or standard input; and narrows one by the filters typed.
// It must not know what a verb does with a trace.

import { eventFilter, openTrace, parseObjectName, type Trace, type TraceEvent } from "../trace/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { openInput, STANDARD_STREAM, traceOrNewest } from "./paths.ts";

/** A trace that is open. */
export interface OpenTrace {
  readonly trace: Trace;
  /** As the user would type it. */
  readonly path: string;
  readonly sizeInBytes: number;
  close(): void;
}

/** Opens the trace at `path`, or the newest one here. */
export async function open(io: Io, path: string | undefined): Promise<OpenTrace> {
  const chosen = traceOrNewest(io, path);
  const file = await openInput(io, chosen);
  try {
    const trace = openTrace({ size: file.sizeInBytes, read: (offsetBytes, length) => file.read(offsetBytes, length) });
    return {
      trace,
      path: chosen === STANDARD_STREAM ? "standard input" : chosen,
      sizeInBytes: file.sizeInBytes,
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    if (error instanceof Error) error.message = `${chosen}: ${error.message}`;
    throw error;
  }
}

/** Says on standard error what is missing of a trace; returns the exit code that this means. */
export function tellLosses(io: Io, { trace, path }: OpenTrace): number {
  if (trace.complete) return EXIT.clean;
  const captured = trace.end?.reason === "imported" && trace.losses.length === trace.header.losses.length;
  for (const loss of trace.losses.slice(0, 8)) io.talk(`${path}: ${loss.what}`);
  if (trace.losses.length > 8) io.talk(`${path}: … ${trace.losses.length - 8} more losses (info lists them)`);
  if (trace.end === null) {
    io.talk(`${path}: the recording never said how it ended; it is whole up to @${trace.eventCount}`);
  }
  return captured ? EXIT.clean : EXIT.incomplete;
}

/** Whether any filter on events was typed. */
export function hasEventFilters({ range, calls, sides, objects }: Filters): boolean {
  return range !== undefined || calls.length + sides.length + objects.length > 0;
}

/** The filter that the flags say: one of each kind of flag must admit an event. */
export function filterOf({ range, calls, sides, objects }: Filters): (event: TraceEvent) => boolean {
  const groups = [
    range === undefined ? [] : [eventFilter({ range: { from: range.first, to: range.last } })],
    calls.map((call) => eventFilter({ call })),
    sides.map((side) => eventFilter({ side })),
    objects.map((object) => eventFilter({ object: objectOf(object) })),
  ].filter((group) => group.length > 0);
  return (event) =>
    groups.map((group) => group.map((admits) => admits(event)).includes(true)).every((admitted) => admitted);
}

function objectOf(text: string) {
  const name = parseObjectName(text);
  if (name === null) throw new CliError(EXIT.usage, `Cannot filter by object "${text}": name one as gpadl#7`);
  return name;
}

/** The trace with only the events that the filters admit. */
export function narrowed(trace: Trace, filters: Filters): Trace {
  if (!hasEventFilters(filters)) return trace;
  const { range } = filters;
  const admits = filterOf(filters);
  // An object's filter follows what earlier events caused, so only then must a walk begin at the start.
  const from = filters.objects.length > 0 ? 1 : range?.first ?? 1;
  return {
    header: trace.header,
    end: trace.end,
    eventCount: trace.eventCount,
    complete: trace.complete,
    losses: trace.losses,
    *events() {
      const to = range === undefined || range.last === Infinity ? {} : { to: range.last };
      for (const event of trace.events({ from, ...to })) if (admits(event)) yield event;
    },
    keyframes: () => trace.keyframes(),
  };
}
