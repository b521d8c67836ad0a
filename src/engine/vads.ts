// The obtained ranges (VADs) of an address space and where they lie, with the mappings that nothing else came near yet.
// It must not know page tables, nor which calls are legal.

import { type GapQuery, type Range, RangeMap } from "../range/mod.ts";
import { ensure } from "./address_space_checks.ts";
import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageSpan } from "./page_tables.ts";
import { type Keeper, readVad, type Vad, type VadFacts, vadNumbers, VadRows } from "./vad.ts";

/** A piece of an obtained range. */
export interface VadPiece extends PageSpan {
  /** Its object's number. */
  readonly number: number;
  readonly keeper: Keeper;
}

/** Obtained ranges, each named by its row. */
export class Vads {
  readonly rows = new VadRows();
  /** Pieces of ranges: the row of each. */
  readonly #pieces = RangeMap.ofNumbers();
  /** Rows of reservations whose operation has not run, by number. */
  readonly #uncommitted = new Map<number, number>();

  /** The lowest free place that a query allows, or the highest. */
  place(query: GapQuery, isTopDown: boolean): number | undefined {
    return isTopDown ? this.#pieces.lastGap(query) : this.#pieces.firstGap(query);
  }

  /** The pieces that touch the span, whole: rows. */
  rowsIn({ start, end }: PageSpan): Range<number>[] {
    return this.#pieces.overlapping(start, end);
  }

  /** The pieces that touch the span, whole: what is true of their ranges. */
  in(span: PageSpan): Range<Vad>[] {
    return this.rowsIn(span).map(({ start, end, value }) => ({ start, end, value: this.rows.at(value) }));
  }

  /** The piece that holds a page, whole. */
  pieceAt(page: number): VadPiece | undefined {
    const pieces = this.#pieces;
    if (!pieces.find(page)) return undefined;
    const row = pieces.foundValue;
    const [start, end] = [pieces.foundStart, pieces.foundEnd];
    return { start, end, number: this.rows.number(row), keeper: this.rows.keeper(row) };
  }

  /** The range of which one piece holds all of the span; null where there is none. */
  over({ start, end }: PageSpan): Vad | null {
    const pieces = this.#pieces;
    return pieces.find(start) && end <= pieces.foundEnd ? this.rows.at(pieces.foundValue) : null;
  }

  /** Whether any page of the span is obtained. */
  isAnyObtained({ start, end }: PageSpan): boolean {
    return this.#pieces.overlaps(start, end);
  }

  /** Whether every page of the span is obtained. */
  isObtained({ start, end }: PageSpan): boolean {
    return this.#pieces.covered(start, end);
  }

  /** Every range, in order of their numbers. */
  all(): readonly Vad[] {
    const rows = new Set<number>();
    for (const { value } of this.#pieces) rows.add(value);
    return [...rows].map((row) => this.rows.at(row)).sort((one, other) => one.number - other.number);
  }

  /** Begins a range without pages; returns its row. */
  begin(facts: VadFacts, isCommitted: boolean): number {
    const row = this.rows.add(facts, isCommitted);
    if (!isCommitted) this.#uncommitted.set(facts.number, row);
    return row;
  }

  /** Gives free pages to a range. */
  obtain({ start, end }: PageSpan, row: number): void {
    this.#pieces.insert({ start, end, value: row });
    this.rows.addPages(row, end - start);
  }

  /** The operation of a reservation ran. */
  commit(number: number): void {
    const row = this.#uncommitted.get(number);
    if (row !== undefined) this.rows.commit(row);
    this.#uncommitted.delete(number);
  }

  /** Takes pages from their ranges, which still count them; returns the pieces, clipped. */
  carve({ start, end }: PageSpan): Range<number>[] {
    return this.#pieces.carve(start, end);
  }

  /** A range has so many pages less; its number where nothing is left of it, else 0. */
  shrink(row: number, pageCount: number): number {
    return this.rows.addPages(row, -pageCount) === 0 ? this.#end(row) : 0;
  }

  /** Ends the range that has just these pages, if its mapping is fresh; its number, else 0. */
  takeFresh({ start, end }: PageSpan): number {
    const pieces = this.#pieces;
    if (this.rows.freshCount === 0 || !pieces.find(start) || pieces.foundStart !== start || pieces.foundEnd !== end) {
      return 0;
    }
    const row = pieces.foundValue;
    if (!this.rows.isFresh(row)) return 0;
    pieces.removeFound();
    this.rows.endFresh(row);
    return this.#end(row);
  }

  /** Rows of all fresh mappings of one GPU, ascending. */
  freshOn(gpu: number): readonly number[] {
    return this.rows.inOrder(this.rows.allFresh().filter((row) => this.rows.freshGpu(row) === gpu));
  }

  /** Appends everything but fresh mappings to a tape. */
  write(tape: TapeValue[]): void {
    const vads = this.all();
    tape.push(vads.length);
    for (const vad of vads) tape.push(...vadNumbers(vad));
    tape.push(this.#pieces.size);
    for (const { start, end, value } of this.#pieces) tape.push(start, end, this.rows.number(value));
  }

  /** Takes what `write` appended. */
  static read(tape: TapeReader): Vads {
    const vads = new Vads();
    const rows = new Map<number, number>();
    tape.list(() => {
      const vad = readVad(tape);
      rows.set(vad.number, vads.begin(vad, vad.isCommitted));
    });
    for (const [start, end, number] of tape.list(() => [tape.number(), tape.number(), tape.number()] as const)) {
      const row = rows.get(number);
      if (row === undefined) throw new RangeError(`Cannot find VAD ${number}: the space has none of that number`);
      vads.obtain({ start, end }, row);
    }
    return vads;
  }

  /** Throws where the parts do not fit each other; for tests. */
  checkInvariants(pageLimit: number): void {
    this.#pieces.checkInvariants();
    const counts = new Map<number, number>();
    for (const { start, end, value: row } of this.#pieces) {
      const number = this.rows.number(row);
      counts.set(number, (counts.get(number) ?? 0) + end - start);
      const isListed = this.#uncommitted.get(number) === row;
      ensure(isListed !== this.rows.isCommitted(row), `VAD ${number} is listed as one that waits, or should be`);
      ensure(end <= pageLimit, `VAD ${number} ends at page ${end}, the space at ${pageLimit}`);
    }
    for (const { number, pageCount } of this.all()) {
      ensure(pageCount > 0 && counts.get(number) === pageCount, `VAD ${number} does not have its ${pageCount} pages`);
    }
    const fresh = this.rows.allFresh();
    ensure(
      fresh.length === this.rows.freshCount,
      `${fresh.length} VADs are fresh, ${this.rows.freshCount} are counted`,
    );
    for (const row of fresh) {
      const { start, end } = this.rows.fresh(row);
      const fits = this.#pieces.find(start) && this.#pieces.foundValue === row && this.#pieces.foundEnd === end;
      ensure(fits, `VAD ${this.rows.number(row)} is fresh, and has other pages`);
    }
  }

  #end(row: number): number {
    const number = this.rows.number(row);
    if (!this.rows.isCommitted(row)) this.#uncommitted.delete(number);
    this.rows.drop(row);
    return number;
  }
}
