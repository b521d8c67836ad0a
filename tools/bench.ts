// The benchmark: what recording costs a call, bytes per event, and how fast traces are replayed and audited. Each figure is the
// median of several runs in this process, with its spread; a workload is a program in tools/bench/. Nothing is stored.
//
//   deno task bench [--json] [--calls N] [--runs N] [WORKLOAD...]

import { defaultOptions, type ModelOptions, parseOption } from "../src/api/mod.ts";
import { audit } from "../src/audit/mod.ts";
import { type ProgramModule, runProgram, Session } from "../src/driver/mod.ts";
import { Engine } from "../src/engine/mod.ts";
import { record } from "../src/record/mod.ts";
import { replay } from "../src/replay/mod.ts";
import { BytesSink, bytesSource, openTrace, type SitesMode } from "../src/trace/mod.ts";
import gpadlChurn from "./bench/gpadl_churn.ts";
import gpuvaChurn from "./bench/gpuva_churn.ts";
import pages from "./bench/pages.ts";

/** The workloads by name: adding one is adding a file and a line here. */
const WORKLOADS: Readonly<Record<string, ProgramModule>> = {
  "gpadl-churn": gpadlChurn,
  "gpuva-churn": gpuvaChurn,
  pages,
};

/** A figure: median, lowest and highest of the runs. */
interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

interface Row {
  readonly workload: string;
  readonly calls: number;
  readonly events: number;
  /** Nanoseconds a call, program included. */
  readonly unrecordedNs: Figure;
  readonly recordedNs: Figure;
  /** What recording adds to a call, sites off; paired run by run. */
  readonly addedNs: Figure;
  /** Recorded over unrecorded. */
  readonly ratio: Figure;
  readonly addedWithSitesNs: Figure;
  readonly bytesPerEvent: number;
  readonly replayedPerSecond: Figure;
  readonly auditedPerSecond: Figure;
}

interface Settings {
  readonly isJson: boolean;
  readonly calls: number;
  readonly runs: number;
  readonly workloads: readonly string[];
}

function settingsOf(args: readonly string[]): Settings {
  const valueOf = (name: string, otherwise: number) => {
    const at = args.indexOf(name);
    return at < 0 ? otherwise : Number(args[at + 1]);
  };
  const names = args.filter((arg) => Object.hasOwn(WORKLOADS, arg));
  return {
    isJson: args.includes("--json"),
    calls: valueOf("--calls", 100_000),
    runs: valueOf("--runs", 5),
    workloads: names.length === 0 ? Object.keys(WORKLOADS) : names,
  };
}

function optionsFor(module: ProgramModule): ModelOptions {
  const base: ModelOptions = { ...defaultOptions(), "initial-callbacks": "none" };
  return Object.entries(module.options).reduce<ModelOptions>(
    (all, [name, value]) => parseOption(all, name, value),
    base,
  );
}

async function runUnrecorded(module: ProgramModule, calls: number): Promise<number> {
  const session = new Session({ engine: new Engine(optionsFor(module)), sink: { event() {} }, memory: "full" });
  const began = performance.now();
  const end = await runProgram(module.run, {
    session,
    seed: 1,
    args: [String(calls)],
    sites: { wants: () => false, folder: "" },
  });
  if (end.hasThrown) throw end.thrown;
  return (performance.now() - began) * 1e6;
}

async function runRecorded(
  module: ProgramModule,
  { calls, sites }: { readonly calls: number; readonly sites: SitesMode },
) {
  const output = new BytesSink();
  const began = performance.now();
  const { end } = await record({
    what: { kind: "module", name: "bench", module, args: [String(calls)] },
    output,
    options: optionsFor(module),
    seed: 1,
    sites,
    memory: "full",
    toolVersion: "bench",
    startedAt: "",
    wallNs: () => (performance.now() - began) * 1e6,
    folder: new URL("./bench/", import.meta.url).href,
  });
  if (end.reason !== "ended") throw new Error(`${end.reason}: ${end.message}`);
  return { ns: (performance.now() - began) * 1e6, bytes: output.bytes() };
}

