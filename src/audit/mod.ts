// The door of `audit`: findings of a trace, and the rules that they break.

export { audit, type AuditOptions } from "./audit.ts";
export { EVIDENCE_LIMIT } from "./evidence.ts";
export type { AuditResult, Evidence, Finding, PairingCount, Siblings, Verdict } from "./finding.ts";
export { type Rule, type RuleName, RULES, SEVERITIES, type Severity } from "./rules.ts";
