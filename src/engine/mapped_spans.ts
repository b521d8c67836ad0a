// Where each allocation is mapped in an address space, so that its end need not search the page tables;
// and the rule of unique driver protection, which asks the same. It must not know page tables, objects or calls.

import { RangeMap } from "../range/mod.ts";
import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";
import { NumberSlots } from "./slots.ts";
import type { VadRows } from "./vad.ts";

/** Bit 63 of a driver protection: every mapping of the same allocation pages must have this very value (gpuva.md 3.3). */
export const UNIQUE_DRIVER_PROTECTION = 1n << 63n;

/** Pages of an allocation that are to be mapped. */
export interface MappingCandidate {
  readonly gpu: number;
  readonly allocation: number;
  readonly firstPage: number;
  readonly pageCount: number;
  readonly driverProtection: bigint;
  /** The virtual pages that it would replace; null: placed where nothing is. */
  readonly over: PageSpan | null;
}

/** A mapping that is there. */
export interface ExistingMapping extends PageEntry, PageSpan {
  readonly gpu: number;
}

/** A row: where the only span starts and ends; then 1 where a mapping is or was unique. Of several, `SEVERAL` and their band. */
const [END, UNIQUE] = [1, 2];
const ROW = 4;
const SEVERAL = -1;

/** A band of a map of spans: as many points as an address space of 48 bits has pages, and so many of them in one map. */
const BAND = 2 ** 37;
const BANDS = 2 ** 15;

/**
 * Virtual pages by allocation: all where it is mapped or will be, and maybe some where something else took its place.
 * Most allocations have one span: a row of numbers each, which costs no object and of a cache one line. Those that have
 * several share a map, each a band of its points: a tree for each would be a dozen things to look at where nobody looked for long.
 */
export class MappedSpans {
  /** By allocation, the number of its row and 1. */
  readonly #rows = new NumberSlots();
  #cells = new Float64Array(16 * ROW);
  #rowsMade = 0;
  readonly #idle: number[] = [];
  /** Spans of allocations that have several, by band. */
  readonly #maps: RangeMap<number>[] = [];
  #bandsMade = 0;
  readonly #idleBands: number[] = [];

  /** Notes a mapping. */
  add({ start, end }: PageSpan, entry: PageEntry): void {
    const { allocation } = entry;
    const row = this.#rowOf(allocation);
    if (row < 0) this.#addRow(allocation, { start, end });
    else this.#addTo(row, { start, end });
    if (isUnique(entry)) this.#cells[this.#rowOf(allocation) + UNIQUE] = 1;
  }

