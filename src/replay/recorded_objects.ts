// What a trace itself says of each object up to now, from the effects of its calls: the recorded side of a divergence.

import { hasSucceeded, operandRefs, printObject, type Ref } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";

interface Known {
  state: string;
  mappings: number;
  lastEvent: number;
  lastCall: string;
}

/** The most objects that are kept. */
const MAX_OBJECTS = 100_000;

/** Objects that live, and the newest dead; beyond 100,000 those that changed longest ago are forgotten. */
export class RecordedObjects {
  readonly #after: number;
  #hasForgotten = false;
  readonly #objects = new Map<string, Known>();
  readonly #entered = new Map<number, TraceEvent>();

  /** `after`: the event that the walk begins after; what came before is not known. */
  constructor({ after }: { readonly after: number }) {
    this.#after = after;
  }

  /** Takes an event that replayed alike. */
  take(event: TraceEvent): void {
    if (event.kind === "enter") this.#entered.set(event.event, event);
    if (event.kind === "call") this.#apply(event, event);
    if (event.kind !== "leave") return;
    const enter = this.#entered.get(event.of);
    this.#entered.delete(event.of);
    if (enter !== undefined) this.#apply(enter, event);
  }

  /** What the trace says of an object, in words. */
  describe(ref: Ref): string {
    const known = this.#objects.get(printObject(ref));
    if (known === undefined) return this.#absence();
    const mapped = known.mappings > 0 ? `, mapped ${known.mappings}×` : "";
    return `${known.state}${mapped}, last changed by @${known.lastEvent} ${known.lastCall}`;
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
    const key = printObject(ref);
    const known = this.#objects.get(key) ?? { state: "live", mappings: 0, lastEvent: 0, lastCall: "" };
    if (verb === "destroy") known.state = "gone";
    if (verb === "map") known.mappings += 1;
    if (verb === "unmap") known.mappings -= 1;
    this.#objects.delete(key);
    this.#objects.set(key, { ...known, lastEvent: event, lastCall: call });
    if (this.#objects.size > MAX_OBJECTS) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#objects.keys().next().value;
    if (oldest !== undefined) this.#objects.delete(oldest);
    this.#hasForgotten = true;
  }

  #absence(): string {
    if (this.#after > 0) return `not changed since @${this.#after}, where this replay began`;
    return this.#hasForgotten ? "not changed of late" : "not created yet, as far as the trace says";
  }
}
