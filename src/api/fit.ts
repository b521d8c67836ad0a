// Whether a value fits its declared type, and about how much room it takes. It must not know any particular call.

import type { ParamPlan } from "./catalogue.ts";
import { isArray, isRef, isStruct, type Value } from "./values.ts";

/** Which members of a structure stand there: those that go in, or those that come out. */
export type Way = "in" | "out";

/** Ends of the unsigned storages' values. */
export const UNSIGNED_LIMITS = { u8: 0x100, u16: 0x10000, u32: 0x100000000, bool: 2, function: 2 } as const;
const SIGN = 0x80000000;

/** The least and greatest integer of each storage that holds integers. */
export const INTEGER_BOUNDS = {
  u8: [0n, 0xffn],
  u16: [0n, 0xffffn],
  u32: [0n, 0xffffffffn],
  i32: [-0x80000000n, 0x7fffffffn],
  u64: [0n, (1n << 64n) - 1n],
  i64: [-(1n << 63n), (1n << 63n) - 1n],
} as const;

/** The members of a structure that stand in a value that goes this way. */
export function membersOf(param: ParamPlan, way: Way): readonly ParamPlan[] {
  return param.members.filter((member) => way === "in" ? member.goesIn : member.goesOut);
}

/** Why a value is not of the declared type, or null where it is. */
export function valueTrouble(param: ParamPlan, value: Value | undefined, way: Way = "in"): string | null {
  if (!param.isArray) return oneTrouble(param, value, way);
  if (value === undefined || !isArray(value)) return wanted(param, value, "an array");
  for (const each of value) {
    const trouble = oneTrouble(param, each, way);
    if (trouble !== null) return trouble;
  }
  return null;
}

function oneTrouble(param: ParamPlan, value: Value | undefined, way: Way): string | null {
  switch (param.storage) {
    case "u8":
    case "u16":
    case "u32":
      return isWhole(value, 0, UNSIGNED_LIMITS[param.storage]) ? null : wanted(param, value, "a whole number");
    case "i32":
      return isWhole(value, -SIGN, SIGN) ? null : wanted(param, value, "a whole number");
    case "u64":
      return typeof value === "bigint" && BigInt.asUintN(64, value) === value ? null : wanted(param, value, "a bigint");
    case "i64":
      return typeof value === "bigint" && BigInt.asIntN(64, value) === value ? null : wanted(param, value, "a bigint");
    case "bool":
    case "function":
      return typeof value === "boolean" ? null : wanted(param, value, "true or false");
    case "text":
    case "guid":
      return value === null || typeof value === "string" ? null : wanted(param, value, "a string or null");
    case "bytes":
      return value instanceof Uint8Array ? null : wanted(param, value, "bytes");
    case "object":
      return objectTrouble(param, value);
    case "struct":
      return structTrouble(param, value, way);
  }
}

function isWhole(value: Value | undefined, low: number, end: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= low && value < end;
}

function objectTrouble(param: ParamPlan, value: Value | undefined): string | null {
  if (value === null || isWhole(value, 0, 2 ** 53)) return null;
  const fits = isRef(value) && value.kind === param.kind && isWhole(value.number, 0, 2 ** 53) &&
    isWhole(value.handle, 0, 2 ** 53);
  return fits ? null : wanted(param, value, `a ${param.kind}, a raw handle value or null`);
}

function structTrouble(param: ParamPlan, value: Value | undefined, way: Way): string | null {
  if (value === undefined || !isStruct(value)) return wanted(param, value, "a structure");
  const members = membersOf(param, way);
  for (const member of members) {
    const trouble = Object.hasOwn(value, member.name)
      ? valueTrouble(member, value[member.name], way)
      : `${member.name} is missing`;
    if (trouble !== null) return `${param.name}.${trouble}`;
  }
  const names = Object.keys(value);
  return names.length === members.length ? null : `${param.name} has members that its structure lacks: ${names}`;
}

function wanted(param: ParamPlan, value: Value | undefined, what: string): string {
  const shown = typeof value === "object" && value !== null ? "an object" : `${value}`.slice(0, 40);
  return `${param.name} is ${shown}, wanted ${what} (${param.word})`;
}

/** How many elements of arrays a value has, and values that these are made of. */
export function elementCount(value: Value): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || isRef(value)) return 0;
  if (isArray(value)) return value.reduce((sum: number, each) => sum + valueCount(each), 0);
  return Object.values(value).reduce((sum: number, each: Value) => sum + elementCount(each), 0);
}

/** How many values a value is made of, itself included. */
function valueCount(value: Value): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || isRef(value)) return 1;
  const inner: readonly Value[] = isArray(value) ? value : Object.values(value);
  return inner.reduce((sum: number, each) => sum + valueCount(each), 1);
}

/** About how many bytes a value takes in columns: 8 a number, 3 a letter, 1 a byte. */
export function valueWeight(value: Value): number {
  if (typeof value === "string") return 8 + 3 * value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return 8 + value.length;
  let weight = 8;
  if (isArray(value)) { for (const each of value) weight += valueWeight(each); }
  else if (!isRef(value)) { for (const name of Object.keys(value)) weight += valueWeight(value[name] ?? null); }
  return weight;
}
