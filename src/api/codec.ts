// Columns of a declared type, for writing: values are checked and go into columns of numbers, by what was compiled once
// per plan. It must not know any particular call, nor how chunks are framed; what is interned is the caller's to keep.
// A value is checked as it is appended, in one pass, and a row that is refused is taken back; wide ones are checked before.
// `append` must not allocate but to grow, or where a value is an array, bytes or a structure.

import { ByteRunColumns, type ByteTable, NumberColumn, type PlaneSink, writeColumn } from "../wire/mod.ts";
import type { CallPlan, ParamPlan } from "./catalogue.ts";
import { elementCount, membersOf, UNSIGNED_LIMITS, valueTrouble, valueWeight, type Way } from "./fit.ts";
import type { ObjectKind } from "./grammar.ts";
import { DOES, DONE_WITH, FIRST_CODE, NULL_CODE, RAW_CODE, SIGN, SIGN_64 } from "./value_storage.ts";
import type { Outcome, Ref, StructValue, Value } from "./values.ts";

export { type CallRowCounts, CallRows } from "./call_rows.ts";
export type { CodedObjects, Interned } from "./value_rows.ts";
export { INTEGER_BOUNDS, membersOf, valueTrouble, valueWeight, type Way } from "./fit.ts";

// As constants of this file these are numbers to the compiler; members of what another file exports are looked up each time.
const {
  unsigned: UNSIGNED,
  signed: SIGNED,
  unsigned64: UNSIGNED_64,
  flag: FLAG,
  text: TEXT,
  object: OBJECT,
  nested: NESTED,
} = DOES;

/** Where what repeats gets a number, while writing. */
export interface Interning {
  /** The text's index. */
  text(text: string): number;
  /** The codes of the objects of a kind; the same from chunk to chunk. */
  objects(kind: ObjectKind): ObjectCoding;
  /** Bytes, stored once. */
  readonly bytes: ByteTable;
}

/** Gives the objects of one kind their places, from 0 in order of first mention. */
export interface ObjectCoding {
  /** How many objects have a place. */
  readonly size: number;
  /** The object's place: the next one where it has none. */
  placeOf(number: number, handle: number): number;
  /** Takes the newest place back. */
  forgetNewest(): void;
}

/** The columns of one call's events, while writing: appended row by row, written and cleared with each chunk. */
export class CallColumns {
  /** Whether a value can be long: bytes, texts, arrays or structures. */
  readonly isWide: boolean;
  readonly #ins: readonly ValueColumns[];
  readonly #outs: readonly ValueColumns[];
  readonly #returned: ValueColumns | null;
  readonly #all: readonly ValueColumns[];

  constructor(plan: CallPlan, interning: Interning) {
    this.#ins = plan.ins.map((param) => new ValueColumns(param, interning, "in"));
    this.#outs = plan.outs.map((param) => new ValueColumns(param, interning, "out"));
    this.#returned = plan.returned === null ? null : new ValueColumns(plan.returned, interning, "out");
    this.#all = [...this.#ins, ...this.#outs, ...(this.#returned === null ? [] : [this.#returned])];
    this.isWide = [...plan.params, ...(plan.returned === null ? [] : [plan.returned])].some(isWide);
  }

