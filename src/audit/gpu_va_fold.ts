// What a trace says of one GPU address space (a process on an adapter): the obtained ranges, below them what pages point
// to on each physical GPU, and how pages that are free now were released. Units are pages of 4096 bytes.
// It must not know calls or rules, and it takes what it is told: whether that was legal is judged elsewhere.

import { type Range, RangeMap } from "../range/mod.ts";
import type { Evidence } from "./finding.ts";

/** Releases that a space remembers; the oldest goes first, and a free of its pages then counts as unmatched. */
export const RELEASES_KEPT = 65536;

/** A half-open range of page numbers. */
export interface PageSpan {
  readonly start: number;
  readonly end: number;
}

/** The operation of a paging queue that makes a change usable; fence 0: it is usable at once. */
export interface PagingPoint {
  /** The queue's number, 0: none. */
  readonly queue: number;
  readonly fence: bigint;
}

/** A range that Map or Reserve obtained, less what was released since: it may lie in several pieces. */
export interface ObtainedRange {
  readonly number: number;
  readonly kind: "reserved" | "mapped";
  readonly obtained: Evidence;
  readonly paging: PagingPoint;
  /** Its pages had been released by an allocation's end, and by nothing since. */
  readonly recycled: AutoRelease | null;
  /** Pages not released yet. */
  pageCount: number;
}

/** An allocation's end that took a range along. */
export interface AutoRelease {
  readonly released: Evidence;
  /** The allocation's number. */
  readonly allocation: number;
}

/** How pages became free. Flat, so that no history hangs on it. */
export interface Release {
  readonly reason: "freed" | "auto";
  readonly released: Evidence;
  /** The allocation that ended, 0 where a free did it. */
  readonly allocation: number;
  /** The range they belonged to, and who had obtained it. */
  readonly range: number;
  readonly obtained: Evidence;
  readonly recycled: AutoRelease | null;
}

/** What pages point to. */
export interface PageMapping {
  /** The allocation's number, 0 for Zero and NoAccess. */
  readonly allocation: number;
  /** The virtual page at which page 0 of the allocation would lie; may be negative. */
  readonly origin: number;
  readonly driverProtection: bigint;
  readonly paging: PagingPoint;
  readonly mapped: Evidence;
}

/** A page table: mappings, and where each allocation is mapped, exactly. */
class PageTable {
  readonly #mappings = new RangeMap<PageMapping>();
  readonly #starts = new Map<number, Set<number>>();

  set({ start, end }: PageSpan, mapping: PageMapping): void {
    this.clear({ start, end });
    this.#mappings.insert({ start, end, value: mapping });
    this.#note(mapping.allocation, start);
  }

  clear({ start, end }: PageSpan): void {
    for (const { start: first, end: last, value } of this.#mappings.overlapping(start, end)) {
      if (last > end) this.#note(value.allocation, end);
      if (first >= start) this.#forget(value.allocation, first);
    }
    this.#mappings.carve(start, end);
  }

  at(page: number): PageMapping | undefined {
    return this.#mappings.at(page)?.value;
  }

  in(span: PageSpan): readonly Range<PageMapping>[] {
    return clip(span, this.#mappings.overlapping(span.start, span.end));
  }

  *of(allocation: number): IterableIterator<Range<PageMapping>> {
    for (const start of this.#starts.get(allocation) ?? []) {
      const piece = this.#mappings.at(start);
      if (piece !== undefined) yield piece;
    }
  }

  #note(allocation: number, start: number): void {
    if (allocation === 0) return;
    const starts = this.#starts.get(allocation) ?? new Set<number>();
    this.#starts.set(allocation, starts.add(start));
  }

  #forget(allocation: number, start: number): void {
    const starts = this.#starts.get(allocation);
    starts?.delete(start);
    if (starts?.size === 0) this.#starts.delete(allocation);
  }
}

/** A mapping of an allocation, and the physical GPU whose page tables hold it. */
export type PlacedMapping = Range<PageMapping> & { readonly gpu: number };

