// What a workload costs in this process: unrecorded, recorded, replayed, audited. Kinds of run alternate, so that a slow
// moment hits all alike, and what recording adds is taken pair by pair. It must not know the workloads.

import { defaultOptions, type ModelOptions, parseOption } from "../../../src/api/mod.ts";
import { audit } from "../../../src/audit/mod.ts";
import { type ProgramModule, runProgram, Session } from "../../../src/driver/mod.ts";
import { Engine } from "../../../src/engine/mod.ts";
import { record } from "../../../src/record/mod.ts";
import { replay } from "../../../src/replay/mod.ts";
import { BytesSink, bytesSource, openTrace, type SitesMode } from "../../../src/trace/mod.ts";
import type { Workload } from "../workload.ts";
import { driveRecorded, driveUnrecorded, inputsOf } from "./drive.ts";
import { type Figure, figureOf } from "./figure.ts";

/** What was measured of a workload. A call is any call of the trace, those that advance time too. */
export interface WorkloadRow {
  readonly workload: string;
  readonly steps: number;
  readonly calls: number;
  readonly events: number;
  /** Nanoseconds a call: program, scheduler, engine. */
  readonly unrecordedNs: Figure;
  readonly recordedNs: Figure;
  /** What recording adds to a call, by the sites that are kept. */
  readonly addedOffNs: Figure;
  readonly addedCreatingNs: Figure;
  readonly addedAllNs: Figure;
  /** The same calls made without program and scheduler: the engine alone, and what writing adds. */
  readonly drivenNs: Figure;
  readonly drivenAddedNs: Figure;
  readonly bytesPerEvent: number;
  readonly bytesPerStep: number;
  /** Bytes of information that the workload itself shows. */
  readonly informationPerEvent: number;
  readonly informationPerStep: number;
  readonly formula: string;
  readonly replayedPerSecond: Figure;
  readonly auditedPerSecond: Figure;
}

/** How much is measured. */
export interface Amount {
  readonly steps: number;
  readonly runs: number;
}

/** Nanoseconds a call of two kinds of run, one right after the other: what was slow for one was so for the other. */
interface Pair {
  readonly plain: number;
  readonly recorded: number;
}

/** One round: a run of each kind, or two. Of replay and audit, nanoseconds in all. */
interface Round {
  readonly off: readonly Pair[];
  readonly creating: Pair;
  readonly all: Pair;
  readonly driven: Pair;
  readonly replayed: number;
  readonly audited: number;
}

/** With sites a call takes so much longer that a part of the steps tells as much. */
const SITED_PART = 10;

/** Measures a workload: one round that warms up, then `runs` that count. */
export async function measureWorkload(workload: Workload, { steps, runs }: Amount): Promise<WorkloadRow> {
  const { program } = workload;
  const { bytes } = await runRecorded(program, { steps, sites: "off" });
  const rounds: Round[] = [];
  for (let round = 0; round <= runs; round += 1) {
    const measured = await measureRound(program, { steps, bytes });
    if (round > 0) rounds.push(measured);
  }
  return rowOf(workload, { steps, bytes, rounds });
}

async function measureRound(
  program: ProgramModule,
  { steps, bytes }: { readonly steps: number; readonly bytes: Uint8Array<ArrayBuffer> },
): Promise<Round> {
  const sitedSteps = Math.ceil(steps / SITED_PART);
  const off = [
    await measurePair(program, { steps, sites: "off", isTurned: false }),
    await measurePair(program, { steps, sites: "off", isTurned: true }),
  ];
  const creating = await measurePair(program, { steps: sitedSteps, sites: "creating", isTurned: false });
  const all = await measurePair(program, { steps: sitedSteps, sites: "all", isTurned: false });
  const trace = openTrace(bytesSource(bytes));
  const inputs = inputsOf(trace);
  const calls = callCount(bytes);
  const driven = {
    plain: driveUnrecorded(inputs, trace) / calls,
    recorded: driveRecorded(inputs, trace) / calls,
  };
  const replayed = timed(() => replay(openTrace(bytesSource(bytes))));
  const audited = timed(() => audit(openTrace(bytesSource(bytes))));
  return { off, creating, all, driven, replayed, audited };
}

