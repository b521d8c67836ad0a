// The engine: one dispatch for every call. Admission (ends, handles, states), faults, behaviour, effects, waiting:
// all from the declarations. It knows no call by name, and never calls into a driver.

import {
  ByPlan,
  type CallPlan,
  hasSucceeded,
  isArray,
  isRef,
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
import { isUsable, listedTrouble, mayUse, objectIn, stateTrouble, type Trouble } from "./admission.ts";
import type { Behaviour, Reply, Scope } from "./behaviour.ts";
import { answer, blocked, done, optionStatus, refuse, success, value as returning } from "./behaviour.ts";
import { runDueWork } from "./background.ts";
import { CALLBACK_BEGINS, CALLBACK_RETURNS, OTHER_RETURNS } from "./behaviours.ts";
import { type GivenArgs, Signature } from "./bind.ts";
import { compileCall, type CompiledCall } from "./compiled.ts";
import { deliverableNow } from "./delivery.ts";
import { irqlTrouble } from "./irql.ts";
import { isInGuest } from "./ends.ts";
import { CallScope } from "./call_scope.ts";
import { type EngineObject, isObject, type ObjectDataByKind } from "./objects.ts";
import { Parking } from "./parking.ts";
import { restoreWorld, type Snapshot, type StateView, takeSnapshot, viewState } from "./snapshot.ts";
import { type Output, type ParkedCall, type PendingCallback, World } from "./world.ts";

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
  /** What the call answered in the trace that is replayed, or is to answer as its line says; left out: neither. */
  readonly recorded?: readonly Value[];
}

/** What a call did: answered, or waits. */
export type CallResult = Reply;

const OPTION_STATUS = new Map<string, number>(Object.entries(STATUS));
const NO_OUTPUTS: readonly Output[] = [];

/** The model of KMCL, GPU virtual addresses and the machine they share. */
export class Engine {
  readonly world: World;
  readonly #scope: CallScope;
  readonly #compiled = new ByPlan((plan) => compileCall(plan, this.world));
  readonly #parking: Parking;

  constructor(options?: ModelOptions) {
    this.world = new World(options);
    this.#scope = new CallScope(this.world);
    this.#parking = new Parking(this.world, (call, plan) => this.#retry(call, plan));
  }

  /** An engine in the state of a snapshot: from here on both do the same. */
  static restore(snapshot: Snapshot): Engine {
    const engine = new Engine(snapshot.options);
    restoreWorld(engine.world, snapshot);
    return engine;
  }

  /** The state that `snapshot` copies, to be encoded at once: it is made as it is walked, and good until the engine goes on. */
  view(): StateView {
    return viewState(this.world);
  }

  /** The whole state as plain data, a copy. */
  snapshot(): Snapshot {
    return takeSnapshot(this.world);
  }

  /** Canonical values of a call's arguments; throws `TypeError` or `RangeError` for what the toolkit cannot pass. */
  bind(plan: CallPlan, args: GivenArgs): Value[] {
    return this.#compiled.of(plan).signature.bind(args);
  }

  /** Makes a call. What else it made happen is in `takeOutputs` and `deliverable`. */
  call(input: CallInput): CallResult {
    this.world.beginInput();
    const compiled = this.#compiled.of(input.plan);
    const reply = this.#admit(compiled, input) ?? this.#perform(compiled, input, false);
    runDueWork(this.world);
    if (reply.blocked) {
      this.#parking.park({ event: input.event, name: input.plan.name, side: input.side, ins: input.ins }, reply);
    }
    if (this.world.parked.length > 0) this.#parking.retry(reply.blocked ? input.event : 0);
    return reply.blocked ? blocked() : reply;
  }

  /** Callbacks that may be delivered now, oldest first; `delivery.ts` says which go together. */
  deliverable(): readonly PendingCallback[] {
    return deliverableNow(this.world);
  }

  /** Starts a callback; `event` is the number of its event. */
  deliver(id: number, event: number): PendingCallback {
    this.world.beginInput();
    const callback = this.world.callbacks.begin(id, event);
    if (callback === undefined) throw new RangeError(`Cannot deliver callback ${id}: it is not pending`);
    CALLBACK_BEGINS[callback.name]?.(this.world, callback);
    return callback;
  }

