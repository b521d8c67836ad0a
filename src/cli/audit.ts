// The verb `audit`. Must not parse words and must not end the process.
import { audit, type AuditResult, type Finding, SEVERITIES, type Severity } from "../audit/mod.ts";
import {
  countFindings,
  countsText,
  escapeText,
  findingLines,
  groupFindings,
  markdownReport,
  rulesOffTexts,
} from "../view/mod.ts";
import { baseSide, findPlan, matchesGlob, printObject } from "../api/mod.ts";
import { CliError, EXIT, exitCodeOf, reportOf } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { AuditArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { checkFilters } from "./narrow.ts";
import { nextOn, open, type OpenTrace } from "./open.ts";
import { tellLosses } from "./outline.ts";
import { reproducingCommands } from "./reproduce.ts";
import { cutNote, plural } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Audits traces and prints the findings. Resolves to the exit code: findings first, else the worst of all traces. */
export async function runAudit(args: AuditArgs, io: Io): Promise<number> {
  checkFilters(io, args.filters);
  if (args.show.json && args.markdown) throw new CliError(EXIT.usage, "Choose one of --json and --markdown.");
  if (args.traces.length <= 1) return await auditAt(args, io, args.traces[0]);
  const codes: number[] = [];
  for (const path of args.traces) codes.push(await auditNext(args, io, path));
  return [EXIT.found, EXIT.unreadable, EXIT.incomplete].find((code) => codes.includes(code)) ?? EXIT.clean;
}

/** One of several: a file that cannot be read is told, and does not keep the others from being audited. */
async function auditNext(args: AuditArgs, io: Io, path: string): Promise<number> {
  try {
    return await auditAt(args, io, path);
  } catch (error) {
    if (exitCodeOf(error) !== EXIT.unreadable) throw error;
    io.complain(`maptrail: ${reportOf(error, io.verbose) ?? ""}`);
    return EXIT.unreadable;
  }
}

async function auditAt(args: AuditArgs, io: Io, path: string | undefined): Promise<number> {
  const opened = await open(io, path);
  try {
    return auditOne(args, io, opened);
  } finally {
    opened.close();
  }
}

function auditOne(args: AuditArgs, io: Io, opened: OpenTrace): number {
  const progress = io.progress(`audit ${opened.name}`, { total: opened.trace.eventCount });
  const all = audit(opened.trace, { strictRemap: args.strictRemap, onProgress: (events) => progress.update(events) });
  progress.end();
  const findings = all.findings.filter(findingFilter(args.filters));
  const result = { ...all, events: heldEvents(opened, all.events), findings };
  const filtered = all.findings.length - result.findings.length;
  const incomplete = tellLosses(io, opened);
  for (const text of rulesOffTexts(result.off)) io.talk(text);
  if (args.show.json) io.out.json(toJson(result, opened.path));
  else if (args.markdown) { for (const line of markdownReport(result, frame(args, io, opened))) io.out.line(line); }
  else report(io, result, { args, opened, filtered });
  close(io, result, { args, opened, filtered });
  return fails(result.findings, args.failOn) ? EXIT.found : incomplete;
}

/** Events that the trace holds: those up to its last one, unless it is a part of a run, or some were lost. */
function heldEvents({ trace }: OpenTrace, lastEvent: number): number {
  const { header: { startsAfter, leftOut }, complete } = trace;
  return complete && startsAfter === 0 && leftOut.length === 0 ? lastEvent : trace.summary().events;
}

function frame(args: AuditArgs, io: Io, { name, trace }: OpenTrace) {
  return {
    file: name,
    trace,
    toolVersion: VERSION,
    limit: args.show.limit,
    commands: reproducingCommands(trace.header, args, io.self),
  };
}

/** Only certain findings fail a run. */
function fails(findings: readonly Finding[], failOn: Severity): boolean {
  const worst = SEVERITIES.slice(0, SEVERITIES.indexOf(failOn) + 1);
  return findings.some(({ verdict, severity }) => verdict === "certain" && worst.includes(severity));
}

function findingFilter({ rules, objects, calls, levels, sides, range }: Filters): (finding: Finding) => boolean {
  return ({ rule, code, object, evidence, event }) =>
    (rules.length === 0 || rules.some((glob) => matchesGlob(glob, rule) || matchesGlob(glob, code))) &&
    (objects.length === 0 ||
      (object !== null && (objects.includes(printObject(object)) || objects.includes(object.kind)))) &&
    (calls.length === 0 || evidence.some(({ call }) => calls.some((glob) => matchesGlob(glob, call)))) &&
    (levels.length === 0 || evidence.some(({ call }) => levels.some((level) => level === findPlan(call)?.level))) &&
    (sides.length === 0 || evidence.some(({ side }) => sides.includes(side) || sides.includes(baseSide(side) ?? ""))) &&
    (range === undefined || (event >= range.first && event <= range.last));
}

/** The documented form; members that it does not name stand behind it, and only where they say something. */
function toJson({ findings, pairing, events, complete, off }: AuditResult, file: string): object {
  return {
    schema: "maptrail.audit/1",
    trace: { file, events, complete },
    findings: findings.map(findingToJson),
    pairing,
    summary: countFindings(findings),
    ...(off.length === 0 ? {} : { off }),
  };
}

function findingToJson(
  { rule, code, severity, verdict, message, event, object, fingerprint, evidence, sizeBytes, siblings, doubt }: Finding,
): object {
  return {
    rule,
    code,
    severity,
    verdict,
    message,
    event,
    object: object === null ? null : printObject(object),
    fingerprint,
    evidence: evidence.map(({ event, role, site }) => ({ event, role, ...(site === null ? {} : { site }) })),
    ...(sizeBytes === 0 ? {} : { sizeBytes }),
    ...(doubt === undefined ? {} : { doubt }),
    ...(siblings === null ? {} : { siblings: siblingsToJson(siblings) }),
  };
}

function siblingsToJson({ created, released, example }: NonNullable<Finding["siblings"]>): object {
  return {
    created,
    released,
    ...(example === null ? {} : { example: { object: printObject(example.object), event: example.event } }),
  };
}

interface Audited {
  readonly args: AuditArgs;
  readonly opened: OpenTrace;
  /** How many findings the filters kept back. */
  readonly filtered: number;
}

/** Findings for people: notes only where asked for by rule or severity. */
function report(io: Io, { findings }: AuditResult, { args, opened }: Audited): void {
  if (args.traces.length > 1) io.out.line(io.paint.strong(escapeText(opened.name)));
  const { limit } = args.show;
  const showsNotes = args.failOn === "note" || args.filters.rules.length > 0 || io.verbose;
  const shown = findings.filter(({ severity }) => showsNotes || severity !== "note");
  const groups = groupFindings(shown);
  for (const group of groups.slice(0, limit)) {
    for (const line of findingLines(group, { paint: io.paint, limit })) io.say(line);
  }
  const note = cutNote(groups.length, limit);
  if (note !== undefined) io.out.line(io.paint.faint(note));
  const hidden = findings.length - shown.length;
  if (hidden > 0) io.out.line(io.paint.faint(`${plural(hidden, "note")} not shown (--verbose shows them)`));
}

function close(io: Io, { findings, events, complete }: AuditResult, { args, opened, filtered }: Audited): void {
  const counts = countFindings(findings);
  const isClean = complete && filtered === 0 && counts.error + counts.hang + counts.warning + counts.unproven === 0;
  const place = `${plural(events, "event")} (${stateOf(opened, complete)})`;
  const apart = filtered === 0 ? "" : `, ${plural(filtered, "finding")} filtered out`;
  const name = args.traces.length > 1 ? `${opened.name}: ` : "";
  io.close({
    ...nextCommand(findings, opened),
    summary: `${name}${isClean ? "clean: " : ""}${countsText(counts)}${apart} in ${place}`,
    ...(isClean ? { mood: "good" as const } : counts.error + counts.hang > 0 ? { mood: "bad" as const } : {}),
    data: args.show.json || args.markdown,
  });
}

function stateOf({ trace: { end } }: OpenTrace, complete: boolean): string {
  if (!complete) return "incomplete";
  return end?.reason === "threw" || end?.reason === "interrupted" ? "complete, of a run that ended early" : "complete";
}

function nextCommand(findings: readonly Finding[], opened: OpenTrace): { readonly next?: string } {
  const first = groupFindings(findings.filter(({ severity }) => severity !== "note"))[0]?.first;
  if (first === undefined) return nextOn(opened, "replay");
  const { object, event, rule } = first;
  if (opened.path === "-") return { next: `explain ${rule}` };
  if (object !== null) return nextOn(opened, "dump", "--object", printObject(object));
  return nextOn(opened, "dump", "--range", `@${Math.max(1, event - 8)}-@${event + 8}`);
}
