// What must hold of the range tree between two calls, checked slowly from first principles, for tests.
// It must not trust a summary, nor the code that keeps one.
import { CAPACITY, LEAST } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** Throws unless the tree is sound. */
export function checkTree<V>(tree: Tree<V>): void {
  const found = checkNode(tree, tree.root);
  claim(found.ranges === tree.size, `it holds ${found.ranges} ranges and counts ${tree.size}`);
  claim(found.nodes === tree.nodeCount, `it holds ${found.nodes} nodes and counts ${tree.nodeCount}`);
}

/** What a node and all below hold. */
interface Found {
  readonly ranges: number;
  readonly nodes: number;
}

/** Checks one node and all below. */
function checkNode<V>(tree: Tree<V>, node: number): Found {
  const count = tree.count(node);
  const height = tree.height(node);
  const least = node !== tree.root ? LEAST : height > 0 ? 2 : 0;
  claim(count >= least && count < CAPACITY, `a node has ${count} entries, wanted ${least} to ${CAPACITY - 1}`);
  let ranges = 0;
  let nodes = 1;
  let widest = 0;
  for (let index = 0; index < count; index++) {
    const start = tree.start(node, index);
    const free = index === 0 ? 0 : start - tree.end(node, index - 1);
    claim(free >= 0, `an entry starts at ${start}, ${-free} points before the one left of it ends`);
    claim(start < tree.end(node, index), `an entry [${start}, ${tree.end(node, index)}) is empty`);
    widest = Math.max(widest, free);
    const held = height === 0 ? { ranges: 1, nodes: 0 } : checkChild(tree, node, index);
    if (height > 0) {
      const below = tree.gap(tree.link(node, index));
      claim(tree.gapBelow(node, index) === below, `a branch knows ${tree.gapBelow(node, index)} of a gap of ${below}`);
      widest = Math.max(widest, below);
    }
    ranges += held.ranges;
    nodes += held.nodes;
  }
  claim(tree.gap(node) === widest, `a node's largest gap is ${widest} points and it says ${tree.gap(node)}`);
  return { ranges, nodes };
}

/** Checks the node at `index` of a branch, and that the columns of the branch say of it what it is. */
function checkChild<V>(tree: Tree<V>, node: number, index: number): Found {
  const child = tree.link(node, index);
  const [start, end] = [tree.start(child, 0), tree.end(child, tree.count(child) - 1)];
  claim(tree.height(child) === tree.height(node) - 1, `a node of height ${tree.height(node)} skips a level`);
  claim(tree.start(node, index) === start, `a node starts at ${start}, not at ${tree.start(node, index)}`);
  claim(tree.end(node, index) === end, `a node ends at ${end}, not at ${tree.end(node, index)}`);
  return checkNode(tree, child);
}

function claim(holds: boolean, trouble: string): void {
  if (!holds) throw new Error(`Cannot trust the range tree: ${trouble}`);
}
