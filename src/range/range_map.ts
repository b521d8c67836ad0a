// Disjoint half-open ranges of whole numbers, each with a value: insert, carve, overlaps, gaps, all in O(log n).
// A B+tree that keeps the largest gap below each node. It must not know what the numbers or the values stand for.
import { carveSpan, goToEntry, insertRange, removeRange, removeReached } from "./edit.ts";
import { checkTree } from "./invariants.ts";
import { type Links, Numbers, Values } from "./links.ts";
import { anyWithin, highestFit, leafBeyond, lowestFit, rangesWithin } from "./search.ts";
import type { GapQuery } from "./search.ts";
import { ENTRY, RANGE_LIMIT, Tree } from "./tree.ts";
import type { Range } from "./tree.ts";

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
  #tree: Tree<V>;
  readonly #makeLinks: () => Links<V>;
  #changes = 0;

  /** An empty map, of any values unless `makeLinks` says how else to keep them. */
  constructor(makeLinks: () => Links<V> = () => new Values<V>()) {
    this.#makeLinks = makeLinks;
    this.#tree = new Tree<V>(makeLinks());
  }

  /** An empty map of whole numbers of 31 bits: each stands with its range, and the pieces of a range share one. */
  static ofNumbers(): RangeMap<number> {
    return new RangeMap(() => new Numbers());
  }

  /** Makes a map of these ranges, in any order; RangeError as `insert()`. */
  static from<V>(ranges: Iterable<Range<V>>): RangeMap<V> {
    const map = new RangeMap<V>();
    for (const range of ranges) map.insert(range);
    return map;
  }

  /** The number of ranges. */
  get size(): number {
    return this.#tree.size;
  }

  /** The range that holds `point`; undefined where it is free, and for a number that is no point. */
  at(point: number): Range<V> | undefined {
    return this.find(point) ? { start: this.foundStart, end: this.foundEnd, value: this.foundValue } : undefined;
  }

  /** Goes to the range that holds `point`, which `found…` then tell of until the next question or change; false: it is free. */
  find(point: number): boolean {
    return goToEntry(this.#tree, point);
  }

  /** Whether just this range was found, and nothing was asked or changed since. */
  isFound(start: number, end: number): boolean {
    return this.#tree.reached === ENTRY && this.foundStart === start && this.foundEnd === end;
  }

  /** Where the range starts that was found. */
  get foundStart(): number {
    return this.#tree.start(this.#foundIn(), this.#tree.places[0] ?? 0);
  }

  /** Where it ends. */
  get foundEnd(): number {
    return this.#tree.end(this.#foundIn(), this.#tree.places[0] ?? 0);
  }

  /** Its value. */
  get foundValue(): V {
    return this.#tree.links.valueOf(this.#tree.link(this.#foundIn(), this.#tree.places[0] ?? 0));
  }

  /** Removes the range that was found. */
  removeFound(): void {
    this.#foundIn();
    removeReached(this.#tree);
    this.#changes++;
  }

  /** Adds a range; RangeError if it is empty, outside of 0 to `RANGE_LIMIT` or overlaps another, and then nothing changes. */
  insert(range: Range<V>): void {
    const { start, end } = range;
    requireSpan("insert", start, end);
    if (start === end) throw new RangeError(`Cannot insert ${span(start, end)}: it is empty, wanted at least 1 point`);
    if (end > RANGE_LIMIT) throw new RangeError(`Cannot insert ${span(start, end)}: it ends beyond ${RANGE_LIMIT}`);
    if (!insertRange(this.#tree, start, end, range.value)) throw this.#overlapError(start, end);
    this.#changes++;
  }

  /** Removes and returns the range that starts exactly at `start`; undefined if none does. */
  remove(start: number): Range<V> | undefined {
    const removed = removeRange(this.#tree, start);
    if (removed === undefined) return undefined;
    this.#changes++;
    return removed;
  }

  /** Frees [start, end) and returns what was removed, clipped to it, ascending. What sticks out stays, with its value. */
  carve(start: number, end: number): Range<V>[] {
    requireSpan("search", start, end);
    if (start === end) return [];
    const pieces = carveSpan(this.#tree, start, end);
    if (pieces.length > 0) this.#changes++;
    return pieces;
  }

  /** The ranges that share a point with [start, end), whole, ascending. */
  overlapping(start: number, end: number): Range<V>[] {
    requireSpan("search", start, end);
    return start === end ? [] : rangesWithin(this.#tree, start, end);
  }

  /** Tells whether a range shares a point with [start, end). */
  overlaps(start: number, end: number): boolean {
    requireSpan("search", start, end);
    return start < end && anyWithin(this.#tree, start, end);
  }

  /** Tells whether every point of [start, end) is in some range, which is so if there is no point. */
  covered(start: number, end: number): boolean {
    requireSpan("search", start, end);
    return lowestFit(this.#tree, { size: 1, from: start, to: end, alignment: 1 }) === undefined;
  }

  /**
   * The lowest start from `from` on, a multiple of `alignment`, with `size` free points that end at `to` at most.
   * Takes O(log n) steps, plus one for each gap that is large enough and only misses the alignment.
   */
  firstGap(query: GapQuery): number | undefined {
    return lowestFit(this.#tree, wantedOf(query));
  }

  /** The highest start, under the same conditions. */
  lastGap(query: GapQuery): number | undefined {
    return highestFit(this.#tree, wantedOf(query));
  }

  /** Walks the ranges, ascending. After a change under way it goes on with the first that starts behind the last seen. */
  *[Symbol.iterator](): IterableIterator<Range<V>> {
    let point = 0;
    for (let leaf = leafBeyond(this.#tree, point); leaf !== undefined; leaf = leafBeyond(this.#tree, point)) {
      const changes = this.#changes;
      for (
        let index = this.#tree.rankIn(leaf, point) >> 1;
        index < this.#tree.count(leaf) && changes === this.#changes;
        index++
      ) {
        const range = this.#tree.range(leaf, index);
        const isBehind = range.start >= point;
        point = range.end;
        if (isBehind) yield range;
      }
    }
  }

  /** Removes all ranges. */
  clear(): void {
    this.#tree = new Tree<V>(this.#makeLinks());
    this.#changes++;
  }

  /** All ranges, ascending. */
  toArray(): Range<V>[] {
    return rangesWithin(this.#tree, 0, RANGE_LIMIT);
  }

  /** Throws if the tree is broken; takes O(n), for tests. */
  checkInvariants(): void {
    checkTree(this.#tree);
  }

  #foundIn(): number {
    if (this.#tree.reached !== ENTRY) {
      throw new Error("Cannot tell of the range that was found: none was, or things changed");
    }
    return this.#tree.nodes[0] ?? 0;
  }

  #overlapError(start: number, end: number): RangeError {
    const other = rangesWithin(this.#tree, start, end)[0];
    const where = other === undefined ? "another range" : span(other.start, other.end);
    return new RangeError(`Cannot insert ${span(start, end)}: it overlaps ${where}`);
  }
}

function span(start: number, end: number): string {
  return `[${start}, ${end})`;
}

function requireSpan(action: string, start: number, end: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end) return;
  throw new RangeError(`Cannot ${action} ${span(start, end)}: wanted safe integers with 0 <= start <= end`);
}

function wantedOf({ size, from, to, alignment = 1 }: GapQuery): Required<GapQuery> {
  requireWhole("size", size, 1);
  requireWhole("from", from, 0);
  requireWhole("to", to, 0);
  requireWhole("alignment", alignment, 1);
  return { size, from, to: Math.min(to, RANGE_LIMIT), alignment };
}

function requireWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`Cannot search a gap with ${name} ${value}: wanted a safe integer of at least ${least}`);
}