  /** Canonical values of what a driver gives back in a callback's out parameters; throws as `bind` does. */
  bindOuts(plan: CallPlan, given: GivenArgs): Value[] {
    return new Signature(plan.outs, this.world).bind(given);
  }

  /** Ends a callback with what the driver returned; `event` is the number of the return's event, `outs` are by position. */
  finish(
    callbackEvent: number,
    returned: { readonly event: number; readonly outcome: Outcome; readonly outs?: readonly Value[] },
  ): void {
    this.world.beginInput();
    const callback = this.world.callbacks.end(callbackEvent);
    this.world.waiters.wake("callback", callbackEvent);
    if (callback === undefined) {
      throw new RangeError(`Cannot return from @${callbackEvent}: no callback is running there`);
    }
    const status = returned.outcome.form === "status" ? returned.outcome.status : STATUS.STATUS_SUCCESS;
    OTHER_RETURNS[callback.name]?.(this.world, { callback, status, outs: returned.outs ?? [], event: returned.event });
    const channel = this.world.find("channel", callback.channel);
    if (channel !== undefined) {
      const { event, outs = [] } = returned;
      CALLBACK_RETURNS[callback.name]?.({ world: this.world, channel, status, outs, event });
    }
    runDueWork(this.world);
    if (this.world.parked.length > 0) this.#parking.retry(0);
  }

  /** Waiting calls that would go on if they were tried now, by their events: none, as every change wakes those it is for. */
  missedWakes(): readonly number[] {
    return this.#parking.missedWakes();
  }

  /** What the last input made happen, in order: memory deltas, and leaves of calls that waited. */
  takeOutputs(): readonly Output[] {
    const { outputs } = this.world;
    return outputs.length === 0 ? NO_OUTPUTS : outputs.splice(0);
  }

