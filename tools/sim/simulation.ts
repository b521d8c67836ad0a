// One simulated run: steps go in through a session, invariants are asked after each, and what happened is written to a trace.
// At the end the trace is read back, replayed from its start and from a keyframe, and audited against an oracle.
// It must not know who chooses the steps.

import {
  hasSucceeded,
  isArray,
  isRef,
  type ModelOptions,
  type Outcome,
  type Ref,
  refsIn,
  type Value,
} from "../../src/api/mod.ts";
import { type RunningCallback, Session } from "../../src/driver/mod.ts";
import { Engine, type Snapshot } from "../../src/engine/mod.ts";
import { BytesSink, encodeKeyframe, type TraceEvent, type TraceHeader, TraceWriter } from "../../src/trace/mod.ts";
import { judge } from "./judge.ts";
import { mayChangeThough } from "./refusals.ts";
import { differenceOf } from "./sameness.ts";
import type { SimulatedWorld, Trouble, Watcher } from "./simulated_world.ts";
import { Names, type Step } from "./step.ts";

/** How a run is simulated. */
export interface SimulationSetup {
  /** What is simulated. */
  readonly about: SimulatedWorld;
  readonly options: ModelOptions;
  /** Compares the state before and after every so many steps' calls; 1: all. */
  readonly snapshotEvery: number;
  /** The objects that steps brought where they were chosen; left out: they are chosen in this run. */
  readonly made?: ReadonlyMap<number, readonly Ref[]>;
}

/** What a failed call may still use up: planned faults are counted down. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["faults"]);
/** How often, in steps, what takes longer is checked; a run that is done again to be made shorter is checked at every step. */
const SLOW_EVERY = 8;
const RESTORE_EVERY = 128;

/** A run. */
export class Simulation {
  readonly session: Session;
  readonly about: SimulatedWorld;
  readonly events: TraceEvent[] = [];
  /** The objects that each step brought. */
  readonly made = new Map<number, readonly Ref[]>();
  /** Callbacks that run, by the place of the step that delivered them. */
  readonly running = new Map<number, RunningCallback>();
  /** Calls that wait inside a callback: that callback's event by the call's. */
  readonly #waitsInside = new Map<number, number>();
  readonly #header: TraceHeader;
  readonly #bytes = new BytesSink();
  readonly #writer: TraceWriter;
  readonly #names: Names | null;
  readonly #snapshotEvery: number;
  readonly #watcher: Watcher;
  #steps = 0;

  constructor({ about, options, snapshotEvery, made }: SimulationSetup) {
    this.about = about;
    this.#watcher = about.watch(options);
    this.#header = headerFor(options);
    this.#writer = new TraceWriter(this.#bytes, this.#header);
    this.#names = made === undefined ? null : new Names(made);
    this.#snapshotEvery = snapshotEvery;
    const sink = { event: (event: TraceEvent) => this.#take(event) };
    this.session = new Session({ engine: new Engine(options), sink, memory: "digest" });
    this.session.onLeave = (event) => void this.#waitsInside.delete(event);
  }

  /** Whether a callback's driver is in a call that waits: it cannot return. */
  isBlockedIn(callbackEvent: number): boolean {
    for (const inside of this.#waitsInside.values()) if (inside === callbackEvent) return true;
    return false;
  }

  /** Does a step, or leaves it out where what it names was never made; says what does not hold afterwards. */
  play(step: Step): Trouble | null {
    this.#steps += 1;
    try {
      const first = this.events.length;
      const trouble = this.#do(step);
      const made = this.events.slice(first);
      this.#learn(step, made);
      return trouble ?? this.#check();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { check: `throws ${error.name}`, message: error.stack ?? error.message };
    }
  }

  /** What the run's trace comes to: read back, replayed, audited. */
  finish(): Trouble | null {
    try {
      this.#writer.finish({ reason: "ended", message: "", events: this.session.lastEvent });
      return this.#judge();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { check: `the trace throws ${error.name}`, message: error.stack ?? error.message };
    }
  }

  #judge(): Trouble | null {
    const { options } = this.#header;
    return judge(this.#bytes.bytes(), (findings) => this.#watcher.disagreements(this.events, { findings, options }));
  }

  /** Keeps a keyframe here: a replay can start from it. */
  keyframe(): void {
    this.#writer.keyframe(this.session.lastEvent, encodeKeyframe(this.session.engine.snapshot()));
  }

  #do(step: Step): Trouble | null {
    switch (step.form) {
      case "call":
        return this.#call(step);
      case "deliver":
        return this.#deliver(step);
      case "return":
        return this.#return(step);
    }
  }

  #call({ plan, side, ins: chosen, inside }: Extract<Step, { form: "call" }>): Trouble | null {
    const ins = this.#now(chosen);
    const callback = inside < 0 ? undefined : this.running.get(inside);
    if (ins === null || (inside >= 0 && callback === undefined)) return null;
    const { engine } = this.session;
    const before = this.#steps % this.#snapshotEvery === 0 ? engine.snapshot() : null;
    const insideCallback = callback?.event ?? 0;
    const first = this.events.length;
    const { event, answer } = this.session.call({ plan, side, actor: side, ins, insideCallback, site: null });
    if (answer === null && !this.events.some((each, index) => index >= first && each.of === event)) {
      if (insideCallback !== 0) this.#waitsInside.set(event, insideCallback);
    }
    if (answer === null || before === null || hasSucceeded(answer.outcome)) return null;
    return this.#unchanged(plan.name, { before, outcome: answer.outcome });
  }

