// What a trace says of one GPU address space (a process on an adapter): the obtained ranges, below them what pages point
// to on each physical GPU, and how pages that are free now were released. Units are pages of 4096 bytes.
// It must not know calls or rules, and it takes what it is told: whether that was legal is judged elsewhere.

import { type Range, RangeMap } from "../range/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { clip, edgesOf, gaps, type PageMapping, type PageSpan, PageTable, type PagingPoint } from "./gpu_page_table.ts";
import { type QueuedMap, QueuedMaps } from "./gpu_queued_maps.ts";
import type { EndedRange, NewRange, ObtainedRange, OwnRange } from "./gpu_range_rows.ts";
import { GPUS_IN_ROWS, RangeRows } from "./gpu_range_rows.ts";
import { type Release, Releases } from "./gpu_releases.ts";
import { NOTHING } from "./gpu_starts.ts";
import { checkSpace } from "./gpu_va_invariants.ts";
import { leftOf, type LeftRange, OwnPlace, type PlacedMapping } from "./gpu_va_places.ts";
import { Places } from "./places.ts";

export type { PageMapping, PageSpan, PagingPoint } from "./gpu_page_table.ts";
export type { EndedRange, ObtainedRange } from "./gpu_range_rows.ts";
export type { AutoRelease, Release } from "./gpu_releases.ts";
export type { PlacedMapping } from "./gpu_va_places.ts";

/** Releases that a space remembers; the oldest goes first, and a free of its pages then counts as unmatched. */
export const RELEASES_KEPT = 65536;

/** One address space, as the trace tells it. */
export class GpuVaSpace {
  readonly #places = new Places();
  /** Pieces of obtained ranges: the row of each. */
  readonly #ranges = RangeMap.ofNumbers();
  readonly #rows = new RangeRows(this.#places);
  readonly #gpus = new Map<number, PageTable>();
  readonly #queued = new QueuedMaps();
  readonly #releases: Releases;
  /** By row, own mappings of ranges that are queued. */
  readonly #waiting = new Map<number, PageMapping>();
  /** The row of the range that was obtained last, in one piece, and nothing happened since. */
  #fresh = NOTHING;
  #freshSpan: PageSpan = { start: 0, end: 0 };

  constructor(releasesKept: number = RELEASES_KEPT) {
    this.#releases = new Releases(releasesKept, this.#places);
  }

  /** The pieces of obtained ranges that touch the span, whole, ascending. */
  rangesIn({ start, end }: PageSpan): readonly Range<ObtainedRange>[] {
    return this.#ranges.overlapping(start, end).map((piece) => ({ ...piece, value: this.#rows.at(piece.value) }));
  }

