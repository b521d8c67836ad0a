// The verb `audit`. Must not parse words and must not end the process.
import { audit, type AuditResult, type Finding, RULES, SEVERITIES, type Severity } from "../audit/mod.ts";
import { countFindings, countsText, findingLines, groupFindings, markdownReport } from "../view/mod.ts";
import { globToRegExp } from "../api/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { AuditArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { open, type OpenTrace, tellLosses } from "./open.ts";
import { unknownName } from "./suggest.ts";
import { grouped } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Audits traces and prints the findings. Resolves to the exit code: the worst of all traces. */
export async function runAudit(args: AuditArgs, io: Io): Promise<number> {
  checkRules(args.filters.rules);
  const codes: number[] = [];
  for (const path of args.traces.length === 0 ? [undefined] : args.traces) {
    const opened = await open(io, path);
    try {
      codes.push(auditOne(args, io, opened));
    } finally {
      opened.close();
    }
  }
  return codes.includes(EXIT.found) ? EXIT.found : Math.max(...codes);
}

function auditOne(args: AuditArgs, io: Io, opened: OpenTrace): number {
  const progress = io.progress(`audit ${opened.path}`, { total: opened.trace.eventCount });
  const all = audit(opened.trace, { strictRemap: args.strictRemap, onProgress: (events) => progress.update(events) });
  progress.end();
  const result = { ...all, findings: all.findings.filter(findingFilter(args.filters)) };
  const incomplete = tellLosses(io, opened);
  if (args.show.json) io.out.json(toJson(result, opened.path));
  else if (args.markdown) { for (const line of markdownReport(result, frame(args, opened))) io.out.line(line); }
  else report(io, result, args);
  close(io, result, { args, opened });
  return fails(result.findings, args.failOn) ? EXIT.found : incomplete;
}

function frame(args: AuditArgs, { path, trace }: OpenTrace) {
  return { file: path, trace, toolVersion: VERSION, limit: args.show.limit };
}

/** Only certain findings fail a run. */
function fails(findings: readonly Finding[], failOn: Severity): boolean {
  const worst = SEVERITIES.slice(0, SEVERITIES.indexOf(failOn) + 1);
  return findings.some(({ verdict, severity }) => verdict === "certain" && worst.includes(severity));
}

function checkRules(globs: readonly string[]): void {
  const names = Object.entries(RULES).flatMap(([name, { code }]) => [name, code]);
  for (const glob of globs) {
    const pattern = globToRegExp(glob);
    if (!names.some((name) => pattern.test(name))) throw new CliError(EXIT.usage, unknownName("rule", glob, names));
  }
}

function findingFilter({ rules, objects, calls, sides, range }: Filters): (finding: Finding) => boolean {
  const rulePatterns = rules.map(globToRegExp);
  const callPatterns = calls.map(globToRegExp);
  return ({ rule, code, object, evidence, event }) =>
    (rules.length === 0 || rulePatterns.some((pattern) => pattern.test(rule) || pattern.test(code))) &&
    (objects.length === 0 ||
      (object !== null && (objects.includes(`${object.kind}#${object.number}`) || objects.includes(object.kind)))) &&
    (calls.length === 0 || evidence.some(({ call }) => callPatterns.some((pattern) => pattern.test(call)))) &&
    (sides.length === 0 || evidence.some(({ side }) => sides.includes(side))) &&
    (range === undefined || (event >= range.first && event <= range.last));
}

function toJson({ findings, pairing, events, complete, off }: AuditResult, file: string): object {
  return {
    schema: "maptrail.audit/1",
    trace: { file, events, complete },
    findings: findings.map(findingToJson),
    pairing,
    summary: countFindings(findings),
    off,
  };
}

function findingToJson(
  { rule, code, severity, verdict, message, event, object, fingerprint, evidence, siblings, sizeBytes }: Finding,
): object {
  return {
    rule,
    code,
    severity,
    verdict,
    message,
    event,
    object: object === null ? null : `${object.kind}#${object.number}`,
    fingerprint,
    evidence: evidence.map(({ event, role, site, call, side }) => ({ event, role, call, side, site })),
    ...(sizeBytes === 0 ? {} : { sizeBytes }),
    ...(siblings === null ? {} : { siblings: siblingsToJson(siblings) }),
  };
}

function siblingsToJson({ created, released, example }: NonNullable<Finding["siblings"]>): object {
  const shown = example === null
    ? null
    : { object: `${example.object.kind}#${example.object.number}`, event: example.event };
  return { created, released, example: shown };
}

/** Findings for people: notes only where asked for by rule or severity. */
function report(io: Io, { findings, off }: AuditResult, args: AuditArgs): void {
  const showsNotes = args.failOn === "note" || args.filters.rules.length > 0 || io.verbose;
  const shown = findings.filter(({ severity }) => showsNotes || severity !== "note");
  const groups = groupFindings(shown);
  for (const group of groups.slice(0, args.show.limit)) {
    for (
      const line of findingLines(group, {
        paint: io.paint,
        limit: Math.min(args.show.limit, 8) === 8 ? 8 : args.show.limit,
      })
    ) io.out.line(line);
  }
  if (groups.length > args.show.limit) {
    io.out.line(io.paint.faint(`… ${groups.length - args.show.limit} more defects (--limit 0 shows all)`));
  }
  const hidden = findings.length - shown.length;
  if (hidden > 0) {
    io.out.line(
      io.paint.faint(
        `${grouped(hidden)} ${hidden === 1 ? "note" : "notes"} not shown (--fail-on note or --verbose shows them)`,
      ),
    );
  }
  for (const { rule, reason } of off) io.talk(`rule ${rule} is off: ${reason}`);
}

function close(
  io: Io,
  { findings, events, complete }: AuditResult,
  { args, opened }: { readonly args: AuditArgs; readonly opened: OpenTrace },
): void {
  const first = findings.find(({ severity, verdict }) => severity !== "note" && verdict === "certain");
  const state = complete ? "complete" : "incomplete";
  const counts = countFindings(findings);
  const clean = counts.error + counts.hang + counts.warning === 0 ? "clean: " : "";
  io.close({
    ...(first === undefined ? {} : { next: nextCommand(first, opened.path) }),
    summary: `${clean}${countsText(counts)} in ${grouped(events)} events (${state})`,
    data: args.show.json || args.markdown,
  });
}

function nextCommand({ object, event }: Finding, path: string): string {
  if (object !== null) return `dump ${path} --object ${object.kind}#${object.number}`;
  return `dump ${path} --range @${Math.max(1, event - 8)}-@${event + 8}`;
}
