// Walks a trace's events by calling somebody who visits them, or only views them, which is the fastest way through it.
// It must not know files; a trace that can do better than its iterator says so with `visit` and `view`.

import type { CallPlan } from "../api/mod.ts";
import type { EventKind, Trace, TraceEvent } from "./event.ts";
import { type EventView, KeptEvent } from "./event_view.ts";

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

/** Shown each event in order; `false` ends the walk. All are shown in one place: whoever wants an event later keeps it. */
export type Viewer = (event: EventView) => boolean | void;

/** Visits a trace's events in order. */
export function visitEvents(trace: Trace, visitor: Visitor, options: VisitOptions = {}): void {
  if (trace.visit !== undefined) return trace.visit(visitor, options);
  const { hears } = options;
  for (const event of trace.events(options)) {
    if (hears !== undefined && !hears(event.plan, event.kind)) continue;
    if (visitor(event) === false) return;
  }
}

/** Shows a trace's events in order. */
export function viewEvents(trace: Trace, viewer: Viewer, options: VisitOptions = {}): void {
  if (trace.view !== undefined) return trace.view(viewer, options);
  let view: KeptEvent | null = null;
  visitEvents(trace, (event) => {
    view ??= new KeptEvent(event);
    view.show(event);
    return viewer(view);
  }, options);
}
