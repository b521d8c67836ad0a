// Where the range tree lives: the columns of all nodes in a few arrays, so that reading one costs no object and few cache
// misses. It must not know how entries are found, split or merged; that is `edit.ts` and `search.ts`.

import type { Links } from "./links.ts";

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

/** A node's block of cells: `CAPACITY` pairs of start and end, and behind them as many links of half a cell. */
const LINKS = 2 * CAPACITY;
const BLOCK = 2 * CAPACITY + CAPACITY / 2;

/** Cells that a search looks at one by one from where it thinks the point is. */
const LOOKED_AT = 8;

/** The steps from root to leaf that a tree of 2^31 nodes could have, and more. */
const MOST_LEVELS = 16;

/** The way of the newest search leads nowhere, or things changed since. */
export const NOTHING = 0;
/** It leads to an entry of a leaf. */
export const ENTRY = 1;
/** It leads to the free points before an entry of a leaf. */
export const GAP = 2;

/**
 * A tree of nodes, which are numbers. A node is a leaf, whose entries are ranges, or a branch, whose entries are nodes.
 *
 * Node n owns the block of cells from `n * BLOCK` on, and of its `CAPACITY` pairs the first `count`, ascending: where an
 * entry starts and where it ends, side by side, as who finds the one wants the other; then a link, of a range what stands for
 * its value, so one code serves both. A branch also has the largest gap of each of its nodes at hand. The numbers of nodes
 * given back serve again.
 */
export class Tree<V> {
  /** The node that holds all others. */
  root = 0;
  /** The number of ranges. */
  size = 0;
  readonly links: Links<V>;
  /**
   * The way of the newest search by height, 0 for the leaf: the node, and the index of an entry in it. Good for what `reached`
   * says until something changes: who looks and then inserts or takes out goes down once.
   */
  readonly nodes = new Int32Array(MOST_LEVELS);
  readonly places = new Int32Array(MOST_LEVELS);
  /** What the way leads to: an entry of a leaf, or the free points before it. */
  reached = NOTHING;
  /** The blocks of all nodes in one array, as most maps are small and an array costs more to make than a range to put in. */
  #cells = new Float64Array(BLOCK);
  /** The same bytes, for links. */
  #halves = new Int32Array(this.#cells.buffer);
  /** By node `CAPACITY` gaps, those of branches; none as long as there is no branch. */
  #below = new Float64Array(0);
  /** By node: the number of entries and, above 8 bits, the steps down to the leaves; and the largest gap. */
  #shapes = new Int32Array(1);
  #gaps = new Float64Array(1);
  #nodesMade = 1;
  readonly #idleNodes: number[] = [];

  constructor(links: Links<V>) {
    this.links = links;
  }

  /** The number of nodes. */
  get nodeCount(): number {
    return this.#nodesMade - this.#idleNodes.length;
  }

