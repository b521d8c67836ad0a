// Between a program's values and the canonical ones: results as objects by name, callback handlers out of arguments.

import {
  type CallbackFunction,
  type CallPlan,
  isArray,
  isRef,
  isStruct,
  type ParamPlan,
  STATE_CALLBACKS,
  type Value,
} from "../api/mod.ts";
import type { Answer } from "./session.ts";

/** Arguments by name, as a program gives them. */
export interface CallArguments {
  readonly [name: string]: unknown;
}

/** The result that a program gets: `status`, or `value` and `refused`, with outputs by name; objects are handle values. */
export function answerToProgram(plan: CallPlan, { outcome, outs }: Answer): object {
  const named = Object.fromEntries(plan.outs.map((param, index) => [param.name, toProgram(outs[index] ?? null)]));
  if (outcome.form === "status") return { status: outcome.status, ...named };
  const refused = outcome.form === "refused" ? outcome.reason : null;
  return outcome.form === "value"
    ? { value: toProgram(outcome.value), refused, ...named }
    : { refused, value: 0, ...named };
}

/** The arguments that a callback's handler gets. */
export function callbackArguments(plan: CallPlan, ins: readonly Value[]): object {
  return Object.fromEntries(plan.ins.map((param, index) => [param.name, toProgram(ins[index] ?? null)]));
}

function toProgram(value: Value): unknown {
  if (isArray(value)) return value.map(toProgram);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (isRef(value)) return value.handle;
  if (isStruct(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toProgram(member)]));
  }
  return value;
}

const MEMBERS: ReadonlyMap<string, string> = new Map(Object.entries(STATE_CALLBACKS));

/** Names a handler by its channel and by the member that registers it: a callback has another name than its member. */
export function handlerKey(channel: number, callback: string): string {
  return `${channel} ${MEMBERS.get(callback) ?? callback}`;
}

/** The functions among a call's arguments, keyed by the channel that the call names. */
export function collectHandlers(
  plan: CallPlan,
  args: CallArguments,
  ins: readonly Value[],
): [string, CallbackFunction][] {
  const channel = ins.find((value) => isRef(value) && value.kind === "channel");
  if (!isRef(channel)) return [];
  const number = channel.number;
  return functionsIn(plan.ins, args).map(([name, handler]) => [handlerKey(number, name), handler]);
}

function functionsIn(plans: readonly ParamPlan[], args: object): [string, CallbackFunction][] {
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
