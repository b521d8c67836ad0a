// Columns of numbers, read back from bytes: every length is checked before it takes memory, numbers are put together
// when the first of them is asked for, and columns that fit 32 bits take half of the memory. Normative in
// trace/FORMAT.md. It must not know what the numbers mean. Asking for a number must not allocate but a bigint.

import type { ColumnBuffers } from "./column_buffers.ts";
import { HIGH_HALF, LOW_HALF } from "./number_column.ts";
import { ENCODING, type PlaneSource } from "./planes.ts";
import { WireError } from "./wire_error.ts";

const WORD = 0x100000000;

/** The halves of numbers; no high ones where all are 0. */
interface Halves {
  readonly low: Uint32Array<ArrayBuffer>;
  readonly high: Uint32Array<ArrayBuffer> | null;
}

/** Numbers as they stand in bytes. */
interface Packed {
  /** How many numbers there are to put together; 1 where one stands for all. */
  readonly count: number;
  /** Bounds of the numbers, as far as they are known without putting them together. */
  readonly least: number;
  readonly most: number;
  unpack(): Halves;
}

/** A column's numbers, read. */
export class NumberValues {
  readonly length: number;
  readonly #packed: Packed;
  readonly #buffers: ColumnBuffers;
  /** 0: all numbers are the first; -1: each row has its own. */
  readonly #mask: 0 | -1;
  /** Null until a number is asked for. */
  #low: Uint32Array | null = null;
  #high: Uint32Array | null = null;
  #whole: BigUint64Array | null = null;

  constructor(length: number, packed: Packed, buffers: ColumnBuffers) {
    this.length = length;
    this.#packed = packed;
    this.#buffers = buffers;
    this.#mask = packed.count === 1 ? 0 : -1;
  }

  /** Whether all numbers are known to be 0. */
  get isZero(): boolean {
    return this.length === 0 || this.#packed.most === 0;
  }

  /** What a row is masked with to find it in `words` and `wholes`: 0 where the first number stands for all. */
  get mask(): number {
    return this.#mask;
  }

  /** The numbers of a column that was read with a limit of 2^32 or less, by masked row. */
  words(): Uint32Array {
    return this.#low ?? this.#unpack();
  }

  /** The numbers of any column, by masked row. */
  wholes(): BigUint64Array {
    return this.#whole ?? this.#toWhole();
  }

