// How the range tree is read: by span and by gap. Nothing here changes a node.
// It must not know what the map checks of its arguments.
import { GAP, NOTHING } from "./tree.ts";
import type { Range, Tree } from "./tree.ts";

/** What `RangeMap.firstGap()` and `lastGap()` are asked for. */
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

/** Finds the leaf with the first range that ends beyond `point`. */
export function leafBeyond<V>(tree: Tree<V>, point: number): number | undefined {
  let node = tree.root;
  for (let height = tree.height(node);; height--) {
    const index = tree.rankIn(node, point) >> 1;
    if (index === tree.count(node)) return undefined;
    if (height === 0) return node;
    node = tree.link(node, index);
  }
}

/** Lists the ranges that share a point with [start, end), which must not be empty. */
export function rangesWithin<V>(tree: Tree<V>, start: number, end: number): Range<V>[] {
  const found: Range<V>[] = [];
  const { root } = tree;
  collect(tree, root, tree.start(root, 0), tree.lastEnd(root), { start, end, found });
  return found;
}

interface Collecting<V> {
  readonly start: number;
  readonly end: number;
  readonly found: Range<V>[];
}

/** `low` and `high` are the node's rims. */
function collect<V>(tree: Tree<V>, node: number, low: number, high: number, collecting: Collecting<V>): void {
  const { start, end, found } = collecting;
  const count = tree.count(node);
  const isLeaf = tree.height(node) === 0;
  for (let index = tree.rank(node, start, low, high) >> 1; index < count; index++) {
    const first = tree.start(node, index);
    if (first >= end) return;
    if (isLeaf) found.push(tree.range(node, index));
    else collect(tree, tree.link(node, index), first, tree.end(node, index), collecting);
  }
}

/** Tells whether a range shares a point with [start, end), which must not be empty. */
export function anyWithin<V>(tree: Tree<V>, start: number, end: number): boolean {
  let node = tree.root;
  let [low, high] = [tree.start(node, 0), tree.lastEnd(node)];
  for (let height = tree.height(node);; height--) {
    const index = tree.rank(node, start, low, high) >> 1;
    if (index === tree.count(node)) return false;
    low = tree.start(node, index);
    if (low >= end) return false;
    if (height === 0 || low >= start) return true;
    high = tree.end(node, index);
    node = tree.link(node, index);
  }
}

/** Finds the lowest start that fits, or undefined. The space before the first range and behind the last is free too. */
export function lowestFit<V>(tree: Tree<V>, wanted: Wanted): number | undefined {
  const { root } = tree;
  const count = tree.count(root);
  tree.reached = NOTHING;
  if (count === 0) return fit(wanted, 0, wanted.to);
  return fit(wanted, 0, tree.start(root, 0)) ?? fitInside(tree, root, wanted) ??
    fit(wanted, tree.end(root, count - 1), wanted.to);
}

/**
 * Looks at the gaps between the ranges below `node`; enters only nodes whose largest gap is large enough. The tree keeps the way
 * to what was found inside a leaf.
 */
function fitInside<V>(tree: Tree<V>, node: number, wanted: Wanted): number | undefined {
  const { size, from, to } = wanted;
  const count = tree.count(node);
  const height = tree.height(node);
  let index = tree.roomFrom(node, from <= tree.start(node, 0) ? 0 : tree.rankIn(node, from) >> 1, size);
  for (; index < count; index = tree.roomFrom(node, index + 1, size)) {
    tree.nodes[height] = node;
    tree.places[height] = index;
    if (tree.between(node, index) >= size) {
      const start = fit(wanted, tree.end(node, index - 1), tree.start(node, index));
      if (start !== undefined) {
        if (height === 0) tree.reached = GAP;
        return start;
      }
    }
    if (tree.start(node, index) + size > to) return undefined;
    if (height > 0 && tree.gapBelow(node, index) >= size) {
      const start = fitInside(tree, tree.link(node, index), wanted);
      if (start !== undefined) return start;
    }
  }
  return undefined;
}

/** Finds the highest start that fits, or undefined. */
export function highestFit<V>(tree: Tree<V>, wanted: Wanted): number | undefined {
  const { root } = tree;
  const count = tree.count(root);
  if (count === 0) return fitHigh(wanted, 0, wanted.to);
  return fitHigh(wanted, tree.end(root, count - 1), wanted.to) ?? fitInsideHigh(tree, root, wanted) ??
    fitHigh(wanted, 0, tree.start(root, 0));
}

/** As `fitInside`, from the highest gap down. */
function fitInsideHigh<V>(tree: Tree<V>, node: number, wanted: Wanted): number | undefined {
  const { size, from } = wanted;
  const isBranch = tree.height(node) > 0;
  // The gap that `to` lies in belongs to the entry behind it.
  const last = Math.min((tree.rankIn(node, wanted.to) + 1) >> 1, tree.count(node) - 1);
  for (let index = last; index >= 0 && tree.end(node, index) > from; index--) {
    if (isBranch && tree.gapBelow(node, index) >= size) {
      const start = fitInsideHigh(tree, tree.link(node, index), wanted);
      if (start !== undefined) return start;
    }
    if (tree.between(node, index) >= size) {
      const start = fitHigh(wanted, tree.end(node, index - 1), tree.start(node, index));
      if (start !== undefined) return start;
    }
  }
  return undefined;
}

/** The highest start within the free points [start, end). */
function fitHigh({ size, from, to, alignment }: Wanted, start: number, end: number): number | undefined {
  const highest = Math.min(end, to) - size;
  const aligned = alignment === 1 ? highest : highest - highest % alignment;
  return highest >= 0 && aligned >= Math.max(start, from) ? aligned : undefined;
}

/** The lowest start within the free points [start, end). A remainder is exact where a quotient might not be. */
function fit(wanted: Wanted, start: number, end: number): number | undefined {
  const lowest = Math.max(start, wanted.from);
  // Of numbers that may be fractions to the compiler, a remainder takes longer than all else here.
  const excess = wanted.alignment === 1 ? 0 : lowest % wanted.alignment;
  const aligned = excess === 0 ? lowest : lowest - excess + wanted.alignment;
  return aligned + wanted.size <= Math.min(end, wanted.to) ? aligned : undefined;
}
