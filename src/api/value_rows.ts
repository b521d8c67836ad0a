// Columns of a declared type, for reading: what `codec.ts` wrote comes back as values, row after row. Every number is
// checked when its column is read, but for the codes of objects. It must not know any particular call, nor how chunks
// are framed. `next` must not allocate but the value.

import { MAX_CELLS, type NumberValues, type PlaneSource, readBytes, readColumn, WireError } from "../wire/mod.ts";
import type { CallPlan, ParamPlan } from "./catalogue.ts";
import { membersOf, UNSIGNED_LIMITS, type Way } from "./fit.ts";
import type { ObjectKind } from "./grammar.ts";
import type { Ref, Value } from "./values.ts";
import { DOES, DONE_WITH, FIRST_CODE, RAW_CODE, SIGN, SIGN_64 } from "./value_storage.ts";

/** Where numbers become again what was interned, in the order in which it was interned. */
export interface Interned {
  /** The texts by index. */
  readonly texts: readonly string[];
  /** The objects of a kind by code. */
  objects(kind: ObjectKind): CodedObjects;
}

/** The objects of one kind by the codes that they were given. */
export interface CodedObjects {
  /** Throws `WireError` for a code that names nothing. */
  objectOf(code: number): Ref;
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

  /** Reads the columns that `CallColumns.write` wrote; `WireError` where they are not of the declared types. */
  constructor(
    plan: CallPlan,
    rows: CallRowCounts,
    from: { readonly source: PlaneSource; readonly interned: Interned },
  ) {
    const read = (param: ParamPlan, way: Way, count: number | undefined): ValueRows =>
      new ValueRows(param, { ...from, way, rows: count ?? 0, depth: 0 });
    this.#ins = plan.ins.map((param, index) => read(param, "in", rows.ins[index]));
    this.#outs = plan.outs.map((param, index) => read(param, "out", rows.outs[index]));
    this.#returned = plan.returned === null ? null : read(plan.returned, "out", rows.returned);
  }

  /** The next row's first `count` in parameters. */
  ins(count: number): readonly Value[] {
    return nextOf(this.#ins, count);
  }

  /** The next row's first `count` out parameters. */
  outs(count: number): readonly Value[] {
    return nextOf(this.#outs, count);
  }

  /** The next returned value. */
  returned(): Value {
    return this.#returned?.next() ?? null;
  }
}

/** Short arrays are made in one piece: one that grows takes room for many more. */
function nextOf(rows: readonly ValueRows[], count: number): readonly Value[] {
  if (count === 0) return NONE;
  const first = rows[0]?.next() ?? null;
  if (count === 1) return [first];
  const second = rows[1]?.next() ?? null;
  if (count === 2) return [first, second];
  const third = rows[2]?.next() ?? null;
  if (count === 3) return [first, second, third];
  const values = [first, second, third, rows[3]?.next() ?? null];
  for (let index = 4; index < count; index += 1) values.push(rows[index]?.next() ?? null);
  return values;
}

interface Reading {
  readonly source: PlaneSource;
  readonly interned: Interned;
  readonly rows: number;
  readonly way: Way;
  readonly depth: number;
}

/** The columns of one value: its own, for objects one of raw handle values, or those that it nests. */
class ValueRows {
  readonly #does: (typeof DOES)[keyof typeof DOES];
  readonly #values: NumberValues | null;
  readonly #texts: readonly string[];
  readonly #objects: CodedObjects | null;
  readonly #raw: NumberValues | null;
  readonly #nested: { next(): Value } | null;
  #row = 0;
  #rawRow = 0;

  constructor(param: ParamPlan, reading: Reading) {
    const { source, interned, rows, depth } = reading;
    if (depth > MAX_NESTING) throw new WireError(`Cannot read ${param.name}: it nests deeper than ${MAX_NESTING}`, 0);
    this.#does = param.isArray ? DOES.nested : DONE_WITH[param.storage];
    this.#texts = interned.texts;
    this.#nested = this.#does === DOES.nested ? nestedOf(param, reading) : null;
    this.#values = this.#nested === null ? readColumn(source, rows, limitOf(param, this.#texts.length)) : null;
    const { kind } = param;
    const isObject = this.#does === DOES.object && kind !== null;
    this.#objects = isObject ? interned.objects(kind) : null;
    this.#raw = isObject ? readColumn(source, this.#values?.countOf(RAW_CODE) ?? 0, 2 ** 53) : null;
  }

  /** The next row's value. */
  next(): Value {
    const values = this.#values;
    if (values === null) return this.#nested?.next() ?? null;
    const row = this.#row++;
    switch (this.#does) {
      case DOES.unsigned:
        return values.at(row);
      case DOES.signed:
        return values.at(row) ^ SIGN;
      case DOES.unsigned64:
        return values.bigintAt(row);
      case DOES.signed64:
        return BigInt.asIntN(64, values.bigintAt(row) ^ SIGN_64);
      case DOES.flag:
        return values.at(row) === 1;
      case DOES.text:
        return this.#texts[values.at(row) - 1] ?? null;
      default:
        return this.#object(values.at(row));
    }
  }

  #object(code: number): Value {
    if (code >= FIRST_CODE) return this.#objects?.objectOf(code - FIRST_CODE) ?? null;
    return code === RAW_CODE ? this.#raw?.numberAt(this.#rawRow++) ?? null : null;
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

function nestedOf(param: ParamPlan, reading: Reading): { next(): Value } {
  const depth = reading.depth + 1;
  if (param.isArray) return arrayRows(param, { ...reading, depth });
  if (param.storage === "bytes") return bytesRows(reading);
  const members = membersOf(param, reading.way);
  const rows = members.map((member) => new ValueRows(member, { ...reading, depth }));
  return { next: () => Object.fromEntries(members.map(({ name }, index) => [name, rows[index]?.next() ?? null])) };
}

function bytesRows({ source, rows }: Reading): { next(): Value } {
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

function arrayRows(param: ParamPlan, reading: Reading): { next(): Value } {
  const lengths = readColumn(reading.source, reading.rows, 2 ** 32);
  const rows = lengths.sum();
  if (rows > MAX_CELLS) throw new WireError(`Cannot read ${param.name}: ${rows} elements exceed ${MAX_CELLS}`, 0);
  const child = new ValueRows({ ...param, isArray: false }, { ...reading, rows });
  let row = 0;
  return { next: () => Array.from({ length: lengths.at(row++) }, () => child.next()) };
}
