// The engine: one dispatch for every call. Admission (ends, handles, states), faults, behaviour, effects, waiting:
// all from the declarations. It knows no call by name, and never calls into a driver.

import {
  type CallPlan,
  findPlan,
  hasSucceeded,
  isArray,
  isStruct,
  type ModelOptions,
  type ObjectKind,
  type Outcome,
  type ParamPlan,
  printObject,
  type Ref,
  STATUS,
  type Value,
} from "../api/mod.ts";
import type { Reply, Scope } from "./behaviour.ts";
import { answer, done, optionStatus, refuse, success, value as returning } from "./behaviour.ts";
import { CALLBACK_RETURNS } from "./behaviours.ts";
import type { GivenArgs } from "./bind.ts";
import { compileCall, type CompiledCall } from "./compiled.ts";
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
export type CallResult = Reply;

/** Why a call is refused, and the status that says so; null: the declaration's or the model's own. */
interface Trouble {
  readonly reason: string;
  readonly status: number | null;
}

const OPTION_STATUS = new Map<string, number>(Object.entries(STATUS));
const NO_CALLBACKS: readonly PendingCallback[] = [];
const NO_OUTPUTS: readonly Output[] = [];

/** The model of KMCL, GPU virtual addresses and the machine they share. */
export class Engine {
  readonly world: World;
  readonly #scope: CallScope;
  /** By the declaration's id. */
  readonly #compiled: CompiledCall[] = [];

  constructor(options?: ModelOptions) {
    this.world = new World(options);
    this.#scope = new CallScope(this.world);
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
    return this.#compile(plan).signature.bind(this.world, args);
  }

  /** Makes a call. What else it made happen is in `takeOutputs` and `deliverable`. */
  call(input: CallInput): CallResult {
    const { parked } = this.world;
    const compiled = this.#compile(input.plan);
    const reply = this.#admit(compiled, input) ?? this.#perform(compiled, input, false);
    if (reply.blocked) parked.push({ event: input.event, name: input.plan.name, side: input.side, ins: input.ins });
    if (parked.length > 0) this.#retryParked(reply.blocked ? input.event : 0);
    return reply;
  }

  /** Callbacks that may be delivered now, oldest first: an endpoint is in one at a time. */
  deliverable(): readonly PendingCallback[] {
    const { pending, running } = this.world;
    if (pending.length === 0) return NO_CALLBACKS;
    const busy = new Set(running.map((callback) => callback.channel));
    return pending.filter((callback) => {
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
    if (this.world.parked.length > 0) this.#retryParked(0);
  }

  /** What the last input made happen, in order: memory deltas, and leaves of calls that waited. */
  takeOutputs(): readonly Output[] {
    const { outputs } = this.world;
    return outputs.length === 0 ? NO_OUTPUTS : outputs.splice(0);
  }

  #compile(plan: CallPlan): CompiledCall {
    const known = this.#compiled[plan.id];
    if (known?.plan === plan) return known;
    const compiled = compileCall(plan);
    this.#compiled[plan.id] = compiled;
    return compiled;
  }

  /** Refusals in order: a planned fault, not modelled, the wrong end, objects, their states. Null: it may go on. */
  #admit(compiled: CompiledCall, { side, ins }: CallInput): Reply | null {
    const fault = this.#takeFault(compiled.plan);
    if (fault !== null) return compiled.returnsStatus ? answer(fault) : refuse("FailNext");
    if (!compiled.isModelled) {
      return this.#refusal(compiled, { reason: "not modelled", status: STATUS.STATUS_NOT_IMPLEMENTED });
    }
    const { endpoint } = compiled;
    if (endpoint !== null && side !== endpoint) {
      const reason = `called by the ${side}, belongs to the ${endpoint}`;
      return this.#refusal(compiled, { reason, status: this.#optionStatus("wrong-endpoint-status") });
    }
    const trouble = this.#takeArgs(compiled, ins, side) ?? stateTrouble(compiled);
    return trouble === null ? null : this.#refusal(compiled, trouble);
  }

