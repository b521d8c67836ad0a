// The benchmark: what recording costs, bytes per event, how fast traces are replayed and audited, the memory of each verb, and
// the peers that are installed, all in one run. A workload is a program in tools/bench/. Nothing is stored.
//
//   deno task bench [--json] [--long] [--steps N] [--runs N] [--only PART,...] [WORKLOAD...]
//
// Parts: machine, workloads, memory, answers, ranges, spaces, peers. `--long` measures memory at 1 and 20 million events instead of
// one, and answers of a trace of 10 million.

import { measureWorkload, type WorkloadRow } from "./bench/measure/in_process.ts";
import { type Machine, measureMachine } from "./bench/measure/machine.ts";
import { inWorkspace, type Workspace } from "./bench/measure/process.ts";
import { reportLines } from "./bench/measure/report.ts";
import { type Answers, measureAnswers, measureMemory, type Recording, type VerbMemory } from "./bench/measure/verbs.ts";
import { measureRanges, type RangeRow } from "./bench/ranges.ts";
import { measureSpaces, type SpaceRow } from "./bench/spaces.ts";
import { findWorkloads, type Workload } from "./bench/workload.ts";
import { measurePeers, type Peers } from "./bench_peers.ts";

/** All that a run of the benchmark found; a part that was not asked for is null. */
export interface Results {
  readonly schema: "maptrail.bench/1";
  readonly runs: number;
  readonly machine: Machine | null;
  readonly workloads: readonly WorkloadRow[];
  /** Sizes of traces, in events, that the memory of the verbs was measured at. */
  readonly memorySizes: readonly number[];
  readonly memory: readonly VerbMemory[];
  readonly answers: Answers | null;
  readonly ranges: readonly RangeRow[];
  readonly spaces: readonly SpaceRow[];
  readonly peers: Peers | null;
}

const PARTS = ["machine", "workloads", "memory", "answers", "ranges", "spaces", "peers"] as const;

interface Settings {
  readonly isJson: boolean;
  readonly isLong: boolean;
  readonly steps: number;
  readonly runs: number;
  readonly parts: readonly string[];
  readonly names: readonly string[];
}

function settingsOf(args: readonly string[]): Settings {
  const words = [...args];
  const flag = (name: string) => {
    const at = words.indexOf(name);
    if (at >= 0) words.splice(at, 1);
    return at >= 0;
  };
  const value = (name: string, otherwise: string) => {
    const at = words.indexOf(name);
    return at < 0 ? otherwise : words.splice(at, 2)[1] ?? otherwise;
  };
  return {
    isJson: flag("--json"),
    isLong: flag("--long"),
    steps: Number(value("--steps", "100000")),
    runs: Number(value("--runs", "5")),
    parts: value("--only", PARTS.join(",")).split(","),
    names: words,
  };
}

/** Pages are large, and a channel's life is long: a step of theirs weighs as much as many others. */
const WEIGHTS: ReadonlyMap<string, number> = new Map([["pages", 10], ["packets", 4], ["storm", 100]]);

function stepsFor({ name }: Workload, steps: number): number {
  return Math.max(1, Math.round(steps / (WEIGHTS.get(name) ?? 1)));
}

async function measureAll(workspace: Workspace, settings: Settings): Promise<Results> {
  const { runs, isLong, parts, names } = settings;
  const wants = (part: typeof PARTS[number]) => {
    const isWanted = parts.includes(part);
    if (isWanted && !settings.isJson) console.error(`… ${part}`);
    return isWanted;
  };
  const all = await findWorkloads();
  const chosen = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  if (chosen.length === 0) throw new RangeError(`Name a workload: ${all.map(({ name }) => name).join(", ")}.`);
  const machine = wants("machine") ? await measureMachine(workspace, { runs: runs * 3 }) : null;
  const workloads: WorkloadRow[] = [];
  for (const workload of wants("workloads") ? chosen : []) {
    workloads.push(await measureWorkload(workload, { steps: stepsFor(workload, settings.steps), runs }));
  }
  const recording: Recording = { path: pathOf(all, "gpadl-churn"), eventsPerStep: 2 };
  const memorySizes = isLong ? [1_000_000, 20_000_000] : [1_000_000];
  const memory = wants("memory") ? await measureMemory(workspace, { recording, sizes: memorySizes }) : [];
  const events = isLong ? 10_000_000 : 1_000_000;
  const answers = wants("answers") ? await measureAnswers(workspace, { recording, events, runs }) : null;
  const ranges = wants("ranges") ? measureRanges() : [];
  const spaces = wants("spaces") ? measureSpaces() : [];
  const peers = wants("peers") ? await measurePeers(workspace.folder, { runs }) : null;
  return { schema: "maptrail.bench/1", runs, machine, workloads, memorySizes, memory, answers, ranges, spaces, peers };
}

function pathOf(workloads: readonly Workload[], name: string): string {
  const found = workloads.find((workload) => workload.name === name);
  if (found === undefined) throw new RangeError(`no workload ${name}`);
  return found.path;
}

if (import.meta.main) {
  const settings = settingsOf(Deno.args);
  const results = await inWorkspace((workspace) => measureAll(workspace, settings));
  if (settings.isJson) console.log(JSON.stringify(results));
  else for (const line of reportLines(results)) console.log(line);
}
