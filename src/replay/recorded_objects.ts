// What a trace itself says of some objects before an event, from the effects of its calls: the recorded side of a divergence.
// Gathered by a walk of its own once a divergence was found, so that a replay without one pays nothing for it.

import { hasSucceeded, operandRefs, type Ref, sameObject } from "../api/mod.ts";
import { type Trace, type TraceEvent, visitEvents } from "../trace/mod.ts";

/** What is asked of a trace. */
export interface RecordedQuestion {
  readonly refs: readonly Ref[];
  /** The event that the replay began after; what came before is not known. */
  readonly after: number;
  /** The event that differs: it and what stands behind it are not looked at. */
  readonly before: number;
}

/** What a trace says of objects, in words, in their order. */
export function describeRecorded(trace: Trace, { refs, after, before }: RecordedQuestion): readonly string[] {
  const recorded = new RecordedObjects(refs);
  if (refs.length > 0 && before > after + 1) {
    visitEvents(trace, (event) => recorded.take(event), {
      from: after + 1,
      to: before - 1,
      hears: (plan, kind) => plan !== null && plan.effects.length > 0 && HEARD.has(kind),
    });
  }
  const absence = after > 0
    ? `not changed since @${after}, where this replay began`
    : "not created yet, as far as the trace says";
  return recorded.describe(absence);
}

const HEARD: ReadonlySet<TraceEvent["kind"]> = new Set(["call", "enter", "leave"]);

interface Known {
  readonly ref: Ref;
  state: string;
  mappings: number;
  /** 0: not changed so far. */
  lastEvent: number;
  lastCall: string;
}

/** The objects that are asked about, and the calls that wait. */
class RecordedObjects {
  readonly #objects: readonly Known[];
  readonly #entered = new Map<number, TraceEvent>();

  constructor(refs: readonly Ref[]) {
    this.#objects = refs.map((ref) => ({ ref, state: "live", mappings: 0, lastEvent: 0, lastCall: "" }));
  }

  take(event: TraceEvent): void {
    if (event.kind === "enter") this.#entered.set(event.event, event);
    if (event.kind === "call") this.#apply(event, event);
    if (event.kind !== "leave") return;
    const enter = this.#entered.get(event.of);
    this.#entered.delete(event.of);
    if (enter !== undefined) this.#apply(enter, event);
  }

  describe(absence: string): readonly string[] {
    return this.#objects.map(({ state, mappings, lastEvent, lastCall }) => {
      if (lastEvent === 0) return absence;
      const mapped = mappings > 0 ? `, mapped ${mappings}×` : "";
      return `${state}${mapped}, last changed by @${lastEvent} ${lastCall}`;
    });
  }

  #apply(begin: TraceEvent, end: TraceEvent): void {
    const { plan } = begin;
    if (plan === null || !hasSucceeded(end.outcome)) return;
    const values = { ins: begin.ins, outs: end.outs, outcome: end.outcome };
    for (const { verb, subject } of plan.effects) {
      for (const ref of operandRefs(values, subject)) this.#change(ref, { verb, event: end.event, call: plan.name });
    }
  }

  #change(
    ref: Ref,
    { verb, event, call }: { readonly verb: string; readonly event: number; readonly call: string },
  ): void {
    const known = this.#objects.find((each) => sameObject(each.ref, ref));
    if (known === undefined) return;
    if (verb === "destroy") known.state = "gone";
    if (verb === "map") known.mappings += 1;
    if (verb === "unmap") known.mappings -= 1;
    known.lastEvent = event;
    known.lastCall = call;
  }
}
