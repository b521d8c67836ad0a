// Columns of a declared type: values go into columns of numbers and come back out, compiled once per plan.
// It must not know any particular call, nor how chunks are framed; what is interned is the caller's to keep.
// Appending must not allocate but to grow. Values are checked first (`valueTrouble`), so the casts here hold.

import {
  ByteWriter,
  MAX_CELLS,
  NumberColumn,
  type NumberValues,
  type PlaneSink,
  type PlaneSource,
  readBytes,
  readColumn,
  WireError,
  writeBytes,
  writeColumn,
} from "../wire/mod.ts";
import type { CallPlan, ParamPlan, Storage } from "./catalogue.ts";
import { membersOf, UNSIGNED_LIMITS, type Way } from "./fit.ts";
import type { ObjectKind } from "./grammar.ts";
import type { Ref, StructValue, Value } from "./values.ts";

export { membersOf, valueTrouble, valueWeight, type Way } from "./fit.ts";

/** Where what repeats gets a number, while writing. */
export interface Interning {
  /** The text's index. */
  text(text: string): number;
  /** The object's code, from 0. */
  object(ref: Ref): number;
}

/** Where numbers become again what was interned, in the order in which it was interned. */
export interface Interned {
  /** How many texts there are. */
  readonly textCount: number;
  text(index: number): string;
  /** Throws `WireError` for a code that names nothing. */
  object(kind: ObjectKind, code: number): Ref;
}

const SIGN = 0x80000000;
const FIRST_CODE = 2;
const MAX_NESTING = 8;

interface ValueWriter {
  append(value: Value): void;
  write(sink: PlaneSink): void;
  clear(): void;
}

interface ValueReader {
  next(): Value;
}

/** The columns of one call's events, while writing: appended row by row, written and cleared with each chunk. */
export class CallColumns {
  readonly #ins: readonly ValueWriter[];
  readonly #outs: readonly ValueWriter[];
  readonly #returned: ValueWriter | null;

  constructor(plan: CallPlan, interning: Interning) {
    this.#ins = plan.ins.map((param) => writerOf(param, interning, "in"));
    this.#outs = plan.outs.map((param) => writerOf(param, interning, "out"));
    this.#returned = plan.returned === null ? null : writerOf(plan.returned, interning, "out");
  }

  /** Appends the first `values.length` in parameters; values were checked. */
  appendIns(values: readonly Value[]): void {
    for (let index = 0; index < values.length; index += 1) this.#ins[index]?.append(values[index] ?? null);
  }

  /** Appends the first `values.length` out parameters. */
  appendOuts(values: readonly Value[]): void {
    for (let index = 0; index < values.length; index += 1) this.#outs[index]?.append(values[index] ?? null);
  }

  /** Appends a returned value. */
  appendReturned(value: Value): void {
    this.#returned?.append(value);
  }

