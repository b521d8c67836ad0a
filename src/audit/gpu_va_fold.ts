// What a trace says of one GPU address space (a process on an adapter): the obtained ranges, below them what pages point
// to on each physical GPU, and how pages that are free now were released. Units are pages of 4096 bytes.
// It must not know calls or rules, and it takes what it is told: whether that was legal is judged elsewhere.

import { type Range, RangeMap } from "../range/mod.ts";
import type { Evidence } from "./finding.ts";
import { clip, gaps, type PageMapping, type PageSpan, PageTable, type PagingPoint } from "./gpu_page_table.ts";
import { type AutoRelease, type Release, Releases } from "./gpu_releases.ts";
import { NumberMap } from "./number_map.ts";
import { Queue } from "./queue.ts";

export type { PageMapping, PageSpan, PagingPoint } from "./gpu_page_table.ts";
export type { AutoRelease, Release } from "./gpu_releases.ts";

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
  /**
   * What all its pages point to, where one map of the whole, right after they were obtained, is all that ever happened to
   * them, and it lies in one piece: most ranges. Such a mapping stands in no page table.
   */
  own: OwnMapping | null;
}

/** The mapping of a whole range. */
export interface OwnMapping {
  readonly gpu: number;
  readonly mapping: PageMapping;
  isDone: boolean;
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
  readonly #byNumber = new NumberMap<ObtainedRange>();
  readonly #gpus = new Map<number, PageTable>();
  /** By queue, in order of issue. */
  readonly #queued = new Map<number, Queue<QueuedMap>>();
  readonly #releases: Releases;
  /** Ranges with a mapping of their own, by first page. */
  readonly #own = new NumberMap<ObtainedRange>();
  /** The range that was obtained last, in one piece, and nothing happened since. */
  #fresh: ObtainedRange | null = null;
  #freshSpan: PageSpan = { start: 0, end: 0 };

  constructor(releasesKept: number = RELEASES_KEPT) {
    this.#releases = new Releases(releasesKept);
  }

  /** Obtained ranges of which something is left, oldest first. */
  ranges(): readonly ObtainedRange[] {
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

  /** Whether the span is a range with a mapping of its own, whole. */
  isWhole({ start, end }: PageSpan): boolean {
    return this.#own.get(start)?.pageCount === end - start;
  }

  /** Mappings of one GPU in the span, clipped, ascending. */
  mappingsIn(span: PageSpan, gpu: number): readonly Range<PageMapping>[] {
    const own = this.#ownIn(span).flatMap(({ start, end, value }) =>
      value.gpu === gpu ? [{ start, end, value: value.mapping }] : []
    );
    const others = this.#gpus.get(gpu)?.in(span) ?? [];
    return own.length === 0 ? others : [...own, ...others].sort((left, right) => left.start - right.start);
  }

