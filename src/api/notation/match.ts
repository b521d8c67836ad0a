// Whether what happened is what was written: values, arguments of callbacks, outcomes. Outputs bind variables on the way.
// A difference is a sentence, never an error; only what cannot be read at all throws.

import { type CallPlan, defaultValue, type ParamPlan } from "../catalogue.ts";
import { membersOf, type Way } from "../fit.ts";
import { ntSuccess } from "../symbols.ts";
import { sameBytes } from "../../wire/mod.ts";
import { isArray, isRef, isStruct, type Outcome, type Value } from "../values.ts";
import { itemPlan, planNamed, returnPlan } from "./check.ts";
import { countedBy, lengthOf } from "./counts.ts";
import { type Environment, variableValue } from "./evaluate.ts";
import { isDefault, printOutcome, printValue } from "./print.ts";
import { mismatch, scalarValue, shorten } from "./scalar.ts";
import type { NamedNode, OutcomeNode, ValueNode } from "./syntax.ts";

/** What a written value is compared with. */
export interface MatchTarget {
  readonly actual: Value;
  readonly env: Environment;
  /** `out`: variables bind anew, members left out are not checked. `in`: variables compare, members left out are their defaults. */
  readonly way: Way;
}

/** Compares a value as written with what happened: null where they agree, else `NAME: wrote X, got Y`. */
export function matchValue(node: ValueNode, plan: ParamPlan, target: MatchTarget): string | null {
  return matchAt(node, plan, { ...target, path: plan.name });
}

interface Target extends MatchTarget {
  readonly path: string;
}

function matchAt(node: ValueNode, plan: ParamPlan, target: Target): string | null {
  const { actual, env, way } = target;
  if (node.form === "variable") {
    if (way === "in" || node.offset !== null) {
      return agrees(variableValue(node, env), actual) ? null : wrote(node, plan, target);
    }
    env.bindVariable(node.name, actual);
    return null;
  }
  if (plan.isArray) return matchItems(node, plan, target);
  if (plan.storage === "struct") return matchMembers(node, plan, target);
  if (node.form === "object" && plan.storage === "object") {
    const isSame = isRef(actual) && actual.kind === node.kind && actual.number === node.number;
    return isSame ? null : wrote(node, plan, target);
  }
  return agrees(scalarValue(node, plan), actual) ? null : wrote(node, plan, target);
}

function matchItems(node: ValueNode, plan: ParamPlan, target: Target): string | null {
  if (node.form !== "array") throw mismatch(node, plan);
  const { actual, path } = target;
  if (!isArray(actual)) return wrote(node, plan, target);
  const first = firstOf(node.items, (item, index) => {
    const value = actual[index];
    return value === undefined
      ? null
      : matchAt(item, itemPlan(plan), { ...target, actual: value, path: `${path}[${index}]` });
  });
  if (first !== null || node.items.length === actual.length) return first;
  return `${path}: wrote ${node.items.length} items, got ${actual.length}`;
}

function matchMembers(node: ValueNode, plan: ParamPlan, target: Target): string | null {
  if (node.form !== "struct") throw mismatch(node, plan);
  const { actual, path, way } = target;
  if (!isStruct(actual)) return wrote(node, plan, target);
  const plans = membersOf(plan, way);
  const first = firstOf(node.members, (member) => {
    const inner = planNamed(plans, member, plan.word);
    const value = actual[inner.name] ?? defaultValue(inner);
    return matchAt(member.value, inner, { ...target, actual: value, path: `${path}.${inner.name}` });
  });
  if (first !== null || way === "out") return first;
  return firstOf(plans, (inner) => {
    const value = actual[inner.name] ?? null;
    const isWritten = node.members.some(({ name }) => name === inner.name);
    return isWritten || isDefault(inner, value) ? null : leftOut(inner, value, `${path}.${inner.name}`);
  });
}

/** Compares all, so that every output binds; gives the first difference. */
function firstOf<T>(items: readonly T[], compare: (item: T, index: number) => string | null): string | null {
  return items.map(compare).find((difference) => difference !== null) ?? null;
}

/** Equal as a text can tell: integers by value, objects by kind and number, a handle value by the handle that was seen. */
function agrees(written: Value, actual: Value): boolean {
  if (written === actual) return true;
  if (isNone(written) || isNone(actual)) return isNone(written) && isNone(actual);
  if (isNumber(written)) {
    if (isNumber(actual)) return BigInt(written) === BigInt(actual);
    return isRef(actual) && BigInt(actual.handle) === BigInt(written);
  }
  if (written instanceof Uint8Array || actual instanceof Uint8Array) {
    return written instanceof Uint8Array && actual instanceof Uint8Array && sameBytes(written, actual);
  }
  if (typeof written !== "object" || typeof actual !== "object" || written === null || actual === null) return false;
  if (isArray(written)) {
    return isArray(actual) && written.length === actual.length &&
      written.every((item, index) => agrees(item, actual[index] ?? null));
  }
  if (isRef(written)) {
    if (!isRef(actual)) return isNumber(actual) && actual === written.handle;
    return written.kind === actual.kind && written.number === actual.number;
  }
  return isStruct(actual) && sameMembers(Object.entries(written), actual);
}

