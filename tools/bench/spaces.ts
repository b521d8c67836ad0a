// The benchmark of a process's address space, as the engine keeps it: what mapping, an update that is queued and run, and the
// auto-release of what is mapped to an allocation cost while 10^3 to 10^6 ranges live, mean and 99.9th percentile in
// nanoseconds. Half of the ranges are pages of one zero reservation, half are mapped ranges of an allocation each.
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

/** What operations cost while so many ranges live. */
export interface SpaceRow {
  readonly ranges: number;
  readonly map: RangeFigure;
  readonly update: RangeFigure;
  readonly release: RangeFigure;
}

/** Measures every size: the fastest of several rounds, as a disturbed round is only ever slower. */
export function measureSpaces(sizes: readonly number[] = SIZES): SpaceRow[] {
  return sizes.map((ranges) => {
    const desk = new Desk(ranges);
    const rounds = Array.from({ length: ROUNDS + 1 }, () => desk.measure()).slice(1);
    return {
      ranges,
      map: fastest(rounds.map(({ map }) => map)),
      update: fastest(rounds.map(({ update }) => update)),
      release: fastest(rounds.map(({ release }) => release)),
    };
  });
}

/** A space with so many ranges. */
class Desk {
  readonly #space = new AddressSpace({ physicalAdapters: 1, vaBits: VA_BITS });
  readonly #random = new Random(11);
  /** The allocation of each mapped range. */
  readonly #allocations: Float64Array;
  readonly #batch = new Uint32Array(256);
  readonly #half: number;
  #next = 2 * POOLS;
  #fence = 0n;

  constructor(ranges: number) {
    this.#half = Math.floor(ranges / 2);
    this.#allocations = new Float64Array(this.#half);
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

  measure(): Omit<SpaceRow, "ranges"> {
    const [map, update, release] = [new Timer(), new Timer(), new Timer()];
    for (let done = 0; done < OPERATIONS; done += this.#batch.length) {
      const isSingle = (done / this.#batch.length) % 2 === 1;
      pickSlots(this.#batch, this.#half, this.#random);
      update.run(this.#batch, isSingle, (slot) => this.#update(slot));
      release.run(this.#batch, isSingle, (slot) => this.#release(slot));
      map.run(this.#batch, isSingle, (slot) => this.#map(slot));
    }
    return { map: map.figure(), update: update.figure(), release: release.figure() };
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
  console.log("address space, nanoseconds an operation: mean (99.9th percentile)");
  console.log("   ranges          map       update      release");
  for (const { ranges, map, update, release } of rows) {
    const cells = [map, update, release].map(({ meanNs, p999Ns }) => `${meanNs.toFixed(0)} (${p999Ns.toFixed(0)})`);
    console.log([String(ranges).padStart(9), ...cells.map((cell) => cell.padStart(14))].join(" "));
  }
}

if (import.meta.main) {
  const rows = measureSpaces();
  if (Deno.args.includes("--json")) console.log(JSON.stringify({ schema: "maptrail.bench-spaces/1", rows }));
  else print(rows);
}