  /** The number of entries. */
  count(node: number): number {
    return (this.#shapes[node] ?? 0) & 0xff;
  }

  /** Steps down to the leaves: 0 for a leaf. */
  height(node: number): number {
    return (this.#shapes[node] ?? 0) >> 8;
  }

  /** The largest gap between two neighbouring ranges below the node; what lies outside of it does not count. */
  gap(node: number): number {
    return this.#gaps[node] ?? 0;
  }

  /** Where the entry at `index` starts. */
  start(node: number, index: number): number {
    return this.#cells[node * BLOCK + 2 * index] ?? 0;
  }

  /** Where the entry at `index` ends. */
  end(node: number, index: number): number {
    return this.#cells[node * BLOCK + 2 * index + 1] ?? 0;
  }

  /** Where the last entry ends; 0 where there is none. */
  lastEnd(node: number): number {
    const count = this.count(node);
    return count === 0 ? 0 : this.end(node, count - 1);
  }

  /** The node at `index` of a branch, or the link of the range at `index` of a leaf. */
  link(node: number, index: number): number {
    return this.#halves[2 * (node * BLOCK + LINKS) + index] ?? 0;
  }

  /** The range at `index` of a leaf, made anew. */
  range(node: number, index: number): Range<V> {
    const value = this.links.valueOf(this.link(node, index));
    return { start: this.start(node, index), end: this.end(node, index), value };
  }

  /** The largest gap below the entry at `index` of a branch, as the branch knows it. */
  gapBelow(node: number, index: number): number {
    return this.#below[node * CAPACITY + index] ?? 0;
  }

  /** The first entry from `index` on with `size` free points before it or below it; the count where there is none. */
  roomFrom(node: number, index: number, size: number): number {
    const cells = this.#cells;
    const below = this.#below;
    const base = node * BLOCK;
    const count = this.count(node);
    const isBranch = this.height(node) > 0;
    let each = index;
    for (; each < count; each++) {
      if (isBranch && (below[node * CAPACITY + each] ?? 0) >= size) break;
      const cell = base + 2 * each;
      if (each > 0 && (cells[cell] ?? 0) - (cells[cell - 1] ?? 0) >= size) break;
    }
    return each;
  }

  /** The free points before the entry at `index`, up to the entry left of it; 0 at the rims. */
  between(node: number, index: number): number {
    if (index <= 0 || index >= this.count(node)) return 0;
    const cell = node * BLOCK + 2 * index;
    return (this.#cells[cell] ?? 0) - (this.#cells[cell - 1] ?? 0);
  }

  /**
   * Counts the starts and ends at or before `point`: odd where an entry holds it, the one at half of that. `low` and `high`
   * are the first start and the last end. What lies between is looked for first where it would be if entries were spread
   * evenly, as most are: of a leaf that nobody touched for long each look elsewhere is a cache miss.
   */
  rank(node: number, point: number, low: number, high: number): number {
    if (!(point >= low)) return 0;
    const cells = this.#cells;
    const base = node * BLOCK;
    const beyond = 2 * this.count(node);
    if (point >= high) return beyond;
    let guess = Math.floor((point - low) / (high - low) * beyond) | 0;
    if (guess >= beyond) guess = beyond - 1;
    let cell = base + guess;
    if ((cells[cell] ?? 0) <= point) {
      for (let left = LOOKED_AT; left > 0; left--) if (!((cells[++cell] ?? Infinity) <= point)) return cell - base;
      return this.#countUpTo(cell, base + beyond, point) - base;
    }
    for (let left = LOOKED_AT; left > 0; left--) if ((cells[--cell] ?? 0) <= point) return cell + 1 - base;
    return this.#countUpTo(base, cell, point) - base;
  }

  /** The same for who does not know the rims. */
  rankIn(node: number, point: number): number {
    return this.count(node) === 0 ? 0 : this.rank(node, point, this.start(node, 0), this.lastEnd(node));
  }

  /** Makes an empty node of this height. */
  addNode(height: number): number {
    const node = this.#idleNodes.pop() ?? this.#nodesMade++;
    if (this.#shapes.length < this.#nodesMade) this.#grow();
    if (height > 0 && this.#below.length === 0) this.#below = new Float64Array(this.#shapes.length * CAPACITY);
    this.#shapes[node] = height << 8;
    this.#gaps[node] = 0;
    return node;
  }

  /** Gives back a node that nothing links to. */
  dropNode(node: number): void {
    this.#idleNodes.push(node);
  }

  /** Puts a range at `index` of a leaf, which must have room. */
  addRange(node: number, index: number, start: number, end: number, link: number): void {
    const halved = this.between(node, index);
    this.size++;
    this.#openSlot(node, index, start, end, link);
    if (halved > 0 && halved === this.gap(node)) this.rescan(node);
    else this.#widen(node, Math.max(this.between(node, index), this.between(node, index + 1)));
  }

  /** Takes the ranges from `index` up to `end` out of a leaf. */
  dropRanges(node: number, index: number, end: number): void {
    for (let each = index; each < end; each++) this.links.drop(this.link(node, each));
    this.size -= end - index;
    const isAtRim = index === 0 || end === this.count(node);
    this.#closeSlots(node, index, end);
    if (isAtRim) this.rescan(node);
    else this.#widen(node, this.between(node, index));
  }

  /** Lets the range at `index` of a leaf start later. */
  clipStart(node: number, index: number, start: number): void {
    this.#cells[node * BLOCK + 2 * index] = start;
    this.#widen(node, this.between(node, index));
  }

  /** Lets the range at `index` of a leaf end sooner. */
  clipEnd(node: number, index: number, end: number): void {
    this.#cells[node * BLOCK + 2 * index + 1] = end;
    this.#widen(node, this.between(node, index + 1));
  }

  /** Puts a node at `index` of a branch, which must have room. The largest gap is right after `rescan()`. */
  addChild(node: number, index: number, child: number): void {
    this.#openSlot(node, index, this.start(child, 0), this.lastEnd(child), child);
    this.#below[node * CAPACITY + index] = this.gap(child);
  }

  /** Takes the node at `index` out of a branch and gives it back. The largest gap is right after `rescan()`. */
  dropChild(node: number, index: number): void {
    this.dropNode(this.link(node, index));
    this.#closeSlots(node, index, index + 1);
  }

  /** Brings the entry at `index` of a branch up to date after its node changed; whether that changed it. */
  refresh(node: number, index: number): boolean {
    const child = this.link(node, index);
    const start = this.start(child, 0);
    const end = this.lastEnd(child);
    const gap = this.gap(child);
    const cell = node * BLOCK + 2 * index;
    const cells = this.#cells;
    const below = node * CAPACITY + index;
    if (cells[cell] === start && cells[cell + 1] === end && this.#below[below] === gap) return false;
    const before = this.#widestAt(node, index);
    cells[cell] = start;
    cells[cell + 1] = end;
    this.#below[below] = gap;
    const after = this.#widestAt(node, index);
    if (after >= this.gap(node)) this.#gaps[node] = after;
    else if (before === this.gap(node)) this.rescan(node);
    return true;
  }

  /** Moves the entries from `index` on to the end of `target`, which must have room. Both need `rescan()` after it. */
  moveTail(node: number, index: number, target: number): void {
    const room = this.count(target);
    const length = this.count(node) - index;
    this.#copy(node, index, target, room, length);
    this.#recount(target, room + length);
    this.#recount(node, index);
  }

  /** Evens out two neighbours, so that `left` has `half`. Both need `rescan()` after it. */
  evenOut(left: number, right: number, half: number): void {
    const surplus = this.count(left) - half;
    const rest = this.count(right) + surplus;
    if (surplus > 0) {
      this.#copy(right, 0, right, surplus, this.count(right));
      this.#copy(left, half, right, 0, surplus);
    } else {
      this.#copy(right, 0, left, this.count(left), -surplus);
      this.#copy(right, -surplus, right, 0, rest);
    }
    this.#recount(left, half);
    this.#recount(right, rest);
  }

  /** Finds the largest gap anew. */
  rescan(node: number): void {
    const cells = this.#cells;
    const base = node * BLOCK;
    const count = this.count(node);
    let widest = 0;
    for (let cell = base + 2; cell < base + 2 * count; cell += 2) {
      const free = (cells[cell] ?? 0) - (cells[cell - 1] ?? 0);
      if (free > widest) widest = free;
    }
    if (this.height(node) > 0) {
      const first = node * CAPACITY;
      for (let slot = first; slot < first + count; slot++) {
        const inner = this.#below[slot] ?? 0;
        if (inner > widest) widest = inner;
      }
    }
    this.#gaps[node] = widest;
  }

  #recount(node: number, count: number): void {
    this.#shapes[node] = (this.#shapes[node] ?? 0) & ~0xff | count;
  }

  #grow(): void {
    const nodes = 2 * this.#shapes.length;
    this.#cells = grown(this.#cells, new Float64Array(nodes * BLOCK));
    this.#halves = new Int32Array(this.#cells.buffer);
    if (this.#below.length > 0) this.#below = grown(this.#below, new Float64Array(nodes * CAPACITY));
    this.#shapes = grown(this.#shapes, new Int32Array(nodes));
    this.#gaps = grown(this.#gaps, new Float64Array(nodes));
  }

  /** Finds the first of the cells from `low` up to `beyond`, which ascend, that is above `point`. */
  #countUpTo(low: number, beyond: number, point: number): number {
    const cells = this.#cells;
    let first = low;
    let left = beyond - low;
    while (left > 0) {
      const half = (left + 1) >>> 1;
      if ((cells[first + half - 1] ?? 0) <= point) first += half;
      left -= half;
    }
    return first;
  }

  /** The largest of the gaps below an entry of a branch and on both sides of it. */
  #widestAt(node: number, index: number): number {
    return Math.max(this.gapBelow(node, index), this.between(node, index), this.between(node, index + 1));
  }

  #widen(node: number, gap: number): void {
    if (gap > this.gap(node)) this.#gaps[node] = gap;
  }

  /** Puts an entry at `index` and moves the rest up. A loop, as most moves are short. */
  #openSlot(node: number, index: number, start: number, end: number, link: number): void {
    const count = this.count(node);
    const base = node * BLOCK;
    const first = base + 2 * index;
    const cells = this.#cells;
    const links = this.#halves;
    if (this.height(node) > 0) {
      const below = node * CAPACITY;
      this.#below.copyWithin(below + index + 1, below + index, below + count);
    }
    for (let cell = base + 2 * count + 1; cell > first + 1; cell--) cells[cell] = cells[cell - 2] ?? 0;
    const slot = 2 * (base + LINKS) + index;
    for (let to = slot - index + count; to > slot; to--) links[to] = links[to - 1] ?? 0;
    cells[first] = start;
    cells[first + 1] = end;
    links[slot] = link;
    this.#recount(node, count + 1);
  }

  #closeSlots(node: number, index: number, end: number): void {
    const count = this.count(node);
    const length = end - index;
    const base = node * BLOCK;
    const cells = this.#cells;
    const links = this.#halves;
    if (this.height(node) > 0) {
      const below = node * CAPACITY;
      this.#below.copyWithin(below + index, below + end, below + count);
    }
    for (let cell = base + 2 * end; cell < base + 2 * count; cell++) cells[cell - 2 * length] = cells[cell] ?? 0;
    const slot = 2 * (base + LINKS);
    for (let from = slot + end; from < slot + count; from++) links[from - length] = links[from] ?? 0;
    this.#recount(node, count - length);
  }

  #copy(from: number, index: number, to: number, place: number, length: number): void {
    const [source, target] = [from * BLOCK, to * BLOCK];
    this.#cells.copyWithin(target + 2 * place, source + 2 * index, source + 2 * (index + length));
    const first = 2 * (source + LINKS) + index;
    this.#halves.copyWithin(2 * (target + LINKS) + place, first, first + length);
    if (this.height(from) === 0) return;
    const below = from * CAPACITY + index;
    this.#below.copyWithin(to * CAPACITY + place, below, below + length);
  }
}

/** The larger array with what the other holds. */
function grown<A extends Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(old: A, larger: A): A {
  larger.set(old);
  return larger;
}
