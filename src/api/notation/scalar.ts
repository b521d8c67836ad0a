// What a written value means as its declared scalar type: symbols to numbers, bounds checked, fills made into bytes.
// It must not know variables, objects or whole calls.

import { findPlan, type ParamPlan } from "../catalogue.ts";
import { INTEGER_BOUNDS } from "../fit.ts";
import { baseSide, canonicalSide, SIDES } from "../sides.ts";
import type { Value } from "../values.ts";
import { didYouMean } from "./near_names.ts";
import { NotationError } from "./notation_error.ts";
import type { SymbolsNode, ValueNode } from "./syntax.ts";
import { CALL_LIST } from "./vocabulary.ts";

/** Bounds of the integers that a storage holds; handles are written as such. */
const BOUNDS: Readonly<Partial<Record<ParamPlan["storage"], readonly [low: bigint, high: bigint]>>> = {
  ...INTEGER_BOUNDS,
  object: [0n, BigInt(Number.MAX_SAFE_INTEGER)],
};

/** Whether values of this storage are integers, or handles written as such. */
export function isInteger(plan: ParamPlan): boolean {
  return BOUNDS[plan.storage] !== undefined;
}

/** An integer in the form that its storage is kept in; `NotationError` where it does not fit. */
export function fitInteger(value: bigint, plan: ParamPlan, node: ValueNode): number | bigint {
  const [low, high] = BOUNDS[plan.storage] ?? [0n, 0n];
  if (value < low || value > high) {
    throw new NotationError(`expected ${plan.name} from ${low} to ${high}, found ${value}`, node.at);
  }
  return plan.storage === "u64" || plan.storage === "i64" ? value : Number(value);
}

/** The value of a literal; a variable, an object, an array or a structure is none. `NotationError` where it does not fit its type. */
export function scalarValue(node: ValueNode, plan: ParamPlan): Value {
  if (node.form === "integer" && isInteger(plan)) return fitInteger(node.value, plan, node);
  if (node.form === "symbols" && isInteger(plan)) return fitInteger(symbolsValue(node, plan), plan, node);
  switch (plan.storage) {
    case "bool":
      if (node.form === "boolean") return node.value;
      break;
    case "function":
      if (node.form === "boolean") return node.value || null;
      if (node.form === "null") return null;
      break;
    case "object":
      if (node.form === "null") return null;
      break;
    case "guid":
      if (node.form === "guid") return node.value;
      if (node.form === "null") return null;
      break;
    case "bytes":
      if (node.form === "bytes") return node.value;
      if (node.form === "fill") return new Uint8Array(node.length).fill(node.byte);
      break;
    case "text":
      if (node.form === "text") return node.value;
      if (node.form === "symbols") return nameValue(node, plan);
  }
  throw mismatch(node, plan);
}

/** The number that symbols stand for, flags joined. */
function symbolsValue(node: SymbolsNode, plan: ParamPlan): bigint {
  const flags = plan.scalar?.flags;
  const known = flags ?? plan.scalar?.names;
  if (known === undefined) throw mismatch(node, plan);
  if (flags === undefined && node.parts.length > 1) {
    throw new NotationError(`expected one name for ${plan.name}: ${plan.word} is no set of flags`, node.at);
  }
  const numbers = new Map(Object.entries(known));
  return node.parts.reduce<bigint>((sum, part) => {
    if (typeof part === "bigint") return sum | part;
    const number = numbers.get(part);
    if (number !== undefined) return sum | BigInt(number);
    const names = [...numbers.keys()];
    const hint = didYouMean(part, names) || (names.length <= 8 ? ` There are ${names.join(", ")}.` : "");
    throw new NotationError(`unknown symbol "${part}" for ${plan.name}.${hint}`, node.at);
  }, 0n);
}

/** Sides and calls may be named without quotes; then they must exist. */
function nameValue(node: SymbolsNode, plan: ParamPlan): string {
  const name = node.parts.length === 1 ? String(node.parts[0]) : "";
  if (plan.word === "sideName") {
    if (baseSide(name) !== null) return canonicalSide(name);
    throw new NotationError(`unknown side "${node.source}".${didYouMean(name, SIDES)}`, node.at);
  }
  if (plan.word === "callName") {
    if (findPlan(name) !== undefined) return name;
    throw new NotationError(`unknown call "${node.source}".${didYouMean(name, CALL_LIST)}`, node.at);
  }
  throw mismatch(node, plan);
}

/** The error that a value's form does not suit its type. */
export function mismatch(node: ValueNode, plan: ParamPlan): NotationError {
  return new NotationError(
    `expected ${wanted(plan)} for ${plan.name} (${plan.word}${plan.isArray ? "[]" : ""}), found ${
      shorten(node.source)
    }`,
    node.at,
  );
}

function wanted(plan: ParamPlan): string {
  if (plan.isArray) return "an array like [1, 2]";
  if (plan.storage === "object") return `an object like ${plan.kind ?? plan.word}#1, a handle value or null`;
  if (isInteger(plan)) return plan.scalar?.flags ? "flags or an integer" : "an integer";
  return WANTED[plan.storage] ?? "another value";
}

const WANTED: Readonly<Partial<Record<ParamPlan["storage"], string>>> = {
  struct: "a structure like {NAME=VALUE}",
  bool: "true or false",
  function: "true or null",
  guid: "a GUID in braces or null",
  bytes: "bytes like h'00ff', fill(0xab, 16) or zero(16)",
  text: 'text like "net0"',
};

/** Source text for a message, cut to 80 characters. */
export function shorten(source: string): string {
  return source.length > 80 ? `${source.slice(0, 79)}…` : source;
}
