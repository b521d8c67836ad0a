// How the range tree changes: a range enters or leaves, nodes split, even out and merge on the way back up.
// It must not know what the map checks of its arguments.
import { CAPACITY, LEAST, Node } from "./node.ts";
import type { Range } from "./node.ts";

/** Two neighbours with at most this many entries together become one node, with room left before the next split. */
const MERGED_AT_MOST = CAPACITY - LEAST;

/** Inserts below `node`; false if the range overlaps another, and then nothing changes. A full `node` is left to the caller. */
export function insertBelow<V>(node: Node<V>, range: Range<V>): boolean {
  const index = node.startsUpTo(range.start);
  if (index < node.count && node.startAt(index) < range.end) return false;
  if (node.height === 0) {
    if (index > 0 && node.endAt(index - 1) > range.start) return false;
    node.addRange(index, range);
    return true;
  }
  const position = Math.max(index - 1, 0);
  const child = node.childAt(position);
  if (!insertBelow(child, range)) return false;
  if (child.count < CAPACITY) node.refresh(position);
  else splitChild(node, position, range);
  return true;
}

/** Removes the range that starts exactly at `start`. A `node` with too few entries is left to the caller. */
export function removeBelow<V>(node: Node<V>, start: number): Range<V> | undefined {
  const index = node.startsUpTo(start) - 1;
  if (index < 0) return undefined;
  if (node.height === 0) return node.startAt(index) === start ? node.dropRange(index) : undefined;
  const child = node.childAt(index);
  const removed = removeBelow(child, start);
  if (removed === undefined) return undefined;
  if (child.count >= LEAST) node.refresh(index);
  else refill(node, index);
  return removed;
}

/** Gives a full root a parent with two halves of it; `newest` is the range that filled it. */
export function raiseRoot<V>(root: Node<V>, newest: Range<V>): Node<V> {
  const raised = new Node<V>(root.height + 1);
  raised.addChild(0, root);
  splitChild(raised, 0, newest);
  return raised;
}

/** The root after a removal: a branch of one node gives way to that node. */
export function lowerRoot<V>(root: Node<V>): Node<V> {
  return root.height > 0 && root.count === 1 ? root.childAt(0) : root;
}

function splitChild<V>(node: Node<V>, index: number, newest: Range<V>): void {
  const left = node.childAt(index);
  const right = new Node<V>(left.height);
  left.moveTail(splitPoint(left, newest), right);
  left.rescan();
  right.rescan();
  node.refresh(index);
  node.addChild(index + 1, right);
  node.rescan();
}

/** Ascending and descending insertion leave three quarters behind instead of halves, so that nodes stay well filled. */
function splitPoint<V>(full: Node<V>, newest: Range<V>): number {
  if (full.end === newest.end) return CAPACITY - LEAST;
  if (full.start === newest.start) return LEAST;
  return CAPACITY / 2;
}

/** Brings the node at `index`, which has too few entries, back to enough with the help of a neighbour. */
function refill<V>(node: Node<V>, index: number): void {
  const position = Math.max(index - 1, 0);
  const left = node.childAt(position);
  const right = node.childAt(position + 1);
  const total = left.count + right.count;
  const half = total >>> 1;
  if (total <= MERGED_AT_MOST) {
    right.moveTail(0, left);
    node.dropChild(position + 1);
  } else if (left.count < half) {
    right.moveHead(half - left.count, left);
  } else {
    const moved = new Node<V>(left.height);
    left.moveTail(half, moved);
    right.moveTail(0, moved);
    moved.moveTail(0, right);
  }
  left.rescan();
  right.rescan();
  node.refresh(position);
  if (total > MERGED_AT_MOST) node.refresh(position + 1);
  node.rescan();
}
