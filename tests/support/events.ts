// Builds events by hand: numbered as they are added, defaults for what a test does not care about. For tests.

import {
  type CallbackName,
  type CallName,
  defaultOptions,
  defaultValue,
  findPlan,
  type ModelOptions,
  type ObjectKind,
  type Outcome,
  type ParamPlan,
  planOf,
  type Ref,
  STATUS,
  type Value,
  VOID,
} from "../../src/api/mod.ts";
import type { MemoryDelta, TraceEvent, TraceHeader } from "../../src/trace/event.ts";

/** Values by parameter name; what is left out has its default. */
export type Named = Readonly<Record<string, Value>>;

/** An object; its handle value is made of its number where left out. */
export function ref(kind: ObjectKind, number: number, handle = 0x1000 + number): Ref {
  return { kind, number, handle };
}

/** The outcome of a status call. */
export function status(name: keyof typeof STATUS = "STATUS_SUCCESS"): Outcome {
  return { form: "status", status: STATUS[name] };
}

/** The outcome of a call that returns a value. */
export function returned(value: Value): Outcome {
  return { form: "value", value };
}

/** The outcome of a misused call without a status. */
export function refused(reason: string): Outcome {
  return { form: "refused", reason };
}

/** What a call or callback is given besides its name. */
export interface EventDetails {
  readonly outcome?: Outcome;
  readonly outs?: Named;
  readonly cause?: number;
  readonly actor?: string;
  readonly timeNs?: bigint;
}

/** A list of events in the making; each method answers the event's number. */
export class EventList {
  readonly events: TraceEvent[] = [];

  /** A whole call. Its outcome is success, void or null as declared. */
  call(side: string, name: CallName, args: Named = {}, details: EventDetails = {}): number {
    const plan = planOf(name);
    const outcome = details.outcome ?? defaultOutcome(name);
    return this.add({ kind: "call", plan, side, outcome, ins: byPosition(plan.ins, args), ...rest(name, details) });
  }

  /** The enter of a call that waits. */
  enter(side: string, name: CallName, args: Named = {}, details: EventDetails = {}): number {
    const plan = planOf(name);
    return this.add({ kind: "enter", plan, side, ins: byPosition(plan.ins, args), ...rest(name, details) });
  }

  /** The leave of an enter. */
  leave(of: number, details: EventDetails = {}): number {
    return this.#answer("leave", of, details);
  }

  /** A callback. */
  callback(side: string, name: CallbackName, args: Named = {}, details: EventDetails = {}): number {
    const plan = planOf(name);
    return this.add({ kind: "callback", plan, side, ins: byPosition(plan.ins, args), ...rest(name, details) });
  }

  /** The return from a callback. */
  return(of: number, details: EventDetails = {}): number {
    return this.#answer("return", of, details);
  }

  /** A change of memory. */
  memory(delta: Partial<MemoryDelta>, cause = 0): number {
    const memory = { partition: "guest", page: 1, offset: 0, length: 0, digest: 0, bytes: null, ...delta } as const;
    return this.add({ kind: "memory", side: "machine", cause, memory });
  }

  /** A note. */
  note(text: string): number {
    return this.add({ kind: "note", side: "machine", text });
  }

  /** Any event, by what differs from an empty note. */
  add(given: Partial<TraceEvent>): number {
    const event = given.event ?? (this.events.at(-1)?.event ?? 0) + 1;
    const side = given.side ?? "machine";
    const defaults: TraceEvent = {
      event,
      kind: "note",
      plan: null,
      side,
      actor: side,
      level: given.plan?.level ?? "machine",
      cause: 0,
      of: 0,
      timeNs: 0n,
      wallNs: 0,
      site: null,
      ins: [],
      outs: [],
      outcome: null,
      memory: null,
      text: "",
    };
    this.events.push({ ...defaults, ...given });
    return event;
  }

  #answer(kind: "leave" | "return", of: number, details: EventDetails): number {
    const origin = this.events.find((each) => each.event === of);
    if (origin === undefined || origin.plan === null) throw new RangeError(`Cannot answer @${of}: no such call`);
    const { plan, side } = origin;
    const outcome = details.outcome ?? defaultOutcome(plan.name);
    return this.add({ kind, plan, side, of, outcome, ...rest(plan.name, details) });
  }
}

function rest(name: string, { outs, cause, actor, timeNs }: EventDetails): Partial<TraceEvent> {
  return {
    ...(outs === undefined ? {} : { outs: byPosition(planNamed(name).outs, outs) }),
    ...(cause === undefined ? {} : { cause }),
    ...(actor === undefined ? {} : { actor }),
    ...(timeNs === undefined ? {} : { timeNs }),
  };
}

function planNamed(name: string): ReturnType<typeof planOf> {
  const plan = findPlan(name);
  if (plan === undefined) throw new RangeError(`Cannot build an event of ${name}: it is not declared`);
  return plan;
}

function defaultOutcome(name: string): Outcome {
  const plan = planNamed(name);
  if (plan.returned !== null) return returned(defaultValue(plan.returned));
  return plan.declaration.returns === "status" ? status() : VOID;
}

function byPosition(params: readonly ParamPlan[], values: Named): readonly Value[] {
  const unknown = Object.keys(values).find((name) => !params.some((param) => param.name === name));
  if (unknown !== undefined) throw new RangeError(`Cannot build an event: no parameter ${unknown}`);
  return params.map((param) => values[param.name] ?? defaultValue(param));
}

/** A header of a program's run on the engine with default options, but for what is given. */
export function header(
  given: Partial<Omit<TraceHeader, "options">> & { options?: Partial<ModelOptions> } = {},
): TraceHeader {
  return {
    tool: "maptrail",
    toolVersion: "0.1.0",
    maker: "engine",
    engineVersion: 1,
    program: { name: "test", kind: "builtin", args: [] },
    seed: 1,
    sites: "creating",
    memory: "full",
    wallClock: false,
    startedAt: "",
    capabilities: [],
    losses: [],
    startsAfter: 0,
    leftOut: [],
    selection: null,
    ...given,
    options: { ...defaultOptions(), ...given.options },
  };
}
