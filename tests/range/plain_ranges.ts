// The oracle for `RangeMap`: the same promises kept by a plain sorted array, slowly and obviously.
// It must share no code with `src/range`, only the shape of a range.
import type { Range } from "../../src/range/mod.ts";

/** A list of ranges that answers each question by looking at all of them. */
export class PlainRanges<V> {
  #ranges: Range<V>[] = [];

  /** All ranges, ascending. */
  toArray(): Range<V>[] {
    return this.#ranges;
  }

  /** The range that holds the point. */
  at(point: number): Range<V> | undefined {
    return this.#ranges.find((range) => range.start <= point && point < range.end);
  }

  /** Adds a range; false if it overlaps. */
  insert(range: Range<V>): boolean {
    if (this.overlapping(range.start, range.end).length > 0) return false;
    this.#ranges = [...this.#ranges, range].sort((left, right) => left.start - right.start);
    return true;
  }

  /** Removes the range that starts there. */
  remove(start: number): Range<V> | undefined {
    const found = this.#ranges.find((range) => range.start === start);
    this.#ranges = this.#ranges.filter((range) => range !== found);
    return found;
  }

  /** Cuts every range in up to three parts and keeps those outside. */
  carve(start: number, end: number): Range<V>[] {
    if (start === end) return [];
    const removed: Range<V>[] = [];
    const kept: Range<V>[] = [];
    for (const range of this.#ranges) {
      kept.push({ ...range, end: Math.min(range.end, start) }, { ...range, start: Math.max(range.start, end) });
      removed.push({ ...range, start: Math.max(range.start, start), end: Math.min(range.end, end) });
    }
    this.#ranges = kept.filter((range) => range.start < range.end);
    return removed.filter((range) => range.start < range.end);
  }

  /** The ranges that share a point with the span. */
  overlapping(start: number, end: number): Range<V>[] {
    return this.#ranges.filter((range) => Math.max(range.start, start) < Math.min(range.end, end));
  }

  /** Tells whether the pieces within the span add up to it. */
  covered(start: number, end: number): boolean {
    let points = 0;
    for (const range of this.overlapping(start, end)) points += Math.min(range.end, end) - Math.max(range.start, start);
    return points === end - start;
  }

  /** Tries every aligned start from the highest down. */
  lastGap(query: { size: number; from: number; to: number; alignment: number }): number | undefined {
    const { size, from, to, alignment } = query;
    for (let start = to - size - (to - size) % alignment; start >= from && start >= 0;) {
      const taken = this.overlapping(start, start + size)[0];
      if (taken === undefined) return start;
      const highest = taken.start - size;
      start = highest < 0 ? -1 : highest - highest % alignment;
    }
    return undefined;
  }

  /** Tries the lowest aligned start, and while that is taken the lowest behind what takes it. */
  firstGap(query: { size: number; from: number; to: number; alignment: number }): number | undefined {
    const { size, from, to, alignment } = query;
    let start = roundUp(from, alignment);
    while (start + size <= to) {
      const taken = this.overlapping(start, start + size).at(-1);
      if (taken === undefined) return start;
      start = roundUp(taken.end, alignment);
    }
    return undefined;
  }
}

function roundUp(point: number, alignment: number): number {
  return Number((BigInt(point) + BigInt(alignment) - 1n) / BigInt(alignment) * BigInt(alignment));
}
