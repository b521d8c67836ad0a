// Turns a driver's arguments into canonical values: numbers to their width, handles to the objects they name.
// Bad arguments to the toolkit (a string for a number) throw; a handle that names nothing stays a number, for the model to refuse.

import { defaultValue, isArray, isRef, isStruct, type ParamPlan, type Value } from "../api/mod.ts";
import type { World } from "./world.ts";

/** Arguments by name, as a program or a scenario gives them. */
export interface GivenArgs {
  readonly [name: string]: unknown;
}

/** The values of `plans` in order; what is left out is 0, null, false or empty. `TypeError` for names and types that do not fit. */
export function bindArgs(world: World, plans: readonly ParamPlan[], given: GivenArgs): Value[] {
  for (const name of Object.keys(given)) {
    if (!plans.some((plan) => plan.name === name)) {
      throw new TypeError(
        `Cannot pass ${name}: there are ${plans.map((plan) => plan.name).join(", ") || "no parameters"}`,
      );
    }
  }
  return plans.map((plan) => {
    const value = Object.hasOwn(given, plan.name) ? given[plan.name] : undefined;
    return value === undefined ? defaultValue(plan) : bindValue(world, plan, value);
  });
}

function bindValue(world: World, plan: ParamPlan, value: unknown): Value {
  if (!plan.isArray) return bindOne(world, plan, value);
  if (!Array.isArray(value)) throw mismatch(plan, value, "an array");
  return value.map((each) => bindOne(world, plan, each));
}

function bindOne(world: World, plan: ParamPlan, value: unknown): Value {
  if (plan.storage === "struct") return bindStruct(world, plan, value);
  if (plan.storage === "object") return bindHandle(world, plan, value);
  return bindScalar(plan, value);
}

function bindStruct(world: World, plan: ParamPlan, value: unknown): Value {
  if (typeof value !== "object" || value === null) throw mismatch(plan, value, "a structure");
  const members = plan.members.filter((member) => member.goesIn);
  const values = bindArgs(
    world,
    members,
    Object.fromEntries(Object.entries(value).filter(([name]) => members.some((member) => member.name === name))),
  );
  return Object.fromEntries(members.map((member, index) => [member.name, values[index] ?? null]));
}

function bindHandle(world: World, plan: ParamPlan, value: unknown): Value {
  if (value === null || value === 0) return null;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) {
    return plan.kind === null ? value : world.resolve(plan.kind, value)?.ref ?? value;
  }
  if (isReference(value)) return value;
  throw mismatch(plan, value, "a handle");
}

function isReference(value: unknown): value is Value {
  return typeof value === "object" && value !== null && "kind" in value && "number" in value && "handle" in value;
}

const WIDTHS = { u8: 0xff, u16: 0xffff, u32: 0xffffffff } as const;

function bindScalar(plan: ParamPlan, value: unknown): Value {
  switch (plan.storage) {
    case "u8":
    case "u16":
    case "u32":
      return bindNumber(plan, value, { low: 0, high: WIDTHS[plan.storage] });
    case "i32":
      return bindNumber(plan, value, { low: -0x80000000, high: 0x7fffffff });
    case "u64":
      return bindBigint(plan, value, { low: 0n, high: (1n << 64n) - 1n });
    case "i64":
      return bindBigint(plan, value, { low: -(1n << 63n), high: (1n << 63n) - 1n });
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

function bindNumber(
  plan: ParamPlan,
  value: unknown,
  { low, high }: { readonly low: number; readonly high: number },
): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) throw mismatch(plan, value, "a whole number");
  if (number < low || number > high) {
    throw new RangeError(`Cannot pass ${plan.name}=${number}: it must be ${low} to ${high}`);
  }
  return number;
}

function bindBigint(
  plan: ParamPlan,
  value: unknown,
  { low, high }: { readonly low: bigint; readonly high: bigint },
): bigint {
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

/** Every object reference inside values, for admission. */
export function* referencesIn(
  plan: ParamPlan,
  value: Value,
): IterableIterator<{ readonly plan: ParamPlan; readonly value: Value }> {
  if (plan.isArray) {
    if (isArray(value)) { for (const each of value) yield* referencesIn({ ...plan, isArray: false }, each); }
  } else if (plan.storage === "object") yield { plan, value };
  else if (plan.storage === "struct" && isStruct(value) && !isRef(value)) {
    for (const member of plan.members) if (member.goesIn) yield* referencesIn(member, value[member.name] ?? null);
  }
}
