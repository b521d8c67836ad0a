// Walks a trace and joins what belongs together: enter with leave, callback with return.
// It must not know any rule, nor what a call does.

import { type CallPlan, hasSucceeded, isRef, type Outcome, type Ref, type Value } from "../api/mod.ts";
import type { Site, Trace, TraceEvent } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { type PlanShape, shapeOf } from "./plan_shape.ts";

/** What a walk tells, in the order of the trace. */
export interface Walker {
  called(call: JoinedCall): void;
  returned(call: JoinedCall): void;
  callback(event: TraceEvent): void;
  callbackReturned(callback: TraceEvent, returned: TraceEvent): void;
  memory(event: TraceEvent): void;
}

/** A call of the trace; it waits until `answer`. */
export class JoinedCall implements CallView {
  readonly event: number;
  readonly plan: CallPlan;
  readonly shape: PlanShape;
  readonly side: string;
  readonly site: Site | null;
  readonly insideCallback: number;
  readonly ins: readonly Value[];
  returnedAt = 0;
  outs: readonly Value[] = [];
  outcome: Outcome | null = null;

  constructor(event: TraceEvent, plan: CallPlan, insideCallback: number) {
    this.event = event.event;
    this.plan = plan;
    this.shape = shapeOf(plan);
    this.side = event.side;
    this.site = event.site;
    this.insideCallback = insideCallback;
    this.ins = event.ins;
  }

  get succeeded(): boolean {
    return hasSucceeded(this.outcome);
  }

  /** Takes what its call or leave event says. */
  answer({ event, outs, outcome }: TraceEvent): void {
    this.returnedAt = event;
    this.outs = outs;
    this.outcome = outcome;
  }

  in(word: string): Value | undefined {
    const index = this.shape.in(word);
    return index < 0 ? undefined : this.ins[index] ?? null;
  }

  out(word: string): Value | undefined {
    if (this.outcome === null) return undefined;
    const returned = this.outcome.form === "value" ? this.outcome.value : undefined;
    if (word === "return") return returned;
    const index = this.shape.out(word);
    if (index >= 0) return this.outs[index];
    return this.plan.returned?.word === word ? returned : undefined;
  }

  object(kind: string): Ref | null {
    const index = this.shape.object(kind);
    const value = index < 0 ? null : this.ins[index] ?? null;
    return isRef(value) ? value : null;
  }
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
  const joiner = new Joiner(walker);
  let count = 0;
  for (const event of trace.events()) {
    joiner.take(event);
    count += 1;
    if (count % PROGRESS_EVENTS === 0) options.onProgress?.(count);
  }
  options.onProgress?.(count);
}

class Joiner {
  readonly #walker: Walker;
  readonly #waiting = new Map<number, JoinedCall>();
  readonly #running = new Map<number, TraceEvent>();

  constructor(walker: Walker) {
    this.#walker = walker;
  }

  take(event: TraceEvent): void {
    if (event.kind === "memory") return this.#walker.memory(event);
    if (event.plan === null) return;
    switch (event.kind) {
      case "call":
      case "enter":
        return this.#call(event, event.plan);
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
    const inside = this.#running.has(event.cause) ? event.cause : 0;
    const call = new JoinedCall(event, plan, inside);
    if (event.kind === "call") call.answer(event);
    else this.#waiting.set(event.event, call);
    this.#walker.called(call);
    if (event.kind === "call") this.#walker.returned(call);
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
