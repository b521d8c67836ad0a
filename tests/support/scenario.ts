// Runs a scenario file through the whole house: recorded, audited, replayed, dumped, recorded again from the dump, compared.
// Everything is in memory and without a clock, so that the same file gives the same bytes. It must not know any scenario.

import { parseScenario, type Scenario } from "../../src/api/mod.ts";
import { audit, type Finding } from "../../src/audit/mod.ts";
import { compareFindings } from "../../src/cli/expectations.ts";
import { diff } from "../../src/diff/mod.ts";
import type { ScenarioReport } from "../../src/driver/mod.ts";
import { record } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { BytesSink, bytesSource, openTrace, type Trace, type TraceFile, validate } from "../../src/trace/mod.ts";
import { dumpLines } from "../../src/view/mod.ts";

/** What a scenario came to. */
export interface ScenarioRun {
  /** The file's name without its folders. */
  readonly file: string;
  readonly scenario: Scenario;
  readonly report: ScenarioReport;
  /** The trace, encoded. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly trace: TraceFile;
  readonly findings: readonly Finding[];
  /** The trace in call notation. */
  readonly dump: readonly string[];
  /** All that does not hold, each with `FILE:LINE:` where it is a line's; empty where all is well. */
  readonly troubles: readonly string[];
}

/** Runs a `.calls` file; `path` is a file's path or URL. */
export async function runScenarioFile(path: string | URL): Promise<ScenarioRun> {
  const file = String(path).split("/").at(-1) ?? "";
  return await runScenarioText(await Deno.readTextFile(path), file);
}

/** Runs a scenario's text. */
export async function runScenarioText(text: string, file: string): Promise<ScenarioRun> {
  const scenario = parseScenario(text, { file });
  const { bytes, report } = await recordScenario(scenario, file);
  const trace = openTrace(bytesSource(bytes));
  const findings = audit(trace).findings;
  const dump = [...dumpLines(trace)];
  const isJudged = report.expectedFindings.length > 0 || report.noFindingsLine > 0;
  const failures = [...report.failures, ...(isJudged ? compareFindings(findings, report) : [])];
  const troubles = [
    ...failures.map(({ line, message }) => `${file}:${line}: ${message}`),
    ...traceTroubles(trace),
    ...await dumpTroubles(trace, dump, file),
  ];
  return { file, scenario, report, bytes, trace, findings, dump, troubles };
}

interface RecordedScenario {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly report: ScenarioReport;
}

async function recordScenario(scenario: Scenario, name: string): Promise<RecordedScenario> {
  const output = new BytesSink();
  const { scenario: report } = await record({
    what: { kind: "calls", name, scenario },
    output,
    options: scenario.options,
    seed: 1,
    sites: "creating",
    memory: "full",
    toolVersion: "0",
    startedAt: "",
    folder: "",
  });
  if (report === null) throw new TypeError(`Cannot run ${name}: its recording has no report`);
  return { bytes: output.bytes(), report };
}

/** A trace that is whole, well formed, and replays to itself. */
function traceTroubles(trace: TraceFile): string[] {
  const { divergence, stoppedEarly } = replay(trace);
  return [
    ...(trace.complete ? [] : ["the trace is not complete"]),
    ...[...validate(trace)].map(({ event, message }) => `@${event} is not valid: ${message}`),
    ...(divergence === null ? [] : [`replay: ${divergence.message}`]),
    ...(stoppedEarly === "" ? [] : [`replay: ${stoppedEarly}`]),
  ];
}

/** The dump is a scenario that holds, and makes an equal trace. */
async function dumpTroubles(trace: Trace, dump: readonly string[], file: string): Promise<string[]> {
  const scenario = parseScenario(dump.join("\n"), { file: `dump of ${file}` });
  const { bytes, report } = await recordScenario(scenario, file);
  const { first } = diff(trace, openTrace(bytesSource(bytes)));
  return [
    ...report.failures.map(({ line, message }) => `dump line ${line}, ${dump[line - 1]?.trim()}: ${message}`),
    ...(first === null ? [] : [`the dump records otherwise: ${first.message}`]),
  ];
}
