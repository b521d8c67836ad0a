// A process's GPU address space on one adapter, in two levels as the memory manager keeps it (gpuva.md 1.6): the obtained
// ranges (VADs), common to all physical GPUs, and below them page tables for each. Units are pages of 4096 bytes.
// It knows objects by their numbers only; which calls are legal is not decided here.

import type { Range } from "../range/mod.ts";
import { breaksUnique, isUnique, MappedSpans, type MappingCandidate } from "./mapped_spans.ts";
import { ensure, pages, requireWithin } from "./address_space_checks.ts";
import { TapeReader, type TapeValue } from "./number_tape.ts";
import type { Mapping, PageUpdate, Reservation, When } from "./page_changes.ts";
import { moved, type PageEntry, type PageSpan, PageTables, tiles } from "./page_tables.ts";
import { type CopySource, type PagingOperation, PagingOperations, type QueuePosition } from "./paging_operations.ts";
import { baseEntry, mappedVad, type Vad } from "./vad.ts";
import { type VadPiece, Vads } from "./vads.ts";

export { UNIQUE_DRIVER_PROTECTION } from "./mapped_spans.ts";
export type { MappingCandidate } from "./mapped_spans.ts";
export type { PageEntry, PageSpan } from "./page_tables.ts";
export type { Mapping, PageUpdate, Reservation, When } from "./page_changes.ts";
export type { QueuePosition } from "./paging_operations.ts";
export type { TapeValue } from "./number_tape.ts";
export type { Vad } from "./vad.ts";

/** The lowest page that placement gives out: the first 64 KB stay free, so that 0 is never an address. */
export const FIRST_PLACED_PAGE = 16;

/**
 * A process's address space on an adapter. Most mappings are made where nothing is and freed whole, unseen in between:
 * such a fresh one is kept with its range alone, and settles in page tables and index when anything else comes near it.
 */
export class AddressSpace {
  /** Adapter handles' object numbers through which this space was opened. */
  readonly adapters = new Set<number>();
  readonly vaBits: number;
  /** The number of pages: the end of the highest page that can be obtained. */
  readonly pageLimit: number;
  readonly #gpus: PageTables[];
  #vads = new Vads();
  #operations = new PagingOperations();
  #mapped = new MappedSpans();

  /** `RangeError` outside of 1 to 64 GPUs and 32 to 48 bits. */
  constructor({ physicalAdapters, vaBits }: { readonly physicalAdapters: number; readonly vaBits: number }) {
    requireWithin("physical-adapters", physicalAdapters, { low: 1, high: 64 });
    requireWithin("va-bits", vaBits, { low: 32, high: 48 });
    this.vaBits = vaBits;
    this.pageLimit = 2 ** (vaBits - 12);
    this.#gpus = Array.from({ length: physicalAdapters }, () => new PageTables());
  }

  /** Physical GPUs, each with page tables of its own. */
  get physicalAdapters(): number {
    return this.#gpus.length;
  }

  /** The lowest free place in [start, end), or the highest; neither the first 64 KB nor what is beyond the limit is one. */
  place(
    pageCount: number,
    { start, end }: PageSpan,
    { alignment = 1, isTopDown = false }: { readonly alignment?: number; readonly isTopDown?: boolean } = {},
  ): number | undefined {
    const from = Math.max(start, FIRST_PLACED_PAGE);
    const to = Math.min(end, this.pageLimit);
    if (from >= to) return undefined;
    return this.#vads.place({ size: pageCount, from, to, alignment }, isTopDown);
  }

  /** The pieces of obtained ranges that touch the span, whole. */
  vadsIn(span: PageSpan): readonly Range<Vad>[] {
    return this.#vads.in(span);
  }

  /** The piece of an obtained range that holds a page, whole. */
  pieceAt(page: number): VadPiece | undefined {
    return this.#vads.pieceAt(page);
  }

  /** The obtained range of which one piece holds all of the span; null where there is none. */
  vadOver(span: PageSpan): Vad | null {
    return this.#vads.over(span);
  }

  /** Whether any page of the span is obtained. */
  isAnyObtained(span: PageSpan): boolean {
    return this.#vads.isAnyObtained(span);
  }

  /** Whether every page of the span is obtained. */
  isObtained(span: PageSpan): boolean {
    return this.#vads.isObtained(span);
  }

  /** Every obtained range, in order of their numbers. */
  vads(): readonly Vad[] {
    return this.#vads.all();
  }

