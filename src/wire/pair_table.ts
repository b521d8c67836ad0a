// Gives every different pair of numbers an index, in order of first sight: an open-addressing hash table over typed
// arrays. It must not know what the numbers mean. `intern` must not allocate but to grow.

const FIRST_PAIRS = 64;
const FIRST_SLOTS = 256;
const WORD = 0x100000000;

/** Pairs of whole numbers from 0 to 2^53 - 1, each once. */
export class PairTable {
  /** First and second of each pair in turn: both are looked at together. */
  #pairs = new Float64Array(2 * FIRST_PAIRS);
  /** Index + 1 of the pair there, 0: free. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;
  /** The index of the pair interned last: most pairs come in runs. */
  #last = 0;
  /** How much the second mostly grows by with the first. */
  readonly #step: number;

  constructor(step = 0) {
    this.#step = step;
  }

  /** How many different pairs there are; grows by one when `intern` sees a new one. */
  get size(): number {
    return this.#size;
  }

  /** The pair's index; a pair not seen before gets the next. */
  intern(first: number, second: number): number {
    if (this.#last < this.#size && this.#isAt(this.#last, first, second)) return this.#last;
    const mask = this.#slots.length - 1;
    let slot = hashOf(first, second, this.#step) & mask;
    for (let taken = this.#slots[slot] ?? 0; taken !== 0; taken = this.#slots[slot] ?? 0) {
      if (this.#isAt(taken - 1, first, second)) return this.#last = taken - 1;
      slot = (slot + 1) & mask;
    }
    return this.#last = this.#add(first, second, slot);
  }

  /** Forgets the newest pair. */
  forgetNewest(): void {
    if (this.#size === 0) return;
    const mask = this.#slots.length - 1;
    let slot = hashOf(this.first(this.#size - 1), this.second(this.#size - 1), this.#step) & mask;
    while (this.#slots[slot] !== this.#size) slot = (slot + 1) & mask;
    // No pair was put behind the newest, so nothing is looked for across its slot.
    this.#slots[slot] = 0;
    this.#size -= 1;
  }

  /** The first number of a pair. */
  first(index: number): number {
    return this.#pairs[2 * index] ?? 0;
  }

  /** The second number of a pair. */
  second(index: number): number {
    return this.#pairs[2 * index + 1] ?? 0;
  }

  /** Forgets the pairs, keeps the buffers. */
  clear(): void {
    if (this.#size === 0) return;
    this.#slots.fill(0);
    this.#size = 0;
  }

  #isAt(index: number, first: number, second: number): boolean {
    return this.#pairs[2 * index] === first && this.#pairs[2 * index + 1] === second;
  }

  #add(first: number, second: number, slot: number): number {
    const index = this.#size;
    if (2 * index === this.#pairs.length) {
      const pairs = new Float64Array(2 * this.#pairs.length);
      pairs.set(this.#pairs);
      this.#pairs = pairs;
    }
    this.#pairs[2 * index] = first;
    this.#pairs[2 * index + 1] = second;
    this.#slots[slot] = index + 1;
    this.#size += 1;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return index;
  }

  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let index = 0; index < this.#size; index += 1) {
      let slot = hashOf(this.first(index), this.second(index), this.#step) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#slots = slots;
  }
}

/** Pairs of one line in order of their firsts: neighbours stand together, and find each other's slots taken by none. */
function hashOf(first: number, second: number, step: number): number {
  const rest = second - Math.imul(step, first) | 0;
  let hash = first ^ Math.imul(rest, 0x9e3779b1);
  if (first >= WORD || second >= WORD) {
    hash ^= Math.imul(first / WORD, 0xc2b2ae35) + Math.imul(second / WORD, 0x27d4eb2f);
  }
  return hash ^ hash >>> 15;
}
