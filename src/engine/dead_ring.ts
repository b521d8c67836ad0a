// The dead objects of a handle space in the order in which they ended, in one array that goes round.
// It must not know why they are kept, nor look into one: an object that is forgotten was not touched for long, and is cold.

import type { Ref } from "../api/mod.ts";

/** A queue of at most as many dead objects as its capacity, a power of two. */
export class DeadRing {
  readonly #mask: number;
  /** Grow to the capacity with the first round. */
  readonly #objects: (Ref | undefined)[] = [];
  readonly #places: number[] = [];
  /** Counts the objects that came, and those that went. */
  #pushed = 0;
  #shifted = 0;

  /** `RangeError` for a capacity that is no power of two. */
  constructor(capacity: number) {
    if (!Number.isInteger(Math.log2(capacity))) {
      throw new RangeError(`Cannot make a ring of ${capacity}: wanted a power of two`);
    }
    this.#mask = capacity - 1;
  }

  /** Whether there is no room for another one. */
  get isFull(): boolean {
    return this.#pushed - this.#shifted > this.#mask;
  }

  /** Puts in a dead object with the place of its handle value; `RangeError` where the ring is full. */
  push(object: Ref, place: number): void {
    if (this.isFull) throw new RangeError(`Cannot bury another object: ${this.#mask + 1} are kept`);
    const index = this.#pushed & this.#mask;
    this.#objects[index] = object;
    this.#places[index] = place;
    this.#pushed += 1;
  }

  /** The place that came with the oldest object; `RangeError` where there is none. */
  oldestPlace(): number {
    const place = this.#places[this.#shifted & this.#mask];
    if (place === undefined || this.#pushed === this.#shifted) {
      throw new RangeError("Cannot see the oldest: none is kept");
    }
    return place;
  }

  /** Takes out the oldest object; undefined where there is none. */
  shift(): Ref | undefined {
    if (this.#pushed === this.#shifted) return undefined;
    const index = this.#shifted & this.#mask;
    const object = this.#objects[index];
    this.#objects[index] = undefined;
    this.#shifted += 1;
    return object;
  }

  /** All objects, oldest first. */
  toArray(): Ref[] {
    const objects: Ref[] = [];
    for (let at = this.#shifted; at < this.#pushed; at += 1) {
      const object = this.#objects[at & this.#mask];
      if (object !== undefined) objects.push(object);
    }
    return objects;
  }
}
