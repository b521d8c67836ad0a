// Writes columns of numbers as bytes: what a column has in common (base, shift, width) in its head, the rest in byte
// planes, each in the pool of its entropy, so that a compressor's one table per pool fits. Normative in trace/FORMAT.md.
// It must not know what the numbers mean, nor how pools are compressed. Nothing is allocated per number but to grow.

import { type ColumnView, LOW_HALF, type NumberColumn } from "./number_column.ts";
import { ENCODING, type PlaneSink } from "./planes.ts";

const IS_LITTLE_ENDIAN = LOW_HALF === 0;
const WORD = 0x100000000;
/** High halves of numbers below 2^53. */
const EXACT_HIGHS = 2 ** 21;
const SIGN = 0x80000000;
const SIGN_64 = 1n << 63n;
const SAMPLES = 256;
const ENTROPY_SAMPLES = 4096;
/** Pools by bits of entropy a byte: below the first, below the second, the rest. */
const POOL_ENTROPY_BITS = [2.5, 7.2] as const;

// Loops take these into constants of their own, which need not be looked up again for each number.
let numbers = new Float64Array(0);
let scratchLow = new Uint32Array(0);
let scratchHigh = new Uint32Array(0);
/** Two planes, as bytes and as the words that four of their bytes make. */
let planes: readonly [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];
let planeWords: readonly [Uint32Array, Uint32Array] = [new Uint32Array(0), new Uint32Array(0)];

function reserve(length: number): void {
  if (scratchLow.length >= length) return;
  numbers = new Float64Array(2 * length);
  scratchLow = new Uint32Array(2 * length);
  scratchHigh = new Uint32Array(2 * length);
  planeWords = [new Uint32Array(length), new Uint32Array(length)];
  planes = [new Uint8Array(planeWords[0].buffer), new Uint8Array(planeWords[1].buffer)];
}

/** Where exact numbers lie, and in which bits they differ from each other. */
interface Range {
  readonly least: number;
  readonly most: number;
  readonly differingLow: number;
  readonly differingHigh: number;
}

/** Writes a column's numbers; an empty column takes no byte. */
export function writeColumn(column: NumberColumn, sink: PlaneSink): void {
  const view = column.view();
  const { length, low, high } = view;
  if (length === 0) return;
  if (column.isPadding) return writeConstant(view, sink);
  reserve(length);
  const range = high === null ? rangeOf(low, length) : rangeOfWide(view, high);
  if (range === null) return writeAny(view, sink);
  if (range.least === range.most) return writeConstant(view, sink);
  if (!deltasAreShorter(view)) {
    sink.heads.u8(ENCODING.planes);
    if (!writeExact(view, range, sink)) writeWide(fillValues(view), sink);
    return;
  }
  sink.heads.u8(ENCODING.deltas);
  sink.heads.varint(numberAt(view, 0));
  if (range.most - range.least >= SIGN) return writeWide(fillDeltas(view), sink);
  const deltas = fillNearDeltas(low, length);
  writeNear(scratchLow, length - 1, { range: deltas, offset: SIGN_64, sink });
}

/** Writes bytes that are no numbers into the pool of their entropy; their count is the reader's to know. */
export function writeBytes(bytes: Uint8Array, sink: PlaneSink): void {
  if (bytes.length === 0) return;
  const pool = poolOf(bytes, bytes.length);
  sink.heads.u8(pool);
  sink.pools[pool]?.bytes(bytes);
}

function writeConstant(view: ColumnView, sink: PlaneSink): void {
  sink.heads.u8(ENCODING.constant);
  sink.heads.varint(numberAt(view, 0));
}

/** Writes numbers of which some are above 2^53. */
function writeAny(view: ColumnView, sink: PlaneSink): void {
  if (isConstant(view)) return writeConstant(view, sink);
  const isDelta = deltasAreShorter(view);
  sink.heads.u8(isDelta ? ENCODING.deltas : ENCODING.planes);
  if (isDelta) sink.heads.varint(numberAt(view, 0));
  writeWide(isDelta ? fillDeltas(view) : fillValues(view), sink);
}

/** Writes the planes of exact numbers; false, and nothing written: they lie too far from each other. */
function writeExact({ length, low, high }: ColumnView, range: Range, sink: PlaneSink): boolean {
  const { least, most, differingLow, differingHigh } = range;
  if (high === null || most - least < WORD) {
    writeNear(low, length, { range, offset: 0n, sink });
    return true;
  }
  const shift = trailingZeros(differingLow, differingHigh);
  if ((most - least) / 2 ** shift >= WORD) return false;
  const scale = 2 ** -shift;
  const [exact, rests] = [numbers, scratchLow];
  for (let index = 0; index < length; index += 1) rests[index] = ((exact[index] ?? 0) - least) * scale;
  const width = Math.ceil((64 - Math.clz32((most - least) / WORD) - shift) / 8);
  writeHead({ base: BigInt(least), shift, width }, sink);
  writePlanes(rests, length, { base: 0, shift: 0, width, sink });
  return true;
}

