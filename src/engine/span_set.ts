// A few spans of pages, disjoint and ascending, or many: most allocations are mapped once, and a tree for each costs
// kilobytes. It must not know what the spans are of.

import { RangeMap } from "../range/mod.ts";
import type { PageSpan } from "./page_tables.ts";

/** Numbers of a flat list up to which a search from its start is as fast as a tree: 32 spans. */
const FEW_NUMBERS = 64;

/** Pages in spans that stay apart where they touch, as they were added. */
export class SpanSet {
  /** Starts and ends in turn, ascending; unused once there is a tree. */
  #few: number[] = [];
  #many: RangeMap<true> | null = null;

  /** How many spans there are. */
  get size(): number {
    return this.#many?.size ?? this.#few.length / 2;
  }

  /** Adds a span, in place of what there was of its pages. */
  add(start: number, end: number): void {
    this.carve(start, end);
    if (this.#many !== null) return this.#many.insert({ start, end, value: true });
    const few = this.#few;
    let place = few.length;
    while (place > 0 && (few[place - 2] ?? 0) > start) place -= 2;
    few.splice(place, 0, start, end);
    if (few.length > FEW_NUMBERS) this.#grow();
  }

  /** Takes pages out. */
  carve(start: number, end: number): void {
    if (this.#many !== null) {
      this.#many.carve(start, end);
      return;
    }
    const few = this.#few;
    let first = 0;
    while (first < few.length && (few[first + 1] ?? 0) <= start) first += 2;
    let last = first;
    while (last < few.length && (few[last] ?? 0) < end) last += 2;
    if (first === last) return;
    const left: number[] = [];
    const [lowest = start, highest = end] = [few[first], few[last - 1]];
    if (lowest < start) left.push(lowest, start);
    if (highest > end) left.push(end, highest);
    few.splice(first, last - first, ...left);
  }

  /** Whether all of the span is in spans. */
  covers({ start, end }: PageSpan): boolean {
    let from = start;
    for (const span of this.toArray()) if (span.start <= from && from < span.end) from = span.end;
    return from >= end;
  }

  /** All spans, ascending. */
  toArray(): PageSpan[] {
    if (this.#many !== null) return this.#many.toArray();
    const spans: PageSpan[] = [];
    for (let place = 0; place < this.#few.length; place += 2) {
      spans.push({ start: this.#few[place] ?? 0, end: this.#few[place + 1] ?? 0 });
    }
    return spans;
  }

  #grow(): void {
    this.#many = RangeMap.from(this.toArray().map(({ start, end }) => ({ start, end, value: true as const })));
    this.#few = [];
  }
}
