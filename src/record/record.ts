// Records: runs a program or a scenario on a fresh engine and writes every event to a trace, however the run ends.
// It must not know files, clocks or terminals: the caller gives a sink for bytes and a reading of wall time.

import type { ModelOptions, Scenario } from "../api/mod.ts";
import { Engine } from "../engine/mod.ts";
import {
  type ProgramModule,
  type RunEnd,
  runProgram,
  runScenario,
  type ScenarioReport,
  type Scheduler,
  Session,
  type SitePolicy,
} from "../driver/mod.ts";
import {
  type ByteSink,
  encodeKeyframe,
  type EventSink,
  leftOutBy,
  type MemoryMode,
  type Selection,
  selectionFilter,
  type SitesMode,
  type TraceEnd,
  type TraceHeader,
  TraceWriter,
} from "../trace/mod.ts";
import { MAX_BODY_BYTES } from "../wire/mod.ts";
import { KeyframePolicy } from "./keyframes.ts";
import { type FlushTimer, FlushWatch } from "./flush.ts";
import { Outputs } from "./outputs.ts";
import { type Ring, RingWriter } from "./ring.ts";
import { sinkFor } from "./sinks.ts";

/** The version of the engine's behaviour: it changes when the same calls may answer otherwise. */
export const ENGINE_VERSION = 1;

/** What is run. */
export type Recordable =
  | {
    readonly kind: "builtin" | "module";
    readonly name: string;
    readonly module: ProgramModule;
    readonly args: readonly string[];
  }
  | { readonly kind: "calls"; readonly name: string; readonly scenario: Scenario };

/** How it is recorded. */
export interface RecordOptions {
  readonly what: Recordable;
  readonly output: ByteSink;
  readonly options: ModelOptions;
  readonly seed: number;
  readonly sites: SitesMode;
  readonly memory: MemoryMode;
  readonly toolVersion: string;
  /** ISO date; empty where wall time is off. */
  readonly startedAt: string;
  /** Nanoseconds since the start; left out: wall time is off. */
  readonly wallNs?: () => number;
  /** The folder URL that call sites are relative to. */
  readonly folder: string;
  /** Only events of these numbers keep their sites (the second run of `--sites findings`). */
  readonly siteEvents?: ReadonlySet<number>;
  readonly pause?: () => Promise<void>;
  readonly onStart?: (control: RunControl) => void;
  readonly onEvents?: (events: number) => void;
  /** Events between keyframes, at least 1; left out: one whenever it is worth its bytes. */
  readonly keyframeEvents?: number;
  /** Keeps the last part of the run, from a keyframe on; left out: all of it. The output is written at the end. */
  readonly ring?: Ring;
  /** Which events are written; left out: all. Replay needs all. */
  readonly selection?: Selection;
  /** When the open chunk is written before it is full: by time, or by bytes as the writer's `chunkBytes`. */
  readonly flush?: FlushTimer | { readonly everyBytes: number };
}

/** Ends a run from outside; what was recorded stays whole. */
export interface RunControl {
  /** Ends it as interrupted. */
  readonly stop: (reason: string) => void;
  /** Ends it as thrown: an error of the program that none of its threads caught. */
  readonly fail: (error: unknown) => void;
  /** Writes the open chunk where `flush` says that it is time: for a host whose program waits and makes no events. */
  readonly flushIfDue: () => void;
  /** Writes the rest and the end at once, for a process that is about to be gone: nothing may happen after. */
  readonly finishNow: (reason: string) => void;
}

/** What a recording came to. */
export interface Recorded {
  readonly end: TraceEnd;
  /** What the trace holds: how many events, and after which of the run it starts. */
  readonly kept: { readonly events: number; readonly startsAfter: number };
  /** Actors that never went on. */
  readonly stuck: readonly string[];
  /** What was thrown, where the run threw. */
  readonly thrown: unknown;
  /** A scenario's report; null for programs. */
  readonly scenario: ScenarioReport | null;
}