  /** Refusals in order: a planned fault, not modelled, a guest that is saved, the wrong end, a level too high, objects, their states. Null: it may go on. */
  #admit(compiled: CompiledCall, { side, ins }: CallInput): Reply | null {
    const fault = this.world.faults.length === 0 ? null : this.#takeFault(compiled.plan);
    if (fault !== null) return failed(compiled, fault);
    if (!compiled.isModelled) {
      return this.#refusal(compiled, { reason: "not modelled", status: STATUS.STATUS_NOT_IMPLEMENTED });
    }
    if (this.world.wire.isVmSaved && isInGuest(side)) {
      return this.#refusal(compiled, { reason: "the guest is saved", status: this.#optionStatus("refusal-status") });
    }
    const { endpoint } = compiled;
    if (endpoint !== null && side !== endpoint) {
      const reason = `called by the ${side}, belongs to the ${endpoint}`;
      return this.#refusal(compiled, { reason, status: this.#optionStatus("wrong-endpoint-status") });
    }
    const reason = compiled.isPassive ? irqlTrouble(this.world, side) : null;
    if (reason !== null) return this.#refusal(compiled, { reason, status: this.#optionStatus("refusal-status") });
    const trouble = this.#admitArgs(compiled, ins, side) ?? stateTrouble(compiled);
    return trouble === null ? null : this.#refusal(compiled, trouble);
  }

  /** Takes a call's arguments; the first reference among them that this side cannot use. */
  #admitArgs(compiled: CompiledCall, ins: readonly Value[], side: string): Trouble | null {
    if (compiled.objects.length === 0 && ins.length === compiled.plan.ins.length) {
      compiled.args = ins;
      return null;
    }
    const args = takeValues(compiled, ins);
    for (const { index, param, table } of compiled.objects) {
      const value = ins[index] ?? null;
      const object = table === null ? undefined : objectIn(table, value);
      const trouble = object !== undefined && isUsable(object, side) ? null : this.#troubleIn(param, value, side);
      if (trouble !== null) return listedTrouble(compiled, { index, trouble });
      args[index] = table === null ? this.#resolve(param, value) : object ?? null;
    }
    return null;
  }

  /** Takes the arguments of a call that was admitted when it was made; what they name may have ended since. */
  #retakeArgs(compiled: CompiledCall, ins: readonly Value[]): void {
    const args = takeValues(compiled, ins);
    for (const { index, param } of compiled.objects) args[index] = this.#resolve(param, ins[index] ?? null);
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
    if (object === undefined || !object.alive) {
      const gone = object?.ref ?? this.#goneOf(param.kind, value);
      const what = gone === undefined ? `no ${param.kind}` : `${printObject(gone)}, which is gone`;
      return { reason: `${param.name} names ${what}`, status: this.#unknownStatus(param) };
    }
    if (!mayUse(object, side)) {
      const status = object.kind === "channel" ? this.#optionStatus("wrong-endpoint-status") : null;
      return { reason: `${param.name} belongs to the ${object.side}, not to the ${side}`, status };
    }
    return null;
  }

  #objectOf(kind: ObjectKind | null, value: Value): EngineObject | undefined {
    return kind === null ? undefined : objectIn(this.world.tableOf(kind), value);
  }

  #goneOf(kind: ObjectKind | null, value: Value): Ref | undefined {
    return kind === null || !isRef(value) ? undefined : this.world.tableOf(kind).refOf(value.handle);
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
  #perform(compiled: CompiledCall, { side, event, insideCallback, recorded }: CallInput, retry: boolean): Reply {
    const { behaviour, args } = compiled;
    const scope = this.#scope;
    scope.side = side;
    scope.event = event;
    scope.insideCallback = insideCallback;
    scope.retry = retry;
    scope.recorded = recorded ?? null;
    const reply = behaviour === undefined ? regular(compiled, scope) : behave(behaviour, scope, args);
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
    for (const index of destroys) this.#destroy(args[index]);
  }

  #destroy(value: unknown): void {
    if (isObject(value)) this.world.destroy(value);
    else if (Array.isArray(value)) { for (const each of value) this.#destroy(each); }
  }

  /** Tries a call that waits again. */
  #retry(call: ParkedCall, plan: CallPlan): Reply {
    const compiled = this.#compiled.of(plan);
    this.#retakeArgs(compiled, call.ins);
    return this.#perform(compiled, { ...call, plan, insideCallback: 0 }, true);
  }
}

/** A copy of the values of a call, for objects to take the places of those that name one. */
function takeValues(compiled: CompiledCall, ins: readonly Value[]): unknown[] {
  const { length } = compiled.plan.ins;
  const args = ins.length === length ? ins.slice() : Array.from({ length }, (_, index) => ins[index] ?? null);
  compiled.args = args;
  return args;
}

/** A behaviour as the dispatch sees it: that its arguments fit follows from the declaration that both come from. */
type AnyBehaviour = (scope: Scope, ...ins: readonly unknown[]) => Reply;

/** Most calls have few arguments, which are quicker handed over one by one than as a list. */
function behave(declared: Behaviour, scope: Scope, ins: readonly unknown[]): Reply {
  const behaviour = declared as AnyBehaviour;
  switch (ins.length) {
    case 1:
      return behaviour(scope, ins[0]);
    case 2:
      return behaviour(scope, ins[0], ins[1]);
    case 3:
      return behaviour(scope, ins[0], ins[1], ins[2]);
    case 4:
      return behaviour(scope, ins[0], ins[1], ins[2], ins[3]);
    default:
      return behaviour(scope, ...ins);
  }
}

/** What a call answers whose fault was planned: its status, NULL where that is how it fails, else that it was refused. */
function failed({ plan, returnsStatus }: CompiledCall, status: number): Reply {
  if (returnsStatus) return answer(status);
  return plan.declaration.answers?.includes("NULL") === true ? returning(null) : refuse("FailNext");
}

/** Makes what the call's effects say, each with the first object among the arguments as its owner. */
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

/** A regular object knows its owner and nothing else; its kind's data type is just that. */
function regularData<K extends keyof ObjectDataByKind>(data: object): ObjectDataByKind[K] {
  return data as ObjectDataByKind[K];
}
