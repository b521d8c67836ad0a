// Walks a trace and joins what belongs together: enter with leave, callback with return.
// It must not know any rule, nor what a call does.

import {
  ByPlan,
  type CallPlan,
  hasSucceeded,
  isRef,
  type Operand,
  type Outcome,
  type Ref,
  type Value,
} from "../api/mod.ts";
import {
  type EventKind,
  type EventView,
  KeptEvent,
  type Site,
  type Trace,
  type TraceEvent,
  viewEvents,
} from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { type PlanShape, shapeOf } from "./plan_shape.ts";

/** What a walk tells, in the order of the trace, and what it has to tell. */
export interface Walker {
  /** Whether calls of this shape matter; what does not may never be read. */
  hears(shape: PlanShape): boolean;
  hearsCallback(plan: CallPlan): boolean;
  readonly hearsMemory: boolean;
  /** Takes a whole call at once; false, or left out: it is told as called and returned. */
  take?(call: JoinedCall): boolean;
  called(call: JoinedCall): void;
  returned(call: JoinedCall): void;
  callback(event: TraceEvent): void;
  callbackReturned(callback: TraceEvent, returned: TraceEvent): void;
  memory(event: TraceEvent): void;
}

/**
 * A call of the trace; it waits until `answer`. It looks at its events where the trace shows them: a whole call costs
 * nothing that nobody asks for, and is over when its walker returns. Whoever wants it later keeps it.
 */
export class JoinedCall implements CallView {
  plan: CallPlan;
  shape: PlanShape;
  insideCallback: number;
  succeeded = false;
  event: number;
  returnedAt = 0;
  channel: number;
  gpadl: number;
  #began: EventView;
  #returned: EventView | null = null;

  constructor(began: EventView, plan: CallPlan, insideCallback: number, shape: PlanShape = shapeOf(plan)) {
    this.#began = began;
    this.plan = plan;
    this.shape = shape;
    this.insideCallback = insideCallback;
    this.event = began.event;
    this.channel = this.objectNumberAt(shape.at.channel);
    this.gpadl = this.objectNumberAt(shape.at.gpadl);
  }

  /** Becomes another call, whole. */
  become(whole: EventView, plan: CallPlan, shape: PlanShape): void {
    this.#began = whole;
    this.plan = plan;
    this.shape = shape;
    this.event = whole.event;
    this.insideCallback = 0;
    const { at: { channel, gpadl } } = shape;
    this.channel = channel < 0 ? -1 : whole.inObject(channel);
    this.gpadl = gpadl < 0 ? -1 : whole.inObject(gpadl);
    this.answer(whole);
  }

  get side(): string {
    return this.#began.side;
  }

  get actor(): string {
    return this.#began.actor;
  }

  get site(): Site | null {
    return this.#began.site;
  }

  get ins(): readonly Value[] {
    return this.#began.ins;
  }

  get outs(): readonly Value[] {
    return this.#returned === null ? NONE : this.#returned.outs;
  }

  get outcome(): Outcome | null {
    return this.#returned === null ? null : this.#returned.outcome;
  }

  /** Takes what its call or leave event says. */
  answer(returned: EventView): void {
    this.#returned = returned;
    this.returnedAt = returned.event;
    this.succeeded = hasSucceeded(returned.outcome);
  }

