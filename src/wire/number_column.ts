// A growing column of whole numbers up to 64 bits, in typed arrays: the low halves always, the high halves from the
// first number that has one. It must not know what the numbers mean. `push` must not allocate but to grow.

const FIRST_CAPACITY = 64;
const WORD = 0x100000000;

/** The halves of a column's numbers, to be looked at. */
export interface ColumnView {
  readonly length: number;
  readonly low: Uint32Array;
  /** Null: all high halves are 0. */
  readonly high: Uint32Array | null;
}

/** Where the low half of a 64-bit word stands among its two halves on this machine. */
export const LOW_HALF = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;
/** Where the high one stands. */
export const HIGH_HALF = 1 - LOW_HALF;
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
  /** Whether a number has a high half: from there on all halves are kept. */
  #isWide = false;
  #length = 0;

  /** How many numbers it holds. */
  get length(): number {
    return this.#length;
  }

  /** Appends a number of 32 bits; a negative one as its two's complement. */
  push(value: number): void {
    const at = this.#length;
    if (at === this.#low.length) this.#grow(at + 1);
    this.#low[at] = value;
    if (this.#isWide) this.#high[at] = 0;
    this.#length = at + 1;
  }

  /** Appends a number of 64 bits, given in halves. */
  pushHalves(low: number, high: number): void {
    if (high !== 0 && !this.#isWide) this.#widen();
    this.push(low);
    if (this.#isWide) this.#high[this.#length - 1] = high;
  }

  /** Appends a whole number from 0 to 2^53 - 1. */
  pushNumber(value: number): void {
    if (value < WORD) this.push(value);
    else this.pushHalves(value % WORD, Math.floor(value / WORD));
  }

  /** Appends a bigint of 64 bits; a negative one as its two's complement. */
  pushBigint(value: bigint): void {
    WHOLE[0] = value;
    const high = HALVES[HIGH_HALF] ?? 0;
    if (high === 0) this.push(HALVES[LOW_HALF] ?? 0);
    else this.pushHalves(HALVES[LOW_HALF] ?? 0, high);
  }

  /** Appends zeros until it holds `length` numbers. */
  padTo(length: number): void {
    if (length <= this.#length) return;
    if (length > this.#low.length) this.#grow(length);
    this.#low.fill(0, this.#length, length);
    if (this.#isWide) this.#high.fill(0, this.#length, length);
    this.#length = length;
  }

  /** What it holds; views that the next `push` or `clear()` may change. */
  view(): ColumnView {
    return { length: this.#length, low: this.#low, high: this.#isWide ? this.#high : null };
  }

  /** Forgets the numbers, keeps the buffers. */
  clear(): void {
    this.#length = 0;
    this.#isWide = false;
  }

  #widen(): void {
    if (this.#high.length < this.#low.length) this.#high = new Uint32Array(this.#low.length);
    this.#high.fill(0, 0, this.#length);
    this.#isWide = true;
  }

  #grow(length: number): void {
    const low = new Uint32Array(Math.max(length, 2 * this.#low.length));
    low.set(this.#low);
    this.#low = low;
    if (!this.#isWide) return;
    const high = new Uint32Array(low.length);
    high.set(this.#high.subarray(0, this.#length));
    this.#high = high;
  }
}