/** Writes the planes of numbers within 2^32 of each other, of which `source` has the low halves. */
function writeNear(
  source: Uint32Array,
  length: number,
  { range, offset, sink }: { readonly range: Range; readonly offset: bigint; readonly sink: PlaneSink },
): void {
  const { least, most, differingLow } = range;
  const span = most - least;
  const shift = span === 0 ? 0 : trailingZeros(differingLow, 0);
  const width = Math.ceil((32 - Math.clz32(span) - shift) / 8);
  writeHead({ base: BigInt(least) + offset, shift, width }, sink);
  writePlanes(source, length, { base: least | 0, shift, width, sink });
}

function writeHead(
  { base, shift, width }: { readonly base: bigint; readonly shift: number; readonly width: number },
  { heads }: PlaneSink,
): void {
  heads.varint(base);
  heads.u8(shift);
  heads.u8(width);
}

function numberAt({ low, high }: ColumnView, index: number): bigint {
  return BigInt(high?.[index] ?? 0) << 32n | BigInt(low[index] ?? 0);
}

/** The number; rounded above 2^53. */
function roundedAt({ low, high }: ColumnView, index: number): number {
  return high === null ? low[index] ?? 0 : (high[index] ?? 0) * WORD + (low[index] ?? 0);
}

/** The range of numbers of 32 bits. They are compared as signed ones, which is what the processor is good at. */
function rangeOf(low: Uint32Array, length: number): Range {
  const first = (low[0] ?? 0) ^ SIGN;
  let least = first;
  let most = first;
  let differing = 0;
  for (let index = 1; index < length; index += 1) {
    const value = (low[index] ?? 0) ^ SIGN;
    least = Math.min(least, value);
    most = Math.max(most, value);
    differing |= value ^ first;
  }
  return { least: (least ^ SIGN) >>> 0, most: (most ^ SIGN) >>> 0, differingLow: differing, differingHigh: 0 };
}

/** Fills `numbers`; null where one is rounded. */
function rangeOfWide({ length, low }: ColumnView, high: Uint32Array): Range | null {
  const exact = numbers;
  const firstLow = low[0] ?? 0;
  const firstHigh = high[0] ?? 0;
  let least = Infinity;
  let most = 0;
  let differingLow = 0;
  let differingHigh = 0;
  let highs = 0;
  for (let index = 0; index < length; index += 1) {
    const lowHalf = low[index] ?? 0;
    const highHalf = high[index] ?? 0;
    const value = highHalf * WORD + lowHalf;
    exact[index] = value;
    if (value < least) least = value;
    if (value > most) most = value;
    differingLow |= lowHalf ^ firstLow;
    differingHigh |= highHalf ^ firstHigh;
    highs |= highHalf;
  }
  return highs >>> 0 < EXACT_HIGHS ? { least, most, differingLow, differingHigh } : null;
}

function isConstant({ length, low, high }: ColumnView): boolean {
  for (let index = 1; index < length; index += 1) {
    if (low[index] !== low[0] || high?.[index] !== high?.[0]) return false;
  }
  return true;
}

/** Whether differences of neighbours take fewer bits than the numbers over their smallest, by a sample. */
function deltasAreShorter(view: ColumnView): boolean {
  const { length } = view;
  const step = Math.max(1, Math.floor(length / SAMPLES));
  let least = Infinity;
  for (let index = 0; index < length; index += step) {
    const value = roundedAt(view, index);
    if (value < least) least = value;
  }
  let valueBits = 0;
  let deltaBits = 0;
  for (let index = 1; index < length; index += step) {
    const now = roundedAt(view, index);
    valueBits += bitsOf(now - least);
    deltaBits += bitsOf(now - roundedAt(view, index - 1)) + 1;
  }
  return deltaBits < valueBits;
}

function bitsOf(value: number): number {
  const size = value < 0 ? -value : value;
  return size < WORD ? 32 - Math.clz32(size) : 64 - Math.clz32(size / WORD);
}

/** Fills `scratchLow` with the differences of neighbours, which lie within 2^31 of each other. */
function fillNearDeltas(low: Uint32Array, length: number): Range {
  const deltas = scratchLow;
  let before = (low[1] ?? 0) | 0;
  const first = (before - (low[0] ?? 0)) | 0;
  deltas[0] = first;
  let least = first;
  let most = first;
  let differing = 0;
  for (let index = 2; index < length; index += 1) {
    const now = (low[index] ?? 0) | 0;
    const delta = (now - before) | 0;
    before = now;
    deltas[index - 1] = delta;
    least = Math.min(least, delta);
    most = Math.max(most, delta);
    differing |= delta ^ first;
  }
  return { least, most, differingLow: differing, differingHigh: 0 };
}

/** Fills the scratch columns with the numbers; how many. */
function fillValues({ length, low, high }: ColumnView): number {
  scratchLow.set(low.subarray(0, length));
  if (high === null) scratchHigh.fill(0, 0, length);
  else scratchHigh.set(high.subarray(0, length));
  return length;
}

