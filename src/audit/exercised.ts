// Which documented clauses a trace shows (`src/api/clauses.ts`): of every call, in which way it was answered; of callbacks,
// where they were raised; of their orders, which were kept. It judges nothing, and asks how things were before a call, so it
// must stand before every detector that keeps states.
//
// A refusal counts for the first thing that is wrong with a call, in the order in which calls are admitted. A call that
// FailNext made fail shows nothing but a documented answer of what runs out, is taken away or is held: the model does so only
// when it is told to.

import {
  answerClause,
  CALLBACK_ORDERS,
  type CallbackName,
  type CallbackOrder,
  type CallName,
  clauseName,
  CLAUSES,
  handleClause,
  hasSucceeded,
  isArray,
  isPrivate,
  isRef,
  isStruct,
  type ParamPlan,
  raisedClause,
  type Ref,
  stateClause,
  statusName,
  SYMBOLS,
  type Value,
} from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import { refOf, wrongEnd } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { Deliveries } from "./delivery_states.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import { isTransmitting, type Packets } from "./packet_states.ts";

/** The folds that tell states; one audit shares them. */
export interface StateFolds {
  readonly channels: ChannelStates;
  readonly packets: Packets;
  readonly deliveries: Deliveries;
}

/** Tells every clause that a trace shows, as `clauseName` names it; one that it shows often is told often. */
export function exerciseDetector(folds: StateFolds, onClause: (name: string) => void): Detector {
  const watch = new Exercised(folds, onClause);
  return {
    called: (call, context) => watch.called(call, context),
    returned: (call) => watch.returned(call),
    callback: (event) => watch.callback(event),
    callbackReturned: (callback, _context, returned) => watch.callbackReturned(callback, returned),
  };
}

const FAIL_NEXT: CallName = "FailNext";
/** Answers that the model has no cause of its own for, in some calls. */
const INJECTED: ReadonlySet<string> = new Set([
  "NULL",
  "STATUS_NO_MEMORY",
  "STATUS_DEVICE_REMOVED",
  "STATUS_GRAPHICS_ALLOCATION_BUSY",
]);
/** In this callback a process is being made. */
const CREATE_PROCESS: CallbackName = "DxgkDdiCreateProcess";

/** What was seen of a call when it began. */
interface Begun {
  readonly isInjected: boolean;
  /** The clauses that it shows if it succeeds, and if it does not. */
  readonly admitted: readonly string[];
  readonly refused: string | null;
  readonly channel: number;
}

class Exercised {
  readonly #folds: StateFolds;
  readonly #onClause: (name: string) => void;
  readonly #faults: { readonly call: string; skip: number }[] = [];
  readonly #levels = new Map<string, number>();
  readonly #begun = new Map<number, Begun>();
  /** States of the processes that the kernel-mode driver knows, by number: no call makes them. */
  readonly #processes = new Map<number, "creating" | "live">();
  readonly #orders: readonly OrderWatch[];

  constructor(folds: StateFolds, onClause: (name: string) => void) {
    this.#folds = folds;
    this.#onClause = onClause;
    this.#orders = Object.entries<CallbackOrder>(CALLBACK_ORDERS).map(([name, order]) => new OrderWatch(name, order));
  }

  called(call: CallView, context: AuditContext): void {
    const isInjected = this.#takeFault(call.plan.name);
    const refused = isInjected ? null : this.#trouble(call, context);
    const begun = {
      isInjected,
      refused,
      admitted: refused === null ? this.#states(call) : [],
      channel: this.#channelOf(call),
    };
    this.#begun.set(call.event, begun);
    if (call.outcome === null || call.succeeded) this.#step(call.plan.name, begun.channel);
  }

  returned(call: CallView): void {
    const begun = this.#begun.get(call.event);
    this.#begun.delete(call.event);
    if (begun === undefined) return;
    this.#answered(call, begun);
    if (!call.succeeded) return;
    this.#step(`${call.plan.name} returned`, begun.channel);
    if (call.plan.name === FAIL_NEXT) {
      this.#faults.push({ call: String(call.in("callName")), skip: call.numberAt(call.shape.in("u32")) });
    }
    const irql = call.shape.in("irql");
    if (irql >= 0) this.#levels.set(String(call.in("sideName")), call.numberAt(irql));
  }

