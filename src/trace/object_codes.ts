// The objects of one kind that a chunk mentions, in order of first mention, and the codes that stand for them.
// Normative in FORMAT.md. It must not know events. `codeOf` must not allocate but to grow.

import { HANDLE_SPACES, type ObjectCoding, type ObjectKind, OBJECTS } from "../api/mod.ts";
import { NumberColumn, PairTable, type PlaneSink, writeColumn } from "../wire/mod.ts";

const WORD = 0x100000000;
const SIGN = 0x80000000;
/** Numbers up to which a handle predicted from one stays a whole number. */
const MAX_STEPPED = 2 ** 46;

/** Codes of one kind's objects. */
export class ObjectCodes implements ObjectCoding {
  readonly kind: ObjectKind;
  readonly #pairs = new PairTable();
  readonly #column = new NumberColumn();

  constructor(kind: ObjectKind) {
    this.kind = kind;
  }

  /** How many objects the chunk mentions. */
  get size(): number {
    return this.#pairs.size;
  }

  /** How much handles grow by number; 0 where that would leave the whole numbers. */
  get step(): number {
    const { step } = HANDLE_SPACES[OBJECTS[this.kind].handles];
    for (let index = 0; index < this.size; index += 1) if (this.#pairs.first(index) > MAX_STEPPED) return 0;
    return step;
  }

  /** 0: the object follows the last new one; else 1 + how many new ones came after it. */
  codeOf(number: number, handle: number): number {
    const before = this.#pairs.size;
    const index = this.#pairs.intern(number, handle);
    return index === before ? 0 : before - index;
  }

  /** Writes numbers, then what is left of handles over `step` times the number, its sign bit flipped. */
  write(sink: PlaneSink): void {
    const column = this.#column;
    for (let index = 0; index < this.size; index += 1) column.pushNumber(this.#pairs.first(index));
    writeColumn(column, sink);
    column.clear();
    const { step } = this;
    for (let index = 0; index < this.size; index += 1) {
      const rest = this.#pairs.second(index) - step * this.#pairs.first(index);
      column.pushHalves(rest >>> 0, (Math.floor(rest / WORD) ^ SIGN) >>> 0);
    }
    writeColumn(column, sink);
    column.clear();
  }

  /** Forgets the objects, keeps the buffers. */
  clear(): void {
    this.#pairs.clear();
  }
}
