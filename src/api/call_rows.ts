// The columns of one call, for reading: row after row of its in and out parameters and what it returned. It must not know
// any particular call, nor how chunks are framed. `step` and what asks for numbers must not allocate.

import type { PlaneSource } from "../wire/mod.ts";
import type { CallPlan, ParamPlan } from "./catalogue.ts";
import type { Way } from "./fit.ts";
import { type Interned, ValueRows } from "./value_rows.ts";
import type { Value } from "./values.ts";

const NONE: readonly Value[] = [];

/** How many rows each column of a call has. */
export interface CallRowCounts {
  readonly ins: readonly number[];
  readonly outs: readonly number[];
  readonly returned: number;
}

/** The columns of one call's events, while reading: row after row. */
export class CallRows {
  readonly #ins: ParamRows;
  readonly #outs: ParamRows;
  readonly #returned: ValueRows | null;

  /** Reads the columns that `CallColumns.write` wrote; `WireError` where they are not of the declared types. */
  constructor(
    plan: CallPlan,
    rows: CallRowCounts,
    from: { readonly source: PlaneSource; readonly interned: Interned },
  ) {
    const read = (param: ParamPlan, way: Way, count: number | undefined): ValueRows =>
      new ValueRows(param, { ...from, way, rows: count ?? 0, depth: 0, isElement: false });
    this.#ins = new ParamRows(plan.ins.map((param, index) => read(param, "in", rows.ins[index])), rows.ins);
    this.#outs = new ParamRows(plan.outs.map((param, index) => read(param, "out", rows.outs[index])), rows.outs);
    this.#returned = plan.returned === null ? null : read(plan.returned, "out", rows.returned);
  }

  /** Whether a value is an object, or holds some. */
  get holdsObjects(): boolean {
    return this.#all().some((rows) => rows.holdsObjects);
  }

  /** Whether a row mentions an object that no row before it did: only then what other calls mention depends on these rows. */
  get mentionsObjects(): boolean {
    return this.#all().some((rows) => rows.mentionsObjects);
  }

  /** Steps to the next row of the first in and out parameters and, where there is one, of the returned value. */
  step(ins: number, outs: number, returnsValue: boolean): void {
    // In this order values were written, and objects got their codes.
    this.#ins.step(ins);
    this.#outs.step(outs);
    if (returnsValue) this.#returned?.step();
  }

  /** Passes over the same. */
  skip(ins: number, outs: number, returnsValue: boolean): void {
    this.#ins.skip(ins);
    this.#outs.skip(outs);
    if (returnsValue) this.#returned?.skip();
  }

  /** The row's first `count` in parameters. */
  ins(count: number): readonly Value[] {
    return this.#ins.values(count);
  }

  /** The row's first `count` out parameters. */
  outs(count: number): readonly Value[] {
    return this.#outs.values(count);
  }

  /** The row's returned value. */
  returned(): Value {
    return this.#returned?.value() ?? null;
  }

  /** The in parameter at a place, which must be among the row's. */
  in(place: number): Value {
    return this.#ins.value(place);
  }

  /** The in parameter at a place of the row as a number: rounded above 2^53, 0 where it is none. */
  inNumber(place: number): number {
    return this.#ins.number(place);
  }

  /** The number of the object that the in parameter at a place of the row is, -1: none. */
  inObject(place: number): number {
    return this.#ins.object(place);
  }

  /** The out parameter at a place, which must be among the row's. */
  out(place: number): Value {
    return this.#outs.value(place);
  }

  /** As `inNumber`, of the out parameter at a place. */
  outNumber(place: number): number {
    return this.#outs.number(place);
  }

  /** As `inObject`, of the out parameter at a place. */
  outObject(place: number): number {
    return this.#outs.object(place);
  }

  /** The value of that object's handle, 0 where there is none. */
  outHandle(place: number): number {
    return this.#outs.handle(place);
  }

  #all(): readonly ValueRows[] {
    return [...this.#ins.all, ...this.#outs.all, ...(this.#returned === null ? [] : [this.#returned])];
  }
}

/** The columns of in or of out parameters. Where no event has but some of them, one row counts for all. */
class ParamRows {
  readonly all: readonly ValueRows[];
  /** Those that have to be told of each row. */
  readonly #told: readonly ValueRows[];
  readonly #isEven: boolean;
  /** Of even ones, the row. */
  #row = -1;
  /** An array of the full length, to be copied: a copy takes no room for more. */
  readonly #blank: readonly Value[];

  constructor(all: readonly ValueRows[], counts: readonly number[]) {
    this.all = all;
    this.#isEven = counts.every((count) => count === counts[0]);
    this.#told = all.filter(({ isTold }) => isTold);
    this.#blank = all.map(() => null);
  }

  step(count: number): void {
    if (!this.#isEven) { for (let index = 0; index < count; index += 1) this.all[index]?.step(); }
    else if (count > 0) {
      this.#row += 1;
      const told = this.#told;
      for (let index = 0; index < told.length; index += 1) told[index]?.step();
    }
  }

  skip(count: number): void {
    if (!this.#isEven) { for (let index = 0; index < count; index += 1) this.all[index]?.skip(); }
    else if (count > 0) {
      this.#row += 1;
      for (const rows of this.#told) rows.skip();
    }
  }

  value(place: number): Value {
    const rows = this.all[place];
    return rows === undefined ? null : rows.valueAt(this.#isEven ? this.#row : rows.row);
  }

  number(place: number): number {
    const rows = this.all[place];
    return rows === undefined ? 0 : rows.numberAt(this.#isEven ? this.#row : rows.row);
  }

  object(place: number): number {
    return this.all[place]?.objectNumber ?? -1;
  }

  handle(place: number): number {
    return this.all[place]?.objectHandle ?? 0;
  }

  /** Arrays are made in one piece: one that grows takes room for many more. */
  values(count: number): readonly Value[] {
    if (count === 0) return NONE;
    const first = this.value(0);
    if (count === 1) return [first];
    if (count === 2) return [first, this.value(1)];
    if (count === 3) return [first, this.value(1), this.value(2)];
    if (count === 4) return [first, this.value(1), this.value(2), this.value(3)];
    const values = this.#blank.slice(0, count);
    values[0] = first;
    for (let index = 1; index < count; index += 1) values[index] = this.value(index);
    return values;
  }
}
