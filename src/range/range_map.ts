// Disjoint half-open ranges of whole numbers, each with a value: insert, carve, overlaps, gaps, all in O(log n).
// A B+tree that keeps the largest gap below each node. It must not know what the numbers or the values stand for.
import { insertBelow, lowerRoot, raiseRoot, removeBelow } from "./edit.ts";
import { checkTree } from "./invariants.ts";
import { CAPACITY, Node, RANGE_LIMIT } from "./node.ts";
import type { Range } from "./node.ts";
import { anyWithin, leafBeyond, lowestFit, rangeHolding, rangesWithin } from "./search.ts";
import type { GapQuery } from "./search.ts";

/**
 * Disjoint half-open ranges [start, end) and their values, for points from 0 to `RANGE_LIMIT`.
 *
 * Points are safe integers from 0 on; anything else is a RangeError. Questions may reach beyond the limit, where
 * nothing is held. Ranges that touch stay apart: nothing is joined.
 *
 * @example
 * ```ts
 * const map = RangeMap.from([{ start: 0, end: 4, value: "a" }, { start: 6, end: 9, value: "b" }]);
 * map.firstGap({ size: 2, from: 0, to: 100 }); // 4
 * map.carve(3, 7); // [{ start: 3, end: 4, value: "a" }, { start: 6, end: 7, value: "b" }]
 * ```
 */
export class RangeMap<V> {
  #root = new Node<V>(0);
  #size = 0;
  #changes = 0;

  /** Makes a map of these ranges, in any order; RangeError as `insert()`. */
  static from<V>(ranges: Iterable<Range<V>>): RangeMap<V> {
    const map = new RangeMap<V>();
    for (const range of ranges) map.insert(range);
    return map;
  }

  /** The number of ranges. */
  get size(): number {
    return this.#size;
  }

  /** The range that holds `point`; undefined where it is free, and for a number that is no point. */
  at(point: number): Range<V> | undefined {
    return rangeHolding(this.#root, point);
  }

  /** Adds a range; RangeError if it is empty, outside of 0 to `RANGE_LIMIT` or overlaps another, and then nothing changes. */
  insert(range: Range<V>): void {
    const { start, end, value } = range;
    requireSpan("insert", start, end);
    if (start === end) throw new RangeError(`Cannot insert ${span(start, end)}: it is empty, wanted at least 1 point`);
    if (end > RANGE_LIMIT) throw new RangeError(`Cannot insert ${span(start, end)}: it ends beyond ${RANGE_LIMIT}`);
    if (this.#add({ start, end, value })) return;
    const other = rangesWithin(this.#root, { start, end })[0];
    const where = other === undefined ? "another range" : span(other.start, other.end);
    throw new RangeError(`Cannot insert ${span(start, end)}: it overlaps ${where}`);
  }

  /** Removes and returns the range that starts exactly at `start`; undefined if none does. */
  remove(start: number): Range<V> | undefined {
    const removed = removeBelow(this.#root, start);
    if (removed === undefined) return undefined;
    this.#root = lowerRoot(this.#root);
    this.#size--;
    this.#changes++;
    return removed;
  }

  /** Frees [start, end) and returns what was removed, clipped to it, ascending. What sticks out stays, with its value. */
  carve(start: number, end: number): Range<V>[] {
    const pieces = this.overlapping(start, end);
    for (let index = 0; index < pieces.length; index++) {
      const whole = pieces[index];
      if (whole === undefined) break;
      this.remove(whole.start);
      if (whole.start >= start && whole.end <= end) continue;
      const { value } = whole;
      if (whole.start < start) this.#add({ start: whole.start, end: start, value });
      if (whole.end > end) this.#add({ start: end, end: whole.end, value });
      pieces[index] = { start: Math.max(whole.start, start), end: Math.min(whole.end, end), value };
    }
    return pieces;
  }

  /** The ranges that share a point with [start, end), whole, ascending. */
  overlapping(start: number, end: number): Range<V>[] {
    requireSpan("search", start, end);
    return start === end ? [] : rangesWithin(this.#root, { start, end });
  }

  /** Tells whether a range shares a point with [start, end). */
  overlaps(start: number, end: number): boolean {
    requireSpan("search", start, end);
    return start < end && anyWithin(this.#root, { start, end });
  }

  /** Tells whether every point of [start, end) is in some range, which is so if there is no point. */
  covered(start: number, end: number): boolean {
    requireSpan("search", start, end);
    return lowestFit(this.#root, { size: 1, from: start, to: end, alignment: 1 }) === undefined;
  }

  /**
   * The lowest start from `from` on, a multiple of `alignment`, with `size` free points that end at `to` at most.
   * Takes O(log n) steps, plus one for each gap that is large enough and only misses the alignment.
   */
  firstGap(query: GapQuery): number | undefined {
    const { size, from, to, alignment = 1 } = query;
    requireWhole("size", size, 1);
    requireWhole("from", from, 0);
    requireWhole("to", to, 0);
    requireWhole("alignment", alignment, 1);
    return lowestFit(this.#root, { size, from, to: Math.min(to, RANGE_LIMIT), alignment });
  }

  /** Walks the ranges, ascending. After a change under way it goes on with the first that starts behind the last seen. */
  *[Symbol.iterator](): IterableIterator<Range<V>> {
    let point = 0;
    for (let leaf = leafBeyond(this.#root, point); leaf !== undefined; leaf = leafBeyond(this.#root, point)) {
      const changes = this.#changes;
      for (let index = leaf.endsUpTo(point); index < leaf.count && changes === this.#changes; index++) {
        const range = leaf.rangeAt(index);
        const isBehind = range.start >= point;
        point = range.end;
        if (isBehind) yield range;
      }
    }
  }

  /** Removes all ranges. */
  clear(): void {
    this.#root = new Node<V>(0);
    this.#size = 0;
    this.#changes++;
  }

  /** All ranges, ascending. */
  toArray(): Range<V>[] {
    return rangesWithin(this.#root, { start: 0, end: RANGE_LIMIT });
  }

  /** Throws if the tree is broken; takes O(n), for tests. */
  checkInvariants(): void {
    checkTree(this.#root, this.#size);
  }

  #add(range: Range<V>): boolean {
    if (!insertBelow(this.#root, range)) return false;
    if (this.#root.count === CAPACITY) this.#root = raiseRoot(this.#root, range);
    this.#size++;
    this.#changes++;
    return true;
  }
}

function span(start: number, end: number): string {
  return `[${start}, ${end})`;
}

function requireSpan(action: string, start: number, end: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end) return;
  throw new RangeError(`Cannot ${action} ${span(start, end)}: wanted safe integers with 0 <= start <= end`);
}

function requireWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`Cannot search a gap with ${name} ${value}: wanted a safe integer of at least ${least}`);
}
