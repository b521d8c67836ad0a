// The verb `explain`. Must not parse words and must not end the process.
import { CATALOGUE } from "../api/mod.ts";
import { audit, RULES } from "../audit/mod.ts";
import { coverage, coverageLines, explainCall, explainIndex, explainRule, type TraceShows } from "../view/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { ExplainArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { open } from "./open.ts";
import { hasEventFilters } from "./outline.ts";
import { tracesAt } from "./paths.ts";
import { unknownName } from "./suggest.ts";

/** Prints a rule's clause and example, a call's declaration, or what traces exercised. Resolves to the exit code. */
export async function runExplain(args: ExplainArgs, io: Io): Promise<number> {
  if (hasEventFilters(args.filters)) {
    throw new CliError(
      EXIT.usage,
      "Leave the filters out: explain tells of all that is declared, and coverage of whole traces.",
    );
  }
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
  const shown: TraceShows[] = [];
  for (const path of traces.flatMap((each) => tracesAt(io, each))) shown.push(await showsOf(path, io));
  const what = coverage(CATALOGUE, traces.length === 0 ? null : shown);
  if (show.json) io.out.json({ schema: "maptrail.coverage/1", ...what });
  else for (const line of coverageLines(what, io.paint)) io.out.line(line);
  return EXIT.clean;
}

async function showsOf(path: string, io: Io): Promise<TraceShows> {
  const { trace, close } = await open(io, path);
  try {
    const clauses = new Set<string>();
    const { findings } = audit(trace, { onClause: (name) => clauses.add(name), evidenceLimit: 0 });
    const rules = new Set<string>(findings.map(({ rule }) => rule));
    return { clauses, rules, calls: new Set(trace.summary().calls.keys()) };
  } finally {
    close();
  }
}
