// An event on one line, for messages about differences.

import { isRef, printCall, printOutcome, printValue, type Value } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import type { Correspondence } from "./correspondence.ts";

/** The event in call notation, without its callbacks. */
export function eventText({ kind, plan, side, ins, outs, outcome, of, memory, text }: TraceEvent): string {
  if (memory !== null) {
    return `memory ${memory.partition} page 0x${memory.page.toString(16)}+${memory.offset}, ${memory.length} bytes`;
  }
  if (plan === null) return `${kind} ${text}`;
  if (kind === "leave" || kind === "return") return `${kind} of @${of} ${side} ${plan.name}`;
  const call = `${kind === "callback" ? "callback " : ""}${printCall({ side, plan, ins })}`;
  if (outcome === null) return kind === "enter" ? `${call} -> blocked` : call;
  return `${call} -> ${printOutcome({ plan, outcome, outs })}`;
}

/** What two events of one call differ in, in words. */
export function differenceOf(same: Correspondence, one: TraceEvent, other: TraceEvent): string {
  const { plan } = one;
  if (plan === null) return `${eventText(one)}, and ${eventText(other)}`;
  if (one.kind !== other.kind) return `${plan.name}: ${eventText(one)} in A, ${eventText(other)} in B`;
  const [ins, outs] = [valueDifference(same, { one, other }, "ins"), valueDifference(same, { one, other }, "outs")];
  if (ins !== null) return ins;
  if (!same.sameOutcome(one.outcome, other.outcome)) {
    return `what ${plan.name} answered: ${answerText(one)} in A, ${answerText(other)} in B`;
  }
  if (outs !== null) return outs;
  if (one.timeNs !== other.timeNs) return `the time of ${plan.name}: ${one.timeNs} ns in A, ${other.timeNs} ns in B`;
  if (same.sameEvent(one.of, other.of)) return `the cause of ${plan.name}: @${one.cause} in A, @${other.cause} in B`;
  return `which ${plan.name} this ${one.kind} is of: @${one.of} in A, @${other.of} in B`;
}

function answerText({ plan, outcome, outs }: TraceEvent): string {
  return plan === null || outcome === null ? "nothing yet" : printOutcome({ plan, outcome, outs });
}

function valueDifference(
  same: Correspondence,
  { one, other }: { readonly one: TraceEvent; readonly other: TraceEvent },
  which: "ins" | "outs",
): string | null {
  for (const [index, param] of one.plan?.[which].entries() ?? []) {
    const [left, right] = [one[which][index], other[which][index]];
    if (left === undefined || right === undefined || same.sameArgument(one.level, left, right)) continue;
    const [a, b] = [printValue(param, left), printValue(param, right)];
    const difference = a === b ? `${a} in both, but ${mismatched(same, left)}` : `${a} in A, ${b} in B`;
    return `${one.plan?.name}.${param.name}: ${difference}`;
  }
  return null;
}

/** Why objects of one name are not the same: another object of B stands where A's stood before. */
function mismatched(same: Correspondence, value: Value): string {
  if (!isRef(value)) return "not the same objects";
  const counterpart = same.counterpartOf(value);
  return counterpart === undefined ? "B's is one that A had under another name" : `A's is B's ${counterpart}`;
}
