// A process's GPU address space on one adapter, in two levels as the memory manager keeps it (gpuva.md 1.6): the obtained
// ranges (VADs), common to all physical GPUs, and below them page tables for each. Units are pages of 4096 bytes.
// It knows objects by their numbers only; which calls are legal is not decided here.

import { type Range, RangeMap } from "../range/mod.ts";
import { breaksUnique, MappedSpans, type MappingCandidate } from "./mapped_spans.ts";
import { TapeReader, type TapeValue } from "./number_tape.ts";
import { type PageEntry, type PageSpan, PageTables, tiles } from "./page_tables.ts";
import { PagingOperations, type QueuePosition } from "./paging_operations.ts";

export { UNIQUE_DRIVER_PROTECTION } from "./mapped_spans.ts";
export type { MappingCandidate } from "./mapped_spans.ts";
export type { PageEntry, PageSpan } from "./page_tables.ts";
export type { QueuePosition } from "./paging_operations.ts";
export type { TapeValue } from "./number_tape.ts";

/** The lowest page that placement gives out: the first 64 KB stay free, so that 0 is never an address. */
export const FIRST_PLACED_PAGE = 16;

/** An obtained range: what a Reserve or a Map gave, less what was freed since; it may lie in several pieces. */
export interface Vad {
  /** Its object's number. */
  readonly number: number;
  readonly kind: "reserved" | "mapped";
  /** What pages of a reservation are where nothing is mapped; a mapped range's are invalid there. */
  readonly baseState: "invalid" | "zero";
  readonly driverProtection: bigint;
  /** The reservation's operation ran; before, its pages are invalid. */
  isCommitted: boolean;
  /** Pages that are not freed yet. */
  pageCount: number;
}

/** The queued operation that a change waits for; null: the change is made at once. */
export type When = QueuePosition | null;

/** A range to set aside. */
export interface Reservation extends PageSpan {
  readonly vad: number;
  readonly baseState: "invalid" | "zero";
  readonly driverProtection: bigint;
}

/** A range to point somewhere, in the page tables of one GPU. */
export interface Mapping extends PageSpan {
  readonly gpu: number;
  readonly entry: PageEntry;
  /** The VAD that gets the pages that are free; 0 where there are none. */
  readonly vad: number;
  /** All pages are known to be free: `place` gave them. */
  readonly isFree?: boolean;
}

/** A process's address space on an adapter. */
export class AddressSpace {
  /** Adapter handles' object numbers through which this space was opened. */
  readonly adapters = new Set<number>();
  readonly vaBits: number;
  readonly #gpus: PageTables[];
  readonly #vads = new RangeMap<Vad>();
  readonly #byNumber = new Map<number, Vad>();
  #operations = new PagingOperations();
  #mapped = new MappedSpans();

  /** `RangeError` outside of 1 to 64 GPUs and 32 to 48 bits. */
  constructor({ physicalAdapters, vaBits }: { readonly physicalAdapters: number; readonly vaBits: number }) {
    requireWithin("physical-adapters", physicalAdapters, { low: 1, high: 64 });
    requireWithin("va-bits", vaBits, { low: 32, high: 48 });
    this.vaBits = vaBits;
    this.#gpus = Array.from({ length: physicalAdapters }, () => new PageTables());
  }

  /** Physical GPUs, each with page tables of its own. */
  get physicalAdapters(): number {
    return this.#gpus.length;
  }

  /** The number of pages: the end of the highest page that can be obtained. */
  get pageLimit(): number {
    return 2 ** (this.vaBits - 12);
  }

  /** The lowest free place in [start, end), or undefined; neither the first 64 KB nor what is beyond the limit is one. */
  place(pageCount: number, { start, end }: PageSpan, { alignment = 1 }: { readonly alignment?: number } = {}):
    | number
    | undefined {
    const from = Math.max(start, FIRST_PLACED_PAGE);
    const to = Math.min(end, this.pageLimit);
    return from >= to ? undefined : this.#vads.firstGap({ size: pageCount, from, to, alignment });
  }

  /** The pieces of obtained ranges that touch the span, whole. */
  vadsIn({ start, end }: PageSpan): readonly Readonly<Range<Readonly<Vad>>>[] {
    return this.#vads.overlapping(start, end);
  }

  /** Whether every page of the span is obtained. */
  isObtained({ start, end }: PageSpan): boolean {
    return this.#vads.covered(start, end);
  }

