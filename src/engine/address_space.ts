// A process's GPU address space on one adapter, in two levels as the memory manager keeps it (gpuva.md 1.6): the obtained
// ranges (VADs), common to all physical GPUs, and below them page tables for each. Units are pages of 4096 bytes.
// It knows objects by their numbers only; which calls are legal is not decided here.

import { type Range, RangeMap } from "../range/mod.ts";
import { breaksUnique, isUnique, MappedSpans, type MappingCandidate } from "./mapped_spans.ts";
import { ensure, pages, requireWithin } from "./address_space_checks.ts";
import { TapeReader, type TapeValue } from "./number_tape.ts";
import type { Mapping, PageUpdate, Reservation, When } from "./page_changes.ts";
import { moved, type PageEntry, type PageSpan, PageTables, tiles } from "./page_tables.ts";
import { type CopySource, type PagingOperation, PagingOperations, type QueuePosition } from "./paging_operations.ts";
import { baseEntry, type Keeper, mappedVad, readVad, type Vad, type VadFacts, vadNumbers, VadRows } from "./vad.ts";

export { UNIQUE_DRIVER_PROTECTION } from "./mapped_spans.ts";
export type { MappingCandidate } from "./mapped_spans.ts";
export type { PageEntry, PageSpan } from "./page_tables.ts";
export type { Mapping, PageUpdate, Reservation, When } from "./page_changes.ts";
export type { QueuePosition } from "./paging_operations.ts";
export type { TapeValue } from "./number_tape.ts";
export type { Vad } from "./vad.ts";

