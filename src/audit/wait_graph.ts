// Who waits for what, who holds it, and what keeps the holder from going on: a graph over the calls that have not returned,
// callbacks that run, mappings and delivered packets. It judges nothing: rules that found a wait ask it for what stands behind.
//
// A wait that comes back to itself is a deadlock. One that ends at somebody who waits for nothing that the trace shows is a
// hang. What holds a wait: a mapping that of a delete, callbacks and delivered packets of both ends that of a Disable (of the
// guest's channels that of an unload, and then every mapping), of its own end that of a Pause, the delivered request that of a synchronous request. What keeps a callback from returning are the
// calls that wait inside it; a packet from being completed, its callback; a mapping from being unmapped, the calls in which
// the thread that made it waits.

import { printObject, type Ref } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import { refOf, UNLOAD } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { Deliveries, DeliveryRecord } from "./delivery_states.ts";
import type { CallView, Detector } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import type { GpadlRecord, Gpadls, Mapping } from "./gpadl_states.ts";
import { evidenceOf } from "./join.ts";
import { packetShapeOf } from "./packet_shapes.ts";
import type { PlanShape } from "./plan_shape.ts";
import { placeText } from "./wording.ts";

const STARTED = "EvtVmbChannelStarted";

/** The folds that tell who holds what; one audit shares them. */
export interface HolderFolds {
  readonly channels: ChannelStates;
  readonly gpadls: Gpadls;
  readonly deliveries: Deliveries;
}

/** What stands behind a wait. */
export interface WaitCycle {
  /** As a part of a sentence, from who holds the wait back to the wait itself. */
  readonly text: string;
  /** Each other wait and callback of the cycle, in the order of the cycle. */
  readonly evidence: readonly Evidence[];
}

/** What a wait comes down to. */
export interface WaitEnd {
  /** Other waits behind it, and itself where it waits for itself in the end; by their events. */
  readonly waits: ReadonlySet<number>;
  /** Callbacks and packets that wait for nothing that the trace shows; none: nothing holds it, or only other waits. */
  readonly roots: readonly WaitRoot[];
}

/** What holds a wait and is held by nothing. */
export interface WaitRoot {
  /** Tells it from others. */
  readonly key: string;
  /** As a part of a sentence: what it did not do. */
  readonly text: string;
  readonly evidence: Evidence;
}

/** Somebody or something that a wait can be held by. */
type Node =
  | { readonly form: "call"; readonly call: CallView }
  | { readonly form: "callback"; readonly callback: TraceEvent }
  | { readonly form: "mapping"; readonly mapping: Mapping }
  | { readonly form: "delivery"; readonly delivery: DeliveryRecord };

/** The waits of a trace, as far as it was walked. */
export class WaitGraph {
  readonly #folds: HolderFolds;
  readonly #waits = new Map<number, CallView>();
  readonly #running = new Map<number, TraceEvent>();

  constructor(folds: HolderFolds) {
    this.#folds = folds;
  }

  /** Keeps the graph; it reports nothing. */
  detector(): Detector {
    return {
      listen: (shape) =>
        canWait(shape)
          ? {
            called: (call) => void this.#waits.set(call.event, call),
            returned: (call) => void this.#waits.delete(call.event),
            isOfWaits: true,
          }
          : null,
      hearsCallback: ({ level }) => level === "kmcl",
      callback: (event) => void this.#running.set(event.event, event),
      callbackReturned: (callback) => void this.#running.delete(callback.event),
    };
  }

  /** Calls that wait, oldest first. */
  waiting(): IterableIterator<CallView> {
    return this.#waits.values();
  }

  /** The callback that runs and began at this event, or undefined. */
  running(event: number): TraceEvent | undefined {
    return this.#running.get(event);
  }

  /** The request without a time-out that waits for the completion of this packet; null: none does. */
  requestHeldBy({ sending }: DeliveryRecord): CallView | null {
    const call = sending === null ? undefined : this.#waits.get(sending.sent.event);
    const packet = call === undefined ? null : packetShapeOf(call.shape);
    if (call === undefined || packet?.role !== "request") return null;
    const timeout = call.ins[packet.timeout];
    return Array.isArray(timeout) && timeout.length > 0 ? null : call;
  }

