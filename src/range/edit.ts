// How the range tree changes: ranges enter, leave or are cut; nodes split, even out and merge on the way back up.
// It must not know what the map checks of its arguments.
import { CAPACITY, LEAST } from "./tree.ts";
import type { Range, Tree } from "./tree.ts";

/** Two neighbours with at most this many entries together become one node, with room left before the next split. */
const MERGED_AT_MOST = CAPACITY - LEAST;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Inserts a range; false if it overlaps another, and then nothing changes. */
export function insertRange<V>(tree: Tree<V>, range: Range<V>): boolean {
  const isIn = insertBelow(tree, tree.root, range);
  if (isIn) mendRoot(tree, range);
  return isIn;
}

/** Removes the range that starts exactly at `start`. */
export function removeRange<V>(tree: Tree<V>, start: number): Range<V> | undefined {
  const removed = removeBelow(tree, tree.root, start);
  if (removed !== undefined) mendRoot(tree, removed);
  return removed;
}

/** Frees a span, which must not be empty, and returns what was removed. Each leaf it touches is found once. */
export function carveSpan<V>(tree: Tree<V>, span: Span): Range<V>[] {
  const pieces: Range<V>[] = [];
  let reached = span.start;
  while (reached < span.end && carveBelow(tree, tree.root, { span, pieces })) {
    mendRoot(tree, span);
    reached = pieces.at(-1)?.end ?? span.end;
  }
  return pieces;
}

function insertBelow<V>(tree: Tree<V>, node: number, range: Range<V>): boolean {
  const index = tree.startsUpTo(node, range.start);
  if (index < tree.count(node) && tree.start(node, index) < range.end) {
    return false;
  }
  if (tree.height(node) === 0) {
    if (index > 0 && tree.end(node, index - 1) > range.start) return false;
    tree.addRange(node, index, range);
    return true;
  }
  const position = Math.max(index - 1, 0);
  const child = tree.child(node, position);
  if (!insertBelow(tree, child, range)) return false;
  if (tree.count(child) < CAPACITY) tree.refresh(node, position);
  else splitChild(tree, { node, index: position }, range);
  return true;
}

function removeBelow<V>(tree: Tree<V>, node: number, start: number): Range<V> | undefined {
  const index = tree.startsUpTo(node, start) - 1;
  if (index < 0) return undefined;
  if (tree.height(node) === 0) {
    if (tree.start(node, index) !== start) return undefined;
    const range = tree.range(node, index);
    tree.dropRanges(node, index, index + 1);
    return range;
  }
  const child = tree.child(node, index);
  const removed = removeBelow(tree, child, start);
  if (removed === undefined) return undefined;
  if (tree.count(child) >= LEAST) tree.refresh(node, index);
  else refill(tree, node, index);
  return removed;
}

interface Carving<V> {
  readonly span: Span;
  readonly pieces: Range<V>[];
}

/** Frees what the first leaf within the span holds of it; false if nothing does. */
function carveBelow<V>(tree: Tree<V>, node: number, carving: Carving<V>): boolean {
  const { start, end } = carving.span;
  const index = tree.endsUpTo(node, start);
  if (index === tree.count(node) || tree.start(node, index) >= end) {
    return false;
  }
  if (tree.height(node) === 0) {
    carveLeaf(tree, { node, index }, carving);
    return true;
  }
  const child = tree.child(node, index);
  if (!carveBelow(tree, child, carving)) return false;
  const count = tree.count(child);
  if (count === CAPACITY) splitChild(tree, { node, index }, carving.span);
  else if (count >= LEAST) tree.refresh(node, index);
  else refill(tree, node, index);
  return true;
}

/** A place in the tree: an entry of a node. */
interface Place {
  readonly node: number;
  readonly index: number;
}

/** Frees the span within a leaf: clips the ranges that stick out where they are and takes out those between them. */
function carveLeaf<V>(tree: Tree<V>, { node, index }: Place, { span, pieces }: Carving<V>): void {
  const { start, end } = span;
  let first = index;
  if (tree.start(node, index) < start) {
    const whole = tree.range(node, index);
    tree.clipEnd(node, index, start);
    pieces.push({ start, end: Math.min(whole.end, end), value: whole.value });
    first++;
    if (whole.end > end) {
      return tree.addRange(node, first, { start: end, end: whole.end, value: whole.value });
    }
  }
  const count = tree.count(node);
  let last = first;
  while (last < count && tree.end(node, last) <= end) {
    pieces.push(tree.range(node, last++));
  }
  if (last < count && tree.start(node, last) < end) {
    pieces.push({ start: tree.start(node, last), end, value: tree.value(node, last) });
    tree.clipStart(node, last, end);
  }
  if (last > first) tree.dropRanges(node, first, last);
}

/** A full root gets a parent with two halves of it, a branch of one node gives way to that node. `newest` filled it. */
function mendRoot<V>(tree: Tree<V>, newest: Span): void {
  const { root } = tree;
  const count = tree.count(root);
  if (count === CAPACITY) {
    tree.root = tree.addNode(tree.height(root) + 1);
    tree.addChild(tree.root, 0, root);
    splitChild(tree, { node: tree.root, index: 0 }, newest);
  } else if (count === 1 && tree.height(root) > 0) {
    tree.root = tree.child(root, 0);
    tree.dropNode(root);
  }
}

function splitChild<V>(tree: Tree<V>, { node, index }: Place, newest: Span): void {
  const left = tree.child(node, index);
  const right = tree.addNode(tree.height(left));
  tree.moveTail(left, splitPoint(tree, left, newest), right);
  tree.rescan(left);
  tree.rescan(right);
  tree.refresh(node, index);
  tree.addChild(node, index + 1, right);
  tree.rescan(node);
}

/** Ascending and descending insertion leave three quarters behind instead of halves, so that nodes stay well filled. */
function splitPoint<V>(tree: Tree<V>, full: number, newest: Span): number {
  if (tree.end(full, CAPACITY - 1) === newest.end) return CAPACITY - LEAST;
  if (tree.start(full, 0) === newest.start) return LEAST;
  return CAPACITY / 2;
}

/** Brings the node at `index`, which has too few entries, back to enough with the help of a neighbour. */
function refill<V>(tree: Tree<V>, node: number, index: number): void {
  const position = Math.max(index - 1, 0);
  const left = tree.child(node, position);
  const right = tree.child(node, position + 1);
  const total = tree.count(left) + tree.count(right);
  if (total <= MERGED_AT_MOST) {
    tree.moveTail(right, 0, left);
    tree.dropChild(node, position + 1);
  } else {
    tree.evenOut(left, right, total >>> 1);
    tree.rescan(right);
    tree.refresh(node, position + 1);
  }
  tree.rescan(left);
  tree.refresh(node, position);
  tree.rescan(node);
}
