// Packet objects, folded from calls that succeeded, completion routines and deliveries: made, sent, completed, freed; and
// what an endpoint was told about sizes. It judges nothing. Of the dead only the newest are kept, as numbers.
//
// A packet with the default routine is freed without an event. The trace proves that it was where the packet went into a
// ring that had nothing else in it, where its peer was seen to receive it, or, with WAIT_FOR_COMPLETION, to complete it and
// the completion had nothing before it in the ring.

import { type CallName, isRef, type Ref } from "../api/mod.ts";
import type { TraceEvent, TraceHeader } from "../trace/mod.ts";
import { refOf } from "./call_shapes.ts";
import type { ChannelRecord, ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { NewestRows } from "./newest_rows.ts";
import { PacketQueue, type Sending } from "./packet_queue.ts";
import { type PacketShape, WAIT_FOR_COMPLETION } from "./packet_shapes.ts";

/** The setters of sizes: no effect tells them. */
export const SET_PACKET_SIZE: CallName = "VmbChannelInitSetMaximumPacketSize";
/** See `SET_PACKET_SIZE`. */
export const SET_EXTERNAL_DATA: CallName = "VmbChannelInitSetMaximumExternalData";

/** One packet object. */
export interface PacketRecord {
  readonly ref: Ref;
  /** The channel's number, 0: not known. */
  readonly channel: number;
  readonly side: string;
  readonly created: Evidence;
  /** By VmbPacketAllocate, and not in the caller's memory. */
  readonly isAllocated: boolean;
  routine: "default" | "none" | "driver";
  /** Its transaction, until that ends. */
  flight: Sending | null;
  /** It was sent, or restored. */
  wasUsed: boolean;
}

/** How a packet object ended; `channel-gone`: it is in the caller's memory, and what it was for is no more. */
export type PacketEnd = "freed" | "default-routine" | "replaced" | "channel-gone";
const ENDS: readonly PacketEnd[] = ["freed", "default-routine", "replaced", "channel-gone"];
const DEAD = { event: 0, how: 1 } as const;

/** What is known of one endpoint's packets; null: not known. */
export interface Traffic {
  maximumPacketBytes: number | null;
  maximumExternalBytes: number | null;
  maximumChainLength: number | null;
  readonly queue: PacketQueue;
  readonly packets: Set<PacketRecord>;
  /** Completed by the peer, where a completion may not have arrived. */
  completing: Sending[];
  /** A ProcessPacket runs. */
  isDelivering: boolean;
}

/** All packet objects. */
export class Packets {
  readonly #channels: ChannelStates;
  readonly #defaults: Pick<Traffic, "maximumPacketBytes" | "maximumExternalBytes" | "maximumChainLength">;
  readonly #live = new Map<number, PacketRecord>();
  readonly #dead = new NewestRows(2);
  readonly #traffic = new Map<number, Traffic>();
  /** Sends and requests that have not returned. */
  readonly #waiting = new Map<number, Sending>();

  constructor(channels: ChannelStates, { maker, options }: TraceHeader) {
    const known = (name: keyof typeof options) => maker === "engine" ? Number(options[name]) : null;
    this.#channels = channels;
    this.#defaults = {
      maximumPacketBytes: known("maximum-packet-size"),
      maximumExternalBytes: known("maximum-external-data"),
      maximumChainLength: known("maximum-external-chain"),
    };
  }

  /** The record of a live one; undefined where its creation was not seen. */
  find(ref: Ref): PacketRecord | undefined {
    return this.#live.get(ref.number);
  }

  /** How and at which event a dead one ended; null: it lives, or is not known any more. */
  endOf({ number }: Ref): { readonly event: number; readonly how: PacketEnd } | null {
    const row = this.#dead.find(number);
    if (row < 0) return null;
    return { event: this.#dead.at(row, DEAD.event), how: ENDS[this.#dead.at(row, DEAD.how)] ?? "freed" };
  }

  /** Live ones, oldest first. */
  live(): IterableIterator<PacketRecord> {
    return this.#live.values();
  }

  /** What is known of an endpoint. */
  trafficOf(channel: number): Traffic {
    const known = this.#traffic.get(channel);
    if (known !== undefined) return known;
    const made: Traffic = {
      ...this.#defaults,
      queue: new PacketQueue(),
      packets: new Set<PacketRecord>(),
      completing: [],
      isDelivering: false,
    };
    this.#traffic.set(channel, made);
    return made;
  }

  /** The endpoint that a packet belongs to, while it lives and is known. */
  channelOf({ channel }: PacketRecord): ChannelRecord | undefined {
    return this.#channels.numbered(channel);
  }

  /** Takes a setter of sizes that succeeded. */
  configured(call: CallView): void {
    const channel = call.objectAt(call.shape.at.channel);
    if (channel === null || !call.succeeded) return;
    const traffic = this.trafficOf(channel.number);
    const bytes = call.numberAt(call.shape.at.byteCount);
    if (call.plan.name === SET_PACKET_SIZE) traffic.maximumPacketBytes = bytes;
    else {
      traffic.maximumExternalBytes = bytes;
      traffic.maximumChainLength = call.numberAt(call.shape.in("u32"));
    }
  }

  /**
   * Takes the beginning of a send or a request, whole or waiting: what it sends may arrive before it returns. Of an endpoint
   * from before the trace nobody knows whether it transmits.
   */
  called(call: CallView, shape: PacketShape, context: AuditContext): void {
    if (shape.role !== "send" && shape.role !== "request") return;
    if (call.outcome !== null && !call.succeeded) return;
    const ref = call.objectAt(shape.packet);
    const packet = ref === null ? null : this.find(ref) ?? null;
    const end = packet === null ? this.#channels.find(call.objectAt(call.shape.at.channel)) : this.channelOf(packet);
    if (shape.role === "send" && packet === null) return;
    const sending = this.#send(call, shape, { packet, end });
    if (call.outcome === null) this.#waiting.set(call.event, sending);
    if (end === undefined) return;
    if (packet?.routine === "default" && !sending.waits && !sending.isQueued && this.#isAlone(end)) {
      this.#end(packet, { event: call.event, how: "default-routine", context });
    }
    this.trafficOf(end.ref.number).queue.push(sending);
  }

  /** Takes a call that returned. */
  returned(call: CallView, shape: PacketShape, context: AuditContext): void {
    const sending = this.#waiting.get(call.event);
    if (sending !== undefined) this.#sendReturned(call, sending);
    if (!call.succeeded) return;
    const { role } = shape;
    if (role === "allocate" || role === "initialize") return this.#created(call, shape, context);
    const ref = call.objectAt(shape.packet);
    const packet = ref === null ? undefined : this.find(ref);
    if (packet === undefined) return;
    if (role === "free") this.#end(packet, { event: call.returnedAt, how: "freed", context });
    else if (role === "set-routine") packet.routine = "driver";
    else if (role === "restore") this.#restored(call, packet);
  }

  /** A completion routine begins: the transaction is over. */
  completionRoutine({ ins }: TraceEvent): void {
    const ref = refOf(ins, "packet");
    const packet = ref === null ? undefined : this.find(ref);
    const sending = packet?.flight;
    if (packet === undefined || sending == null) return;
    packet.flight = null;
    // One that waits ends undelivered where its channel went down.
    if (sending.waits && !sending.isDelivered) sending.isGone = true;
  }

  /** A packet arrived at this end: whose it is, or null. */
  delivered(receiver: ChannelRecord, bytes: Uint8Array, context: AuditContext): Sending | null {
    const sender = receiver.peer;
    if (sender === null) return null;
    const sending = this.#traffic.get(sender.ref.number)?.queue.take(bytes) ?? null;
    if (sending !== null && !sending.waits) this.#over(sending, sending.sent.event, context);
    return sending;
  }

  /** The peer completed it: over at once where nothing stands before the completion in the ring. */
  completed(sending: Sending, event: number, context: AuditContext): void {
    const { packet } = sending;
    if (!sending.waits || packet === null || packet.routine !== "default") return;
    if (this.channelOf(packet) === undefined) return;
    sending.isCompleted = true;
    this.trafficOf(packet.channel).completing.push(sending);
    this.#arrived(packet.channel, event, context);
  }

  /** A ProcessPacket of this end began. */
  deliveryBegan({ ref }: ChannelRecord): void {
    this.trafficOf(ref.number).isDelivering = true;
  }

  /** And returned. */
  deliveryReturned({ ref }: ChannelRecord, event: number, context: AuditContext): void {
    this.trafficOf(ref.number).isDelivering = false;
    this.#arrived(ref.number, event, context);
  }

  /** A channel was cleaned up: packets that nobody has to free end with it, the others are returned. */
  channelEnded(channel: Ref, event: number, context: AuditContext): readonly PacketRecord[] {
    const packets = [...this.#traffic.get(channel.number)?.packets ?? []];
    this.#traffic.delete(channel.number);
    return packets.filter((packet) => {
      if (mustBeFreed(packet)) return true;
      this.#end(packet, { event, how: packet.isAllocated ? "default-routine" : "channel-gone", context });
      return false;
    });
  }

  /** Completions that came to an end which has nothing else to read have arrived, unless the connection goes down. */
  #arrived(channel: number, event: number, context: AuditContext): void {
    const traffic = this.trafficOf(channel);
    if (traffic.isDelivering || traffic.completing.length === 0) return;
    const end = this.#channels.numbered(channel);
    if (end === undefined || !end.isUp || end.isClosing) return;
    const { peer } = end;
    if (peer !== null && this.#traffic.get(peer.ref.number)?.queue.isEmpty === false) return;
    const { completing } = traffic;
    traffic.completing = [];
    for (const sending of completing) this.#over(sending, event, context);
  }

  #isAlone({ ref }: ChannelRecord): boolean {
    return this.trafficOf(ref.number).queue.isEmpty;
  }

  #send(
    call: CallView,
    shape: PacketShape,
    { packet, end }: { readonly packet: PacketRecord | null; readonly end: ChannelRecord | undefined },
  ): Sending {
    const bytes = call.ins[shape.buffer];
    const sending: Sending = {
      packet,
      sent: evidenceOf(call, "sent"),
      waits: packet === null || (call.numberAt(shape.flags) & WAIT_FOR_COMPLETION) !== 0,
      bytes: bytes instanceof Uint8Array ? bytes : null,
      length: call.numberAt(shape.length),
      isQueued: end !== undefined && !isTransmitting(end),
      connection: end?.connection ?? 0,
      isRestored: false,
      isDelivered: false,
      isCompleted: false,
      isGone: false,
      next: null,
    };
    if (packet !== null) {
      packet.flight = sending;
      packet.wasUsed = true;
    }
    return sending;
  }

  /** Its transaction goes on where it was saved. */
  #restored(call: CallView, packet: PacketRecord): void {
    packet.wasUsed = true;
    packet.flight = {
      packet,
      sent: evidenceOf(call, "restored"),
      waits: false,
      bytes: null,
      length: 0,
      isQueued: false,
      connection: 0,
      isRestored: true,
      isDelivered: false,
      isCompleted: false,
      isGone: false,
      next: null,
    };
  }

  #sendReturned(call: CallView, sending: Sending): void {
    this.#waiting.delete(call.event);
    if (call.succeeded) return;
    if (!sending.isDelivered) sending.isGone = true;
    if (sending.packet?.flight === sending) sending.packet.flight = null;
  }

  #created(call: CallView, { role, packet: place }: PacketShape, context: AuditContext): void {
    const given = call.objectAt(place);
    const replaced = given === null ? undefined : this.find(given);
    const [subject] = call.shape.creates;
    const made = subject?.subject.from === "return" ? call.out("return") : refOf(call.outs, "packet");
    if (made === undefined || !isRef(made) || made.number === replaced?.ref.number) return;
    if (replaced !== undefined) this.#end(replaced, { event: call.returnedAt, how: "replaced", context });
    const isAllocated = role === "allocate";
    const channel = call.objectAt(call.shape.at.channel)?.number ?? 0;
    const record: PacketRecord = {
      ref: made,
      channel,
      side: call.side,
      created: evidenceOf(call, "created"),
      isAllocated,
      routine: isAllocated ? "default" : "none",
      flight: null,
      wasUsed: false,
    };
    this.#live.set(made.number, record);
    if (channel !== 0) this.trafficOf(channel).packets.add(record);
    context.pairing.start("packet");
  }

  /** A transaction ended without the driver's routine. */
  #over(sending: Sending, event: number, context: AuditContext): void {
    const { packet } = sending;
    if (packet === null || packet.routine !== "default" || this.#live.get(packet.ref.number) !== packet) return;
    if (packet.flight === sending) {
      this.#end(packet, { event, how: "default-routine", context });
    }
  }

  #end(
    packet: PacketRecord,
    { event, how, context }: { readonly event: number; readonly how: PacketEnd; readonly context: AuditContext },
  ): void {
    this.#live.delete(packet.ref.number);
    this.#traffic.get(packet.channel)?.packets.delete(packet);
    packet.flight = null;
    const row = this.#dead.row(packet.ref.number);
    this.#dead.put(row, DEAD.event, event);
    this.#dead.put(row, DEAD.how, ENDS.indexOf(how));
    context.pairing.pair("packet");
    // VmbPacketFree has its effect in the table of objects already.
    if (how !== "freed") context.objects.end(packet.ref, event);
  }
}

/** Whether what an endpoint sends goes into its ring: from Started's return to Suspend (kmcl.md 1.3). */
export function isTransmitting({ phase, awaited }: ChannelRecord): boolean {
  return (phase === "starting" || phase === "running") && awaited !== "EvtVmbChannelSuspend";
}

/** Allocated, and the default routine will not free it. */
export function mustBeFreed({ isAllocated, routine, flight }: PacketRecord): boolean {
  return isAllocated && (routine !== "default" || flight === null);
}
