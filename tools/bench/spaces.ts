// The benchmark of a process's address space, as the engine keeps it: what mapping, lookup, freeing, an update that is queued and
// run, and the auto-release of what is mapped to an allocation cost while 10^3 to 10^6 ranges live, mean and 99.9th percentile in
// nanoseconds. Half of the ranges are pages of one zero reservation, half are mapped ranges of an allocation each.
//
// What is beside them is the machine: one read of memory of as many bytes as the space takes, at a place that only the read
// before it tells. An operation that finds what nobody touched for long makes a few such reads, however good its algorithm.
//
//   deno run tools/bench/spaces.ts [--json]

import { AddressSpace, type PageEntry } from "../../src/engine/mod.ts";
import { fastest, pickSlots, Random, type RangeFigure, SIZES, Timer } from "./ranges.ts";

const OPERATIONS = 51_200;
const ROUNDS = 3;
const MAX_PAGES = 16;
const VA_BITS = 48;
const QUEUE = 1;
/** Allocations that updates map; numbers from here on, those of mapped ranges above. */
const POOLS = 1024;
/** A cache fetches memory by lines of as many bytes. */
const LINE = 64;
/** What a range of a space with a million takes, by `Deno.memoryUsage()`. */
const BYTES_A_RANGE = 160;

/** What is measured, in the order of the columns. */
export const SPACE_COLUMNS = ["map", "lookup", "free", "update", "release", "read"] as const;
type Column = typeof SPACE_COLUMNS[number];

/** What operations cost while so many ranges live, and beside them a read of as much memory. */
export interface SpaceRow extends Readonly<Record<Column, RangeFigure>> {
  readonly ranges: number;
  /** What the space takes, and the reads go over. */
  readonly bytes: number;
}

/** Measures every size: the fastest of several rounds, as a disturbed round is only ever slower. */
export function measureSpaces(sizes: readonly number[] = SIZES): SpaceRow[] {
  return sizes.map((ranges) => {
    const desk = new Desk(ranges);
    const bytes = ranges * BYTES_A_RANGE;
    const reader = new Reader(bytes);
    const rounds = Array.from({ length: ROUNDS + 1 }, () => ({ ...desk.measure(), read: reader.measure() })).slice(1);
    const best = (column: Column) => fastest(rounds.map((round) => round[column]));
    return {
      ranges,
      bytes,
      map: best("map"),
      lookup: best("lookup"),
      free: best("free"),
      update: best("update"),
      release: best("release"),
      read: best("read"),
    };
  });
}

/** How many times as much an operation costs in the last row as in the first. */
export function growthOf(rows: readonly SpaceRow[], column: Column): number {
  return (rows.at(-1)?.[column].meanNs ?? Number.NaN) / (rows[0]?.[column].meanNs ?? Number.NaN);
}

/** What the logarithm of the ranges does meanwhile. */
export function logarithmOf(rows: readonly SpaceRow[]): number {
  return Math.log(rows.at(-1)?.ranges ?? Number.NaN) / Math.log(rows[0]?.ranges ?? Number.NaN);
}

/** What an operation costs in the last row beyond its cost in the first times what the logarithm grew, in reads of the last row. */
export function readsBeyond(rows: readonly SpaceRow[], column: Column): number {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return Number.NaN;
  return (last[column].meanNs - first[column].meanNs * logarithmOf(rows)) / last.read.meanNs;
}

/** Memory of which each read says where the next one is. */
class Reader {
  readonly #cells: Float64Array;
  readonly #batch = new Uint32Array(256);
  #place = 0;

  constructor(bytes: number) {
    const lines = Math.ceil(bytes / LINE);
    const step = LINE / Float64Array.BYTES_PER_ELEMENT;
    const random = new Random(13);
    const order = Uint32Array.from({ length: lines }, (_, line) => line);
    for (let line = lines - 1; line > 0; line -= 1) {
      const other = random.below(line);
      const kept = order[line] ?? 0;
      order[line] = order[other] ?? 0;
      order[other] = kept;
    }
    this.#cells = new Float64Array(lines * step);
    for (let line = 0; line < lines; line += 1) {
      this.#cells[(order[line] ?? 0) * step] = (order[(line + 1) % lines] ?? 0) * step;
    }
  }

