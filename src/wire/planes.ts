// Columns of numbers as bytes: what a column has in common (base, shift, width) in its head, the rest in byte planes,
// each in the pool of its entropy, so that a compressor's one table per pool fits. Normative in trace/FORMAT.md.
// It must not know what the numbers mean, nor how pools are compressed.

import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import type { ColumnView, NumberColumn } from "./number_column.ts";
import { WireError } from "./wire_error.ts";

/** How many pools there are; the last is for bytes that no compressor shrinks. */
export const POOL_COUNT = 3;
/** Numbers that one source may hold in columns that are not constant: 128 MiB of memory. */
export const MAX_CELLS = 2 ** 24;
const CONSTANT = 0;
const PLANES = 1;
const DELTAS = 2;
const SAMPLES = 256;
const ENTROPY_SAMPLES = 4096;
/** Pools by bits of entropy a byte: below the first, below the second, the rest. */
const POOL_ENTROPY_BITS = [2.5, 7.2] as const;

/** Where columns are written: their heads, and their planes by entropy. */
export class PlaneSink {
  readonly heads = new ByteWriter();
  readonly pools: readonly ByteWriter[] = Array.from({ length: POOL_COUNT }, () => new ByteWriter());

  /** Forgets all, keeps the buffers. */
  clear(): void {
    this.heads.clear();
    for (const pool of this.pools) pool.clear();
  }
}

/** Where columns are read from, in the order in which they were written. */
export class PlaneSource {
  readonly heads: ByteReader;
  readonly pools: readonly ByteReader[];
  #cells = 0;

  constructor(heads: Uint8Array, pools: readonly Uint8Array[]) {
    this.heads = new ByteReader(heads);
    this.pools = pools.map((pool) => new ByteReader(pool));
  }

  /** Throws unless every byte was read. */
  expectEnd(): void {
    this.heads.expectEnd();
    for (const pool of this.pools) pool.expectEnd();
  }

