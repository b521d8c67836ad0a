// Replays a trace on a fresh engine: its inputs are fed again, everything that the engine makes is compared with what was recorded.
// Stops at the first divergence. What the model cannot make (events seen in a capture) is counted, never guessed.

import {
  ByPlan,
  type CallPlan,
  isRef,
  type ModelOptions,
  planOf,
  printObject,
  type Ref,
  refsIn,
  sameObject,
  VOID,
} from "../api/mod.ts";
import { type Answer, type CallRequest, Session } from "../driver/mod.ts";
import { Engine, isSnapshot } from "../engine/mod.ts";
import {
  decodeKeyframe,
  type EventSink,
  type EventView,
  type Keyframe,
  type Trace,
  type TraceEvent,
  viewEvents,
} from "../trace/mod.ts";
import { WireError } from "../wire/mod.ts";
import { answersAlike, areAlike, compareEvents, type FieldDifference } from "./compare.ts";
import { describeObject } from "./describe.ts";
import { ownPlan } from "./own_plan.ts";
import { describeRecorded } from "./recorded_objects.ts";

/** How to replay. */
export interface ReplayOptions {
  /** Options of the model; left out: the trace's own. */
  readonly options?: ModelOptions;
  /** Replays only from the last keyframe before this event; left out, or with other options than the trace's: from the start. */
  readonly from?: number;
  /** The last event to replay. */
  readonly to?: number;
  /** Asked of each event in turn: what differs in one that is not compared is passed over, as long as the run goes on alike. */
  readonly compares?: (event: TraceEvent) => boolean;
  readonly onProgress?: (event: number) => void;
}

/** The first place where the replay differs from the trace. */
export interface Divergence {
  readonly event: number;
  /** The call, callback or kind of event. */
  readonly call: string;
  /** `result`, `outs.Mdl`, `memory.digest`, `callback`, `kind`, … */
  readonly field: string;
  readonly recorded: string;
  readonly replayed: string;
  readonly message: string;
  /** The objects that the event names: what the trace says of each, and what the engine has. */
  readonly objects: readonly { readonly object: string; readonly recorded: string; readonly replayed: string }[];
}

/** What a replay came to. */
export interface ReplayResult {
  /** Events looked at. */
  readonly events: number;
  readonly callsReplayed: number;
  /** Events that the model cannot make, by name. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly divergence: Divergence | null;
  /** Why the replay ended before the trace did; empty where it did not. */
  readonly stoppedEarly: string;
  /** The keyframe event that the replay began after, 0: the start. */
  readonly startedAfter: number;
}

/**
 * Replays a trace up to the first event that the engine makes otherwise. What a driver decided is fed again and cannot
 * differ by itself: arguments, side and cause of a call, which callback runs when, what a callback returned. A change of
 * these shows at the first answer that depends on it. A keyframe that is no state of this engine is none: the one before
 * it, or the start, serves.
 */
export function replay(trace: Trace, options: ReplayOptions = {}): ReplayResult {
  const isOther = options.options !== undefined && !sameOptions(options.options, trace.header.options);
  const { startsAfter, leftOut } = trace.header;
  const from = startsAfter === 0 ? options.from : Math.max(startsAfter + 1, options.from ?? 0);
  const start = from === undefined || isOther || leftOut.length > 0 ? null : startBefore(trace, from);
  if (leftOut.length > 0) {
    return notReplayed(`${leftOut.join("; ")}: left out when it was recorded, and replay needs all`);
  }
  if (startsAfter > 0 && isOther) return notReplayed("it begins with a state that was made under its own options");
  if (startsAfter > 0 && start === null) {
    return notReplayed(`the state after @${startsAfter}, where it begins, is lost or of another engine`);
  }
  return new Replayer(trace, options, start).run();
}

/** The result for a trace that does not hold what a replay begins with. */
function notReplayed(why: string): ReplayResult {
  return { events: 0, callsReplayed: 0, skipped: {}, divergence: null, stoppedEarly: why, startedAfter: 0 };
}

