// Where the range tree lives: the columns of all nodes in one array, so that reading one costs no object and few cache misses.
// It must not know how entries are found, split or merged; that is `edit.ts` and `search.ts`.

/** A half-open range [start, end) of whole numbers and the value that stands for it. */
export interface Range<V> {
  /** The first point of the range. */
  readonly start: number;
  /** The first point behind the range. */
  readonly end: number;
  /** What the range stands for. */
  readonly value: V;
}

/** No range ends beyond this: 2^52, below which every whole number and every sum of two is exact. */
export const RANGE_LIMIT = 2 ** 52;

/** Entries a node has room for; a node that reaches this is split at once, so between calls it holds fewer. */
export const CAPACITY = 64;

/** Entries that every node but the root holds at least. */
export const LEAST = 16;

/** A node's block of cells: `CAPACITY` starts, as many ends, as many links, and in a branch as many gaps. */
const ENDS = CAPACITY;
const LINKS = 2 * CAPACITY;
const GAPS = 3 * CAPACITY;
const BLOCK = 4 * CAPACITY;

/** Tells the compiler that a slot in use holds what was put there: `undefined` too may be a value. */
function isHeld<V>(values: readonly (V | undefined)[], handle: number, _value: V | undefined): _value is V {
  return handle < values.length;
}

/**
 * A tree of nodes, which are numbers. A node is a leaf, whose entries are ranges, or a branch, whose entries are nodes.
 *
 * Node n owns the block of cells from `n * BLOCK` on, and of its `CAPACITY` slots the first `count`, ascending: where an
 * entry starts, where it ends, and a link (of a range the handle of its value), so one code serves both; a branch also has
 * the largest gap of each of its nodes at hand. The numbers of
 * nodes and handles given back serve again. Links read from cells are cut to integers (`| 0`), or all sums of slots would
 * be made in floating point.
 */
export class Tree<V> {
  /** The node that holds all others. */
  root = 0;
  /** The blocks of all nodes in one array, as most maps are small and an array costs more to make than a range to put in. */
  #cells = new Float64Array(BLOCK);
  /** By node: the number of entries, the steps down to the leaves, and the largest gap. */
  readonly #counts = [0];
  readonly #heights = [0];
  readonly #gaps = [0];
  #nodesMade = 1;
  readonly #idleNodes: number[] = [];
  readonly #values: (V | undefined)[] = [];
  readonly #idleHandles: number[] = [];

  /** The number of ranges. */
  get size(): number {
    return this.#values.length - this.#idleHandles.length;
  }

  /** The number of nodes. */
  get nodeCount(): number {
    return this.#nodesMade - this.#idleNodes.length;
  }

  /** The number of entries. */
  count(node: number): number {
    return this.#counts[node] ?? 0;
  }

  /** Steps down to the leaves: 0 for a leaf. */
  height(node: number): number {
    return this.#heights[node] ?? 0;
  }

  /** The largest gap between two neighbouring ranges below the node; what lies outside of it does not count. */
  gap(node: number): number {
    return this.#gaps[node] ?? 0;
  }

  /** Where the entry at `index` starts. */
  start(node: number, index: number): number {
    return this.#cells[node * BLOCK + index] ?? 0;
  }

  /** Where the entry at `index` ends. */
  end(node: number, index: number): number {
    return this.#cells[node * BLOCK + ENDS + index] ?? 0;
  }

