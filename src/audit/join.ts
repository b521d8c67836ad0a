// Walks a trace and joins what belongs together: enter with leave, callback with return.
// It must not know any rule, nor what a call does.

import {
  type CallPlan,
  type CallValues,
  hasSucceeded,
  isRef,
  type Operand,
  type Outcome,
  type Ref,
  type Value,
} from "../api/mod.ts";
import { type EventKind, type Site, type Trace, type TraceEvent, visitEvents } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { type PlanShape, shapeOf } from "./plan_shape.ts";

/** What a walk tells, in the order of the trace, and what it has to tell. */
export interface Walker {
  /** Whether calls of this shape matter; what does not may never be read. */
  hears(shape: PlanShape): boolean;
  hearsCallback(plan: CallPlan): boolean;
  readonly hearsMemory: boolean;
  called(call: JoinedCall): void;
  returned(call: JoinedCall): void;
  callback(event: TraceEvent): void;
  callbackReturned(callback: TraceEvent, returned: TraceEvent): void;
  memory(event: TraceEvent): void;
}

/** A call of the trace; it waits until `answer`. It holds its events, so that making one costs next to nothing. */
export class JoinedCall implements CallView {
  readonly plan: CallPlan;
  readonly shape: PlanShape;
  readonly insideCallback: number;
  succeeded = false;
  readonly #began: TraceEvent;
  #returned: TraceEvent | null = null;

  constructor(began: TraceEvent, plan: CallPlan, insideCallback: number, shape: PlanShape = shapeOf(plan)) {
    this.#began = began;
    this.plan = plan;
    this.shape = shape;
    this.insideCallback = insideCallback;
  }

  get event(): number {
    return this.#began.event;
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

  get returnedAt(): number {
    return this.#returned === null ? 0 : this.#returned.event;
  }

  get outs(): readonly Value[] {
    return this.#returned === null ? NONE : this.#returned.outs;
  }

  get outcome(): Outcome | null {
    return this.#returned === null ? null : this.#returned.outcome;
  }

  /** Takes what its call or leave event says. */
  answer(returned: TraceEvent): void {
    this.#returned = returned;
    this.succeeded = hasSucceeded(returned.outcome);
  }

  in(word: string): Value | undefined {
    const index = this.shape.in(word);
    return index < 0 ? undefined : this.ins[index] ?? null;
  }

  out(word: string): Value | undefined {
    const { outcome } = this;
    if (outcome === null) return undefined;
    const returned = outcome.form === "value" ? outcome.value : undefined;
    if (word === "return") return returned;
    const index = this.shape.out(word);
    if (index >= 0) return this.outs[index];
    return this.plan.returned?.word === word ? returned : undefined;
  }

  object(kind: string): Ref | null {
    return this.objectAt(this.shape.object(kind));
  }

  objectAt(place: number): Ref | null {
    if (place < 0) return null;
    const value = this.ins[place];
    return isRef(value) ? value : null;
  }

  numberAt(place: number): number {
    if (place < 0) return 0;
    const value = this.ins[place];
    if (typeof value === "number") return value;
    return typeof value === "bigint" ? Number(value) : 0;
  }
}

const NONE: readonly Value[] = [];

/** The object that an operand of a call's effect holds, where it holds one by itself; null: none, or in a list or structure. */
export function operandRef({ ins, outs, outcome }: CallValues, { from, index }: Operand): Ref | null {
  const value = from === "in"
    ? ins[index]
    : from === "out"
    ? outs[index]
    : outcome?.form === "value"
    ? outcome.value
    : undefined;
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
  visitEvents(trace, (event) => {
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
  /** The newest call's: calls come in runs. */
  #plan: CallPlan | null = null;
  #shape: PlanShape | undefined;

  constructor(walker: Walker) {
    this.#walker = walker;
  }

  take(event: TraceEvent): void {
    const { kind, plan } = event;
    if (kind === "call") {
      if (plan !== null) this.#call(event, plan);
    } else if (kind === "memory") this.#walker.memory(event);
    else if (plan !== null) this.#part(event, plan);
  }

  #part(event: TraceEvent, plan: CallPlan): void {
    switch (event.kind) {
      case "enter":
        return this.#enter(event, plan);
      case "leave":
        return this.#leave(event);
      case "callback":
        this.#running.set(event.event, event);
        return this.#walker.callback(event);
      case "return":
        return this.#return(event);
    }
  }

  #call(event: TraceEvent, plan: CallPlan): void {
    if (plan !== this.#plan) {
      this.#plan = plan;
      this.#shape = shapeOf(plan);
    }
    const call = new JoinedCall(event, plan, this.#inside(event), this.#shape);
    call.answer(event);
    this.#walker.called(call);
    this.#walker.returned(call);
  }

  #enter(event: TraceEvent, plan: CallPlan): void {
    const call = new JoinedCall(event, plan, this.#inside(event));
    this.#waiting.set(event.event, call);
    this.#walker.called(call);
  }

  #inside({ cause }: TraceEvent): number {
    return cause !== 0 && this.#running.has(cause) ? cause : 0;
  }

  #leave(event: TraceEvent): void {
    const call = this.#waiting.get(event.of);
    if (call === undefined) return;
    this.#waiting.delete(event.of);
    call.answer(event);
    this.#walker.returned(call);
  }

  #return(event: TraceEvent): void {
    const callback = this.#running.get(event.of);
    if (callback === undefined) return;
    this.#running.delete(event.of);
    this.#walker.callbackReturned(callback, event);
  }
}
