// An automaton of one endpoint's callbacks, written from kmcl.md 1.3 alone: it follows a trace and says where an order is not kept.
// It knows neither engine nor audit, as both are what it checks.

import { type CallPlan, isRef, isStruct, STATUS, type Value } from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";

/** Where an endpoint is: `on` is between Started's return and PostStarted, `stopped` is opened and not running. */
type Phase =
  | "closed"
  | "opening"
  | "stopped"
  | "starting"
  | "on"
  | "posting"
  | "running"
  | "suspending"
  | "closing";

/** The state-change callbacks: from where each begins, where its driver is in it, and where it is afterwards. */
const STEPS: ReadonlyMap<string, { readonly from: Phase; readonly during: Phase; readonly after: Phase }> = new Map([
  ["EvtVmbChannelOpened", { from: "closed", during: "opening", after: "stopped" }],
  ["EvtVmbChannelStarted", { from: "stopped", during: "starting", after: "on" }],
  ["EvtVmbChannelPostStarted", { from: "on", during: "posting", after: "running" }],
  ["EvtVmbChannelSuspend", { from: "running", during: "suspending", after: "stopped" }],
  ["EvtVmbChannelClosed", { from: "stopped", during: "closing", after: "closed" }],
]);
const QUEUE_ON: ReadonlySet<Phase> = new Set(["on", "posting", "running"]);
const CLOSED: ReadonlySet<Phase> = new Set(["closed"]);
const PAUSED: ReadonlySet<Phase> = new Set(["closed", "stopped", "opening", "closing"]);
const PACKETS: ReadonlySet<string> = new Set(["EvtVmbChannelProcessPacket", "EvtVmbChannelProcessingComplete"]);

interface Endpoint {
  readonly name: string;
  readonly isServer: boolean;
  /** The state-change callbacks that it has: others happen unseen. */
  registered: ReadonlySet<string>;
  phase: Phase;
  isActive: boolean;
  /** Pauses that have not returned. */
  pauses: number;
  opens: number;
  /** Suspends that began. */
  suspends: number;
  /** Packet callbacks that run. */
  packets: number;
  /** Delivered packets that were not completed. */
  readonly outstanding: Set<number>;
}

/** A Pause or a Disable that has not returned. */
interface Wait {
  readonly plan: CallPlan;
  readonly end: Endpoint;
  readonly ran: boolean;
  readonly suspends: number;
}

/** What of kmcl.md 1.3 a trace shows, and what of it does not hold. */
export class CallbackOrder {
  readonly troubles: string[] = [];
  /** The cases that came up, so that a test can ask whether all did. */
  readonly seen = new Set<string>();
  readonly #ends = new Map<number, Endpoint>();
  /** Who has a delivered packet, by its completion's number. */
  readonly #packets = new Map<number, Endpoint>();
  readonly #callbacks = new Map<number, Endpoint>();
  readonly #waits = new Map<number, Wait>();

  /** Follows the next event. */
  add(event: TraceEvent): void {
    const { kind, plan } = event;
    if (plan === null) return;
    if (kind === "callback") this.#begin(event, plan);
    else if (kind === "return") this.#end(event, plan);
    else if (kind === "call" || kind === "enter") this.#call(event, plan);
    else if (kind === "leave") this.#leave(event);
  }

  /** Where every endpoint was left. */
  finish(): readonly string[] {
    for (const end of this.#ends.values()) {
      const isLeft = !reach(end, CLOSED) || end.outstanding.size > 0;
      if (isLeft) this.troubles.push(`${end.name} is left ${end.phase} with ${end.outstanding.size} packets`);
    }
    return this.troubles;
  }