  /** Forgets freed pages of the allocations that were mapped there last. */
  free({ start, end }: PageSpan, allocations: readonly number[]): void {
    for (const allocation of allocations) {
      const row = this.#rowOf(allocation);
      if (row < 0) continue;
      const [first, last] = [this.#cells[row] ?? 0, this.#cells[row + END] ?? 0];
      if (start <= first && last <= end && first !== SEVERAL) this.#drop(allocation);
      else if (first === SEVERAL || (start < last && first < end)) {
        const band = this.#bandOf(row);
        const from = this.#from(band);
        const map = this.#mapOf(band);
        map.carve(from + start, from + end);
        if (!map.overlaps(from, from + BAND)) this.#drop(allocation);
      }
    }
  }

  /** Forgets an allocation; returns where it may be mapped. */
  take(allocation: number): PageSpan[] {
    const spans = this.spansOf(allocation);
    if (spans.length > 0) this.#drop(allocation);
    return spans;
  }

  /** Whether it may be mapped anywhere. */
  has(allocation: number): boolean {
    return this.#rowOf(allocation) >= 0;
  }

  /** Where an allocation may be mapped. */
  spansOf(allocation: number): PageSpan[] {
    const row = this.#rowOf(allocation);
    if (row < 0) return [];
    const start = this.#cells[row] ?? 0;
    if (start !== SEVERAL) return [{ start, end: this.#cells[row + END] ?? 0 }];
    const band = this.#bandOf(row);
    const from = this.#from(band);
    const spans = this.#mapOf(band).overlapping(from, from + BAND);
    return spans.map(({ start, end }) => ({ start: start - from, end: end - from }));
  }

  /** Whether all of the span is known as this allocation's. */
  covers({ start, end }: PageSpan, allocation: number): boolean {
    const row = this.#rowOf(allocation);
    if (row < 0) return false;
    const first = this.#cells[row] ?? 0;
    if (first === SEVERAL) {
      const band = this.#bandOf(row);
      const from = this.#from(band);
      return this.#mapOf(band).covered(from + start, from + end);
    }
    return first <= start && end <= (this.#cells[row + END] ?? 0);
  }

  /** Whether a mapping is unique, or one that its allocation has or had. */
  isUniqueWith(entry: PageEntry): boolean {
    return isUnique(entry) || (this.#rows.size > 0 && this.#hasUnique(entry.allocation));
  }

  /** Whether the mapping, or one that the allocation has or had, is unique: only then can there be a conflict. */
  mayConflict(candidate: MappingCandidate): boolean {
    return this.#rowOf(candidate.allocation) >= 0 && (isUnique(candidate) || this.#hasUnique(candidate.allocation));
  }

  /**
   * Appends everything to a tape, in order of the allocations' numbers: not of what happened to be noted first. As if the fresh
   * mappings of these ranges were noted too; none is unique.
   */
  write(tape: TapeValue[], vads: VadRows): void {
    const noted = [...this.#rows.entries()].map(([allocation]) => allocation);
    const allocations = new Set([...noted, ...vads.freshAllocations().filter((allocation) => allocation > 0)]);
    tape.push(allocations.size);
    for (const allocation of [...allocations].sort((one, other) => one - other)) {
      const fresh = vads.inOrder(vads.freshOf(allocation)).map((row) => vads.freshSpan(row));
      const spans = fresh.length === 0 ? this.spansOf(allocation) : withOthers(this.spansOf(allocation), fresh);
      tape.push(allocation, Number(this.#hasUnique(allocation)), spans.length);
      for (const { start, end } of spans) tape.push(start, end);
    }
  }

  /** Takes what `write` appended. */
  static read(tape: TapeReader): MappedSpans {
    const mapped = new MappedSpans();
    tape.list(() => {
      const allocation = tape.number();
      const hasUnique = tape.number() === 1;
      if (mapped.has(allocation)) throw new RangeError(`Cannot read spans of allocation ${allocation} twice`);
      let from = 0;
      for (const span of tape.list(() => readSpan(tape))) {
        if (span.start < from) throw new RangeError(`Cannot read spans of allocation ${allocation}: out of order`);
        from = span.end;
        const row = mapped.#rowOf(allocation);
        if (row < 0) mapped.#addRow(allocation, span);
        else mapped.#addTo(row, span);
      }
      if (hasUnique) mapped.#cells[mapped.#rowOf(allocation) + UNIQUE] = 1;
    });
    return mapped;
  }

  /** Where the row of an allocation begins, below 0: it has none. */
  #rowOf(allocation: number): number {
    return (this.#rows.get(allocation) - 1) * ROW;
  }

  #hasUnique(allocation: number): boolean {
    const row = this.#rowOf(allocation);
    return row >= 0 && this.#cells[row + UNIQUE] === 1;
  }

  #addRow(allocation: number, { start, end }: PageSpan): void {
    const number = this.#idle.pop() ?? this.#rowsMade++;
    if (this.#cells.length < this.#rowsMade * ROW) {
      const cells = new Float64Array(2 * this.#cells.length);
      cells.set(this.#cells);
      this.#cells = cells;
    }
    this.#rows.set(allocation, number + 1);
    const row = number * ROW;
    this.#cells[row] = start;
    this.#cells[row + END] = end;
    this.#cells[row + UNIQUE] = 0;
  }

  #addTo(row: number, { start, end }: PageSpan): void {
    const cells = this.#cells;
    const first = cells[row] ?? 0;
    if (first !== SEVERAL && start <= first && (cells[row + END] ?? 0) <= end) {
      cells[row] = start;
      cells[row + END] = end;
      return;
    }
    const band = this.#bandOf(row);
    const from = this.#from(band);
    const map = this.#mapOf(band);
    map.carve(from + start, from + end);
    map.insert({ start: from + start, end: from + end, value: 0 });
  }

  /** The band of an allocation's spans, made of its only one where it has none yet. */
  #bandOf(row: number): number {
    const start = this.#cells[row] ?? 0;
    const end = this.#cells[row + END] ?? 0;
    if (start === SEVERAL) return end;
    const band = this.#idleBands.pop() ?? this.#bandsMade++;
    const from = this.#from(band);
    this.#mapOf(band).insert({ start: from + start, end: from + end, value: 0 });
    this.#cells[row] = SEVERAL;
    this.#cells[row + END] = band;
    return band;
  }

  #mapOf(band: number): RangeMap<number> {
    const index = Math.floor(band / BANDS);
    const known = this.#maps[index];
    if (known !== undefined) return known;
    const made = RangeMap.ofNumbers();
    this.#maps[index] = made;
    return made;
  }

  /** The first point of a band in its map. */
  #from(band: number): number {
    return (band % BANDS) * BAND;
  }

  #drop(allocation: number): void {
    const row = this.#rowOf(allocation);
    if (this.#cells[row] === SEVERAL) {
      const band = this.#bandOf(row);
      const from = this.#from(band);
      this.#mapOf(band).carve(from, from + BAND);
      this.#idleBands.push(band);
    }
    this.#idle.push(row / ROW);
    this.#rows.set(allocation, 0);
  }
}

/** Spans with others, which do not overlap each other, in place of what there was of their pages; all ascending. */
function withOthers(spans: readonly PageSpan[], others: readonly PageSpan[]): readonly PageSpan[] {
  if (spans.length === 0) return others;
  const all = RangeMap.ofNumbers();
  for (const { start, end } of [...spans, ...others]) {
    all.carve(start, end);
    all.insert({ start, end, value: 0 });
  }
  return all.toArray();
}

function readSpan(tape: TapeReader): PageSpan {
  const [start, end] = [tape.number(), tape.number()];
  if (start >= 0 && start < end && end <= BAND) return { start, end };
  throw new RangeError(`Cannot read span [${start}, ${end}): it is none`);
}

/**
 * Whether a mapping breaks the unique driver protection of another of the same allocation pages, or that one its own.
 * A mapping that is not unique may be replaced by any; a unique one only by no access (wdd/driver-protection.md).
 */
export function breaksUnique(candidate: MappingCandidate, others: readonly ExistingMapping[]): boolean {
  const { gpu, allocation, firstPage, pageCount, driverProtection } = candidate;
  return others.some((other) => {
    const { start, end, origin } = other;
    if (other.allocation !== allocation || other.driverProtection === driverProtection) return false;
    if (start - origin >= firstPage + pageCount || end - origin <= firstPage) return false;
    if (isUnique(other)) return true;
    return isUnique(candidate) && !(other.gpu === gpu && isReplaced(other, candidate));
  });
}

/** Whether the allocation pages that both have in common all lose their old place to the new mapping. */
function isReplaced(
  { start, end, origin }: ExistingMapping,
  { firstPage, pageCount, over }: MappingCandidate,
): boolean {
  const first = Math.max(start, firstPage + origin);
  const last = Math.min(end, firstPage + pageCount + origin);
  return over !== null && over.start <= first && last <= over.end;
}

/** Whether a mapping has unique driver protection. */
export function isUnique({ driverProtection }: { readonly driverProtection: bigint }): boolean {
  return driverProtection >= UNIQUE_DRIVER_PROTECTION;
}
