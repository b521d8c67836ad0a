// Obtained ranges of an address space, as the space keeps them beside their objects (gpuva.md 1.6): rows of numbers, of which
// a million are nothing that a garbage collector has to look at, and each is one line of a cache.
// It must not know where a range lies, nor which calls make and end one.

import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";
import { NumberSlots } from "./slots.ts";

/** What is true of a range as long as it lives. */
export interface VadFacts {
  /** Its object's number. */
  readonly number: number;
  readonly kind: "reserved" | "mapped";
  /** What pages of a reservation are where nothing is mapped; a mapped range's are invalid there. */
  readonly baseState: "invalid" | "zero";
  readonly driverProtection: bigint;
  readonly keeper: Keeper;
}

/** An obtained range: what a Reserve or a Map gave, less what was freed since; it may lie in several pieces. */
export interface Vad extends VadFacts {
  /** The reservation's operation ran; before, its pages are invalid. */
  readonly isCommitted: boolean;
  /** Pages that are not freed yet. */
  readonly pageCount: number;
}

/** A mapping that made a range of its own, at once, and is all there is of that range. */
export interface FreshMapping extends PageSpan {
  readonly gpu: number;
  readonly entry: PageEntry;
}

/** Who made a range: the process; or the kernel driver, for itself or for the process to map in as well. */
export type Keeper = (typeof KEEPERS)[number];
/** Every keeper; a tape holds its place in here. */
export const KEEPERS = ["process", "driver", "shared"] as const;

/** Cells of a row; of a fresh mapping its first page, allocation and origin. */
const [NUMBER, PAGE_COUNT, START, ALLOCATION, ORIGIN] = [0, 1, 2, 3, 4];
const ROW = 8;
/** Halves of a cell: bits, the rights of a fresh mapping, and the rows before and behind it among those of its allocation. */
const [BITS, RIGHTS, BEFORE, BEHIND] = [10, 11, 12, 13];
/** No row. */
const NONE = -1;

const IS_MAPPED = 1;
const IS_ZERO = 2;
const IS_COMMITTED = 4;
const IS_FRESH = 8;
/** A driver protection other than 0 stands in a table: the range's, and that of its fresh mapping. */
const IS_PROTECTED = 16;
const IS_ENTRY_PROTECTED = 32;
const KEEPER_AT = 6;
const STATE_AT = 8;
const GPU_AT = 10;
const STATES = ["invalid", "zero", "mapped"] as const;

/**
 * Ranges by row. The mapping of one stands in its row as long as no page table needs to know of it: it is fresh, and those of
 * an allocation are linked, so that its end need not search. A row that is given back serves again.
 */
export class VadRows {
  #cells = new Float64Array(16 * ROW);
  /** The same bytes. */
  #halves = new Int32Array(this.#cells.buffer);
  #rowsMade = 0;
  readonly #idle: number[] = [];
  readonly #protections = new Map<number, bigint>();
  readonly #entryProtections = new Map<number, bigint>();
  /** By allocation, the row of its newest fresh mapping, and 1. */
  readonly #newest = new NumberSlots();
  #freshCount = 0;

  /** How many fresh mappings there are. */
  get freshCount(): number {
    return this.#freshCount;
  }

