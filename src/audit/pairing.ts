// Counts of what starts and ends, by kind of thing, as `audit --json` prints them.

import { type ObjectKind, objectKind, OBJECTS } from "../api/mod.ts";
import type { PairingCount } from "./finding.ts";
import type { Counter } from "./kind_table.ts";

/** Kinds that begin or end without a call's effect. */
const COUNTED_BY_DETECTORS: ReadonlySet<ObjectKind> = new Set<ObjectKind>(["gpadl", "packet", "completion"]);

const THINGS: ReadonlyMap<ObjectKind, string | null> = new Map(
  Object.keys(OBJECTS).flatMap((name) => {
    const kind = objectKind(name);
    if (kind === null) return [];
    const isCountedElsewhere = COUNTED_BY_DETECTORS.has(kind) || OBJECTS[kind].handles === "d3dkmt";
    const thing = kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return [[kind, isCountedElsewhere ? null : thing] as const];
  }),
);

/** A kind as counts name it: `kernel-handle`; null: a detector counts its starts and ends itself. */
export function thingOf(kind: ObjectKind): string | null {
  return THINGS.get(kind) ?? null;
}

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

  /** Counts starts and ends of a thing, which is there from the first of them on. */
  counter(thing: string): Counter {
    return new ThingCounter(() => this.#of(thing));
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

/** Finds its thing once. */
class ThingCounter implements Counter {
  readonly #find: () => Mutable;
  #count: Mutable | null = null;

  constructor(find: () => Mutable) {
    this.#find = find;
  }

  start(): void {
    const count = this.#count ?? (this.#count = this.#find());
    count.starts += 1;
  }

  pair(): void {
    const count = this.#count ?? (this.#count = this.#find());
    count.ends += 1;
    count.pairs += 1;
  }
}
