// A growing column of whole numbers up to 64 bits, in typed arrays: the low halves always, the high halves from the
// first number that has one. It must not know what the numbers mean. `push` must not allocate but to grow.

const FIRST_CAPACITY = 64;

/** The halves of a column's numbers, to be looked at. */
export interface ColumnView {
  readonly length: number;
  readonly low: Uint32Array;
  /** Null: all high halves are 0. */
  readonly high: Uint32Array | null;
}

const SCRATCH = new DataView(new ArrayBuffer(8));

/** Whole numbers from 0 to 2^64 - 1 that are appended one by one; the buffers are kept between uses. */
export class NumberColumn {
  #low = new Uint32Array(FIRST_CAPACITY);
  #high: Uint32Array | null = null;
  #length = 0;

  /** How many numbers it holds. */
  get length(): number {
    return this.#length;
  }

  /** Appends a number of 32 bits; a negative one as its two's complement. */
  push(value: number): void {
    if (this.#length === this.#low.length) this.#grow();
    this.#low[this.#length] = value;
    if (this.#high !== null) this.#high[this.#length] = 0;
    this.#length += 1;
  }

  /** Appends a number of 64 bits, given in halves. */
  pushHalves(low: number, high: number): void {
    if (high !== 0 && this.#high === null) this.#high = new Uint32Array(this.#low.length);
    this.push(low);
    if (this.#high !== null) this.#high[this.#length - 1] = high;
  }

  /** Appends a whole number from 0 to 2^53 - 1. */
  pushNumber(value: number): void {
    if (value <= 0xffffffff) this.push(value);
    else this.pushHalves(value % 0x100000000, Math.floor(value / 0x100000000));
  }

  /** Appends a bigint of 64 bits; a negative one as its two's complement. */
  pushBigint(value: bigint): void {
    SCRATCH.setBigUint64(0, value);
    this.pushHalves(SCRATCH.getUint32(4), SCRATCH.getUint32(0));
  }

  /** What it holds; views that the next `push` or `clear()` may change. */
  view(): ColumnView {
    return { length: this.#length, low: this.#low, high: this.#high };
  }

  /** Forgets the numbers, keeps the low buffer. */
  clear(): void {
    this.#length = 0;
    this.#high = null;
  }

  #grow(): void {
    const low = new Uint32Array(2 * this.#low.length);
    low.set(this.#low);
    if (this.#high !== null) {
      const high = new Uint32Array(low.length);
      high.set(this.#high);
      this.#high = high;
    }
    this.#low = low;
  }
}
