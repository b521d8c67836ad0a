// Columns of a declared type, for writing: values are checked and go into columns of numbers, by what was compiled once
// per plan. It must not know any particular call, nor how chunks are framed; what is interned is the caller's to keep.
// Neither `accepts` nor `append` may allocate but to grow, or where a value is an array, bytes or a structure.

import { ByteWriter, isUint64, NumberColumn, type PlaneSink, writeBytes, writeColumn } from "../wire/mod.ts";
import type { CallPlan, ParamPlan } from "./catalogue.ts";
import { membersOf, UNSIGNED_LIMITS, valueTrouble, valueWeight, type Way } from "./fit.ts";
import type { ObjectKind } from "./grammar.ts";
import { DOES, DONE_WITH, FIRST_CODE, NULL_CODE, RAW_CODE, SIGN, SIGN_64 } from "./value_storage.ts";
import type { Outcome, Ref, StructValue, Value } from "./values.ts";

export { type CallRowCounts, CallRows, type CodedObjects, type Interned } from "./value_rows.ts";
export { INTEGER_BOUNDS, membersOf, valueTrouble, valueWeight, type Way } from "./fit.ts";

/** Where what repeats gets a number, while writing. */
export interface Interning {
  /** The text's index. */
  text(text: string): number;
  /** The codes of the objects of a kind; the same from chunk to chunk. */
  objects(kind: ObjectKind): ObjectCoding;
}

/** Gives the objects of one kind their codes. */
export interface ObjectCoding {
  /** The object's code, from 0. */
  codeOf(number: number, handle: number): number;
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

  /** Whether every value is of its declared type, as `valueTrouble` says at length. */
  accepts(ins: readonly Value[], outs: readonly Value[], outcome: Outcome | null): boolean {
    return acceptAll(this.#ins, ins) && acceptAll(this.#outs, outs) &&
      (outcome?.form !== "value" || (this.#returned !== null && this.#returned.accepts(outcome.value)));
  }

  /** Appends the first `ins.length` in and `outs.length` out parameters and a returned value, which were accepted. */
  append(ins: readonly Value[], outs: readonly Value[], outcome: Outcome | null): void {
    for (let index = 0; index < ins.length; index += 1) this.#ins[index]?.append(ins[index] ?? null);
    for (let index = 0; index < outs.length; index += 1) this.#outs[index]?.append(outs[index] ?? null);
    if (outcome?.form === "value") this.#returned?.append(outcome.value);
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
  return valueWeight(ins) + valueWeight(outs) + (outcome?.form === "value" ? valueWeight(outcome.value) : 0);
}

/** The columns of one value: its own, for objects one of raw handle values, or those that it nests. */
class ValueColumns {
  readonly #param: ParamPlan;
  readonly #way: Way;
  readonly #does: (typeof DOES)[keyof typeof DOES];
  readonly #limit: number;
  readonly #kind: ObjectKind | null;
  readonly #interning: Interning;
  readonly #objects: ObjectCoding | null;
  readonly #column = new NumberColumn();
  readonly #raw = new NumberColumn();
  readonly #nested: NestedColumns | null;

  constructor(param: ParamPlan, interning: Interning, way: Way) {
    const { storage, isArray, kind } = param;
    this.#param = param;
    this.#way = way;
    this.#does = isArray ? DOES.nested : DONE_WITH[storage];
    this.#limit = storage === "u8" || storage === "u16" ? UNSIGNED_LIMITS[storage] : UNSIGNED_LIMITS.u32;
    this.#kind = kind;
    this.#interning = interning;
    this.#objects = kind === null || isArray ? null : interning.objects(kind);
    this.#nested = this.#does === DOES.nested ? nestedOf(param, interning, way) : null;
  }

  /** Whether the value is of the declared type. */
  accepts(value: Value): boolean {
    switch (this.#does) {
      case DOES.unsigned:
        return typeof value === "number" && value >>> 0 === value && value < this.#limit;
      case DOES.signed:
        return typeof value === "number" && (value | 0) === value;
      case DOES.unsigned64:
        return typeof value === "bigint" && isUint64(value);
      case DOES.signed64:
        return typeof value === "bigint" && BigInt.asIntN(64, value) === value;
      case DOES.flag:
        return typeof value === "boolean";
      case DOES.text:
        return value === null || typeof value === "string";
      case DOES.object:
        return value === null || this.#acceptsObject(value);
      default:
        return valueTrouble(this.#param, value, this.#way) === null;
    }
  }

  #acceptsObject(value: Value): boolean {
    if (typeof value !== "object") return isCount(value);
    const { kind, number, handle } = value as Partial<Ref>;
    return kind === this.#kind && isCount(number) && isCount(handle);
  }

  /** Appends a value that was accepted. */
  append(value: Value): void {
    switch (this.#does) {
      case DOES.unsigned:
        return this.#column.push(value as number);
      case DOES.signed:
        return this.#column.push((value as number) ^ SIGN);
      case DOES.unsigned64:
        return this.#column.pushBigint(value as bigint);
      case DOES.signed64:
        return this.#column.pushBigint(BigInt.asUintN(64, (value as bigint) ^ SIGN_64));
      case DOES.flag:
        return this.#column.push(value === true ? 1 : 0);
      case DOES.text:
        return this.#column.push(value === null ? 0 : 1 + this.#interning.text(value as string));
      case DOES.object:
        return this.#appendObject(value);
      default:
        this.#nested?.append(value);
    }
  }

  #appendObject(value: Value): void {
    if (value === null) this.#column.push(NULL_CODE);
    else if (typeof value === "number") {
      this.#column.push(RAW_CODE);
      this.#raw.pushNumber(value);
    } else {
      const { number, handle } = value as Ref;
      this.#column.push(FIRST_CODE + (this.#objects?.codeOf(number, handle) ?? 0));
    }
  }

  /** Writes all columns. */
  write(sink: PlaneSink): void {
    if (this.#nested !== null) return this.#nested.write(sink);
    writeColumn(this.#column, sink);
    if (this.#does === DOES.object) writeColumn(this.#raw, sink);
  }

  /** Forgets the rows, keeps the buffers. */
  clear(): void {
    this.#column.clear();
    this.#raw.clear();
    this.#nested?.clear();
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
  if (param.storage === "bytes") return new BytesColumns();
  const members = membersOf(param, way);
  return new StructColumns(
    members.map(({ name }) => name),
    members.map((member) => new ValueColumns(member, interning, way)),
  );
}

class BytesColumns implements NestedColumns {
  readonly #lengths = new NumberColumn();
  readonly #bytes = new ByteWriter();

  append(value: Value): void {
    const bytes = value as Uint8Array;
    this.#lengths.push(bytes.length);
    this.#bytes.bytes(bytes);
  }

  write(sink: PlaneSink): void {
    writeColumn(this.#lengths, sink);
    writeBytes(this.#bytes.view(), sink);
  }

  clear(): void {
    this.#lengths.clear();
    this.#bytes.clear();
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
    for (const each of values) this.#child.append(each);
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
      this.#members[index]?.append(struct[this.#names[index] ?? ""] ?? null);
    }
  }

  write(sink: PlaneSink): void {
    for (const member of this.#members) member.write(sink);
  }

  clear(): void {
    for (const member of this.#members) member.clear();
  }
}
