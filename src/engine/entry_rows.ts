// Entries of page tables as rows of numbers, one for each run of pages: a million are nothing that a garbage collector has to
// look at. It must not know where the pages are.

import type { Links } from "../range/mod.ts";
import type { PageEntry } from "./page_tables.ts";

/** Cells of a row, and halves of the cell behind them. */
const [ALLOCATION, ORIGIN] = [0, 1];
const [STATE, PROTECTION] = [4, 5];
const ROW = 3;
/** Added to the state where there is a driver protection, which stands in a table. */
const IS_PROTECTED = 4;
const STATES = ["invalid", "zero", "mapped"] as const;

/** Entries by row, each made anew when it is asked for; a row that is given back serves again. */
export class EntryRows implements Links<PageEntry> {
  #cells = new Float64Array(8 * ROW);
  /** The same bytes. */
  #halves = new Int32Array(this.#cells.buffer);
  #rowsMade = 0;
  readonly #idle: number[] = [];
  /** By row, 0 left out. */
  readonly #protections = new Map<number, bigint>();

  hold({ state, allocation, origin, protection, driverProtection }: PageEntry): number {
    const row = this.#idle.pop() ?? this.#rowsMade++;
    if (this.#cells.length < this.#rowsMade * ROW) this.#grow();
    const cell = row * ROW;
    this.#cells[cell + ALLOCATION] = allocation;
    this.#cells[cell + ORIGIN] = origin;
    const isProtected = driverProtection !== 0n;
    if (isProtected) this.#protections.set(row, driverProtection);
    this.#halves[2 * cell + STATE] = STATES.indexOf(state) + (isProtected ? IS_PROTECTED : 0);
    this.#halves[2 * cell + PROTECTION] = protection;
    return row;
  }

  again(row: number): number {
    return this.hold(this.valueOf(row));
  }

  valueOf(row: number): PageEntry {
    const cell = row * ROW;
    const state = this.#halves[2 * cell + STATE] ?? 0;
    return {
      state: STATES[state & (IS_PROTECTED - 1)] ?? "invalid",
      allocation: this.#cells[cell + ALLOCATION] ?? 0,
      origin: this.#cells[cell + ORIGIN] ?? 0,
      protection: this.#halves[2 * cell + PROTECTION] ?? 0,
      driverProtection: state < IS_PROTECTED ? 0n : this.#protections.get(row) ?? 0n,
    };
  }

  drop(row: number): void {
    if ((this.#halves[2 * row * ROW + STATE] ?? 0) >= IS_PROTECTED) this.#protections.delete(row);
    this.#idle.push(row);
  }

  #grow(): void {
    const cells = new Float64Array(2 * this.#cells.length);
    cells.set(this.#cells);
    this.#cells = cells;
    this.#halves = new Int32Array(cells.buffer);
  }
}
