// A trace that is a list of events, without bytes: what a reader would give. For tests of what walks traces.

import type { Trace, TraceEvent, TraceHeader } from "../../src/trace/mod.ts";
import { header } from "../support/events.ts";

/** What differs from a whole trace of a program's run on the engine. */
export type PlainTraceSetup = Partial<Omit<Trace, "header">> & { readonly header?: Partial<TraceHeader> };

/** The trace of these events. */
export function plainTrace(events: readonly TraceEvent[], { header: given, ...rest }: PlainTraceSetup = {}): Trace {
  return {
    header: { ...header({ options: { "initial-callbacks": "none" } }), ...given },
    end: { reason: "ended", message: "", events: events.length },
    eventCount: events.at(-1)?.event ?? 0,
    complete: true,
    losses: [],
    *events({ from = 1, to = Infinity } = {}) {
      for (const event of events) if (event.event >= from && event.event <= to) yield event;
    },
    *keyframes() {},
    ...rest,
  };
}

/** The same events numbered from 1; what names an event names it by its new number, one that is gone by 0. */
export function renumbered(events: readonly TraceEvent[]): TraceEvent[] {
  const numbers = new Map(events.map(({ event }, index) => [event, index + 1]));
  const now = (event: number) => numbers.get(event) ?? 0;
  return events.map((event, index) => ({ ...event, event: index + 1, cause: now(event.cause), of: now(event.of) }));
}