  /** Writes all columns: ins, outs, returned. */
  write(sink: PlaneSink): void {
    for (const writer of this.#all()) writer.write(sink);
  }

  /** Forgets the rows, keeps the buffers. */
  clear(): void {
    for (const writer of this.#all()) writer.clear();
  }

  #all(): readonly ValueWriter[] {
    return [...this.#ins, ...this.#outs, ...(this.#returned === null ? [] : [this.#returned])];
  }
}

/** How many rows each column of a call has. */
export interface CallRowCounts {
  readonly ins: readonly number[];
  readonly outs: readonly number[];
  readonly returned: number;
}

/** The columns of one call's events, while reading: row after row. */
export class CallRows {
  readonly #ins: readonly ValueReader[];
  readonly #outs: readonly ValueReader[];
  readonly #returned: ValueReader | null;

  /** Reads the columns that `CallColumns.write` wrote; `WireError` where they are not of the declared types. */
  constructor(
    plan: CallPlan,
    rows: CallRowCounts,
    from: { readonly source: PlaneSource; readonly interned: Interned },
  ) {
    this.#ins = plan.ins.map((param, index) => readerOf(param, { ...from, rows: rows.ins[index] ?? 0, way: "in" }));
    this.#outs = plan.outs.map((param, index) => readerOf(param, { ...from, rows: rows.outs[index] ?? 0, way: "out" }));
    this.#returned = plan.returned === null
      ? null
      : readerOf(plan.returned, { ...from, rows: rows.returned, way: "out" });
  }

  /** The next row's first `count` in parameters. */
  ins(count: number): Value[] {
    return nextOf(this.#ins, count);
  }

  /** The next row's first `count` out parameters. */
  outs(count: number): Value[] {
    return nextOf(this.#outs, count);
  }

  /** The next returned value. */
  returned(): Value {
    return this.#returned?.next() ?? null;
  }
}

function nextOf(readers: readonly ValueReader[], count: number): Value[] {
  const values: Value[] = [];
  for (let index = 0; index < count; index += 1) values.push(readers[index]?.next() ?? null);
  return values;
}

function writerOf(param: ParamPlan, interning: Interning, way: Way): ValueWriter {
  if (param.isArray) return new ArrayWriter(writerOf({ ...param, isArray: false }, interning, way));
  if (param.storage === "struct") {
    const members = membersOf(param, way);
    return new StructWriter(members.map(({ name }) => name), members.map((each) => writerOf(each, interning, way)));
  }
  if (param.storage === "object") return new ObjectWriter(interning);
  if (param.storage === "bytes") return new BytesWriter();
  return new ScalarWriter(appenderOf(param.storage, interning));
}

type Appender = (column: NumberColumn, value: Value) => void;

function appenderOf(storage: Exclude<Storage, "struct" | "object" | "bytes">, interning: Interning): Appender {
  switch (storage) {
    case "i32":
      return (column, value) => column.push((value as number) ^ SIGN);
    case "u64":
      return (column, value) => column.pushBigint(value as bigint);
    case "i64":
      return (column, value) => column.pushBigint(BigInt.asUintN(64, (value as bigint) ^ (1n << 63n)));
    case "bool":
    case "function":
      return (column, value) => column.push(value === true ? 1 : 0);
    case "text":
    case "guid":
      return (column, value) => column.push(value === null ? 0 : 1 + interning.text(value as string));
    default:
      return (column, value) => column.push(value as number);
  }
}

class ScalarWriter implements ValueWriter {
  readonly #column = new NumberColumn();
  readonly #append: Appender;

  constructor(append: Appender) {
    this.#append = append;
  }

  append(value: Value): void {
    this.#append(this.#column, value);
  }

  write(sink: PlaneSink): void {
    writeColumn(this.#column, sink);
  }

  clear(): void {
    this.#column.clear();
  }
}

class ObjectWriter implements ValueWriter {
  readonly #codes = new NumberColumn();
  readonly #raw = new NumberColumn();
  readonly #interning: Interning;

  constructor(interning: Interning) {
    this.#interning = interning;
  }

  append(value: Value): void {
    if (value === null) this.#codes.push(0);
    else if (typeof value === "number") {
      this.#codes.push(1);
      this.#raw.pushNumber(value);
    } else this.#codes.push(FIRST_CODE + this.#interning.object(value as Ref));
  }

  write(sink: PlaneSink): void {
    writeColumn(this.#codes, sink);
    writeColumn(this.#raw, sink);
  }

  clear(): void {
    this.#codes.clear();
    this.#raw.clear();
  }
}

class BytesWriter implements ValueWriter {
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

class ArrayWriter implements ValueWriter {
  readonly #lengths = new NumberColumn();
  readonly #child: ValueWriter;

  constructor(child: ValueWriter) {
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

class StructWriter implements ValueWriter {
  readonly #names: readonly string[];
  readonly #members: readonly ValueWriter[];

  constructor(names: readonly string[], members: readonly ValueWriter[]) {
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

interface Reading {
  readonly source: PlaneSource;
  readonly interned: Interned;
  readonly rows: number;
  readonly way: Way;
}

function readerOf(param: ParamPlan, reading: Reading, depth = 0): ValueReader {
  if (depth > MAX_NESTING) throw new WireError(`Cannot read ${param.name}: it nests deeper than ${MAX_NESTING}`, 0);
  if (param.isArray) return arrayReader(param, reading, depth);
  if (param.storage === "object") return objectReader(param, reading);
  if (param.storage === "bytes") return bytesReader(reading);
  if (param.storage !== "struct") return scalarReader(param.storage, reading);
  const members = membersOf(param, reading.way);
  const readers = members.map((member) => readerOf(member, reading, depth + 1));
  return { next: () => Object.fromEntries(members.map(({ name }, index) => [name, readers[index]?.next() ?? null])) };
}

function scalarReader(
  storage: Exclude<Storage, "struct" | "object" | "bytes">,
  { source, interned, rows }: Reading,
): ValueReader {
  const limit = storage === "u64" || storage === "i64"
    ? undefined
    : storage === "text" || storage === "guid"
    ? interned.textCount + 1
    : storage === "i32"
    ? 2 ** 32
    : UNSIGNED_LIMITS[storage];
  const values = readColumn(source, rows, limit);
  const get = getterOf(storage, values, interned);
  let row = 0;
  return { next: () => get(row++) };
}

function getterOf(storage: Storage, values: NumberValues, interned: Interned): (row: number) => Value {
  switch (storage) {
    case "i32":
      return (row) => values.at(row) ^ SIGN;
    case "u64":
      return (row) => values.bigintAt(row);
    case "i64":
      return (row) => BigInt.asIntN(64, values.bigintAt(row) ^ (1n << 63n));
    case "bool":
    case "function":
      return (row) => values.at(row) === 1;
    case "text":
    case "guid":
      return (row) => values.at(row) === 0 ? null : interned.text(values.at(row) - 1);
    default:
      return (row) => values.at(row);
  }
}

function objectReader({ kind }: ParamPlan, { source, interned, rows }: Reading): ValueReader {
  const codes = readColumn(source, rows, 2 ** 32);
  let rawCount = 0;
  for (let row = 0; row < rows; row += 1) if (codes.at(row) === 1) rawCount += 1;
  const raws = readColumn(source, rawCount, 2 ** 53);
  let row = 0;
  let raw = 0;
  return {
    next: () => {
      const code = codes.at(row++);
      if (code < FIRST_CODE || kind === null) return code === 1 ? raws.numberAt(raw++) : null;
      return interned.object(kind, code - FIRST_CODE);
    },
  };
}

function bytesReader({ source, rows }: Reading): ValueReader {
  const lengths = readColumn(source, rows, 2 ** 32);
  const bytes = readBytes(source, lengths.sum());
  let row = 0;
  let position = 0;
  return {
    next: () => {
      const start = position;
      position += lengths.at(row++);
      return new Uint8Array(bytes.subarray(start, position));
    },
  };
}

function arrayReader(param: ParamPlan, reading: Reading, depth: number): ValueReader {
  const lengths = readColumn(reading.source, reading.rows, 2 ** 32);
  const rows = lengths.sum();
  if (rows > MAX_CELLS) throw new WireError(`Cannot read ${param.name}: ${rows} elements exceed ${MAX_CELLS}`, 0);
  const child = readerOf({ ...param, isArray: false }, { ...reading, rows }, depth + 1);
  let row = 0;
  return { next: () => Array.from({ length: lengths.at(row++) }, () => child.next()) };
}
