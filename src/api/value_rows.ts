// Columns of a declared type, for reading: what `codec.ts` wrote, row after row. Stepping to a row resolves the objects in
// it, whose codes depend on the rows before, and makes what is nested; all else becomes a value when it is asked for.
// Every number is checked when its column is read, but for the codes of objects. It must not know any particular call, nor
// how chunks are framed. `step` must not allocate but what is nested, `skip` nothing.

import {
  type ByteContents,
  ByteRuns,
  type NumberValues,
  type PlaneSource,
  readBytes,
  readColumn,
  WireError,
} from "../wire/mod.ts";
import type { ParamPlan } from "./catalogue.ts";
import { membersOf, UNSIGNED_LIMITS, type Way } from "./fit.ts";
import type { ObjectKind } from "./grammar.ts";
import type { Ref, Value } from "./values.ts";
import { DOES, DONE_WITH, FIRST_CODE, NULL_CODE, RAW_CODE, SIGN, SIGN_64 } from "./value_storage.ts";

/** Where numbers become again what was interned, in the order in which it was interned. */
export interface Interned {
  /** The texts by index. */
  readonly texts: readonly string[];
  /** The objects of a kind by code. */
  objects(kind: ObjectKind): CodedObjects;
  /** Where bytes are; null: in each column one after the other, as version 1 had it. */
  readonly contents: ByteContents | null;
}

/** The objects of one kind by the codes that they were given. */
export interface CodedObjects {
  /** The index of a code's object; 0 is for the next one that no row has mentioned. `WireError` for one that names nothing, or cannot be. */
  indexOf(code: number): number;
  /** The object of an index that `indexOf` gave. */
  at(index: number): Ref;
  /** Its number, and the value of its handle. */
  numberAt(index: number): number;
  handleAt(index: number): number;
}

const MAX_NESTING = 8;

/** Where a value's columns are read from. */
export interface Reading {
  readonly source: PlaneSource;
  readonly interned: Interned;
  readonly rows: number;
  readonly way: Way;
  readonly depth: number;
  /** Whether the rows are elements of arrays, or what these are made of. */
  readonly isElement: boolean;
}

/** Rows of values that are made of others or of bytes. */
interface NestedRows {
  readonly holdsObjects: boolean;
  readonly mentionsObjects: boolean;
  next(): Value;
  skip(): void;
}

/** What the row of an object holds where it is none of the objects: null, or a raw handle value. */
const NO_OBJECT = -1;
const RAW_HANDLE = -2;

/** The columns of one value: its own, for objects one of raw handle values, or those that it nests. */
export class ValueRows {
  readonly #does: (typeof DOES)[keyof typeof DOES];
  readonly #values: NumberValues;
  readonly #mask: number;
  readonly #texts: readonly string[];
  readonly #objects: CodedObjects | null;
  readonly #raw: NumberValues | null;
  readonly #nested: NestedRows | null;
  /** The column's numbers, from the first time that one is asked for. */
  #words: Uint32Array | null = null;
  #wholes: BigUint64Array | null = null;
  /** The row's object by index, and that object once somebody asked: it is kept while rows mention it in turn. */
  #index = NO_OBJECT;
  #object: Ref | null = null;
  /** What the row nests. */
  #held: Value = null;
  #rawRow = -1;
  /** The row that it was told of last. */
  row = -1;

  constructor(param: ParamPlan, reading: Reading) {
    const { source, interned, rows, depth, isElement } = reading;
    if (isElement) source.spendElements(rows);
    if (depth > MAX_NESTING) throw new WireError(`Cannot read ${param.name}: it nests deeper than ${MAX_NESTING}`, 0);
    this.#does = param.isArray ? DOES.nested : DONE_WITH[param.storage];
    this.#texts = interned.texts;
    this.#nested = this.#does === DOES.nested ? nestedOf(param, reading) : null;
    this.#values = readColumn(source, this.#nested === null ? rows : 0, limitOf(param, this.#texts.length));
    this.#mask = this.#values.mask;
    const { kind } = param;
    const isObject = this.#does === DOES.object && kind !== null;
    this.#objects = isObject ? interned.objects(kind) : null;
    this.#raw = isObject ? readColumn(source, this.#values.countOf(RAW_CODE), 2 ** 53) : null;
  }