function sameOptions(one: ModelOptions, other: ModelOptions): boolean {
  const others = new Map<string, string>(Object.entries(other));
  return Object.entries<string>(one).every(([name, value]) => others.get(name) === value);
}

/** Where a replay begins behind the start: the event, and the engine as it was then. */
interface Start {
  readonly event: number;
  readonly engine: Engine;
}

/** The last keyframe before an event that an engine can be made of. */
function startBefore(trace: Trace, event: number): Start | null {
  for (let keyframe = keyframeBefore(trace, event); keyframe !== null;) {
    const engine = restored(keyframe);
    if (engine !== null) return { event: keyframe.event, engine };
    keyframe = keyframeBefore(trace, keyframe.event);
  }
  return null;
}

function keyframeBefore(trace: Trace, event: number): Keyframe | null {
  let best: Keyframe | null = null;
  for (const keyframe of trace.keyframes()) if (keyframe.event < event) best = keyframe;
  return best;
}

/** Null for bytes that are no state of this engine, or of none that holds together: a right checksum does not say that they are. */
function restored(keyframe: Keyframe): Engine | null {
  try {
    const state = decodeKeyframe(keyframe.state, keyframe.storedBytes);
    return isSnapshot(state) ? Engine.restore(state) : null;
  } catch (error) {
    if (error instanceof WireError || error instanceof RangeError || error instanceof TypeError) return null;
    throw error;
  }
}

