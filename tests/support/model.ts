// The engine alone, with a driver of a few lines: calls by name, callbacks answered at once. For tests of behaviours.

import { type CallName, CALLS, findPlan, isRef, type Outcome, planOf, type Value } from "../../src/api/mod.ts";
import { Engine, type GivenArgs } from "../../src/engine/mod.ts";
import type { ModelOptions } from "../../src/api/mod.ts";
import { defaultOptions, parseOption } from "../../src/api/mod.ts";

/** What a call gave: outcome and outs by name (objects as handle values). */
export interface Answer {
  readonly event: number;
  readonly blocked: boolean;
  readonly outcome: Outcome | null;
  readonly status: number;
  readonly refused: string | null;
  readonly value: Value;
  readonly outs: Readonly<Record<string, Value>>;
}

/** What a handler returns: the callback's status, or that and what it gives back by name. */
export type Returned = number | void | ({ readonly status: number } & GivenArgs);

/** Called inside a callback. */
export type Handler = (
  callback: { readonly name: string; readonly side: string; readonly channel: number; readonly event: number },
) => Returned;

/** The engine with a driver for tests. */
export class Model {
  readonly engine: Engine;
  /** `side EvtName channel#N`, in the order delivered. */
  readonly callbacks: string[] = [];
  /** Leaves seen, as `@enter`. */
  readonly leaves: { readonly event: number; readonly outcome: Outcome; readonly outs: readonly Value[] }[] = [];
  /** Memory deltas seen: `partition page+offset bytes`. */
  readonly deltas: string[] = [];
  /** VMBus messages seen, with the option `wire`. */
  readonly messages: { readonly name: string; readonly side: string; readonly ins: readonly Value[] }[] = [];
  handler: Handler = () => {};
  #event = 0;
  #inside: number[] = [];

  constructor(options: Readonly<Record<string, string>> = {}) {
    const all = Object.entries(options).reduce<ModelOptions>(
      (sum, [name, value]) => parseOption(sum, name, value),
      defaultOptions(),
    );
    this.engine = new Engine(all);
  }

  /** Makes a call and runs the callbacks that it made, oldest first, unless `drain` is off. */
  call(side: string, name: CallName, args: GivenArgs = {}, drain = true): Answer {
    const plan = planOf(name);
    const event = ++this.#event;
    const result = this.engine.call({
      plan,
      side,
      ins: this.engine.bind(plan, args),
      event,
      insideCallback: this.#inside.at(-1) ?? 0,
    });
    this.#collect();
    if (drain) this.drain();
    const leave = result.blocked ? this.leaves.find((each) => each.event === event) : undefined;
    const outcome = result.blocked ? leave?.outcome ?? null : result.outcome;
    const outs = result.blocked ? leave?.outs ?? [] : result.outs;
    return {
      event,
      blocked: result.blocked && leave === undefined,
      outcome,
      status: outcome?.form === "status" ? outcome.status : -1,
      refused: outcome?.form === "refused" ? outcome.reason : null,
      value: outcome?.form === "value" ? handleOf(outcome.value) : null,
      outs: Object.fromEntries(plan.outs.map((out, index) => [out.name, handleOf(outs[index] ?? null)])),
    };
  }

  /** Delivers callbacks until none can be. */
  drain(): void {
    for (let next = this.engine.deliverable()[0]; next !== undefined; next = this.engine.deliverable()[0]) {
      this.deliver(next.id);
    }
  }

  /** Delivers one callback and returns from it. */
  deliver(id: number): void {
    const event = ++this.#event;
    const callback = this.engine.deliver(id, event);
    this.callbacks.push(`${callback.side} ${callback.name} channel#${callback.channel}`);
    this.#inside.push(event);
    const returned = this.handler({ name: callback.name, side: callback.side, channel: callback.channel, event }) ?? 0;
    this.#inside.pop();
    const { status, ...outs } = typeof returned === "number" ? { status: returned } : returned;
    const plan = findPlan(callback.name);
    const isStatus = plan?.declaration.returns === "status";
    this.engine.finish(event, {
      event: ++this.#event,
      outcome: isStatus ? { form: "status", status } : { form: "void" },
      outs: plan === undefined || plan.outs.length === 0 ? [] : this.engine.bindOuts(plan, outs),
    });
    this.#collect();
  }

  #collect(): void {
    for (const output of this.engine.takeOutputs()) {
      if (output.form === "leave") this.leaves.push(output);
      else if (output.form === "message") this.messages.push(output);
      else this.deltas.push(`${output.partition} 0x${output.page.toString(16)}+${output.offset} ${hex(output.bytes)}`);
    }
  }
}

function handleOf(value: Value): Value {
  if (Array.isArray(value)) return value.map(handleOf);
  if (typeof value === "object" && value !== null && isRef(value)) return value.handle;
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, handleOf(member)]));
  }
  return value;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The names of all calls. */
export const CALL_NAMES = Object.keys(CALLS);
