// Counts of what starts and ends, by kind of thing, as `audit --json` prints them.

import type { PairingCount } from "./finding.ts";

type Mutable = { -readonly [K in keyof PairingCount]: number };

/** The counts of one audit. */
export class Pairing {
  readonly #counts = new Map<string, Mutable>();

  /** A thing began. */
  start(thing: string): void {
    this.#of(thing).starts += 1;
  }

  /** A thing ended whose start was seen. */
  pair(thing: string): void {
    const count = this.#of(thing);
    count.ends += 1;
    count.pairs += 1;
  }

  /** An end without its start. */
  unmatchedEnd(thing: string, isPreExisting: boolean): void {
    const count = this.#of(thing);
    count.ends += 1;
    if (isPreExisting) count.preExisting += 1;
  }

  /** A thing that never ended; `leaked` where that is certain, else it is live at the trace's end. */
  left(thing: string, isLeaked: boolean): void {
    this.#of(thing)[isLeaked ? "leaked" : "liveAtEnd"] += 1;
  }

  /** All counts, by thing in the order first seen. */
  toRecord(): Readonly<Record<string, PairingCount>> {
    return Object.fromEntries([...this.#counts].map(([thing, count]) => [thing, { ...count }]));
  }

  #of(thing: string): Mutable {
    const found = this.#counts.get(thing);
    if (found !== undefined) return found;
    const made = { starts: 0, ends: 0, pairs: 0, preExisting: 0, liveAtEnd: 0, leaked: 0 };
    this.#counts.set(thing, made);
    return made;
  }
}
