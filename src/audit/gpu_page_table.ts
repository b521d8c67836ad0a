// What pages of one physical GPU point to, as a trace tells it: what is done, and above it what is queued, in order of
// issue. A map that is queued replaces nothing yet (gpuva.md 4.2); it may end before it is done.
// It must not know obtained ranges, calls or rules.

import { type Range, RangeMap } from "../range/mod.ts";
import type { Evidence } from "./finding.ts";
import { Starts } from "./gpu_starts.ts";

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

/** What pages point to. */
export interface PageMapping {
  /** The allocation's number, 0 for Zero and NoAccess. */
  readonly allocation: number;
  /** The virtual page at which page 0 of the allocation would lie; may be negative. */
  readonly origin: number;
  readonly driverProtection: bigint;
  readonly paging: PagingPoint;
  readonly mapped: Evidence;
  /** Of Zero and NoAccess: no access. */
  readonly isNoAccess?: boolean;
}

/** What is known of pages; never without any mapping. */
interface Stack {
  readonly done: PageMapping | null;
  readonly queued: readonly PageMapping[];
}

const NOTHING: Stack = { done: null, queued: [] };

/** The page table of one GPU. */
export class PageTable {
  readonly #pages = new RangeMap<Stack>();
  /** Where pieces start that an allocation is in, exactly, in the order of mapping; ranges with a mapping of their own too. */
  readonly starts = new Starts();

  /** Points pages somewhere, at once or when it is done. */
  set(span: PageSpan, mapping: PageMapping, { isDone }: { readonly isDone: boolean }): void {
    const pieces = this.#carve(span);
    const free = gaps(span, pieces).map(({ start, end }) => ({ start, end, value: NOTHING }));
    for (const { start, end, value } of [...pieces, ...free]) {
      const { done, queued } = value;
      this.#put({ start, end }, isDone ? { done: mapping, queued } : { done, queued: [...queued, mapping] });
    }
  }

  /** A queued mapping is done, where it was not taken out meanwhile. */
  finish(span: PageSpan, mapping: PageMapping): void {
    for (const { start, end, value } of this.#carve(span)) {
      const queued = value.queued.filter((each) => each !== mapping);
      const isFound = queued.length < value.queued.length;
      this.#put({ start, end }, isFound ? { done: mapping, queued } : value);
    }
  }

  /** A queued mapping will never be done. */
  cancel(span: PageSpan, mapping: PageMapping): void {
    for (const { start, end, value } of this.#carve(span)) {
      this.#put({ start, end }, { done: value.done, queued: value.queued.filter((each) => each !== mapping) });
    }
  }

  /** Empties pages. */
  clear(span: PageSpan): void {
    this.#carve(span);
  }

  /** Takes an allocation out; returns where it was. */
  release(allocation: number): readonly PageSpan[] {
    const places = [...this.#piecesOf(allocation)];
    for (const { start, end, value } of places) {
      this.#carve({ start, end });
      const done = value.done?.allocation === allocation ? null : value.done;
      this.#put({ start, end }, { done, queued: value.queued.filter((each) => each.allocation !== allocation) });
    }
    return places;
  }

  /** What a page points to once all that is queued is done. */
  at(page: number): PageMapping | undefined {
    return newestOf(this.#pages.at(page)?.value);
  }

  /** What a page was pointed at last: of what is done and what is queued, the newest by its call. */
  usedAt(page: number): PageMapping | undefined {
    const stack = this.#pages.at(page)?.value;
    const newest = newestOf(stack);
    const done = stack?.done ?? undefined;
    return done !== undefined && newest !== undefined && done.mapped.event > newest.mapped.event ? done : newest;
  }

  /** The same as `at` for a span, in clipped pieces, ascending. */
  in(span: PageSpan): readonly Range<PageMapping>[] {
    return clip(span, this.#pages.overlapping(span.start, span.end)).flatMap(({ start, end, value }) => {
      const newest = newestOf(value);
      return newest === undefined ? [] : [{ start, end, value: newest }];
    });
  }

  /** The piece that holds a page, and what it points to once all that is queued is done. */
  pieceAt(page: number): Range<PageMapping> | null {
    const piece = this.#pages.at(page);
    const newest = newestOf(piece?.value);
    return piece === undefined || newest === undefined ? null : { start: piece.start, end: piece.end, value: newest };
  }

  *#piecesOf(allocation: number): IterableIterator<Range<Stack>> {
    for (const node of this.starts.nodesOf(allocation)) {
      const piece = this.#pages.at(this.starts.start(node));
      if (piece !== undefined) yield piece;
    }
  }

  #put({ start, end }: PageSpan, stack: Stack): void {
    if (stack.done === null && stack.queued.length === 0) return;
    this.#pages.insert({ start, end, value: stack });
    for (const allocation of allocationsIn(stack)) this.starts.note(allocation, start);
  }

  #carve({ start, end }: PageSpan): readonly Range<Stack>[] {
    for (const piece of this.#pages.overlapping(start, end)) {
      for (const allocation of allocationsIn(piece.value)) {
        if (piece.end > end) this.starts.note(allocation, end);
        if (piece.start >= start) this.starts.forget(allocation, piece.start);
      }
    }
    return this.#pages.carve(start, end);
  }
}

function newestOf(stack: Stack | undefined): PageMapping | undefined {
  return stack?.queued.at(-1) ?? stack?.done ?? undefined;
}

function allocationsIn({ done, queued }: Stack): Iterable<number> {
  if (queued.length === 0) return done === null || done.allocation === 0 ? [] : [done.allocation];
  const allocations = new Set(queued.map(({ allocation }) => allocation));
  if (done !== null) allocations.add(done.allocation);
  allocations.delete(0);
  return allocations;
}

/** The ranges, cut to the span that all of them touch. */
export function clip<V>(span: PageSpan, ranges: readonly Range<V>[]): readonly Range<V>[] {
  return ranges.map(({ start, end, value }) => ({
    start: Math.max(start, span.start),
    end: Math.min(end, span.end),
    value,
  }));
}

/** The parts of the span that no piece touches; pieces may overlap, in any order. */
export function gaps(span: PageSpan, pieces: readonly PageSpan[]): readonly PageSpan[] {
  if (pieces.length === 0) return [span];
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

/** Pages of the span at which it or one of the pieces begins or ends, ascending. */
export function edgesOf(span: PageSpan, pieces: readonly PageSpan[]): readonly number[] {
  const edges = new Set([span.start, ...pieces.flatMap(({ start, end }) => [start, end])]);
  return [...edges].filter((edge) => edge < span.end).sort((left, right) => left - right);
}
