// The Init setters: what a channel is configured with between Allocate and Enable. Rules: kmcl.md 2.2.
// That the channel is disabled and at the right end is the declaration's to say, with STATUS_INVALID_PARAMETER_1.
// A value that no modelled behaviour reads is checked, not kept. A null where the header's annotation wants a pointer
// is refused with the status of its position; no page lists that case.

import { STATE_CALLBACKS, type StructValue, SYMBOLS } from "../api/mod.ts";
import { type Behaviour, done, fail, type Reply, type Scope, success } from "./behaviour.ts";
import type { Channel } from "./connection.ts";

/** VMB_CHANNEL_STATE_CHANGE_CALLBACKS on a 64-bit system: version, and size in bytes (kmcl.md 4.3). */
const CALLBACKS_VERSION = 1;
const CALLBACKS_SIZE_BYTES = 48;

const CHANNEL_FLAGS_MASK = maskOf(SYMBOLS.channelFlags);
const SERVER_FLAGS_MASK = maskOf(SYMBOLS.serverChannelFlags);
/** Both rings are one GPADL, which describes 8190 pages at most (kmcl.md 5.7, 5.8). */
const MAX_RING_PAGES = 4094;

/** All bits that have a name. */
function maskOf(flags: Readonly<Record<string, number>>): number {
  return Object.values(flags).reduce((mask, bit) => mask | bit, 0);
}

function setMaximumPacketSize(_scope: Scope, { data }: Channel, packetSize: number): Reply {
  if (packetSize === 0) return fail("STATUS_INVALID_PARAMETER_2");
  data.transport.maximumPacketBytes = packetSize;
  return success();
}

function setMaximumExternalData(_scope: Scope, { data }: Channel, dataSize: number, chainLength: number): Reply {
  if (dataSize === 0) return fail("STATUS_INVALID_PARAMETER_2");
  if (chainLength === 0) return fail("STATUS_INVALID_PARAMETER_3");
  data.transport.maximumExternalBytes = dataSize;
  data.transport.maximumChainLength = chainLength;
  return success();
}

function setClientContextSize(_scope: Scope, { data }: Channel, contextSize: number): Reply {
  data.transport.contextBytes = contextSize;
  return success();
}

/** Only the batch's end is optional. */
function setProcessPacketCallbacks(
  _scope: Scope,
  { data }: Channel,
  processPacket: boolean,
  processingComplete: boolean,
): Reply {
  if (!processPacket) return fail("STATUS_INVALID_PARAMETER_2");
  register(data.callbacks, [["EvtVmbChannelProcessPacket", processPacket], [
    "EvtVmbChannelProcessingComplete",
    processingComplete,
  ]]);
  return success();
}

function setStateChangeCallbacks(_scope: Scope, { data }: Channel, callbacks: StructValue): Reply {
  if (callbacks.Version !== CALLBACKS_VERSION || callbacks.Size !== CALLBACKS_SIZE_BYTES) {
    return fail("STATUS_INVALID_PARAMETER_2");
  }
  register(data.callbacks, Object.entries(STATE_CALLBACKS).map(([name, member]) => [name, callbacks[member] === true]));
  return success();
}

function register(registered: Set<string>, given: readonly (readonly [name: string, isGiven: boolean])[]): void {
  for (const [name, isGiven] of given) {
    if (isGiven) registered.add(name);
    else registered.delete(name);
  }
}

function setFriendlyName(): Reply {
  return success();
}

function setFlags(_scope: Scope, _channel: Channel, flags: number): Reply {
  return checkFlags(flags, CHANNEL_FLAGS_MASK);
}

function setServerFlags(_scope: Scope, { data }: Channel, flags: number): Reply {
  if ((flags & ~SERVER_FLAGS_MASK) === 0) {
    data.forcesNewChannel = (flags & SYMBOLS.serverChannelFlags.FORCE_NEW_CHANNEL) !== 0;
  }
  return checkFlags(flags, SERVER_FLAGS_MASK);
}

function checkFlags(flags: number, mask: number): Reply {
  return (flags & ~mask) === 0 ? success() : fail("STATUS_INVALID_PARAMETER_2");
}

