// The objects that a chunk mentions, for reading: each one value however often it is mentioned, by the codes that events
// have for them. It must not know events.

import { type CodedObjects, type ObjectKind, objectKind, type Ref } from "../api/mod.ts";
import { type NumberValues, PlaneSource, readColumn, WireError } from "../wire/mod.ts";

const SAFE = 2 ** 53;
const MAX_OBJECTS = 2 ** 22;
const NO_NUMBERS = readColumn(new PlaneSource(new Uint8Array(0), []), 0);
/** For a kind of which the chunk has no object. */
const NO_OBJECTS: ObjectColumns = { numbers: NO_NUMBERS, rests: NO_NUMBERS, step: 0 };

/** The objects that a chunk mentions, by kind in order of first mention. */
export class ObjectTables {
  readonly #tables = new Map<ObjectKind, ObjectTable>();

  /** `list` is the head's: kind, count and step of each. `WireError` where it is not, or names a kind twice. */
  constructor(list: readonly unknown[], source: PlaneSource) {
    for (const entry of list) {
      const [word, count, step]: unknown[] = Array.isArray(entry) ? entry : [];
      const kind = typeof word === "string" ? objectKind(word) : null;
      if (kind === null || typeof count !== "number" || typeof step !== "number" || this.#tables.has(kind)) {
        throw new WireError(
          `Cannot read objects of "${String(word).slice(0, 40)}": no kind of object here, or twice`,
          0,
        );
      }
      if (!Number.isInteger(count) || count < 0 || count > MAX_OBJECTS) {
        throw new WireError(`Cannot read table of ${count} rows: the limit is ${MAX_OBJECTS}`, 0);
      }
      const columns = { numbers: readColumn(source, count, SAFE), rests: readColumn(source, count), step };
      this.#tables.set(kind, new ObjectTable(kind, columns));
    }
  }

  /** The objects of a kind. */
  of(kind: ObjectKind): CodedObjects {
    return this.#tables.get(kind) ?? new ObjectTable(kind, NO_OBJECTS);
  }
}

/** What a chunk says of the objects of a kind. */
interface ObjectColumns {
  readonly numbers: NumberValues;
  readonly rests: NumberValues;
  readonly step: number;
}

/** Each object is checked when it is mentioned first, and made when it is asked for: a table may claim many that no event mentions. */
class ObjectTable implements CodedObjects {
  readonly #kind: ObjectKind;
  readonly #numbers: NumberValues;
  readonly #rests: NumberValues;
  readonly #step: number;
  #mentioned = 0;

  constructor(kind: ObjectKind, { numbers, rests, step }: ObjectColumns) {
    this.#kind = kind;
    this.#numbers = numbers;
    this.#rests = rests;
    this.#step = step;
  }

  /** 0 is the next one not yet mentioned, else the one mentioned `code - 1` before the newest. */
  indexOf(code: number): number {
    const index = code === 0 ? this.#mentioned : this.#mentioned - code;
    if (index < 0 || index >= this.#numbers.length) {
      throw new WireError(`Cannot read event: code ${code} names no ${this.#kind} of this chunk`, 0);
    }
    if (code === 0) {
      this.#check(index);
      this.#mentioned = index + 1;
    }
    return index;
  }

  at(index: number): Ref {
    return { kind: this.#kind, number: this.#numbers.numberAt(index), handle: this.handleAt(index) };
  }

  numberAt(index: number): number {
    return this.#numbers.numberAt(index);
  }

  handleAt(index: number): number {
    return this.#rests.signedAt(index) + this.#step * this.#numbers.numberAt(index);
  }

  #check(index: number): void {
    const handle = this.handleAt(index);
    if (handle >= 0 && handle < SAFE && Number.isInteger(handle)) return;
    throw new WireError(`Cannot read ${this.#kind}#${this.numberAt(index)}: its handle would be ${handle}`, 0);
  }
}
