// The verb `explain`. Must not parse words and must not end the process.
import { CATALOGUE } from "../api/mod.ts";
import { audit, RULES } from "../audit/mod.ts";
import { coverage, coverageLines, explainCall, explainIndex, explainRule, type TraceCounts } from "../view/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { ExplainArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { open } from "./open.ts";
import { unknownName } from "./suggest.ts";

/** Prints a rule's clause and example, a call's declaration, or what traces exercised. Resolves to the exit code. */
export async function runExplain(args: ExplainArgs, io: Io): Promise<number> {
  if (args.coverage) return await runCoverage(args, io);
  if (args.show.json) {
    throw new CliError(EXIT.usage, "Leave --json out, or add --coverage: only that has a form for machines.");
  }
  const [name] = args.names;
  const lines = name === undefined
    ? explainIndex(io.paint)
    : explainRule(name, io.paint) ?? explainCall(name, io.paint);
  if (lines === null) {
    const names = [
      ...Object.entries(RULES).flatMap(([rule, { code }]) => [rule, code]),
      ...CATALOGUE.map((plan) => plan.name),
    ];
    const text = unknownName("rule or call", name ?? "", names);
    throw new CliError(EXIT.usage, text.endsWith("?") ? text : `${text} explain without a name lists them.`);
  }
  for (const line of lines) io.out.line(line);
  return EXIT.clean;
}

async function runCoverage({ traces, show }: ExplainArgs, io: Io): Promise<number> {
  const counts: TraceCounts[] = [];
  for (const path of traces) {
    const opened = await open(io, path);
    try {
      const findings = new Map<string, number>();
      for (const { rule } of audit(opened.trace).findings) findings.set(rule, (findings.get(rule) ?? 0) + 1);
      counts.push({ calls: opened.trace.summary().calls, findings });
    } finally {
      opened.close();
    }
  }
  const what = coverage(CATALOGUE, traces.length === 0 ? null : counts);
  if (show.json) io.out.json({ schema: "maptrail.coverage/1", ...what });
  else for (const line of coverageLines(what, io.paint)) io.out.line(line);
  return EXIT.clean;
}
