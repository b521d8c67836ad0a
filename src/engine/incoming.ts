// What a driver does with a packet that was delivered to it, and how deliveries are to come. Rules: kmcl.md 2.5, 6.1.

import { isRef, STATUS, SYMBOLS } from "../api/mod.ts";
import { answer, type Behaviour, done, optionStatus, refuse, type Reply, type Scope, success } from "./behaviour.ts";
import { advance } from "./connection.ts";
import { type Channel, peerOf } from "./ends.ts";
import type { EngineObject } from "./objects.ts";
import { maxPacketBytes, packetBytes, RING_PACKET_TYPES } from "./ring.ts";
import { outgoingRing, settle } from "./transport.ts";
import type { World } from "./world.ts";

type Completion = EngineObject<"completion">;

const READ_ONLY = SYMBOLS.gpadlFlags.READ_ONLY;

/** Refusals: it will be delivered again, more bytes than the buffer has, more than the ring can ever take. */
function complete(scope: Scope, completion: Completion, buffer: Uint8Array, size: number): Reply {
  const { world } = scope;
  const { data } = completion;
  if (isToCome(world, completion)) return refuse(dueText(completion));
  if (size > buffer.length) return refuse(`BufSize ${size} is more than the ${buffer.length} bytes given`);
  const channel = world.find("channel", data.channel);
  const ring = channel === undefined ? null : outgoingRing(world, channel);
  if (channel !== undefined && ring !== null && data.wantsCompletion) {
    const payload = buffer.slice(0, size);
    const bytes = packetBytes({ type: RING_PACKET_TYPES.completion, ranges: [], payload });
    if (bytes > maxPacketBytes(ring)) return refuse(`the ring takes packets of ${maxPacketBytes(ring)} bytes at most`);
    channel.data.transport.responses.push({
      packet: 0,
      request: 0,
      transaction: data.transaction,
      waits: false,
      ranges: [],
      chainLength: 0,
      payload,
    });
  }
  if (channel !== undefined) {
    // The answer is on its way before the end may close for want of outstanding packets.
    settle(world, channel, scope.event);
    retire(scope, channel, completion);
  }
  return done();
}

/** Asked for again, and that delivery has not begun: until it does the packet is the library's. */
function isToCome(world: World, { number, data }: Completion): boolean {
  if (data.isDue) return true;
  const { delivering } = world.find("channel", data.channel)?.data.transport ?? {};
  return delivering === number &&
    !world.running.some((each) => each.name === "EvtVmbChannelProcessPacket" && each.channel === data.channel);
}

function dueText({ number }: Completion): string {
  return `completion#${number} will be delivered again`;
}

/** A packet is outstanding no more: the queue goes on, and so does whoever waited for it. */
function retire({ world, event }: Scope, channel: Channel, completion: Completion): void {
  const { transport } = channel.data;
  transport.outstanding.delete(completion.number);
  transport.isHeld = false;
  advance(world, channel, event);
  const peer = peerOf(world, channel);
  if (peer !== undefined) advance(world, peer, event);
}

/** Only inside the ProcessPacket that the packet was delivered with. */
function deferToPassive(scope: Scope, completion: Completion): Reply {
  const { world } = scope;
  const { data, number } = completion;
  if (isToCome(world, completion)) return refuse(dueText(completion));
  if (!isInsideDelivery(scope, completion)) return refuse(`called outside the delivery of completion#${number}`);
  data.isDue = true;
  data.isDeferred = true;
  return done();
}

function isInsideDelivery({ world, insideCallback }: Scope, completion: Completion): boolean {
  return world.running.some(({ event, name, ins }) =>
    event === insideCallback && name === "EvtVmbChannelProcessPacket" && isRef(ins[1]) &&
    ins[1].number === completion.number
  );
}

/** Nothing more is delivered until the channel has closed. */
function failPacket(scope: Scope, completion: Completion): Reply {
  const { world } = scope;
  const { data } = completion;
  if (isToCome(world, completion)) return refuse(dueText(completion));
  const channel = world.find("channel", data.channel);
  if (channel !== undefined) channel.data.transport.isStopped = true;
  if (world.options["fail-then-complete"] === "ends") {
    if (channel !== undefined) retire(scope, channel, completion);
    world.destroy(completion);
  }
  return done();
}

/**
 * Refusals: it will be delivered again, flag bits that do not exist, a packet without external data. The same MDL each time;
 * it ends with the packet.
 */
function getExternalData(scope: Scope, completion: Completion, flags: number): Reply {
  const { world } = scope;
  const { options } = world;
  const { data } = completion;
  if (isToCome(world, completion)) return answer(optionStatus(options, "refusal-status"));
  if ((flags & ~READ_ONLY) !== 0) return answer(optionStatus(options, "bad-flags-status"));
  if (data.ranges.length === 0) return answer(optionStatus(options, "external-data-status"));
  const known = world.find("mdl", data.mdl);
  if (known !== undefined) return success(known.ref);
  if (options["external-data-pending"] === "first" && !data.wasPending && isInsideDelivery(scope, completion)) {
    data.wasPending = true;
    data.isDue = true;
    return answer(STATUS.STATUS_PENDING);
  }
  const mdl = scope.create("mdl", {
    partition: "guest",
    whole: data.ranges,
    startOffset: 0,
    byteCount: data.ranges.reduce((sum, { byteCount }) => sum + byteCount, 0),
    next: 0,
    gpadl: 0,
    buffer: 0,
    completion: completion.number,
  }, completion);
  data.mdl = mdl.number;
  return success(mdl.ref);
}

/** A raised quota restarts nothing: only a completion does. */
function setTransactionQuota(_scope: Scope, channel: Channel, quota: number): Reply {
  if (quota === 0) return refuse("Quota is 0");
  channel.data.transport.quota = quota;
  return done();
}

function setIncomingProcessingAtPassive(_scope: Scope, channel: Channel, requirePassive: boolean): Reply {
  channel.data.transport.requiresPassive = requirePassive;
  return done();
}

/** Behaviours of incoming packets. */
export const INCOMING_BEHAVIOURS = {
  VmbChannelPacketComplete: complete,
  VmbChannelPacketDeferToPassive: deferToPassive,
  VmbChannelPacketFail: failPacket,
  VmbChannelPacketGetExternalData: getExternalData,
  VmbChannelSetTransactionQuota: setTransactionQuota,
  VmbChannelSetIncomingProcessingAtPassive: setIncomingProcessingAtPassive,
} as const satisfies Readonly<Record<string, Behaviour>>;
