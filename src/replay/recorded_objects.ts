// What a trace itself says of each object up to now, from `create`, `destroy`, `map` and `unmap` effects: the recorded side of a divergence.

import { isRef, ntSuccess, type Operand, type Ref, type Value } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";

interface Known {
  state: string;
  mappings: number;
  lastEvent: number;
  lastCall: string;
}

/** Objects that live, and the newest dead. */
export class RecordedObjects {
  readonly #objects = new Map<string, Known>();
  readonly #entered = new Map<number, TraceEvent>();

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
    const known = this.#objects.get(`${ref.kind}#${ref.number}`);
    if (known === undefined) return "not created yet, as far as the trace says";
    const mapped = known.mappings > 0 ? `, mapped ${known.mappings}×` : "";
    return `${known.state}${mapped}, last changed by @${known.lastEvent} ${known.lastCall}`;
  }

  #apply(begin: TraceEvent, end: TraceEvent): void {
    const { plan } = begin;
    if (plan === null || !succeeded(end)) return;
    for (const { verb, subject } of plan.effects) {
      for (const ref of refsAt({ begin, end }, subject)) this.#change(ref, { verb, event: end.event, call: plan.name });
    }
  }

  #change(
    ref: Ref,
    { verb, event, call }: { readonly verb: string; readonly event: number; readonly call: string },
  ): void {
    const key = `${ref.kind}#${ref.number}`;
    const known = this.#objects.get(key) ?? { state: "live", mappings: 0, lastEvent: 0, lastCall: "" };
    if (verb === "destroy") known.state = "gone";
    if (verb === "map") known.mappings += 1;
    if (verb === "unmap") known.mappings -= 1;
    this.#objects.set(key, { ...known, lastEvent: event, lastCall: call });
    if (verb === "destroy") this.#forgetOldest();
  }

  /** Keeps memory bound: beyond 100,000 objects the one changed longest ago goes. */
  #forgetOldest(): void {
    if (this.#objects.size <= 100_000) return;
    const oldest = this.#objects.keys().next().value;
    if (oldest !== undefined) this.#objects.delete(oldest);
  }
}

function succeeded({ outcome }: TraceEvent): boolean {
  if (outcome === null || outcome.form === "refused") return false;
  return outcome.form !== "status" || ntSuccess(outcome.status);
}

function refsAt(
  { begin, end }: { readonly begin: TraceEvent; readonly end: TraceEvent },
  { from, index, member }: Operand,
): readonly Ref[] {
  if (from === "return") return end.outcome?.form === "value" ? refsIn(end.outcome.value, null) : [];
  return refsIn((from === "in" ? begin.ins : end.outs)[index] ?? null, member);
}

function refsIn(value: Value, member: string | null): Ref[] {
  if (Array.isArray(value)) return value.flatMap((each: Value) => refsIn(each, member));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  if (isRef(value)) return [value];
  const inner = member === null ? undefined : new Map<string, Value>(Object.entries(value)).get(member);
  return inner === undefined ? [] : refsIn(inner, null);
}