  /** Sets free pages aside, on all physical GPUs. */
  reserve({ start, end, vad, baseState, driverProtection, keeper = "process" }: Reservation, when: When): void {
    const facts = { number: vad, kind: "reserved", baseState, driverProtection, keeper } as const;
    this.#vads.obtain({ start, end }, this.#vads.begin(facts, when === null));
    if (when !== null) this.#operations.add({ start, end, gpu: -1, vad, source: null }, when);
  }

  /** Points pages of one GPU to an entry; pages that are free become a mapped range, which `vad` must then number. */
  map({ start, end, gpu, entry, vad, isFree = false }: Mapping, when: When): void {
    if (isFree && when === null && !this.#mapped.isUniqueWith(entry)) {
      const made = this.#vads.begin(mappedVad(vad), true);
      this.#vads.obtain({ start, end }, made);
      this.#vads.rows.setFresh(made, { start, end, gpu, entry });
      return;
    }
    this.#settle(isUnique(entry) ? undefined : { start, end });
    const hasNoEntry = vad > 0 && this.#obtainRest({ start, end }, { number: vad, isFree });
    const tables = this.#tablesOf(gpu);
    if (when !== null) {
      const operation = this.#operations.add({ start, end, gpu, vad: 0, source: null }, when);
      tables.queue({ start, end }, { operation, entry, isCopy: false });
    } else if (hasNoEntry) tables.commitFresh({ start, end }, entry);
    else this.#forget(tables, tables.commit({ start, end }, entry));
    if (entry.allocation > 0) this.#mapped.add({ start, end }, entry);
  }

  /** Runs a queue's operations up to a fence value, in order; those of freed pages do nothing. */
  complete(position: QueuePosition): void {
    for (const operation of this.#operations.take(position)) {
      if (operation.source !== null) this.#copy(operation, operation.source);
      else if (operation.gpu >= 0) this.#run(operation);
      else this.#vads.commit(operation.vad);
    }
  }

  /** Queues a change of pages of a reservation. */
  update({ start, end, gpu, pieces, source }: PageUpdate, when: QueuePosition): void {
    const operation = this.#operations.add({ start, end, gpu, vad: 0, source }, when);
    for (const { start, end, value: entry } of pieces) {
      this.#tablesOf(gpu).queue({ start, end }, { operation, entry, isCopy: source !== null });
      if (entry.allocation > 0) this.#mapped.add({ start, end }, entry);
    }
  }

  /** What obtained pages of a GPU will be once all that is queued has run in order of issue, in clipped pieces. */
  newestIn(gpu: number, span: PageSpan): Range<PageEntry>[] {
    this.#settle(span);
    return this.#entriesOf(
      span,
      (row, piece) =>
        [...tiles(piece, this.#tablesOf(gpu).newestIn(piece))].map(({ start, end, value }) => ({
          start,
          end,
          value: value ?? baseEntry({ ...this.#vads.rows.at(row), isCommitted: true }),
        })),
    );
  }

  /** Takes back what a queue has from a place on: it will not run. */
  cancel(position: QueuePosition): void {
    for (const operation of this.#operations.drop(position)) {
      if (operation.gpu >= 0) this.#tablesOf(operation.gpu).cancel(operation, operation.number);
    }
  }