  /** Counts numbers that will take memory; throws `WireError` above `MAX_CELLS`. */
  spend(cells: number): void {
    this.#cells += cells;
    if (this.#cells > MAX_CELLS) throw this.heads.error(`there are ${this.#cells} numbers, more than ${MAX_CELLS}`);
  }

  /** Bytes of the pool of this number. */
  take(pool: number, count: number): Uint8Array {
    const reader = this.pools[pool];
    if (reader === undefined) throw this.heads.error(`there is no pool ${pool}`);
    return reader.bytes(count);
  }
}

let scratchLow = new Uint32Array(0);
let scratchHigh = new Uint32Array(0);
let plane = new Uint8Array(0);

/** Writes a column's numbers; an empty column takes no byte. */
export function writeColumn(column: NumberColumn, sink: PlaneSink): void {
  const view = column.view();
  const { length } = view;
  if (length === 0) return;
  reserve(length);
  const first = numberAt(view, 0);
  if (isConstant(view)) {
    sink.heads.u8(CONSTANT);
    sink.heads.varint(first);
  } else if (deltasAreShorter(view)) {
    sink.heads.u8(DELTAS);
    sink.heads.varint(first);
    fillDeltas(view);
    writePlanes(length - 1, sink);
  } else {
    sink.heads.u8(PLANES);
    fillValues(view);
    writePlanes(length, sink);
  }
}

/** Writes bytes that are no numbers into the pool of their entropy; their count is the reader's to know. */
export function writeBytes(bytes: Uint8Array, sink: PlaneSink): void {
  if (bytes.length === 0) return;
  const pool = poolOf(bytes, bytes.length);
  sink.heads.u8(pool);
  sink.pools[pool]?.bytes(bytes);
}

/** Reads what `writeBytes` wrote; a view. */
export function readBytes(source: PlaneSource, count: number): Uint8Array {
  return count === 0 ? new Uint8Array(0) : source.take(source.heads.u8(), count);
}

function numberAt({ low, high }: ColumnView, index: number): bigint {
  return BigInt(high?.[index] ?? 0) << 32n | BigInt(low[index] ?? 0);
}

function reserve(length: number): void {
  if (scratchLow.length >= length) return;
  scratchLow = new Uint32Array(2 * length);
  scratchHigh = new Uint32Array(2 * length);
  plane = new Uint8Array(2 * length);
}

function isConstant({ length, low, high }: ColumnView): boolean {
  const firstLow = low[0];
  for (let index = 1; index < length; index += 1) if (low[index] !== firstLow) return false;
  const firstHigh = high?.[0];
  for (let index = 1; high !== null && index < length; index += 1) if (high[index] !== firstHigh) return false;
  return true;
}

/** Whether differences of neighbours take fewer bits than the numbers over their smallest, by a sample. */
function deltasAreShorter({ length, low, high }: ColumnView): boolean {
  const step = Math.max(1, Math.floor(length / SAMPLES));
  const near = (index: number): number => (high?.[index] ?? 0) * 0x100000000 + (low[index] ?? 0);
  let least = Infinity;
  for (let index = 0; index < length; index += step) least = Math.min(least, near(index));
  let valueBits = 0;
  let deltaBits = 0;
  for (let index = 1; index < length; index += step) {
    valueBits += bitsOf(near(index) - least);
    deltaBits += bitsOf(near(index) - near(index - 1)) + 1;
  }
  return deltaBits < valueBits;
}

function bitsOf(value: number): number {
  const size = Math.abs(value);
  return size < 0x100000000 ? 32 - Math.clz32(size) : 64 - Math.clz32(size / 0x100000000);
}

function fillValues({ length, low, high }: ColumnView): void {
  for (let index = 0; index < length; index += 1) {
    scratchLow[index] = low[index] ?? 0;
    scratchHigh[index] = high === null ? 0 : high[index] ?? 0;
  }
}

/** Differences modulo 2^64, their sign bit flipped so that they order as unsigned numbers. */
function fillDeltas({ length, low, high }: ColumnView): void {
  for (let index = 1; index < length; index += 1) {
    const before = low[index - 1] ?? 0;
    const now = low[index] ?? 0;
    const highs = high === null ? 0 : (high[index] ?? 0) - (high[index - 1] ?? 0);
    scratchLow[index - 1] = now - before;
    scratchHigh[index - 1] = (highs - (now < before ? 1 : 0)) ^ 0x80000000;
  }
}

/** Writes the first `length` numbers of the scratch columns: base, shift, width, pools, then the planes. */
function writePlanes(length: number, sink: PlaneSink): void {
  let baseLow = 0xffffffff;
  let baseHigh = 0xffffffff;
  for (let index = 0; index < length; index += 1) {
    const high = scratchHigh[index] ?? 0;
    const low = scratchLow[index] ?? 0;
    if (high < baseHigh || (high === baseHigh && low < baseLow)) {
      baseLow = low;
      baseHigh = high;
    }
  }
  const used = subtractBase(length, baseLow, baseHigh);
  const shift = used.low === 0 && used.high === 0 ? 0 : trailingZeros(used.low, used.high);
  shiftRight(length, shift);
  const width = Math.ceil((used.high === 0 ? 32 - Math.clz32(used.low) : 64 - Math.clz32(used.high)) / 8 - shift / 8);
  sink.heads.varint(BigInt(baseHigh) << 32n | BigInt(baseLow));
  sink.heads.u8(shift);
  sink.heads.u8(width);
  for (let place = 0; place < width; place += 1) writePlane(length, place, sink);
}

function subtractBase(length: number, baseLow: number, baseHigh: number): { low: number; high: number } {
  let usedLow = 0;
  let usedHigh = 0;
  for (let index = 0; index < length; index += 1) {
    const low = scratchLow[index] ?? 0;
    const high = (scratchHigh[index] ?? 0) - baseHigh - (low < baseLow ? 1 : 0);
    scratchLow[index] = low - baseLow;
    scratchHigh[index] = high;
    usedLow |= low - baseLow;
    usedHigh |= high;
  }
  return { low: usedLow >>> 0, high: usedHigh >>> 0 };
}

function trailingZeros(low: number, high: number): number {
  return low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
}

function shiftRight(length: number, shift: number): void {
  if (shift === 0) return;
  for (let index = 0; index < length; index += 1) {
    const low = scratchLow[index] ?? 0;
    const high = scratchHigh[index] ?? 0;
    scratchLow[index] = shift >= 32 ? high >>> (shift - 32) : (low >>> shift) | (high << (32 - shift));
    scratchHigh[index] = shift >= 32 ? 0 : high >>> shift;
  }
}

function writePlane(length: number, place: number, sink: PlaneSink): void {
  const half = place < 4 ? scratchLow : scratchHigh;
  const shift = 8 * (place & 3);
  for (let index = 0; index < length; index += 1) plane[index] = (half[index] ?? 0) >>> shift;
  const pool = poolOf(plane, length);
  sink.heads.u8(pool);
  sink.pools[pool]?.bytes(plane.subarray(0, length));
}

const counts = new Uint32Array(256);

/** The pool for bytes, by the entropy of a sample of them. */
function poolOf(bytes: Uint8Array, length: number): number {
  counts.fill(0);
  const step = Math.max(1, Math.floor(length / ENTROPY_SAMPLES));
  let samples = 0;
  for (let index = 0; index < length; index += step) {
    const byte = bytes[index] ?? 0;
    counts[byte] = (counts[byte] ?? 0) + 1;
    samples += 1;
  }
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / samples);
  const entropy = bits / samples;
  return POOL_ENTROPY_BITS.filter((limit) => entropy >= limit).length;
}