  /** What the behaviour is given: values, and for handles the objects they name. With a side it admits each. */
  #takeArgs({ args, objects }: CompiledCall, ins: readonly Value[], side: string | null): Trouble | null {
    for (let index = 0; index < args.length; index += 1) args[index] = ins[index] ?? null;
    for (const { index, param, isDirect } of objects) {
      const value = ins[index] ?? null;
      const object = isDirect ? this.#objectOf(param.kind, value) : undefined;
      const trouble = side === null || (object !== undefined && isUsable(object, side))
        ? null
        : this.#troubleIn(param, value, side);
      if (trouble !== null) return trouble;
      args[index] = isDirect ? object ?? null : this.#resolve(param, value);
    }
    return null;
  }

  /** The first reference inside a value that cannot be used. */
  #troubleIn(param: ParamPlan, value: Value, side: string): Trouble | null {
    if (!param.isArray) return this.#troubleOf(param, value, side);
    for (const each of isArray(value) ? value : []) {
      const trouble = this.#troubleOf(param, each, side);
      if (trouble !== null) return trouble;
    }
    return null;
  }

  #troubleOf(param: ParamPlan, value: Value, side: string): Trouble | null {
    if (param.storage === "object") return this.#objectTrouble(param, value, side);
    if (param.storage !== "struct" || !isStruct(value)) return null;
    for (const member of param.members) {
      const trouble = member.goesIn ? this.#troubleIn(member, value[member.name] ?? null, side) : null;
      if (trouble !== null) return trouble;
    }
    return null;
  }

  #objectTrouble(param: ParamPlan, value: Value, side: string): Trouble | null {
    if (value === null) {
      return param.optional || param.direction === "inout"
        ? null
        : { reason: `${param.name} is null`, status: this.#unknownStatus(param) };
    }
    const object = this.#objectOf(param.kind, value);
    if (object === undefined) {
      return { reason: `${param.name} names no ${param.kind}`, status: this.#unknownStatus(param) };
    }
    if (!object.alive) {
      return {
        reason: `${param.name} names ${printObject(object)}, which is gone`,
        status: this.#unknownStatus(param),
      };
    }
    if (!mayUse(object, side)) {
      const status = object.kind === "channel" ? this.#optionStatus("wrong-endpoint-status") : null;
      return { reason: `${param.name} belongs to the ${object.side}, not to the ${side}`, status };
    }
    return null;
  }

  #objectOf(kind: ObjectKind | null, value: Value): EngineObject | undefined {
    if (kind === null || value === null || typeof value !== "object" || !("handle" in value)) return undefined;
    const { number, handle } = value;
    const live = typeof number === "number" ? this.world.find(kind, number) : undefined;
    return live ?? (typeof handle === "number" ? this.world.resolve(kind, handle) : undefined);
  }

  #refusal({ plan, returnsStatus }: CompiledCall, { reason, status }: Trouble): Reply {
    if (!returnsStatus) return refuse(reason);
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

  /** Runs a call whose arguments were taken. */
  #perform(compiled: CompiledCall, { side, event, insideCallback }: CallInput, retry: boolean): Reply {
    const { behaviour, args } = compiled;
    const scope = this.#scope;
    scope.side = side;
    scope.event = event;
    scope.insideCallback = insideCallback;
    scope.retry = retry;
    // Positions and types of the arguments follow from the declaration that behaviour and plan share.
    const reply = behaviour === undefined ? regular(compiled, scope) : behaviour(scope, ...(args as never[]));
    if (!reply.blocked && hasSucceeded(reply.outcome)) this.#applyTables(compiled);
    return reply;
  }

  #resolve(param: ParamPlan, value: Value): unknown {
    if (!param.isArray) return this.#resolveOne(param, value);
    return isArray(value) ? value.map((each) => this.#resolveOne(param, each)) : [];
  }

  #resolveOne(param: ParamPlan, value: Value): unknown {
    if (param.storage === "object") return this.#objectOf(param.kind, value) ?? null;
    if (param.storage !== "struct" || !isStruct(value)) return value;
    const members = param.members.filter((member) => member.goesIn);
    return Object.fromEntries(
      members.map((member) => [member.name, this.#resolve(member, value[member.name] ?? null)]),
    );
  }

  #applyTables({ args, moves, destroys }: CompiledCall): void {
    for (const { index, state } of moves) {
      const object = args[index];
      if (isObject(object)) object.state = state;
    }
    for (const index of destroys) {
      for (const object of [args[index]].flat()) if (isObject(object)) this.world.destroy(object);
    }
  }

  /** Tries calls that wait again, oldest first, until none returns; `justParked` was tried just now. */
  #retryParked(justParked: number): void {
    const { parked, outputs } = this.world;
    for (let index = 0; index < parked.length; index += 1) {
      const call = parked[index];
      const plan = call === undefined ? undefined : findPlan(call.name);
      if (call === undefined || plan === undefined || call.event === justParked) continue;
      const compiled = this.#compile(plan);
      this.#takeArgs(compiled, call.ins, null);
      const reply = this.#perform(compiled, { ...call, plan, insideCallback: 0 }, true);
      if (reply.blocked) continue;
      parked.splice(index, 1);
      outputs.push({ form: "leave", event: call.event, outcome: reply.outcome, outs: reply.outs });
      index = -1;
    }
  }
}