  /** Makes a range without pages; returns its row. */
  add({ number, kind, baseState, driverProtection, keeper }: VadFacts, isCommitted: boolean): number {
    const row = this.#idle.pop() ?? this.#rowsMade++;
    if (this.#cells.length < this.#rowsMade * ROW) this.#grow();
    const cell = row * ROW;
    this.#cells[cell + NUMBER] = number;
    this.#cells[cell + PAGE_COUNT] = 0;
    if (driverProtection !== 0n) this.#protections.set(row, driverProtection);
    this.#halves[2 * cell + BITS] = (kind === "mapped" ? IS_MAPPED : 0) | (baseState === "zero" ? IS_ZERO : 0) |
      (isCommitted ? IS_COMMITTED : 0) | (driverProtection !== 0n ? IS_PROTECTED : 0) |
      (KEEPERS.indexOf(keeper) << KEEPER_AT);
    return row;
  }

  /** Gives back the row of a range that ended. */
  drop(row: number): void {
    if ((this.#bits(row) & IS_PROTECTED) !== 0) this.#protections.delete(row);
    this.#idle.push(row);
  }

  /** The number of its object. */
  number(row: number): number {
    return this.#cells[row * ROW + NUMBER] ?? 0;
  }

  /** Pages that are not freed yet. */
  pageCount(row: number): number {
    return this.#cells[row * ROW + PAGE_COUNT] ?? 0;
  }

  /** Gives it pages, or takes some. */
  addPages(row: number, count: number): number {
    const left = this.pageCount(row) + count;
    this.#cells[row * ROW + PAGE_COUNT] = left;
    return left;
  }

  /** Whether Map made it. */
  isMapped(row: number): boolean {
    return (this.#bits(row) & IS_MAPPED) !== 0;
  }

  /** Whether its operation ran. */
  isCommitted(row: number): boolean {
    return (this.#bits(row) & IS_COMMITTED) !== 0;
  }

  /** Who made it. */
  keeper(row: number): Keeper {
    return KEEPERS[(this.#bits(row) >> KEEPER_AT) & 3] ?? "process";
  }

  /** Its operation ran. */
  commit(row: number): void {
    this.#halves[2 * row * ROW + BITS] = this.#bits(row) | IS_COMMITTED;
  }

  /** All that is true of it. */
  at(row: number): Vad {
    const bits = this.#bits(row);
    return {
      number: this.number(row),
      kind: (bits & IS_MAPPED) !== 0 ? "mapped" : "reserved",
      baseState: (bits & IS_ZERO) !== 0 ? "zero" : "invalid",
      driverProtection: (bits & IS_PROTECTED) === 0 ? 0n : this.#protections.get(row) ?? 0n,
      keeper: this.keeper(row),
      isCommitted: (bits & IS_COMMITTED) !== 0,
      pageCount: this.pageCount(row),
    };
  }

  /** Gives a range, which has just the pages of it, its fresh mapping. */
  setFresh(row: number, { start, gpu, entry }: FreshMapping): void {
    const { state, allocation, origin, protection, driverProtection } = entry;
    const cell = row * ROW;
    this.#cells[cell + START] = start;
    this.#cells[cell + ALLOCATION] = allocation;
    this.#cells[cell + ORIGIN] = origin;
    this.#halves[2 * cell + BITS] = this.#bits(row) | IS_FRESH | (STATES.indexOf(state) << STATE_AT) | (gpu << GPU_AT) |
      (driverProtection === 0n ? 0 : IS_ENTRY_PROTECTED);
    this.#halves[2 * cell + RIGHTS] = protection;
    if (driverProtection !== 0n) this.#entryProtections.set(row, driverProtection);
    const behind = this.#newest.get(allocation) - 1;
    this.#halves[2 * cell + BEFORE] = NONE;
    this.#halves[2 * cell + BEHIND] = behind;
    if (behind !== NONE) this.#halves[2 * behind * ROW + BEFORE] = row;
    this.#newest.set(allocation, row + 1);
    this.#freshCount += 1;
  }

  /** Whether it has a fresh mapping. */
  isFresh(row: number): boolean {
    return (this.#bits(row) & IS_FRESH) !== 0;
  }

  /** Its fresh mapping. */
  fresh(row: number): FreshMapping {
    const bits = this.#bits(row);
    const cell = row * ROW;
    const start = this.#cells[cell + START] ?? 0;
    const entry = {
      state: STATES[(bits >> STATE_AT) & 3] ?? "invalid",
      allocation: this.#cells[cell + ALLOCATION] ?? 0,
      origin: this.#cells[cell + ORIGIN] ?? 0,
      protection: this.#halves[2 * cell + RIGHTS] ?? 0,
      driverProtection: (bits & IS_ENTRY_PROTECTED) === 0 ? 0n : this.#entryProtections.get(row) ?? 0n,
    };
    return { start, end: start + this.pageCount(row), gpu: bits >> GPU_AT, entry };
  }

  /** The pages of its fresh mapping. */
  freshSpan(row: number): PageSpan {
    const start = this.freshStart(row);
    return { start, end: start + this.pageCount(row) };
  }

  /** The first page of its fresh mapping. */
  freshStart(row: number): number {
    return this.#cells[row * ROW + START] ?? 0;
  }

  /** The GPU of its fresh mapping. */
  freshGpu(row: number): number {
    return this.#bits(row) >> GPU_AT;
  }

  /** Takes its fresh mapping from it. */
  endFresh(row: number): void {
    const cell = row * ROW;
    const bits = this.#bits(row);
    if ((bits & IS_ENTRY_PROTECTED) !== 0) this.#entryProtections.delete(row);
    this.#halves[2 * cell + BITS] = bits & ((1 << STATE_AT) - 1) & ~(IS_FRESH | IS_ENTRY_PROTECTED);
    const before = this.#halves[2 * cell + BEFORE] ?? NONE;
    const behind = this.#halves[2 * cell + BEHIND] ?? NONE;
    if (behind !== NONE) this.#halves[2 * behind * ROW + BEFORE] = before;
    if (before !== NONE) this.#halves[2 * before * ROW + BEHIND] = behind;
    else this.#newest.set(this.#cells[cell + ALLOCATION] ?? 0, behind + 1);
    this.#freshCount -= 1;
  }

  /** The rows of an allocation's fresh mappings, in no order. */
  freshOf(allocation: number): number[] {
    const rows: number[] = [];
    let row = this.#newest.get(allocation) - 1;
    while (row !== NONE) {
      rows.push(row);
      row = this.#halves[2 * row * ROW + BEHIND] ?? NONE;
    }
    return rows;
  }

  /** The allocations that have fresh mappings, ascending; 0 for those that have none. */
  freshAllocations(): number[] {
    return [...this.#newest.entries()].map(([allocation]) => allocation);
  }

  /** The rows of all fresh mappings, in no order. */
  allFresh(): number[] {
    return this.freshAllocations().flatMap((allocation) => this.freshOf(allocation));
  }

  /** Rows by where their fresh mappings start. */
  inOrder(rows: readonly number[]): readonly number[] {
    return rows.toSorted((one, other) => this.freshStart(one) - this.freshStart(other));
  }

  /** The fresh mappings of rows, one after the other: all at once would be another hundred thousand objects. */
  *freshIn(rows: readonly number[]): IterableIterator<FreshMapping> {
    for (const row of rows) yield this.fresh(row);
  }

  #bits(row: number): number {
    return this.#halves[2 * row * ROW + BITS] ?? 0;
  }

  #grow(): void {
    const cells = new Float64Array(2 * this.#cells.length);
    cells.set(this.#cells);
    this.#cells = cells;
    this.#halves = new Int32Array(cells.buffer);
  }
}

/** What the pages of an obtained range are where nothing is mapped. */
export function baseEntry(
  { baseState, driverProtection, isCommitted }: Pick<Vad, "baseState" | "driverProtection" | "isCommitted">,
): PageEntry {
  return { state: isCommitted ? baseState : "invalid", allocation: 0, origin: 0, protection: 0, driverProtection };
}

/** A range that a map makes. */
export function mappedVad(number: number): VadFacts {
  return { number, kind: "mapped", baseState: "invalid", driverProtection: 0n, keeper: "process" };
}

/** What a tape holds of a range. */
export function vadNumbers(
  { number, kind, baseState, driverProtection, keeper, isCommitted }: Vad,
): TapeValue[] {
  const place = KEEPERS.indexOf(keeper);
  return [
    number,
    Number(kind === "mapped"),
    Number(baseState === "zero"),
    driverProtection,
    place,
    Number(isCommitted),
  ];
}

/** Takes an obtained range off a tape; it has no pages yet. */
export function readVad(tape: TapeReader): VadFacts & { readonly isCommitted: boolean } {
  const facts: VadFacts = {
    number: tape.number(),
    kind: tape.number() === 1 ? "mapped" : "reserved",
    baseState: tape.number() === 1 ? "zero" : "invalid",
    driverProtection: tape.bigint(),
    keeper: KEEPERS[tape.number()] ?? "process",
  };
  return { ...facts, isCommitted: tape.number() === 1 };
}