  /** Frees obtained pages, and what is queued for them; returns the numbers of the VADs of which nothing is left. */
  free(span: PageSpan): number[] {
    const fresh = this.#vads.takeFresh(span);
    if (fresh > 0) return [fresh];
    const ended: number[] = [];
    const { rows } = this.#vads;
    let hasEntries = false;
    for (const { start, end, value: row } of this.#vads.carve(span)) {
      if (rows.isFresh(row) && rows.pageCount(row) === end - start) rows.endFresh(row);
      else {
        this.#settleRow(row);
        hasEntries = true;
      }
      const number = this.#vads.shrink(row, end - start);
      if (number > 0) ended.push(number);
    }
    if (hasEntries) { for (const tables of this.#gpus) this.#mapped.free(span, tables.release(span)); }
    return ended;
  }

  /**
   * Takes an allocation out of all page tables, pending entries too. Pages of a reservation fall back to its own state;
   * pages of a mapped range are freed where nothing else is or will be mapped (gpuva.md 4.5).
   * Returns the numbers of the VADs of which nothing is left.
   */
  releaseAllocation(allocation: number): number[] {
    const { rows } = this.#vads;
    const fresh = rows.freshOf(allocation);
    if (!this.#mapped.has(allocation)) {
      // Page tables know nothing of it. The order is the one in which they would tell.
      fresh.sort((one, other) =>
        rows.freshGpu(one) - rows.freshGpu(other) || rows.freshStart(one) - rows.freshStart(other)
      );
      return fresh.map((row) => this.#vads.takeFresh(rows.freshSpan(row)));
    }
    for (const row of fresh) this.#settleRow(row);
    const touched: PageSpan[] = [];
    const spans = this.#mapped.take(allocation);
    for (const tables of this.#gpus) {
      for (const span of spans) touched.push(...tables.releaseAllocation(span, allocation));
    }
    return touched.flatMap((span) => this.#unmappedIn(span)).flatMap((unmapped) => this.free(unmapped));
  }

  /** Whether a mapping breaks the rule of unique driver protection, once all that is queued has run. */
  conflicts(candidate: MappingCandidate): boolean {
    if (isUnique(candidate)) this.#settle();
    if (!this.#mapped.mayConflict(candidate)) return false;
    const spans = this.#mapped.spansOf(candidate.allocation);
    const others = this.#gpus.flatMap((tables, gpu) =>
      spans.flatMap((span) => tables.newestIn(span)).map(({ start, end, value }) => ({ ...value, start, end, gpu }))
    );
    return breaksUnique(candidate, others);
  }

  /** What a GPU sees: the span in order; the value is undefined where pages are free. */
  *walk(gpu: number, span: PageSpan): IterableIterator<PageSpan & { readonly value: PageEntry | undefined }> {
    this.#settle(span);
    for (const piece of tiles(span, this.#vads.rowsIn(span))) {
      if (piece.value === undefined) yield { start: piece.start, end: piece.end, value: undefined };
      else {
        const base = baseEntry(this.#vads.rows.at(piece.value));
        for (const tile of tiles(piece, this.#tablesOf(gpu).committedIn(piece))) {
          yield { ...tile, value: tile.value ?? base };
        }
      }
    }
  }

  /** Everything, as one flat list of numbers; `fromPlain` makes an equal space of it. */
  toPlain(): readonly TapeValue[] {
    const tape: TapeValue[] = [this.#gpus.length, this.vaBits, this.adapters.size];
    for (const adapter of this.adapters) tape.push(adapter);
    this.#vads.write(tape);
    this.#operations.write(tape);
    this.#mapped.write(tape, this.#vads.rows);
    for (const [gpu, tables] of this.#gpus.entries()) {
      const rows = this.#vads.freshOn(gpu);
      tables.write(tape, { count: rows.length, each: this.#vads.rows.freshIn(rows) });
    }
    return tape;
  }

  /** The space that `toPlain` wrote; `RangeError` for anything else. */
  static fromPlain(plain: readonly TapeValue[]): AddressSpace {
    const tape = new TapeReader(plain);
    const space = new AddressSpace({ physicalAdapters: tape.number(), vaBits: tape.number() });
    for (const adapter of tape.list(() => tape.number())) space.adapters.add(adapter);
    space.#vads = Vads.read(tape);
    space.#operations = PagingOperations.read(tape);
    space.#mapped = MappedSpans.read(tape);
    for (const gpu of space.#gpus.keys()) space.#gpus[gpu] = PageTables.read(tape);
    tape.end();
    return space;
  }

  /** Throws where the parts do not fit each other; takes O(n log n), for tests. */
  checkInvariants(): void {
    this.#vads.checkInvariants(this.pageLimit);
    this.#settle();
    this.#operations.checkInvariants();
    for (const { start, end, value } of this.#vads.in({ start: 0, end: this.pageLimit })) {
      const isFree = this.#unmappedIn({ start, end }).length > 0;
      ensure(!isFree, `mapped VAD ${value.number} has pages without an entry`);
    }
    for (const tables of this.#gpus) {
      tables.checkInvariants();
      for (const piece of tables.entriesIn({ start: 0, end: this.pageLimit })) {
        const { allocation } = piece.value;
        ensure(this.isObtained(piece), `${pages(piece)} have an entry, but are not obtained`);
        ensure(allocation === 0 || this.#mapped.covers(piece, allocation), `${pages(piece)} are mapped, not indexed`);
      }
    }
    this.#checkOperations();
  }

  /** Runs a copy on those of its pages where it was not cancelled, all sources read first; freed sources give nothing. */
  #copy({ start, end, gpu, number }: PagingOperation, source: CopySource): void {
    const tables = this.#tablesOf(gpu);
    const shift = start - source.start;
    const read = (row: number, piece: PageSpan) =>
      this.#vads.rows.number(row) !== source.vad ? [] : [...tiles(piece, tables.committedIn(piece))].map((tile) => ({
        start: tile.start + shift,
        end: tile.end + shift,
        value: moved(tile.value ?? baseEntry(this.#vads.rows.at(row)), shift),
      }));
    const copied = tables.cancel({ start, end }, number)
      .flatMap((piece) => this.#entriesOf({ start: piece.start - shift, end: piece.end - shift }, read));
    for (const { start, end, value } of copied) {
      this.#forget(tables, tables.commit({ start, end }, value));
      if (value.allocation > 0) this.#mapped.add({ start, end }, value);
    }
  }

  /** What `read` finds in each obtained piece of the span. */
  #entriesOf(
    span: PageSpan,
    read: (row: number, piece: PageSpan) => readonly Range<PageEntry>[],
  ): Range<PageEntry>[] {
    return [...tiles(span, this.#vads.rowsIn(span))].flatMap(({ start, end, value }) =>
      value === undefined ? [] : read(value, { start, end })
    );
  }

  #checkOperations(): void {
    const queued = this.#operations.all();
    for (const [gpu, tables] of this.#gpus.entries()) {
      for (const { start, end, operation } of tables.pendingOperations()) {
        const found = queued.get(operation);
        const fits = found !== undefined && found.gpu === gpu && found.start <= start && end <= found.end;
        ensure(fits, `${pages({ start, end })} wait for operation ${operation}, which is not queued for them`);
      }
    }
  }

  #tablesOf(gpu: number): PageTables {
    const tables = this.#gpus[gpu];
    if (tables === undefined) throw new RangeError(`Cannot use physical GPU ${gpu}: there are ${this.#gpus.length}`);
    return tables;
  }

  #run(operation: PagingOperation): void {
    const tables = this.#tablesOf(operation.gpu);
    this.#forget(tables, tables.complete(operation, operation.number));
  }

  /** Forgets what entries of a GPU pointed to that others replaced, unless it is mapped there still: on another GPU, or later. */
  #forget(own: PageTables, replaced: readonly Range<PageEntry>[]): void {
    for (const piece of replaced) {
      const { allocation } = piece.value;
      const isThere = this.#gpus.some((tables) =>
        tables === own ? tables.awaits(piece, allocation) : tables.mentions(piece, allocation)
      );
      if (!isThere) this.#mapped.free(piece, [allocation]);
    }
  }

  /** Makes the free pages of the span a mapped range; whether all of them were free, so that none has an entry. */
  #obtainRest(span: PageSpan, { number, isFree }: { readonly number: number; readonly isFree: boolean }): boolean {
    const made = this.#vads.begin(mappedVad(number), true);
    const obtained = isFree ? [] : this.#vads.rowsIn(span);
    if (obtained.length === 0) this.#vads.obtain(span, made);
    else for (const tile of [...tiles(span, obtained)]) if (tile.value === undefined) this.#vads.obtain(tile, made);
    return obtained.length === 0;
  }

  /** Lets the fresh mappings in a span, or all there are, settle. */
  #settle(span?: PageSpan): void {
    const { rows } = this.#vads;
    if (rows.freshCount === 0) return;
    if (span === undefined) { for (const row of rows.allFresh()) this.#settleRow(row); }
    else for (const { value } of this.#vads.rowsIn(span)) this.#settleRow(value);
  }

  /** Brings a range's fresh mapping, if it has one, into page tables and index. */
  #settleRow(row: number): void {
    const { rows } = this.#vads;
    if (!rows.isFresh(row)) return;
    const fresh = rows.fresh(row);
    rows.endFresh(row);
    this.#tablesOf(fresh.gpu).commitFresh(fresh, fresh.entry);
    if (fresh.entry.allocation > 0) this.#mapped.add(fresh, fresh.entry);
  }

  /** Pages of mapped ranges that have no entry, committed or pending, on any GPU. */
  #unmappedIn(span: PageSpan): PageSpan[] {
    const unmapped: PageSpan[] = [];
    for (const piece of tiles(span, this.#vads.rowsIn(span))) {
      if (piece.value === undefined || !this.#vads.rows.isMapped(piece.value)) continue;
      const entries = this.#gpus.flatMap((tables) => tables.entriesIn(piece));
      if (entries.length === 0) {
        unmapped.push({ start: piece.start, end: piece.end });
        continue;
      }
      entries.sort((one, other) => one.start - other.start);
      let from = piece.start;
      for (const { start, end } of entries) {
        if (from < start) unmapped.push({ start: from, end: start });
        from = Math.max(from, end);
      }
      if (from < piece.end) unmapped.push({ start: from, end: piece.end });
    }
    return unmapped;
  }
}