  /** What a call that waits comes down to. */
  endOf(call: CallView): WaitEnd {
    const waits = new Set<number>();
    const roots: WaitRoot[] = [];
    const seen = new Set<string>();
    const left: Node[] = [{ form: "call", call }];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      const behind = this.#heldBy(node);
      const root = behind.length === 0 ? rootOf(node) : null;
      if (root !== null) roots.push(root);
      for (const next of behind) {
        if (next.form === "call") waits.add(next.call.event);
        if (seen.has(keyOf(next))) continue;
        seen.add(keyOf(next));
        left.push(next);
      }
    }
    return { waits, roots };
  }

  /** How a call that waits waits for itself in the end; null: it does not. */
  cycleOf(event: number): WaitCycle | null {
    const call = this.#waits.get(event);
    if (call === undefined) return null;
    const path = this.#pathTo(event, { from: { form: "call", call }, seen: new Set<string>() });
    return path === null ? null : told(path, call);
  }

  /** The shortest way back is not looked for: the first in the order of the trace is. */
  #pathTo(event: number, { from, seen }: { readonly from: Node; readonly seen: Set<string> }): readonly Node[] | null {
    seen.add(keyOf(from));
    for (const next of this.#heldBy(from)) {
      if (next.form === "call" && next.call.event === event) return [];
      if (seen.has(keyOf(next))) continue;
      const rest = this.#pathTo(event, { from: next, seen });
      if (rest !== null) return [next, ...rest];
    }
    return null;
  }

  #heldBy(node: Node): readonly Node[] {
    switch (node.form) {
      case "call":
        return this.#heldCall(node.call);
      case "callback":
        return this.#waitsIn((call) => call.insideCallback === node.callback.event);
      case "mapping": {
        const { actor, mapped: { side } } = node.mapping;
        return this.#waitsIn((call) => call.side === side && call.actor === actor);
      }
      case "delivery":
        return this.#heldDelivery(node.delivery);
    }
  }

  #heldCall(call: CallView): readonly Node[] {
    const { shape } = call;
    if (shape.gpadlVerb === "destroy") return this.#mappings(call);
    if (call.plan.name === UNLOAD) return this.#heldUnload();
    const channel = call.objectAt(shape.at.channel);
    if (channel === null) return [];
    if (packetShapeOf(shape)?.role === "request") return this.#answers(call, channel);
    const peer = this.#folds.channels.find(channel)?.peer?.ref ?? null;
    const ends = shape.channelVerb === "close" && peer !== null ? [channel, peer] : [channel];
    return ends.flatMap((end) => [...this.#callbacksOf(end), ...this.#deliveriesTo(end)]);
  }

  #mappings(call: CallView): readonly Node[] {
    const gpadl = call.objectAt(call.shape.at.gpadl);
    const record = gpadl === null ? undefined : this.#folds.gpadls.find(gpadl);
    return record === undefined ? [] : mappingNodes(record);
  }

  /** Every connection of the guest first; when all are down, every view. */
  #heldUnload(): readonly Node[] {
    const { channels, gpadls } = this.#folds;
    if (channels.unload?.isSent === true) return gpadls.live().flatMap(mappingNodes);
    return [...channels.up()].flatMap(({ ref }) => [...this.#callbacksOf(ref), ...this.#deliveriesTo(ref)]);
  }

  /** Who answers a request: the peer that has it; before that, its own Started has to return, or what the peer works on. */
  #answers(call: CallView, channel: Ref): readonly Node[] {
    const own = [...this.#folds.deliveries.live()].filter(({ sending }) => sending?.sent.event === call.event);
    if (own.length > 0) return own.map((delivery) => ({ form: "delivery", delivery }));
    const starting = this.#callbacksOf(channel).filter(({ callback }) => callback.plan?.name === STARTED);
    if (starting.length > 0) return starting;
    const peer = this.#folds.channels.find(channel)?.peer?.ref ?? null;
    return peer === null ? [] : this.#callbacksOf(peer);
  }

  #callbacksOf(channel: Ref): readonly { readonly form: "callback"; readonly callback: TraceEvent }[] {
    return [...this.#running.values()].filter(({ ins }) => refOf(ins, "channel")?.number === channel.number)
      .map((callback) => ({ form: "callback", callback }));
  }

  #deliveriesTo(channel: Ref): readonly Node[] {
    return [...this.#folds.deliveries.live()].filter((each) => each.channel.number === channel.number)
      .map((delivery) => ({ form: "delivery", delivery }));
  }

  /** Its own callback completes it; when that has returned, nobody knows who does. */
  #heldDelivery({ running }: DeliveryRecord): readonly Node[] {
    const callback = this.#running.get(running);
    return callback === undefined ? [] : [{ form: "callback", callback }];
  }

  #waitsIn(belongs: (call: CallView) => boolean): readonly Node[] {
    return [...this.#waits.values()].filter(belongs).map((call) => ({ form: "call", call }));
  }
}

