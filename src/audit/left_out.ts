// What a recording that kept a part of its run can prove: rules that look at one call alone are as sure as ever, all
// others need calls that may have been left out. It must not know detectors.

import type { TraceHeader } from "../trace/mod.ts";
import type { AuditResult } from "./finding.ts";
import { type RuleName, RULES } from "./rules.ts";

/** Rules whose condition is about the values of one call. */
const OF_ONE_CALL: ReadonlySet<RuleName> = new Set<RuleName>([
  "gpadl-empty",
  "gpadl-bad-flags",
  "packet-null-used",
  "packet-bad-flags",
  "packet-external-without-wait",
  "sync-request-size",
  "quota-zero",
  "gpuva-zero-with-allocation",
  "gpuva-misaligned",
  "gpuva-dead-constraint",
  "gpuva-result-outside-constraint",
  "gpuva-reserved-bits",
  "wsl-reserve-zero",
]);

/** Whether findings of a rule may be there only because calls were left out of the trace. */
export function needsLeftOut({ leftOut }: TraceHeader, rule: RuleName): boolean {
  return leftOut.length > 0 && !OF_ONE_CALL.has(rule);
}

/** Rules that are off since calls were left out: what they find all the same is unproven. */
export function rulesOfLeftOut(header: TraceHeader): AuditResult["off"] {
  if (header.leftOut.length === 0) return [];
  const reason = `left out when it was recorded: ${header.leftOut.join("; ")}`;
  return Object.keys(RULES).flatMap((rule) => isRuleName(rule) && needsLeftOut(header, rule) ? [{ rule, reason }] : []);
}

function isRuleName(name: string): name is RuleName {
  return Object.hasOwn(RULES, name);
}
