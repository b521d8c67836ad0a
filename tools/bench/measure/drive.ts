// The calls of a recording made again one after the other, straight on a session: no program, no promise, no scheduler. Two
// such drives, one that writes and one that does not, differ by what recording takes and by nothing else.
// It must not know how a trace is written.

import { defaultOptions, equalValues, type Value } from "../../../src/api/mod.ts";
import { Session } from "../../../src/driver/mod.ts";
import { Engine } from "../../../src/engine/mod.ts";
import { type EventSink, type Trace, type TraceEvent, TraceWriter } from "../../../src/trace/mod.ts";

/** What goes into an engine: calls, callbacks that begin, callbacks that return. */
export function inputsOf(trace: Trace): TraceEvent[] {
  const inputs: TraceEvent[] = [];
  for (const event of trace.events()) {
    if (event.kind !== "leave" && event.kind !== "memory" && event.kind !== "note") inputs.push(event);
  }
  return inputs;
}

/** Makes the calls on a fresh engine and drops the events; nanoseconds in all. */
export function driveUnrecorded(inputs: readonly TraceEvent[], trace: Trace): number {
  return drive(inputs, trace, { event() {} });
}

/** Makes the calls on a fresh engine and writes the events, without keyframes; nanoseconds in all, the end included. */
export function driveRecorded(inputs: readonly TraceEvent[], trace: Trace): number {
  let bytes = 0;
  const writer = new TraceWriter({ write: (part) => void (bytes += part.length) }, trace.header);
  const ns = drive(inputs, trace, writer);
  const began = performance.now();
  writer.finish({ reason: "ended", message: "", events: trace.eventCount });
  if (bytes === 0) throw new Error("nothing was written");
  return ns + (performance.now() - began) * 1e6;
}

function drive(inputs: readonly TraceEvent[], { header }: Trace, sink: EventSink): number {
  const options = { ...defaultOptions(), ...header.options };
  const session = new Session({ engine: new Engine(options), sink, memory: header.memory });
  const began = performance.now();
  for (const input of inputs) repeat(session, input);
  return (performance.now() - began) * 1e6;
}

function repeat(session: Session, { kind, plan, side, actor, cause, of, ins, outs, outcome }: TraceEvent): void {
  if (plan === null) return;
  if (kind === "callback") {
    const pending = session.deliverable().find((due) => due.name === plan.name && areSame(due.ins, ins));
    if (pending === undefined) throw new Error(`${plan.name} does not wait to be delivered`);
    session.deliver(pending, actor);
  } else if (kind === "return" && outcome !== null) session.finish(of, { outcome, outs, actor });
  else session.call({ plan, side, actor, ins, insideCallback: cause, site: null });
}

/** A callback is known by what it says: of whom it is, and of which packet. */
function areSame(values: readonly Value[], others: readonly Value[]): boolean {
  return values.length === others.length && values.every((value, index) => equalValues(value, others[index] ?? null));
}
