// How the range tree changes: ranges enter, leave or are cut; nodes split, even out and merge on the way back up.
// The way down stands in the tree: a search that was there just now is not made again.
// It must not know what the map checks of its arguments.
import { CAPACITY, ENTRY, GAP, LEAST, NOTHING } from "./tree.ts";
import type { Range, Tree } from "./tree.ts";

/** Two neighbours with at most this many entries together become one node, with room left before the next split. */
const MERGED_AT_MOST = CAPACITY - LEAST;

/** Inserts a range; false if it overlaps another, and then nothing changes. */
export function insertRange<V>(tree: Tree<V>, start: number, end: number, value: V): boolean {
  if (!(tree.reached === GAP && isRoom(tree, start, end)) && !goToGap(tree, start, end)) return false;
  tree.addRange(tree.nodes[0] ?? 0, tree.places[0] ?? 0, start, end, tree.links.hold(value));
  mend(tree, start, end);
  return true;
}

/** Removes the range that starts exactly at `start`. */
export function removeRange<V>(tree: Tree<V>, start: number): Range<V> | undefined {
  if (!goToEntry(tree, start)) return undefined;
  const range = tree.range(tree.nodes[0] ?? 0, tree.places[0] ?? 0);
  if (range.start !== start) return undefined;
  removeReached(tree);
  return range;
}

/** Removes the range that the newest search came to. */
export function removeReached<V>(tree: Tree<V>): void {
  const [node = 0] = tree.nodes;
  const [index = 0] = tree.places;
  const [start, end] = [tree.start(node, index), tree.end(node, index)];
  tree.dropRanges(node, index, index + 1);
  mend(tree, start, end);
}

/** Frees a span, which must not be empty, and returns what was removed. Each leaf it touches is found once. */
export function carveSpan<V>(tree: Tree<V>, start: number, end: number): Range<V>[] {
  const pieces: Range<V>[] = [];
  if (tree.reached === ENTRY && isReached(tree, start, end)) {
    pieces.push(tree.range(tree.nodes[0] ?? 0, tree.places[0] ?? 0));
    removeReached(tree);
    return pieces;
  }
  let reached = start;
  while (reached < end && goToFirstWithin(tree, start, end)) {
    carveLeaf(tree, start, end, pieces);
    mend(tree, start, end);
    reached = pieces.at(-1)?.end ?? end;
  }
  return pieces;
}

/** Goes to the range that holds a point; false where it is free. Points between nodes touch no leaf. */
export function goToEntry<V>(tree: Tree<V>, point: number): boolean {
  let node = tree.root;
  let [low, high] = [tree.start(node, 0), tree.lastEnd(node)];
  tree.reached = NOTHING;
  for (let height = tree.height(node);; height--) {
    const rank = tree.rank(node, point, low, high);
    if ((rank & 1) === 0) return false;
    const index = rank >> 1;
    tree.nodes[height] = node;
    tree.places[height] = index;
    if (height === 0) {
      tree.reached = ENTRY;
      return true;
    }
    low = tree.start(node, index);
    high = tree.end(node, index);
    node = tree.link(node, index);
  }
}

/** Goes to where a range would be inserted; false where it would overlap another. */
function goToGap<V>(tree: Tree<V>, start: number, end: number): boolean {
  let node = tree.root;
  let [low, high] = [tree.start(node, 0), tree.lastEnd(node)];
  tree.reached = NOTHING;
  for (let height = tree.height(node);; height--) {
    const rank = tree.rank(node, start, low, high);
    const index = (rank + 1) >> 1;
    if (index < tree.count(node) && tree.start(node, index) < end) return false;
    tree.nodes[height] = node;
    if (height === 0) {
      tree.places[0] = index;
      return (rank & 1) === 0;
    }
    const position = Math.max(index - 1, 0);
    tree.places[height] = position;
    low = tree.start(node, position);
    high = tree.end(node, position);
    node = tree.link(node, position);
  }
}

/** Goes to the first range within a span. */
function goToFirstWithin<V>(tree: Tree<V>, start: number, end: number): boolean {
  let node = tree.root;
  let [low, high] = [tree.start(node, 0), tree.lastEnd(node)];
  tree.reached = NOTHING;
  for (let height = tree.height(node);; height--) {
    const index = tree.rank(node, start, low, high) >> 1;
    if (index === tree.count(node)) return false;
    low = tree.start(node, index);
    if (low >= end) return false;
    tree.nodes[height] = node;
    tree.places[height] = index;
    if (height === 0) return true;
    high = tree.end(node, index);
    node = tree.link(node, index);
  }
}

