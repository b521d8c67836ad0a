// Packet objects: what a driver sends with, each for one transaction at a time. Rules: kmcl.md 2.4, 6.1.
// That a packet is idle where it must be is the declaration's to say; how it travels is `transport.ts`.

import { isRef } from "../api/mod.ts";
import {
  answer,
  type Behaviour,
  done,
  fail,
  optionStatus,
  refuse,
  type Reply,
  type Scope,
  success,
  value,
} from "./behaviour.ts";
import type { Channel } from "./ends.ts";
import type { EngineObject, PacketData } from "./objects.ts";
import { externalMdl, externalPfns, prepare, type SendRequest } from "./outgoing.ts";
import { settle } from "./transport.ts";
import type { PendingCallback, World } from "./world.ts";

type Packet = EngineObject<"packet">;
type Mdl = EngineObject<"mdl">;

/** What a packet object takes besides its bytes: a pointer (kmcl.md 2.4), and KMCL's own part. */
const POINTER_BYTES = 8;
const OBJECT_BYTES = 120;

/** An allocated packet has the default routine, which frees it. */
function allocate(scope: Scope, channel: Channel): Reply {
  return value(scope.create("packet", emptyPacket(channel, true), channel).ref);
}

function emptyPacket({ number }: Channel, isAllocated: boolean): PacketData {
  return { channel: number, isAllocated, routine: isAllocated ? "free" : "none", pointer: 0n };
}

function free(_scope: Scope, { data, number }: Packet): Reply {
  return data.isAllocated ? done() : refuse(`packet#${number} is in the caller's memory`);
}

/** Refusals: too little memory, an allocated packet, one that is in flight. Memory that held a packet holds a new one. */
function initialize(scope: Scope, channel: Channel, packet: Packet | null, byteCount: number): Reply {
  if (byteCount < sizeOf(channel)) return fail("STATUS_INVALID_PARAMETER_3");
  if (packet !== null) {
    if (packet.data.isAllocated || isInFlight(packet)) return answer(refusalStatus(scope));
    scope.world.destroy(packet);
  }
  return success(scope.create("packet", emptyPacket(channel, false), channel).ref);
}

function sizeofPacket(_scope: Scope, channel: Channel): Reply {
  return value(sizeOf(channel));
}

function sizeOf({ data: { transport } }: Channel): number {
  return Math.min(Math.ceil(transport.maximumPacketBytes / 8) * 8 + POINTER_BYTES + OBJECT_BYTES, 0xffff_fff8);
}

function getChannel({ world }: Scope, { data }: Packet): Reply {
  return value(world.find("channel", data.channel)?.ref ?? null);
}

function setPointer(_scope: Scope, packet: Packet, pointer: bigint): Reply {
  packet.data.pointer = pointer;
  return done();
}

function getPointer(_scope: Scope, packet: Packet): Reply {
  return value(packet.data.pointer);
}

/** Also in flight: the routine that is set when the transaction ends is the one called. */
function setCompletionRoutine(_scope: Scope, packet: Packet, isGiven: boolean): Reply {
  if (!isGiven) return refuse("CompletionRoutine is null");
  packet.data.routine = "driver";
  return done();
}

function isInFlight({ state }: Packet): boolean {
  return state === "queued" || state === "sent";
}

function refusalStatus({ world }: Scope): number {
  return optionStatus(world.options, "refusal-status");
}

function send(
  scope: Scope,
  packet: Packet,
  buffer: Uint8Array,
  length: number,
  mdl: Mdl | null,
  flags: number,
): Reply {
  const external = externalMdl(scope.world, mdl, { offset: 0, length: 0, flags, mustWait: false });
  return start(scope, packet, { buffer, length, flags, external });
}

function sendWithExternalMdl(
  scope: Scope,
  packet: Packet,
  buffer: Uint8Array,
  length: number,
  mdl: Mdl | null,
  mdlOffset: number,
  mdlLength: number,
  flags: number,
): Reply {
  const external = externalMdl(scope.world, mdl, { offset: mdlOffset, length: mdlLength, flags, mustWait: true });
  return start(scope, packet, { buffer, length, flags, external });
}

function sendWithExternalPfns(
  scope: Scope,
  packet: Packet,
  buffer: Uint8Array,
  length: number,
  pfns: readonly bigint[],
  pfnLength: number,
  flags: number,
): Reply {
  return start(scope, packet, { buffer, length, flags, external: externalPfns(pfns, pfnLength) });
}

/** Refusals: the channel is gone, no routine is set, then what `prepare` says. Sending itself does not fail: it queues. */
function start(scope: Scope, packet: Packet, request: SendRequest): Reply {
  const { world, event } = scope;
  const channel = world.find("channel", packet.data.channel);
  if (channel === undefined || packet.data.routine === "none") return answer(refusalStatus(scope));
  const sendable = prepare(world, channel, request);
  if (typeof sendable === "number") return answer(sendable);
  const { transport } = channel.data;
  packet.state = "queued";
  transport.queue.push({ ...sendable, packet: packet.number, request: 0, transaction: transport.nextTransaction });
  transport.nextTransaction += 1;
  settle(world, channel, event);
  return success();
}

/** A completion routine begins: from now on the packet may be freed or sent again. */
export function beginRoutine(world: World, { ins }: PendingCallback): void {
  const [ref] = ins;
  const packet = isRef(ref) ? world.find("packet", ref.number) : undefined;
  if (packet !== undefined) packet.state = "completed";
}

/** Behaviours of packet objects. */
export const PACKET_BEHAVIOURS = {
  VmbPacketAllocate: allocate,
  VmbPacketFree: free,
  VmbPacketInitialize: initialize,
  VmbChannelSizeofPacket: sizeofPacket,
  VmbPacketGetChannel: getChannel,
  VmbPacketSetPointer: setPointer,
  VmbPacketGetPointer: getPointer,
  VmbPacketSetCompletionRoutine: setCompletionRoutine,
  VmbPacketSend: send,
  VmbPacketSendWithExternalMdl: sendWithExternalMdl,
  VmbPacketSendWithExternalPfns: sendWithExternalPfns,
} as const satisfies Readonly<Record<string, Behaviour>>;