  /** What is left of each obtained range, oldest first. */
  left(): Iterable<LeftRange> {
    return leftOf(this.#ranges, this.#rows);
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
  isWhole(span: PageSpan): boolean {
    return this.#wholeAt(span) !== NOTHING;
  }

  /** Mappings of one GPU in the span, clipped, ascending. */
  mappingsIn(span: PageSpan, gpu: number): readonly Range<PageMapping>[] {
    const own = this.#ownIn(span).flatMap(({ start, end, value: row }) =>
      this.#rows.gpu(row) === gpu ? [{ start, end, value: this.#mappingOf(row) }] : []
    );
    const others = this.#gpus.get(gpu)?.in(span) ?? [];
    return own.length === 0 ? others : [...own, ...others].sort((left, right) => left.start - right.start);
  }

  /** Pages of the span at which an allocation is mapped, on any GPU. */
  mappedPages(span: PageSpan): number {
    const own = this.#ownIn(span).filter(({ value: row }) => this.#rows.allocation(row) > 0);
    const mapped = [...own, ...this.#tablesIn(span).filter(({ value }) => value.allocation > 0)];
    return gaps(span, mapped).reduce((sum, { start, end }) => sum - (end - start), span.end - span.start);
  }

  /** What a page points to on one GPU. */
  mappingAt(page: number, gpu: number): PageMapping | undefined {
    const row = this.#rowAt(page);
    if (row === NOTHING || !this.#rows.isOwn(row)) return this.#gpus.get(gpu)?.at(page);
    return this.#rows.gpu(row) === gpu ? this.#mappingOf(row) : undefined;
  }

  /** What a page was pointed at last, on one GPU: an update may be done before a map that was queued before it. */
  usedAt(page: number, gpu: number): PageMapping | undefined {
    const row = this.#rowAt(page);
    return row !== NOTHING && this.#rows.isOwn(row) ? this.mappingAt(page, gpu) : this.#gpus.get(gpu)?.usedAt(page);
  }

  /** The obtained range of a page. */
  rangeAt(page: number): ObtainedRange | undefined {
    const row = this.#rowAt(page);
    return row === NOTHING ? undefined : this.#rows.at(row);
  }

  /** Pages of the span at which something begins or ends. */
  edgesIn(span: PageSpan): readonly number[] {
    return edgesOf(span, [...this.#tablesIn(span), ...clip(span, this.#ranges.overlapping(span.start, span.end))]);
  }

  /** Where an allocation is mapped, on all GPUs. Not to be changed meanwhile. */
  *mappingsOf(allocation: number): IterableIterator<PlacedMapping> {
    for (const [gpu, table] of this.#gpus) {
      for (const node of table.starts.nodesOf(allocation)) {
        const place = this.#placeAt(node, { gpu, table, allocation });
        if (place !== null) yield place;
      }
    }
  }

  /**
   * The first of the places where an allocation is mapped, of `limit` that are looked at, that is wanted; `origin` is the page
   * at which page 0 of the allocation would lie.
   */
  findMapping(
    allocation: number,
    isWanted: (start: number, end: number, origin: number, gpu: number) => boolean,
    { limit }: { readonly limit: number },
  ): PlacedMapping | null {
    let looked = 0;
    for (const [gpu, table] of this.#gpus) {
      const { starts } = table;
      for (let node = starts.first(allocation); node !== NOTHING; node = starts.behind(node)) {
        const row = starts.row(node);
        // Most places are whole ranges: no thing is made of one that is not wanted.
        const place = row === NOTHING ? this.#placeAt(node, { gpu, table, allocation }) : null;
        if (row === NOTHING && place === null) continue;
        looked += 1;
        if (looked > limit) return null;
        const start = place?.start ?? starts.start(node);
        const end = place?.end ?? start + this.#rows.pageCount(row);
        if (!isWanted(start, end, place?.value.origin ?? this.#rows.origin(row), gpu)) continue;
        return place ?? new OwnPlace(start, end, gpu, () => this.#mappingOf(row));
      }
    }
    return null;
  }

  /** How the free pages of the span were released, the newest release of each page. */
  releasesIn(span: PageSpan): readonly Release[] {
    return this.#releases.in(span, this.#ranges);
  }

  /** Obtains the pages of the span that are free; false where none is. `isFree`: all of them are known to be. */
  obtain(
    span: PageSpan,
    range: Omit<NewRange, "recycled" | "pageCount"> & { readonly isFree?: boolean },
  ): boolean {
    const isFree = range.isFree === true || !this.#ranges.overlaps(span.start, span.end);
    const free = isFree ? [span] : gaps(span, this.#ranges.overlapping(span.start, span.end));
    if (free.length === 0) return false;
    const recycled = this.#releases.isAsked ? this.#releases.recycledIn(free) : null;
    let pageCount = 0;
    for (const { start, end } of free) pageCount += end - start;
    const { number, kind, obtained, paging } = range;
    const row = this.#rows.add({ number, kind, obtained, paging, recycled, pageCount });
    for (const { start, end } of free) this.#ranges.insert({ start, end, value: row });
    this.#fresh = isFree ? row : NOTHING;
    this.#freshSpan = span;
    return true;
  }

  /** Points pages of one GPU somewhere: at once where the mapping's fence is 0, else when its queue gets there. */
  map(span: PageSpan, { gpu, mapping }: { readonly gpu: number; readonly mapping: PageMapping }): void {
    const { queue, fence } = mapping.paging;
    const isDone = fence === 0n;
    let table = this.#gpus.get(gpu);
    if (table === undefined) {
      table = new PageTable();
      this.#gpus.set(gpu, table);
    }
    const row = this.#fresh;
    this.#fresh = NOTHING;
    if (row !== NOTHING && gpu < GPUS_IN_ROWS && this.#obtainedAs(row, span, mapping)) {
      const { allocation } = mapping;
      const node = allocation === 0 ? NOTHING : table.starts.add(allocation, span.start, row);
      this.#rows.setOwn(row, { gpu, mapping, isDone, node });
      if (!isDone) this.#waiting.set(row, mapping);
    } else {
      this.#spillIn(span);
      table.set(span, mapping, { isDone });
    }
    if (isDone) return;
    const oldest = this.#queued.push(queue, { start: span.start, end: span.end, gpu, mapping });
    if (oldest !== undefined) this.#finish(oldest);
  }

  /** Whether maps for a GPU that obtain free pages, and are done at once, can be taken by `obtainMapped`: there is nothing else to be told. */
  isPlain(gpu: number): boolean {
    return gpu < GPUS_IN_ROWS && this.#gpus.has(gpu) && !this.#releases.isAsked;
  }

  /**
   * Obtains free pages and points them at an allocation, at once and as a whole: what `obtain` and `map` do, for most maps, without
   * making things of it. Of a GPU for which that is plain.
   */
  obtainMapped(
    { start, end }: PageSpan,
    { number, call, queue, gpu, allocation, origin }:
      & Pick<OwnRange, "number" | "queue" | "gpu" | "allocation" | "origin">
      & { readonly call: CallView },
  ): void {
    const node = this.#gpus.get(gpu)?.starts.add(allocation, start, this.#rows.next) ?? NOTHING;
    const place = this.#places.numberOfCall(call);
    const about = { number, pageCount: end - start, event: call.event, place, queue, gpu, allocation, origin, node };
    this.#ranges.insert({ start, end, value: this.#rows.addOwn(about) });
    this.#fresh = NOTHING;
  }

  /** Frees a range with a mapping of its own, whole; false, and nothing is done, where the span is none or more is to be looked at. */
  freeMapped(span: PageSpan, call: CallView): boolean {
    const row = this.#releases.isAsked ? NOTHING : this.#wholeAt(span);
    if (row === NOTHING || !this.#rows.isPlain(row)) return false;
    this.#fresh = NOTHING;
    this.#ranges.removeFound();
    const place = this.#places.numberOfCall(call);
    this.#releases.addFreed(span, this.#rows, { range: row, event: call.event, place });
    this.#leave(row);
    this.#rows.drop(row);
    return true;
  }

  /** A queue is at a fence value: its maps up to there are done, in order. */
  complete(point: PagingPoint): void {
    for (const map of this.#queued.take(point)) this.#finish(map);
  }

  /** What a queue has not done yet will never be done. */
  cancel(queue: number): void {
    for (const { start, end, gpu, mapping } of this.#queued.drop(queue)) {
      this.#fresh = NOTHING;
      const row = this.#rowFrom(start);
      if (this.#waiting.get(row) === mapping) this.#spill(row, start);
      this.#gpus.get(gpu)?.cancel({ start, end }, mapping);
    }
  }

  /** Releases whatever the span holds, on all GPUs; returns the ranges of which nothing is left. */
  free(span: PageSpan, released: Evidence): readonly EndedRange[] {
    this.#fresh = NOTHING;
    const row = this.#wholeAt(span);
    if (row !== NOTHING) return [this.#freeWhole(row, span, { reason: "freed", released, allocation: 0 })];
    this.#spillIn(span);
    return this.#release(span, { reason: "freed", released, allocation: 0 });
  }

  /**
   * Takes an allocation out of all page tables. Pages of a reservation fall back to it; pages that Map obtained are
   * released where no GPU has anything else there (gpuva.md 4.5). Returns the ranges of which nothing is left.
   */
  releaseAllocation(allocation: number, released: Evidence): readonly EndedRange[] {
    this.#fresh = NOTHING;
    const how = { reason: "auto", released, allocation } as const;
    const places = [...this.#gpus.values()].flatMap(({ starts }) =>
      starts.nodesOf(allocation).map((node) => ({ start: starts.start(node), row: starts.row(node) }))
    );
    if (places.every(({ row }) => row !== NOTHING)) {
      return places.flatMap(({ start, row }) => {
        const span = { start, end: start + this.#rows.pageCount(row) };
        return this.#wholeAt(span) === row ? [this.#freeWhole(row, span, how)] : [];
      });
    }
    for (const { start, row } of places) if (row !== NOTHING) this.#spill(row, start);
    const touched = [...this.#gpus.values()].flatMap((table) => table.release(allocation));
    return touched.flatMap((span) => this.#unmappedIn(span).flatMap((part) => this.#release(part, how)));
  }

  /** Throws where the parts do not fit each other; for tests. */
  checkInvariants(): void {
    checkSpace({ ranges: this.#ranges, rows: this.#rows, waiting: this.#waiting, releases: this.#releases });
  }

  /** Whether a mapping is what obtained the range that is fresh, and of all of it. */
  #obtainedAs(row: number, { start, end }: PageSpan, { mapped }: PageMapping): boolean {
    const span = this.#freshSpan;
    return span.start === start && span.end === end && this.#rows.kind(row) === "mapped" &&
      this.#rows.event(row) === mapped.event;
  }

  /** The row of a page's range. */
  #rowAt(page: number): number {
    return this.#ranges.find(page) ? this.#ranges.foundValue : NOTHING;
  }

  /** The row of the range of which a piece starts at a page. */
  #rowFrom(start: number): number {
    return this.#ranges.find(start) && this.#ranges.foundStart === start ? this.#ranges.foundValue : NOTHING;
  }

  /** The row of the range with a mapping of its own that is all of the span. */
  #wholeAt({ start, end }: PageSpan): number {
    const ranges = this.#ranges;
    const isFound = ranges.isFound(start, end) ||
      (ranges.find(start) && ranges.foundStart === start && ranges.foundEnd === end);
    if (!isFound) return NOTHING;
    const row = ranges.foundValue;
    return this.#rows.isOwn(row) ? row : NOTHING;
  }

  /** A range's own mapping. */
  #mappingOf(row: number): PageMapping {
    return this.#waiting.get(row) ?? this.#rows.mapping(row);
  }

  #finish({ start, end, gpu, mapping }: QueuedMap): void {
    const row = this.#rowFrom(start);
    if (row !== NOTHING && this.#waiting.get(row) === mapping) {
      this.#waiting.delete(row);
      this.#rows.finish(row);
    } else this.#gpus.get(gpu)?.finish({ start, end }, mapping);
  }

  #release(span: PageSpan, how: Pick<Release, "reason" | "released" | "allocation">): readonly EndedRange[] {
    for (const table of this.#gpus.values()) table.clear(span);
    const ended: EndedRange[] = [];
    for (const { start, end, value: row } of this.#ranges.carve(span.start, span.end)) {
      this.#releases.note({ start, end }, { rows: this.#rows, row, how, obtained: this.#ranges });
      if (this.#rows.shrink(row, end - start) === 0) ended.push(this.#end(row));
    }
    return ended;
  }

  /** Releases just what one map obtained, and what was found last: nothing else is there. */
  #freeWhole(row: number, span: PageSpan, how: Pick<Release, "reason" | "released" | "allocation">): EndedRange {
    this.#ranges.removeFound();
    this.#releases.note(span, { rows: this.#rows, row, how, obtained: this.#ranges });
    this.#leave(row);
    return this.#end(row);
  }

  /** A range's own mapping is no more. */
  #leave(row: number): void {
    if (!this.#rows.isDone(row)) this.#waiting.delete(row);
    const node = this.#rows.node(row);
    if (node !== NOTHING) this.#gpus.get(this.#rows.gpu(row))?.starts.take(this.#rows.allocation(row), node);
  }

  /** Nothing is left of a range. */
  #end(row: number): EndedRange {
    const ended = { number: this.#rows.number(row), kind: this.#rows.kind(row) };
    this.#rows.drop(row);
    return ended;
  }

  #tablesIn(span: PageSpan): readonly Range<PageMapping>[] {
    return [...this.#gpus.values()].flatMap((table) => table.in(span));
  }

  /** Rows of ranges with own mappings in the span, clipped, ascending. */
  #ownIn(span: PageSpan): readonly Range<number>[] {
    return clip(span, this.#ranges.overlapping(span.start, span.end).filter(({ value }) => this.#rows.isOwn(value)));
  }

  #placeAt(
    node: number,
    { gpu, table, allocation }: { readonly gpu: number; readonly table: PageTable; readonly allocation: number },
  ): PlacedMapping | null {
    const start = table.starts.start(node);
    const row = table.starts.row(node);
    if (row !== NOTHING) return { start, end: start + this.#rows.pageCount(row), value: this.#mappingOf(row), gpu };
    const piece = table.pieceAt(start);
    return piece !== null && piece.value.allocation === allocation
      ? { start: piece.start, end: piece.end, value: piece.value, gpu }
      : null;
  }

  /** Something else is about to happen to pages: mappings of ranges there go where all others are. */
  #spillIn({ start, end }: PageSpan): void {
    for (const piece of this.#ranges.overlapping(start, end)) this.#spill(piece.value, piece.start);
  }

  #spill(row: number, start: number): void {
    if (!this.#rows.isOwn(row)) return;
    const mapping = this.#mappingOf(row);
    const isDone = this.#rows.isDone(row);
    const table = this.#gpus.get(this.#rows.gpu(row));
    const node = this.#rows.node(row);
    if (node !== NOTHING) table?.starts.name(mapping.allocation, node);
    this.#waiting.delete(row);
    this.#rows.endOwn(row);
    table?.set({ start, end: start + this.#rows.pageCount(row) }, mapping, { isDone });
  }

  /** Pages of the span that Map obtained and that no GPU has mapped. */
  #unmappedIn(span: PageSpan): readonly PageSpan[] {
    const used = this.#tablesIn(span);
    const ranges = this.#ranges.overlapping(span.start, span.end)
      .filter(({ value }) => this.#rows.kind(value) === "mapped");
    return clip(span, ranges).flatMap((piece) => gaps(piece, used));
  }
}
