// Walks a trace's events by calling a visitor: what most passes over a trace want, and the fastest way through it.
// It must not know files; a trace that can do better than its iterator says so with `visit`.

import type { CallPlan } from "../api/mod.ts";
import type { EventKind, Trace, TraceEvent } from "./event.ts";

/** What is visited. */
export interface VisitOptions {
  /** The first event, default 1. */
  readonly from?: number;
  /** The last event; left out: the trace's. */
  readonly to?: number;
  /** Whether events of this declaration and kind are wanted, left out: all are. A pure question, asked once or often. */
  readonly hears?: (plan: CallPlan | null, kind: EventKind) => boolean;
}

/** Told each event in order; `false` ends the walk. The event is the visitor's to keep. */
export type Visitor = (event: TraceEvent) => boolean | void;

/** Visits a trace's events in order. */
export function visitEvents(trace: Trace, visitor: Visitor, options: VisitOptions = {}): void {
  if (trace.visit !== undefined) return trace.visit(visitor, options);
  const { hears } = options;
  for (const event of trace.events(options)) {
    if (hears !== undefined && !hears(event.plan, event.kind)) continue;
    if (visitor(event) === false) return;
  }
}
