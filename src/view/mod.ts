// The door of `view`: traces and findings as text.

export { type CallPrinter, dumpLines, type DumpOptions, type DumpSource, PART_COMMENT } from "./dump.ts";
export { escapeText } from "./escape.ts";
export {
  countFindings,
  countsText,
  type FindingGroup,
  findingLines,
  groupFindings,
  headline,
  type Paints,
} from "./findings.ts";
export { markdownReport, type ReportFrame } from "./markdown.ts";
export { rulesOffTexts } from "./rules_off.ts";
export {
  type ClauseCoverage,
  type Coverage,
  coverage,
  coverageLines,
  type FamilyCoverage,
  type TraceShows,
} from "./coverage.ts";
export { explainCall } from "./explain_call.ts";
export { explainIndex, explainRule } from "./explain.ts";
export { findRule, type NamedRule } from "./explain_names.ts";
export { exampleOf, exampleScenario, type RuleExample, type Setup, setupText } from "./rule_examples.ts";
