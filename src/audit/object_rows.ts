// Rows of numbers by object number. Objects of a kind are numbered one after the other, so that the low bits of a number
// say where its row stands: finding one is one look, making and ending one allocates nothing and moves nothing, and the
// dead stay where they lived until their place is wanted. Those that live on then move to a place behind.
// It must not know what the numbers mean.

import { NEWEST_KEPT } from "./newest.ts";
import { NumberMap } from "./number_map.ts";
import { Queue } from "./queue.ts";

const FIRST_ROWS = 256;

/** Whether a row is still wanted when another object wants its place; `row` is where the columns of who says so begin. */
export type IsKept = (cells: Float64Array, row: number) => boolean;

/** Columns of one kind of object. A row is where its cells begin; it holds until the next `add`. */
export class ObjectRows {
  /** Cells of a row; the first is its number + 1, 0: it is empty. */
  #width: number;
  readonly #limit: number;
  /** Who wants rows: one that nobody does makes room. */
  readonly #keepers: { readonly from: number; readonly isKept: IsKept }[];
  #cells: Float64Array;
  #mask: number;
  /** Rows that had to make room, behind all others. */
  readonly #behind = new NumberMap<number>();
  #end: number;
  readonly #idle: number[] = [];
  /** Numbers of rows behind that are not wanted any more, the oldest first. */
  readonly #settled = new Queue<number>();
  /** Places in front that are taken. */
  #taken = 0;

  /** `width`: numbers in a row. `limit`: rows of the newest numbers, a power of 2, and as many again of older ones that nobody keeps. */
  constructor(
    width: number,
    isKept: IsKept,
    limit: number = NEWEST_KEPT,
  ) {
    this.#width = width + 1;
    this.#keepers = [{ from: 0, isKept }];
    this.#limit = limit;
    const rows = Math.min(FIRST_ROWS, limit);
    this.#cells = new Float64Array(rows * this.#width);
    this.#mask = rows - 1;
    this.#end = this.#cells.length;
  }

