// One node of the range tree: its columns, and the summary of each entry that lets a parent answer without descending.
// It must not know how nodes are found, split or merged; that is `edit.ts` and `search.ts`.

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

/** The inner gaps of a leaf's entries. A range has none, so all leaves share this column; it is never written. */
const NO_GAPS = new Float64Array(CAPACITY);

/** Reads a slot of a column that is known to exist. */
function numberAt(column: Float64Array, index: number): number {
  const value = column[index];
  if (value === undefined) throw new Error(`Cannot read slot ${index}: a column has ${column.length} slots`);
  return value;
}

/** Counts the keys at most `point` among the first `count`, which ascend. */
function countUpTo(keys: Float64Array, count: number, point: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numberAt(keys, middle) <= point) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts `value` at `index` of the first `count` slots and moves the rest up. A loop, as most moves are short. */
function openSlot(column: Float64Array, index: number, options: { count: number; value: number }): void {
  for (let slot = options.count; slot > index; slot--) column[slot] = numberAt(column, slot - 1);
  column[index] = options.value;
}

/**
 * A node: a leaf, whose entries are ranges, or a branch, whose entries are nodes. Both have the same columns: where an
 * entry starts, where it ends and the largest gap inside of it (0 for a range), so one code serves both.
 */
export class Node<V> {
  /** Steps down to the leaves: 0 for a leaf. */
  readonly height: number;
  /** The first start within each entry, ascending. */
  readonly starts = new Float64Array(CAPACITY);
  /** The last end within each entry, ascending. */
  readonly ends = new Float64Array(CAPACITY);
  /** The largest gap within each entry. */
  readonly gaps: Float64Array;
  /** The ranges of a leaf; empty in a branch. */
  readonly ranges: Range<V>[] = [];
  /** The nodes of a branch; empty in a leaf. */
  readonly children: Node<V>[] = [];
  #count = 0;
  #gap = 0;

  /** Makes an empty node of this height. */
  constructor(height: number) {
    this.height = height;
    this.gaps = height === 0 ? NO_GAPS : new Float64Array(CAPACITY);
  }

  /** The number of entries. */
  get count(): number {
    return this.#count;
  }

  /** The largest gap between two neighbouring ranges below this node; what lies outside of it does not count. */
  get gap(): number {
    return this.#gap;
  }

  /** The first start of all; the node must not be empty. */
  get start(): number {
    return numberAt(this.starts, 0);
  }

