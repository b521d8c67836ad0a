// One run of the engine as numbered events: inputs go in, the sink gets every event in order.
// Programs, scenarios and replays all drive a session; it knows none of them, and nothing of clocks or files.

import { type CallPlan, findPlan, type Outcome, type Value } from "../api/mod.ts";
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

/** A callback that runs. */
export interface RunningCallback {
  readonly event: number;
  readonly plan: CallPlan;
  readonly callback: PendingCallback;
}

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
  readonly #onBoundary: (lastEvent: number) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #running = new Map<number, RunningCallback>();
  #lastEvent = 0;

  constructor({ engine, sink, memory, wallNs, onBoundary, resumeAfter }: SessionOptions) {
    this.engine = engine;
    this.#sink = sink;
    this.#memory = memory;
    this.#wallNs = wallNs ?? (() => 0);
    this.#onBoundary = onBoundary ?? (() => {});
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
      if (error instanceof TypeError || error instanceof RangeError) error.message = `${plan.name}: ${error.message}`;
      throw error;
    }
  }

  /** Makes a call. */
  call({ plan, side, actor, ins, insideCallback, site }: CallRequest): CallTicket {
    const event = this.#begin();
    const result = this.engine.call({ plan, side, ins, event, insideCallback });
    const answer = result.blocked ? null : { outcome: result.outcome, outs: result.outs };
    if (answer === null) this.#waiting.set(event, { plan, side, actor });
    this.#emit({
      kind: answer === null ? "enter" : "call",
      plan,
      side,
      actor,
      cause: insideCallback,
      site,
      ins,
      outs: answer?.outs ?? [],
      outcome: answer?.outcome ?? null,
    });
    this.#emitOutputs(event);
    return { event, answer };
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
    this.#emit({ kind: "callback", plan, side: callback.side, actor, cause: callback.cause, ins: callback.ins });
    return running;
  }

  /** Returns from a callback. */
  finish(callbackEvent: number, { outcome, actor }: { readonly outcome: Outcome; readonly actor: string }): void {
    const running = this.#running.get(callbackEvent);
    if (running === undefined) {
      throw new RangeError(`Cannot return from @${callbackEvent}: no callback is running there`);
    }
    this.#running.delete(callbackEvent);
    const event = this.#begin();
    this.engine.finish(callbackEvent, { event, outcome });
    this.#emit({
      kind: "return",
      plan: running.plan,
      side: running.callback.side,
      actor,
      cause: callbackEvent,
      of: callbackEvent,
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
    this.#onBoundary(this.#lastEvent);
    return this.#lastEvent + 1;
  }

  #emitOutputs(input: number): void {
    for (const output of this.engine.takeOutputs()) {
      if (output.form === "memory") this.#emitMemory(output, input);
      else this.#emitLeave(output, input);
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

  #emitLeave({ event, outcome, outs }: Extract<Output, { form: "leave" }>, cause: number): void {
    const waiting = this.#waiting.get(event);
    if (waiting === undefined) throw new RangeError(`Cannot leave @${event}: no call waits there`);
    this.#waiting.delete(event);
    this.#emit({ kind: "leave", ...waiting, cause, of: event, outs, outcome });
    this.onLeave(event, { outcome, outs });
  }

  #emit(event: Pick<TraceEvent, "kind" | "plan" | "side" | "actor"> & Partial<TraceEvent>): void {
    this.#sink.event({
      ...EMPTY,
      level: event.plan?.level ?? "machine",
      timeNs: this.engine.world.timeNs,
      wallNs: this.#wallNs(),
      ...event,
      event: this.#lastEvent + 1,
    });
    // A sink that throws has not taken the event: then it has no number either.
    this.#lastEvent += 1;
  }
}

const EMPTY = { cause: 0, of: 0, site: null, ins: [], outs: [], outcome: null, memory: null, text: "" } as const;