  /** Columns for somebody else who keeps something of the same objects: one look finds all of them. Before the first row. */
  share(width: number, isKept: IsKept): RowShare {
    if (this.#taken > 0) throw new Error("rows can be shared until the first is there");
    const from = this.#width - 1;
    this.#width += width;
    this.#keepers.push({ from, isKept });
    this.#cells = new Float64Array((this.#mask + 1) * this.#width);
    this.#end = this.#cells.length;
    return new RowShare(this, from);
  }

  /** The cells of all rows: column `c` of a row stands at `row + c`. They hold until the next `add`. */
  get cells(): Float64Array {
    return this.#cells;
  }

  /** Where a number's row begins; -1 where it has none. */
  find(number: number): number {
    const slot = (number & this.#mask) * this.#width;
    if (this.#cells[slot] === number + 1) return slot + 1;
    return this.#behind.size === 0 ? -1 : this.#behind.get(number) ?? -1;
  }

  /** The row of a number: the one that it has, or one of zeros. */
  add(number: number): number {
    let slot = (number & this.#mask) * this.#width;
    if (this.#cells[slot] === number + 1) return slot + 1;
    const known = this.#behind.size === 0 ? undefined : this.#behind.get(number);
    if (known !== undefined) return known;
    // A place that is taken though most are free is a number far from the others: room for it would be wasted.
    while (this.#cells[slot] !== 0 && this.#mask + 1 < this.#limit && 2 * this.#taken > this.#mask) {
      this.#grow();
      slot = (number & this.#mask) * this.#width;
    }
    if (this.#cells[slot] === 0) this.#taken += 1;
    else {
      if (this.#isKept(slot + 1)) this.#moveBehind(slot);
      // A row is short: to fill it by hand is cheaper than to ask for it.
      const cells = this.#cells;
      for (let cell = slot + this.#width - 1; cell > slot; cell -= 1) cells[cell] = 0;
    }
    this.#cells[slot] = number + 1;
    return slot + 1;
  }

  /** A row may be kept no more: of those that had to make room only the newest stay. */
  settle(number: number): void {
    const settled = this.#behind.size === 0 ? undefined : this.#behind.get(number);
    if (settled === undefined || this.#isKept(settled)) return;
    this.#settled.push(number);
    if (this.#settled.size <= this.#limit) return;
    const oldest = this.#settled.shift() ?? 0;
    const row = this.#behind.get(oldest);
    if (row === undefined || this.#isKept(row)) return;
    this.#behind.delete(oldest);
    this.#idle.push(row - 1);
  }

  /** The numbers of all rows, kept or not, ascending. */
  numbers(): readonly number[] {
    const numbers = [...this.#behind.keys()];
    for (let slot = 0; slot <= this.#mask; slot += 1) {
      const key = this.#cells[slot * this.#width] ?? 0;
      if (key !== 0) numbers.push(key - 1);
    }
    return numbers.sort((left, right) => left - right);
  }

  #isKept(row: number): boolean {
    const keepers = this.#keepers;
    for (let index = 0; index < keepers.length; index += 1) {
      const keeper = keepers[index];
      if (keeper !== undefined && keeper.isKept(this.#cells, row + keeper.from)) return true;
    }
    return false;
  }

  #moveBehind(slot: number): void {
    const width = this.#width;
    let place = this.#idle.pop();
    if (place === undefined) {
      place = this.#end;
      this.#end += width;
      if (this.#end > this.#cells.length) {
        this.#resize(this.#cells.length + Math.max(64 * width, this.#cells.length >> 1));
      }
    }
    this.#cells.copyWithin(place, slot, slot + width);
    this.#behind.set((this.#cells[slot] ?? 0) - 1, place + 1);
  }

  #resize(length: number): void {
    const cells = new Float64Array(length);
    cells.set(this.#cells);
    this.#cells = cells;
  }

  /** Twice as many places in front: each row there stays, or goes as far up as there were places; those behind move along. */
  #grow(): void {
    const width = this.#width;
    const more = (this.#mask + 1) * width;
    const cells = new Float64Array(this.#cells.length + more);
    cells.set(this.#cells);
    cells.copyWithin(2 * more, more);
    cells.fill(0, more, 2 * more);
    this.#mask = 2 * this.#mask + 1;
    for (let from = 0; from < more; from += width) {
      const key = cells[from] ?? 0;
      const to = ((key - 1) & this.#mask) * width;
      if (key === 0 || to === from) continue;
      cells.copyWithin(to, from, from + width);
      cells.fill(0, from, from + width);
    }
    for (const number of this.#behind.keys()) this.#behind.set(number, (this.#behind.get(number) ?? 0) + more);
    for (const index of this.#idle.keys()) this.#idle[index] = (this.#idle[index] ?? 0) + more;
    this.#cells = cells;
    this.#end += more;
  }
}

/** Somebody's columns of rows that others have columns of too: as if the rows were its own. */
export class RowShare {
  readonly #rows: ObjectRows;
  readonly #from: number;

  constructor(rows: ObjectRows, from: number) {
    this.#rows = rows;
    this.#from = from;
  }

  /** See `ObjectRows`. */
  get cells(): Float64Array {
    return this.#rows.cells;
  }

  /** Where its columns of a number's row begin; -1 where there is no row. */
  find(number: number): number {
    const row = this.#rows.find(number);
    return row < 0 ? -1 : row + this.#from;
  }

  /** The row of a number: the one that there is, or one of zeros. */
  add(number: number): number {
    return this.#rows.add(number) + this.#from;
  }

  /** It wants a row no more; as long as somebody else does, it stays. */
  settle(number: number): void {
    this.#rows.settle(number);
  }

  /** The numbers of all rows, whoever made them, ascending. */
  numbers(): readonly number[] {
    return this.#rows.numbers();
  }
}