/** The one scope of an engine: calls do not nest, so each call finds it set anew. */
class CallScope implements Scope {
  readonly world: World;
  side = "";
  event = 0;
  retry = false;
  insideCallback = 0;

  constructor(world: World) {
    this.world = world;
  }

  create<K extends ObjectKind>(kind: K, data: ObjectDataByKind[K], owner: EngineObject | null = null): EngineObject<K> {
    return this.world.create(kind, { side: this.side, owner, data });
  }
}

/** The first object that is in none of the states that its call needs. */
function stateTrouble({ needs, args }: CompiledCall): Trouble | null {
  for (const { index, states } of needs) {
    const object = args[index];
    if (isObject(object) && !states.includes(object.state)) {
      const reason = `${printObject(object)} is ${object.state}, not ${states.join(" or ")}`;
      return { reason, status: null };
    }
  }
  return null;
}

/** A call that the tables say all about: creates what it creates, owned by what it names. */
function regular({ plan, args, returnsStatus }: CompiledCall, scope: Scope): Reply {
  const owner = args.find(isObject);
  const data = owner === undefined ? {} : { [owner.kind]: owner.number };
  const made: Ref[] = [];
  for (const { verb, param } of plan.effects) {
    if (verb === "create" && param.kind !== null) made.push(scope.create(param.kind, regularData(data), owner).ref);
  }
  if (plan.returned !== null) return returning(made[0] ?? null);
  return returnsStatus ? success(...made) : done(...made);
}

function isUsable(object: EngineObject, side: string): boolean {
  return object.alive && mayUse(object, side);
}

/** GPU objects belong to their process, channels to their end; memory and GPADLs are named by both. */
function mayUse(object: EngineObject, side: string): boolean {
  if (object.side === side || side === "gpu" || side === "machine" || side === "kmd") return true;
  return object.kind === "buffer" || object.kind === "mdl" || object.kind === "gpadl";
}

function isObject(value: unknown): value is EngineObject {
  return typeof value === "object" && value !== null && "kind" in value && "alive" in value;
}

/** A regular object knows its owner and nothing else; its kind's data type is just that. */
function regularData<K extends keyof ObjectDataByKind>(data: object): ObjectDataByKind[K] {
  return data as ObjectDataByKind[K];
}