function mappingNodes(gpadl: GpadlRecord): readonly Node[] {
  return gpadl.mappings.map((mapping) => ({ form: "mapping", mapping }));
}

/** A call that the declarations let wait. */
function canWait({ plan }: PlanShape): boolean {
  return plan.declaration.blocks === true;
}

/** A callback that nobody returns from, a packet that nobody completes; null: a call, or a mapping that has rules of its own. */
function rootOf(node: Node): WaitRoot | null {
  const key = keyOf(node);
  if (node.form === "callback") {
    const { event, plan, side } = node.callback;
    const name = plan?.name ?? "a callback";
    const evidence = { event, role: "running", site: null, call: name, side };
    return { key, text: `${name} @${event} of the ${side} never returned`, evidence };
  }
  if (node.form !== "delivery") return null;
  const { ref, delivered } = node.delivery;
  const text = `${printObject(ref)}, delivered to the ${delivered.side} @${delivered.event}, was never completed`;
  return { key, text, evidence: { ...delivered, role: "holder" } };
}

function keyOf(node: Node): string {
  switch (node.form) {
    case "call":
      return `call ${node.call.event}`;
    case "callback":
      return `callback ${node.callback.event}`;
    case "mapping":
      return `mapping ${node.mapping.mapped.event}`;
    case "delivery":
      return `delivery ${node.delivery.ref.number}`;
  }
}

/** `the server waits in VmbChannelDisable of channel#1 @16, which waits for …, which waits for it`. */
function told(path: readonly Node[], waiting: CallView): WaitCycle {
  const parts = path.flatMap((node, index) =>
    index === 0 && isToldBefore(node) ? [] : [partOf(node, index === 0 ? waiting : callIn(path[index - 1]))]
  );
  const sides = new Set([waiting.side, ...path.map(sideOf)]);
  const where = sides.has("client") && sides.has("server") ? "across both endpoints" : `at the ${waiting.side}`;
  return {
    text: `${parts.join("; ")}; which waits for ${waiting.plan.name} @${waiting.event}: a deadlock ${where}`,
    evidence: path.flatMap(evidenceIn),
  };
}

/** Rules say themselves which mapping or packet a call waits for. */
function isToldBefore({ form }: Node): boolean {
  return form === "mapping" || form === "delivery";
}

function callIn(node: Node | undefined): CallView | null {
  return node?.form === "call" ? node.call : null;
}

function partOf(node: Node, before: CallView | null): string {
  const waits = before === null ? "" : `${before.plan.name} @${before.event} waits for `;
  switch (node.form) {
    case "call": {
      const { call } = node;
      const thread = call.actor === call.side || call.actor === "" ? "" : ` (${call.actor})`;
      return `the ${call.side}${thread} waits in ${call.plan.name} ${placeText(call)}`;
    }
    case "callback": {
      const { plan, event, side } = node.callback;
      return `${waits}${plan?.name ?? "a callback"} @${event} of the ${side} to return`;
    }
    case "mapping":
      return `${waits}the unmap of what the ${node.mapping.mapped.side} mapped ${placeText(node.mapping.mapped)}`;
    case "delivery":
      return `${waits}the completion of ${
        printObject(node.delivery.ref)
      }, delivered to the ${node.delivery.delivered.side} @${node.delivery.delivered.event}`;
  }
}

function sideOf(node: Node): string {
  switch (node.form) {
    case "call":
      return node.call.side;
    case "callback":
      return node.callback.side;
    case "mapping":
      return node.mapping.mapped.side;
    case "delivery":
      return node.delivery.delivered.side;
  }
}

/** Mappings and packets have evidence of their own in what rules tell. */
function evidenceIn(node: Node): readonly Evidence[] {
  if (node.form === "call") return [evidenceOf(node.call, "blocked")];
  if (node.form !== "callback") return [];
  const { event, plan, side } = node.callback;
  return [{ event, role: "running", site: null, call: plan?.name ?? "", side }];
}