  keep(): CallView {
    const began = this.#began.keep();
    const kept = new JoinedCall(new KeptEvent(began), this.plan, this.insideCallback, this.shape);
    if (this.#returned !== null) kept.answer(new KeptEvent(this.#returned.keep()));
    return kept;
  }

  in(word: string): Value | undefined {
    const index = this.shape.in(word);
    return index < 0 ? undefined : this.#began.inValue(index) ?? null;
  }

  out(word: string): Value | undefined {
    const { outcome } = this;
    if (outcome === null) return undefined;
    const returned = outcome.form === "value" ? outcome.value : undefined;
    if (word === "return") return returned;
    const index = this.shape.out(word);
    if (index >= 0) return this.#returned === null ? undefined : this.#returned.outValue(index);
    return this.plan.returned?.word === word ? returned : undefined;
  }

  object(kind: string): Ref | null {
    return this.objectAt(this.shape.object(kind));
  }

  objectAt(place: number): Ref | null {
    return place < 0 ? null : this.#began.inRef(place);
  }

  objectNumberAt(place: number): number {
    return place < 0 ? -1 : this.#began.inObject(place);
  }

  numberAt(place: number): number {
    return place < 0 ? 0 : this.#began.inNumber(place);
  }

  madeNumberAt(place: number): number {
    return place < 0 || this.#returned === null ? -1 : this.#returned.outObject(place);
  }

  madeHandleAt(place: number): number {
    return place < 0 || this.#returned === null ? 0 : this.#returned.outHandle(place);
  }

  madeAt(place: number): Ref | null {
    return place < 0 || this.#returned === null ? null : this.#returned.outRef(place);
  }

  answerAt(place: number): number {
    return place < 0 || this.#returned === null ? 0 : this.#returned.outNumber(place);
  }
}

const NONE: readonly Value[] = [];

/** The object that an operand of a call's effect holds, where it holds one by itself; null: none, or in a list or structure. */
export function operandRef(call: CallView, { from, index }: Operand): Ref | null {
  if (from === "in") return call.objectAt(index);
  if (from === "out") return call.madeAt(index);
  const { outcome } = call;
  const value = outcome?.form === "value" ? outcome.value : undefined;
  return isRef(value) ? value : null;
}

/** Evidence of a call. */
export function evidenceOf({ event, site, plan, side }: CallView, role: string): Evidence {
  return { event, role, site, call: plan.name, side };
}

/** Events between two reports of progress. */
const PROGRESS_EVENTS = 65536;

/** Walks a trace once; memory is bound to calls and callbacks under way. */
export function walk(
  trace: Trace,
  walker: Walker,
  options: { readonly onProgress?: (events: number) => void } = {},
): void {
  const { onProgress } = options;
  const joiner = new Joiner(walker);
  let next = PROGRESS_EVENTS;
  viewEvents(trace, (event) => {
    joiner.take(event);
    if (event.event < next) return;
    onProgress?.(event.event);
    next = event.event + PROGRESS_EVENTS;
  }, { hears: (plan, kind) => isHeard(walker, plan, kind) });
  onProgress?.(trace.eventCount);
}

function isHeard(walker: Walker, plan: CallPlan | null, kind: EventKind): boolean {
  if (kind === "memory") return walker.hearsMemory;
  if (plan === null || plan.level === "wire") return false;
  const isCallback = kind === "callback" || kind === "return";
  return isCallback ? walker.hearsCallback(plan) : walker.hears(shapeOf(plan));
}

class Joiner {
  readonly #walker: Walker;
  readonly #waiting = new Map<number, JoinedCall>();
  readonly #running = new Map<number, TraceEvent>();
  /** All whole calls, one after the other. */
  #whole: JoinedCall | null = null;
  readonly #shapes = new ByPlan(shapeOf);

  constructor(walker: Walker) {
    this.#walker = walker;
  }

  take(event: EventView): void {
    const { kind, plan } = event;
    if (kind === "call") {
      if (plan !== null) this.#call(event, plan);
    } else if (kind === "memory") this.#walker.memory(event.keep());
    else if (plan !== null) this.#part(event, plan);
  }

  #part(event: EventView, plan: CallPlan): void {
    switch (event.kind) {
      case "enter":
        return this.#enter(event, plan);
      case "leave":
        return this.#leave(event);
      case "callback": {
        const kept = event.keep();
        this.#running.set(kept.event, kept);
        return this.#walker.callback(kept);
      }
      case "return":
        return this.#return(event);
    }
  }

  #call(event: EventView, plan: CallPlan): void {
    const shape = this.#shapes.of(plan);
    const call = this.#whole ?? (this.#whole = new JoinedCall(event, plan, 0, shape));
    call.become(event, plan, shape);
    if (event.cause !== 0) call.insideCallback = this.#inside(event);
    if (this.#walker.take?.(call) === true) return;
    this.#walker.called(call);
    this.#walker.returned(call);
  }

  #enter(event: EventView, plan: CallPlan): void {
    const call = new JoinedCall(new KeptEvent(event.keep()), plan, this.#inside(event));
    this.#waiting.set(event.event, call);
    this.#walker.called(call);
  }

  #inside({ cause }: EventView): number {
    return cause !== 0 && this.#running.has(cause) ? cause : 0;
  }

  #leave(event: EventView): void {
    const call = this.#waiting.get(event.of);
    if (call === undefined) return;
    this.#waiting.delete(event.of);
    call.answer(new KeptEvent(event.keep()));
    this.#walker.returned(call);
  }

  #return(event: EventView): void {
    const callback = this.#running.get(event.of);
    if (callback === undefined) return;
    this.#running.delete(event.of);
    this.#walker.callbackReturned(callback, event.keep());
  }
}
