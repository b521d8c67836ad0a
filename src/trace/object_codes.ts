// The objects of one kind that a chunk mentions, in order of first mention, and their places.
// Normative in FORMAT.md. It must not know events. `placeOf` must not allocate but to grow.

import { HANDLE_SPACES, type ObjectCoding, type ObjectKind, OBJECTS } from "../api/mod.ts";
import { NumberColumn, PairTable, type PlaneSink, writeColumn } from "../wire/mod.ts";

const WORD = 0x100000000;
const SIGN = 0x80000000;
/** Numbers up to which a handle predicted from one stays a whole number. */
const MAX_STEPPED = 2 ** 46;

/** Codes of one kind's objects. */
export class ObjectCodes implements ObjectCoding {
  readonly kind: ObjectKind;
  readonly #pairs: PairTable;
  readonly #column = new NumberColumn();

  constructor(kind: ObjectKind) {
    this.kind = kind;
    this.#pairs = new PairTable(HANDLE_SPACES[OBJECTS[kind].handles].step);
  }

  /** How many objects the chunk mentions. */
  get size(): number {
    return this.#pairs.size;
  }

  /** How much handles grow by number; 0 where that would leave the whole numbers. */
  get step(): number {
    const { size, isLine } = this.#pairs;
    for (let index = 0; !isLine && index < size; index += 1) if (this.#pairs.first(index) > MAX_STEPPED) return 0;
    return HANDLE_SPACES[OBJECTS[this.kind].handles].step;
  }

  /** The object's place, from 0 in order of first mention: the next one where it has none. */
  placeOf(number: number, handle: number): number {
    return this.#pairs.intern(number, handle);
  }

  /** Takes the newest place back. */
  forgetNewest(): void {
    this.#pairs.forgetNewest();
  }

  /** Writes numbers, then what is left of handles over `step` times the number, its sign bit flipped. */
  write(sink: PlaneSink): void {
    const column = this.#column;
    const { size, isLine } = this.#pairs;
    for (let index = 0; index < size; index += 1) column.pushNumber(this.#pairs.first(index));
    writeColumn(column, sink);
    column.clear();
    const { step } = this;
    const first = this.#restOf(0, step);
    let written = 0;
    for (let index = 1; !isLine && index < size; index += 1) {
      const rest = this.#restOf(index, step);
      if (rest === first && written === 0) continue;
      for (; written < index; written += 1) pushRest(column, first);
      pushRest(column, rest);
      written += 1;
    }
    // Mostly all are the first: one stands for them.
    if (written === 0) pushRest(column, first);
    writeColumn(column, sink);
    column.clear();
  }

  #restOf(index: number, step: number): number {
    return this.#pairs.second(index) - step * this.#pairs.first(index);
  }

  /** Forgets the objects, keeps the buffers. */
  clear(): void {
    this.#pairs.clear();
  }
}

function pushRest(column: NumberColumn, rest: number): void {
  column.pushHalves(rest >>> 0, (Math.floor(rest / WORD) ^ SIGN) >>> 0);
}
