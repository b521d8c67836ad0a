// Which object, event and page of A is which of B: bound where both traces make one at the same place.
// Handle values and page numbers are labels and never compared.

import {
  equalValues,
  isArray,
  isRef,
  type Level,
  type Outcome,
  printObject,
  type Ref,
  type RefEquality,
  type Value,
} from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";

/** A matching of the names of two traces, growing as they are walked. */
export class Correspondence {
  readonly #objects = new TwoWay<string>();
  readonly #events = new TwoWay<number>();
  #pages = new TwoWay<string>();
  readonly #sameObject: RefEquality = (left, right) =>
    left.kind === right.kind && this.#objects.agree(printObject(left), printObject(right));

  /** Whether two events are the same under the matching so far. */
  matches(one: TraceEvent, other: TraceEvent): boolean {
    return this.resembles(one, other) && this.sameEvent(one.cause, other.cause) && this.sameEvent(one.of, other.of) &&
      this.sameValues(one.outs, other.outs) && this.sameOutcome(one.outcome, other.outcome) &&
      one.timeNs === other.timeNs;
  }

  /** Whether two events are the same call with the same arguments, whatever came of it. */
  resembles(one: TraceEvent, other: TraceEvent): boolean {
    return one.plan?.name === other.plan?.name && one.side === other.side && one.kind === other.kind &&
      this.#sameIns(one, other) && this.#sameMemory(one, other);
  }

  /** Whether two event numbers name the same event under the matching; 0 is none. */
  sameEvent(left: number, right: number): boolean {
    return left === 0 || right === 0 ? left === right : this.#events.agree(left, right);
  }

  /** The object of B that an object of A is, as `kind#number`; undefined while it is none. */
  counterpartOf(object: Ref): string | undefined {
    return this.#objects.get(printObject(object));
  }

  /** Whether values are the same under the matching. */
  sameValues(left: readonly Value[], right: readonly Value[]): boolean {
    return left.length === right.length && left.every((value, index) => this.sameValue(value, right[index] ?? null));
  }

  /** Whether two values are the same under the matching. */
  sameValue(left: Value, right: Value): boolean {
    return equalValues(left, right, this.#sameObject);
  }

  /** Whether two arguments of events of a level are the same: a message's words hold page numbers, so they only count. */
  sameArgument(level: Level, left: Value, right: Value): boolean {
    if (level === "wire" && isArray(left) && isArray(right)) return left.length === right.length;
    return this.sameValue(left, right);
  }

  /** Whether two outcomes are the same under the matching. */
  sameOutcome(left: Outcome | null, right: Outcome | null): boolean {
    if (left === null || right === null) return left === right;
    if (left.form === "status" && right.form === "status") return left.status === right.status;
    if (left.form === "value" && right.form === "value") return this.sameValue(left.value, right.value);
    return left.form === right.form;
  }

  /** Binds the names that two matching events bring. */
  bind(one: TraceEvent, other: TraceEvent): void {
    this.#events.bind(one.event, other.event);
    for (const [index, value] of one.outs.entries()) this.#bindValue(value, other.outs[index] ?? null);
    for (const [index, value] of one.ins.entries()) this.#bindValue(value, other.ins[index] ?? null);
    if (one.outcome?.form === "value" && other.outcome?.form === "value") {
      this.#bindValue(one.outcome.value, other.outcome.value);
    }
    if (one.memory !== null && other.memory !== null) this.#pages.bind(pageName(one.memory), pageName(other.memory));
    else if (endsMemory(one)) this.#pages = new TwoWay();
  }

  #bindValue(left: Value, right: Value): void {
    if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return;
    if (left instanceof Uint8Array || right instanceof Uint8Array) return;
    if (isRef(left) && isRef(right)) this.#objects.bind(printObject(left), printObject(right));
    else this.#bindMembers(left, right);
  }

  #bindMembers(left: object, right: object): void {
    const others = new Map<string, Value>(Object.entries(right));
    for (const [name, value] of Object.entries(left)) this.#bindValue(value, others.get(name) ?? null);
  }

  #sameIns({ level, ins }: TraceEvent, { ins: others }: TraceEvent): boolean {
    if (level !== "wire") return this.sameValues(ins, others);
    return ins.length === others.length &&
      ins.every((value, index) => this.sameArgument(level, value, others[index] ?? null));
  }

  #sameMemory({ memory: left }: TraceEvent, { memory: right }: TraceEvent): boolean {
    if (left === null || right === null) return left === right;
    return left.partition === right.partition && left.offset === right.offset && left.length === right.length &&
      left.digest === right.digest &&
      this.#pages.agree(pageName(left), pageName(right));
  }
}

/** Freed pages are given out again, and not to the same object in both traces. */
function endsMemory({ plan }: TraceEvent): boolean {
  return plan !== null &&
    plan.effects.some(({ verb, param: { kind } }) =>
      verb === "destroy" && (kind === "buffer" || kind === "allocation")
    );
}

function pageName({ partition, page }: { readonly partition: string; readonly page: number }): string {
  return `${partition} ${page}`;
}

/** A one-to-one matching; the newest two million names are kept, and older ones agree with anything as old. */
class TwoWay<K> {
  readonly #forth = new Map<K, K>();
  readonly #back = new Map<K, K>();

  get(left: K): K | undefined {
    return this.#forth.get(left);
  }

  /** Bound to each other, or both still free. */
  agree(left: K, right: K): boolean {
    const [bound, back] = [this.#forth.get(left), this.#back.get(right)];
    return bound === undefined && back === undefined ? true : bound === right && back === left;
  }

  bind(left: K, right: K): void {
    this.#forth.set(left, right);
    this.#back.set(right, left);
    if (this.#forth.size > 2_000_000) this.#dropOldest();
  }

  #dropOldest(): void {
    for (const [left, right] of this.#forth) {
      this.#forth.delete(left);
      this.#back.delete(right);
      if (this.#forth.size <= 1_500_000) return;
    }
  }
}
