// Compares two traces call by call: objects are matched by who made them, not by handle values; the first difference is named,
// then counted by call and by kind of object. Both traces are walked once, a window of events at a time.

import { hasSucceeded, operandRefs } from "../api/mod.ts";
import type { Trace, TraceEvent } from "../trace/mod.ts";
import { Correspondence } from "./correspondence.ts";
import { differenceOf, eventText } from "./event_text.ts";

/** How far a missing counterpart is looked for, in events. */
export const LOOKAHEAD = 256;
/** How many events behind a difference are compared to tell a changed call from a missing one. */
const FOLLOWED = 8;

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

/** Compares two traces, up to the first difference event by event; notes, sites, actors and wall time are not compared. */
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
    if (one === undefined) return other === undefined ? null : afterTheEnd("added", other);
    if (other === undefined) return afterTheEnd("missing", one);
    if (!same.matches(one, other)) return classify({ same, left, right }, one, other);
    same.bind(one, other);
    left.next();
    right.next();
    if ((left.taken & 0xffff) === 0) onProgress(left.taken);
  }
}

function afterTheEnd(form: "missing" | "added", event: TraceEvent): Difference {
  const [only, over] = form === "missing" ? ["A", "B"] : ["B", "A"];
  const at = form === "missing" ? { a: event.event, b: 0 } : { a: 0, b: event.event };
  return { ...at, form, message: `@${event.event} ${eventText(event)} is only in ${only}: ${over} is over` };
}

interface Pairing {
  readonly same: Correspondence;
  readonly left: Window;
  readonly right: Window;
}

/** Names the difference of the events at hand: what has a counterpart further on stands behind something missing or added. */
function classify(pairing: Pairing, one: TraceEvent, other: TraceEvent): Difference {
  const at = { a: one.event, b: other.event };
  const form = formOf(pairing, one, other);
  const [inA, inB] = [`@${at.a} ${eventText(one)}`, `@${at.b} ${eventText(other)}`];
  switch (form) {
    case "missing":
      return { ...at, form, message: `${inA} is only in A: B goes on with ${inB}` };
    case "added":
      return { ...at, form, message: `${inB} is only in B: A goes on with ${inA}` };
    case "changed":
      return isSameCall(one, other)
        ? {
          ...at,
          form,
          message: `@${at.a} in A and @${at.b} in B differ in ${differenceOf(pairing.same, one, other)}`,
        }
        : { ...at, form, message: `A has ${inA}, B has ${inB}` };
  }
}

function formOf(pairing: Pairing, one: TraceEvent, other: TraceEvent): Difference["form"] {
  const { same, left, right } = pairing;
  if (same.resembles(one, other)) return "changed";
  const inA = distanceTo((event) => same.resembles(event, other), left);
  const inB = distanceTo((event) => same.resembles(one, event), right);
  if (inA === null && inB === null) return "changed";
  const isMissing = inB === null || (inA !== null && inA <= inB);
  const skipped = isMissing ? { inA: inA ?? 0, inB: 0 } : { inA: 0, inB: inB ?? 0 };
  // The same call with other arguments is changed, unless what follows fits better where it is left out.
  const isChanged = isSameCall(one, other) && alikeAfter(pairing, { inA: 0, inB: 0 }) >= alikeAfter(pairing, skipped);
  if (isChanged) return "changed";
  return isMissing ? "missing" : "added";
}

/** How many events behind these two places are alike, up to `FOLLOWED`; two ends are alike. */
function alikeAfter(
  { same, left, right }: Pairing,
  { inA, inB }: { readonly inA: number; readonly inB: number },
): number {
  for (let count = 0; count < FOLLOWED; count += 1) {
    const [one, other] = [left.peek(inA + count + 1), right.peek(inB + count + 1)];
    if (one === undefined || other === undefined) return one === other ? FOLLOWED : count;
    if (!same.resembles(one, other)) return count;
  }
  return FOLLOWED;
}

function isSameCall(one: TraceEvent, other: TraceEvent): boolean {
  return one.plan === other.plan && one.side === other.side && (one.plan !== null || one.kind === other.kind);
}

/** How far ahead the first event of which `isIt` holds is; null: not within `LOOKAHEAD`. */
function distanceTo(isIt: (event: TraceEvent) => boolean, window: Window): number | null {
  for (let ahead = 1; ahead < LOOKAHEAD; ahead += 1) {
    const candidate = window.peek(ahead);
    if (candidate === undefined) return null;
    if (isIt(candidate)) return ahead;
  }
  return null;
}

/** Events of a trace with a view ahead. */
class Window {
  readonly #events: Iterator<TraceEvent>;
  readonly #ahead: TraceEvent[] = [];
  readonly #onTaken: (event: TraceEvent) => void;
  /** Events passed, notes left out. */
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
    if ((kind !== "call" && kind !== "leave") || !hasSucceeded(event.outcome)) return;
    for (const { verb, subject, param } of plan.effects) {
      if (param.kind === null) continue;
      // A leave has no arguments of its own: the one object that a call which waits ends.
      const objects = kind === "leave" && subject.from === "in" ? 1 : operandRefs(event, subject).length;
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

function add(
  counts: Map<string, Pair>,
  { key, side, count }: { readonly key: string; readonly side: "a" | "b"; readonly count: number },
): void {
  if (count === 0) return;
  const pair = counts.get(key) ?? { a: 0, b: 0 };
  pair[side] += count;
  counts.set(key, pair);
}