  /** A call that failed or was refused leaves everything as it was. */
  #unchanged(
    name: string,
    { before, outcome }: { readonly before: Snapshot; readonly outcome: Outcome },
  ): Trouble | null {
    if (mayChangeThough(name, outcome)) return null;
    const difference = differenceOf(before, this.session.engine.snapshot(), NOT_COMPARED);
    if (difference === null) return null;
    const what = outcome.form === "status" ? `status 0x${outcome.status.toString(16)}` : "refused";
    return { check: "a failed call changes nothing", message: `${name}, ${what}: state${difference}` };
  }

  #deliver({ place, name, subject }: Extract<Step, { form: "deliver" }>): null {
    const now = subject === null ? null : this.#now([subject])?.[0] ?? null;
    const pending = this.session.deliverable().find((each) =>
      each.name === name && (subject === null || isSame(each.ins[0], now))
    );
    if (pending !== undefined) this.running.set(place, this.session.deliver(pending, pending.side));
    return null;
  }

  #return({ of, outcome, outs: chosen }: Extract<Step, { form: "return" }>): null {
    const callback = this.running.get(of);
    const outs = this.#now(chosen);
    if (callback === undefined || outs === null || this.isBlockedIn(callback.event)) return null;
    this.running.delete(of);
    this.session.finish(callback.event, { outcome, outs, actor: callback.callback.side });
    return null;
  }

  #now(values: readonly Value[]): readonly Value[] | null {
    return this.#names === null ? values : this.#names.values(values);
  }

  #learn({ place }: Step, events: readonly TraceEvent[]): void {
    const [event] = events;
    if (event === undefined) return;
    const returned = event.outcome?.form === "value" ? [event.outcome.value] : [];
    const seen = event.kind === "callback" ? event.ins : event.kind === "return" ? [] : [...event.outs, ...returned];
    const brought = refsIn([...seen]);
    if (brought.length === 0) return;
    this.made.set(place, brought);
    this.#names?.learn(place, brought);
  }

  #take(event: TraceEvent): void {
    this.events.push(event);
    this.#writer.event(event);
    this.#watcher.event(event);
  }

  #check(): Trouble | null {
    const isSlow = this.#names !== null || this.#steps % SLOW_EVERY === 0;
    const trouble = this.#watcher.check(this.session.engine.world, { isSlow });
    if (trouble !== null) return trouble;
    const missed = this.session.engine.missedWakes();
    if (missed.length > 0) return { check: "noWakeIsMissed", message: `call @${missed[0]} would return` };
    const isDue = this.#names === null ? this.#steps % RESTORE_EVERY === 0 : this.#snapshotEvery === 1;
    return isDue ? this.#restored() : null;
  }

  /** A snapshot restored is the same snapshot. */
  #restored(): Trouble | null {
    const snapshot = this.session.engine.snapshot();
    const difference = differenceOf(snapshot, Engine.restore(snapshot).snapshot());
    return difference === null ? null : { check: "snapshot, restore, snapshot", message: `state${difference}` };
  }
}

function isSame(value: Value | undefined, other: Value): boolean {
  return isRef(value) && isRef(other) && !isArray(other) && value.kind === other.kind && value.number === other.number;
}

/** The header of a simulated run. */
export function headerFor(options: ModelOptions): TraceHeader {
  return {
    tool: "maptrail",
    toolVersion: "",
    maker: "engine",
    engineVersion: 1,
    options,
    program: { name: "simulation", kind: "module", args: [] },
    seed: 0,
    sites: "off",
    memory: "digest",
    wallClock: false,
    startedAt: "",
    capabilities: [],
    losses: [],
    startsAfter: 0,
    leftOut: [],
    selection: null,
  };
}