function sameMembers(written: readonly (readonly [string, Value])[], actual: Readonly<Record<string, Value>>): boolean {
  return written.every(([name, value]) => agrees(value, actual[name] ?? null));
}

/** No object, no function, no GUID: null, and the handle value or the pointer 0. */
function isNone(value: Value): boolean {
  return value === null || value === false || value === 0 || value === 0n;
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function wrote(node: ValueNode, plan: ParamPlan, { actual, env, path }: Target): string {
  const known = node.form === "variable" ? ` (${shorten(printValue(plan, variableValue(node, env)))})` : "";
  return `${path}: wrote ${shorten(node.source)}${known}, got ${shorten(printValue(plan, actual))}`;
}

function leftOut(plan: ParamPlan, value: Value, path: string): string {
  return `${path}: left out, which means ${shorten(printValue(plan, defaultValue(plan)))}, got ${
    shorten(printValue(plan, value))
  }`;
}

/** What a callback was made with. */
export interface ArgumentsTarget {
  readonly plan: CallPlan;
  readonly ins: readonly Value[];
  readonly env: Environment;
}

/** Compares a callback's arguments with those written; one left out is its default, a count its array's length. */
export function matchArguments(args: readonly NamedNode[], target: ArgumentsTarget): string | null {
  const { plan, ins, env } = target;
  const owner = `the parameters of ${plan.name}`;
  const written = new Map(args.map((arg) => [planNamed(plan.ins, arg, owner).name, arg.value]));
  return firstOf(plan.ins, (param, index) => {
    const actual = ins[index] ?? null;
    const node = written.get(param.name);
    if (node !== undefined) return matchValue(node, param, { actual, env, way: "in" });
    const isCount = countedBy(plan.ins, param) !== null;
    const isImplied = isCount ? actual === lengthOf(ins[index - 1]) : isDefault(param, actual);
    if (isImplied) return null;
    return isCount
      ? `${param.name}: left out, which means ${lengthOf(ins[index - 1])}, got ${printValue(param, actual)}`
      : leftOut(param, actual, param.name);
  });
}

/** What a call came to; `outcome` null: it waits. */
export interface OutcomeTarget {
  readonly plan: CallPlan;
  readonly outcome: Outcome | null;
  readonly outs: readonly Value[];
}

/**
 * Compares an outcome as written with what happened: null where they agree, else `wrote X, got Y`. Nothing written
 * (null) always agrees. Variables bind even where the outcome differs (to the default, where there is no value), so that
 * the lines below can still run.
 */
export function matchOutcome(node: OutcomeNode | null, target: OutcomeTarget, env: Environment): string | null {
  if (node === null) return null;
  const { plan, outs } = target;
  const isSame = matchAnswer(node, target, env);
  const difference = firstOf(node.outs, (named) => {
    const param = planNamed(plan.outs, named, `the outputs of ${plan.name}`);
    const actual = outs[plan.outs.indexOf(param)] ?? defaultValue(param);
    return matchValue(named.value, param, { actual, env, way: "out" });
  });
  return isSame ? difference : `wrote ${shorten(node.source)}, got ${printOutcome(target)}`;
}

function matchAnswer(node: OutcomeNode, { plan, outcome }: OutcomeTarget, env: Environment): boolean {
  switch (node.form) {
    case "blocked":
      return outcome === null;
    case "any":
      return outcome !== null;
    case "ok":
      return outcome?.form === "status" && ntSuccess(outcome.status);
    case "fails":
      return outcome?.form === "status" && !ntSuccess(outcome.status);
    case "void":
      return outcome?.form === "void";
    case "refused":
      return outcome?.form === "refused" && (node.reason === null || node.reason === outcome.reason);
    case "value":
      return matchReturned(node.value, returnPlan(plan), { outcome, env });
  }
}

function matchReturned(
  node: ValueNode,
  plan: ParamPlan | null,
  { outcome, env }: { readonly outcome: Outcome | null; readonly env: Environment },
): boolean {
  if (plan === null) return false;
  const isAnswer = outcome?.form === "status" || outcome?.form === "value";
  const actual = outcome?.form === "status" ? outcome.status : isAnswer ? outcome.value : defaultValue(plan);
  return matchValue(node, plan, { actual, env, way: "out" }) === null && isAnswer;
}