  #endOf(value: Value | undefined): Endpoint | undefined {
    return value !== undefined && isRef(value) && value.kind === "channel" ? this.#ends.get(value.number) : undefined;
  }

  #begin({ event, ins }: TraceEvent, { name }: CallPlan): void {
    const end = this.#endOf(ins[0]);
    if (end === undefined) return;
    this.#callbacks.set(event, end);
    const say = (what: string) => void this.troubles.push(`@${event} ${name} of ${end.name} ${what}`);
    if (PACKETS.has(name)) this.#beginPacket(end, { packet: ins[1], say });
    const step = STEPS.get(name);
    if (step === undefined) return;
    if (!reach(end, new Set([step.from]))) say(`begins while ${end.phase}, wanted ${step.from}`);
    if (name === "EvtVmbChannelStarted") {
      // A Pause may come when the start is under way already: then it waits for the Suspend that follows.
      if (!end.isActive && end.pauses === 0) say("begins while paused");
      this.seen.add(`${end.isServer ? "server" : "client"} started`);
      if (end.suspends > 0) this.seen.add("started again");
      if (end.opens > 1) this.seen.add("started after a reopen");
    }
    if (name === "EvtVmbChannelSuspend") {
      end.suspends += 1;
      if (end.packets > 0) say("begins while a packet callback runs");
      if (end.outstanding.size > 0) this.seen.add("suspended with packets outstanding");
    }
    if (name === "EvtVmbChannelClosed" && end.outstanding.size > 0) say(`begins, ${end.outstanding.size} outstanding`);
    if (name === "EvtVmbChannelOpened") {
      end.opens += 1;
      this.seen.add(end.isActive ? "opened while active" : "opened while paused");
    }
    end.phase = step.during;
  }

  #beginPacket(
    end: Endpoint,
    { packet, say }: { readonly packet: Value | undefined; readonly say: (what: string) => void },
  ): void {
    if (!reach(end, QUEUE_ON)) say(`begins while ${end.phase}`);
    this.seen.add(`packet while ${end.phase}`);
    end.packets += 1;
    if (packet === undefined || !isRef(packet)) return;
    end.outstanding.add(packet.number);
    this.#packets.set(packet.number, end);
  }

  #end({ of, outcome }: TraceEvent, { name }: CallPlan): void {
    const end = this.#callbacks.get(of);
    if (end === undefined) return;
    if (PACKETS.has(name)) end.packets -= 1;
    const isFailure = outcome?.form === "status" && outcome.status !== STATUS.STATUS_SUCCESS;
    const step = STEPS.get(name);
    if (step !== undefined) end.phase = isFailure ? "closed" : step.after;
  }

  #call(call: TraceEvent, plan: CallPlan): void {
    const { event, kind, ins, outs, outcome } = call;
    if (outcome?.form === "refused" || (outcome?.form === "status" && outcome.status !== STATUS.STATUS_SUCCESS)) return;
    if (plan.name === "VmbChannelAllocate") return this.#allocated(outs[0], ins[1] === true);
    if (plan.name === "VmbChannelPacketComplete") return this.#completed(ins[0]);
    const end = this.#endOf(ins[0]);
    if (end === undefined) return;
    if (plan.name === "VmbChannelInitSetStateChangeCallbacks") end.registered = registeredIn(ins[1]);
    if (plan.name === "VmbChannelEnable") end.isActive = !end.isServer;
    if (plan.name === "VmbChannelStart") end.isActive = true;
    if (plan.name !== "VmbChannelPause" && plan.name !== "VmbChannelDisable") return;
    if (plan.name === "VmbChannelPause") {
      end.isActive = false;
      end.pauses += 1;
    }
    const ran = QUEUE_ON.has(end.phase) || end.phase === "starting";
    this.#waits.set(event, { plan, end, ran, suspends: end.suspends });
    this.seen.add(`${plan.name} while ${ran ? "running" : "not running"}`);
    if (kind === "call") this.#returned(event);
  }

  #allocated(value: Value | undefined, isServer: boolean): void {
    if (value === undefined || !isRef(value)) return;
    this.#ends.set(value.number, {
      name: `channel#${value.number} (${isServer ? "server" : "client"})`,
      isServer,
      phase: "closed",
      registered: new Set(),
      isActive: false,
      pauses: 0,
      opens: 0,
      suspends: 0,
      packets: 0,
      outstanding: new Set(),
    });
  }

  #completed(value: Value | undefined): void {
    if (value === undefined || !isRef(value)) return;
    this.#packets.get(value.number)?.outstanding.delete(value.number);
    this.#packets.delete(value.number);
  }

  #leave({ of }: TraceEvent): void {
    this.#returned(of);
  }

  /** A Pause returns after Suspend and with nothing outstanding; a Disable when the endpoint has closed. */
  #returned(event: number): void {
    const wait = this.#waits.get(event);
    if (wait === undefined) return;
    this.#waits.delete(event);
    const { plan, end, ran, suspends } = wait;
    const say = (what: string) => void this.troubles.push(`@${event} ${plan.name} of ${end.name} returns ${what}`);
    if (plan.name === "VmbChannelDisable") return reach(end, CLOSED) ? undefined : say(`while ${end.phase}`);
    end.pauses -= 1;
    if (ran && end.suspends === suspends) say("without a Suspend");
    if (!reach(end, PAUSED)) say(`while ${end.phase}`);
    if (ran && end.outstanding.size > 0) say(`with ${end.outstanding.size} packets outstanding`);
  }
}

/** Moves an endpoint through callbacks that it does not have, until it is where it has to be; false: it cannot come there. */
function reach(end: Endpoint, wanted: ReadonlySet<Phase>): boolean {
  let { phase } = end;
  for (const _ of STEPS) {
    if (wanted.has(phase)) {
      end.phase = phase;
      return true;
    }
    const unseen = [...STEPS].filter(([name, { from }]) => from === phase && !end.registered.has(name));
    // Opened and stopped an endpoint may start or close: what it is wanted for says which.
    const [next] = unseen.length > 1 && wanted.has("closed") ? unseen.slice(1) : unseen;
    if (next === undefined) return false;
    phase = next[1].after;
  }
  return wanted.has(phase);
}

function registeredIn(value: Value | undefined): ReadonlySet<string> {
  const callbacks = value === undefined || !isStruct(value) ? {} : value;
  const given = Object.entries(callbacks).filter(([, member]) => member === true);
  return new Set(given.map(([member]) => member.replace(/^EvtChannel/, "EvtVmbChannel")));
}
