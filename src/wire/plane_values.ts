// Columns of numbers, read back from bytes: every length is checked before it takes memory, and columns that fit 32 bits
// take half of it. Normative in trace/FORMAT.md. It must not know what the numbers mean.

import { HIGH_HALF, LOW_HALF } from "./number_column.ts";
import { ENCODING, type PlaneSource } from "./planes.ts";
import { WireError } from "./wire_error.ts";

const WORD = 0x100000000;

/** The halves of numbers; no high ones where all are 0. */
interface Halves {
  readonly low: Uint32Array<ArrayBuffer>;
  readonly high: Uint32Array<ArrayBuffer> | null;
}

/** A column's numbers, read. */
export class NumberValues {
  readonly length: number;
  readonly #low: Uint32Array;
  readonly #high: Uint32Array | null;
  /** 0: all numbers are the first. */
  readonly #step: 0 | 1;
  /** The numbers as bigints, from the first time that one is asked for. */
  #whole: BigUint64Array | null = null;

  constructor(length: number, halves: Halves & { readonly step: 0 | 1 }) {
    this.length = length;
    this.#low = halves.low;
    this.#high = halves.high;
    this.#step = halves.step;
  }

  /** A number of a column that was read with a limit of 2^32 or less. */
  at(index: number): number {
    return this.#low[index * this.#step] ?? 0;
  }

  /** A number of a column that was read with a limit of 2^53 or less. */
  numberAt(index: number): number {
    const low = this.#low[index * this.#step] ?? 0;
    return this.#high === null ? low : (this.#high[index * this.#step] ?? 0) * WORD + low;
  }

