// Columns of numbers as bytes: what a column has in common (base, shift, width) in its head, the rest in byte planes,
// each in the pool of its entropy, so that a compressor's one table per pool fits. Normative in trace/FORMAT.md.
// It must not know what the numbers mean, nor how pools are compressed.

import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import type { ColumnView, NumberColumn } from "./number_column.ts";

/** How many pools there are; the last is for bytes that no compressor shrinks. */
export const POOL_COUNT = 3;
/** Numbers that one source may hold in columns that are not constant: 128 MiB of memory. */
export const MAX_CELLS = 2 ** 24;
/** What a column's head starts with. */
export const ENCODING = { constant: 0, planes: 1, deltas: 2 } as const;
const WORD = 0x100000000;
/** High halves of numbers below 2^53. */
const EXACT_HIGHS = 2 ** 21;
const SIGN_64 = 1n << 63n;
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

let numbers = new Float64Array(0);
let scratchLow = new Uint32Array(0);
let scratchHigh = new Uint32Array(0);
let plane = new Uint8Array(0);

/** Writes a column's numbers; an empty column takes no byte. */
export function writeColumn(column: NumberColumn, sink: PlaneSink): void {
  const view = column.view();
  const { length } = view;
  if (length === 0) return;
  const first = numberAt(view, 0);
  if (isConstant(view)) {
    sink.heads.u8(ENCODING.constant);
    sink.heads.varint(first);
    return;
  }
  reserve(length);
  const isExact = fillNumbers(view);
  const isDelta = deltasAreShorter(length);
  sink.heads.u8(isDelta ? ENCODING.deltas : ENCODING.planes);
  if (isDelta) sink.heads.varint(first);
  if (isExact && writeNear(length, isDelta, sink)) return;
  if (isDelta) fillDeltas(view);
  else fillValues(view);
  writePlanes(isDelta ? length - 1 : length, sink);
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
  numbers = new Float64Array(2 * length);
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

/** Fills `numbers`; false where one is rounded. */
function fillNumbers({ length, low, high }: ColumnView): boolean {
  if (high === null) {
    for (let index = 0; index < length; index += 1) numbers[index] = low[index] ?? 0;
    return true;
  }
  let highs = 0;
  for (let index = 0; index < length; index += 1) {
    const half = high[index] ?? 0;
    highs |= half;
    numbers[index] = half * WORD + (low[index] ?? 0);
  }
  return highs >>> 0 < EXACT_HIGHS;
}

/** Whether differences of neighbours take fewer bits than the numbers over their smallest, by a sample. */
function deltasAreShorter(length: number): boolean {
  const step = Math.max(1, Math.floor(length / SAMPLES));
  let least = Infinity;
  for (let index = 0; index < length; index += step) least = Math.min(least, numbers[index] ?? 0);
  let valueBits = 0;
  let deltaBits = 0;
  for (let index = 1; index < length; index += step) {
    const now = numbers[index] ?? 0;
    valueBits += bitsOf(now - least);
    deltaBits += bitsOf(now - (numbers[index - 1] ?? 0)) + 1;
  }
  return deltaBits < valueBits;
}

/** Writes the planes of exact numbers or of their differences, where they lie within 2^32 of each other; else false. */
function writeNear(length: number, isDelta: boolean, sink: PlaneSink): boolean {
  const from = isDelta ? 1 : 0;
  if (isDelta) { for (let index = length - 1; index > 0; index -= 1) numbers[index] = difference(index); }
  let least = Infinity;
  let most = -Infinity;
  for (let index = from; index < length; index += 1) {
    const value = numbers[index] ?? 0;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (most - least >= WORD) return false;
  let used = 0;
  for (let index = from; index < length; index += 1) {
    const rest = (numbers[index] ?? 0) - least;
    scratchLow[index - from] = rest;
    used |= rest;
  }
  const shift = used === 0 ? 0 : trailingZeros(used, 0);
  const width = Math.ceil((32 - Math.clz32(used) - shift) / 8);
  sink.heads.varint(BigInt(least) + (isDelta ? SIGN_64 : 0n));
  sink.heads.u8(shift);
  sink.heads.u8(width);
  for (let place = 0; place < width; place += 1) {
    writePlane(length - from, { half: scratchLow, shift: shift + 8 * place }, sink);
  }
  return true;
}

function difference(index: number): number {
  return (numbers[index] ?? 0) - (numbers[index - 1] ?? 0);
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
  for (let place = 0; place < width; place += 1) {
    writePlane(length, { half: place < 4 ? scratchLow : scratchHigh, shift: 8 * (place & 3) }, sink);
  }
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

function writePlane(
  length: number,
  { half, shift }: { readonly half: Uint32Array; readonly shift: number },
  sink: PlaneSink,
): void {
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