/** Whether a range fits before the entry that was come to, between it and its neighbour in the same leaf. */
function isRoom<V>(tree: Tree<V>, start: number, end: number): boolean {
  const [node = 0] = tree.nodes;
  const [index = 0] = tree.places;
  return index > 0 && index < tree.count(node) && tree.end(node, index - 1) <= start && end <= tree.start(node, index);
}

function isReached<V>(tree: Tree<V>, start: number, end: number): boolean {
  const [node = 0] = tree.nodes;
  const [index = 0] = tree.places;
  return tree.start(node, index) === start && tree.end(node, index) === end;
}

/** Frees the span within a leaf: clips the ranges that stick out where they are and takes out those between them. */
function carveLeaf<V>(tree: Tree<V>, start: number, end: number, pieces: Range<V>[]): void {
  const [node = 0] = tree.nodes;
  const [index = 0] = tree.places;
  let first = index;
  if (tree.start(node, index) < start) {
    const whole = tree.range(node, index);
    tree.clipEnd(node, index, start);
    pieces.push({ start, end: Math.min(whole.end, end), value: whole.value });
    first++;
    if (whole.end > end) {
      return tree.addRange(node, first, end, whole.end, tree.links.again(tree.link(node, index)));
    }
  }
  const count = tree.count(node);
  let last = first;
  while (last < count && tree.end(node, last) <= end) {
    pieces.push(tree.range(node, last++));
  }
  if (last < count && tree.start(node, last) < end) {
    const clipped = tree.range(node, last);
    pieces.push({ start: clipped.start, end, value: clipped.value });
    tree.clipStart(node, last, end);
  }
  if (last > first) tree.dropRanges(node, first, last);
}

/** Brings the branches on the way up to date after its leaf changed, as far up as anything did. `start` and `end` filled it. */
function mend<V>(tree: Tree<V>, start: number, end: number): void {
  tree.reached = NOTHING;
  const top = tree.height(tree.root);
  for (let height = 1; height <= top; height++) {
    const node = tree.nodes[height] ?? 0;
    const index = tree.places[height] ?? 0;
    const count = tree.count(tree.nodes[height - 1] ?? 0);
    if (count === CAPACITY) splitChild(tree, node, index, start, end);
    else if (count < LEAST) refill(tree, node, index);
    else if (!tree.refresh(node, index)) return;
  }
  mendRoot(tree, start, end);
}

/** A full root gets a parent with two halves of it, a branch of one node gives way to that node. */
function mendRoot<V>(tree: Tree<V>, start: number, end: number): void {
  const { root } = tree;
  const count = tree.count(root);
  if (count === CAPACITY) {
    tree.root = tree.addNode(tree.height(root) + 1);
    tree.addChild(tree.root, 0, root);
    splitChild(tree, tree.root, 0, start, end);
  } else if (count === 1 && tree.height(root) > 0) {
    tree.root = tree.link(root, 0);
    tree.dropNode(root);
  }
}

function splitChild<V>(tree: Tree<V>, node: number, index: number, start: number, end: number): void {
  const left = tree.link(node, index);
  const right = tree.addNode(tree.height(left));
  tree.moveTail(left, splitPoint(tree, left, start, end), right);
  tree.rescan(left);
  tree.rescan(right);
  tree.refresh(node, index);
  tree.addChild(node, index + 1, right);
  tree.rescan(node);
}

/** Ascending and descending insertion leave three quarters behind instead of halves, so that nodes stay well filled. */
function splitPoint<V>(tree: Tree<V>, full: number, start: number, end: number): number {
  if (tree.end(full, CAPACITY - 1) === end) return CAPACITY - LEAST;
  if (tree.start(full, 0) === start) return LEAST;
  return CAPACITY / 2;
}

/** Brings the node at `index`, which has too few entries, back to enough with the help of a neighbour. */
function refill<V>(tree: Tree<V>, node: number, index: number): void {
  const position = Math.max(index - 1, 0);
  const left = tree.link(node, position);
  const right = tree.link(node, position + 1);
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
