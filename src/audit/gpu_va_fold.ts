// What a trace says of one GPU address space (a process on an adapter): the obtained ranges, below them what pages point
// to on each physical GPU, and how pages that are free now were released. Units are pages of 4096 bytes.
// It must not know calls or rules, and it takes what it is told: whether that was legal is judged elsewhere.

import { type Range, RangeMap } from "../range/mod.ts";
import type { Evidence } from "./finding.ts";
import { clip, gaps, type PageMapping, type PageSpan, PageTable, type PagingPoint } from "./gpu_page_table.ts";

export type { PageMapping, PageSpan, PagingPoint } from "./gpu_page_table.ts";

/** Releases that a space remembers; the oldest goes first, and a free of its pages then counts as unmatched. */
export const RELEASES_KEPT = 65536;
/** Maps of one queue that are not known to be done; beyond that the oldest counts as done. */
export const QUEUED_KEPT = 65536;

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

/** A mapping of an allocation, and the physical GPU whose page tables hold it. */
export type PlacedMapping = Range<PageMapping> & { readonly gpu: number };

/** A map that is not known to be done. */
interface QueuedMap extends PageSpan {
  readonly gpu: number;
  readonly mapping: PageMapping;
}

/** One address space, as the trace tells it. */
export class GpuVaSpace {
  readonly #ranges = new RangeMap<ObtainedRange>();
  readonly #byNumber = new Map<number, ObtainedRange>();
  readonly #gpus = new Map<number, PageTable>();
  /** By queue, in order of issue. */
  readonly #queued = new Map<number, QueuedMap[]>();
  readonly #released = new RangeMap<Release>();
  /** The newest releases, a ring: the oldest makes room. */
  readonly #releases: Range<Release>[] = [];
  readonly #releasesKept: number;
  #oldestRelease = 0;

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

  /** Whether any page of the span is obtained. */
  isAnyObtained({ start, end }: PageSpan): boolean {
    return this.#ranges.overlaps(start, end);
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

  /** What a page points to on one GPU. */
  mappingAt(page: number, gpu: number): PageMapping | undefined {
    return this.#gpus.get(gpu)?.at(page);
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
    const auto = free.flatMap(({ start, end }) => this.#released.carve(start, end))
      .find(({ value }) => value.reason === "auto")?.value;
    const recycled = auto === undefined ? null : { released: auto.released, allocation: auto.allocation };
    const pageCount = free.reduce((sum, { start, end }) => sum + end - start, 0);
    const made: ObtainedRange = { ...range, recycled, pageCount };
    for (const { start, end } of free) this.#ranges.insert({ start, end, value: made });
    this.#byNumber.set(made.number, made);
    return made;
  }

  /** Points pages of one GPU somewhere: at once where the mapping's fence is 0, else when its queue gets there. */
  map(span: PageSpan, { gpu, mapping }: { readonly gpu: number; readonly mapping: PageMapping }): void {
    const table = this.#gpus.get(gpu) ?? new PageTable();
    this.#gpus.set(gpu, table);
    const { queue, fence } = mapping.paging;
    table.set(span, mapping, { isDone: fence === 0n });
    if (fence === 0n) return;
    const queued = this.#queued.get(queue) ?? [];
    this.#queued.set(queue, queued);
    queued.push({ start: span.start, end: span.end, gpu, mapping });
    const oldest = queued.length > QUEUED_KEPT ? queued.shift() : undefined;
    if (oldest !== undefined) this.#finish(oldest);
  }

  /** A queue is at a fence value: its maps up to there are done, in order. */
  complete({ queue, fence }: PagingPoint): void {
    const queued = this.#queued.get(queue);
    if (queued === undefined) return;
    const later = queued.findIndex(({ mapping }) => mapping.paging.fence > fence);
    for (const each of queued.splice(0, later < 0 ? queued.length : later)) this.#finish(each);
    if (queued.length === 0) this.#queued.delete(queue);
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
    const touched = [...this.#gpus.values()].flatMap((table) => table.release(allocation));
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

  #finish({ start, end, gpu, mapping }: QueuedMap): void {
    this.#gpus.get(gpu)?.finish({ start, end }, mapping);
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
    const made = { start, end, value: release };
    this.#released.insert(made);
    if (this.#releases.length < this.#releasesKept) {
      this.#releases.push(made);
      return;
    }
    const oldest = this.#releases[this.#oldestRelease] ?? made;
    this.#releases[this.#oldestRelease] = made;
    this.#oldestRelease = (this.#oldestRelease + 1) % this.#releasesKept;
    for (const piece of this.#released.overlapping(oldest.start, oldest.end)) {
      if (piece.value === oldest.value) this.#released.remove(piece.start);
    }
  }

  /** Pages of the span that Map obtained and that no GPU has mapped. */
  #unmappedIn(span: PageSpan): readonly PageSpan[] {
    const used = [...this.#gpus.values()].flatMap((table) => table.in(span));
    const ranges = this.#ranges.overlapping(span.start, span.end).filter(({ value }) => value.kind === "mapped");
    return clip(span, ranges).flatMap((piece) => gaps(piece, used));
  }
}
