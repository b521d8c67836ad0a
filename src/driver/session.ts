// One run of the engine as numbered events: inputs go in, the sink gets every event in order.
// Programs, scenarios and replays all drive a session; it knows none of them, and nothing of clocks or files.

import { type CallPlan, findPlan, type Outcome, type Value, VOID } from "../api/mod.ts";
import { Engine, type GivenArgs, type Output, type PendingCallback } from "../engine/mod.ts";
import type { EventSink, MemoryMode, Site, TraceEvent } from "../trace/mod.ts";
import { crc32 } from "../wire/mod.ts";

/** What a session runs on. */
export interface SessionOptions {
  readonly engine: Engine;
  readonly sink: EventSink;
  readonly memory: MemoryMode;
  /** Wall time since the run began in nanoseconds; left out: 0. */
  readonly wallNs?: () => number;
  /** Told the newest event before each input: the engine's state is then that after it, with nothing under way. */
  readonly onBoundary?: (lastEvent: number) => void;
  /**
   * Asked of each call that was made, null: it waits. True: its event is known already, and the sink is not told of it;
   * what else the call made, it is told all the same.
   */
  readonly isKnown?: (answer: Answer | null) => boolean;
  /** The event of the keyframe that the engine was restored from: numbers go on after it. */
  readonly resumeAfter?: number;
}

/** A call to make. */
export interface CallRequest {
  readonly plan: CallPlan;
  readonly side: string;
  readonly actor: string;
  /** Canonical values, as `bind` makes them. */
  readonly ins: readonly Value[];
  /** The callback event that the call is made in, 0: none. */
  readonly insideCallback: number;
  readonly site: Site | null;
  /** What the call answered in the trace that is replayed; left out: it is not replayed. */
  readonly recorded?: readonly Value[];
}

/** What became of a call. */
export interface CallTicket {
  readonly event: number;
  /** Null: it waits, `onLeave` will say. */
  readonly answer: Answer | null;
}

/** What a call answered. */
export interface Answer {
  readonly outcome: Outcome;
  readonly outs: readonly Value[];
}

/** What a driver returned from a callback. */
export interface CallbackEnd {
  readonly outcome: Outcome;
  /** Values of `plan.outs`; left out: the callback gives nothing back. */
  readonly outs?: readonly Value[];
  readonly actor: string;
}

/** A callback that runs. */
export interface RunningCallback {
  readonly event: number;
  readonly plan: CallPlan;
  readonly callback: PendingCallback;
}

/** What an event says beside its number, its level, its times and what most have none of. */
type Made = Pick<TraceEvent, "kind" | "plan" | "side" | "actor" | "cause"> & Partial<TraceEvent>;

const NO_VALUES: readonly Value[] = [];

interface Waiting {
  readonly plan: CallPlan;
  readonly side: string;
  readonly actor: string;
}

/** A run of the engine. */
export class Session {
  readonly engine: Engine;
  /** Told of each call that returned after it waited. */
  onLeave: (event: number, answer: Answer) => void = () => {};
  readonly #sink: EventSink;
  readonly #memory: MemoryMode;
  readonly #wallNs: () => number;
  readonly #onBoundary: ((lastEvent: number) => void) | null;
  readonly #isKnown: ((answer: Answer | null) => boolean) | null;
  readonly #waiting = new Map<number, Waiting>();
  readonly #running = new Map<number, RunningCallback>();
  #lastEvent = 0;

  constructor({ engine, sink, memory, wallNs, onBoundary, isKnown, resumeAfter }: SessionOptions) {
    this.engine = engine;
    this.#sink = sink;
    this.#memory = memory;
    this.#wallNs = wallNs ?? (() => 0);
    this.#onBoundary = onBoundary ?? null;
    this.#isKnown = isKnown ?? null;
    this.#lastEvent = resumeAfter ?? 0;
    this.#resume();
  }

  /** The number of the newest event. */
  get lastEvent(): number {
    return this.#lastEvent;
  }

  /** Canonical values of arguments by name; `TypeError` or `RangeError`, naming the call, for what cannot be passed. */
  bind(plan: CallPlan, args: GivenArgs): Value[] {
    try {
      return this.engine.bind(plan, args);
    } catch (error) {
      throw named(plan, error);
    }
  }

  /** Makes a call. */
  call(request: CallRequest): CallTicket {
    const event = this.#begin();
    const answer = this.#make(request, event);
    if (answer === null) this.#wait(event, request);
    if (this.#isKnown !== null && this.#isKnown(answer)) this.#lastEvent = event;
    else this.#tell(request, event, answer);
    this.#emitOutputs(event);
    return { event, answer };
  }

  #make({ plan, side, ins, insideCallback, recorded }: CallRequest, event: number): Answer | null {
    const result = this.engine.call({ plan, side, ins, event, insideCallback, recorded: recorded ?? NO_VALUES });
    return result.blocked ? null : result;
  }