/** Feeds a session the recorded inputs, and is its sink: what the session makes meets what was recorded. */
class Replayer implements EventSink {
  readonly #trace: Trace;
  readonly #options: ReplayOptions;
  readonly #session: Session;
  readonly #exactHandles: boolean;
  /** The call that is fed, and whether it answered as it was recorded: then it has no event. */
  #fed: EventView | null = null;
  #isAlike = false;
  /** What the session is told of a call, the same object each time. */
  readonly #request: { -readonly [M in keyof CallRequest]-?: CallRequest[M] } = {
    plan: planOf("AdvanceTime"),
    side: "",
    actor: "",
    ins: [],
    insideCallback: 0,
    site: null,
    recorded: [],
  };
  /** What the input that was fed last became. */
  #answer: TraceEvent | null = null;
  /** What it made besides; the first `#met` of them have met their recorded events. */
  readonly #outputs: TraceEvent[] = [];
  #met = 0;
  /** This version's declarations of the trace's calls; null: its engine has no such call. */
  readonly #ownPlans = new ByPlan(ownPlan);
  readonly #skipped = new Map<string, number>();
  readonly #startedAfter: number;
  #calls = 0;
  #events = 0;
  #divergence: Divergence | null = null;
  #stoppedEarly = "";

  constructor(trace: Trace, options: ReplayOptions, start: Start | null) {
    this.#trace = trace;
    this.#options = options;
    this.#exactHandles = trace.header.maker === "engine";
    this.#startedAfter = start?.event ?? 0;
    const engine = start?.engine ?? new Engine(options.options ?? trace.header.options);
    this.#session = new Session({
      engine,
      sink: this,
      memory: trace.header.memory,
      isKnown: (answer) => this.#isKnown(answer),
      resumeAfter: this.#startedAfter,
    });
  }

  event(event: TraceEvent): void {
    if (this.#answer === null && !this.#isAlike) this.#answer = event;
    else this.#outputs.push(event);
  }

  run(): ReplayResult {
    const { to = Infinity } = this.#options;
    this.#walk(to);
    if (this.#divergence === null && this.#stoppedEarly === "") this.#end(to);
    return {
      events: this.#events,
      callsReplayed: this.#calls,
      skipped: Object.fromEntries(this.#skipped),
      divergence: this.#divergence,
      stoppedEarly: this.#stoppedEarly,
      startedAfter: this.#startedAfter,
    };
  }

  /** A state that a file gave may hold together and be none that a run comes to: an engine that fails on it says so. */
  #walk(to: number): void {
    try {
      viewEvents(this.#trace, (event) => this.#visit(event), { from: this.#startedAfter + 1, to });
    } catch (error) {
      if (this.#startedAfter === 0 || !(error instanceof Error)) throw error;
      const place = `@${this.#startedAfter + this.#events}`;
      this.#stoppedEarly = `the engine fails at ${place} on the state after @${this.#startedAfter}: ${error.message}`;
    }
  }

  /** False ends the walk. */
  #visit(event: EventView): boolean {
    const expected = this.#startedAfter + this.#events + 1;
    if (event.event !== expected) {
      this.#stoppedEarly = lostText(expected, event.event - 1);
      return false;
    }
    this.#events += 1;
    if ((this.#events & 0xffff) === 0) this.#options.onProgress?.(event.event);
    this.#divergence = this.#step(event);
    return this.#divergence === null && this.#stoppedEarly === "";
  }

  /** Behind the last event: some may be lost there, and a trace that is whole holds everything that was made. */
  #end(to: number): void {
    const expected = this.#startedAfter + this.#events + 1;
    const last = Math.min(this.#trace.eventCount, to);
    const extra = this.#outputs[this.#met];
    if (expected <= last) this.#stoppedEarly = lostText(expected, last);
    else if (extra !== undefined && this.#trace.complete && to === Infinity) {
      this.#divergence = this.#diverge(extra, {
        field: "kind",
        recorded: "the end of the trace",
        replayed: labelOf(extra),
      });
    }
  }

  #step(event: EventView): Divergence | null {
    if (this.#isOutput(event)) return this.#check(event.keep(), this.#nextOutput());
    const extra = this.#outputs[this.#met];
    if (extra !== undefined) {
      return this.#diverge(event.keep(), { field: "kind", recorded: labelOf(event), replayed: labelOf(extra) });
    }
    if (event.plan === null || isObserved(event.plan)) return this.#skip(event);
    const plan = this.#ownPlans.of(event.plan);
    if (plan === null) return this.#stop(event);
    this.#answer = null;
    this.#isAlike = false;
    const trouble = this.#feed(event, plan);
    if (this.#isAlike) return null;
    return trouble === null ? this.#check(event.keep(), this.#answer) : this.#diverge(event.keep(), trouble);
  }

  /** Most calls answer what was recorded, and what they were given is what was recorded: nothing is made of them. */
  #isKnown(answer: Answer | null): boolean {
    const fed = this.#fed;
    this.#fed = null;
    this.#isAlike = fed !== null && fed.timeNs === this.#session.engine.world.timeNs && answersAlike(fed, answer);
    return this.#isAlike;
  }

  /** What an input made: never fed. Messages of another system have no input that would make them. */
  #isOutput({ kind, plan }: EventView): boolean {
    return kind === "leave" || kind === "memory" || (plan?.level === "wire" && this.#trace.header.maker === "engine");
  }

  #nextOutput(): TraceEvent | null {
    const output = this.#outputs[this.#met];
    if (output === undefined) return null;
    this.#met += 1;
    if (this.#met === this.#outputs.length) {
      this.#outputs.length = 0;
      this.#met = 0;
    }
    return output;
  }

  #stop(event: EventView): null {
    this.#events -= 1;
    this.#stoppedEarly =
      `@${event.event} ${event.plan?.name}: this version has no call of that name and these parameters`;
    return null;
  }

  #skip(event: EventView): null {
    this.#session.skip();
    if (event.plan !== null) this.#skipped.set(event.plan.name, (this.#skipped.get(event.plan.name) ?? 0) + 1);
    return null;
  }

  #feed(event: EventView, plan: CallPlan): FieldDifference | null {
    const { kind, cause } = event;
    if (kind === "callback") return this.#deliver(event);
    if (kind === "return") return this.#finish(event);
    if (cause !== 0 && !this.#session.isInside(cause)) {
      return { field: "cause", recorded: `a call inside @${cause}`, replayed: "no callback is running there" };
    }
    this.#calls += 1;
    this.#fed = event;
    const request = this.#request;
    request.plan = plan;
    request.side = event.side;
    request.actor = event.actor;
    request.ins = event.ins;
    request.insideCallback = cause;
    request.recorded = event.outs;
    this.#session.call(request);
    return null;
  }

  #finish({ of, outcome, outs, actor }: EventView): FieldDifference | null {
    if (!this.#session.isInside(of)) {
      return { field: "of", recorded: `a return from @${of}`, replayed: "no callback is running there" };
    }
    this.#session.finish(of, { outcome: outcome ?? VOID, outs, actor });
    return null;
  }

  #deliver(event: EventView): FieldDifference | null {
    const wanted = event.plan?.name ?? "";
    const deliverable = this.#session.deliverable();
    const pending = deliverable.find((each) => each.name === wanted && isThat(each, event));
    if (pending !== undefined) {
      this.#session.deliver(pending, event.actor);
      return null;
    }
    const others = deliverable.map(({ name, side, channel }) => `${side} ${name} of channel#${channel}`);
    return {
      field: "callback",
      recorded: labelOf(event),
      replayed: others.length === 0 ? "no callback" : others.join(", "),
    };
  }

  #check(event: TraceEvent, made: TraceEvent | null): Divergence | null {
    const { compares } = this.#options;
    const isCompared = compares === undefined || compares(event);
    if (made === null) {
      return this.#diverge(event, { field: "kind", recorded: labelOf(event), replayed: "nothing" });
    }
    if (areAlike(event, made)) return null;
    const difference = compareEvents(event, made, { exactHandles: this.#exactHandles });
    if (difference === null || (!isCompared && event.kind === made.kind)) return null;
    return this.#diverge(event, difference);
  }

  #diverge(event: TraceEvent, { field, recorded, replayed }: FieldDifference): Divergence {
    const call = event.plan?.name ?? event.kind;
    const refs = refsOf(event);
    const told = describeRecorded(this.#trace, { refs, after: this.#startedAfter, before: event.event });
    const objects = refs.map((ref, index) => ({
      object: printObject(ref),
      recorded: told[index] ?? "",
      replayed: describeObject(this.#session.engine.world, ref),
    }));
    const message =
      `@${event.event} ${event.side} ${call}: ${field} was recorded as ${recorded}, replayed as ${replayed}`;
    return { event: event.event, call, field, recorded, replayed, message, objects };
  }
}

/** What a capture saw another system do. */
function isObserved({ declaration, level }: CallPlan): boolean {
  return declaration.observes !== undefined || level === "wire";
}

function lostText(first: number, last: number): string {
  return first === last ? `event @${first} is lost` : `events @${first} to @${last} are lost`;
}

function labelOf({ kind, side, plan, of }: Pick<TraceEvent, "kind" | "side" | "plan" | "of">): string {
  return `${kind} ${side}${plan === null ? "" : ` ${plan.name}`}${of === 0 ? "" : ` of @${of}`}`;
}

/** A callback is known by the object that it is about; one about none by what made it. */
function isThat(due: Pick<TraceEvent, "cause" | "ins">, { cause, ins }: Pick<TraceEvent, "cause" | "ins">): boolean {
  const [left, right] = [due.ins[0], ins[0]];
  return isRef(left) ? isRef(right) && sameObject(left, right) : !isRef(right) && due.cause === cause;
}

/** The objects that an event names, each once. */
function refsOf({ ins, outs, outcome }: TraceEvent): readonly Ref[] {
  const values = outcome?.form === "value" ? [...ins, ...outs, outcome.value] : [...ins, ...outs];
  return [...new Map(refsIn(values).map((ref) => [printObject(ref), ref])).values()];
}
