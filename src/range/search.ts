// How the range tree is read: by point, by span and by gap. Nothing here changes a node.
// It must not know what the map checks of its arguments.
import type { Node, Range } from "./node.ts";

/** What `RangeMap.firstGap()` is asked for. */
export interface GapQuery {
  /** Points the gap must have room for, at least 1. */
  readonly size: number;
  /** The lowest start. */
  readonly from: number;
  /** The highest end; beyond `RANGE_LIMIT` nothing is found. */
  readonly to: number;
  /** The start is a multiple of this; 1 if absent. */
  readonly alignment?: number;
}

/** A query with nothing left out and all numbers checked. */
type Wanted = Required<GapQuery>;

/** Finds the range that holds `point`. Goes by starts alone: in large trees each column looked at costs a cache miss. */
export function rangeHolding<V>(root: Node<V>, point: number): Range<V> | undefined {
  let node = root;
  for (;;) {
    const index = node.startsUpTo(point) - 1;
    if (index < 0) return undefined;
    if (node.height > 0) {
      node = node.childAt(index);
      continue;
    }
    const range = node.rangeAt(index);
    return point < range.end ? range : undefined;
  }
}

/** Finds the leaf with the first range that ends beyond `point`. */
export function leafBeyond<V>(root: Node<V>, point: number): Node<V> | undefined {
  let node = root;
  for (;;) {
    const index = node.endsUpTo(point);
    if (index === node.count) return undefined;
    if (node.height === 0) return node;
    node = node.childAt(index);
  }
}

/** Lists the ranges that share a point with [start, end), which must not be empty. */
export function rangesWithin<V>(root: Node<V>, span: { start: number; end: number }): Range<V>[] {
  const found: Range<V>[] = [];
  collect(root, span, found);
  return found;
}

function collect<V>(node: Node<V>, span: { start: number; end: number }, found: Range<V>[]): void {
  for (let index = node.endsUpTo(span.start); index < node.count && node.startAt(index) < span.end; index++) {
    if (node.height === 0) found.push(node.rangeAt(index));
    else collect(node.childAt(index), span, found);
  }
}

/** Tells whether a range shares a point with [start, end), which must not be empty. */
export function anyWithin<V>(root: Node<V>, span: { start: number; end: number }): boolean {
  let node = root;
  for (;;) {
    const index = node.endsUpTo(span.start);
    if (index === node.count || node.startAt(index) >= span.end) return false;
    if (node.height === 0 || node.startAt(index) >= span.start) return true;
    node = node.childAt(index);
  }
}

/** Finds the lowest start that fits, or undefined. The space before the first range and behind the last is free too. */
export function lowestFit<V>(root: Node<V>, wanted: Wanted): number | undefined {
  if (root.count === 0) return fit(wanted, 0, wanted.to);
  return fit(wanted, 0, root.start) ?? fitInside(root, wanted) ?? fit(wanted, root.end, wanted.to);
}

/** Looks at the gaps between the ranges below `node`; enters only nodes whose largest gap is large enough. */
function fitInside<V>(node: Node<V>, wanted: Wanted): number | undefined {
  for (let index = node.endsUpTo(wanted.from); index < node.count; index++) {
    if (node.between(index) >= wanted.size) {
      const start = fit(wanted, node.endAt(index - 1), node.startAt(index));
      if (start !== undefined) return start;
    }
    if (node.startAt(index) + wanted.size > wanted.to) return undefined;
    if (node.gapAt(index) >= wanted.size) {
      const start = fitInside(node.childAt(index), wanted);
      if (start !== undefined) return start;
    }
  }
  return undefined;
}

/** The lowest start within the free points [start, end). A remainder is exact where a quotient might not be. */
function fit(wanted: Wanted, start: number, end: number): number | undefined {
  const lowest = Math.max(start, wanted.from);
  const excess = lowest % wanted.alignment;
  const aligned = excess === 0 ? lowest : lowest - excess + wanted.alignment;
  return aligned + wanted.size <= Math.min(end, wanted.to) ? aligned : undefined;
}
