// Gives every different pair of numbers an index, in order of first sight: an open-addressing hash table over typed
// arrays. It must not know what the numbers mean. `intern` must not allocate but to grow.
//
// Looking a pair up is what recording an event mostly waits for: the table is cold. So a slot holds enough of the pair to
// tell it apart, and as long as all pairs lie on one line (the second grows steadily with the first, as handles do with the
// numbers of their objects) a look at the pair itself is not needed.

const FIRST_PAIRS = 64;
const FIRST_SLOTS = 256;
const WORD = 0x100000000;

/** Pairs of whole numbers from 0 to 2^53 - 1, each once. */
export class PairTable {
  /** First and second of each pair in turn: both are looked at together. */
  #pairs = new Float64Array(2 * FIRST_PAIRS);
  /** For each slot the low half of its pair's first, then the pair's index + 1, 0: free. */
  #slots = new Uint32Array(2 * FIRST_SLOTS);
  #size = 0;
  /** How much the second mostly grows by with the first. */
  readonly #step: number;
  /** What the second of the first pair has over that. */
  #rest = 0;
  #isLine = true;

  constructor(step = 0) {
    this.#step = step;
  }

  /** How many different pairs there are; grows by one when `intern` sees a new one. */
  get size(): number {
    return this.#size;
  }

  /** Whether each second is known to be `step` times its first and one number more; all firsts have 32 bits then. */
  get isLine(): boolean {
    return this.#isLine;
  }

  /** The pair's index; a pair not seen before gets the next. */
  intern(first: number, second: number): number {
    if (this.#size === 0) this.#rest = second - this.#step * first;
    const isOn = first >>> 0 === first && second === this.#step * first + this.#rest;
    // Where all others are on the line, what is beside it is new.
    const isKnownByFirst = this.#isLine && isOn;
    this.#isLine = isKnownByFirst;
    const slots = this.#slots;
    const mask = slots.length - 1;
    const low = first >>> 0;
    let at = 2 * hashOf(first, second, this.#step) & mask;
    for (let taken = slots[at + 1] ?? 0; taken !== 0; taken = slots[at + 1] ?? 0) {
      if (slots[at] === low && (isKnownByFirst || this.#isAt(taken - 1, first, second))) return taken - 1;
      at = (at + 2) & mask;
    }
    return this.#add(first, second, at);
  }

  /** Forgets the newest pair. */
  forgetNewest(): void {
    if (this.#size === 0) return;
    const mask = this.#slots.length - 1;
    let at = 2 * hashOf(this.first(this.#size - 1), this.second(this.#size - 1), this.#step) & mask;
    while (this.#slots[at + 1] !== this.#size) at = (at + 2) & mask;
    // No pair was put behind the newest, so nothing is looked for across its slot.
    this.#slots[at + 1] = 0;
    this.#size -= 1;
    if (this.#size === 0) this.#isLine = true;
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
    this.#isLine = true;
    if (this.#size === 0) return;
    this.#slots.fill(0);
    this.#size = 0;
  }

  #isAt(index: number, first: number, second: number): boolean {
    return this.#pairs[2 * index] === first && this.#pairs[2 * index + 1] === second;
  }

  #add(first: number, second: number, at: number): number {
    const index = this.#size;
    if (2 * index === this.#pairs.length) {
      const pairs = new Float64Array(2 * this.#pairs.length);
      pairs.set(this.#pairs);
      this.#pairs = pairs;
    }
    this.#pairs[2 * index] = first;
    this.#pairs[2 * index + 1] = second;
    this.#slots[at] = first;
    this.#slots[at + 1] = index + 1;
    this.#size += 1;
    if (4 * this.#size > this.#slots.length) this.#rehash();
    return index;
  }

  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let index = 0; index < this.#size; index += 1) {
      const first = this.first(index);
      let at = 2 * hashOf(first, this.second(index), this.#step) & mask;
      while (slots[at + 1] !== 0) at = (at + 2) & mask;
      slots[at] = first;
      slots[at + 1] = index + 1;
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
