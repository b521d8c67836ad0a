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
  type MemoryMode,
  type Site,
  type SitesMode,
  type TraceEnd,
  type TraceEvent,
  type TraceHeader,
  TraceWriter,
} from "../trace/mod.ts";
import { MAX_BODY_BYTES } from "../wire/mod.ts";
import { KeyframePolicy } from "./keyframes.ts";
import { type FlushTimer, FlushWatch } from "./flush.ts";

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
  /** Actors that never went on. */
  readonly stuck: readonly string[];
  /** What was thrown, where the run threw. */
  readonly thrown: unknown;
  /** A scenario's report; null for programs. */
  readonly scenario: ScenarioReport | null;
}

/** Runs and records. A sink that throws ends the run, and what it threw is thrown here: the program never sees it. */
export async function record(options: RecordOptions): Promise<Recorded> {
  const output = new WatchedSink(options.output);
  const { flush } = options;
  const chunkBytes = flush !== undefined && "everyBytes" in flush ? { chunkBytes: flush.everyBytes } : {};
  const writer = new TraceWriter(output, headerOf(options), chunkBytes);
  output.throwFailure();
  const watch = flush !== undefined && "everyMs" in flush ? new FlushWatch(writer, flush) : null;
  const session = sessionOf(options, { writer, watch });
  const run = options.what.kind === "calls"
    ? runTheScenario(options.what.scenario, { session, options })
    : await runTheProgram(options.what, { session, options, writer, output, watch });
  const end: TraceEnd = { ...run.reason, events: session.lastEvent };
  writer.finish(end);
  output.throwFailure();
  return { end, stuck: run.stuck, thrown: run.thrown, scenario: run.scenario };
}

interface Writing {
  readonly writer: TraceWriter;
  readonly watch: FlushWatch | null;
}

function sessionOf(options: RecordOptions, { writer, watch }: Writing): Session {
  const engine = new Engine(options.options);
  const { keyframeEvents, wallNs } = options;
  const policy = new KeyframePolicy(keyframeEvents ?? null);
  return new Session({
    engine,
    sink: new RecordingSink({ writer, watch }, options),
    memory: options.memory,
    onBoundary: (lastEvent) => {
      const at = { event: lastEvent, bytes: writer.bytes };
      if (!policy.isDue(at)) return;
      const state = encodeKeyframe(engine.snapshot());
      // A world too large for a block has no keyframe: they serve seeking, never correctness.
      if (policy.accepts(at, state.length) && state.length <= MAX_BODY_BYTES) writer.keyframe(lastEvent, state);
    },
    ...(wallNs === undefined ? {} : { wallNs: rarely(wallNs) }),
  });
}

/** Passes bytes on until that fails once; what comes later is dropped. */
class WatchedSink implements ByteSink {
  /** Told when writing fails. */
  onFailure: () => void = () => {};
  readonly #output: ByteSink;
  #failure: { readonly error: unknown } | null = null;

  constructor(output: ByteSink) {
    this.#output = output;
  }

  write(bytes: Uint8Array): void {
    if (this.#failure !== null) return;
    try {
      this.#output.write(bytes);
    } catch (error) {
      this.#failure = { error };
      this.onFailure();
    }
  }

  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
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
  { session, options, writer, output, watch }: Writing & {
    readonly session: Session;
    readonly options: RecordOptions;
    readonly output: WatchedSink;
  },
): Promise<Run> {
  const started = (scheduler: Scheduler) => {
    output.onFailure = () => scheduler.stop("the output could not be written");
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
  { what, options, seed, sites, memory, toolVersion, startedAt, wallNs }: RecordOptions,
): TraceHeader {
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
  };
}

/** Passes events on to the writer, sites only where wanted. */
class RecordingSink implements EventSink {
  readonly #writer: TraceWriter;
  readonly #watch: FlushWatch | null;
  readonly #siteEvents: ReadonlySet<number> | undefined;
  readonly #onEvents: (events: number) => void;

  constructor({ writer, watch }: Writing, { siteEvents, onEvents }: RecordOptions) {
    this.#writer = writer;
    this.#watch = watch;
    this.#siteEvents = siteEvents;
    this.#onEvents = onEvents ?? (() => {});
  }

  event(event: TraceEvent): void {
    const site: Site | null = this.#siteEvents === undefined || this.#siteEvents.has(event.event) ? event.site : null;
    this.#writer.event(site === event.site ? event : { ...event, site });
    this.#watch?.event();
    if ((event.event & 0xfff) === 0) this.#onEvents(event.event);
  }
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