  /** A number whose sign bit was flipped, as the signed one it stands for; rounded beyond 2^53. */
  signedAt(index: number): number {
    return ((this.#high?.[index * this.#step] ?? 0) ^ 0x80000000) * WORD + this.at(index);
  }

  /** Any number. */
  bigintAt(index: number): bigint {
    this.#whole ??= this.#toWhole();
    return this.#whole[index * this.#step] ?? 0n;
  }

  /** How many rows hold this number, which is below 2^32. */
  countOf(value: number): number {
    if (this.#step === 0) return this.length > 0 && this.numberAt(0) === value ? this.length : 0;
    let count = 0;
    for (let index = 0; index < this.length; index += 1) if (this.numberAt(index) === value) count += 1;
    return count;
  }

  /** Throws `WireError` unless every number is below the limit. */
  expectBelow(limit: number): void {
    if (this.#high === null && limit >= WORD) return;
    const rows = this.#step === 0 ? Math.min(1, this.length) : this.length;
    for (let index = 0; index < rows; index += 1) {
      if (this.numberAt(index) >= limit) {
        throw new WireError(`Cannot use column: ${this.bigintAt(index)} in row ${index}, wanted below ${limit}`, 0);
      }
    }
  }

  /** The sum of all numbers, rounded above 2^53; a constant column's costs nothing. */
  sum(): number {
    if (this.#step === 0) return this.length * this.numberAt(0);
    let sum = 0;
    for (let index = 0; index < this.length; index += 1) sum += this.numberAt(index);
    return sum;
  }

  #toWhole(): BigUint64Array {
    const whole = new BigUint64Array(this.#low.length);
    const halves = new Uint32Array(whole.buffer);
    for (let index = 0; index < this.#low.length; index += 1) {
      halves[2 * index + LOW_HALF] = this.#low[index] ?? 0;
      halves[2 * index + HIGH_HALF] = this.#high?.[index] ?? 0;
    }
    return whole;
  }
}

/** Reads a column of `count` numbers; `below` is a limit that every number must keep (2^64 where left out). */
export function readColumn(source: PlaneSource, count: number, below?: number): NumberValues {
  const values = count === 0 ? constant(0, 0n) : readValues(source, count);
  if (below !== undefined) values.expectBelow(below);
  return values;
}

function constant(count: number, value: bigint): NumberValues {
  const high = Number(value >> 32n);
  const halves = { low: Uint32Array.of(Number(value & 0xffffffffn)), high: high === 0 ? null : Uint32Array.of(high) };
  return new NumberValues(count, { ...halves, step: 0 });
}

function readValues(source: PlaneSource, count: number): NumberValues {
  const encoding = source.heads.u8();
  if (encoding === ENCODING.constant) return constant(count, source.heads.varint());
  if (encoding === ENCODING.planes) return new NumberValues(count, { ...readPlanes(source, count), step: 1 });
  if (encoding !== ENCODING.deltas) throw source.heads.error(`there is no encoding ${encoding}`);
  const first = source.heads.varint();
  const deltas = readPlanes(source, count - 1);
  return new NumberValues(count, { ...sumDeltas(first, deltas, count), step: 1 });
}

function readPlanes(source: PlaneSource, count: number): Halves {
  const base = source.heads.varint();
  const shift = source.heads.u8();
  const width = source.heads.u8();
  if (shift > 63 || width > 8) throw source.heads.error(`shift ${shift} and width ${width}, at most 63 and 8`);
  const planes = Array.from({ length: width }, () => source.take(source.heads.u8(), count));
  source.spend(count);
  const low = new Uint32Array(count);
  const isNarrow = BigInt(WORD) > base + ((256n ** BigInt(width) - 1n) << BigInt(shift));
  const high = isNarrow ? null : new Uint32Array(count);
  for (const [place, bytes] of planes.entries()) {
    const half = place < 4 || high === null ? low : high;
    addPlane(half, bytes, 8 * (place & 3));
  }
  if (high !== null) {
    shiftLeft(low, high, shift);
    addBase(low, high, base);
  } else if (shift !== 0 || base !== 0n) {
    const baseLow = Number(base);
    for (let index = 0; index < count; index += 1) low[index] = ((low[index] ?? 0) << shift) + baseLow;
  }
  return { low, high };
}

function addPlane(half: Uint32Array, bytes: Uint8Array, shift: number): void {
  if (shift === 0) half.set(bytes);
  else {for (let index = 0; index < half.length; index += 1) {
      half[index] = (half[index] ?? 0) | (bytes[index] ?? 0) << shift;
    }}
}

function shiftLeft(low: Uint32Array, high: Uint32Array, shift: number): void {
  if (shift === 0) return;
  for (let index = 0; index < low.length; index += 1) {
    const half = low[index] ?? 0;
    high[index] = shift >= 32 ? half << (shift - 32) : (high[index] ?? 0) << shift | half >>> (32 - shift);
    low[index] = shift >= 32 ? 0 : half << shift;
  }
}

function addBase(low: Uint32Array, high: Uint32Array, base: bigint): void {
  const baseLow = Number(base & 0xffffffffn);
  const baseHigh = Number(base >> 32n);
  for (let index = 0; index < low.length; index += 1) {
    const sum = (low[index] ?? 0) + baseLow;
    low[index] = sum;
    high[index] = (high[index] ?? 0) + baseHigh + (sum >= WORD ? 1 : 0);
  }
}

/** Sums of differences whose sign bit was flipped; `deltas` without high halves are all far below 0, as bytes may say. */
function sumDeltas(first: bigint, deltas: Halves, count: number): Halves {
  const low = new Uint32Array(count);
  const high = new Uint32Array(count);
  let lowSum = Number(first & 0xffffffffn);
  let highSum = Number(first >> 32n);
  let highs = highSum;
  low[0] = lowSum;
  high[0] = highSum;
  for (let index = 1; index < count; index += 1) {
    const sum = lowSum + (deltas.low[index - 1] ?? 0);
    const deltaHigh = (deltas.high === null ? 0 : deltas.high[index - 1] ?? 0) ^ 0x80000000;
    highSum = (highSum + deltaHigh + (sum >= WORD ? 1 : 0)) | 0;
    lowSum = sum >>> 0;
    low[index] = lowSum;
    high[index] = highSum;
    highs |= highSum;
  }
  return { low, high: highs === 0 ? null : high };
}