/** Runs and records. A sink that throws ends the run, and what it threw is thrown here: the program never sees it. */
export async function record(options: RecordOptions): Promise<Recorded> {
  const outputs = new Outputs();
  const writing = writingOf(options, outputs);
  outputs.throwFailure();
  const session = sessionOf(options, writing);
  const run = options.what.kind === "calls"
    ? runTheScenario(options.what.scenario, { session, options })
    : await runTheProgram(options.what, { ...writing, session, options, outputs });
  const end: TraceEnd = { ...run.reason, events: session.lastEvent };
  const { writer, ring } = writing;
  finishOrFail(writing, outputs, end);
  const kept = ring?.kept ?? { events: writer.events, startsAfter: 0 };
  return { end, kept, stuck: run.stuck, thrown: run.thrown, scenario: run.scenario };
}

/** Ends the trace; one whose output failed says so itself where that can still be written. */
function finishOrFail({ writer, ring }: Writing, outputs: Outputs, { events, ...reason }: TraceEnd): void {
  writer.flush();
  outputs.closeFailed((error) => {
    const failed = { reason: "write-failed", message: textOfThrown(error), events } as const;
    if (ring === null) writer.finish(failed);
    else ring.finishSegment(failed);
  });
  outputs.throwFailure();
  writer.finish({ ...reason, events });
  outputs.throwFailure();
}

interface Writing {
  readonly writer: RingWriter | TraceWriter;
  /** The writer, where it is a ring. */
  readonly ring: RingWriter | null;
  readonly watch: FlushWatch | null;
  /** Told why a ring cannot go on. */
  readonly onStop: { act: (reason: string) => void };
}

function writingOf(options: RecordOptions, outputs: Outputs): Writing {
  const { flush } = options;
  const chunks = flush !== undefined && "everyBytes" in flush ? { chunkBytes: flush.everyBytes } : {};
  const output = outputs.sink(options.output);
  const header = headerOf(options);
  const ring = options.ring === undefined ? null : new RingWriter(output, header, {
    ...chunks,
    ring: { bytes: options.ring.bytes, segments: outputs.segments(options.ring.segments) },
  });
  const writer = ring ?? new TraceWriter(output, header, chunks);
  const watch = flush !== undefined && "everyMs" in flush ? new FlushWatch(writer, flush) : null;
  return { writer, ring, watch, onStop: { act() {} } };
}

function sessionOf(options: RecordOptions, writing: Writing): Session {
  const engine = new Engine(options.options);
  const { wallNs, memory } = options;
  const onBoundary = boundaryOf(options, { ...writing, engine });
  return new Session({
    engine,
    sink: sinkOf(options, writing),
    memory,
    ...(onBoundary === null ? {} : { onBoundary }),
    ...(wallNs === undefined ? {} : { wallNs: rarely(wallNs) }),
  });
}

function sinkOf({ siteEvents, onEvents, selection }: RecordOptions, { writer, watch }: Writing): EventSink {
  return sinkFor(writer, {
    watch,
    ...(siteEvents === undefined ? {} : { siteEvents }),
    ...(onEvents === undefined ? {} : { onEvents }),
    ...(isWhole(selection) ? {} : { selects: selectionFilter(selection) }),
  });
}

function isWhole(selection: Selection | undefined): selection is undefined {
  return selection === undefined || leftOutBy(selection).length === 0;
}

/** What is done between inputs: keyframes, which serve replay and so need every event, and the turns of a ring. */
function boundaryOf(
  { keyframeEvents, selection }: RecordOptions,
  { writer, ring, onStop, engine }: Writing & { readonly engine: Engine },
): ((lastEvent: number) => void) | null {
  const isReplayable = isWhole(selection);
  if (ring !== null) {
    return (lastEvent) => {
      if (!ring.isDue) return;
      const trouble = ring.turn(lastEvent, isReplayable ? encodeKeyframe(engine.view()) : null);
      if (trouble !== "") onStop.act(trouble);
    };
  }
  if (!isReplayable || writer instanceof RingWriter) return null;
  const policy = new KeyframePolicy(keyframeEvents ?? null);
  const objects = () => engine.world.namedObjects;
  return (lastEvent) => {
    if (!policy.isDue(lastEvent, writer.bytes, objects)) return;
    const state = encodeKeyframe(engine.view());
    // A world too large for a block has no keyframe: they serve seeking, never correctness.
    const isWorthIt = policy.accepts({ event: lastEvent, bytes: writer.bytes }, state.length);
    if (isWorthIt && state.length <= MAX_BODY_BYTES) writer.keyframe(lastEvent, state);
  };
}