  callback({ plan, side, ins }: TraceEvent): void {
    if (plan === null) return;
    this.#onClause(clauseName(plan.name, raisedClause(side)));
    if (plan.name === CREATE_PROCESS) this.#processes.set(refOf(ins, "process")?.number ?? 0, "creating");
    this.#step(plan.name, refOf(ins, "channel")?.number ?? 0);
  }

  callbackReturned({ plan, ins }: TraceEvent, { outcome }: TraceEvent): void {
    if (plan === null) return;
    const process = refOf(ins, "process")?.number ?? 0;
    if (plan.name === CREATE_PROCESS && hasSucceeded(outcome)) this.#processes.set(process, "live");
    else if (process !== 0) this.#processes.delete(process);
    const text = outcome?.form === "void" ? CLAUSES.returns : hasSucceeded(outcome) ? CLAUSES.succeeds : CLAUSES.fails;
    this.#onClause(clauseName(plan.name, text));
  }

  #answered({ plan, outcome, succeeded, event, returnedAt }: CallView, begun: Begun): void {
    const tell = (text: string) => this.#onClause(clauseName(plan.name, text));
    if (begun.isInjected) {
      const answer = outcome?.form === "status" ? statusName(outcome.status) : "NULL";
      if (INJECTED.has(answer)) tell(answerClause(answer));
      return;
    }
    if (plan.declaration.observes !== undefined) tell(CLAUSES.seen);
    if (succeeded) {
      tell(CLAUSES.succeeds);
      if (returnedAt !== event) tell(CLAUSES.waits);
      begun.admitted.forEach(tell);
    } else if (begun.refused !== null) tell(begun.refused);
    if (outcome?.form === "status" && outcome.status !== 0) tell(answerClause(statusName(outcome.status)));
  }

  /** As the model counts them: each planned fault the calls of its name; the oldest that is due strikes. */
  #takeFault(name: string): boolean {
    if (this.#faults.length === 0) return false;
    const own = this.#faults.filter(({ call }) => call === name);
    const due = own.find(({ skip }) => skip === 0);
    for (const fault of own) if (fault.skip > 0) fault.skip -= 1;
    if (due === undefined) return false;
    this.#faults.splice(this.#faults.indexOf(due), 1);
    return true;
  }

  /** The first thing that is wrong with a call, as its clause; null: nothing that a table names. */
  #trouble(call: CallView, context: AuditContext): string | null {
    const { plan, side, ins } = call;
    if (wrongEnd(call) !== null) return CLAUSES.wrongEnd;
    const level = this.#levels.get(side) ?? SYMBOLS.irql.PASSIVE_LEVEL;
    const isRefused = context.header.options["irql-violation"] !== "allow";
    if (plan.declaration.irql !== undefined && level > SYMBOLS.irql.PASSIVE_LEVEL && isRefused) {
      return CLAUSES.aboveIrql;
    }
    for (const [index, param] of plan.ins.entries()) {
      const trouble = this.#handleTrouble(param, ins[index] ?? null, { path: param.name, side, context });
      if (trouble !== null) return trouble;
    }
    return this.#stateTrouble(call);
  }

  #handleTrouble(
    param: ParamPlan,
    value: Value,
    at: { readonly path: string; readonly side: string; readonly context: AuditContext },
  ): string | null {
    if (isArray(value)) return first(value, (each) => this.#handleTrouble(param, each, at));
    if (param.kind === null) {
      if (!isStruct(value)) return null;
      const members = param.members.filter(({ goesIn }) => goesIn);
      return first(
        members,
        (member) =>
          this.#handleTrouble(member, value[member.name] ?? null, { ...at, path: `${at.path}.${member.name}` }),
      );
    }
    if (value === null) {
      return param.optional || param.direction === "inout" ? null : handleClause(at.path, "null");
    }
    if (!isRef(value)) return handleClause(at.path, "unknown");
    const owner = this.#ownerOf(value, at.context);
    if (owner === null) return handleClause(at.path, "dead");
    const isForeign = isPrivate(value.kind) && owner !== at.side && !PRIVILEGED.has(at.side);
    return isForeign ? handleClause(at.path, "foreign") : null;
  }

  /** The side that a live object belongs to; null: it is gone. */
  #ownerOf(ref: Ref, { objects }: AuditContext): string | null {
    if (ref.kind === "process") return this.#processes.has(ref.number) ? "kmd" : null;
    if (ref.kind !== "completion") return objects.sideOf(ref.kind, ref.number) ?? null;
    const delivery = this.#folds.deliveries.find(ref);
    const end = delivery === undefined ? undefined : this.#folds.channels.find(delivery.channel);
    return end === undefined ? null : end.isServer ? "server" : "client";
  }

  #stateTrouble(call: CallView): string | null {
    return first(
      this.#needed(call),
      ({ name, state, isAdmitted }) => isAdmitted ? null : stateClause(name, state, false),
    );
  }

  #states(call: CallView): readonly string[] {
    return this.#needed(call).map(({ name, state }) => stateClause(name, state, true));
  }

  /** The objects of which a call needs states, with the state that each is in. */
  #needed({ plan, ins }: CallView): readonly { name: string; state: string; isAdmitted: boolean }[] {
    const { needs = {} } = plan.declaration;
    return plan.ins.flatMap(({ name }, index) => {
      const states = needs[name];
      const value = ins[index];
      const state = states !== undefined && isRef(value) ? this.#stateOf(value) : null;
      return states === undefined || state === null ? [] : [{ name, state, isAdmitted: states.includes(state) }];
    });
  }

  #stateOf(ref: Ref): string | null {
    const { channels, packets } = this.#folds;
    if (ref.kind === "channel") return channels.find(ref)?.state ?? null;
    if (ref.kind === "process") return this.#processes.get(ref.number) ?? null;
    const packet = ref.kind === "packet" ? packets.find(ref) : undefined;
    if (packet === undefined) return null;
    if (packet.flight === null) return packet.wasUsed ? "completed" : "allocated";
    const end = packets.channelOf(packet);
    return end !== undefined && isTransmitting(end) ? "sent" : "queued";
  }

  #channelOf(call: CallView): number {
    const named = call.objectAt(call.shape.at.channel);
    if (named !== null) return named.number;
    const completion = call.object("completion");
    return completion === null ? 0 : this.#folds.deliveries.find(completion)?.channel.number ?? 0;
  }

  #step(word: string, channel: number): void {
    if (channel === 0) return;
    for (const order of this.#orders) {
      if (!order.take(word, channel)) continue;
      const end = this.#folds.channels.numbered(channel);
      if (end !== undefined) {
        this.#onClause(clauseName(order.name, `kept at the ${end.isServer ? "server" : "client"}`));
      }
    }
  }
}