/** One address space, as the trace tells it. */
export class GpuVaSpace {
  readonly #ranges = new RangeMap<ObtainedRange>();
  readonly #byNumber = new Map<number, ObtainedRange>();
  readonly #gpus = new Map<number, PageTable>();
  readonly #released = new RangeMap<Release>();
  readonly #releases = new Map<Release, PageSpan>();
  readonly #releasesKept: number;

  constructor(releasesKept: number = RELEASES_KEPT) {
    this.#releasesKept = releasesKept;
  }

  /** Obtained ranges of which something is left, oldest first. */
  ranges(): IterableIterator<ObtainedRange> {
    return this.#byNumber.values();
  }

  /** The pieces of obtained ranges that touch the span, whole, ascending. */
  rangesIn({ start, end }: PageSpan): readonly Range<ObtainedRange>[] {
    return this.#ranges.overlapping(start, end);
  }

  /** All pieces of obtained ranges, ascending. */
  pieces(): Iterable<Range<ObtainedRange>> {
    return this.#ranges;
  }

  /** Whether every page of the span is obtained. */
  isObtained({ start, end }: PageSpan): boolean {
    return this.#ranges.covered(start, end);
  }

  /** Mappings of one GPU in the span, clipped, ascending. */
  mappingsIn(span: PageSpan, gpu: number): readonly Range<PageMapping>[] {
    return this.#gpus.get(gpu)?.in(span) ?? [];
  }

  /** Pages of the span at which an allocation is mapped, on any GPU. */
  mappedPages(span: PageSpan): number {
    const mapped = [...this.#gpus.values()].flatMap((table) => table.in(span)).filter(({ value }) =>
      value.allocation > 0
    );
    return gaps(span, mapped).reduce((sum, { start, end }) => sum - (end - start), span.end - span.start);
  }