/** A column's numbers, read. */
export class NumberValues {
  readonly length: number;
  readonly #low: Uint32Array;
  readonly #high: Uint32Array | null;
  /** 0: all numbers are the first. */
  readonly #step: 0 | 1;

  constructor(length: number, halves: Omit<ColumnView, "length"> & { readonly step: 0 | 1 }) {
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
    return (this.#high?.[index * this.#step] ?? 0) * 0x100000000 + this.at(index);
  }

  /** A number whose sign bit was flipped, as the signed one it stands for; rounded beyond 2^53. */
  signedAt(index: number): number {
    return ((this.#high?.[index * this.#step] ?? 0) ^ 0x80000000) * 0x100000000 + this.at(index);
  }

  /** Any number. */
  bigintAt(index: number): bigint {
    const high = this.#high?.[index * this.#step] ?? 0;
    return high === 0 ? BigInt(this.at(index)) : BigInt(high) << 32n | BigInt(this.at(index));
  }

  /** Throws `WireError` unless every number is below the limit. */
  expectBelow(limit: number): void {
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
}

/** Reads a column of `count` numbers; `below` is a limit that every number must keep (2^64 where left out). */
export function readColumn(source: PlaneSource, count: number, below?: number): NumberValues {
  const values = count === 0 ? constant(0, 0n) : readValues(source, count);
  if (below !== undefined) values.expectBelow(below);
  return values;
}

function constant(count: number, value: bigint): NumberValues {
  const halves = { low: Uint32Array.of(Number(value & 0xffffffffn)), high: Uint32Array.of(Number(value >> 32n)) };
  return new NumberValues(count, { ...halves, step: 0 });
}

function readValues(source: PlaneSource, count: number): NumberValues {
  const encoding = source.heads.u8();
  if (encoding === CONSTANT) return constant(count, source.heads.varint());
  if (encoding === PLANES) return new NumberValues(count, { ...readPlanes(source, count), step: 1 });
  if (encoding !== DELTAS) throw source.heads.error(`there is no encoding ${encoding}`);
  const first = source.heads.varint();
  const deltas = readPlanes(source, count - 1);
  return new NumberValues(count, { ...sumDeltas(first, deltas, count), step: 1 });
}

interface Halves {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

function readPlanes(source: PlaneSource, count: number): Halves {
  const base = source.heads.varint();
  const shift = source.heads.u8();
  const width = source.heads.u8();
  if (shift > 63 || width > 8) throw source.heads.error(`shift ${shift} and width ${width}, at most 63 and 8`);
  const planes = Array.from({ length: width }, () => source.take(source.heads.u8(), count));
  source.spend(count);
  const halves = { low: new Uint32Array(count), high: new Uint32Array(count) };
  for (const [place, bytes] of planes.entries()) {
    const half = place < 4 ? halves.low : halves.high;
    for (let index = 0; index < count; index += 1) {
      half[index] = (half[index] ?? 0) | (bytes[index] ?? 0) << 8 * (place & 3);
    }
  }
  shiftLeft(halves, shift);
  addBase(halves, base);
  return halves;
}

function shiftLeft({ low, high }: Halves, shift: number): void {
  if (shift === 0) return;
  for (let index = 0; index < low.length; index += 1) {
    const half = low[index] ?? 0;
    high[index] = shift >= 32 ? half << (shift - 32) : (high[index] ?? 0) << shift | half >>> (32 - shift);
    low[index] = shift >= 32 ? 0 : half << shift;
  }
}

function addBase({ low, high }: Halves, base: bigint): void {
  const baseLow = Number(base & 0xffffffffn);
  const baseHigh = Number(base >> 32n);
  for (let index = 0; index < low.length; index += 1) {
    const sum = (low[index] ?? 0) + baseLow;
    low[index] = sum;
    high[index] = (high[index] ?? 0) + baseHigh + (sum > 0xffffffff ? 1 : 0);
  }
}

function sumDeltas(first: bigint, deltas: Halves, count: number): Halves {
  const low = new Uint32Array(count);
  const high = new Uint32Array(count);
  low[0] = Number(first & 0xffffffffn);
  high[0] = Number(first >> 32n);
  for (let index = 1; index < count; index += 1) {
    const sum = (low[index - 1] ?? 0) + (deltas.low[index - 1] ?? 0);
    low[index] = sum;
    high[index] = (high[index - 1] ?? 0) + ((deltas.high[index - 1] ?? 0) ^ 0x80000000) + (sum > 0xffffffff ? 1 : 0);
  }
  return { low, high };
}
