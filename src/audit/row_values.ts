// Values by object number that stand in the rows which the table of objects has anyway: one a row, most often a number, and
// then nothing is looked up, made or moved. It must not know what the values mean.

import type { NumberMap } from "./number_map.ts";
import type { ObjectRows, RowShare } from "./object_rows.ts";

/** Values by number, as `NumberMap` has them. */
export type ValuesByNumber<V> = Pick<NumberMap<V>, "size" | "get" | "has" | "set" | "delete" | "values" | "clear">;

/** In place of a number: the value is a thing, and stands elsewhere. */
const THING = Infinity;

function isThere(cells: Float64Array, row: number): boolean {
  return cells[row] !== 0;
}

/** Whole numbers or things by object number, for objects that have rows. A row stays as long as it has a value. */
export class RowValues<T extends object> implements ValuesByNumber<number | T> {
  readonly #rows: RowShare;
  readonly #things = new Map<number, T>();
  #size = 0;

  /** Takes a column: of the value plus one, where it is not below 0; 0: there is none. */
  constructor(rows: Pick<ObjectRows, "share">) {
    this.#rows = rows.share(1, isThere);
  }

  get size(): number {
    return this.#size;
  }

  get(number: number): number | T | undefined {
    const held = this.#held(number);
    if (held === 0) return undefined;
    return held === THING ? this.#things.get(number) : held < 0 ? held : held - 1;
  }

  has(number: number): boolean {
    return this.#held(number) !== 0;
  }

  set(number: number, value: number | T): void {
    const row = this.#rows.add(number);
    const { cells } = this.#rows;
    if (cells[row] === 0) this.#size += 1;
    else if (cells[row] === THING) this.#things.delete(number);
    if (typeof value !== "number") this.#things.set(number, value);
    cells[row] = typeof value !== "number" ? THING : value < 0 ? value : value + 1;
  }

  delete(number: number): boolean {
    const held = this.#held(number);
    if (held === 0) return false;
    if (held === THING) this.#things.delete(number);
    this.#rows.cells[this.#rows.find(number)] = 0;
    this.#size -= 1;
    this.#rows.settle(number);
    return true;
  }

  /** All values, by number ascending. */
  values(): readonly (number | T)[] {
    return this.#rows.numbers().flatMap((number) => this.get(number) ?? []);
  }

  clear(): void {
    for (const number of this.#rows.numbers()) this.delete(number);
  }

  #held(number: number): number {
    const row = this.#rows.find(number);
    return row < 0 ? 0 : this.#rows.cells[row] ?? 0;
  }
}