  /** The last end of all; the node must not be empty. */
  get end(): number {
    return numberAt(this.ends, this.#count - 1);
  }

  /** Where entry `index` starts. */
  startAt(index: number): number {
    return numberAt(this.starts, index);
  }

  /** Where entry `index` ends. */
  endAt(index: number): number {
    return numberAt(this.ends, index);
  }

  /** The largest gap within entry `index`. */
  gapAt(index: number): number {
    return numberAt(this.gaps, index);
  }

  /** The range at `index` of a leaf. */
  rangeAt(index: number): Range<V> {
    const range = this.ranges[index];
    if (range === undefined) throw new Error(`Cannot read range ${index}: the leaf holds ${this.ranges.length}`);
    return range;
  }

  /** The node at `index` of a branch. */
  childAt(index: number): Node<V> {
    const child = this.children[index];
    if (child === undefined) throw new Error(`Cannot read node ${index}: the branch holds ${this.children.length}`);
    return child;
  }

  /** Counts the entries that start at or before `point`. */
  startsUpTo(point: number): number {
    return countUpTo(this.starts, this.#count, point);
  }

  /** Counts the entries that end at or before `point`, which is the index of the first that ends beyond it. */
  endsUpTo(point: number): number {
    return countUpTo(this.ends, this.#count, point);
  }

  /** The free points before entry `index`, up to the entry left of it; 0 at the rims. */
  between(index: number): number {
    if (index <= 0 || index >= this.#count) return 0;
    return numberAt(this.starts, index) - numberAt(this.ends, index - 1);
  }

  /** Puts a range at `index` of a leaf, which must have room. */
  addRange(index: number, range: Range<V>): void {
    const before = this.between(index);
    openSlot(this.starts, index, { count: this.#count, value: range.start });
    openSlot(this.ends, index, { count: this.#count, value: range.end });
    this.ranges.push(range);
    for (let slot = this.#count; slot > index; slot--) this.ranges[slot] = this.rangeAt(slot - 1);
    this.ranges[index] = range;
    this.#count++;
    this.#settleGap(before, Math.max(this.between(index), this.between(index + 1)));
  }

  /** Puts a node at `index` of a branch, which must have room. The largest gap is right after `rescan()`. */
  addChild(index: number, child: Node<V>): void {
    openSlot(this.starts, index, { count: this.#count, value: child.start });
    openSlot(this.ends, index, { count: this.#count, value: child.end });
    openSlot(this.gaps, index, { count: this.#count, value: child.gap });
    this.children.splice(index, 0, child);
    this.#count++;
  }

  /** Takes the range at `index` out of a leaf. */
  dropRange(index: number): Range<V> {
    const range = this.rangeAt(index);
    const before = Math.max(this.between(index), this.between(index + 1));
    this.#closeSlot(index);
    for (let slot = index; slot < this.#count; slot++) this.ranges[slot] = this.rangeAt(slot + 1);
    this.ranges.pop();
    this.#settleGap(before, this.between(index));
    return range;
  }

  /** Takes the node at `index` out of a branch. The largest gap is right after `rescan()`. */
  dropChild(index: number): void {
    this.#closeSlot(index);
    this.gaps.copyWithin(index, index + 1);
    this.children.splice(index, 1);
  }

  /** Copies the summary of the node at `index` into the columns after that node changed. */
  refresh(index: number): void {
    const child = this.childAt(index);
    const { start, end, gap } = child;
    if (this.startAt(index) === start && this.endAt(index) === end && this.gapAt(index) === gap) return;
    const before = this.#widestAround(index);
    this.starts[index] = start;
    this.ends[index] = end;
    this.gaps[index] = gap;
    this.#settleGap(before, this.#widestAround(index));
  }

  /** Moves all entries from `index` on to the end of `target`, which must have room. Both need `rescan()` after it. */
  moveTail(index: number, target: Node<V>): void {
    target.#copyColumns(this, { from: index, length: this.#count - index, to: target.#count });
    target.#count += this.#count - index;
    target.ranges.push(...this.ranges.splice(index));
    target.children.push(...this.children.splice(index));
    this.#count = index;
  }

  /** Moves the first `length` entries to the end of `target`, which must have room. Both need `rescan()` after it. */
  moveHead(length: number, target: Node<V>): void {
    target.#copyColumns(this, { from: 0, length, to: target.#count });
    target.#count += length;
    target.ranges.push(...this.ranges.splice(0, length));
    target.children.push(...this.children.splice(0, length));
    this.#copyColumns(this, { from: length, length: this.#count - length, to: 0 });
    this.#count -= length;
  }

  /** Finds the largest gap anew. */
  rescan(): void {
    let widest = 0;
    let end = this.#count === 0 ? 0 : this.start;
    for (let index = 0; index < this.#count; index++) {
      const free = numberAt(this.starts, index) - end;
      const inner = numberAt(this.gaps, index);
      if (free > widest) widest = free;
      if (inner > widest) widest = inner;
      end = numberAt(this.ends, index);
    }
    this.#gap = widest;
  }

  /** The largest of the gaps in which entry `index` has a part. */
  #widestAround(index: number): number {
    return Math.max(numberAt(this.gaps, index), this.between(index), this.between(index + 1));
  }

  /** Keeps the largest gap when gaps of at most `before` became gaps of at most `after`; seldom needs to look. */
  #settleGap(before: number, after: number): void {
    if (after >= this.#gap) this.#gap = after;
    else if (before === this.#gap) this.rescan();
  }

  #closeSlot(index: number): void {
    const last = this.#count - 1;
    for (let slot = index; slot < last; slot++) {
      this.starts[slot] = numberAt(this.starts, slot + 1);
      this.ends[slot] = numberAt(this.ends, slot + 1);
    }
    this.#count = last;
  }

  #copyColumns(source: Node<V>, options: { from: number; length: number; to: number }): void {
    const { from, length, to } = options;
    this.starts.set(source.starts.subarray(from, from + length), to);
    this.ends.set(source.ends.subarray(from, from + length), to);
    if (this.height > 0) this.gaps.set(source.gaps.subarray(from, from + length), to);
  }
}