/** What each kind of run took, round by round. */
class Times {
  readonly plain: number[] = [];
  readonly recorded: number[] = [];
  readonly sited: number[] = [];
  readonly replayed: number[] = [];
  readonly audited: number[] = [];
}

async function measure(workload: string, { calls, runs }: Settings): Promise<Row> {
  const module = WORKLOADS[workload];
  if (module === undefined) throw new RangeError(`no workload ${workload}`);
  const times = new Times();
  let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  // The first round warms up and is not counted; kinds of run alternate, so that a slow moment hits all alike.
  for (let round = 0; round <= runs; round += 1) {
    const plain = await runUnrecorded(module, calls);
    const recorded = await runRecorded(module, { calls, sites: "off" });
    const sited = await runRecorded(module, { calls, sites: "creating" });
    bytes = recorded.bytes;
    const replayed = timed(() => replay(openTrace(bytesSource(bytes))));
    const audited = timed(() => audit(openTrace(bytesSource(bytes))));
    if (round === 0) continue;
    times.plain.push(plain / calls);
    times.recorded.push(recorded.ns / calls);
    times.sited.push(sited.ns / calls);
    times.replayed.push(calls / replayed);
    times.audited.push(openTrace(bytesSource(bytes)).eventCount / audited);
  }
  const events = openTrace(bytesSource(bytes)).eventCount;
  return {
    workload,
    calls,
    events,
    unrecordedNs: figure(times.plain),
    recordedNs: figure(times.recorded),
    addedNs: figure(paired(times.recorded, times.plain, (one, other) => one - other)),
    ratio: figure(paired(times.recorded, times.plain, (one, other) => one / other)),
    addedWithSitesNs: figure(paired(times.sited, times.plain, (one, other) => one - other)),
    bytesPerEvent: bytes.length / events,
    replayedPerSecond: figure(times.replayed),
    auditedPerSecond: figure(times.audited),
  };
}

/** Seconds that something takes. */
function timed(work: () => unknown): number {
  const began = performance.now();
  work();
  return (performance.now() - began) / 1000;
}

function paired(
  left: readonly number[],
  right: readonly number[],
  combine: (one: number, other: number) => number,
): number[] {
  return left.map((one, index) => combine(one, right[index] ?? Number.NaN));
}

function figure(values: readonly number[]): Figure {
  const sorted = values.toSorted((one, other) => one - other);
  return {
    median: sorted[sorted.length >> 1] ?? Number.NaN,
    low: sorted[0] ?? Number.NaN,
    high: sorted.at(-1) ?? Number.NaN,
  };
}

function print(rows: readonly Row[], { runs }: Settings): void {
  console.log(
    `medians of ${runs} runs in one process, [lowest to highest]; nanoseconds a call include the program and the scheduler`,
  );
  for (const row of rows) {
    console.log(`\n${row.workload}: ${row.calls} calls, ${row.events} events`);
    console.log(`  unrecorded call      ${text(row.unrecordedNs)} ns`);
    console.log(`  recorded call        ${text(row.recordedNs)} ns, ${text(row.ratio, 2)} × unrecorded`);
    console.log(
      `  recording adds       ${text(row.addedNs)} ns a call with sites off, ${
        text(row.addedWithSitesNs)
      } ns with sites of creating calls`,
    );
    console.log(`  trace                ${row.bytesPerEvent.toFixed(2)} bytes an event`);
    console.log(`  replay               ${text(row.replayedPerSecond)} calls a second`);
    console.log(`  audit, all rules     ${text(row.auditedPerSecond)} events a second`);
  }
}

function text({ median, low, high }: Figure, digits = 0): string {
  return `${median.toFixed(digits)} [${low.toFixed(digits)} to ${high.toFixed(digits)}]`;
}

const settings = settingsOf(Deno.args);
const rows: Row[] = [];
for (const workload of settings.workloads) rows.push(await measure(workload, settings));
if (settings.isJson) console.log(JSON.stringify({ schema: "maptrail.bench/1", runs: settings.runs, rows }));
else print(rows, settings);
