// What must hold of the range tree between two calls, checked slowly from first principles, for tests.
// It must not trust a summary, nor the code that keeps one.
import { CAPACITY, LEAST } from "./node.ts";
import type { Node } from "./node.ts";

/** Throws unless the tree under `root` is sound and holds `size` ranges. */
export function checkTree<V>(root: Node<V>, size: number): void {
  const found = checkNode(root, true);
  claim(found === size, `it holds ${found} ranges and counts ${size}`);
}

/** Checks one node and all below; returns how many ranges it holds. */
function checkNode<V>(node: Node<V>, isRoot: boolean): number {
  const { count, height } = node;
  const least = !isRoot ? LEAST : height > 0 ? 2 : 0;
  claim(count >= least && count < CAPACITY, `a node has ${count} entries, wanted ${least} to ${CAPACITY - 1}`);
  claim(node.ranges.length === (height === 0 ? count : 0), `a node of ${count} keeps ${node.ranges.length} ranges`);
  claim(node.children.length === (height === 0 ? 0 : count), `a node of ${count} keeps ${node.children.length} nodes`);
  let ranges = 0;
  let widest = 0;
  for (let index = 0; index < count; index++) {
    const start = node.startAt(index);
    const free = index === 0 ? 0 : start - node.endAt(index - 1);
    claim(free >= 0, `an entry starts at ${start}, ${-free} points before the one left of it ends`);
    ranges += checkEntry(node, index);
    widest = Math.max(widest, free, node.gapAt(index));
  }
  claim(node.gap === widest, `a node's largest gap is ${widest} points and it says ${node.gap}`);
  return ranges;
}

/** Checks that the columns say of entry `index` what it is; returns how many ranges it holds. */
function checkEntry<V>(node: Node<V>, index: number): number {
  const isLeaf = node.height === 0;
  const entry = isLeaf ? { ...node.rangeAt(index), gap: 0 } : node.childAt(index);
  const held = isLeaf ? 1 : checkNode(node.childAt(index), false);
  if (!isLeaf) claim(node.childAt(index).height === node.height - 1, `a node of height ${node.height} skips a level`);
  claim(node.startAt(index) === entry.start, `an entry starts at ${entry.start}, not at ${node.startAt(index)}`);
  claim(node.endAt(index) === entry.end, `an entry ends at ${entry.end}, not at ${node.endAt(index)}`);
  claim(node.gapAt(index) === entry.gap, `an entry's largest gap is ${entry.gap}, not ${node.gapAt(index)}`);
  claim(entry.start < entry.end, `an entry [${entry.start}, ${entry.end}) is empty`);
  return held;
}

function claim(holds: boolean, trouble: string): void {
  if (!holds) throw new Error(`Cannot trust the range tree: ${trouble}`);
}
