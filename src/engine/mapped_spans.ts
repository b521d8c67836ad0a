// Where each allocation is mapped in an address space, so that its end need not search the page tables;
// and the rule of unique driver protection, which asks the same. It must not know page tables, objects or calls.

import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";
import { NumberSlots } from "./slots.ts";
import { SpanSet } from "./span_set.ts";
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

/** A row: the only span, or a start below 0 where there are several; then 1 where a mapping is or was unique. */
const [END, UNIQUE] = [1, 2];
const ROW = 4;
const SEVERAL = -1;

/**
 * Virtual pages by allocation: all where it is mapped or will be, and maybe some where something else took its place.
 * Most allocations have one span: a row of numbers each, which costs no object and of a cache one line.
 */
export class MappedSpans {
  /** By allocation, the number of its row and 1. */
  readonly #rows = new NumberSlots();
  #cells = new Float64Array(16 * ROW);
  #rowsMade = 0;
  readonly #idle: number[] = [];
  /** By allocation, where there are several spans. */
  readonly #several = new Map<number, SpanSet>();

  /** Notes a mapping. */
  add({ start, end }: PageSpan, entry: PageEntry): void {
    const { allocation } = entry;
    const row = this.#rowOf(allocation);
    if (row < 0) this.#addRow(allocation, { start, end });
    else this.#addTo(row, allocation, { start, end });
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
        const spans = this.#severalOf(row, allocation);
        spans.carve(start, end);
        if (spans.size === 0) this.#drop(allocation);
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
    return this.#several.get(allocation)?.toArray() ?? [];
  }

  /** Whether all of the span is known as this allocation's. */
  covers({ start, end }: PageSpan, allocation: number): boolean {
    const row = this.#rowOf(allocation);
    if (row < 0) return false;
    const first = this.#cells[row] ?? 0;
    if (first === SEVERAL) return this.#several.get(allocation)?.covers({ start, end }) ?? false;
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
        else mapped.#addTo(row, allocation, span);
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

  #addTo(row: number, allocation: number, { start, end }: PageSpan): void {
    const cells = this.#cells;
    const first = cells[row] ?? 0;
    if (first !== SEVERAL && start <= first && (cells[row + END] ?? 0) <= end) {
      cells[row] = start;
      cells[row + END] = end;
    } else this.#severalOf(row, allocation).add(start, end);
  }

  /** The spans of an allocation as a set, made of its only one where it has none yet. */
  #severalOf(row: number, allocation: number): SpanSet {
    const known = this.#several.get(allocation);
    if (known !== undefined) return known;
    const spans = new SpanSet();
    spans.add(this.#cells[row] ?? 0, this.#cells[row + END] ?? 0);
    this.#cells[row] = SEVERAL;
    this.#several.set(allocation, spans);
    return spans;
  }

  #drop(allocation: number): void {
    const row = this.#rowOf(allocation);
    if (this.#cells[row] === SEVERAL) this.#several.delete(allocation);
    this.#idle.push(row / ROW);
    this.#rows.set(allocation, 0);
  }
}

/** Spans with others, which do not overlap each other, in place of what there was of their pages; all ascending. */
function withOthers(spans: readonly PageSpan[], others: readonly PageSpan[]): readonly PageSpan[] {
  if (spans.length === 0) return others;
  const all = new SpanSet();
  for (const { start, end } of [...spans, ...others]) all.add(start, end);
  return all.toArray();
}

function readSpan(tape: TapeReader): PageSpan {
  const [start, end] = [tape.number(), tape.number()];
  if (start >= 0 && start < end) return { start, end };
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
