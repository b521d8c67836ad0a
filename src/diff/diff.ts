// Compares two traces call by call: objects are matched by who made them, not by handle values; the first difference is named,
// then counted by call and by kind of object. Both traces are walked once, a window of events at a time.

import { isArray, isRef, isStruct, type Operand } from "../api/mod.ts";
import type { Trace, TraceEvent } from "../trace/mod.ts";
import { Correspondence } from "./correspondence.ts";
import { differenceOf, eventText } from "./event_text.ts";

/** How far a missing counterpart is looked for, in events. */
export const LOOKAHEAD = 256;

/** The first place where two traces differ. An event number of 0: that trace is over. */
export interface Difference {
  readonly a: number;
  readonly b: number;
  /** `missing`: only in A; `added`: only in B; `changed`: both have it, otherwise. */
  readonly form: "missing" | "added" | "changed";
  readonly message: string;
}

/** Counts that differ. */
export interface CountPair {
  readonly a: number;
  readonly b: number;
}

/** What a comparison came to. */
export interface DiffResult {
  readonly equal: boolean;
  readonly first: Difference | null;
  readonly events: CountPair;
  /** Calls of which one trace has more. */
  readonly calls: Readonly<Record<string, CountPair>>;
  /** Kinds of object of which one trace created or destroyed more. */
  readonly objects: Readonly<Record<string, { readonly created: CountPair; readonly destroyed: CountPair }>>;
}

/** Compares two traces. */
export function diff(a: Trace, b: Trace, options: { readonly onProgress?: (events: number) => void } = {}): DiffResult {
  const counts = new Counts();
  const left = new Window(a, (event) => counts.take("a", event));
  const right = new Window(b, (event) => counts.take("b", event));
  const first = firstDifference(left, right, options.onProgress ?? (() => {}));
  left.drain();
  right.drain();
  return {
    equal: first === null,
    first,
    events: { a: left.taken, b: right.taken },
    calls: counts.calls(),
    objects: counts.objects(),
  };
}

function firstDifference(left: Window, right: Window, onProgress: (events: number) => void): Difference | null {
  const same = new Correspondence();
  for (;;) {
    const [one, other] = [left.peek(0), right.peek(0)];
    if (one === undefined && other === undefined) return null;
    if (one === undefined || other === undefined) return atTheEnd(one, other);
    if (!same.matches(one, other)) return classify(same, left, right);
    same.bind(one, other);
    left.next();
    right.next();
    if ((left.taken & 0xffff) === 0) onProgress(left.taken);
  }
}

function atTheEnd(one: TraceEvent | undefined, other: TraceEvent | undefined): Difference {
  if (one !== undefined) {
    return { a: one.event, b: 0, form: "missing", message: `@${one.event} ${eventText(one)} is only in A: B is over` };
  }
  const number = other?.event ?? 0;
  return {
    a: 0,
    b: number,
    form: "added",
    message: `@${number} ${other === undefined ? "" : eventText(other)} is only in B: A is over`,
  };
}

/** Whether the events at hand have a counterpart further on: then what stands before it is missing or added. */
function classify(same: Correspondence, left: Window, right: Window): Difference {
  const [one, other] = [left.peek(0), right.peek(0)];
  if (one === undefined || other === undefined) return atTheEnd(one, other);
  const inB = distanceTo(same, one, right);
  const inA = distanceTo(same, other, left);
  const at = { a: one.event, b: other.event };
  if (isSameCall(one, other)) {
    return {
      ...at,
      form: "changed",
      message: `@${at.a} in A and @${at.b} in B differ in ${differenceOf(same, one, other)}`,
    };
  }
  if (inA !== null && (inB === null || inA <= inB)) {
    return {
      ...at,
      form: "missing",
      message: `@${at.a} ${eventText(one)} is only in A: B goes on with @${at.b} ${eventText(other)}`,
    };
  }
  if (inB !== null) {
    return {
      ...at,
      form: "added",
      message: `@${at.b} ${eventText(other)} is only in B: A goes on with @${at.a} ${eventText(one)}`,
    };
  }
  return { ...at, form: "changed", message: `A has @${at.a} ${eventText(one)}, B has @${at.b} ${eventText(other)}` };
}

