// The engine: one dispatch for every call. Admission (ends, handles, states), faults, behaviour, effects, waiting:
// all from the declarations. It knows no call by name, and never calls into a driver.

import {
  type CallPlan,
  findPlan,
  isArray,
  isStruct,
  type ModelOptions,
  ntSuccess,
  type Outcome,
  type ParamPlan,
  type Ref,
  STATUS,
  type Value,
} from "../api/mod.ts";
import type { Behaviour, Reply, Scope } from "./behaviour.ts";
import { answer, optionStatus, refuse } from "./behaviour.ts";
import { BEHAVIOURS, CALLBACK_RETURNS } from "./behaviours.ts";
import { bindArgs, type GivenArgs, referencesIn } from "./bind.ts";
import type { EngineObject, ObjectDataByKind } from "./objects.ts";
import { restoreWorld, type Snapshot, takeSnapshot } from "./snapshot.ts";
import { type Output, type PendingCallback, World } from "./world.ts";

/** A call to make. */
export interface CallInput {
  readonly plan: CallPlan;
  readonly side: string;
  /** Canonical values of `plan.ins`, as `bind` makes them. */
  readonly ins: readonly Value[];
  /** The number that the call's event will have. */
  readonly event: number;
  /** The callback event that the call is made in, 0: none. */
  readonly insideCallback: number;
}

/** What a call did: answered, or waits. */
export type CallResult = { readonly blocked: true } | {
  readonly blocked: false;
  readonly outcome: Outcome;
  readonly outs: readonly Value[];
};

const OPTION_STATUS = new Map<string, number>(Object.entries(STATUS));

/** The model of KMCL, GPU virtual addresses and the machine they share. */
export class Engine {
  readonly world: World;

  constructor(options?: ModelOptions) {
    this.world = new World(options);
  }

  /** An engine in the state of a snapshot: from here on both do the same. */
  static restore(snapshot: Snapshot): Engine {
    const engine = new Engine(snapshot.options);
    restoreWorld(engine.world, snapshot);
    return engine;
  }

  /** The whole state as plain data, a copy. */
  snapshot(): Snapshot {
    return takeSnapshot(this.world);
  }

  /** Canonical values of a call's arguments; throws `TypeError` or `RangeError` for what the toolkit cannot pass. */
  bind(plan: CallPlan, args: GivenArgs): Value[] {
    return bindArgs(this.world, plan.ins, args);
  }

  /** Makes a call. What else it made happen is in `takeOutputs` and `deliverable`. */
  call(input: CallInput): CallResult {
    const reply = this.#admit(input) ?? this.#perform(input, false);
    if (reply.form === "blocked") {
      this.world.parked.push({ event: input.event, name: input.plan.name, side: input.side, ins: input.ins });
      this.#retryParked(input.event);
      return { blocked: true };
    }
    this.#retryParked();
    return { blocked: false, outcome: reply.outcome, outs: reply.outs };
  }

  /** Callbacks that may be delivered now, oldest first: an endpoint is in one at a time. */
  deliverable(): readonly PendingCallback[] {
    const busy = new Set(this.world.running.map((callback) => callback.channel));
    return this.world.pending.filter((callback) => {
      if (busy.has(callback.channel)) return false;
      busy.add(callback.channel);
      return true;
    });
  }

  /** Starts a callback; `event` is the number of its event. */
  deliver(id: number, event: number): PendingCallback {
    const index = this.world.pending.findIndex((callback) => callback.id === id);
    const [callback] = index < 0 ? [] : this.world.pending.splice(index, 1);
    if (callback === undefined) throw new RangeError(`Cannot deliver callback ${id}: it is not pending`);
    this.world.running.push({ ...callback, event });
    return callback;
  }

  /** Ends a callback with what the driver returned; `event` is the number of the return's event. */
  finish(callbackEvent: number, returned: { readonly event: number; readonly outcome: Outcome }): void {
    const index = this.world.running.findIndex((callback) => callback.event === callbackEvent);
    const [callback] = index < 0 ? [] : this.world.running.splice(index, 1);
    if (callback === undefined) {
      throw new RangeError(`Cannot return from @${callbackEvent}: no callback is running there`);
    }
    const status = returned.outcome.form === "status" ? returned.outcome.status : STATUS.STATUS_SUCCESS;
    const channel = this.world.find("channel", callback.channel);
    if (channel !== undefined) {
      CALLBACK_RETURNS[callback.name]?.({ world: this.world, channel, status, event: returned.event });
    }
    this.#retryParked();
  }

  /** What the last input made happen, in order: memory deltas, and leaves of calls that waited. */
  takeOutputs(): readonly Output[] {
    return this.world.outputs.splice(0);
  }

