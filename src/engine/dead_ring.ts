// The dead objects of a handle space in the order in which they ended, as numbers in two arrays that go round.
// It must not know why they are kept, nor what their numbers mean.

/** A queue of at most as many dead objects as its capacity, a power of two. */
export class DeadRing {
  readonly #mask: number;
  /** Which object; they grow to the capacity with the first round. */
  readonly #codes: number[] = [];
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

  /** Puts in a dead object, by the number that tells which, and the place of its handle value; `RangeError` where it is full. */
  push(code: number, place: number): void {
    if (this.isFull) throw new RangeError(`Cannot bury another object: ${this.#mask + 1} are kept`);
    const index = this.#pushed & this.#mask;
    this.#codes[index] = code;
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
  shift(): number | undefined {
    if (this.#pushed === this.#shifted) return undefined;
    const code = this.#codes[this.#shifted & this.#mask];
    this.#shifted += 1;
    return code;
  }

  /** All objects with their places, oldest first. */
  toArray(): (readonly [code: number, place: number])[] {
    const dead: (readonly [number, number])[] = [];
    for (let at = this.#shifted; at < this.#pushed; at += 1) {
      dead.push([this.#codes[at & this.#mask] ?? 0, this.#places[at & this.#mask] ?? 0]);
    }
    return dead;
  }
}
