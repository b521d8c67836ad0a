// Which waiting calls an input wakes: each says what it waits for, and whoever changes that wakes those alone. Calls that do not
// say are tried after each input. The oldest comes first, whatever woke it. It must not know calls, nor whether one still waits.

import { Heap } from "./heap.ts";

/** What a call can wait for, by the number of a channel, a GPADL, or the event of a request or a callback. */
const CODES = { channel: 0, rescind: 1, endOfChannel: 2, gpadl: 3, request: 4, callback: 5 } as const;
const KINDS_BITS = 8;

/** A kind of thing that a call waits for. */
export type WaitKind = keyof typeof CODES;

/** All that a call waits for. */
export interface WaitsOn {
  readonly keys: readonly (readonly [kind: WaitKind, number: number])[];
  /** Virtual time in nanoseconds at which it is over anyway; null: never. */
  readonly deadlineNs?: bigint | null;
}

interface Timer {
  readonly deadlineNs: bigint;
  readonly event: number;
}

/** Waiting calls by what they wait for; each is named by its enter event. */
export class Waiters {
  readonly #byKey = new Map<number, Set<number>>();
  readonly #keysOf = new Map<number, readonly number[]>();
  readonly #timers = new Heap<Timer>((one, other) => one.deadlineNs < other.deadlineNs);
  /** Calls that do not say what they wait for. */
  readonly #always = new Set<number>();
  readonly #woken = new Set<number>();
  readonly #queue = new Heap<number>((one, other) => one < other);

  /** A call waits; `on` null: it does not say for what. What it waited for before counts no more. */
  add(event: number, on: WaitsOn | null): void {
    this.remove(event);
    if (on === null) {
      this.#always.add(event);
      return;
    }
    const keys = on.keys.map(([kind, number]) => keyOf(kind, number));
    this.#keysOf.set(event, keys);
    for (const key of keys) {
      const events = this.#byKey.get(key);
      if (events === undefined) this.#byKey.set(key, new Set([event]));
      else events.add(event);
    }
    if (on.deadlineNs != null) this.#timers.push({ deadlineNs: on.deadlineNs, event });
  }

  /** A call waits no more. */
  remove(event: number): void {
    this.#always.delete(event);
    this.#woken.delete(event);
    const keys = this.#keysOf.get(event);
    if (keys === undefined) return;
    this.#keysOf.delete(event);
    for (const key of keys) {
      const events = this.#byKey.get(key);
      if (events?.delete(event) === true && events.size === 0) this.#byKey.delete(key);
    }
  }

  /** Something changed: those that wait for it are to be tried. */
  wake(kind: WaitKind, number: number): void {
    if (this.#byKey.size === 0) return;
    const events = this.#byKey.get(keyOf(kind, number));
    if (events !== undefined) { for (const event of events) this.wakeCall(event); }
  }

  /** Time went on. */
  reach(timeNs: bigint): void {
    for (let { first } = this.#timers; first !== undefined && first.deadlineNs <= timeNs; { first } = this.#timers) {
      this.#timers.pop();
      if (this.#keysOf.has(first.event)) this.wakeCall(first.event);
    }
  }

  /** This call is to be tried. */
  wakeCall(event: number): void {
    if (this.#woken.has(event)) return;
    this.#woken.add(event);
    this.#queue.push(event);
  }

  /** So are those that do not say what they wait for. */
  wakeAlways(): void {
    for (const event of this.#always) this.wakeCall(event);
  }

  /** Takes the oldest call that is to be tried; undefined: there is none. */
  take(): number | undefined {
    for (let event = this.#queue.pop(); event !== undefined; event = this.#queue.pop()) {
      if (this.#woken.delete(event)) return event;
    }
    return undefined;
  }
}

function keyOf(kind: WaitKind, number: number): number {
  return number * KINDS_BITS + CODES[kind];
}