/** Fills them with differences modulo 2^64, the sign bit flipped so that they order as unsigned numbers; how many. */
function fillDeltas({ length, low, high }: ColumnView): number {
  const [lows, highs] = [scratchLow, scratchHigh];
  for (let index = 1; index < length; index += 1) {
    const before = low[index - 1] ?? 0;
    const now = low[index] ?? 0;
    const highDelta = high === null ? 0 : (high[index] ?? 0) - (high[index - 1] ?? 0);
    lows[index - 1] = now - before;
    highs[index - 1] = (highDelta - (now < before ? 1 : 0)) ^ SIGN;
  }
  return length - 1;
}

/** Writes the first `length` numbers of the scratch columns, wherever they lie: base, shift, width, then the planes. */
function writeWide(length: number, sink: PlaneSink): void {
  const [lows, highs] = [scratchLow, scratchHigh];
  let baseLow = 0xffffffff;
  let baseHigh = 0xffffffff;
  for (let index = 0; index < length; index += 1) {
    const high = highs[index] ?? 0;
    const low = lows[index] ?? 0;
    if (high > baseHigh || (high === baseHigh && low >= baseLow)) continue;
    baseLow = low;
    baseHigh = high;
  }
  const used = subtractBase(length, baseLow, baseHigh);
  const shift = used.low === 0 && used.high === 0 ? 0 : trailingZeros(used.low, used.high);
  shiftRight(length, shift);
  const width = Math.ceil((used.high === 0 ? 32 - Math.clz32(used.low) : 64 - Math.clz32(used.high)) / 8 - shift / 8);
  writeHead({ base: BigInt(baseHigh) << 32n | BigInt(baseLow), shift, width }, sink);
  writePlanes(lows, length, { base: 0, shift: 0, width: Math.min(4, width), sink });
  writePlanes(highs, length, { base: 0, shift: 0, width: width - 4, sink });
}

function subtractBase(length: number, baseLow: number, baseHigh: number): { low: number; high: number } {
  const [lows, highs] = [scratchLow, scratchHigh];
  let usedLow = 0;
  let usedHigh = 0;
  for (let index = 0; index < length; index += 1) {
    const low = lows[index] ?? 0;
    const rest = ((highs[index] ?? 0) - baseHigh - (low < baseLow ? 1 : 0)) | 0;
    lows[index] = low - baseLow;
    highs[index] = rest;
    usedLow |= low - baseLow;
    usedHigh |= rest;
  }
  return { low: usedLow >>> 0, high: usedHigh >>> 0 };
}

function trailingZeros(low: number, high: number): number {
  return low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
}

function shiftRight(length: number, shift: number): void {
  if (shift === 0) return;
  const [lows, highs] = [scratchLow, scratchHigh];
  for (let index = 0; index < length; index += 1) {
    const high = highs[index] ?? 0;
    lows[index] = shift >= 32 ? high >>> (shift - 32) : ((lows[index] ?? 0) >>> shift) | (high << (32 - shift));
    highs[index] = shift >= 32 ? 0 : high >>> shift;
  }
}

/** Writes the planes of the lowest `width` bytes of the numbers over a base, two at a time. */
function writePlanes(
  source: Uint32Array,
  length: number,
  { base, shift, width, sink }: {
    readonly base: number;
    readonly shift: number;
    readonly width: number;
    readonly sink: PlaneSink;
  },
): void {
  for (let place = 0; place < width; place += 2) {
    fillPlanes(source, length, { base, shift: shift + 8 * place });
    writePlane(planes[0], length, sink);
    if (place + 1 < width) writePlane(planes[1], length, sink);
  }
}

/** Fills `planes` with two bytes of each number. Four numbers make a word of each plane: a store costs as much for one. */
function fillPlanes(
  source: Uint32Array,
  length: number,
  { base, shift }: { readonly base: number; readonly shift: number },
): void {
  const [lowWords, highWords] = planeWords;
  const words = IS_LITTLE_ENDIAN ? length >>> 2 : 0;
  for (let word = 0; word < words; word += 1) {
    const at = word << 2;
    const one = ((source[at] ?? 0) - base) >>> shift;
    const two = ((source[at + 1] ?? 0) - base) >>> shift;
    const three = ((source[at + 2] ?? 0) - base) >>> shift;
    const four = ((source[at + 3] ?? 0) - base) >>> shift;
    lowWords[word] = (one & 0xff) | (two & 0xff) << 8 | (three & 0xff) << 16 | four << 24;
    highWords[word] = (one >>> 8 & 0xff) | (two & 0xff00) | (three & 0xff00) << 8 | (four & 0xff00) << 16;
  }
  const [low, high] = planes;
  for (let index = words << 2; index < length; index += 1) {
    const number = ((source[index] ?? 0) - base) >>> shift;
    low[index] = number;
    high[index] = number >>> 8;
  }
}

function writePlane(plane: Uint8Array, length: number, sink: PlaneSink): void {
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
  for (let byte = 0; byte < counts.length; byte += 1) {
    const count = counts[byte] ?? 0;
    if (count > 0) bits -= count * Math.log2(count / samples);
  }
  const entropy = bits / samples;
  return POOL_ENTROPY_BITS.filter((limit) => entropy >= limit).length;
}