const PRIVILEGED: ReadonlySet<string> = new Set(["gpu", "machine", "kmd"]);

function first<T, R>(list: readonly T[], find: (each: T) => R | null): R | null {
  for (const each of list) {
    const found = find(each);
    if (found !== null) return found;
  }
  return null;
}

/** How far each channel has come in one order. */
class OrderWatch {
  readonly name: string;
  readonly #steps: readonly string[];
  readonly #without: readonly string[];
  readonly #done = new Map<number, number>();

  constructor(name: string, { steps, without = [] }: CallbackOrder) {
    this.name = name;
    this.#steps = steps;
    this.#without = without;
  }

  /** Takes what happened at a channel; whether the order is complete with it. */
  take(word: string, channel: number): boolean {
    if (this.#without.includes(word)) this.#done.delete(channel);
    if (!this.#steps.includes(word)) return false;
    const done = this.#done.get(channel) ?? 0;
    if (word === this.#steps[done]) {
      const isWhole = done + 1 === this.#steps.length;
      this.#done.set(channel, isWhole ? (word === this.#steps[0] ? 1 : 0) : done + 1);
      return isWhole;
    }
    if (done === 0 || word !== this.#steps[done - 1]) this.#done.set(channel, word === this.#steps[0] ? 1 : 0);
    return false;
  }
}