/** A piece of an obtained range. */
export interface VadPiece extends PageSpan {
  /** Its object's number. */
  readonly number: number;
  readonly keeper: Keeper;
}

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
  /** Pieces of obtained ranges: the row of each. */
  readonly #vads = RangeMap.ofNumbers();
  readonly #rows = new VadRows();
  /** Rows of reservations whose operation has not run, by number. */
  readonly #uncommitted = new Map<number, number>();
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
    const query = { size: pageCount, from, to, alignment };
    return isTopDown ? this.#vads.lastGap(query) : this.#vads.firstGap(query);
  }

  /** The pieces of obtained ranges that touch the span, whole. */
  vadsIn({ start, end }: PageSpan): readonly Range<Vad>[] {
    return this.#vads.overlapping(start, end).map((piece) => ({ ...piece, value: this.#rows.at(piece.value) }));
  }

  /** The piece of an obtained range that holds a page, whole. */
  pieceAt(page: number): VadPiece | undefined {
    const vads = this.#vads;
    if (!vads.find(page)) return undefined;
    const row = vads.foundValue;
    return {
      start: vads.foundStart,
      end: vads.foundEnd,
      number: this.#rows.number(row),
      keeper: this.#rows.keeper(row),
    };
  }

  /** The obtained range of which one piece holds all of the span; null where there is none. */
  vadOver({ start, end }: PageSpan): Vad | null {
    return this.#vads.find(start) && end <= this.#vads.foundEnd ? this.#rows.at(this.#vads.foundValue) : null;
  }

  /** Whether any page of the span is obtained. */
  isAnyObtained({ start, end }: PageSpan): boolean {
    return this.#vads.overlaps(start, end);
  }

  /** Whether every page of the span is obtained. */
  isObtained({ start, end }: PageSpan): boolean {
    return this.#vads.covered(start, end);
  }

  /** Every obtained range, in order of their numbers. */
  vads(): readonly Vad[] {
    const rows = new Set<number>();
    for (const { value } of this.#vads) rows.add(value);
    return [...rows].map((row) => this.#rows.at(row)).sort((one, other) => one.number - other.number);
  }

  /** Sets free pages aside, on all physical GPUs. */
  reserve({ start, end, vad, baseState, driverProtection, keeper = "process" }: Reservation, when: When): void {
    const made = this.#addVad({ number: vad, kind: "reserved", baseState, driverProtection, keeper }, when);
    this.#obtain({ start, end }, made);
    if (when !== null) this.#operations.add({ start, end, gpu: -1, vad, source: null }, when);
  }

  /** Points pages of one GPU to an entry; pages that are free become a mapped range, which `vad` must then number. */
  map({ start, end, gpu, entry, vad, isFree = false }: Mapping, when: When): void {
    if (isFree && when === null && !this.#mapped.isUniqueWith(entry)) {
      const made = this.#addVad(mappedVad(vad), null);
      this.#obtain({ start, end }, made);
      this.#rows.setFresh(made, { start, end, gpu, entry });
      return;
    }
    this.#settle(isUnique(entry) ? undefined : { start, end });
    const hasNoEntry = vad > 0 && this.#obtainRest({ start, end }, { number: vad, isFree });
    const tables = this.#tablesOf(gpu);
    if (when !== null) {
      const operation = this.#operations.add({ start, end, gpu, vad: 0, source: null }, when);
      tables.queue({ start, end }, { operation, entry, isCopy: false });
    } else if (hasNoEntry) tables.commitFresh({ start, end }, entry);
    else tables.commit({ start, end }, entry);
    if (entry.allocation > 0) this.#mapped.add({ start, end }, entry);
  }

  /** Runs a queue's operations up to a fence value, in order; those of freed pages do nothing. */
  complete(position: QueuePosition): void {
    for (const operation of this.#operations.take(position)) {
      if (operation.source !== null) this.#copy(operation, operation.source);
      else if (operation.gpu >= 0) this.#tablesOf(operation.gpu).complete(operation, operation.number);
      else this.#commit(operation.vad);
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
          value: value ?? baseEntry({ ...this.#rows.at(row), isCommitted: true }),
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
    const ended: number[] = [];
    if (this.#freeFresh(span, ended)) return ended;
    let hasEntries = false;
    for (const { start, end, value: row } of this.#vads.carve(span.start, span.end)) {
      const isWhole = this.#rows.pageCount(row) === end - start;
      if (isWhole && this.#rows.isFresh(row)) this.#rows.endFresh(row);
      else {
        this.#settleRow(row);
        hasEntries = true;
      }
      if (this.#rows.addPages(row, start - end) === 0) ended.push(this.#dropVad(row));
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
    const fresh = this.#rows.freshOf(allocation);
    const ended: number[] = [];
    if (!this.#mapped.has(allocation)) {
      // Page tables know nothing of it. The order is the one in which they would tell.
      fresh.sort((one, other) => this.#rows.freshGpu(one) - this.#rows.freshGpu(other) || this.#byStart(one, other));
      for (const row of fresh) {
        const start = this.#rows.freshStart(row);
        this.#freeFresh({ start, end: start + this.#rows.pageCount(row) }, ended);
      }
      return ended;
    }
    for (const row of fresh) this.#settleRow(row);
    const touched: PageSpan[] = [];
    const spans = this.#mapped.take(allocation);
    for (const tables of this.#gpus) {
      for (const span of spans) touched.push(...tables.releaseAllocation(span, allocation));
    }
    for (const unmapped of touched.flatMap((span) => this.#unmappedIn(span))) ended.push(...this.free(unmapped));
    return ended;
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
    for (const piece of tiles(span, this.#vads.overlapping(span.start, span.end))) {
      if (piece.value === undefined) yield { start: piece.start, end: piece.end, value: undefined };
      else {
        const base = baseEntry(this.#rows.at(piece.value));
        for (const tile of tiles(piece, this.#tablesOf(gpu).committedIn(piece))) {
          yield { ...tile, value: tile.value ?? base };
        }
      }
    }
  }

  /** Everything, as one flat list of numbers; `fromPlain` makes an equal space of it. */
  toPlain(): readonly TapeValue[] {
    this.#settle();
    const tape: TapeValue[] = [this.#gpus.length, this.vaBits, this.adapters.size];
    for (const adapter of this.adapters) tape.push(adapter);
    const vads = this.vads();
    tape.push(vads.length);
    for (const vad of vads) tape.push(...vadNumbers(vad));
    tape.push(this.#vads.size);
    for (const { start, end, value } of this.#vads) tape.push(start, end, this.#rows.number(value));
    this.#operations.write(tape);
    this.#mapped.write(tape);
    for (const tables of this.#gpus) tables.write(tape);
    return tape;
  }

  /** The space that `toPlain` wrote; `RangeError` for anything else. */
  static fromPlain(plain: readonly TapeValue[]): AddressSpace {
    const tape = new TapeReader(plain);
    const space = new AddressSpace({ physicalAdapters: tape.number(), vaBits: tape.number() });
    for (const adapter of tape.list(() => tape.number())) space.adapters.add(adapter);
    const rows = new Map<number, number>();
    tape.list(() => {
      const vad = readVad(tape);
      const row = space.#rows.add(vad, vad.isCommitted);
      rows.set(vad.number, row);
      if (!vad.isCommitted) space.#uncommitted.set(vad.number, row);
    });
    for (const [start, end, number] of tape.list(() => [tape.number(), tape.number(), tape.number()] as const)) {
      const row = rows.get(number);
      if (row === undefined) throw new RangeError(`Cannot find VAD ${number}: the space has none of that number`);
      space.#obtain({ start, end }, row);
    }
    space.#operations = PagingOperations.read(tape);
    space.#mapped = MappedSpans.read(tape);
    for (const gpu of space.#gpus.keys()) space.#gpus[gpu] = PageTables.read(tape);
    tape.end();
    return space;
  }

  /** Throws where the parts do not fit each other; takes O(n log n), for tests. */
  checkInvariants(): void {
    this.#checkFresh();
    this.#settle();
    this.#vads.checkInvariants();
    this.#operations.checkInvariants();
    this.#checkVads();
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
      this.#rows.number(row) !== source.vad ? [] : [...tiles(piece, tables.committedIn(piece))].map((tile) => ({
        start: tile.start + shift,
        end: tile.end + shift,
        value: moved(tile.value ?? baseEntry(this.#rows.at(row)), shift),
      }));
    const copied = tables.cancel({ start, end }, number)
      .flatMap((piece) => this.#entriesOf({ start: piece.start - shift, end: piece.end - shift }, read));
    for (const { start, end, value } of copied) {
      tables.commit({ start, end }, value);
      if (value.allocation > 0) this.#mapped.add({ start, end }, value);
    }
  }

  /** What `read` finds in each obtained piece of the span. */
  #entriesOf(
    span: PageSpan,
    read: (row: number, piece: PageSpan) => readonly Range<PageEntry>[],
  ): Range<PageEntry>[] {
    return [...tiles(span, this.#vads.overlapping(span.start, span.end))].flatMap(({ start, end, value }) =>
      value === undefined ? [] : read(value, { start, end })
    );
  }

  #checkVads(): void {
    const counts = new Map<number, number>();
    for (const { start, end, value: row } of this.#vads) {
      const number = this.#rows.number(row);
      counts.set(number, (counts.get(number) ?? 0) + end - start);
      const isListed = this.#uncommitted.get(number) === row;
      ensure(isListed !== this.#rows.isCommitted(row), `VAD ${number} is listed as one that waits, or should be`);
      ensure(end <= this.pageLimit, `VAD ${number} ends at page ${end}, the space at ${this.pageLimit}`);
      ensure(this.#unmappedIn({ start, end }).length === 0, `mapped VAD ${number} has pages without an entry`);
    }
    for (const { number, pageCount } of this.vads()) {
      ensure(pageCount > 0 && counts.get(number) === pageCount, `VAD ${number} does not have its ${pageCount} pages`);
    }
  }

  #commit(number: number): void {
    const row = this.#uncommitted.get(number);
    if (row !== undefined) this.#rows.commit(row);
    this.#uncommitted.delete(number);
  }

  #checkFresh(): void {
    const fresh = this.#rows.allFresh();
    ensure(fresh.length === this.#rows.freshCount, `${fresh.length} VADs are fresh, ${this.#rows.freshCount} counted`);
    for (const row of fresh) {
      const { start, end } = this.#rows.fresh(row);
      const fits = this.#vads.find(start) && this.#vads.foundValue === row && this.#vads.foundEnd === end;
      ensure(fits, `VAD ${this.#rows.number(row)} is fresh, and has other pages`);
    }
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

  #addVad(facts: VadFacts, when: When): number {
    const made = this.#rows.add(facts, when === null);
    if (when !== null) this.#uncommitted.set(facts.number, made);
    return made;
  }

  /** Nothing is left of a range; returns its number. */
  #dropVad(row: number): number {
    const number = this.#rows.number(row);
    if (!this.#rows.isCommitted(row)) this.#uncommitted.delete(number);
    this.#rows.drop(row);
    return number;
  }

  /** Frees a span that is all of a range with a fresh mapping, whose number goes to those that ended; else false. */
  #freeFresh({ start, end }: PageSpan, ended: number[]): boolean {
    const vads = this.#vads;
    if (this.#rows.freshCount === 0 || !vads.find(start) || vads.foundStart !== start || vads.foundEnd !== end) {
      return false;
    }
    const row = vads.foundValue;
    if (!this.#rows.isFresh(row)) return false;
    vads.removeFound();
    this.#rows.endFresh(row);
    ended.push(this.#dropVad(row));
    return true;
  }

  /** Makes the free pages of the span a mapped range; whether all of them were free, so that none has an entry. */
  #obtainRest(span: PageSpan, { number, isFree }: { readonly number: number; readonly isFree: boolean }): boolean {
    const made = this.#addVad(mappedVad(number), null);
    const obtained = isFree ? [] : this.#vads.overlapping(span.start, span.end);
    if (obtained.length === 0) this.#obtain(span, made);
    else for (const tile of [...tiles(span, obtained)]) if (tile.value === undefined) this.#obtain(tile, made);
    return obtained.length === 0;
  }

  #obtain({ start, end }: PageSpan, row: number): void {
    this.#vads.insert({ start, end, value: row });
    this.#rows.addPages(row, end - start);
  }

  /** Lets the fresh mappings in a span, or all there are, settle. */
  #settle(span?: PageSpan): void {
    if (this.#rows.freshCount === 0) return;
    if (span === undefined) { for (const row of this.#rows.allFresh()) this.#settleRow(row); }
    else for (const { value } of this.#vads.overlapping(span.start, span.end)) this.#settleRow(value);
  }

  /** Brings a range's fresh mapping, if it has one, into page tables and index. */
  #settleRow(row: number): void {
    if (!this.#rows.isFresh(row)) return;
    const fresh = this.#rows.fresh(row);
    this.#rows.endFresh(row);
    this.#tablesOf(fresh.gpu).commitFresh(fresh, fresh.entry);
    if (fresh.entry.allocation > 0) this.#mapped.add(fresh, fresh.entry);
  }

  #byStart(one: number, other: number): number {
    return this.#rows.freshStart(one) - this.#rows.freshStart(other);
  }

  /** Pages of mapped ranges that have no entry, committed or pending, on any GPU. */
  #unmappedIn(span: PageSpan): PageSpan[] {
    const unmapped: PageSpan[] = [];
    for (const piece of tiles(span, this.#vads.overlapping(span.start, span.end))) {
      if (piece.value === undefined || !this.#rows.isMapped(piece.value)) continue;
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