type Reason = Pick<TraceEnd, "reason" | "message">;

interface Run {
  readonly reason: Reason;
  readonly stuck: readonly string[];
  readonly thrown: unknown;
  readonly scenario: ScenarioReport | null;
}

function runTheScenario(
  scenario: Scenario,
  { session, options }: { readonly session: Session; readonly options: RecordOptions },
): Run {
  const report = runScenario(scenario, session, (plan) => sitePolicy(options).wants(plan));
  return { reason: { reason: "ended", message: "" }, stuck: [], thrown: undefined, scenario: report };
}

async function runTheProgram(
  what: Extract<Recordable, { readonly module: ProgramModule }>,
  { session, options, writer, watch, onStop, outputs }: Writing & {
    readonly session: Session;
    readonly options: RecordOptions;
    readonly outputs: Outputs;
  },
): Promise<Run> {
  const started = (scheduler: Scheduler) => {
    onStop.act = (reason) => scheduler.stop(reason);
    outputs.onFailure = () => scheduler.stop("the output could not be written");
    options.onStart?.({
      stop: (reason) => scheduler.stop(reason),
      fail: (error) => scheduler.fail(error),
      flushIfDue: () => void watch?.look(),
      finishNow: (message) => writer.finish({ reason: "interrupted", message, events: session.lastEvent }),
    });
  };
  const end = await runProgram(what.module.run, {
    session,
    seed: options.seed,
    args: what.args,
    sites: sitePolicy(options),
    onStart: started,
    ...(options.pause === undefined ? {} : { pause: options.pause }),
  });
  return { reason: reasonOf(end), stuck: end.stuck, thrown: end.thrown, scenario: null };
}

function reasonOf({ hasThrown, thrown, stopped }: RunEnd): Reason {
  if (hasThrown) return { reason: "threw", message: textOfThrown(thrown) };
  if (stopped !== null) return { reason: "interrupted", message: stopped };
  return { reason: "ended", message: "" };
}

/** What was thrown, in words; a program may throw anything, also what cannot be made a text. */
function textOfThrown(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message || thrown.name : thrown);
  } catch {
    return "something that has no text";
  }
}

function sitePolicy({ sites, folder, siteEvents }: RecordOptions): SitePolicy {
  if (siteEvents !== undefined || sites === "all") return { wants: () => true, folder };
  return { wants: (plan) => sites === "creating" && plan.creates, folder };
}

function headerOf(
  { what, options, seed, sites, memory, toolVersion, startedAt, wallNs, selection }: RecordOptions,
): TraceHeader {
  const isAll = isWhole(selection);
  return {
    tool: "maptrail",
    toolVersion,
    maker: "engine",
    engineVersion: ENGINE_VERSION,
    options,
    program: { name: what.name, kind: what.kind, args: what.kind === "calls" ? [] : what.args },
    seed,
    sites,
    memory,
    wallClock: wallNs !== undefined,
    startedAt,
    capabilities: [],
    losses: [],
    startsAfter: 0,
    leftOut: isAll ? [] : leftOutBy(selection),
    selection: isAll ? null : selection,
  };
}

/** Reads the clock once every 256 events: a reading costs more than an event. */
function rarely(wallNs: () => number): () => number {
  let last = 0;
  let left = 0;
  return () => {
    if (left === 0) {
      last = Math.round(wallNs());
      left = 256;
    }
    left -= 1;
    return last;
  };
}
