// Compares a recorded event with the replayed one, field by field, and words the first difference.
// Sites, actors and wall time are not compared: the engine does not make them.

import {
  equalValues,
  isRef,
  type Outcome,
  type ParamPlan,
  printObject,
  printValue,
  refsIn,
  sameObject,
  statusName,
  type Value,
} from "../api/mod.ts";
import type { EventView, TraceEvent } from "../trace/mod.ts";
import { sameBytes } from "../wire/mod.ts";

/** One field that differs. */
export interface FieldDifference {
  readonly field: string;
  readonly recorded: string;
  readonly replayed: string;
}

/**
 * Whether two events are alike as they stand, which most are: cheap, and makes nothing. False says only that `compareEvents`
 * has to look: a value that holds others, and memory, are left to it.
 */
export function areAlike(recorded: TraceEvent, replayed: TraceEvent): boolean {
  return recorded.kind === replayed.kind && recorded.plan === replayed.plan && recorded.side === replayed.side &&
    recorded.of === replayed.of && recorded.cause === replayed.cause && recorded.level === replayed.level &&
    recorded.timeNs === replayed.timeNs && recorded.memory === null && replayed.memory === null &&
    areOutcomesAlike(recorded.outcome, replayed.outcome) && areValuesAlike(recorded.outs, replayed.outs) &&
    areValuesAlike(recorded.ins, replayed.ins);
}

/** What a call answered, null: it waits. */
export type CallAnswer = Pick<TraceEvent, "outs"> & { readonly outcome: Outcome } | null;

/** The same of a recorded call and what it answered now: what it was given is the same, as it was fed. */
export function answersAlike(recorded: EventView, answer: CallAnswer): boolean {
  const { kind, plan } = recorded;
  if (plan === null || recorded.of !== 0 || recorded.level !== plan.level) return false;
  if (answer === null) return kind === "enter" && recorded.outcome === null && recorded.outs.length === 0;
  return kind === "call" && areOutcomesAlike(recorded.outcome, answer.outcome) &&
    areValuesAlike(recorded.outs, answer.outs);
}

function areOutcomesAlike(left: Outcome | null, right: Outcome | null): boolean {
  if (left === right) return true;
  if (left === null || right === null || left.form !== right.form) return false;
  if (left.form === "status") return right.form === "status" && left.status === right.status;
  if (left.form === "value") return right.form === "value" && isAlike(left.value, right.value);
  return left.form === "void";
}

function areValuesAlike(left: readonly Value[], right: readonly Value[]): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (!isAlike(left[index], right[index])) return false;
  return true;
}

function isAlike(left: Value | undefined, right: Value | undefined): boolean {
  if (left === right) return true;
  return isRef(left) && isRef(right) && sameObject(left, right) && left.handle === right.handle;
}

/** The first field in which two events differ, or null. `exactHandles` false: objects by kind and number only. */
export function compareEvents(
  recorded: TraceEvent,
  replayed: TraceEvent,
  options: { readonly exactHandles: boolean },
): FieldDifference | null {
  return compareForm(recorded, replayed) ??
    compareOutcomes(recorded, replayed, options) ??
    compareValues("outs", recorded, { replayed, ...options }) ??
    compareMemory(recorded, replayed) ??
    comparePlaces(recorded, replayed) ??
    compareValues("ins", recorded, { replayed, ...options });
}

function compareForm(recorded: TraceEvent, replayed: TraceEvent): FieldDifference | null {
  if (recorded.kind !== replayed.kind) {
    const isAnswer = recorded.kind === "call" && replayed.kind === "enter";
    const isWait = recorded.kind === "enter" && replayed.kind === "call";
    if (isAnswer || isWait) return { field: "result", recorded: answerOf(recorded), replayed: answerOf(replayed) };
    return { field: "kind", recorded: recorded.kind, replayed: replayed.kind };
  }
  return differs("call", recorded.plan?.name ?? "", replayed.plan?.name ?? "") ??
    differs("side", recorded.side, replayed.side) ??
    differs("of", `@${recorded.of}`, `@${replayed.of}`);
}

function answerOf({ outcome }: TraceEvent): string {
  return outcome === null ? "blocked" : outcomeText(outcome, null);
}

