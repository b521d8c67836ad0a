// Opens traces for verbs: a file, the newest one, or standard input; and narrows one to a range of its events. Filters by
// name stand in narrow.ts, which loads much more. It must not know what a verb does with a trace.

import { leftOutBy, openTrace, type Trace, type TraceEvent, type TraceFile, type TraceHeader } from "../trace/mod.ts";
import type { EventRange } from "./event_range.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { hasNameFilters, openAs, type Opened } from "./outline.ts";
import { STANDARD_STREAM } from "./paths.ts";
import { selectionOf } from "./selection.ts";
import { commandLine, shellPath } from "./shell.ts";

/** A trace that is open. */
export type OpenTrace = Opened<TraceFile>;

/** Opens the trace at `path`, or the newest one here. */
export function open(io: Io, path: string | undefined): Promise<OpenTrace> {
  return openAs(io, path, openTrace);
}

/** The command that goes on with this trace, to be typed next; nothing for a trace that came through a pipe and is gone. */
export function nextOn({ path }: OpenTrace, verb: string, ...words: readonly string[]): { readonly next?: string } {
  if (path === STANDARD_STREAM) return {};
  return { next: [verb, shellPath(path), ...words.map((word) => commandLine([word]))].join(" ") };
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

/** A narrowed trace whose header says what of the run the filters leave out, as that of a recording does. */
export function partOf(trace: Trace, filters: Filters): Trace {
  const selection = selectionOf(filters);
  const leftOut = [
    ...leftOutBy(selection),
    ...(filters.rules.length === 0 ? [] : [`what no finding of ${filters.rules.join(", ")} names`]),
  ];
  if (leftOut.length === 0) return trace;
  const { header } = trace;
  return withEvents(trace, () => trace.events(), {
    ...header,
    leftOut: [...new Set([...header.leftOut, ...leftOut])],
    selection: header.selection ?? selection,
  });
}

/** The trace as it is, but for its events, and for its header where one is given. */
export function withEvents(
  trace: Trace,
  events: () => IterableIterator<TraceEvent>,
  header: TraceHeader = trace.header,
): Trace {
  const { end, eventCount } = trace;
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