  /** The node at `index` of a branch. */
  child(node: number, index: number): number {
    return (this.#cells[node * BLOCK + LINKS + index] ?? 0) | 0;
  }

  /** The value at `index` of a leaf. */
  value(node: number, index: number): V {
    const handle = (this.#cells[node * BLOCK + LINKS + index] ?? 0) | 0;
    const value = this.#values[handle];
    if (isHeld(this.#values, handle, value)) return value;
    throw new Error(`Cannot read value ${handle}: the tree holds ${this.#values.length}`);
  }

  /** The range at `index` of a leaf, made anew. */
  range(node: number, index: number): Range<V> {
    return { start: this.start(node, index), end: this.end(node, index), value: this.value(node, index) };
  }

  /** The largest gap below the entry at `index` of a branch, as the branch knows it. */
  gapBelow(node: number, index: number): number {
    return this.#cells[node * BLOCK + GAPS + index] ?? 0;
  }

  /** The first entry from `index` on with `size` free points before it or below it; the count where there is none. */
  roomFrom(node: number, index: number, size: number): number {
    const cells = this.#cells;
    const base = node * BLOCK;
    const count = this.count(node);
    const isBranch = this.height(node) > 0;
    let slot = base + index;
    for (; slot < base + count; slot++) {
      if (isBranch && (cells[GAPS + slot] ?? 0) >= size) break;
      if (slot > base && (cells[slot] ?? 0) - (cells[ENDS + slot - 1] ?? 0) >= size) break;
    }
    return slot - base;
  }

  /** The free points before the entry at `index`, up to the entry left of it; 0 at the rims. */
  between(node: number, index: number): number {
    if (index <= 0 || index >= this.count(node)) return 0;
    return this.start(node, index) - this.end(node, index - 1);
  }

  /** Counts the entries that start at or before `point`. */
  startsUpTo(node: number, point: number): number {
    return this.#countUpTo(node * BLOCK, this.count(node), point);
  }

  /** Counts the entries that end at or before `point`, which is the index of the first that ends beyond it. */
  endsUpTo(node: number, point: number): number {
    return this.#countUpTo(node * BLOCK + ENDS, this.count(node), point);
  }

  /** Makes an empty node of this height. */
  addNode(height: number): number {
    const node = this.#idleNodes.pop() ?? this.#nodesMade++;
    if (this.#cells.length < this.#nodesMade * BLOCK) {
      const cells = new Float64Array(2 * this.#cells.length);
      cells.set(this.#cells);
      this.#cells = cells;
    }
    this.#counts[node] = 0;
    this.#gaps[node] = 0;
    this.#heights[node] = height;
    return node;
  }

  /** Gives back a node that nothing links to. */
  dropNode(node: number): void {
    this.#idleNodes.push(node);
  }

  /** Puts a range at `index` of a leaf, which must have room. */
  addRange(node: number, index: number, range: Range<V>): void {
    const halved = this.between(node, index);
    const handle = this.#idleHandles.pop() ?? this.#values.length;
    this.#values[handle] = range.value;
    this.#openSlot(node, index, { start: range.start, end: range.end, link: handle });
    if (halved > 0 && halved === this.gap(node)) this.rescan(node);
    else this.#widen(node, Math.max(this.between(node, index), this.between(node, index + 1)));
  }

  /** Takes the ranges from `index` up to `end` out of a leaf. */
  dropRanges(node: number, index: number, end: number): void {
    const base = node * BLOCK;
    for (let slot = base + index; slot < base + end; slot++) {
      const handle = (this.#cells[LINKS + slot] ?? 0) | 0;
      this.#values[handle] = undefined;
      this.#idleHandles.push(handle);
    }
    const isAtRim = index === 0 || end === this.count(node);
    this.#closeSlots(node, index, end);
    if (isAtRim) this.rescan(node);
    else this.#widen(node, this.between(node, index));
  }

  /** Lets the range at `index` of a leaf start later. */
  clipStart(node: number, index: number, start: number): void {
    this.#cells[node * BLOCK + index] = start;
    this.#widen(node, this.between(node, index));
  }

  /** Lets the range at `index` of a leaf end sooner. */
  clipEnd(node: number, index: number, end: number): void {
    this.#cells[node * BLOCK + ENDS + index] = end;
    this.#widen(node, this.between(node, index + 1));
  }

  /** Puts a node at `index` of a branch, which must have room. The largest gap is right after `rescan()`. */
  addChild(node: number, index: number, child: number): void {
    const end = this.end(child, this.count(child) - 1);
    this.#openSlot(node, index, { start: this.start(child, 0), end, link: child });
    this.#cells[node * BLOCK + GAPS + index] = this.gap(child);
  }

  /** Takes the node at `index` out of a branch and gives it back. The largest gap is right after `rescan()`. */
  dropChild(node: number, index: number): void {
    this.dropNode(this.child(node, index));
    this.#closeSlots(node, index, index + 1);
  }

  /** Brings the entry at `index` of a branch up to date after its node changed. */
  refresh(node: number, index: number): void {
    const child = this.child(node, index);
    const start = this.start(child, 0);
    const end = this.end(child, this.count(child) - 1);
    const gap = this.gap(child);
    const slot = node * BLOCK + index;
    const cells = this.#cells;
    if (cells[slot] === start && cells[ENDS + slot] === end && cells[GAPS + slot] === gap) return;
    const before = this.#widestAt(node, index);
    cells[slot] = start;
    cells[ENDS + slot] = end;
    cells[GAPS + slot] = gap;
    const after = this.#widestAt(node, index);
    if (after >= this.gap(node)) this.#gaps[node] = after;
    else if (before === this.gap(node)) this.rescan(node);
  }

  /** Moves the entries from `index` on to the end of `target`, which must have room. Both need `rescan()` after it. */
  moveTail(node: number, index: number, target: number): void {
    const room = this.count(target);
    const length = this.count(node) - index;
    this.#copy(node * BLOCK + index, target * BLOCK + room, length);
    this.#counts[target] = room + length;
    this.#counts[node] = index;
  }

  /** Evens out two neighbours, so that `left` has `half`. Both need `rescan()` after it. */
  evenOut(left: number, right: number, half: number): void {
    const surplus = this.count(left) - half;
    const rest = this.count(right) + surplus;
    const [from, to] = [left * BLOCK, right * BLOCK];
    if (surplus > 0) {
      this.#copy(to, to + surplus, this.count(right));
      this.#copy(from + half, to, surplus);
    } else {
      this.#copy(to, from + this.count(left), -surplus);
      this.#copy(to - surplus, to, rest);
    }
    this.#counts[left] = half;
    this.#counts[right] = rest;
  }

  /** Finds the largest gap anew. */
  rescan(node: number): void {
    const base = node * BLOCK;
    const beyond = base + this.count(node);
    let widest = 0;
    for (let slot = base + 1; slot < beyond; slot++) {
      const free = (this.#cells[slot] ?? 0) - (this.#cells[ENDS + slot - 1] ?? 0);
      if (free > widest) widest = free;
    }
    if (this.height(node) > 0) {
      for (let slot = base; slot < beyond; slot++) {
        const inner = this.#cells[GAPS + slot] ?? 0;
        if (inner > widest) widest = inner;
      }
    }
    this.#gaps[node] = widest;
  }

  /** Counts the cells from `base` on, `count` of them and ascending, that are at most `point`. */
  #countUpTo(base: number, count: number, point: number): number {
    const cells = this.#cells;
    let low = base;
    let left = count;
    while (left > 0) {
      const half = (left + 1) >>> 1;
      if ((cells[low + half - 1] ?? 0) <= point) low += half;
      left -= half;
    }
    return low - base;
  }

  /** The largest of the gaps below an entry of a branch and on both sides of it. */
  #widestAt(node: number, index: number): number {
    return Math.max(this.gapBelow(node, index), this.between(node, index), this.between(node, index + 1));
  }

  #widen(node: number, gap: number): void {
    if (gap > this.gap(node)) this.#gaps[node] = gap;
  }

  /** Puts an entry at `index` and moves the rest up. A loop, as most moves are short. */
  #openSlot(node: number, index: number, entry: { start: number; end: number; link: number }): void {
    const count = this.count(node);
    const slot = node * BLOCK + index;
    const last = node * BLOCK + count;
    const cells = this.#cells;
    if (this.height(node) > 0) cells.copyWithin(GAPS + slot + 1, GAPS + slot, GAPS + last);
    for (let to = last; to > slot; to--) {
      cells[to] = cells[to - 1] ?? 0;
      cells[ENDS + to] = cells[ENDS + to - 1] ?? 0;
      cells[LINKS + to] = cells[LINKS + to - 1] ?? 0;
    }
    cells[slot] = entry.start;
    cells[ENDS + slot] = entry.end;
    cells[LINKS + slot] = entry.link;
    this.#counts[node] = count + 1;
  }

  #closeSlots(node: number, index: number, end: number): void {
    const count = this.count(node);
    const length = end - index;
    const beyond = node * BLOCK + count;
    const cells = this.#cells;
    if (this.height(node) > 0) {
      cells.copyWithin(GAPS + node * BLOCK + index, GAPS + node * BLOCK + end, GAPS + beyond);
    }
    for (let from = node * BLOCK + end; from < beyond; from++) {
      cells[from - length] = cells[from] ?? 0;
      cells[ENDS + from - length] = cells[ENDS + from] ?? 0;
      cells[LINKS + from - length] = cells[LINKS + from] ?? 0;
    }
    this.#counts[node] = count - length;
  }

  #copy(from: number, to: number, length: number): void {
    this.#cells.copyWithin(to, from, from + length);
    this.#cells.copyWithin(ENDS + to, ENDS + from, ENDS + from + length);
    this.#cells.copyWithin(LINKS + to, LINKS + from, LINKS + from + length);
    this.#cells.copyWithin(GAPS + to, GAPS + from, GAPS + from + length);
  }
}
