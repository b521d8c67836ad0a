// What the verbs take as processes: peak memory by size of trace, and how soon a long trace answers.
// It must not know how a trace is written.

import { type Figure, figureOf } from "./figure.ts";
import { type ProcessRun, runVerb, type Workspace } from "./process.ts";

/** The memory of a verb, for traces of several sizes. */
export interface VerbMemory {
  readonly verb: string;
  /** Megabytes at the peak, in the order of the sizes; null: the system does not say. */
  readonly peakMegabytes: readonly (number | null)[];
  readonly seconds: readonly number[];
}

/** How soon a trace answers, whole process. */
export interface Answers {
  readonly events: number;
  readonly infoMs: Figure;
  /** `dump --range` of ten events in the middle. */
  readonly dumpRangeMs: Figure;
}

/** A workload to record by the program: the module's path, and about how many events a step makes. */
export interface Recording {
  readonly path: string;
  readonly eventsPerStep: number;
}

/** Measures each verb on a trace of each size; the traces stay in the workspace under `nameOf`. */
export async function measureMemory(
  workspace: Workspace,
  { recording, sizes }: { readonly recording: Recording; readonly sizes: readonly number[] },
): Promise<VerbMemory[]> {
  const runs: { readonly verb: string; readonly run: ProcessRun }[] = [];
  for (const events of sizes) {
    const run = await recordTrace(workspace, recording, events);
    runs.push({ verb: "record", run });
    for (const verb of ["replay", "audit", "dump"]) {
      runs.push({ verb, run: await runVerb(workspace, [verb, nameOf(events), "--quiet"], { watchesMemory: true }) });
    }
  }
  return ["record", "replay", "audit", "dump"].map((verb) => {
    const own = runs.filter((each) => each.verb === verb).map(({ run }) => run);
    return { verb, peakMegabytes: own.map((run) => run.peakMegabytes), seconds: own.map(({ ms }) => ms / 1000) };
  });
}

/** The name of the trace of so many events. */
function nameOf(events: number): string {
  return `${events}.msgpack`;
}

function recordTrace(
  workspace: Workspace,
  { path, eventsPerStep }: Recording,
  events: number,
): Promise<ProcessRun> {
  const steps = String(Math.round(events / eventsPerStep));
  const words = ["record", path, "-o", nameOf(events), "--force", "--sites", "off", "--quiet", "--", steps];
  return runVerb(workspace, words, { watchesMemory: true });
}

/** Measures `info` and `dump --range`; the trace is recorded first where it is not there. */
export async function measureAnswers(
  workspace: Workspace,
  { recording, events, runs }: { readonly recording: Recording; readonly events: number; readonly runs: number },
): Promise<Answers> {
  const name = nameOf(events);
  const isThere = [...Deno.readDirSync(workspace.folder)].some((entry) => entry.name === name);
  if (!isThere) await recordTrace(workspace, recording, events);
  const first = Math.floor(events / 2);
  const range = `@${first}-@${first + 9}`;
  const info: number[] = [];
  const dump: number[] = [];
  for (let run = 0; run <= runs; run += 1) {
    const infoRun = await runVerb(workspace, ["info", name]);
    const dumpRun = await runVerb(workspace, ["dump", "--range", range, name]);
    if (run === 0) continue;
    info.push(infoRun.ms);
    dump.push(dumpRun.ms);
  }
  return { events, infoMs: figureOf(info), dumpRangeMs: figureOf(dump) };
}