  /** Every obtained range, in order of their numbers. */
  vads(): readonly Readonly<Vad>[] {
    return [...this.#byNumber.values()];
  }

  /** Sets free pages aside, on all physical GPUs. */
  reserve({ start, end, vad, baseState, driverProtection }: Reservation, when: When): void {
    this.#obtain({ start, end }, this.#addVad({ number: vad, kind: "reserved", baseState, driverProtection }, when));
    if (when !== null) this.#operations.add({ start, end, gpu: -1, vad }, when);
  }

  /** Points pages of one GPU to an entry; pages that are free become a mapped range, which `vad` must then number. */
  map({ start, end, gpu, entry, vad, isFree = false }: Mapping, when: When): void {
    const isFresh = vad > 0 && this.#obtainRest({ start, end }, { number: vad, isFree });
    const tables = this.#tablesOf(gpu);
    if (when !== null) {
      tables.queue({ start, end }, { operation: this.#operations.add({ start, end, gpu, vad: 0 }, when), entry });
    } else if (isFresh) tables.commitFresh({ start, end }, entry);
    else tables.commit({ start, end }, entry);
    if (entry.allocation > 0) this.#mapped.add({ start, end }, entry);
  }

  /** Runs a queue's operations up to a fence value, in order; those of freed pages do nothing. */
  complete(position: QueuePosition): void {
    for (const operation of this.#operations.take(position)) {
      const vad = this.#byNumber.get(operation.vad);
      if (operation.gpu >= 0) this.#tablesOf(operation.gpu).complete(operation, operation.number);
      else if (vad !== undefined) vad.isCommitted = true;
    }
  }

  /** Frees obtained pages, and what is queued for them; returns the numbers of the VADs of which nothing is left. */
  free(span: PageSpan): number[] {
    for (const tables of this.#gpus) this.#mapped.free(span, tables.release(span));
    return this.#giveBack(span);
  }

  /**
   * Takes an allocation out of all page tables, pending entries too. Pages of a reservation fall back to its own state;
   * pages of a mapped range are freed where nothing else is or will be mapped (gpuva.md 4.5).
   * Returns the numbers of the VADs of which nothing is left.
   */
  releaseAllocation(allocation: number): number[] {
    const spans = this.#mapped.take(allocation);
    const touched = this.#gpus.flatMap((tables) => spans.flatMap((span) => tables.releaseAllocation(span, allocation)));
    return touched.flatMap((span) => this.#unmappedIn(span)).flatMap((unmapped) => this.free(unmapped));
  }

  /** Whether a mapping breaks the rule of unique driver protection, once all that is queued has run. */
  conflicts(candidate: MappingCandidate): boolean {
    if (!this.#mapped.mayConflict(candidate)) return false;
    const spans = this.#mapped.spansOf(candidate.allocation);
    const others = this.#gpus.flatMap((tables, gpu) =>
      spans.flatMap((span) => tables.newestIn(span)).map(({ start, end, value }) => ({ ...value, start, end, gpu }))
    );
    return breaksUnique(candidate, others);
  }

  /** What a GPU sees: the span in order; the value is undefined where pages are free. */
  *walk(gpu: number, span: PageSpan): IterableIterator<PageSpan & { readonly value: PageEntry | undefined }> {
    for (const piece of tiles(span, this.#vads.overlapping(span.start, span.end))) {
      if (piece.value === undefined) yield { start: piece.start, end: piece.end, value: undefined };
      else {
        const base = baseEntry(piece.value);
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
    tape.push(this.#byNumber.size);
    for (const { number, kind, baseState, driverProtection, isCommitted } of this.#byNumber.values()) {
      tape.push(number, Number(kind === "mapped"), Number(baseState === "zero"), driverProtection, Number(isCommitted));
    }
    tape.push(this.#vads.size);
    for (const { start, end, value } of this.#vads) tape.push(start, end, value.number);
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
    for (const vad of tape.list(() => readVad(tape))) space.#byNumber.set(vad.number, vad);
    for (const [start, end, number] of tape.list(() => [tape.number(), tape.number(), tape.number()] as const)) {
      space.#obtain({ start, end }, space.#vadOf(number));
    }
    space.#operations = PagingOperations.read(tape);
    space.#mapped = MappedSpans.read(tape);
    for (const gpu of space.#gpus.keys()) space.#gpus[gpu] = PageTables.read(tape);
    tape.end();
    return space;
  }

  /** Throws where the parts do not fit each other; takes O(n log n), for tests. */
  checkInvariants(): void {
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

  #checkVads(): void {
    const counts = new Map<number, number>();
    for (const { start, end, value } of this.#vads) {
      counts.set(value.number, (counts.get(value.number) ?? 0) + end - start);
      ensure(this.#byNumber.get(value.number) === value, `VAD ${value.number} is not known by its number`);
      ensure(end <= this.pageLimit, `VAD ${value.number} ends at page ${end}, the space at ${this.pageLimit}`);
      ensure(this.#unmappedIn({ start, end }).length === 0, `mapped VAD ${value.number} has pages without an entry`);
    }
    for (const { number, pageCount } of this.#byNumber.values()) {
      ensure(pageCount > 0 && counts.get(number) === pageCount, `VAD ${number} does not have its ${pageCount} pages`);
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

  #vadOf(number: number): Vad {
    const vad = this.#byNumber.get(number);
    if (vad === undefined) throw new RangeError(`Cannot find VAD ${number}: the space has none of that number`);
    return vad;
  }

  #addVad(vad: Omit<Vad, "isCommitted" | "pageCount">, when: When): Vad {
    const { number, kind, baseState, driverProtection } = vad;
    const made: Vad = { number, kind, baseState, driverProtection, isCommitted: when === null, pageCount: 0 };
    this.#byNumber.set(made.number, made);
    return made;
  }

  /** Makes the free pages of the span a mapped range; whether all of them were free, so that none has an entry. */
  #obtainRest(span: PageSpan, { number, isFree }: { readonly number: number; readonly isFree: boolean }): boolean {
    const made = this.#addVad({ number, kind: "mapped", baseState: "invalid", driverProtection: 0n }, null);
    const obtained = isFree ? [] : this.#vads.overlapping(span.start, span.end);
    if (obtained.length === 0) this.#obtain(span, made);
    else for (const tile of [...tiles(span, obtained)]) if (tile.value === undefined) this.#obtain(tile, made);
    return obtained.length === 0;
  }

  #obtain({ start, end }: PageSpan, vad: Vad): void {
    this.#vads.insert({ start, end, value: vad });
    vad.pageCount += end - start;
  }

  #giveBack({ start, end }: PageSpan): number[] {
    const ended: number[] = [];
    for (const piece of this.#vads.carve(start, end)) {
      piece.value.pageCount -= piece.end - piece.start;
      if (piece.value.pageCount > 0) continue;
      this.#byNumber.delete(piece.value.number);
      ended.push(piece.value.number);
    }
    return ended;
  }

  /** Pages of mapped ranges that have no entry, committed or pending, on any GPU. */
  #unmappedIn(span: PageSpan): PageSpan[] {
    const unmapped: PageSpan[] = [];
    for (const piece of tiles(span, this.#vads.overlapping(span.start, span.end))) {
      if (piece.value?.kind !== "mapped") continue;
      const used = new RangeMap<true>();
      for (const { start, end } of this.#gpus.flatMap((tables) => tables.entriesIn(piece))) {
        used.carve(start, end);
        used.insert({ start, end, value: true });
      }
      for (const { start, end, value } of tiles(piece, used.toArray())) {
        if (value === undefined) unmapped.push({ start, end });
      }
    }
    return unmapped;
  }
}

function baseEntry({ baseState, driverProtection, isCommitted }: Vad): PageEntry {
  return { state: isCommitted ? baseState : "invalid", allocation: 0, origin: 0, protection: 0, driverProtection };
}

function readVad(tape: TapeReader): Vad {
  return {
    number: tape.number(),
    kind: tape.number() === 1 ? "mapped" : "reserved",
    baseState: tape.number() === 1 ? "zero" : "invalid",
    driverProtection: tape.bigint(),
    isCommitted: tape.number() === 1,
    pageCount: 0,
  };
}

function requireWithin(
  name: string,
  value: number,
  { low, high }: { readonly low: number; readonly high: number },
): void {
  if (Number.isSafeInteger(value) && low <= value && value <= high) return;
  throw new RangeError(`Cannot make an address space with ${name}=${value}: it must be ${low} to ${high}`);
}

function pages({ start, end }: PageSpan): string {
  return `pages [${start}, ${end})`;
}

function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Address space is broken: ${message}`);
}