function isSameCall(one: TraceEvent, other: TraceEvent): boolean {
  return one.plan === other.plan && one.side === other.side && (one.plan !== null || one.kind === other.kind);
}

function distanceTo(same: Correspondence, event: TraceEvent, window: Window): number | null {
  for (let ahead = 1; ahead < LOOKAHEAD; ahead += 1) {
    const candidate = window.peek(ahead);
    if (candidate === undefined) return null;
    if (same.resembles(event, candidate)) return ahead;
  }
  return null;
}

/** Events of a trace with a view ahead. */
class Window {
  readonly #events: Iterator<TraceEvent>;
  readonly #ahead: TraceEvent[] = [];
  readonly #onTaken: (event: TraceEvent) => void;
  taken = 0;

  constructor(trace: Trace, onTaken: (event: TraceEvent) => void) {
    this.#events = trace.events();
    this.#onTaken = onTaken;
  }

  peek(distance: number): TraceEvent | undefined {
    while (this.#ahead.length <= distance) {
      const { done, value } = this.#events.next();
      if (done === true) return undefined;
      if (value.kind !== "note") this.#ahead.push(value);
    }
    return this.#ahead[distance];
  }

  next(): void {
    this.peek(0);
    const event = this.#ahead.shift();
    if (event === undefined) return;
    this.taken += 1;
    this.#onTaken(event);
  }

  drain(): void {
    while (this.peek(0) !== undefined) this.next();
  }
}

type Pair = { a: number; b: number };

class Counts {
  readonly #calls = new Map<string, Pair>();
  readonly #created = new Map<string, Pair>();
  readonly #destroyed = new Map<string, Pair>();

  take(side: "a" | "b", event: TraceEvent): void {
    const { plan, kind } = event;
    if (plan === null) return;
    if (kind === "call" || kind === "enter" || kind === "callback") {
      add(this.#calls, { key: plan.name, side, count: 1 });
    }
    if ((kind !== "call" && kind !== "leave") || !answered(event)) return;
    for (const { verb, subject, param } of plan.effects) {
      if (param.kind === null) continue;
      const objects = kind === "leave" && subject.from === "in" ? 1 : countObjects(event, subject);
      if (verb === "create") add(this.#created, { key: param.kind, side, count: objects });
      if (verb === "destroy") add(this.#destroyed, { key: param.kind, side, count: objects });
    }
  }

  calls(): Readonly<Record<string, CountPair>> {
    return Object.fromEntries([...this.#calls].filter(([, { a, b }]) => a !== b));
  }

  objects(): DiffResult["objects"] {
    const kinds = new Set([...this.#created.keys(), ...this.#destroyed.keys()]);
    const none = { a: 0, b: 0 };
    return Object.fromEntries(
      [...kinds].map((kind) =>
        [kind, { created: this.#created.get(kind) ?? none, destroyed: this.#destroyed.get(kind) ?? none }] as const
      )
        .filter(([, { created, destroyed }]) => created.a !== created.b || destroyed.a !== destroyed.b),
    );
  }
}

function answered({ outcome }: TraceEvent): boolean {
  if (outcome === null) return false;
  return outcome.form === "status" ? outcome.status < 0x80000000 : outcome.form !== "refused";
}

/** How many objects an operand of a call holds; a leave has no arguments of its own, its one object counts as one. */
function countObjects({ ins, outs, outcome }: TraceEvent, { from, index, member }: Operand): number {
  if (from === "return") return outcome?.form === "value" && outcome.value !== null ? 1 : 0;
  const value = (from === "in" ? ins : outs)[index] ?? null;
  if (!isArray(value)) return value === null ? 0 : 1;
  return member === null ? value.length : value.filter((each) => isStruct(each) && isRef(each[member] ?? null)).length;
}

function add(
  counts: Map<string, Pair>,
  { key, side, count }: { readonly key: string; readonly side: "a" | "b"; readonly count: number },
): void {
  if (count === 0) return;
  const pair = counts.get(key) ?? { a: 0, b: 0 };
  pair[side] += count;
  counts.set(key, pair);
}