  measure(): RangeFigure {
    const read = new Timer();
    for (let done = 0; done < OPERATIONS; done += this.#batch.length) {
      const isSingle = (done / this.#batch.length) % 2 === 1;
      read.run(this.#batch, isSingle, () => this.#place = this.#cells[this.#place] ?? 0);
    }
    return read.figure();
  }
}

/** A space with so many ranges. */
class Desk {
  readonly #space = new AddressSpace({ physicalAdapters: 1, vaBits: VA_BITS });
  readonly #random = new Random(11);
  /** The allocation of each mapped range. */
  readonly #allocations: Float64Array;
  /** Where it starts and ends. */
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #batch = new Uint32Array(256);
  readonly #half: number;
  #next = 2 * POOLS;
  #fence = 0n;

  constructor(ranges: number) {
    this.#half = Math.floor(ranges / 2);
    this.#allocations = new Float64Array(this.#half);
    this.#starts = new Float64Array(this.#half);
    this.#ends = new Float64Array(this.#half);
    const end = this.#space.pageLimit;
    const reserved = { vad: this.#number(), baseState: "zero", driverProtection: 0n } as const;
    this.#space.reserve({ start: end - this.#half * MAX_PAGES, end, ...reserved }, null);
    for (let slot = 0; slot < this.#half; slot += 1) {
      this.#update(slot);
      this.#map(slot);
    }
    for (let count = 0; count < this.#half / 2; count += 1) {
      const slot = this.#random.below(this.#half);
      this.#release(slot);
      this.#map(slot);
    }
  }

  measure(): Omit<Record<Column, RangeFigure>, "read"> {
    const [map, lookup, free, update, release] = [new Timer(), new Timer(), new Timer(), new Timer(), new Timer()];
    for (let done = 0; done < OPERATIONS; done += this.#batch.length) {
      const isSingle = (done / this.#batch.length) % 2 === 1;
      pickSlots(this.#batch, this.#half, this.#random);
      update.run(this.#batch, isSingle, (slot) => this.#update(slot));
      release.run(this.#batch, isSingle, (slot) => this.#release(slot));
      map.run(this.#batch, isSingle, (slot) => this.#map(slot));
      pickSlots(this.#batch, this.#half, this.#random);
      lookup.run(this.#batch, isSingle, (slot) => this.#look(slot));
      free.run(this.#batch, isSingle, (slot) => this.#free(slot));
      map.run(this.#batch, isSingle, (slot) => this.#map(slot));
    }
    return {
      map: map.figure(),
      lookup: lookup.figure(),
      free: free.figure(),
      update: update.figure(),
      release: release.figure(),
    };
  }

  #number(): number {
    this.#next += 1;
    return this.#next;
  }

  /** Pages of the reservation are pointed to another part of a tile pool: queued, then run. */
  #update(slot: number): void {
    const start = this.#space.pageLimit - (slot + 1) * MAX_PAGES;
    const span = { start, end: start + 1 + this.#random.below(MAX_PAGES) };
    this.#fence += 1n;
    const when = { queue: QUEUE, fence: this.#fence };
    const pieces = [{ ...span, value: entry(POOLS + this.#random.below(POOLS), start) }];
    this.#space.update({ ...span, gpu: 0, pieces, source: null }, when);
    this.#space.complete(when);
  }

  #map(slot: number): void {
    const size = 1 + this.#random.below(MAX_PAGES);
    const start = this.#space.place(size, { start: 0, end: this.#space.pageLimit });
    if (start === undefined) throw new Error(`no place for ${size} pages`);
    const allocation = this.#number();
    const mapping = {
      start,
      end: start + size,
      gpu: 0,
      entry: entry(allocation, start),
      vad: allocation,
      isFree: true,
    };
    this.#space.map(mapping, null);
    this.#allocations[slot] = allocation;
    this.#starts[slot] = start;
    this.#ends[slot] = start + size;
  }

  #look(slot: number): void {
    const piece = this.#space.pieceAt((this.#ends[slot] ?? 0) - 1);
    if (piece?.number !== this.#allocations[slot]) throw new Error(`slot ${slot} has lost its range`);
  }

  #free(slot: number): void {
    const ended = this.#space.free({ start: this.#starts[slot] ?? 0, end: this.#ends[slot] ?? 0 });
    if (ended.length !== 1) throw new Error(`slot ${slot} had ${ended.length} ranges`);
  }

  #release(slot: number): void {
    const ended = this.#space.releaseAllocation(this.#allocations[slot] ?? 0);
    if (ended.length !== 1) throw new Error(`slot ${slot} had ${ended.length} ranges`);
  }
}

function entry(allocation: number, origin: number): PageEntry {
  return { state: "mapped", allocation, origin, protection: 1, driverProtection: 0n };
}

function print(rows: readonly SpaceRow[]): void {
  const line = (cells: readonly string[]) => cells.map((cell) => cell.padStart(15)).join(" ");
  console.log("address space, nanoseconds an operation: mean (99.9th percentile)");
  console.log(line(["ranges", ...SPACE_COLUMNS, "MB"]));
  for (const row of rows) {
    const figures = SPACE_COLUMNS.map((column) =>
      `${row[column].meanNs.toFixed(0)} (${row[column].p999Ns.toFixed(0)})`
    );
    console.log(line([String(row.ranges), ...figures, (row.bytes / 1e6).toFixed(1)]));
  }
  console.log(line(["growth", ...SPACE_COLUMNS.map((column) => `×${growthOf(rows, column).toFixed(1)}`)]));
  console.log(line(["reads", ...SPACE_COLUMNS.map((column) => readsBeyond(rows, column).toFixed(1))]));
  console.log(`reads: what the last row has beyond the logarithm, which grows ×${logarithmOf(rows).toFixed(1)}`);
}

if (import.meta.main) {
  const rows = measureSpaces();
  if (Deno.args.includes("--json")) console.log(JSON.stringify({ schema: "maptrail.bench-spaces/2", rows }));
  else print(rows);
}