  /** Whether every value is of its declared type. */
  accepts(ins: readonly Value[], outs: readonly Value[], outcome: Outcome | null): boolean {
    return acceptAll(this.#ins, ins) && acceptAll(this.#outs, outs) &&
      (outcome?.form !== "value" || (this.#returned !== null && this.#returned.accepts(outcome.value)));
  }

  /**
   * Appends the first `ins.length` in and `outs.length` out parameters and a returned value. False, and nothing
   * appended: one is not of its declared type, as `valueTrouble` says at length. Wide ones were accepted before.
   */
  append(ins: readonly Value[], outs: readonly Value[], outcome: Outcome | null): boolean {
    const given = ins.length;
    const declared = this.#ins.length;
    const count = given + outs.length;
    if (given > declared || outs.length > this.#outs.length) return false;
    // One loop over both, so that the compiler has one place to put what happens to a value.
    for (let index = 0; index < count; index += 1) {
      const value = index < given ? ins[index] : outs[index - given];
      const columns = this.#all[index < given ? index : index - given + declared];
      if (columns?.take(value ?? null) !== true) {
        return this.#takeBack(Math.min(index, given), Math.max(0, index - given));
      }
    }
    if (outcome === null || outcome.form !== "value") return true;
    if (this.#returned !== null && this.#returned.take(outcome.value)) return true;
    return this.#takeBack(given, outs.length);
  }

  /** Takes back the first values of a row, newest first; false, for the caller to answer. */
  #takeBack(ins: number, outs: number): false {
    for (let index = outs - 1; index >= 0; index -= 1) this.#outs[index]?.takeBack();
    for (let index = ins - 1; index >= 0; index -= 1) this.#ins[index]?.takeBack();
    return false;
  }

  /** Writes all columns: ins, outs, returned. */
  write(sink: PlaneSink): void {
    for (const columns of this.#all) columns.write(sink);
  }

  /** Forgets the rows, keeps the buffers. */
  clear(): void {
    for (const columns of this.#all) columns.clear();
  }
}

function isWide({ storage, isArray }: ParamPlan): boolean {
  return isArray || storage === "struct" || storage === "bytes" || storage === "text" || storage === "guid";
}

function acceptAll(columns: readonly ValueColumns[], values: readonly Value[]): boolean {
  if (values.length > columns.length) return false;
  for (let index = 0; index < values.length; index += 1) {
    if (columns[index]?.accepts(values[index] ?? null) !== true) return false;
  }
  return true;
}

/** About how many bytes an event's values take. */
export function valuesWeight(ins: readonly Value[], outs: readonly Value[], outcome: Outcome | null): number {
  // Two lists of 8 and what stands in them.
  let weight = outcome?.form === "value" ? 16 + valueWeight(outcome.value) : 16;
  for (let index = 0; index < ins.length; index += 1) weight += valueWeight(ins[index] ?? null);
  for (let index = 0; index < outs.length; index += 1) weight += valueWeight(outs[index] ?? null);
  return weight;
}

/** How many elements of arrays an event's values have. */
export function valuesElements(ins: readonly Value[], outs: readonly Value[], outcome: Outcome | null): number {
  // A list of values is no array: what it holds are parameters.
  return [...ins, ...outs, outcome?.form === "value" ? outcome.value : null].reduce<number>(
    (sum, value) => sum + elementCount(value),
    0,
  );
}

/** The columns of one value: its own, for objects one of raw handle values, or those that it nests. */
class ValueColumns {
  readonly #param: ParamPlan;
  readonly #way: Way;
  readonly #does: (typeof DOES)[keyof typeof DOES];
  /** Bits that an unsigned number must not have. */
  readonly #spareBits: number;
  readonly #kind: ObjectKind | null;
  readonly #interning: Interning;
  readonly #objects: ObjectCoding | null;
  readonly #column = new NumberColumn();
  readonly #raw = new NumberColumn();
  readonly #nested: NestedColumns | null;
  /** The object that was taken last, and its place: many calls in a row are about one, each with a reference of its own. */
  #lastNumber = 0;
  #lastHandle = 0;
  /** Negative: none was. */
  #lastPlace = -1;

  constructor(param: ParamPlan, interning: Interning, way: Way) {
    const { storage, isArray, kind } = param;
    this.#param = param;
    this.#way = way;
    this.#does = isArray ? NESTED : DONE_WITH[storage];
    this.#spareBits = storage === "u8" || storage === "u16" ? -UNSIGNED_LIMITS[storage] : 0;
    this.#kind = kind;
    this.#interning = interning;
    this.#objects = kind === null || isArray ? null : interning.objects(kind);
    this.#nested = this.#does === NESTED ? nestedOf(param, interning, way) : null;
  }

  /** Whether the value is of the declared type. */
  accepts(value: Value): boolean {
    return valueTrouble(this.#param, value, this.#way) === null;
  }

  /** Appends a value; false, and nothing appended: it is not of the declared type. One that nests was accepted. */
  take(value: Value): boolean {
    let number = 0;
    switch (this.#does) {
      case UNSIGNED:
        if (typeof value !== "number" || value >>> 0 !== value || (value & this.#spareBits) !== 0) return false;
        number = value;
        break;
      case UNSIGNED_64:
        if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) return false;
        this.#column.pushBigint(value);
        return true;
      case OBJECT:
        number = this.#codeOf(value);
        if (number < 0) return false;
        break;
      case FLAG:
        if (typeof value !== "boolean") return false;
        number = value ? 1 : 0;
        break;
      case NESTED:
        this.#nested?.append(value);
        return true;
      default:
        return this.#takeOther(value);
    }
    this.#column.push(number);
    return true;
  }

  #takeOther(value: Value): boolean {
    if (this.#does === TEXT) {
      if (value !== null && typeof value !== "string") return false;
      this.#column.push(value === null ? 0 : 1 + this.#interning.text(value));
    } else if (this.#does === SIGNED) {
      if (typeof value !== "number" || (value | 0) !== value) return false;
      this.#column.push(value ^ SIGN);
    } else {
      if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) return false;
      this.#column.pushBigint(BigInt.asUintN(64, value ^ SIGN_64));
    }
    return true;
  }

  /** The code of an object, a raw handle value or null; negative: it is none. */
  #codeOf(value: Value): number {
    if (value === null) return NULL_CODE;
    if (typeof value === "object") return this.#codeOfRef(value as Ref);
    if (typeof value !== "number" || !isCount(value)) return -1;
    this.#raw.pushNumber(value);
    return RAW_CODE;
  }

  #codeOfRef(ref: Ref): number {
    const { kind, number, handle } = ref;
    const objects = this.#objects;
    if (objects === null || kind !== this.#kind) return -1;
    const { size } = objects;
    const last = this.#lastPlace;
    if (last >= 0 && number === this.#lastNumber && handle === this.#lastHandle) return FIRST_CODE + size - last;
    if (!isCount(number) || !isCount(handle)) return -1;
    const place = objects.placeOf(number, handle);
    this.#lastNumber = number;
    this.#lastHandle = handle;
    this.#lastPlace = place;
    return place === size ? FIRST_CODE : FIRST_CODE + size - place;
  }

  /** Takes back the value that was taken last, which is the newest of all and does not nest. */
  takeBack(): void {
    if (this.#does === OBJECT) {
      if (this.#column.last === RAW_CODE) this.#raw.pop();
      if (this.#column.last === FIRST_CODE) this.#objects?.forgetNewest();
      this.#lastPlace = -1;
    }
    this.#column.pop();
  }

  /** Writes all columns. */
  write(sink: PlaneSink): void {
    if (this.#nested !== null) return this.#nested.write(sink);
    writeColumn(this.#column, sink);
    if (this.#does === OBJECT) writeColumn(this.#raw, sink);
  }

  /** Forgets the rows, keeps the buffers. */
  clear(): void {
    this.#column.clear();
    this.#raw.clear();
    this.#nested?.clear();
    this.#lastPlace = -1;
  }
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && (value >>> 0 === value || (Number.isSafeInteger(value) && value >= 0));
}

interface NestedColumns {
  append(value: Value): void;
  write(sink: PlaneSink): void;
  clear(): void;
}

function nestedOf(param: ParamPlan, interning: Interning, way: Way): NestedColumns {
  if (param.isArray) return new ArrayColumns(new ValueColumns({ ...param, isArray: false }, interning, way));
  if (param.storage === "bytes") return new BytesColumns(interning.bytes);
  const members = membersOf(param, way);
  return new StructColumns(
    members.map(({ name }) => name),
    members.map((member) => new ValueColumns(member, interning, way)),
  );
}

class BytesColumns implements NestedColumns {
  readonly #runs: ByteRunColumns;

  constructor(table: ByteTable) {
    this.#runs = new ByteRunColumns(table);
  }

  append(value: Value): void {
    this.#runs.append(value as Uint8Array);
  }

  write(sink: PlaneSink): void {
    this.#runs.write(sink);
  }

  clear(): void {
    this.#runs.clear();
  }
}

class ArrayColumns implements NestedColumns {
  readonly #lengths = new NumberColumn();
  readonly #child: ValueColumns;

  constructor(child: ValueColumns) {
    this.#child = child;
  }

  append(value: Value): void {
    const values = value as readonly Value[];
    this.#lengths.push(values.length);
    for (const each of values) this.#child.take(each);
  }

  write(sink: PlaneSink): void {
    writeColumn(this.#lengths, sink);
    this.#child.write(sink);
  }

  clear(): void {
    this.#lengths.clear();
    this.#child.clear();
  }
}

class StructColumns implements NestedColumns {
  readonly #names: readonly string[];
  readonly #members: readonly ValueColumns[];

  constructor(names: readonly string[], members: readonly ValueColumns[]) {
    this.#names = names;
    this.#members = members;
  }

  append(value: Value): void {
    const struct = value as StructValue;
    for (let index = 0; index < this.#names.length; index += 1) {
      this.#members[index]?.take(struct[this.#names[index] ?? ""] ?? null);
    }
  }

  write(sink: PlaneSink): void {
    for (const member of this.#members) member.write(sink);
  }

  clear(): void {
    for (const member of this.#members) member.clear();
  }
}