  #admit({ plan, side, ins }: CallInput): Reply | null {
    const fault = this.#takeFault(plan);
    if (fault !== null) {
      return plan.returned === null && plan.declaration.returns === "status" ? answer(fault) : refuse("FailNext");
    }
    if (plan.declaration.modelled === false) {
      return this.#refusal(plan, { reason: "not modelled", status: STATUS.STATUS_NOT_IMPLEMENTED });
    }
    return this.#admitEndpoint(plan, side) ?? this.#admitObjects(plan, ins, side) ?? this.#admitStates(plan, ins);
  }

  #admitEndpoint(plan: CallPlan, side: string): Reply | null {
    const { endpoint } = plan.declaration;
    if ((endpoint !== "client" && endpoint !== "server") || side === endpoint) return null;
    return this.#refusal(plan, {
      reason: `called by the ${side}, belongs to the ${endpoint}`,
      status: this.#optionStatus("wrong-endpoint-status"),
    });
  }

  #admitObjects(plan: CallPlan, ins: readonly Value[], side: string): Reply | null {
    for (const [index, param] of plan.ins.entries()) {
      for (const { plan: inner, value } of referencesIn(param, ins[index] ?? null)) {
        const trouble = this.#objectTrouble(inner, value, side);
        if (trouble !== null) return this.#refusal(plan, trouble);
      }
    }
    return null;
  }

  #objectTrouble(param: ParamPlan, value: Value, side: string): { reason: string; status: number | null } | null {
    if (value === null) {
      return param.optional || param.direction === "inout"
        ? null
        : { reason: `${param.name} is null`, status: this.#unknownStatus(param) };
    }
    const object = this.#objectOf(param, value);
    if (object === undefined) {
      return { reason: `${param.name} names no ${param.kind}`, status: this.#unknownStatus(param) };
    }
    if (!object.alive) {
      return {
        reason: `${param.name} names ${object.kind}#${object.number}, which is gone`,
        status: this.#unknownStatus(param),
      };
    }
    if (!mayUse(object, side)) {
      const status = object.kind === "channel" ? this.#optionStatus("wrong-endpoint-status") : null;
      return { reason: `${param.name} belongs to the ${object.side}, not to the ${side}`, status };
    }
    return null;
  }

  #objectOf(param: ParamPlan, value: Value): EngineObject | undefined {
    if (param.kind === null || value === null || typeof value !== "object" || !("handle" in value)) return undefined;
    const { number, handle } = value;
    const live = typeof number === "number" ? this.world.find(param.kind, number) : undefined;
    return live ?? (typeof handle === "number" ? this.world.resolve(param.kind, handle) : undefined);
  }

  #admitStates(plan: CallPlan, ins: readonly Value[]): Reply | null {
    for (const [name, states] of Object.entries(plan.declaration.needs ?? {})) {
      const index = plan.ins.findIndex((param) => param.name === name);
      const param = plan.ins[index];
      const object = param === undefined ? undefined : this.#objectOf(param, ins[index] ?? null);
      if (object !== undefined && !states.includes(object.state)) {
        return this.#refusal(plan, {
          reason: `${object.kind}#${object.number} is ${object.state}, not ${states.join(" or ")}`,
          status: null,
        });
      }
    }
    return null;
  }

  #refusal(plan: CallPlan, { reason, status }: { readonly reason: string; readonly status: number | null }): Reply {
    if (plan.declaration.returns !== "status") return refuse(reason);
    return answer(status ?? OPTION_STATUS.get(plan.declaration.refusal ?? "") ?? this.#optionStatus("refusal-status"));
  }

  #unknownStatus(param: ParamPlan): number | null {
    return param.kind === "gpadl" ? this.#optionStatus("unknown-gpadl-status") : null;
  }

  #optionStatus(name: keyof ModelOptions): number {
    return optionStatus(this.world.options, name);
  }

  /** Each planned fault counts the calls of its name; of those that are due the oldest strikes, others wait for the next call. */
  #takeFault(plan: CallPlan): number | null {
    const { faults } = this.world;
    if (faults.length === 0) return null;
    const own = faults.filter((fault) => fault.call === plan.name);
    const due = own.find((fault) => fault.skip === 0);
    for (const fault of own) if (fault.skip > 0) fault.skip -= 1;
    if (due === undefined) return null;
    faults.splice(faults.indexOf(due), 1);
    return due.status;
  }

  #perform(input: CallInput, retry: boolean): Reply {
    const { plan, ins } = input;
    const scope = this.#scope(input, retry);
    const resolved = plan.ins.map((param, index) => this.#resolve(param, ins[index] ?? null));
    const behaviour = BEHAVIOURS[plan.name];
    const reply = behaviour === undefined
      ? this.#regular(plan, resolved, scope)
      : runBehaviour(behaviour, scope, resolved);
    if (reply.form === "done" && succeeded(reply.outcome)) this.#applyTables(plan, resolved);
    return reply;
  }

  #scope({ side, event, insideCallback }: CallInput, retry: boolean): Scope {
    const { world } = this;
    return {
      world,
      side,
      event,
      retry,
      insideCallback,
      create: (kind, data, owner) => world.create(kind, { side, owner: owner ?? null, data }),
    };
  }

  #resolve(param: ParamPlan, value: Value): unknown {
    if (param.isArray) {
      return isArray(value) ? value.map((each) => this.#resolve({ ...param, isArray: false }, each)) : [];
    }
    if (param.storage === "object") return this.#objectOf(param, value) ?? null;
    if (param.storage !== "struct" || !isStruct(value)) return value;
    return Object.fromEntries(
      param.members.filter((member) => member.goesIn).map((
        member,
      ) => [member.name, this.#resolve(member, value[member.name] ?? null)]),
    );
  }

  /** A call that the tables say all about: creates what it creates, owned by what it names. */
  #regular(plan: CallPlan, resolved: readonly unknown[], scope: Scope): Reply {
    const named = resolved.filter(isObject);
    const made: EngineObject[] = [];
    for (const { verb, param } of plan.effects) {
      if (verb !== "create" || param.kind === null) continue;
      const owner = named.at(0);
      const data = owner === undefined ? {} : { [owner.kind]: owner.number };
      made.push(scope.create(param.kind, regularData(data), owner));
    }
    if (plan.returned !== null) {
      return { form: "done", outcome: { form: "value", value: made[0]?.ref ?? null }, outs: [] };
    }
    const outcome: Outcome = plan.declaration.returns === "status"
      ? { form: "status", status: STATUS.STATUS_SUCCESS }
      : { form: "void" };
    return { form: "done", outcome, outs: made.map((object): Ref => object.ref) };
  }

  #applyTables(plan: CallPlan, resolved: readonly unknown[]): void {
    for (const [name, state] of Object.entries(plan.declaration.moves ?? {})) {
      const object = resolved[plan.ins.findIndex((param) => param.name === name)];
      if (isObject(object)) object.state = state;
    }
    for (const { verb, subject } of plan.effects) {
      if (verb !== "destroy" || subject.from !== "in") continue;
      for (const object of [resolved[subject.index]].flat()) if (isObject(object)) this.world.destroy(object);
    }
  }

  /** Tries calls that wait again, oldest first, until none returns; `justParked` was tried just now. */
  #retryParked(justParked = 0): void {
    for (let index = 0; index < this.world.parked.length; index += 1) {
      const parked = this.world.parked[index];
      const plan = parked === undefined ? undefined : findPlan(parked.name);
      if (parked === undefined || plan === undefined || parked.event === justParked) continue;
      const reply = this.#perform(
        { plan, side: parked.side, ins: parked.ins, event: parked.event, insideCallback: 0 },
        true,
      );
      if (reply.form === "blocked") continue;
      this.world.parked.splice(index, 1);
      this.world.outputs.push({ form: "leave", event: parked.event, outcome: reply.outcome, outs: reply.outs });
      index = -1;
    }
  }
}

function succeeded(outcome: Outcome): boolean {
  if (outcome.form === "status") return ntSuccess(outcome.status);
  return outcome.form !== "refused";
}

/** GPU objects belong to their process, channels to their end; memory and GPADLs are named by both. */
function mayUse(object: EngineObject, side: string): boolean {
  if (side === "gpu" || side === "machine" || side === "kmd") return true;
  if (object.kind === "channel") return object.side === side;
  if (object.kind === "buffer" || object.kind === "mdl" || object.kind === "gpadl") return true;
  return object.side === side;
}

function isObject(value: unknown): value is EngineObject {
  return typeof value === "object" && value !== null && "kind" in value && "alive" in value;
}

/** The one dispatch: positions and types of `ins` follow from the declaration that behaviour and plan share. */
function runBehaviour(behaviour: Behaviour, scope: Scope, resolved: readonly unknown[]): Reply {
  return behaviour(scope, ...(resolved as never[]));
}

/** A regular object knows its owner and nothing else; its kind's data type is just that. */
function regularData<K extends keyof ObjectDataByKind>(data: object): ObjectDataByKind[K] {
  return data as ObjectDataByKind[K];
}