/** An unrecorded run and a recorded one; the recorded one first where turned. */
async function measurePair(
  program: ProgramModule,
  { steps, sites, isTurned }: { readonly steps: number; readonly sites: SitesMode; readonly isTurned: boolean },
): Promise<Pair> {
  const before = isTurned ? await runRecorded(program, { steps, sites }) : null;
  const plain = await runUnrecorded(program, steps);
  const { ns, bytes } = before ?? await runRecorded(program, { steps, sites });
  const calls = callCount(bytes);
  return { plain: plain / calls, recorded: ns / calls };
}

function callCount(bytes: Uint8Array<ArrayBuffer>): number {
  return [...openTrace(bytesSource(bytes)).summary().calls.values()].reduce((sum, count) => sum + count, 0);
}

function addedBy(pairs: readonly Pair[]): Figure {
  return figureOf(pairs.map(({ plain, recorded }) => recorded - plain));
}

function rowOf(
  { name, information }: Workload,
  { steps, bytes, rounds }: {
    readonly steps: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly rounds: readonly Round[];
  },
): WorkloadRow {
  const { events } = openTrace(bytesSource(bytes)).summary();
  const calls = callCount(bytes);
  const off = rounds.flatMap((round) => round.off);
  const informationBytes = (information.bitsAhead + steps * information.bitsPerStep) / 8;
  return {
    workload: name,
    steps,
    calls,
    events,
    unrecordedNs: figureOf(off.map(({ plain }) => plain)),
    recordedNs: figureOf(off.map(({ recorded }) => recorded)),
    addedOffNs: addedBy(off),
    addedCreatingNs: addedBy(rounds.map(({ creating }) => creating)),
    addedAllNs: addedBy(rounds.map(({ all }) => all)),
    drivenNs: figureOf(rounds.map(({ driven }) => driven.plain)),
    drivenAddedNs: addedBy(rounds.map(({ driven }) => driven)),
    bytesPerEvent: bytes.length / events,
    bytesPerStep: bytes.length / steps,
    informationPerEvent: informationBytes / events,
    informationPerStep: informationBytes / steps,
    formula: information.formula,
    replayedPerSecond: figureOf(rounds.map(({ replayed }) => calls * 1e9 / replayed)),
    auditedPerSecond: figureOf(rounds.map(({ audited }) => events * 1e9 / audited)),
  };
}

function optionsFor({ options }: ProgramModule): ModelOptions {
  const base: ModelOptions = { ...defaultOptions(), "initial-callbacks": "none" };
  return Object.entries(options).reduce<ModelOptions>((all, [name, value]) => parseOption(all, name, value), base);
}

async function runUnrecorded(program: ProgramModule, steps: number): Promise<number> {
  const session = new Session({ engine: new Engine(optionsFor(program)), sink: { event() {} }, memory: "full" });
  const began = performance.now();
  const end = await runProgram(program.run, {
    session,
    seed: 1,
    args: [String(steps)],
    sites: { wants: () => false, folder: "" },
  });
  if (end.hasThrown) throw end.thrown;
  return (performance.now() - began) * 1e6;
}

async function runRecorded(
  program: ProgramModule,
  { steps, sites }: { readonly steps: number; readonly sites: SitesMode },
) {
  const output = new BytesSink();
  const began = performance.now();
  const { end } = await record({
    what: { kind: "module", name: "bench", module: program, args: [String(steps)] },
    output,
    options: optionsFor(program),
    seed: 1,
    sites,
    memory: "full",
    toolVersion: "bench",
    startedAt: "",
    wallNs: () => (performance.now() - began) * 1e6,
    folder: new URL("../", import.meta.url).href,
  });
  const ns = (performance.now() - began) * 1e6;
  if (end.reason !== "ended") throw new Error(`${end.reason}: ${end.message}`);
  return { ns, bytes: output.bytes() };
}

/** Nanoseconds that something takes. */
function timed(work: () => unknown): number {
  const began = performance.now();
  work();
  return (performance.now() - began) * 1e6;
}
