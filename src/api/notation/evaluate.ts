// From what is written to what a call is given: variables, objects and counts filled in, against declared types.
// It must not know the engine; what it gives is what any binder of arguments takes.

import type { CallPlan, ParamPlan } from "../catalogue.ts";
import { membersOf } from "../fit.ts";
import type { ObjectKind } from "../grammar.ts";
import { STATUS } from "../symbols.ts";
import { isArray, isRef, isStruct, type Outcome, type Value, VOID } from "../values.ts";
import { itemPlan, planNamed, returnPlan } from "./check.ts";
import { countedBy, lengthOf } from "./counts.ts";
import { NotationError } from "./notation_error.ts";
import { fitInteger, isInteger, mismatch, scalarValue, shorten } from "./scalar.ts";
import type { NamedNode, ValueNode, VariableNode } from "./syntax.ts";

/** What a text's names stand for while it runs. */
export interface Environment {
  /** A variable's value; undefined while nothing bound it. */
  variable(name: string): Value | undefined;
  bindVariable(name: string, value: Value): void;
  /** The handle of the object of this kind and number, dead or alive; undefined where none was created yet. */
  object(kind: ObjectKind, number: number): number | undefined;
}

/**
 * A written value as an argument: numbers, bigints for 64 bits, objects as handle values, structures as plain objects,
 * `true` or null for functions. `NotationError` for what has no value or does not fit.
 */
export function evaluate(node: ValueNode, plan: ParamPlan, env: Environment): Value {
  if (node.form === "variable") return asArgument(variableValue(node, env), plan, node);
  if (plan.isArray) {
    if (node.form !== "array") throw mismatch(node, plan);
    return node.items.map((item) => evaluate(item, itemPlan(plan), env));
  }
  if (plan.storage === "struct") {
    if (node.form !== "struct") throw mismatch(node, plan);
    const members = membersOf(plan, "in");
    return Object.fromEntries(
      node.members.map((member) => [member.name, evaluate(member.value, planNamed(members, member, plan.word), env)]),
    );
  }
  if (node.form !== "object" || plan.storage !== "object") return scalarValue(node, plan);
  const handle = env.object(node.kind, node.number);
  if (handle === undefined) throw new NotationError(`expected an object: ${node.source} was not created`, node.at);
  return handle;
}

/** The arguments of a call by name; a count that is left out is the length of its array, other names left out stay out. */
export function evaluateArguments(
  args: readonly NamedNode[],
  plan: CallPlan,
  env: Environment,
): Readonly<Record<string, Value>> {
  const owner = `the parameters of ${plan.name}`;
  const values = new Map(args.map((arg) => [arg.name, evaluate(arg.value, planNamed(plan.ins, arg, owner), env)]));
  for (const param of plan.ins) {
    const counted = countedBy(plan.ins, param);
    if (counted !== null && !values.has(param.name)) values.set(param.name, lengthOf(values.get(counted.name)));
  }
  return Object.fromEntries(values);
}

/** What a driver returns from a callback; left out (null): STATUS_SUCCESS or nothing. */
export function evaluateReturn(node: ValueNode | null, plan: CallPlan, env: Environment): Outcome {
  const returned = returnPlan(plan);
  if (returned === null) return VOID;
  if (plan.declaration.returns === "status") {
    return { form: "status", status: node === null ? STATUS.STATUS_SUCCESS : Number(evaluate(node, returned, env)) };
  }
  return node === null ? VOID : { form: "value", value: evaluate(node, returned, env) };
}

/** What a driver gives back in a callback's out parameters, by name; names left out stay out. */
export function evaluateOuts(
  outs: readonly NamedNode[],
  plan: CallPlan,
  env: Environment,
): Readonly<Record<string, Value>> {
  const owner = `the outputs of ${plan.name}`;
  return Object.fromEntries(outs.map((out) => [out.name, evaluate(out.value, planNamed(plan.outs, out, owner), env)]));
}

/** A variable's value with its offset; `NotationError` where it has none. */
export function variableValue(node: VariableNode, env: Environment): Value {
  const value = env.variable(node.name);
  if (value === undefined) throw new NotationError(`expected a value: nothing has bound $${node.name}`, node.at);
  if (node.offset === null) return value;
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw new NotationError(`expected an integer to calculate with: $${node.name} is none`, node.at);
  }
  return BigInt(value) + node.offset;
}

/** A bound value as an argument of this type. */
function asArgument(value: Value, plan: ParamPlan, node: ValueNode): Value {
  const wrong = () =>
    new NotationError(
      `expected ${plan.name} to be ${plan.word}${plan.isArray ? "[]" : ""}: ${shorten(node.source)} is not`,
      node.at,
    );
  if (plan.isArray) {
    if (!isArray(value)) throw wrong();
    return value.map((item) => asArgument(item, itemPlan(plan), node));
  }
  if (isRef(value) && isInteger(plan)) return fitInteger(BigInt(value.handle), plan, node);
  if ((typeof value === "number" || typeof value === "bigint") && isInteger(plan)) {
    return fitInteger(BigInt(value), plan, node);
  }
  if (plan.storage === "struct") {
    if (!isStruct(value)) throw wrong();
    return Object.fromEntries(
      membersOf(plan, "in").flatMap((member) => {
        const inner = value[member.name];
        return inner === undefined ? [] : [[member.name, asArgument(inner, member, node)]];
      }),
    );
  }
  if (!suits(value, plan)) throw wrong();
  return plan.storage === "function" && value === false ? null : value;
}

function suits(value: Value, plan: ParamPlan): boolean {
  switch (plan.storage) {
    case "bool":
      return typeof value === "boolean";
    case "function":
      return value === null || typeof value === "boolean";
    case "object":
      return value === null;
    case "guid":
      return value === null || typeof value === "string";
    case "text":
      return typeof value === "string";
    default:
      return plan.storage === "bytes" && value instanceof Uint8Array;
  }
}
