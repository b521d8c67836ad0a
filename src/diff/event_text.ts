// An event on one line, for messages about differences.

import { printCall, printOutcome, printValue } from "../api/mod.ts";
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
  for (const which of ["ins", "outs"] as const) {
    for (const [index, param] of plan[which].entries()) {
      const [left, right] = [one[which][index], other[which][index]];
      if (left === undefined || right === undefined || same.sameValue(left, right)) continue;
      return `${plan.name}.${param.name}: ${printValue(param, left)} in A, ${printValue(param, right)} in B`;
    }
  }
  if (!same.sameOutcome(one.outcome, other.outcome)) {
    return `what ${plan.name} answered: ${eventText(one)} in A, ${eventText(other)} in B`;
  }
  if (one.timeNs !== other.timeNs) return `the time of ${plan.name}: ${one.timeNs} ns in A, ${other.timeNs} ns in B`;
  return `the cause of ${plan.name}: @${one.cause} in A, @${other.cause} in B`;
}
