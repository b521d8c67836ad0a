// Rows of numbers by key, of which the newest are kept: what is dead may be asked about for a while. A hundred thousand
// dead objects would be a hundred thousand things for the garbage collector; a table of numbers is one.
// It must not know what the numbers mean.

import { NEWEST_KEPT } from "./newest.ts";
import { NumberMap } from "./number_map.ts";

const FIRST_ROWS = 256;

/** The newest rows by key; the oldest makes room. Nothing is allocated per row. */
export class NewestRows {
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

  /** The cells of all rows, until the next `row`. */
  get cells(): Float64Array {
    return this.#cells;
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
