// Whether what is written fits the declarations, found before anything runs: names, types, bounds.
// It must not evaluate: a value that hangs on a variable is checked when the variable has one.

import type { CallPlan, ParamPlan } from "../catalogue.ts";
import { membersOf, type Way } from "../fit.ts";
import { TYPES } from "../types.ts";
import { didYouMean } from "./near_names.ts";
import { NotationError } from "./notation_error.ts";
import { mismatch, scalarValue } from "./scalar.ts";
import type { NamedNode, OutcomeNode, ValueNode } from "./syntax.ts";

/** The plan of an NTSTATUS that is returned. */
export const STATUS_PLAN: ParamPlan = {
  name: "status",
  direction: "out",
  word: "status",
  storage: "u32",
  isArray: false,
  goesIn: false,
  goesOut: true,
  optional: false,
  scalar: TYPES.status,
  kind: null,
  members: [],
};

/** The plan of the value that a call returns: its status or its own; null for void. */
export function returnPlan(plan: CallPlan): ParamPlan | null {
  return plan.declaration.returns === "status" ? STATUS_PLAN : plan.returned;
}

/** One of an array's items. */
export function itemPlan(plan: ParamPlan): ParamPlan {
  return { ...plan, isArray: false };
}

/** The plan of a written name; `NotationError` with the nearest names where there is none. */
export function planNamed(plans: readonly ParamPlan[], named: NamedNode, owner: string): ParamPlan {
  const plan = plans.find(({ name }) => name === named.name);
  if (plan !== undefined) return plan;
  const names = plans.map(({ name }) => name);
  const hint = didYouMean(named.name, names) ||
    (names.length === 0 ? " There are none." : ` There are ${names.join(", ")}.`);
  throw new NotationError(`unknown name "${named.name}" in ${owner}.${hint}`, named.at);
}

/** Checks the arguments of a call or callback. */
export function checkArguments(args: readonly NamedNode[], plan: CallPlan): void {
  for (const arg of args) {
    checkValue(arg.value, planNamed(plan.ins, arg, `the parameters of ${plan.name}`), "in");
  }
}

/** Checks an expected outcome: the value returned, and outputs. */
export function checkOutcome(outcome: OutcomeNode, plan: CallPlan): void {
  const returned = returnPlan(plan);
  if (outcome.form === "value") {
    if (returned === null) {
      throw new NotationError(`expected "void" or "refused": ${plan.name} returns nothing`, outcome.at);
    }
    checkValue(outcome.value, returned, "out");
  }
  for (const out of outcome.outs) {
    checkValue(out.value, planNamed(plan.outs, out, `the outputs of ${plan.name}`), "out");
  }
}

/** Checks a value that a driver returns from a callback. */
export function checkReturn(node: ValueNode, plan: CallPlan): void {
  const returned = returnPlan(plan);
  if (returned === null) throw new NotationError(`expected no value: ${plan.name} returns nothing`, node.at);
  checkValue(node, returned, "in");
}

/** Checks what a driver gives back in a callback's out parameters. */
export function checkOuts(outs: readonly NamedNode[], plan: CallPlan): void {
  for (const out of outs) checkValue(out.value, planNamed(plan.outs, out, `the outputs of ${plan.name}`), "in");
}

/** Checks any value. What a variable holds is known only when it runs: even an unbound one passes. */
export function checkValue(node: ValueNode, plan: ParamPlan, way: Way): void {
  if (node.form === "variable") return;
  if (plan.isArray) {
    if (node.form !== "array") throw mismatch(node, plan);
    for (const item of node.items) checkValue(item, itemPlan(plan), way);
  } else if (plan.storage === "struct") {
    if (node.form !== "struct") throw mismatch(node, plan);
    for (const member of node.members) {
      checkValue(member.value, planNamed(membersOf(plan, way), member, plan.word), way);
    }
  } else if (node.form === "fill") {
    // Its bytes are made when they are needed.
    if (plan.storage !== "bytes") throw mismatch(node, plan);
  } else if (node.form !== "object" || plan.storage !== "object") scalarValue(node, plan);
}
