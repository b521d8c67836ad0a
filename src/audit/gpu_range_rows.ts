// Obtained ranges of an address space as rows of numbers: a trace may hold a million, and as objects each would be a handful
// that the collector marks and moves. It must not know where a range lies, nor calls or rules.

import type { Evidence } from "./finding.ts";
import type { PageMapping, PagingPoint } from "./gpu_page_table.ts";
import type { AutoRelease } from "./gpu_releases.ts";
import { NOTHING } from "./gpu_starts.ts";
import type { Places } from "./places.ts";

/** A range that Map or Reserve obtained, less what was released since: it may lie in several pieces. */
export interface ObtainedRange {
  readonly number: number;
  readonly kind: "reserved" | "mapped";
  readonly obtained: Evidence;
  readonly paging: PagingPoint;
  /** Its pages had been released by an allocation's end, and by nothing since. */
  readonly recycled: AutoRelease | null;
  /** Pages not released yet. */
  readonly pageCount: number;
}

/** A range as it begins. */
export type NewRange = ObtainedRange;
/** A range of which nothing is left. */
export type EndedRange = Pick<ObtainedRange, "number" | "kind">;

/** A range with a mapping of its own that is done, as it begins. */
export interface OwnRange {
  readonly number: number;
  readonly pageCount: number;
  readonly event: number;
  /** The number of the place of its call. */
  readonly place: number;
  readonly queue: number;
  readonly gpu: number;
  readonly allocation: number;
  readonly origin: number;
  readonly node: number;
}

/** What no row has room for, and hardly a range has. */
interface Odd {
  /** Null: the row says it. */
  readonly obtained: Evidence | null;
  readonly paging: PagingPoint | null;
  readonly recycled: AutoRelease | null;
  driverProtection: bigint;
}

/** Cells of a row. */
const COLUMNS = { number: 0, pageCount: 1, event: 2, fence: 3, allocation: 4, origin: 5 } as const;
/** Halves of the cells behind them. */
const HALVES = { place: 12, queue: 13, bits: 14, node: 15 } as const;
/** So that a row is one line of a cache. */
const ROW = 8;

const IS_MAPPED = 1;
const IS_OWN = 2;
const IS_DONE = 4;
const IS_NO_ACCESS = 8;
const IS_ODD = 16;
/** Above the bits stands the physical GPU. */
const GPU_AT = 5;
const LAST_BIT = 2 ** GPU_AT - 1;
/** Physical GPUs that a row has room for: far more than any adapter has. */
export const GPUS_IN_ROWS = 2 ** 16;

/**
 * Ranges by row; one that is given back serves again. What all pages of a range point to stands in its row where one map of
 * the whole, which obtained them, is all that ever happened to them, and it lies in one piece: most ranges. Such a mapping of
 * its own stands in no page table.
 */
export class RangeRows {
  readonly #places: Places;
  #cells = new Float64Array(16 * ROW);
  /** The same bytes. */
  #halves = new Int32Array(this.#cells.buffer);
  #rowsMade = 0;
  readonly #idle: number[] = [];
  readonly #odd = new Map<number, Odd>();

  constructor(places: Places) {
    this.#places = places;
  }

