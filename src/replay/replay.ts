// Replays a trace on a fresh engine: its inputs are fed again, everything that the engine makes is compared with what was recorded.
// Stops at the first divergence. What the model cannot make (events seen in a capture) is counted, never guessed.

import { isRef, type ModelOptions, printObject, type Ref, refsIn, sameObject, type Value, VOID } from "../api/mod.ts";
import { Session } from "../driver/mod.ts";
import { Engine, isSnapshot, type Snapshot } from "../engine/mod.ts";
import { decodeKeyframe, type EventSink, type Keyframe, type Trace, type TraceEvent } from "../trace/mod.ts";
import { compareEvents, type FieldDifference } from "./compare.ts";
import { RecordedObjects } from "./recorded_objects.ts";
import { describeObject } from "./describe.ts";

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
 * these shows at the first answer that depends on it. `TypeError` where a keyframe is no state of this engine.
 */
export function replay(trace: Trace, options: ReplayOptions = {}): ReplayResult {
  const isOther = options.options !== undefined && !sameOptions(options.options, trace.header.options);
  const start = options.from === undefined || isOther ? null : keyframeBefore(trace, options.from);
  return new Replayer(trace, options, start).run();
}

function sameOptions(one: ModelOptions, other: ModelOptions): boolean {
  const others = new Map<string, string>(Object.entries(other));
  return Object.entries<string>(one).every(([name, value]) => others.get(name) === value);
}

function keyframeBefore(trace: Trace, event: number): Keyframe | null {
  let best: Keyframe | null = null;
  for (const keyframe of trace.keyframes()) if (keyframe.event < event) best = keyframe;
  return best;
}

function snapshotOf(keyframe: Keyframe): Snapshot {
  const state = decodeKeyframe(keyframe.state);
  if (!isSnapshot(state)) {
    throw new TypeError(`Cannot replay from the keyframe after @${keyframe.event}: it is no state of this engine`);
  }
  return state;
}

class Replayer implements EventSink {
  readonly #trace: Trace;
  readonly #options: ReplayOptions;
  readonly #session: Session;
  readonly #made: TraceEvent[] = [];
  readonly #skipped = new Map<string, number>();
  readonly #recorded: RecordedObjects;
  readonly #startedAfter: number;
  #calls = 0;
  #events = 0;

  constructor(trace: Trace, options: ReplayOptions, start: Keyframe | null) {
    this.#trace = trace;
    this.#options = options;
    this.#startedAfter = start?.event ?? 0;
    this.#recorded = new RecordedObjects({ after: this.#startedAfter });
    const engine = start === null
      ? new Engine(options.options ?? trace.header.options)
      : Engine.restore(snapshotOf(start));
    this.#session = new Session({ engine, sink: this, memory: trace.header.memory, resumeAfter: this.#startedAfter });
  }

  event(event: TraceEvent): void {
    this.#made.push(event);
  }

  run(): ReplayResult {
    const { to = Infinity, onProgress } = this.#options;
    let expected = this.#startedAfter + 1;
    for (const event of this.#trace.events({ from: expected, to })) {
      if (event.event !== expected) return this.#result(null, lostText(expected, event.event - 1));
      expected += 1;
      this.#events += 1;
      if ((this.#events & 0xffff) === 0) onProgress?.(event.event);
      const divergence = this.#step(event);
      if (divergence !== null) return this.#result(divergence, "");
      this.#recorded.take(event);
    }
    const last = Math.min(this.#trace.eventCount, to);
    if (expected <= last) return this.#result(null, lostText(expected, last));
    const extra = this.#trace.complete && to === Infinity ? this.#made[0] : undefined;
    return this.#result(extra === undefined ? null : this.#extra(extra), "");
  }

  #step(event: TraceEvent): Divergence | null {
    if (event.kind === "leave" || event.kind === "memory") return this.#check(event);
    const [extra] = this.#made;
    if (extra !== undefined) {
      return this.#diverge(event, { field: "kind", recorded: labelOf(event), replayed: labelOf(extra) });
    }
    if (event.kind === "note" || event.plan?.declaration.observes !== undefined) return this.#skip(event);
    const trouble = this.#feed(event);
    return trouble === null ? this.#check(event) : this.#diverge(event, trouble);
  }

  #skip(event: TraceEvent): null {
    this.#session.skip();
    if (event.plan !== null) this.#skipped.set(event.plan.name, (this.#skipped.get(event.plan.name) ?? 0) + 1);
    return null;
  }

  #feed(event: TraceEvent): FieldDifference | null {
    const { plan, side, actor, ins, cause } = event;
    if (plan === null) return null;
    if (event.kind === "callback") return this.#deliver(event);
    if (event.kind === "return") return this.#finish(event);
    if (cause !== 0 && !this.#session.isInside(cause)) {
      return { field: "cause", recorded: `a call inside @${cause}`, replayed: "no callback is running there" };
    }
    this.#calls += 1;
    this.#session.call({ plan, side, actor, ins, insideCallback: cause, site: null });
    return null;
  }

