// A scenario's `expect finding` lines against what the audit says of its trace. Record and audit are neighbours: they meet here.

import { printObject } from "../api/mod.ts";
import { audit, type Finding, RULES } from "../audit/mod.ts";
import type { ScenarioReport } from "../driver/mod.ts";
import { type BytesSink, bytesSource, openTrace } from "../trace/mod.ts";
import type { Io } from "./io.ts";
import { openInput } from "./paths.ts";
import { unknownName } from "./suggest.ts";

/** A line that does not hold. */
export interface Failure {
  readonly line: number;
  readonly message: string;
}

/** The expectations about findings that do not hold; none where the scenario has none. */
export async function checkExpectations(
  io: Io,
  { path, copy, scenario }: {
    readonly path: string;
    /** The trace itself, where it went to standard output. */
    readonly copy: BytesSink | null;
    readonly scenario: ScenarioReport;
  },
): Promise<Failure[]> {
  if (scenario.expectedFindings.length === 0 && scenario.noFindingsLine === 0) return [];
  if (copy !== null) return compareFindings(audit(openTrace(bytesSource(copy.bytes()))).findings, scenario);
  const file = await openInput(io, path);
  try {
    const trace = openTrace({ size: file.sizeInBytes, read: (at, length) => file.read(at, length) });
    return compareFindings(audit(trace).findings, scenario);
  } finally {
    file.close();
  }
}

/** Compares findings with a scenario's expectations. */
export function compareFindings(
  findings: readonly Finding[],
  { expectedFindings, noFindingsLine }: ScenarioReport,
): Failure[] {
  const left = new Set(findings.filter(({ verdict }) => verdict === "certain"));
  const failures: Failure[] = [];
  for (const expected of expectedFindings) {
    const match = [...left].find((finding) => fits(finding, expected));
    if (match === undefined) failures.push({ line: expected.line, message: missing(expected) });
    else left.delete(match);
  }
  const severe = (severity: string) => severity === "error" || severity === "hang";
  if (noFindingsLine > 0) {
    for (const finding of left) {
      if (finding.severity !== "note") {
        failures.push({ line: noFindingsLine, message: `not expected: ${textOf(finding)}` });
      }
    }
  } else {
    const line = expectedFindings[0]?.line ?? 0;
    for (const finding of left) {
      if (severe(finding.severity)) failures.push({ line, message: `not expected: ${textOf(finding)}` });
    }
  }
  return failures;
}

type Expected = ScenarioReport["expectedFindings"][number];

function fits({ rule, code, event, object, evidence }: Finding, expected: Expected): boolean {
  if (expected.rule !== rule && expected.rule !== code) return false;
  if (expected.event !== null && expected.event !== event && !evidence.some((each) => each.event === expected.event)) {
    return false;
  }
  return expected.object === null || (object !== null && expected.object === printObject(object));
}

/** A rule that there is not is told with its neighbours: nothing ever finds it. */
function missing(expected: Expected): string {
  const names = Object.entries(RULES).flatMap(([name, { code }]) => [name, code]);
  const text = `no such finding: ${describe(expected)}`;
  return names.includes(expected.rule) ? text : `${text}. ${unknownName("rule", expected.rule, names)}`;
}

function describe({ rule, event, object }: Expected): string {
  return `${rule}${event === null ? "" : ` at @${event}`}${object === null ? "" : ` object ${object}`}`;
}

function textOf({ rule, severity, event, object, message }: Finding): string {
  const what = object === null ? "" : ` object ${printObject(object)}`;
  return `${severity} ${rule} at @${event}${what}: ${message}`;
}
