// Delivered packets, folded from ProcessPacket callbacks and the calls on their contexts: delivered, deferred, failed,
// completed; and how many each endpoint has outstanding. It judges nothing. Of the dead only the newest are kept.

import { type CallName, type Ref, STATUS } from "../api/mod.ts";
import type { TraceEvent, TraceHeader } from "../trace/mod.ts";
import { refOf } from "./call_shapes.ts";
import type { ChannelRecord, ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { NewestRows } from "./newest_rows.ts";
import type { Sending } from "./packet_queue.ts";
import { PROCESS_PACKET } from "./packet_shapes.ts";
import type { Packets } from "./packet_states.ts";
import type { PlanShape } from "./plan_shape.ts";

/** The calls on a delivered packet that no effect tells from each other. */
export const DEFER: CallName = "VmbChannelPacketDeferToPassive";
/** See `DEFER`. */
export const FAIL: CallName = "VmbChannelPacketFail";

/** What a call does with a delivered packet. */
export type DeliveryRole = "complete" | "defer" | "fail" | "external-data";

/** The role of a call, or null: it is not about a delivered packet. */
export function deliveryRoleOf(shape: PlanShape): DeliveryRole | null {
  const { plan } = shape;
  if (plan.isCallback || !shape.names("completion")) return null;
  if (shape.verbOn("completion") === "destroy") return "complete";
  if (shape.verbOn("mdl") === "create") return "external-data";
  if (plan.name === DEFER) return "defer";
  return plan.name === FAIL ? "fail" : null;
}

/** One delivered packet. */
export interface DeliveryRecord {
  readonly ref: Ref;
  /** The receiving channel. */
  readonly channel: Ref;
  readonly delivered: Evidence;
  readonly hasExternalData: boolean;
  /** What was delivered, null: its sender was not seen. */
  readonly sending: Sending | null;
  /** The ProcessPacket that runs with it, 0: none. */
  running: number;
  /** A call put it back, or was answered STATUS_PENDING: it will be delivered again. */
  deferred: Evidence | null;
  pending: Evidence | null;
  failed: Evidence | null;
  /** It was deferred once: from then on at PASSIVE_LEVEL. */
  wasDeferred: boolean;
  mdls: readonly Ref[];
}

/** How a delivered packet ended. */
export type DeliveryEnd = "completed" | "failed";
const DEAD = { event: 0, isFailed: 1 } as const;
const MDL = { completion: 0, event: 1 } as const;

/** A quota that was raised while it held the queue, and the completion that has not come since. */
export interface Raise {
  readonly raised: Evidence;
  readonly from: number;
  readonly to: number;
  readonly channel: Ref;
}

interface Receiver {
  outstanding: number;
  /** 0: none. */
  quota: number;
  raise: Raise | null;
  failed: Evidence | null;
  /** The connection in which it failed. */
  failedIn: number;
}

/** All delivered packets. */
export class Deliveries {
  readonly #channels: ChannelStates;
  readonly #packets: Packets;
  readonly #quota: number;
  readonly #failEnds: boolean;
  readonly #live = new Map<number, DeliveryRecord>();
  readonly #dead = new NewestRows(2);
  readonly #deadMdls = new NewestRows(2);
  readonly #mdls = new Map<number, DeliveryRecord>();
  readonly #receivers = new Map<number, Receiver>();

  constructor({ channels, packets, header }: {
    readonly channels: ChannelStates;
    readonly packets: Packets;
    readonly header: TraceHeader;
  }) {
    this.#channels = channels;
    this.#packets = packets;
    this.#quota = header.maker === "engine" ? Number(header.options["transaction-quota"]) || 0 : 0;
    this.#failEnds = header.options["fail-then-complete"] === "ends";
  }

  /** The record of a live one; undefined where its delivery was not seen. */
  find(ref: Ref): DeliveryRecord | undefined {
    return this.#live.get(ref.number);
  }

  /** How and at which event a dead one ended; null: it lives, or is not known any more. */
  endOf({ number }: Ref): { readonly event: number; readonly how: DeliveryEnd } | null {
    const row = this.#dead.find(number);
    if (row < 0) return null;
    return {
      event: this.#dead.at(row, DEAD.event),
      how: this.#dead.at(row, DEAD.isFailed) === 1 ? "failed" : "completed",
    };
  }

  /** Outstanding ones, oldest first. */
  live(): IterableIterator<DeliveryRecord> {
    return this.#live.values();
  }

  /** The delivered packet that an MDL belongs to, while both live. */
  ofMdl({ number }: Ref): DeliveryRecord | undefined {
    return this.#mdls.get(number);
  }

  /** The completion's number and the event that ended it, of an MDL that went with it; null: it is none. */
  deadMdl({ number }: Ref): { readonly completion: number; readonly event: number } | null {
    const row = this.#deadMdls.find(number);
    if (row < 0) return null;
    return { completion: this.#deadMdls.at(row, MDL.completion), event: this.#deadMdls.at(row, MDL.event) };
  }

  /** Where a queue was stopped that has not closed since; null: it runs. */
  stoppedBy(channel: Ref): Evidence | null {
    const receiver = this.#receivers.get(channel.number);
    if (receiver === undefined || receiver.failed === null) return null;
    return this.#channels.find(channel)?.connection === receiver.failedIn ? receiver.failed : null;
  }

  /** Takes a delivery; a packet that was put back is delivered again. */
  callback(event: TraceEvent, context: AuditContext): DeliveryRecord | null {
    const ref = refOf(event.ins, "completion");
    const channel = refOf(event.ins, "channel");
    if (ref === null || channel === null) return null;
    const known = this.#live.get(ref.number);
    // One that was deferred, and completed before it came again: it is over.
    if (known === undefined && this.#dead.find(ref.number) >= 0) return null;
    const record = known ?? this.#delivered(event, { ref, channel, context });
    record.running = event.event;
    record.deferred = null;
    record.pending = null;
    if (known === undefined) this.#receiverOf(channel).raise = null;
    const end = this.#channels.find(channel);
    if (end !== undefined) this.#packets.deliveryBegan(end);
    return record;
  }

  /** Takes the return of a delivery. */
  callbackReturned({ ins, event, plan }: TraceEvent, returnedAt: number, context: AuditContext): void {
    if (plan?.name !== PROCESS_PACKET) return;
    const ref = refOf(ins, "completion");
    const record = ref === null ? undefined : this.#live.get(ref.number);
    if (record?.running === event) record.running = 0;
    const end = this.#channels.find(refOf(ins, "channel"));
    if (end !== undefined) this.#packets.deliveryReturned(end, returnedAt, context);
  }

  /** Takes a call on a delivered packet that returned. */
  returned(call: CallView, role: DeliveryRole, context: AuditContext): void {
    const ref = call.object("completion");
    const record = ref === null ? undefined : this.#live.get(ref.number);
    if (record === undefined || !call.succeeded) return;
    switch (role) {
      case "complete":
        return this.#end(record, { event: call.returnedAt, how: "completed", context });
      case "defer":
        record.deferred = evidenceOf(call, "deferred");
        record.wasDeferred = true;
        return;
      case "fail":
        return this.#failed(record, call, context);
      case "external-data":
        if (call.outcome?.form === "status" && call.outcome.status === STATUS.STATUS_PENDING) {
          record.pending = evidenceOf(call, "pending");
        } else this.#gotExternalData(record, call);
    }
  }

  /** Takes a quota that was set. */
  quotaSet(call: CallView): void {
    const channel = call.objectAt(call.shape.at.channel);
    const to = call.numberAt(call.shape.in("u32"));
    if (channel === null || !call.succeeded || to === 0) return;
    const receiver = this.#receiverOf(channel);
    const { quota: from, outstanding } = receiver;
    const isHeld = from > 0 && outstanding >= from;
    if (isHeld && to > outstanding) receiver.raise = { raised: evidenceOf(call, "raised"), from, to, channel };
    receiver.quota = to;
  }

  /** Takes a raise that nothing has followed. */
  takeRaise(channel: Ref): Raise | null {
    const receiver = this.#receivers.get(channel.number);
    const raise = receiver?.raise ?? null;
    if (receiver !== undefined) receiver.raise = null;
    return raise;
  }

  /** Raises that nothing has followed. */
  *raises(): IterableIterator<Raise> {
    for (const { raise } of this.#receivers.values()) if (raise !== null) yield raise;
  }

  /** A channel was cleaned up. */
  channelEnded({ number }: Ref): void {
    this.#receivers.delete(number);
  }

  #receiverOf({ number }: Ref): Receiver {
    const known = this.#receivers.get(number);
    if (known !== undefined) return known;
    const made = { outstanding: 0, quota: this.#quota, raise: null, failed: null, failedIn: 0 };
    this.#receivers.set(number, made);
    return made;
  }

  #delivered(
    event: TraceEvent,
    { ref, channel, context }: { readonly ref: Ref; readonly channel: Ref; readonly context: AuditContext },
  ): DeliveryRecord {
    const { side, ins } = event;
    const bytes = ins.find((value) => value instanceof Uint8Array);
    const flags = event.plan?.ins.findIndex(({ word }) => word === "deliveryFlags") ?? -1;
    const end = this.#channels.find(channel);
    const record: DeliveryRecord = {
      ref,
      channel,
      delivered: { event: event.event, role: "delivered", site: null, call: PROCESS_PACKET, side },
      hasExternalData: ins[flags] === 1,
      sending: end === undefined || !(bytes instanceof Uint8Array)
        ? null
        : this.#packets.delivered(end, bytes, context),
      running: 0,
      deferred: null,
      pending: null,
      failed: null,
      wasDeferred: false,
      mdls: [],
    };
    this.#live.set(ref.number, record);
    this.#receiverOf(channel).outstanding += 1;
    if (end !== undefined) end.outstanding += 1;
    context.pairing.start("completion");
    return record;
  }

  #failed(record: DeliveryRecord, call: CallView, context: AuditContext): void {
    const failed = evidenceOf(call, "failed");
    record.failed = failed;
    const receiver = this.#receiverOf(record.channel);
    receiver.failed = failed;
    receiver.failedIn = this.#channels.find(record.channel)?.connection ?? 0;
    if (this.#failEnds) this.#end(record, { event: call.returnedAt, how: "failed", context });
  }

  /** The same MDL each time; it ends with the packet. */
  #gotExternalData(record: DeliveryRecord, call: CallView): void {
    const mdl = refOf(call.outs, "mdl");
    if (mdl === null || this.#mdls.get(mdl.number) === record) return;
    this.#mdls.set(mdl.number, record);
    record.mdls = [...record.mdls, mdl];
  }

  #end(
    record: DeliveryRecord,
    { event, how, context }: { readonly event: number; readonly how: DeliveryEnd; readonly context: AuditContext },
  ): void {
    const { ref, channel, mdls, sending } = record;
    this.#live.delete(ref.number);
    const row = this.#dead.row(ref.number);
    this.#dead.put(row, DEAD.event, event);
    this.#dead.put(row, DEAD.isFailed, how === "failed" ? 1 : 0);
    for (const mdl of mdls) this.#endMdl(mdl, { completion: ref.number, event, context });
    const receiver = this.#receiverOf(channel);
    receiver.outstanding -= 1;
    receiver.raise = null;
    this.#settled(this.#channels.find(channel), event);
    context.pairing.pair("completion");
    // A failed packet is not answered: its sender goes on waiting.
    if (sending !== null && how === "completed") this.#packets.completed(sending, event, context);
  }

  #settled(end: ChannelRecord | undefined, event: number): void {
    if (end === undefined || end.outstanding === 0) return;
    end.outstanding -= 1;
    if (end.outstanding === 0) this.#channels.settled(end, event);
  }

  #endMdl(
    mdl: Ref,
    { completion, event, context }: {
      readonly completion: number;
      readonly event: number;
      readonly context: AuditContext;
    },
  ): void {
    this.#mdls.delete(mdl.number);
    const row = this.#deadMdls.row(mdl.number);
    this.#deadMdls.put(row, MDL.completion, completion);
    this.#deadMdls.put(row, MDL.event, event);
    context.objects.end(mdl, event);
  }
}
