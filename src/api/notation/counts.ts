// "A count left out is the length of its array": which parameter counts which array.
// The rule reads the declaration, so that it holds for calls that nobody has declared yet.

import type { ParamPlan } from "../catalogue.ts";
import { isArray, type Value } from "../values.ts";

/**
 * The array or bytes that a parameter counts: it follows them, is named `…Length`, `…Size` or `…Count` and is a plain
 * count or a byte count; null where it counts nothing that goes in. Units are the array's items.
 */
export function countedBy(ins: readonly ParamPlan[], param: ParamPlan): ParamPlan | null {
  if (param.isArray || (param.word !== "byteCount" && param.word !== "u32")) return null;
  if (!/(Length|Size|Count)$/.test(param.name)) return null;
  const before = ins[ins.indexOf(param) - 1];
  return before !== undefined && (before.isArray || before.storage === "bytes") ? before : null;
}

/** How many items an array or bytes have; 0 for anything else. */
export function lengthOf(value: Value | undefined): number {
  if (value instanceof Uint8Array) return value.length;
  return value !== undefined && isArray(value) ? value.length : 0;
}
