// Findings as text for a terminal: one heading for what is the same defect, a line of story for each object.
// It must not know where the text goes: colours come in as functions, width and limits as numbers.

import { printObject } from "../api/mod.ts";
import { type Evidence, type Finding, RULES, type Severity, type Verdict } from "../audit/mod.ts";
import { escapeText } from "./escape.ts";
import { sizeText } from "../wire/mod.ts";

/** Colours, or functions that leave text alone. */
export interface Paints {
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly strong: (text: string) => string;
}

/** How to lay findings out. */
export interface FindingsLayout {
  readonly paint: Paints;
  /** Stories shown under one heading; Infinity for all. */
  readonly limit: number;
}

/** Findings that are the same defect: one rule, one fingerprint, one verdict. */
export interface FindingGroup {
  readonly first: Finding;
  readonly findings: readonly Finding[];
}

/** Groups findings by defect. What most needs a look comes first: certain before not, hangs before what they left behind, many before few. */
export function groupFindings(findings: readonly Finding[]): FindingGroup[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    // What a trace cannot prove is told together: one line for all that was there before, one for all that is left.
    const defect = finding.verdict === "certain" ? finding.fingerprint : "";
    const key = `${finding.severity} ${finding.rule} ${finding.verdict} ${defect}`;
    const group = groups.get(key) ?? [];
    group.push(finding);
    groups.set(key, group);
  }
  return [...groups.values()]
    .flatMap((group) => group[0] === undefined ? [] : [{ first: group[0], findings: group }])
    .sort((left, right) => rankOf(left) - rankOf(right) || right.findings.length - left.findings.length);
}

const RANKS: Readonly<Record<Severity, number>> = { hang: 0, error: 1, warning: 2, note: 3 };

function rankOf({ first: { severity, verdict } }: FindingGroup): number {
  return RANKS[severity] + (verdict === "certain" ? 0 : Object.keys(RANKS).length);
}

/** What a heading begins with: the severity, or for what a trace cannot prove that it is not certain. */
export function labelOf({ severity, verdict }: Finding): string {
  return verdict === "certain" ? severity : "maybe";
}

/** What stands before the lines of a story: as wide as a label. */
const INDENT = "       ";

/** The lines of one group. */
export function findingLines(group: FindingGroup, { paint, limit }: FindingsLayout): string[] {
  const { first, findings } = group;
  const label = paintOf(first, paint)(`${labelOf(first)} `.padEnd(INDENT.length));
  const rule = `${paint.strong(first.rule)} (${first.code})`;
  const lines = [`${label}${rule}: ${escapeText(headline(group))}${verdictText(first.verdict)}`];
  const shown = findings.slice(0, limit);
  const width = Math.max(...shown.map((finding) => subjectOf(finding, group).length));
  const sizeWidth = Math.max(...shown.map((finding) => sizeOf(finding).length));
  const told = new Set<string>();
  for (const finding of shown) {
    lines.push(`${INDENT}${storyOf(finding, { subject: subjectOf(finding, group).padEnd(width), sizeWidth, told })}`);
  }
  if (shown.length < findings.length) {
    lines.push(paint.faint(`${INDENT}… ${findings.length - shown.length} more (--limit 0 shows all)`));
  }
  const siblings = siblingsText(first);
  if (siblings !== "") lines.push(paint.faint(`${INDENT}${siblings}`));
  return lines;
}

function paintOf({ severity, verdict }: Finding, paint: Paints): (text: string) => string {
  if (verdict !== "certain") return paint.faint;
  if (severity === "error" || severity === "hang") return paint.bad;
  return severity === "warning" ? paint.warn : paint.faint;
}

function verdictText(verdict: Verdict): string {
  return verdict === "certain" ? "" : ` [${verdict}]`;
}

/** One defect in one sentence: its own message, or for several of a kind how many there are and where they come from. */
export function headline({ first, findings }: FindingGroup): string {
  if (findings.length === 1) return first.message;
  if (first.verdict !== "certain") return `${findings.length} ${uncertainText(first, first.verdict)}`;
  const leak = LEAKS[first.rule];
  const site = first.evidence.find(({ site }) => site !== null)?.site ?? null;
  const place = site === null
    ? ""
    : ` at ${site.file}:${site.line}${site.function === "" ? "" : ` (${site.function})`}`;
  if (leak !== undefined) return `${findings.length} ${leak.things} ${leak.born}${place} ${leak.fate}`;
  return `${findings.length} times${place}: ${RULES[first.rule].doc}`;
}