  #wait(event: number, { plan, side, actor }: CallRequest): void {
    this.#waiting.set(event, { plan, side, actor });
  }

  /** A call's event, written out in full: nothing is made more often. */
  #tell({ plan, side, actor, insideCallback, site, ins }: CallRequest, event: number, answer: Answer | null): void {
    this.#sink.event({
      event,
      kind: answer === null ? "enter" : "call",
      plan,
      side,
      actor,
      level: plan.level,
      cause: insideCallback,
      of: 0,
      timeNs: this.engine.world.timeNs,
      wallNs: this.#wallNs(),
      site,
      ins,
      outs: answer === null ? NO_VALUES : answer.outs,
      outcome: answer === null ? null : answer.outcome,
      memory: null,
      text: "",
    });
    // A sink that throws has not taken the event: then it has no number either.
    this.#lastEvent = event;
  }

  /** Callbacks that may run now, oldest first. */
  deliverable(): readonly PendingCallback[] {
    return this.engine.deliverable();
  }

  /** Starts a callback. */
  deliver(pending: PendingCallback, actor: string): RunningCallback {
    const plan = findPlan(pending.name);
    if (plan === undefined) throw new TypeError(`Cannot deliver ${pending.name}: it is not declared`);
    const event = this.#begin();
    const callback = this.engine.deliver(pending.id, event);
    const running = { event, plan, callback };
    this.#running.set(event, running);
    const { side, cause, ins } = callback;
    this.#emit({ kind: "callback", plan, side, actor, cause, ins });
    return running;
  }

  /** Canonical values of what a driver gives back in a callback's out parameters, by name; throws as `bind` does. */
  bindOuts(plan: CallPlan, given: GivenArgs): readonly Value[] {
    if (plan.outs.length === 0) return NO_VALUES;
    try {
      return this.engine.bindOuts(plan, given);
    } catch (error) {
      throw named(plan, error);
    }
  }

  /** Returns from a callback; `outs` are its out parameters by position. */
  finish(callbackEvent: number, { outcome, outs = NO_VALUES, actor }: CallbackEnd): void {
    const running = this.#running.get(callbackEvent);
    if (running === undefined) {
      throw new RangeError(`Cannot return from @${callbackEvent}: no callback is running there`);
    }
    this.#running.delete(callbackEvent);
    const event = this.#begin();
    this.engine.finish(callbackEvent, { event, outcome, outs });
    this.#emit({
      kind: "return",
      plan: running.plan,
      side: running.callback.side,
      actor,
      cause: callbackEvent,
      of: callbackEvent,
      outs,
      outcome,
    });
    this.#emitOutputs(event);
  }

  /** Whether a callback that began at this event has not returned. */
  isInside(callbackEvent: number): boolean {
    return this.#running.has(callbackEvent);
  }

  /** Counts an event that the engine cannot make, so that numbers stay those of the trace. */
  skip(): void {
    this.#lastEvent += 1;
  }

  /** Calls that wait and callbacks that run in a restored engine. */
  #resume(): void {
    const { parked, running } = this.engine.world;
    for (const { event, name, side } of parked) {
      const plan = findPlan(name);
      if (plan !== undefined) this.#waiting.set(event, { plan, side, actor: side });
    }
    for (const callback of running) {
      const plan = findPlan(callback.name);
      if (plan !== undefined) this.#running.set(callback.event, { event: callback.event, plan, callback });
    }
  }

  /** The number of the input that begins. */
  #begin(): number {
    if (this.#onBoundary !== null) this.#onBoundary(this.#lastEvent);
    return this.#lastEvent + 1;
  }

  #emitOutputs(input: number): void {
    const outputs = this.engine.takeOutputs();
    if (outputs.length === 0) return;
    for (const output of outputs) {
      if (output.form === "memory") this.#emitMemory(output, input);
      else if (output.form === "leave") this.#emitLeave(output, input);
      else this.#emitMessage(output, input);
    }
  }

  #emitMemory(output: Extract<Output, { form: "memory" }>, cause: number): void {
    if (this.#memory === "none") return;
    const { partition, page, offset, bytes } = output;
    const kept = this.#memory === "full" ? bytes : null;
    this.#emit({
      kind: "memory",
      plan: null,
      side: partition === "video" ? "gpu" : partition,
      actor: "memory",
      cause,
      memory: { partition, page, offset, length: bytes.length, digest: crc32(bytes), bytes: kept },
    });
  }

  #emitMessage({ name, side, ins }: Extract<Output, { form: "message" }>, cause: number): void {
    const plan = findPlan(name);
    if (plan === undefined) throw new TypeError(`Cannot send ${name}: it is not declared`);
    this.#emit({ kind: "call", plan, side, actor: "vmbus", cause, ins, outcome: VOID });
  }

  #emitLeave({ event, outcome, outs }: Extract<Output, { form: "leave" }>, cause: number): void {
    const waiting = this.#waiting.get(event);
    if (waiting === undefined) throw new RangeError(`Cannot leave @${event}: no call waits there`);
    this.#waiting.delete(event);
    this.#emit({ ...waiting, kind: "leave", cause, of: event, outs, outcome });
    this.onLeave(event, { outcome, outs });
  }

  /** An event of another kind has the same members in the same order as a call's: all have one shape. */
  #emit({ kind, plan, side, actor, cause, of = 0, ins, outs, outcome, memory }: Made): void {
    const event = this.#lastEvent + 1;
    this.#sink.event({
      event,
      kind,
      plan,
      side,
      actor,
      level: plan === null ? "machine" : plan.level,
      cause,
      of,
      timeNs: this.engine.world.timeNs,
      wallNs: this.#wallNs(),
      site: null,
      ins: ins ?? NO_VALUES,
      outs: outs ?? NO_VALUES,
      outcome: outcome ?? null,
      memory: memory ?? null,
      text: "",
    });
    this.#lastEvent = event;
  }
}

/** An error over what cannot be passed says whose it is. */
function named({ name }: CallPlan, error: unknown): unknown {
  if (error instanceof TypeError || error instanceof RangeError) error.message = `${name}: ${error.message}`;
  return error;
}