  /** A number of a column that was read with a limit of 2^32 or less. */
  at(index: number): number {
    const low = this.#low ?? this.#unpack();
    return low[index & this.#mask] ?? 0;
  }

  /** A number of a column that was read with a limit of 2^53 or less. */
  numberAt(index: number): number {
    const row = index & this.#mask;
    const low = (this.#low ?? this.#unpack())[row] ?? 0;
    return this.#high === null ? low : (this.#high[row] ?? 0) * WORD + low;
  }

  /** A number whose sign bit was flipped, as the signed one it stands for; rounded beyond 2^53. */
  signedAt(index: number): number {
    const row = index & this.#mask;
    const low = (this.#low ?? this.#unpack())[row] ?? 0;
    return ((this.#high === null ? 0 : this.#high[row] ?? 0) ^ 0x80000000) * WORD + low;
  }

  /** Any number. */
  bigintAt(index: number): bigint {
    const whole = this.#whole ?? this.#toWhole();
    return whole[index & this.#mask] ?? 0n;
  }

  /** How many rows hold this number, which is below 2^32. */
  countOf(value: number): number {
    if (this.length === 0 || value < this.#packed.least || value > this.#packed.most) return 0;
    const low = this.#low ?? this.#unpack();
    const high = this.#high;
    let count = 0;
    for (let row = 0; row < low.length; row += 1) {
      if (low[row] === value && (high === null || high[row] === 0)) count += 1;
    }
    return this.#mask === 0 ? count * this.length : count;
  }

  /** Throws `WireError` unless every number is below the limit, 2^53 at most. */
  expectBelow(limit: number): void {
    if (this.length === 0 || this.#packed.most < limit) return;
    const low = this.#low ?? this.#unpack();
    if (this.#high === null && limit > mostOf(low)) return;
    for (let index = 0; index < low.length; index += 1) {
      if (this.numberAt(index) >= limit) {
        throw new WireError(`Cannot use column: ${this.bigintAt(index)} in row ${index}, wanted below ${limit}`, 0);
      }
    }
  }

  /** The sum of all numbers, rounded above 2^53; a constant column's costs nothing. */
  sum(): number {
    if (this.#mask === 0) return this.length * this.numberAt(0);
    let sum = 0;
    for (let index = 0; index < this.length; index += 1) sum += this.numberAt(index);
    return sum;
  }

  #unpack(): Uint32Array {
    const { low, high } = this.#packed.unpack();
    this.#low = low;
    this.#high = high;
    return low;
  }

  #toWhole(): BigUint64Array {
    const low = this.#low ?? this.#unpack();
    const high = this.#high;
    const whole = this.#buffers.wholes(low.length);
    const halves = new Uint32Array(whole.buffer);
    for (let row = 0; row < low.length; row += 1) halves[2 * row + LOW_HALF] = low[row] ?? 0;
    if (high !== null) { for (let row = 0; row < high.length; row += 1) halves[2 * row + HIGH_HALF] = high[row] ?? 0; }
    this.#whole = whole;
    return whole;
  }
}

function mostOf(numbers: Uint32Array): number {
  let most = 0;
  for (let row = 0; row < numbers.length; row += 1) {
    const number = numbers[row] ?? 0;
    if (number > most) most = number;
  }
  return most;
}

/** Reads a column of `count` numbers; `below` is a limit that every number must keep (2^64 where left out). */
export function readColumn(source: PlaneSource, count: number, below?: number): NumberValues {
  const values = new NumberValues(count, count === 0 ? constant(0n) : readPacked(source, count), source.buffers);
  if (below !== undefined) values.expectBelow(below);
  return values;
}

function readPacked(source: PlaneSource, count: number): Packed {
  const encoding = source.heads.u8();
  if (encoding === ENCODING.constant) return constant(source.heads.varint());
  if (encoding === ENCODING.planes) {
    const planes = readPlanes(source, count);
    return planes.isConstant ? constant(planes.base) : planes;
  }
  if (encoding !== ENCODING.deltas) throw source.heads.error(`there is no encoding ${encoding}`);
  const first = source.heads.varint();
  const deltas = readPlanes(source, count - 1);
  return { count, least: 0, most: Infinity, unpack: () => sumDeltas(first, deltas, source.buffers) };
}

function constant(value: bigint): Packed {
  const low = Number(value & 0xffffffffn);
  const high = Number(value >> 32n);
  const unpack = (): Halves => ({ low: Uint32Array.of(low), high: high === 0 ? null : Uint32Array.of(high) });
  return { count: 1, least: Number(value), most: Number(value), unpack };
}

/** Numbers as planes of their bytes over what they have in common. */
class Planes implements Packed {
  readonly count: number;
  readonly base: bigint;
  readonly least: number;
  readonly most: number;
  readonly #shift: number;
  readonly #planes: readonly Uint8Array[];
  readonly #buffers: ColumnBuffers;

  constructor(count: number, { base, shift, planes }: PlaneHead, buffers: ColumnBuffers) {
    this.count = count;
    this.#buffers = buffers;
    this.base = base;
    this.#shift = shift;
    this.#planes = planes;
    const most = base + ((256n ** BigInt(planes.length) - 1n) << BigInt(shift));
    // Sums beyond 64 bits start over from 0.
    const isBound = most >> 64n === 0n;
    this.least = isBound ? Number(base) : 0;
    this.most = isBound ? Number(most) : Infinity;
  }

  /** Whether all numbers are the base. */
  get isConstant(): boolean {
    return this.#planes.length === 0;
  }

  unpack(): Halves {
    if (this.most < WORD) return { low: this.#lows(0, Number(this.base)), high: null };
    const { low, high } = this.rests(0);
    const highs = high ?? this.#buffers.words(low.length);
    addBase(low, highs, this.base);
    return { low, high: highs };
  }

  /** The numbers without their base, behind this many zeros. */
  rests(from: number): Halves {
    if (8 * this.#planes.length + this.#shift <= 32) return { low: this.#lows(from, 0), high: null };
    const low = this.#buffers.words(from + this.count);
    const high = this.#buffers.words(from + this.count);
    for (const [place, plane] of this.#planes.entries()) {
      addPlane(place < 4 ? low : high, plane, { from, shift: 8 * (place & 3) });
    }
    shiftLeft(low, high, this.#shift);
    return { low, high };
  }

  /** The numbers where they have no high halves. */
  #lows(from: number, base: number): Uint32Array<ArrayBuffer> {
    const low = this.#buffers.words(from + this.count);
    const [first, ...others] = this.#planes;
    if (first !== undefined) setPlane(low, first, { from, shift: this.#shift, base });
    for (const [place, plane] of others.entries()) {
      addPlane(low, plane, { from, shift: this.#shift + 8 * (place + 1) });
    }
    return low;
  }
}

interface PlaneHead {
  readonly base: bigint;
  readonly shift: number;
  readonly planes: readonly Uint8Array[];
}

function readPlanes(source: PlaneSource, count: number): Planes {
  const base = source.heads.varint();
  const shift = source.heads.u8();
  const width = source.heads.u8();
  if (shift > 63 || width > 8) throw source.heads.error(`shift ${shift} and width ${width}, at most 63 and 8`);
  const planes = Array.from({ length: width }, () => source.take(source.heads.u8(), count));
  source.spend(count);
  return new Planes(count, { base, shift, planes }, source.buffers);
}

function setPlane(
  half: Uint32Array,
  plane: Uint8Array,
  { from, shift, base }: { readonly from: number; readonly shift: number; readonly base: number },
): void {
  for (let row = 0; row < plane.length; row += 1) half[from + row] = ((plane[row] ?? 0) << shift) + base;
}

/** Adds a plane to halves, from where on it has them. */
function addPlane(
  half: Uint32Array,
  plane: Uint8Array,
  { from, shift }: { readonly from: number; readonly shift: number },
): void {
  for (let row = 0; row < plane.length; row += 1) {
    half[from + row] = (half[from + row] ?? 0) + ((plane[row] ?? 0) << shift);
  }
}

function shiftLeft(low: Uint32Array, high: Uint32Array, shift: number): void {
  if (shift === 0) return;
  for (let row = 0; row < low.length; row += 1) {
    const half = low[row] ?? 0;
    high[row] = shift >= 32 ? half << (shift - 32) : (high[row] ?? 0) << shift | half >>> (32 - shift);
    low[row] = shift >= 32 ? 0 : half << shift;
  }
}

function addBase(low: Uint32Array, high: Uint32Array, base: bigint): void {
  const baseLow = Number(base & 0xffffffffn);
  const baseHigh = Number(base >> 32n);
  for (let row = 0; row < low.length; row += 1) {
    const sum = (low[row] ?? 0) + baseLow;
    low[row] = sum;
    high[row] = (high[row] ?? 0) + baseHigh + (sum >= WORD ? 1 : 0);
  }
}

/** Sums of differences whose sign bit was flipped, modulo 2^64. */
function sumDeltas(first: bigint, deltas: Planes, buffers: ColumnBuffers): Halves {
  const { low, high } = deltas.rests(1);
  const highs = high ?? buffers.words(low.length);
  const stepLow = Number(deltas.base & 0xffffffffn) | 0;
  const stepHigh = Number(deltas.base >> 32n) ^ 0x80000000;
  let lowSum = Number(first & 0xffffffffn) | 0;
  let highSum = Number(first >> 32n) | 0;
  let used = highSum;
  low[0] = lowSum;
  highs[0] = highSum;
  for (let row = 1; row < low.length; row += 1) {
    // Each half of the sum wraps at 32 bits; what is less than before has carried.
    const stepped = (lowSum + stepLow) | 0;
    const sum = (stepped + ((low[row] ?? 0) | 0)) | 0;
    const carry = (stepped >>> 0 < lowSum >>> 0 ? 1 : 0) + (sum >>> 0 < stepped >>> 0 ? 1 : 0);
    highSum = (highSum + stepHigh + carry + ((highs[row] ?? 0) | 0)) | 0;
    lowSum = sum;
    low[row] = sum;
    highs[row] = highSum;
    used |= highSum;
  }
  return { low, high: used === 0 ? null : highs };
}
