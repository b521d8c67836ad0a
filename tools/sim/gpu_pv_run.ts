// One simulated run of the paravirtualised path: a program of a guest, its graphics kernel and its host run under a
// scheduler, invariants are asked between inputs, and what happened is written to a trace that is read back, replayed and
// audited. It must not know what the program does.

import type { ModelOptions } from "../../src/api/mod.ts";
import { type ProgramContext, runProgram, type Scheduler, Session } from "../../src/driver/mod.ts";
import { Engine, type World } from "../../src/engine/mod.ts";
import { BytesSink, encodeKeyframe, type TraceEvent, TraceWriter } from "../../src/trace/mod.ts";
import { judge } from "./judge.ts";
import type { Trouble, Watcher } from "./simulated_world.ts";
import { headerFor } from "./simulation.ts";

/** How a program is run. */
export interface ProgramRun {
  readonly program: (context: ProgramContext, engine: Engine) => Promise<void>;
  readonly options: ModelOptions;
  /** The scheduler's. */
  readonly seed: number;
  readonly watcher: Watcher;
  /** Threads that may be left waiting, each as the scheduler says it; left out: none. */
  readonly mayBeStuck?: (what: string) => boolean;
}

/** What a run came to. */
export interface ProgramEnd {
  readonly trouble: Trouble | null;
  readonly events: readonly TraceEvent[];
}

/** What the program itself found not to hold. */
export class DoesNotHold extends Error {
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(`${trouble.check}: ${trouble.message}`);
    this.trouble = trouble;
  }
}

/** How often, in inputs, what takes longer is looked at, and a keyframe is written. */
const SLOW_EVERY = 16;
const KEYFRAME_AT = 1500;

class Recorder {
  readonly events: TraceEvent[] = [];
  readonly session: Session;
  trouble: Trouble | null = null;
  stop: () => void = () => {};
  readonly #bytes = new BytesSink();
  readonly #writer: TraceWriter;
  readonly #watcher: Watcher;
  #inputs = 0;

  constructor({ options, watcher }: ProgramRun) {
    this.#writer = new TraceWriter(this.#bytes, headerFor(options));
    this.#watcher = watcher;
    const engine = new Engine(options);
    this.session = new Session({
      engine,
      sink: { event: (event) => this.#take(event) },
      memory: "digest",
      onBoundary: (lastEvent) => this.#between(engine, lastEvent),
    });
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#writer.finish({ reason: "ended", message: "", events: this.session.lastEvent });
    return this.#bytes.bytes();
  }

  /** What does not hold now, also of what takes longer to look at. */
  check(world: World, isSlow: boolean): void {
    this.trouble ??= this.#watcher.check(world, { isSlow });
    if (this.trouble !== null) this.stop();
  }

  #take(event: TraceEvent): void {
    this.events.push(event);
    this.#writer.event(event);
    this.#watcher.event(event);
  }

  #between({ world }: Engine, lastEvent: number): void {
    this.#inputs += 1;
    if (lastEvent === 0 || this.trouble !== null) return;
    this.check(world, this.#inputs % SLOW_EVERY === 0);
    if (this.#inputs % KEYFRAME_AT === 0) this.#writer.keyframe(lastEvent, encodeKeyframe(this.session.engine.view()));
  }
}

/** Runs a program to its end, or to where something does not hold. */
export async function runWatched(run: ProgramRun): Promise<ProgramEnd> {
  const recorder = new Recorder(run);
  const { session, events } = recorder;
  const end = await runProgram((context) => run.program(context, session.engine), {
    session,
    seed: run.seed,
    args: [],
    sites: { wants: () => false, folder: "" },
    onStart: (scheduler: Scheduler) => recorder.stop = () => scheduler.stop("something does not hold"),
  });
  if (recorder.trouble !== null) return { trouble: recorder.trouble, events };
  if (end.hasThrown) return { trouble: troubleOf(end.thrown), events };
  recorder.check(session.engine.world, true);
  const stuck = end.stuck.filter((what) => run.mayBeStuck?.(what) !== true);
  const waits = stuck.length === 0 ? null : { check: "nobody waits for ever", message: stuck.join("; ") };
  return { trouble: recorder.trouble ?? waits ?? judged(recorder, run), events };
}

function judged(recorder: Recorder, { options, watcher }: ProgramRun): Trouble | null {
  try {
    const { events } = recorder;
    return judge(recorder.finish(), (findings) => watcher.disagreements(events, { findings, options }));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { check: `the trace throws ${error.name}`, message: error.stack ?? error.message };
  }
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof DoesNotHold) return error.trouble;
  if (!(error instanceof Error)) throw error;
  return { check: `throws ${error.name}`, message: error.stack ?? error.message };
}