  #finish({ of, outcome, actor }: TraceEvent): FieldDifference | null {
    if (!this.#session.isInside(of)) {
      return { field: "of", recorded: `a return from @${of}`, replayed: "no callback is running there" };
    }
    this.#session.finish(of, { outcome: outcome ?? VOID, actor });
    return null;
  }

  #deliver(event: TraceEvent): FieldDifference | null {
    const wanted = event.plan?.name ?? "";
    const deliverable = this.#session.deliverable();
    const pending = deliverable.find(({ name, ins }) => name === wanted && isSameChannel(ins[0], event.ins[0]));
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

  #check(event: TraceEvent): Divergence | null {
    const isCompared = this.#options.compares?.(event) ?? true;
    const made = this.#made.shift();
    if (made === undefined) {
      return this.#diverge(event, { field: "kind", recorded: labelOf(event), replayed: "nothing" });
    }
    const difference = compareEvents(event, made, { exactHandles: this.#trace.header.maker === "engine" });
    if (difference === null || (!isCompared && event.kind === made.kind)) return null;
    return this.#diverge(event, difference);
  }

  #extra(made: TraceEvent): Divergence {
    return this.#diverge(made, { field: "kind", recorded: "the end of the trace", replayed: labelOf(made) });
  }

  #diverge(event: TraceEvent, { field, recorded, replayed }: FieldDifference): Divergence {
    const call = event.plan?.name ?? event.kind;
    const objects = refsOf(event).map((ref) => ({
      object: printObject(ref),
      recorded: this.#recorded.describe(ref),
      replayed: describeObject(this.#session.engine.world, ref),
    }));
    const message =
      `@${event.event} ${event.side} ${call}: ${field} was recorded as ${recorded}, replayed as ${replayed}`;
    return { event: event.event, call, field, recorded, replayed, message, objects };
  }

  #result(divergence: Divergence | null, stoppedEarly: string): ReplayResult {
    return {
      events: this.#events,
      callsReplayed: this.#calls,
      skipped: Object.fromEntries(this.#skipped),
      divergence,
      stoppedEarly,
      startedAfter: this.#startedAfter,
    };
  }
}

function lostText(first: number, last: number): string {
  return first === last ? `event @${first} is lost` : `events @${first} to @${last} are lost`;
}

function labelOf({ kind, side, plan, of }: TraceEvent): string {
  return `${kind} ${side}${plan === null ? "" : ` ${plan.name}`}${of === 0 ? "" : ` of @${of}`}`;
}

function isSameChannel(left: Value | undefined, right: Value | undefined): boolean {
  return isRef(left) && isRef(right) && sameObject(left, right);
}

/** The objects that an event names, each once. */
function refsOf({ ins, outs, outcome }: TraceEvent): readonly Ref[] {
  const values = outcome?.form === "value" ? [...ins, ...outs, outcome.value] : [...ins, ...outs];
  return [...new Map(refsIn(values).map((ref) => [printObject(ref), ref])).values()];
}
