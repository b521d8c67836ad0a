// Turns a driver's arguments into canonical values: numbers to their width, handles to the objects they name.
// Bad arguments to the toolkit (a string for a number) throw; a handle that names nothing stays a number, for the model to refuse.

import { defaultValue, type ParamPlan, type Value } from "../api/mod.ts";
import type { KindTable } from "./object_tables.ts";
import type { World } from "./world.ts";

/** Arguments by name, as a program or a scenario gives them. */
export interface GivenArgs {
  readonly [name: string]: unknown;
}

/** A parameter, its members, and the objects of its kind. */
interface Slot {
  readonly name: string;
  readonly place: number;
  readonly plan: ParamPlan;
  /** Null where it is no structure. */
  readonly members: Signature | null;
  /** Null where it is no handle. */
  readonly table: KindTable | null;
}

/** The in parameters of a call, or the members of a structure, by name: compiled once, bound at every call. */
export class Signature {
  readonly #slots: ReadonlyMap<string, Slot>;
  /** What is left out is 0, null, false or empty. */
  readonly #defaults: readonly Value[];
  /** The names that were given last, in their order: a caller mostly gives the same ones again. */
  readonly #given: Slot[] = [];

  constructor(plans: readonly ParamPlan[], world: World) {
    this.#defaults = plans.map(defaultValue);
    this.#slots = new Map(plans.map((plan, place) => [plan.name, slotOf(plan, place, world)]));
  }

  /** The values in order; `TypeError` for names and types that do not fit, the first in the order given. */
  bind(given: GivenArgs): Value[] {
    const values = this.#defaults.slice();
    const known = this.#given;
    let index = 0;
    for (const name in given) {
      if (!Object.hasOwn(given, name)) continue;
      const last = known[index];
      const slot = last !== undefined && last.name === name ? last : this.#slots.get(name);
      if (slot === undefined) throw this.#unknown(name);
      if (slot !== last) known[index] = slot;
      index += 1;
      const value = given[name];
      if (value !== undefined) values[slot.place] = bindValue(slot, value);
    }
    return values;
  }

  /** A structure of the members that it knows; what else is given is ignored. */
  bindMembers(given: object): Value {
    const values = this.#defaults.slice();
    for (const [name, value] of Object.entries(given)) {
      const slot = this.#slots.get(name);
      if (slot !== undefined && value !== undefined) values[slot.place] = bindValue(slot, value);
    }
    return Object.fromEntries([...this.#slots.values()].map(({ name, place }) => [name, values[place] ?? null]));
  }

  #unknown(name: string): TypeError {
    const names = [...this.#slots.keys()].join(", ");
    return new TypeError(`Cannot pass ${name}: there are ${names || "no parameters"}`);
  }
}

function slotOf(plan: ParamPlan, place: number, world: World): Slot {
  const isStruct = plan.storage === "struct";
  const members = isStruct ? new Signature(plan.members.filter((member) => member.goesIn), world) : null;
  const table = plan.storage === "object" && plan.kind !== null ? world.tableOf(plan.kind) : null;
  return { name: plan.name, place, plan, members, table };
}

function bindValue(slot: Slot, value: unknown): Value {
  if (!slot.plan.isArray) return bindOne(slot, value);
  if (!Array.isArray(value)) throw mismatch(slot.plan, value, "an array");
  return value.map((each) => bindOne(slot, each));
}

function bindOne(slot: Slot, value: unknown): Value {
  const { plan, members } = slot;
  if (plan.storage === "object") return bindHandle(slot, value);
  if (members === null) return bindScalar(plan, value);
  if (typeof value !== "object" || value === null) throw mismatch(plan, value, "a structure");
  return members.bindMembers(value);
}

function bindHandle({ plan, table }: Slot, value: unknown): Value {
  if (value === null || value === 0) return null;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) {
    return table === null ? value : table.refOf(value) ?? value;
  }
  if (isReference(value)) return value;
  throw mismatch(plan, value, "a handle");
}

function isReference(value: unknown): value is Value {
  return typeof value === "object" && value !== null && "kind" in value && "number" in value && "handle" in value;
}

interface Limits<T> {
  readonly low: T;
  readonly high: T;
}

const U8: Limits<number> = { low: 0, high: 0xff };
const U16: Limits<number> = { low: 0, high: 0xffff };
const U32: Limits<number> = { low: 0, high: 0xffffffff };
const I32: Limits<number> = { low: -0x80000000, high: 0x7fffffff };
const U64: Limits<bigint> = { low: 0n, high: (1n << 64n) - 1n };
const I64: Limits<bigint> = { low: -(1n << 63n), high: (1n << 63n) - 1n };

function bindScalar(plan: ParamPlan, value: unknown): Value {
  switch (plan.storage) {
    case "u8":
      return bindNumber(plan, value, U8);
    case "u16":
      return bindNumber(plan, value, U16);
    case "u32":
      return bindNumber(plan, value, U32);
    case "i32":
      return bindNumber(plan, value, I32);
    case "u64":
      return bindBigint(plan, value, U64);
    case "i64":
      return bindBigint(plan, value, I64);
    case "bool":
      if (typeof value === "boolean") return value;
      throw mismatch(plan, value, "true or false");
    case "function":
      return typeof value === "function" || value === true;
    case "bytes":
      if (value instanceof Uint8Array) return value.slice();
      throw mismatch(plan, value, "bytes");
    case "guid":
      return bindGuid(plan, value);
    default:
      if (typeof value === "string") return value;
      throw mismatch(plan, value, "a string");
  }
}

function bindNumber(plan: ParamPlan, value: unknown, { low, high }: Limits<number>): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) throw mismatch(plan, value, "a whole number");
  if (number < low || number > high) {
    throw new RangeError(`Cannot pass ${plan.name}=${number}: it must be ${low} to ${high}`);
  }
  return number;
}

function bindBigint(plan: ParamPlan, value: unknown, { low, high }: Limits<bigint>): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isSafeInteger(value))) {
    throw mismatch(plan, value, "a bigint, or a whole number up to 2^53");
  }
  const big = BigInt(value);
  if (big < low || big > high) throw new RangeError(`Cannot pass ${plan.name}=${big}: it must be ${low} to ${high}`);
  return big;
}

const GUID = /^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$/i;

function bindGuid(plan: ParamPlan, value: unknown): Value {
  if (value === null) return null;
  if (typeof value !== "string" || !GUID.test(value)) throw mismatch(plan, value, "a GUID");
  return `{${value.replace(/[{}]/g, "").toLowerCase()}}`;
}

function mismatch(plan: ParamPlan, value: unknown, wanted: string): TypeError {
  const shown = typeof value === "string"
    ? `"${value}"`
    : typeof value === "object" && value !== null
    ? "an object"
    : String(value);
  return new TypeError(
    `Cannot pass ${plan.name}=${shown}: it takes ${wanted} (${plan.word}${plan.isArray ? "[]" : ""})`,
  );
}
