// The door of `view`: traces and findings as text.

export { type CallPrinter, dumpLines, type DumpOptions, type DumpSource } from "./dump.ts";
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
export { sizeText } from "./size.ts";
