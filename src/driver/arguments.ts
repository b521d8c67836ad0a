// Between a program's values and the canonical ones: results as objects by name, callback handlers out of arguments.

import {
  type CallbackFunction,
  type CallPlan,
  CATALOGUE,
  isArray,
  isRef,
  isStruct,
  type Outcome,
  type ParamPlan,
  REGISTERED_CALLBACKS,
  STATE_CALLBACKS,
  type Value,
} from "../api/mod.ts";
import type { Answer } from "./session.ts";

/** Arguments by name, as a program gives them. */
export interface CallArguments {
  readonly [name: string]: unknown;
}

/** The result that a program gets: `status`, or `value` and `refused`, with outputs by name; objects are handle values. */
export function answerToProgram({ outs: plans }: CallPlan, { outcome, outs }: Answer): object {
  const result = resultOf(outcome);
  for (let index = 0; index < plans.length; index += 1) {
    const plan = plans[index];
    if (plan !== undefined) result[plan.name] = toProgram(outs[index] ?? null);
  }
  return result;
}

function resultOf(outcome: Outcome): Record<string, unknown> {
  switch (outcome.form) {
    case "status":
      return { status: outcome.status };
    case "value":
      return { value: toProgram(outcome.value), refused: null };
    case "refused":
      return { refused: outcome.reason, value: 0 };
    default:
      return { refused: null, value: 0 };
  }
}

/** The arguments that a callback's handler gets. */
export function callbackArguments(plan: CallPlan, ins: readonly Value[]): object {
  return Object.fromEntries(plan.ins.map((param, index) => [param.name, toProgram(ins[index] ?? null)]));
}

function toProgram(value: Value): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (isRef(value)) return value.handle;
  if (isArray(value)) return value.map(toProgram);
  if (isStruct(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toProgram(member)]));
  }
  return value;
}

const MEMBERS: ReadonlyMap<string, string> = new Map(Object.entries({ ...STATE_CALLBACKS, ...REGISTERED_CALLBACKS }));

/** The member or the parameter that registers a callback's handler: a callback has another name. */
export function memberNameOf(callback: string): string {
  return MEMBERS.get(callback) ?? callback;
}

/** Whether a call may register handlers: a function is among its parameters, or among their members. */
export function takesHandlers(plan: CallPlan): boolean {
  return TAKING_HANDLERS.has(plan);
}

const TAKING_HANDLERS: ReadonlySet<CallPlan> = new Set(CATALOGUE.filter(({ ins }) => ins.some(holdsFunction)));

function holdsFunction({ storage, members }: ParamPlan): boolean {
  return storage === "function" || members.some(holdsFunction);
}

/** The functions among a call's arguments, and among their members, each by its name. */
export function functionsIn(plans: readonly ParamPlan[], args: object): [string, CallbackFunction][] {
  const given = new Map<string, unknown>(Object.entries(args));
  return plans.flatMap((param): [string, CallbackFunction][] => {
    const value = given.get(param.name);
    if (param.storage === "struct" && typeof value === "object" && value !== null) {
      return functionsIn(param.members, value);
    }
    return isFunction(value) ? [[param.name, value]] : [];
  });
}

function isFunction(value: unknown): value is CallbackFunction {
  return typeof value === "function";
}