  /** Whether the value is an object, or holds some. */
  get holdsObjects(): boolean {
    return this.#objects !== null || (this.#nested !== null && this.#nested.holdsObjects);
  }

  /** Whether a row mentions an object that no row before it did. */
  get mentionsObjects(): boolean {
    if (this.#nested !== null) return this.#nested.mentionsObjects;
    return this.#objects !== null && this.#values.countOf(FIRST_CODE) > 0;
  }

  /** Whether a row depends on those before it: it has to be told of each. */
  get isTold(): boolean {
    return this.#objects !== null || this.#nested !== null;
  }

  /** Steps to the next row. */
  step(): void {
    this.row += 1;
    if (this.#objects !== null) this.#resolve(this.#at(this.row & this.#mask), this.#objects);
    else if (this.#nested !== null) this.#held = this.#nested.next();
  }

  /** Passes over the next row. */
  skip(): void {
    this.row += 1;
    if (this.#objects !== null) this.#resolve(this.#at(this.row & this.#mask), this.#objects);
    else if (this.#nested !== null) this.#nested.skip();
  }

  /** The next row's value. */
  next(): Value {
    this.step();
    return this.valueAt(this.row);
  }

  /** The row's value. */
  value(): Value {
    return this.valueAt(this.row);
  }

  /** A row's value; of what has to be told of each row, that row only. */
  valueAt(row: number): Value {
    switch (this.#does) {
      case DOES.unsigned:
        return this.#at(row & this.#mask);
      case DOES.object:
        return this.#ref();
      case DOES.unsigned64:
        return this.#wholeAt(row & this.#mask);
      case DOES.signed:
        return this.#at(row & this.#mask) ^ SIGN;
      case DOES.signed64:
        return BigInt.asIntN(64, this.#wholeAt(row & this.#mask) ^ SIGN_64);
      case DOES.flag:
        return this.#at(row & this.#mask) === 1;
      case DOES.text:
        return this.#texts[this.#at(row & this.#mask) - 1] ?? null;
      default:
        return this.#held;
    }
  }

  /** The same as a number, rounded above 2^53; 0 where it is none. */
  numberAt(row: number): number {
    if (this.#does === DOES.unsigned) return this.#at(row & this.#mask);
    if (this.#does === DOES.unsigned64) return this.#values.numberAt(row);
    const value = this.valueAt(row);
    return typeof value === "number" || typeof value === "bigint" ? Number(value) : 0;
  }

  /** The number of the row's object, -1: none. */
  get objectNumber(): number {
    return this.#index < 0 || this.#objects === null ? -1 : this.#objects.numberAt(this.#index);
  }

  /** The value of its handle, 0: none. */
  get objectHandle(): number {
    return this.#index < 0 || this.#objects === null ? 0 : this.#objects.handleAt(this.#index);
  }

  #at(row: number): number {
    const words = this.#words ?? (this.#words = this.#values.words());
    return words[row] ?? 0;
  }

  #wholeAt(row: number): bigint {
    const wholes = this.#wholes ?? (this.#wholes = this.#values.wholes());
    return wholes[row] ?? 0n;
  }

  #resolve(code: number, objects: CodedObjects): void {
    const index = code >= FIRST_CODE ? objects.indexOf(code - FIRST_CODE) : code === NULL_CODE ? NO_OBJECT : RAW_HANDLE;
    if (index === RAW_HANDLE) this.#rawRow += 1;
    if (index === this.#index) return;
    this.#index = index;
    this.#object = null;
  }

  #ref(): Value {
    if (this.#object !== null || this.#objects === null || this.#index === NO_OBJECT) return this.#object;
    if (this.#index === RAW_HANDLE) return this.#raw?.numberAt(this.#rawRow) ?? null;
    this.#object = this.#objects.at(this.#index);
    return this.#object;
  }
}

function limitOf({ storage }: ParamPlan, texts: number): number | undefined {
  switch (storage) {
    case "u64":
    case "i64":
      return undefined;
    case "text":
    case "guid":
      return texts + 1;
    case "u8":
    case "u16":
    case "bool":
    case "function":
      return UNSIGNED_LIMITS[storage];
    default:
      return 2 ** 32;
  }
}

function nestedOf(param: ParamPlan, reading: Reading): NestedRows {
  const inner = { ...reading, depth: reading.depth + 1 };
  if (param.isArray) return new ArrayRows(param, inner);
  if (param.storage !== "bytes") return new StructRows(param, inner);
  const { contents } = reading.interned;
  return contents === null ? new BytesRows(reading) : new SharedBytesRows(reading, contents);
}

/** Bytes that are runs of the chunk's contents. */
class SharedBytesRows implements NestedRows {
  readonly holdsObjects = false;
  readonly mentionsObjects = false;
  readonly #runs: ByteRuns;
  #row = 0;

  constructor({ source, rows }: Reading, contents: ByteContents) {
    this.#runs = new ByteRuns(source, { rows, contents });
  }

  next(): Value {
    return this.#runs.at(this.#row++);
  }

  skip(): void {
    this.#row += 1;
  }
}

/** Bytes that stand one after the other. */
class BytesRows implements NestedRows {
  readonly holdsObjects = false;
  readonly mentionsObjects = false;
  readonly #lengths: NumberValues;
  readonly #bytes: Uint8Array;
  #row = 0;
  #position = 0;

  constructor({ source, rows }: Reading) {
    this.#lengths = readColumn(source, rows, 2 ** 32);
    this.#bytes = readBytes(source, this.#lengths.sum());
  }

  next(): Value {
    const start = this.#position;
    this.skip();
    return new Uint8Array(this.#bytes.subarray(start, this.#position));
  }

  skip(): void {
    this.#position += this.#lengths.at(this.#row++);
  }
}

class ArrayRows implements NestedRows {
  readonly #lengths: NumberValues;
  readonly #child: ValueRows;
  #row = 0;

  constructor(param: ParamPlan, reading: Reading) {
    this.#lengths = readColumn(reading.source, reading.rows, 2 ** 32);
    const rows = this.#lengths.sum();
    this.#child = new ValueRows({ ...param, isArray: false }, { ...reading, rows, isElement: true });
  }

  get holdsObjects(): boolean {
    return this.#child.holdsObjects;
  }

  get mentionsObjects(): boolean {
    return this.#child.mentionsObjects;
  }

  next(): Value {
    return Array.from({ length: this.#lengths.at(this.#row++) }, () => this.#child.next());
  }

  skip(): void {
    for (let left = this.#lengths.at(this.#row++); left > 0; left -= 1) this.#child.skip();
  }
}

class StructRows implements NestedRows {
  readonly #names: readonly string[];
  readonly #members: readonly ValueRows[];
  /** All members, to be copied: copies share one layout. */
  readonly #blank: Readonly<Record<string, Value>>;

  constructor(param: ParamPlan, reading: Reading) {
    const members = membersOf(param, reading.way);
    this.#names = members.map(({ name }) => name);
    this.#members = members.map((member) => new ValueRows(member, reading));
    this.#blank = Object.fromEntries(this.#names.map((name) => [name, null]));
  }

  get holdsObjects(): boolean {
    return this.#members.some((member) => member.holdsObjects);
  }

  get mentionsObjects(): boolean {
    return this.#members.some((member) => member.mentionsObjects);
  }

  next(): Value {
    const value = { ...this.#blank };
    for (let index = 0; index < this.#names.length; index += 1) {
      value[this.#names[index] ?? ""] = this.#members[index]?.next() ?? null;
    }
    return value;
  }

  skip(): void {
    for (const member of this.#members) member.skip();
  }
}