  /** Pages of the span at which an allocation is mapped, on any GPU. */
  mappedPages(span: PageSpan): number {
    const own = this.#ownIn(span).map(({ start, end, value }) => ({ start, end, value: value.mapping }));
    const mapped = [...own, ...this.#tablesIn(span)].filter(({ value }) => value.allocation > 0);
    return gaps(span, mapped).reduce((sum, { start, end }) => sum - (end - start), span.end - span.start);
  }

  /** What a page points to on one GPU. */
  mappingAt(page: number, gpu: number): PageMapping | undefined {
    const own = this.rangeAt(page)?.own ?? null;
    if (own !== null) return own.gpu === gpu ? own.mapping : undefined;
    return this.#gpus.get(gpu)?.at(page);
  }

  /** What a page was pointed at last, on one GPU: an update may be done before a map that was queued before it. */
  usedAt(page: number, gpu: number): PageMapping | undefined {
    return this.rangeAt(page)?.own == null ? this.#gpus.get(gpu)?.usedAt(page) : this.mappingAt(page, gpu);
  }

  /** The obtained range of a page. */
  rangeAt(page: number): ObtainedRange | undefined {
    return this.#ranges.at(page)?.value;
  }

  /** Pages of the span at which something begins or ends. */
  edgesIn(span: PageSpan): readonly number[] {
    const pieces = this.#tablesIn(span)
      .map(({ start, end }) => ({ start, end }))
      .concat(clip(span, this.#ranges.overlapping(span.start, span.end)));
    const edges = new Set([span.start, ...pieces.flatMap(({ start, end }) => [start, end])]);
    return [...edges].filter((edge) => edge < span.end).sort((left, right) => left - right);
  }

  /** Where an allocation is mapped, on all GPUs. Not to be changed meanwhile. */
  *mappingsOf(allocation: number): IterableIterator<PlacedMapping> {
    for (const [gpu, table] of this.#gpus) {
      for (const start of table.startsOf(allocation)) {
        const place = this.#placeAt(start, { gpu, table, allocation });
        if (place !== null) yield place;
      }
    }
  }

  /** The first of the places where an allocation is mapped, of `limit` that are looked at, that is wanted. */
  findMapping(
    allocation: number,
    isWanted: (start: number, end: number, mapping: PageMapping, gpu: number) => boolean,
    { limit }: { readonly limit: number },
  ): PlacedMapping | null {
    let looked = 0;
    for (const [gpu, table] of this.#gpus) {
      for (const start of table.startsOf(allocation)) {
        const range = this.#own.get(start);
        const own = range?.own ?? null;
        // Most places are whole ranges: no thing is made of one that is not wanted.
        const isOwn = range !== undefined && own !== null && own.gpu === gpu;
        const place = isOwn ? null : this.#placeAt(start, { gpu, table, allocation });
        if (!isOwn && place === null) continue;
        looked += 1;
        if (looked > limit) return null;
        if (isOwn) {
          const end = start + range.pageCount;
          if (isWanted(start, end, own.mapping, gpu)) return { start, end, value: own.mapping, gpu };
        } else if (place !== null && isWanted(place.start, place.end, place.value, gpu)) return place;
      }
    }
    return null;
  }

  /** How the free pages of the span were released, the newest release of each page. */
  releasesIn(span: PageSpan): readonly Release[] {
    return this.#releases.in(span, this.#ranges);
  }

  /** Obtains the pages of the span that are free; null where none is. `isFree`: all of them are known to be. */
  obtain(
    span: PageSpan,
    range: Pick<ObtainedRange, "number" | "kind" | "obtained" | "paging"> & { readonly isFree?: boolean },
  ): ObtainedRange | null {
    const isFree = range.isFree === true || !this.#ranges.overlaps(span.start, span.end);
    const free = isFree ? [span] : gaps(span, this.#ranges.overlapping(span.start, span.end));
    if (free.length === 0) return null;
    const recycled = this.#releases.isAsked ? this.#recycledIn(free) : null;
    let pageCount = 0;
    for (const { start, end } of free) pageCount += end - start;
    const { number, kind, obtained, paging } = range;
    const made: ObtainedRange = { number, kind, obtained, paging, recycled, pageCount, own: null };
    for (const { start, end } of free) this.#ranges.insert({ start, end, value: made });
    this.#byNumber.set(number, made);
    this.#fresh = isFree ? made : null;
    this.#freshSpan = span;
    return made;
  }

  /** Points pages of one GPU somewhere: at once where the mapping's fence is 0, else when its queue gets there. */
  map(span: PageSpan, { gpu, mapping }: { readonly gpu: number; readonly mapping: PageMapping }): void {
    const { queue, fence } = mapping.paging;
    const isDone = fence === 0n;
    const table = this.#gpus.get(gpu) ?? new PageTable();
    this.#gpus.set(gpu, table);
    const fresh = this.#fresh;
    this.#fresh = null;
    if (fresh !== null && this.#freshSpan.start === span.start && this.#freshSpan.end === span.end) {
      fresh.own = { gpu, mapping, isDone };
      this.#own.set(span.start, fresh);
      if (mapping.allocation !== 0) table.note(mapping.allocation, span.start);
    } else {
      this.#spillIn(span);
      table.set(span, mapping, { isDone });
    }
    if (isDone) return;
    const queued = this.#queued.get(queue) ?? new Queue<QueuedMap>();
    this.#queued.set(queue, queued);
    queued.push({ start: span.start, end: span.end, gpu, mapping });
    const oldest = queued.size > QUEUED_KEPT ? queued.shift() : undefined;
    if (oldest !== undefined) this.#finish(oldest);
  }

  /** A queue is at a fence value: its maps up to there are done, in order. */
  complete({ queue, fence }: PagingPoint): void {
    const queued = this.#queued.get(queue);
    if (queued === undefined) return;
    for (let first = queued.first; first !== undefined && first.mapping.paging.fence <= fence; first = queued.first) {
      queued.shift();
      this.#finish(first);
    }
    if (queued.size === 0) this.#queued.delete(queue);
  }

  /** What a queue has not done yet will never be done. */
  cancel(queue: number): void {
    const queued = this.#queued.get(queue);
    if (queued === undefined) return;
    this.#queued.delete(queue);
    this.#fresh = null;
    for (let next = queued.shift(); next !== undefined; next = queued.shift()) {
      const { start, end, gpu, mapping } = next;
      if (this.#own.get(start)?.own?.mapping === mapping) this.#spill(this.#own.get(start), start);
      this.#gpus.get(gpu)?.cancel({ start, end }, mapping);
    }
  }

  /** Releases whatever the span holds, on all GPUs; returns the ranges of which nothing is left. */
  free(span: PageSpan, released: Evidence): readonly ObtainedRange[] {
    this.#fresh = null;
    const whole = this.#own.get(span.start);
    if (whole !== undefined && whole.pageCount === span.end - span.start) {
      return [this.#freeWhole(span, whole, released)];
    }
    this.#spillIn(span);
    return this.#release(span, { reason: "freed", released, allocation: 0 });
  }

  /**
   * Takes an allocation out of all page tables. Pages of a reservation fall back to it; pages that Map obtained are
   * released where no GPU has anything else there (gpuva.md 4.5). Returns the ranges of which nothing is left.
   */
  releaseAllocation(allocation: number, released: Evidence): readonly ObtainedRange[] {
    this.#fresh = null;
    const starts = [...this.#gpus.values()].flatMap((table) => [...table.startsOf(allocation)]);
    for (const start of starts) this.#spill(this.#own.get(start), start);
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
    for (const start of this.#own.keys()) {
      const range = this.#own.get(start);
      if (range === undefined || range.own === null || this.#ranges.at(start)?.value !== range) {
        throw new Error(`no own mapping at ${start}`);
      }
    }
    for (const { start, end } of this.#releases.pieces()) {
      if (this.#ranges.overlaps(start, end)) throw new Error(`pages [${start}, ${end}) are both released and obtained`);
    }
  }

  #finish({ start, end, gpu, mapping }: QueuedMap): void {
    const own = this.#own.get(start)?.own ?? null;
    if (own !== null && own.mapping === mapping) own.isDone = true;
    else this.#gpus.get(gpu)?.finish({ start, end }, mapping);
  }

  #release(
    { start, end }: PageSpan,
    how: Pick<Release, "reason" | "released" | "allocation">,
  ): readonly ObtainedRange[] {
    for (const table of this.#gpus.values()) table.clear({ start, end });
    const ended: ObtainedRange[] = [];
    for (const piece of this.#ranges.carve(start, end)) {
      const { value: range } = piece;
      const { number, obtained, kind, recycled } = range;
      this.#releases.add(piece, { ...how, range: number, kind, obtained, recycled }, this.#ranges);
      range.pageCount -= piece.end - piece.start;
      if (range.pageCount > 0) continue;
      this.#byNumber.delete(number);
      ended.push(range);
    }
    return ended;
  }

  /** A free of just what one map obtained: nothing else is there. */
  #freeWhole({ start, end }: PageSpan, range: ObtainedRange, released: Evidence): ObtainedRange {
    const { number, obtained, kind, recycled, own } = range;
    this.#ranges.remove(start);
    this.#own.delete(start);
    if (own !== null) this.#gpus.get(own.gpu)?.forget(own.mapping.allocation, start);
    const release = { reason: "freed" as const, released, allocation: 0, range: number, kind, obtained, recycled };
    this.#releases.add({ start, end }, release, this.#ranges);
    range.pageCount = 0;
    this.#byNumber.delete(number);
    return range;
  }

  #recycledIn(free: readonly PageSpan[]): AutoRelease | null {
    const auto = free.flatMap((span) => this.#releases.take(span)).find(({ value }) => value.reason === "auto")?.value;
    return auto === undefined ? null : { released: auto.released, allocation: auto.allocation };
  }

  #tablesIn(span: PageSpan): readonly Range<PageMapping>[] {
    return [...this.#gpus.values()].flatMap((table) => table.in(span));
  }

  /** Own mappings in the span, clipped, ascending. */
  #ownIn(span: PageSpan): readonly Range<OwnMapping>[] {
    if (this.#own.size === 0) return [];
    return clip(span, this.#ranges.overlapping(span.start, span.end)).flatMap(({ start, end, value }) =>
      value.own === null ? [] : [{ start, end, value: value.own }]
    );
  }

  #placeAt(
    start: number,
    { gpu, table, allocation }: { readonly gpu: number; readonly table: PageTable; readonly allocation: number },
  ): PlacedMapping | null {
    const range = this.#own.get(start);
    const own = range?.own ?? null;
    if (range !== undefined && own !== null && own.gpu === gpu) {
      return { start, end: start + range.pageCount, value: own.mapping, gpu };
    }
    const piece = table.pieceAt(start);
    return piece !== null && piece.value.allocation === allocation
      ? { start: piece.start, end: piece.end, value: piece.value, gpu }
      : null;
  }

  /** Something else is about to happen to pages: mappings of ranges there go where all others are. */
  #spillIn({ start, end }: PageSpan): void {
    if (this.#own.size === 0) return;
    for (const piece of this.#ranges.overlapping(start, end)) this.#spill(piece.value, piece.start);
  }

  #spill(range: ObtainedRange | undefined, start: number): void {
    const own = range?.own ?? null;
    if (range === undefined || own === null) return;
    range.own = null;
    this.#own.delete(start);
    this.#gpus.get(own.gpu)?.set({ start, end: start + range.pageCount }, own.mapping, { isDone: own.isDone });
  }

  /** Pages of the span that Map obtained and that no GPU has mapped. */
  #unmappedIn(span: PageSpan): readonly PageSpan[] {
    const used = this.#tablesIn(span);
    const ranges = this.#ranges.overlapping(span.start, span.end).filter(({ value }) => value.kind === "mapped");
    return clip(span, ranges).flatMap((piece) => gaps(piece, used));
  }
}
