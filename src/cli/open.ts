// Opens traces for verbs: a file, the newest one, or standard input; and narrows one to a range of its events. Filters by
// name stand in narrow.ts, which loads much more. It must not know what a verb does with a trace.

import { openTrace, type Trace, type TraceEvent, type TraceFile } from "../trace/mod.ts";
import type { EventRange } from "./event_range.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { hasNameFilters, openAs, type Opened } from "./outline.ts";
import { STANDARD_STREAM } from "./paths.ts";
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
