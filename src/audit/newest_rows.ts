// Rows of numbers by key, of which the newest are kept: what is dead may be asked about for a while. A hundred thousand
// dead objects would be a hundred thousand things for the garbage collector; a table of numbers is one.
// It must not know what the numbers mean.

import { NEWEST_KEPT } from "./newest.ts";
import { NumberMap } from "./number_map.ts";

const FIRST_ROWS = 256;

/** Rows that can be read. */
export interface Rows {
  at(row: number, column: number): number;
}

/** Rows by key, for as long as they are wanted. Nothing is allocated per row. */
export class LiveRows implements Rows {
  readonly #width: number;
  readonly #rows = new NumberMap<number>();
  readonly #free: number[] = [];
  #cells: Float64Array;
  #used = 0;

  /** `width`: numbers in a row. */
  constructor(width: number) {
    this.#width = width;
    this.#cells = new Float64Array(FIRST_ROWS * width);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** All keys, ascending. */
  keys(): readonly number[] {
    return this.#rows.keys();
  }

  /** Where a key's row begins; -1 where it has none. */
  find(key: number): number {
    return this.#rows.get(key) ?? -1;
  }

  /** Adds a row for a key that has none; what stands in it is left over. */
  add(key: number): number {
    const row = this.#free.pop() ?? this.#next();
    this.#rows.set(key, row);
    return row;
  }

  /** Removes a key's row. */
  remove(key: number): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#free.push(row);
  }

  at(row: number, column: number): number {
    return this.#cells[row + column] ?? 0;
  }

  put(row: number, column: number, value: number): void {
    this.#cells[row + column] = value;
  }

  #next(): number {
    const row = this.#used;
    this.#used += this.#width;
    if (this.#used > this.#cells.length) {
      const cells = new Float64Array(2 * this.#cells.length);
      cells.set(this.#cells);
      this.#cells = cells;
    }
    return row;
  }
}

/** The newest rows by key; the oldest makes room. Nothing is allocated per row. */
export class NewestRows implements Rows {
  readonly #width: number;
  readonly #limit: number;
  readonly #rows = new NumberMap<number>();
  #keys = new Float64Array(FIRST_ROWS);
  #cells: Float64Array;
  #used = 0;
  #oldest = 0;

  /** `width`: numbers in a row. */
  constructor(width: number, limit: number = NEWEST_KEPT) {
    this.#width = width;
    this.#limit = limit;
    this.#cells = new Float64Array(FIRST_ROWS * width);
  }

  /** Where a key's row begins, for `at`; -1 where it has none. */
  find(key: number): number {
    return this.#rows.get(key) ?? -1;
  }

  /** Where a key's row begins, for `put`: a new one, or the one that it has, which keeps its age. */
  row(key: number): number {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const index = this.#free();
    this.#keys[index] = key;
    const row = index * this.#width;
    this.#rows.set(key, row);
    return row;
  }

  at(row: number, column: number): number {
    return this.#cells[row + column] ?? 0;
  }

  put(row: number, column: number, value: number): void {
    this.#cells[row + column] = value;
  }

  /** Copies a row of another table of the same width. */
  copy(row: number, rows: Rows, from: number): void {
    for (let column = 0; column < this.#width; column += 1) this.#cells[row + column] = rows.at(from, column);
  }

  #free(): number {
    if (this.#used < this.#limit) {
      if (this.#used === this.#keys.length) this.#grow();
      this.#used += 1;
      return this.#used - 1;
    }
    const index = this.#oldest;
    this.#rows.delete(this.#keys[index] ?? 0);
    this.#oldest = (index + 1) % this.#limit;
    return index;
  }

  #grow(): void {
    const keys = new Float64Array(2 * this.#keys.length);
    keys.set(this.#keys);
    this.#keys = keys;
    const cells = new Float64Array(2 * this.#cells.length);
    cells.set(this.#cells);
    this.#cells = cells;
  }
}