/** What several findings of one rule that a trace cannot prove are, by verdict. */
function uncertainText({ rule, doubt }: Finding, verdict: Exclude<Verdict, "certain">): string {
  const things = LEAKS[rule]?.things ?? (rule.startsWith("gpuva-") ? "GPU address ranges" : "things");
  if (verdict === "pre-existing") return `${things} ended that were there before the trace began`;
  if (verdict === "live-at-end") return `${things} were still alive when the trace ended`;
  return `findings that the trace cannot prove${doubt === undefined ? "" : `: ${doubt}`}`;
}

const LEAKS: Readonly<
  Record<string, { readonly things: string; readonly born: string; readonly fate: string } | undefined>
> = {
  "gpadl-leak": { things: "GPADLs", born: "created", fate: "were never deleted" },
  "sysmem-gpadl-leak": { things: "GPADLs of allocations", born: "created", fate: "were never deleted" },
  "gpadl-mapping-leak": { things: "mappings of GPADLs", born: "made", fate: "were never removed" },
  "channel-leak": { things: "channels", born: "allocated", fate: "were never cleaned up" },
  "gpuva-leak": { things: "GPU address ranges", born: "mapped", fate: "were never released" },
  "gpuva-reservation-leak": { things: "GPU address ranges", born: "reserved", fate: "were never freed" },
  "allocation-leak": { things: "allocations", born: "created", fate: "were never destroyed, nor their devices" },
  "gpu-object-leak": { things: "GPU objects", born: "created", fate: "were never closed" },
};

function objectText(object: Finding["object"]): string {
  return object === null ? "" : printObject(object);
}

/** What a story is about. A capture's things have no number: their findings' messages begin with kind and range. */
function subjectOf({ object, message }: Finding, { first, findings }: FindingGroup): string {
  if (object !== null) return objectText(object);
  if (first.verdict === "certain" || findings.length === 1) return "";
  return escapeText(/^[a-z-]+(?: \[0x[0-9a-f]+, 0x[0-9a-f]+\))?/.exec(message)?.[0] ?? "");
}

/** What stories of one group have told already: a place is said once, where it is the same in each of them. */
interface Telling {
  readonly subject: string;
  readonly sizeWidth: number;
  readonly told: Set<string>;
}

function sizeOf({ sizeBytes }: Finding): string {
  return sizeBytes > 0 ? sizeText(sizeBytes) : "";
}

function storyOf(finding: Finding, { subject, sizeWidth, told }: Telling): string {
  const { evidence, event } = finding;
  const parts = [subject, sizeOf(finding).padStart(sizeWidth)];
  const steps = evidence.length === 0
    ? [`@${event}`]
    : evidence.map((each, index) => evidenceText(each, { before: evidence[index - 1], told }));
  return [...parts, ...steps].filter((part) => part !== "").join("   ").trimEnd();
}

function evidenceText(
  { role, event, side, site }: Evidence,
  { before, told }: { readonly before: Evidence | undefined; readonly told: Set<string> },
): string {
  const isSaid = role === "created" || side === "" || (before?.side === side && before.role !== "created");
  const by = isSaid ? "" : ` by ${side === "client" || side === "server" ? `the ${side}` : side}`;
  const place = site === null || role === "created" ? "" : ` (${site.file}:${site.line})`;
  const at = told.has(`${role}${place}`) ? "" : place;
  told.add(`${role}${place}`);
  return escapeText(`${role.replaceAll("-", " ")} @${event}${by}${at}`);
}

function siblingsText({ siblings }: Finding): string {
  if (siblings === null) return "";
  const { released, created, example } = siblings;
  if (created <= 1) return "";
  if (example === null) return `none of the ${created} from this line was released`;
  return `${released} others from the same line were released, for example ${
    printObject(example.object)
  } at @${example.event}`;
}

/** How many findings of each severity are certain, and how many are not. */
export interface FindingCounts {
  readonly error: number;
  readonly hang: number;
  readonly warning: number;
  readonly note: number;
  /** Findings of any severity that the trace cannot prove. */
  readonly unproven: number;
}

/** Counts findings: certain ones by severity, all others together. */
export function countFindings(findings: readonly Finding[]): FindingCounts {
  const counts = { error: 0, hang: 0, warning: 0, note: 0, unproven: 0 };
  for (const { severity, verdict } of findings) counts[verdict === "certain" ? severity : "unproven"] += 1;
  return counts;
}

/** `1 error, 0 hangs, …`. */
export function countsText({ error, hang, warning, note, unproven }: FindingCounts): string {
  const parts = [plural(error, "error"), plural(hang, "hang"), plural(warning, "warning"), plural(note, "note")];
  if (unproven > 0) parts.push(`${unproven} not certain`);
  return parts.join(", ");
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
