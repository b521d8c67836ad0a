// Columns of a declared type, for reading: what `codec.ts` wrote comes back as values, row after row. Every number is
// checked when its column is read, but for the codes of objects. It must not know any particular call, nor how chunks
// are framed. `next` must not allocate but the value, `skip` nothing.

import {
  type ByteContents,
  ByteRuns,
  type NumberValues,
  type PlaneSource,
  readBytes,
  readColumn,
  WireError,
} from "../wire/mod.ts";
import type { CallPlan, ParamPlan } from "./catalogue.ts";
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
  /** The index of a code's object; 0 is for the next one that no row has mentioned. `WireError` for one that names nothing. */
  indexOf(code: number): number;
  /** The object of an index. */
  at(index: number): Ref;
}

const MAX_NESTING = 8;
const NONE: readonly Value[] = [];

/** How many rows each column of a call has. */
export interface CallRowCounts {
  readonly ins: readonly number[];
  readonly outs: readonly number[];
  readonly returned: number;
}

/** The columns of one call's events, while reading: row after row. */
export class CallRows {
  readonly #ins: readonly ValueRows[];
  readonly #outs: readonly ValueRows[];
  readonly #returned: ValueRows | null;
  /** Arrays of the full lengths, to be copied: a copy takes no room for more. */
  readonly #blankIns: readonly Value[];
  readonly #blankOuts: readonly Value[];

  /** Reads the columns that `CallColumns.write` wrote; `WireError` where they are not of the declared types. */
  constructor(
    plan: CallPlan,
    rows: CallRowCounts,
    from: { readonly source: PlaneSource; readonly interned: Interned },
  ) {
    const read = (param: ParamPlan, way: Way, count: number | undefined): ValueRows =>
      new ValueRows(param, { ...from, way, rows: count ?? 0, depth: 0, isElement: false });
    this.#ins = plan.ins.map((param, index) => read(param, "in", rows.ins[index]));
    this.#outs = plan.outs.map((param, index) => read(param, "out", rows.outs[index]));
    this.#returned = plan.returned === null ? null : read(plan.returned, "out", rows.returned);
    this.#blankIns = this.#ins.map(() => null);
    this.#blankOuts = this.#outs.map(() => null);
  }

  /** Whether a value is an object, or holds some. */
  get holdsObjects(): boolean {
    return this.#all().some((rows) => rows.holdsObjects);
  }

  /** Whether a row mentions an object that no row before it did: only then what other calls mention depends on these rows. */
  get mentionsObjects(): boolean {
    return this.#all().some((rows) => rows.mentionsObjects);
  }

  /** The next row's first `count` in parameters. */
  ins(count: number): readonly Value[] {
    return nextOf(this.#ins, count, this.#blankIns);
  }

  /** The next row's first `count` out parameters. */
  outs(count: number): readonly Value[] {
    return nextOf(this.#outs, count, this.#blankOuts);
  }

  /** The next returned value. */
  returned(): Value {
    return this.#returned?.next() ?? null;
  }

  /** Passes over the next row's first in and out parameters and, where there is one, its returned value. */
  skip(ins: number, outs: number, returnsValue: boolean): void {
    for (let index = 0; index < ins; index += 1) this.#ins[index]?.skip();
    for (let index = 0; index < outs; index += 1) this.#outs[index]?.skip();
    if (returnsValue) this.#returned?.skip();
  }

  #all(): readonly ValueRows[] {
    return [...this.#ins, ...this.#outs, ...(this.#returned === null ? [] : [this.#returned])];
  }
}

/** Arrays are made in one piece: one that grows takes room for many more. */
function nextOf(rows: readonly ValueRows[], count: number, blank: readonly Value[]): readonly Value[] {
  if (count === 0) return NONE;
  const first = rows[0]?.next() ?? null;
  if (count === 1) return [first];
  const second = rows[1]?.next() ?? null;
  if (count === 2) return [first, second];
  const third = rows[2]?.next() ?? null;
  if (count === 3) return [first, second, third];
  const fourth = rows[3]?.next() ?? null;
  if (count === 4) return [first, second, third, fourth];
  const values = blank.slice(0, count);
  values[0] = first;
  values[1] = second;
  values[2] = third;
  values[3] = fourth;
  for (let index = 4; index < count; index += 1) values[index] = rows[index]?.next() ?? null;
  return values;
}

interface Reading {
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

/** The columns of one value: its own, for objects one of raw handle values, or those that it nests. */
class ValueRows {
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
  /** The object of the last row, and that object once it was mentioned twice in turn: most are not, and keeping what is new costs more than making it. */
  #lastIndex = -1;
  #lastObject: Ref | null = null;
  #row = 0;
  #rawRow = 0;

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

  /** The next row's value. */
  next(): Value {
    const row = this.#row++ & this.#mask;
    switch (this.#does) {
      case DOES.unsigned:
        return this.#at(row);
      case DOES.object:
        return this.#object(this.#at(row));
      case DOES.unsigned64:
        return this.#wholeAt(row);
      case DOES.signed:
        return this.#at(row) ^ SIGN;
      case DOES.signed64:
        return BigInt.asIntN(64, this.#wholeAt(row) ^ SIGN_64);
      case DOES.flag:
        return this.#at(row) === 1;
      case DOES.text:
        return this.#texts[this.#at(row) - 1] ?? null;
      default:
        return this.#nested === null ? null : this.#nested.next();
    }
  }

  /** Passes over the next row's value. */
  skip(): void {
    const row = this.#row++ & this.#mask;
    if (this.#does === DOES.object) this.#passObject(this.#at(row));
    else if (this.#nested !== null) this.#nested.skip();
  }

  #at(row: number): number {
    const words = this.#words ?? (this.#words = this.#values.words());
    return words[row] ?? 0;
  }

  #wholeAt(row: number): bigint {
    const wholes = this.#wholes ?? (this.#wholes = this.#values.wholes());
    return wholes[row] ?? 0n;
  }

  #object(code: number): Value {
    if (code === NULL_CODE || this.#objects === null) return null;
    if (code === RAW_CODE) return this.#raw?.numberAt(this.#rawRow++) ?? null;
    const index = this.#objects.indexOf(code - FIRST_CODE);
    if (index === this.#lastIndex) return this.#lastObject ?? (this.#lastObject = this.#objects.at(index));
    this.#lastIndex = index;
    this.#lastObject = null;
    return this.#objects.at(index);
  }

  #passObject(code: number): void {
    if (code >= FIRST_CODE) this.#objects?.indexOf(code - FIRST_CODE);
    else if (code === RAW_CODE) this.#rawRow += 1;
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