  /** Begins a range; returns its row. */
  add({ number, kind, obtained, paging, recycled, pageCount }: NewRange): number {
    const row = this.#idle.pop() ?? this.#rowsMade++;
    if (this.#cells.length < this.#rowsMade * ROW) this.#grow();
    const isPlain = obtained.role === kind;
    const isSmall = paging.fence <= BigInt(Number.MAX_SAFE_INTEGER);
    const isOdd = recycled !== null || !isPlain || !isSmall;
    if (isOdd) {
      const odd = { obtained: isPlain ? null : obtained, paging: isSmall ? null : paging };
      this.#odd.set(row, { ...odd, recycled, driverProtection: 0n });
    }
    this.#put(row, COLUMNS.number, number);
    this.#put(row, COLUMNS.pageCount, pageCount);
    this.#put(row, COLUMNS.event, obtained.event);
    this.#putHalf(row, HALVES.place, this.#places.numberOf(obtained));
    this.#putHalf(row, HALVES.queue, paging.queue);
    this.#put(row, COLUMNS.fence, paging.fence === 0n || !isSmall ? 0 : Number(paging.fence));
    this.#putHalf(row, HALVES.bits, (kind === "mapped" ? IS_MAPPED : 0) | (isOdd ? IS_ODD : 0));
    return row;
  }

  /** Begins a range that a map obtained whole and pointed at an allocation at once, and of which the row says all; returns its row. */
  addOwn({ number, pageCount, event, place, queue, gpu, allocation, origin, node }: OwnRange): number {
    const row = this.#idle.pop() ?? this.#rowsMade++;
    if (this.#cells.length < this.#rowsMade * ROW) this.#grow();
    this.#put(row, COLUMNS.number, number);
    this.#put(row, COLUMNS.pageCount, pageCount);
    this.#put(row, COLUMNS.event, event);
    this.#put(row, COLUMNS.fence, 0);
    this.#put(row, COLUMNS.allocation, allocation);
    this.#put(row, COLUMNS.origin, origin);
    this.#putHalf(row, HALVES.place, place);
    this.#putHalf(row, HALVES.queue, queue);
    this.#putHalf(row, HALVES.bits, (gpu << GPU_AT) | IS_MAPPED | IS_OWN | IS_DONE);
    this.#putHalf(row, HALVES.node, node);
    return row;
  }

  /** The row that the next range gets. */
  get next(): number {
    return this.#idle.at(-1) ?? this.#rowsMade;
  }

  /** Gives back the row of a range that is gone. */
  drop(row: number): void {
    if ((this.#bits(row) & IS_ODD) !== 0) this.#odd.delete(row);
    this.#idle.push(row);
  }

  /** All that is known of a range. */
  at(row: number): ObtainedRange {
    const odd = this.#oddOf(row);
    return {
      number: this.number(row),
      kind: this.kind(row),
      obtained: this.obtained(row),
      paging: odd?.paging ?? this.#paging(row),
      recycled: odd?.recycled ?? null,
      pageCount: this.pageCount(row),
    };
  }

  number(row: number): number {
    return this.#cell(row, COLUMNS.number);
  }

  kind(row: number): ObtainedRange["kind"] {
    return (this.#bits(row) & IS_MAPPED) !== 0 ? "mapped" : "reserved";
  }

  /** Pages not released yet. */
  pageCount(row: number): number {
    return this.#cell(row, COLUMNS.pageCount);
  }

  /** The event that obtained it, and where that was done: the number of a place. */
  event(row: number): number {
    return this.#cell(row, COLUMNS.event);
  }

  place(row: number): number {
    return this.#half(row, HALVES.place);
  }

  /** How it was obtained. */
  obtained(row: number): Evidence {
    const known = this.#oddOf(row)?.obtained ?? null;
    if (known !== null) return known;
    const { call, site, side } = this.#places.at(this.place(row));
    return { event: this.event(row), role: this.kind(row), site, call, side };
  }

  /** Whether the row says all: where it was obtained, and nothing before that. */
  isPlain(row: number): boolean {
    const odd = this.#oddOf(row);
    return odd === null || (odd.recycled === null && odd.obtained === null);
  }

  /** Pages were released; how many are left. */
  shrink(row: number, pages: number): number {
    const left = this.pageCount(row) - pages;
    this.#put(row, COLUMNS.pageCount, left);
    return left;
  }

  /** Gives a range a mapping of its own, made by what obtained it; `node` is its place among those of its allocation. */
  setOwn(row: number, { gpu, mapping, isDone, node }: {
    readonly gpu: number;
    readonly mapping: PageMapping;
    readonly isDone: boolean;
    readonly node: number;
  }): void {
    const { allocation, origin, driverProtection, isNoAccess } = mapping;
    let bits = this.#bits(row) & LAST_BIT | (gpu << GPU_AT) | IS_OWN | (isDone ? IS_DONE : 0) |
      (isNoAccess === true ? IS_NO_ACCESS : 0);
    if (driverProtection !== 0n) {
      const odd = this.#oddOf(row);
      if (odd === null) this.#odd.set(row, { obtained: null, paging: null, recycled: null, driverProtection });
      else odd.driverProtection = driverProtection;
      bits |= IS_ODD;
    }
    this.#putHalf(row, HALVES.bits, bits);
    this.#put(row, COLUMNS.allocation, allocation);
    this.#put(row, COLUMNS.origin, origin);
    this.#putHalf(row, HALVES.node, node);
  }

  /** Whether a mapping of its own is all that happened to it. */
  isOwn(row: number): boolean {
    return (this.#bits(row) & IS_OWN) !== 0;
  }

  /** Whether its own mapping is done. */
  isDone(row: number): boolean {
    return (this.#bits(row) & IS_DONE) !== 0;
  }

  /** Its own mapping is done. */
  finish(row: number): void {
    this.#putHalf(row, HALVES.bits, this.#bits(row) | IS_DONE);
  }

  /** It has no mapping of its own any more. */
  endOwn(row: number): void {
    this.#putHalf(row, HALVES.bits, this.#bits(row) & ~(IS_OWN | IS_DONE | IS_NO_ACCESS));
  }

  /** Of its own mapping: the GPU, the allocation, the page at which page 0 of that would lie, and the node. */
  gpu(row: number): number {
    return this.#bits(row) >> GPU_AT;
  }

  allocation(row: number): number {
    return this.#cell(row, COLUMNS.allocation);
  }

  origin(row: number): number {
    return this.#cell(row, COLUMNS.origin);
  }

  node(row: number): number {
    return this.isOwn(row) ? this.#half(row, HALVES.node) : NOTHING;
  }

  /** Its own mapping, made anew. */
  mapping(row: number): PageMapping {
    const odd = this.#oddOf(row);
    const isNoAccess = (this.#bits(row) & IS_NO_ACCESS) !== 0;
    return {
      allocation: this.allocation(row),
      origin: this.origin(row),
      driverProtection: odd?.driverProtection ?? 0n,
      paging: odd?.paging ?? this.#paging(row),
      mapped: this.obtained(row),
      isNoAccess,
    };
  }

  #oddOf(row: number): Odd | null {
    return (this.#bits(row) & IS_ODD) === 0 ? null : this.#odd.get(row) ?? null;
  }

  #paging(row: number): PagingPoint {
    return { queue: this.#half(row, HALVES.queue), fence: BigInt(this.#cell(row, COLUMNS.fence)) };
  }

  #bits(row: number): number {
    return this.#half(row, HALVES.bits);
  }

  #half(row: number, half: number): number {
    return this.#halves[2 * row * ROW + half] ?? 0;
  }

  #putHalf(row: number, half: number, value: number): void {
    this.#halves[2 * row * ROW + half] = value;
  }

  #cell(row: number, column: number): number {
    return this.#cells[row * ROW + column] ?? 0;
  }

  #put(row: number, column: number, value: number): void {
    this.#cells[row * ROW + column] = value;
  }

  #grow(): void {
    const cells = new Float64Array(2 * this.#cells.length);
    cells.set(this.#cells);
    this.#cells = cells;
    this.#halves = new Int32Array(cells.buffer);
  }
}
