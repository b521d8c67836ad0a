// An audit as Markdown, ready to paste into a bug report: verdict, findings with their stories and positions, versions,
// and the commands that reproduce them, which the caller knows.

import { defaultOptions } from "../api/mod.ts";
import type { AuditResult } from "../audit/mod.ts";
import type { Trace } from "../trace/mod.ts";
import { escapeText } from "./escape.ts";
import { countFindings, countsText, findingLines, groupFindings, headline, labelOf } from "./findings.ts";
import { rulesOffTexts } from "./rules_off.ts";

/** What a report says besides the findings. */
export interface ReportFrame {
  /** The trace's file name. */
  readonly file: string;
  readonly trace: Trace;
  readonly toolVersion: string;
  /** Stories shown of one defect; Infinity for all. */
  readonly limit: number;
  /** What to type to see it again, a command each. */
  readonly commands: readonly string[];
}

const PLAIN = { bad: same, warn: same, faint: same, strong: same };

function same(text: string): string {
  return text;
}

/** The report, line by line. */
export function markdownReport(result: AuditResult, frame: ReportFrame): string[] {
  const groups = groupFindings(result.findings);
  const counts = countsText(countFindings(result.findings));
  const lines = [`## maptrail: ${counts}`, "", completeness(result, frame), ""];
  for (const group of groups) {
    const { first, findings } = group;
    const verdict = first.verdict === "certain" ? "" : `, ${first.verdict}`;
    lines.push(
      `### ${labelOf(first)}: \`${first.rule}\` (${first.code})${verdict}`,
      "",
      `${sentence(markdownText(headline(group)))}`,
      "",
      "```",
    );
    lines.push(
      ...findingLines(group, { paint: PLAIN, limit: frame.limit }).slice(1).map((line) => line.trim()),
      "```",
      "",
    );
    if (findings.every(({ fingerprint }) => fingerprint === first.fingerprint)) {
      lines.push(`Fingerprint \`${first.fingerprint}\`, ${findings.length} of it.`, "");
    }
  }
  return [...lines, ...versions(frame), "", ...commands(frame)];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function completeness({ events, complete, off }: AuditResult, { file }: ReportFrame): string {
  const state = complete ? "complete" : "incomplete";
  const limits = rulesOffTexts(off).map((text) => ` The ${markdownText(text)}.`).join("");
  return `Trace \`${markdownText(file)}\`: ${events} events, ${state}.${limits}`;
}

function versions({ trace, toolVersion }: ReportFrame): string[] {
  const { header } = trace;
  const defaults = new Map<string, string>(Object.entries(defaultOptions()));
  const changed = Object.entries(header.options).filter(([name, value]) => defaults.get(name) !== value);
  const options = changed.length === 0 ? "defaults" : changed.map(([name, value]) => `${name}=${value}`).join(", ");
  const isImport = header.program.kind === "import";
  const seed = isImport ? "" : `, seed ${header.seed}`;
  return [
    "| | |",
    "| --- | --- |",
    `| ${isImport ? "imported" : "recorded"} by | ${markdownText(header.tool)} ${markdownText(header.toolVersion)}${
      isImport ? "" : `, engine ${header.engineVersion}`
    }, maker ${markdownText(header.maker)} |`,
    `| audited by | maptrail ${toolVersion} |`,
    `| program | ${markdownText(header.program.name)} (${header.program.kind})${seed} |`,
    `| options | ${markdownText(options)} |`,
  ];
}

function commands({ commands }: ReportFrame): string[] {
  return ["To see it again:", "", "```sh", ...commands.map(escapeText), "```"];
}

/** Text that Markdown leaves alone: no control characters, no table or code marks. */
function markdownText(text: string): string {
  return escapeText(text).replace(/[|`]/g, "\\$&");
}