function compareOutcomes(
  recorded: TraceEvent,
  replayed: TraceEvent,
  { exactHandles }: { readonly exactHandles: boolean },
): FieldDifference | null {
  const plan = recorded.plan?.returned ?? null;
  const [left, right] = [recorded.outcome, replayed.outcome];
  if (left === null || right === null) {
    return left === right ? null : { field: "result", recorded: answerOf(recorded), replayed: answerOf(replayed) };
  }
  if (left.form === "value" && right.form === "value") {
    if (sameValue(left.value, right.value, exactHandles)) return null;
    return { field: "result", ...shownApart(plan, left.value, right.value) };
  }
  return differs("result", outcomeText(left, plan), outcomeText(right, plan));
}

function outcomeText(outcome: Outcome, plan: ParamPlan | null): string {
  switch (outcome.form) {
    case "status":
      return statusName(outcome.status);
    case "value":
      return shown(plan, outcome.value);
    case "refused":
      return `refused "${outcome.reason}"`;
    default:
      return "void";
  }
}

function compareValues(
  which: "ins" | "outs",
  recorded: TraceEvent,
  { replayed, exactHandles }: { readonly replayed: TraceEvent; readonly exactHandles: boolean },
): FieldDifference | null {
  const plans = recorded.plan?.[which] ?? [];
  for (const [index, plan] of plans.entries()) {
    const [left, right] = [recorded[which][index], replayed[which][index]];
    if (left === undefined && right === undefined) continue;
    if (left !== undefined && right !== undefined && sameValue(left, right, exactHandles)) continue;
    return { field: `${which}.${plan.name}`, ...shownApart(plan, left, right) };
  }
  return null;
}

function shown(plan: ParamPlan | null, value: Value | undefined): string {
  if (value === undefined) return "nothing";
  if (isRef(value)) return `${printObject(value)} (handle ${numberText(value.handle)})`;
  return plan === null ? String(value) : printValue(plan, value);
}

/** Both values as texts; inside arrays and structures handle values are told only where nothing else differs. */
function shownApart(
  plan: ParamPlan | null,
  left: Value | undefined,
  right: Value | undefined,
): { readonly recorded: string; readonly replayed: string } {
  const [recorded, replayed] = [shown(plan, left), shown(plan, right)];
  if (recorded !== replayed) return { recorded, replayed };
  return { recorded: recorded + handlesText(left), replayed: replayed + handlesText(right) };
}

function handlesText(value: Value | undefined): string {
  return ` (handles ${refsIn(value).map(({ handle }) => numberText(handle)).join(", ")})`;
}

function sameValue(left: Value, right: Value, exactHandles: boolean): boolean {
  return exactHandles ? equalValues(left, right) : equalValues(left, right, sameObject);
}

function compareMemory(recorded: TraceEvent, replayed: TraceEvent): FieldDifference | null {
  const [left, right] = [recorded.memory, replayed.memory];
  if (left === null || right === null) {
    return left === right ? null : { field: "memory", recorded: String(left), replayed: String(right) };
  }
  for (const field of ["partition", "page", "offset", "length", "digest"] as const) {
    if (left[field] !== right[field]) {
      return { field: `memory.${field}`, recorded: numberText(left[field]), replayed: numberText(right[field]) };
    }
  }
  if (left.bytes === null || right.bytes === null || sameBytes(left.bytes, right.bytes)) return null;
  return { field: "memory.bytes", recorded: `${left.bytes.length} bytes`, replayed: "other bytes of the same length" };
}

function numberText(value: number | string): string {
  return typeof value === "number" ? `0x${value.toString(16)}` : value;
}

function comparePlaces(recorded: TraceEvent, replayed: TraceEvent): FieldDifference | null {
  return differs("cause", `@${recorded.cause}`, `@${replayed.cause}`) ??
    differs("level", recorded.level, replayed.level) ??
    differs("timeNs", String(recorded.timeNs), String(replayed.timeNs));
}

function differs(field: string, recorded: string, replayed: string): FieldDifference | null {
  return recorded === replayed ? null : { field, recorded, replayed };
}
