// A growing column of whole numbers up to 64 bits, in typed arrays: the low halves always, the high halves from the
// first number that has one. It must not know what the numbers mean. `push` must not allocate but to grow.

const FIRST_CAPACITY = 64;
/** So many zeros are written one by one. */
const FEW = 16;
const WORD = 0x100000000;

/** The halves of a column's numbers, to be looked at. */
export interface ColumnView {
  readonly length: number;
  readonly low: Uint32Array;
  /** Null: all high halves are 0. */
  readonly high: Uint32Array | null;
}

const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;
/** Where the low half of a 64-bit word stands among its two halves on this machine. */
export const LOW_HALF = LOW;
/** Where the high one stands. */
export const HIGH_HALF = HIGH;
const WHOLE = new BigUint64Array(1);
const HALVES = new Uint32Array(WHOLE.buffer);

/** Whether a bigint is a whole number of 64 bits. */
export function isUint64(value: bigint): boolean {
  return BigInt.asUintN(64, value) === value;
}

/** Whole numbers from 0 to 2^64 - 1 that are appended one by one; the buffers are kept between uses. */
export class NumberColumn {
  #low = new Uint32Array(FIRST_CAPACITY);
  #high = new Uint32Array(0);
  /** High halves that are kept, up to the last that is not 0: those after them are 0. */
  #highs = 0;
  /** So many at the start are padding. */
  #padded = 0;
  #length = 0;

  /** How many numbers it holds. */
  get length(): number {
    return this.#length;
  }

  /** Whether all that it holds is padding, which is 0. */
  get isPadding(): boolean {
    return this.#padded === this.#length;
  }

  /** Appends a number of 32 bits; a negative one as its two's complement. */
  push(value: number): void {
    const at = this.#length;
    if (at === this.#low.length) this.#grow(at + 1);
    this.#low[at] = value;
    this.#length = at + 1;
  }

  /** Appends a number of 64 bits, given in halves. */
  pushHalves(low: number, high: number): void {
    if (high !== 0) this.#setHigh(this.#length, high);
    this.push(low);
  }

  /** Appends a whole number from 0 to 2^53 - 1. */
  pushNumber(value: number): void {
    if (value < WORD) this.push(value);
    else this.pushHalves(value % WORD, Math.floor(value / WORD));
  }

  /** Appends a bigint of 64 bits; a negative one as its two's complement. */
  pushBigint(value: bigint): void {
    WHOLE[0] = value;
    const high = HALVES[HIGH] ?? 0;
    if (high !== 0) this.#setHigh(this.#length, high);
    this.push(HALVES[LOW] ?? 0);
  }

  /** The low half of the last number; 0 where it holds none. */
  get last(): number {
    return this.#low[this.#length - 1] ?? 0;
  }

  /** Takes back the last number. */
  pop(): void {
    if (this.#length === 0) return;
    this.#length -= 1;
    this.#highs = Math.min(this.#highs, this.#length);
    this.#padded = Math.min(this.#padded, this.#length);
  }

  /** Appends zeros until it holds `length` numbers. */
  padTo(length: number): void {
    if (length <= this.#length) return;
    if (length > this.#low.length) this.#grow(length);
    // Mostly one or two: a call that fills them costs more.
    if (length - this.#length > FEW) this.#low.fill(0, this.#length, length);
    else for (let at = this.#length; at < length; at += 1) this.#low[at] = 0;
    if (this.isPadding) this.#padded = length;
    this.#length = length;
  }

  /** What it holds; views that the next `push` or `clear()` may change. */
  view(): ColumnView {
    const length = this.#length;
    if (this.#highs === 0) return { length, low: this.#low, high: null };
    this.#padHighs(length);
    return { length, low: this.#low, high: this.#high };
  }

  /** Forgets the numbers, keeps the buffers. */
  clear(): void {
    this.#length = 0;
    this.#highs = 0;
    this.#padded = 0;
  }

  #setHigh(at: number, high: number): void {
    if (at > this.#highs || at >= this.#high.length) this.#padHighs(at);
    this.#high[at] = high;
    this.#highs = at + 1;
  }

  /** Keeps `count` high halves, those that were not kept as zeros; there is room for one more. */
  #padHighs(count: number): void {
    if (count >= this.#high.length) {
      const high = new Uint32Array(Math.max(count + 1, this.#low.length));
      high.set(this.#high.subarray(0, this.#highs));
      this.#high = high;
    }
    this.#high.fill(0, this.#highs, count);
    this.#highs = count;
  }

  #grow(length: number): void {
    const low = new Uint32Array(Math.max(length, 2 * this.#low.length));
    low.set(this.#low);
    this.#low = low;
  }
}
