// The benchmark of the range store: what mapping (first fit and insert), lookup and freeing of a range cost while 10^3 to
// 10^6 ranges live, mean and 99.9th percentile in nanoseconds. It measures `RangeMap` alone, no engine.
//
//   deno run tools/bench/ranges.ts [--json]

import { type Range, RangeMap } from "../../src/range/mod.ts";

/** Live ranges of each measurement. */
export const SIZES = [1_000, 10_000, 100_000, 1_000_000] as const;
/** Ranges that are freed and mapped anew, and points that are looked up, per measurement. */
const OPERATIONS = 200_000;
const ROUNDS = 3;
const MAX_LENGTH = 256;
const SPACE_END = 2 ** 36;

/** What one kind of operation costs, in nanoseconds; the clock's own cost is in the percentile, not in the mean. */
export interface RangeFigure {
  readonly meanNs: number;
  readonly p999Ns: number;
}

/** What operations cost while so many ranges live. */
export interface RangeRow {
  readonly ranges: number;
  readonly map: RangeFigure;
  readonly lookup: RangeFigure;
  readonly free: RangeFigure;
}

/** Measures every size: the fastest of several rounds, as a disturbed round is only ever slower. */
export function measureRanges(sizes: readonly number[] = SIZES): RangeRow[] {
  return sizes.map((ranges) => {
    const store = new Store(ranges);
    const rounds = Array.from({ length: ROUNDS + 1 }, () => store.measure()).slice(1);
    return {
      ranges,
      map: fastest(rounds.map(({ map }) => map)),
      lookup: fastest(rounds.map(({ lookup }) => lookup)),
      free: fastest(rounds.map(({ free }) => free)),
    };
  });
}

/** The fastest of several rounds. */
export function fastest(figures: readonly RangeFigure[]): RangeFigure {
  return {
    meanNs: Math.min(...figures.map(({ meanNs }) => meanNs)),
    p999Ns: Math.min(...figures.map(({ p999Ns }) => p999Ns)),
  };
}

/** A map of ranges of 1 to 256 points, of which a random half was freed and mapped anew, so that there are gaps. */
class Store {
  readonly #map = new RangeMap<number>();
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #random = new Random(7);
  /** Slots whose ranges are freed and mapped anew. */
  readonly #batch = new Uint32Array(256);

  constructor(ranges: number) {
    this.#starts = new Float64Array(ranges);
    this.#ends = new Float64Array(ranges);
    for (let slot = 0; slot < ranges; slot += 1) this.#mapSlot(slot);
    for (let count = 0; count < ranges / 2; count += 1) {
      const slot = this.#random.below(ranges);
      this.#freeSlot(slot);
      this.#mapSlot(slot);
    }
  }

  measure(): Omit<RangeRow, "ranges"> {
    const map = new Timer();
    const lookup = new Timer();
    const free = new Timer();
    for (let done = 0; done < OPERATIONS; done += this.#batch.length) {
      const isSingle = (done / this.#batch.length) % 2 === 1;
      pickSlots(this.#batch, this.#starts.length, this.#random);
      lookup.run(this.#batch, isSingle, (slot) => this.#look(slot));
      free.run(this.#batch, isSingle, (slot) => this.#freeSlot(slot));
      map.run(this.#batch, isSingle, (slot) => this.#mapSlot(slot));
    }
    return { map: map.figure(), lookup: lookup.figure(), free: free.figure() };
  }

  #mapSlot(slot: number): void {
    const size = 1 + this.#random.below(MAX_LENGTH);
    const start = this.#map.firstGap({ size, from: 0, to: SPACE_END });
    if (start === undefined) throw new Error(`no place for ${size} points`);
    this.#map.insert({ start, end: start + size, value: slot });
    this.#starts[slot] = start;
    this.#ends[slot] = start + size;
  }

  #look(slot: number): void {
    const found: Range<number> | undefined = this.#map.at((this.#ends[slot] ?? 0) - 1);
    if (found?.value !== slot) throw new Error(`slot ${slot} has lost its range`);
  }

  #freeSlot(slot: number): void {
    const freed = this.#map.carve(this.#starts[slot] ?? 0, this.#ends[slot] ?? 0);
    if (freed.length !== 1) throw new Error(`slot ${slot} had ${freed.length} ranges`);
  }
}

/** Fills a batch with different slots in random order: each out of its part of all. */
export function pickSlots(batch: Uint32Array, slots: number, random: Random): void {
  const width = slots / batch.length;
  for (const index of batch.keys()) batch[index] = Math.floor(index * width) + random.below(Math.floor(width));
  for (let index = batch.length - 1; index > 0; index -= 1) {
    const other = random.below(index + 1);
    const slot = batch[index] ?? 0;
    batch[index] = batch[other] ?? 0;
    batch[other] = slot;
  }
}

/** Times batches for the mean, and each operation of other batches for the percentile. */
export class Timer {
  #batchedMs = 0;
  #batched = 0;
  readonly #single: number[] = [];

  run(slots: Uint32Array, isSingle: boolean, work: (slot: number) => void): void {
    if (isSingle) return this.#runEach(slots, work);
    const began = performance.now();
    for (const slot of slots) work(slot);
    this.#batchedMs += performance.now() - began;
    this.#batched += slots.length;
  }

  figure(): RangeFigure {
    const sorted = this.#single.toSorted((one, other) => one - other);
    const p999 = sorted[Math.floor(sorted.length * 0.999)] ?? Number.NaN;
    return { meanNs: (this.#batchedMs / this.#batched) * 1e6, p999Ns: p999 * 1e6 };
  }

  #runEach(slots: Uint32Array, work: (slot: number) => void): void {
    for (const slot of slots) {
      const began = performance.now();
      work(slot);
      this.#single.push(performance.now() - began);
    }
  }
}

/** Numbers that look random and are the same in every run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}

function print(rows: readonly RangeRow[]): void {
  console.log("range store, nanoseconds an operation: mean (99.9th percentile)");
  console.log("   ranges          map       lookup         free");
  for (const { ranges, map, lookup, free } of rows) {
    console.log([String(ranges).padStart(9), ...[map, lookup, free].map((each) => text(each).padStart(14))].join(" "));
  }
}

function text({ meanNs, p999Ns }: RangeFigure): string {
  return `${meanNs.toFixed(0)} (${p999Ns.toFixed(0)})`;
}

if (import.meta.main) {
  const rows = measureRanges();
  if (Deno.args.includes("--json")) console.log(JSON.stringify({ schema: "maptrail.bench-ranges/1", rows }));
  else print(rows);
}