/** Data pages of each ring; 0: the model's default. KMCL takes more where the largest packet needs them (kmcl.md 2.2). */
function setRingBufferPageCount(_scope: Scope, { data }: Channel, incoming: number, outgoing: number): Reply {
  if (incoming > MAX_RING_PAGES) return fail("STATUS_INVALID_PARAMETER_2");
  if (outgoing > MAX_RING_PAGES) return fail("STATUS_INVALID_PARAMETER_3");
  data.transport.incomingPages = incoming;
  data.transport.outgoingPages = outgoing;
  return success();
}

/** Without an instance, any of that type; without a callback, a connect that fails is not told. */
function setTargetPnp(
  _scope: Scope,
  { data }: Channel,
  type: string | null,
  instance: string | null,
  pnpFailure: boolean,
): Reply {
  const reply = setInterface(data, type, instance);
  if (type !== null) register(data.callbacks, [["EvtChannelPnpFailure", pnpFailure]]);
  return reply;
}

function setTargetInterfaceId(_scope: Scope, { data }: Channel, type: string | null, instance: string | null): Reply {
  return setInterface(data, type, instance);
}

function setInterface(data: Channel["data"], type: string | null, instance: string | null): Reply {
  if (type === null) return fail("STATUS_INVALID_PARAMETER_2");
  data.interfaceType = type;
  data.interfaceInstance = instance;
  return success();
}

/** The model's guest has room, so both parts of the hint are reserved; only both together may not be 0 (kmcl.md X10). */
function setMmioMegabytes(_scope: Scope, { data }: Channel, megabytes: number, optional: number): Reply {
  if (megabytes === 0 && optional === 0) return fail("STATUS_INVALID_PARAMETER");
  data.mmioMegabytes = megabytes + optional;
  return success();
}

function setSaveRestorePacketCallbacks(
  _scope: Scope,
  { data }: Channel,
  savePacket: boolean,
  restorePacket: boolean,
): Reply {
  if (!savePacket) return fail("STATUS_INVALID_PARAMETER_2");
  if (!restorePacket) return fail("STATUS_INVALID_PARAMETER_3");
  register(data.callbacks, [["EvtVmbChannelSavePacket", savePacket], ["EvtVmbChannelRestorePacket", restorePacket]]);
  return success();
}

function setTargetVtl({ world }: Scope, { data }: Channel, vtl: number): Reply {
  if (vtl > Number(world.options["highest-vtl"])) return fail("STATUS_INVALID_PARAMETER_2");
  data.targetVtl = vtl;
  return success();
}

/** Every handle belongs to the model's one VM. */
function setVmbusHandle(): Reply {
  return success();
}

/** The inline initialiser: zeroes, and what VmbChannelInitSetStateChangeCallbacks checks. */
function initCallbacks(): Reply {
  return done({
    Version: CALLBACKS_VERSION,
    Size: CALLBACKS_SIZE_BYTES,
    ...Object.fromEntries(Object.values(STATE_CALLBACKS).map((member) => [member, false])),
  });
}

/** Behaviours of the Init setters. */
export const CHANNEL_INIT_BEHAVIOURS = {
  VmbChannelInitSetMaximumPacketSize: setMaximumPacketSize,
  VmbChannelInitSetMaximumExternalData: setMaximumExternalData,
  VmbChannelInitSetClientContextSize: setClientContextSize,
  VmbChannelInitSetProcessPacketCallbacks: setProcessPacketCallbacks,
  VmbChannelInitSetStateChangeCallbacks: setStateChangeCallbacks,
  VmbChannelInitSetFriendlyName: setFriendlyName,
  VmbChannelInitSetFlags: setFlags,
  VmbClientChannelInitSetRingBufferPageCount: setRingBufferPageCount,
  VmbClientChannelInitSetTargetPnp: setTargetPnp,
  VmbServerChannelInitSetFlags: setServerFlags,
  VmbServerChannelInitSetMmioMegabytes: setMmioMegabytes,
  VmbServerChannelInitSetSaveRestorePacketCallbacks: setSaveRestorePacketCallbacks,
  VmbServerChannelInitSetTargetInterfaceId: setTargetInterfaceId,
  VmbServerChannelInitSetTargetVtl: setTargetVtl,
  VmbServerChannelInitSetVmbusHandle: setVmbusHandle,
  VMB_CHANNEL_STATE_CHANGE_CALLBACKS_INIT: initCallbacks,
} as const satisfies Readonly<Record<string, Behaviour>>;