  /** What a page points to, on every GPU that has it mapped. */
  mappingsAt(page: number): readonly PageMapping[] {
    return [...this.#gpus.values()].flatMap((table) => table.at(page) ?? []);
  }

  /** The obtained range of a page. */
  rangeAt(page: number): ObtainedRange | undefined {
    return this.#ranges.at(page)?.value;
  }

  /** Pages of the span at which something begins or ends. */
  edgesIn(span: PageSpan): readonly number[] {
    const pieces = [...this.#gpus.values()].flatMap((table) => table.in(span))
      .map(({ start, end }) => ({ start, end }))
      .concat(clip(span, this.#ranges.overlapping(span.start, span.end)));
    const edges = new Set([span.start, ...pieces.flatMap(({ start, end }) => [start, end])]);
    return [...edges].filter((edge) => edge < span.end).sort((left, right) => left - right);
  }

  /** Where an allocation is mapped, on all GPUs. Not to be changed meanwhile. */
  *mappingsOf(allocation: number): IterableIterator<PlacedMapping> {
    for (const [gpu, table] of this.#gpus) for (const piece of table.of(allocation)) yield { ...piece, gpu };
  }

  /** How the free pages of the span were released, the newest release of each page. */
  releasesIn({ start, end }: PageSpan): readonly Release[] {
    return this.#released.overlapping(start, end).map(({ value }) => value);
  }

  /** Obtains the pages of the span that are free; null where none is. */
  obtain(span: PageSpan, range: Omit<ObtainedRange, "pageCount" | "recycled">): ObtainedRange | null {
    const free = gaps(span, this.#ranges.overlapping(span.start, span.end));
    if (free.length === 0) return null;
    const auto = free.flatMap((gap) => this.releasesIn(gap)).find(({ reason }) => reason === "auto");
    const recycled = auto === undefined ? null : { released: auto.released, allocation: auto.allocation };
    const pageCount = free.reduce((sum, { start, end }) => sum + end - start, 0);
    const made: ObtainedRange = { ...range, recycled, pageCount };
    for (const { start, end } of free) {
      this.#released.carve(start, end);
      this.#ranges.insert({ start, end, value: made });
    }
    this.#byNumber.set(made.number, made);
    return made;
  }

  /** Points pages of one GPU somewhere; what they pointed to before is replaced. */
  map(span: PageSpan, { gpu, mapping }: { readonly gpu: number; readonly mapping: PageMapping }): void {
    const table = this.#gpus.get(gpu) ?? new PageTable();
    this.#gpus.set(gpu, table);
    table.set(span, mapping);
  }

  /** Releases whatever the span holds, on all GPUs; returns the ranges of which nothing is left. */
  free(span: PageSpan, released: Evidence): readonly ObtainedRange[] {
    return this.#release(span, { reason: "freed", released, allocation: 0 });
  }

  /**
   * Takes an allocation out of all page tables. Pages of a reservation fall back to it; pages that Map obtained are
   * released where no GPU has anything else there (gpuva.md 4.5). Returns the ranges of which nothing is left.
   */
  releaseAllocation(allocation: number, released: Evidence): readonly ObtainedRange[] {
    const touched = [...this.mappingsOf(allocation)];
    for (const span of touched) this.#gpus.get(span.gpu)?.clear(span);
    return touched.flatMap((span) =>
      this.#unmappedIn(span).flatMap((part) => this.#release(part, { reason: "auto", released, allocation }))
    );
  }

  /** Throws where the parts do not fit each other; for tests. */
  checkInvariants(): void {
    const counts = new Map<ObtainedRange, number>();
    for (const { start, end, value } of this.#ranges) counts.set(value, (counts.get(value) ?? 0) + end - start);
    for (const [range, pages] of counts) {
      if (range.pageCount !== pages) {
        throw new Error(`range ${range.number} has ${pages} pages, says ${range.pageCount}`);
      }
    }
    if (counts.size !== this.#byNumber.size) throw new Error(`${counts.size} ranges, ${this.#byNumber.size} numbers`);
    for (const { start, end } of this.#released) {
      if (this.#ranges.overlaps(start, end)) throw new Error(`pages [${start}, ${end}) are both released and obtained`);
    }
  }

  #release(
    { start, end }: PageSpan,
    how: Pick<Release, "reason" | "released" | "allocation">,
  ): readonly ObtainedRange[] {
    for (const table of this.#gpus.values()) table.clear({ start, end });
    const ended: ObtainedRange[] = [];
    for (const piece of this.#ranges.carve(start, end)) {
      const { value: range } = piece;
      const { number, obtained, recycled } = range;
      this.#remember(piece, { ...how, range: number, obtained, recycled });
      range.pageCount -= piece.end - piece.start;
      if (range.pageCount > 0) continue;
      this.#byNumber.delete(number);
      ended.push(range);
    }
    return ended;
  }

  #remember({ start, end }: PageSpan, release: Release): void {
    this.#released.insert({ start, end, value: release });
    this.#releases.set(release, { start, end });
    if (this.#releases.size <= this.#releasesKept) return;
    const [oldest] = this.#releases;
    if (oldest === undefined) return;
    const [forgotten, span] = oldest;
    this.#releases.delete(forgotten);
    for (const piece of this.#released.overlapping(span.start, span.end)) {
      if (piece.value === forgotten) this.#released.remove(piece.start);
    }
  }

  /** Pages of the span that Map obtained and that no GPU has mapped. */
  #unmappedIn(span: PageSpan): readonly PageSpan[] {
    const used = [...this.#gpus.values()].flatMap((table) => table.in(span));
    const ranges = this.#ranges.overlapping(span.start, span.end).filter(({ value }) => value.kind === "mapped");
    return clip(span, ranges).flatMap((piece) => gaps(piece, used));
  }
}

function clip<V>(span: PageSpan, ranges: readonly Range<V>[]): readonly Range<V>[] {
  return ranges.map(({ start, end, value }) => ({
    start: Math.max(start, span.start),
    end: Math.min(end, span.end),
    value,
  }));
}

/** The parts of the span that no piece touches; pieces may overlap, in any order. */
function gaps(span: PageSpan, pieces: readonly PageSpan[]): readonly PageSpan[] {
  const free: PageSpan[] = [];
  let from = span.start;
  for (const { start, end } of [...pieces].sort((left, right) => left.start - right.start)) {
    if (start >= span.end) break;
    if (from < start) free.push({ start: from, end: start });
    from = Math.max(from, end);
  }
  if (from < span.end) free.push({ start: from, end: span.end });
  return free;
}
