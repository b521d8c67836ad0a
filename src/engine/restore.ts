// Restoring a channel from its saved bytes: chunks in, the driver called for each packet. Rules: kmcl.md 2.6, 3, 6.2.
// What the bytes look like is `api/channel_image.ts`. Enabled while the guest is saved, a restored channel goes on with the old
// connection (`takeover.ts`); else it is offered anew, and what it knew of the old one (GPADLs, packets in flight) is its own affair.

import {
  type ChannelSettings,
  type ChunkContent,
  IMAGE_START,
  isRef,
  ntSuccess,
  type PacketContext,
  readChunks,
  readContext,
  STATUS,
} from "../api/mod.ts";
import { answer, type Behaviour, blockedOn, optionStatus, type Reply, type Scope, success } from "./behaviour.ts";
import type { Channel } from "./ends.ts";
import type { ChannelData, EngineObject, RestoreData } from "./objects.ts";
import { endTransaction, inFlightStatus } from "./transactions.ts";
import type { World } from "./world.ts";

const RESTORE_PACKET = "EvtVmbChannelRestorePacket";
const NO_BYTES = new Uint8Array(0);

/**
 * Takes whole chunks, the settings first; waits while the driver restores packets. Refusals, which change nothing: an open save,
 * a restore that is over, has failed or goes on, packets on their way; bytes that are not the next whole chunks; packets
 * without a callback to restore them; a GPADL that was restored before. Where the driver fails to restore a packet, its status.
 */
function restoreFrom(scope: Scope, channel: Channel, buffer: Uint8Array, sizeBytes: number): Reply {
  const { world, event, retry } = scope;
  const { data } = channel;
  if (!retry) {
    if (!isRestorable(data)) return answer(optionStatus(world.options, "refusal-status"));
    const status = take(world, data, { bytes: buffer.subarray(0, sizeBytes), isWhole: sizeBytes <= buffer.length });
    if (status !== null) return answer(status);
  }
  const { restore } = data;
  if (restore === null || !channel.alive) return answer(optionStatus(world.options, "refusal-status"));
  restore.restoring = event;
  if (!restore.isAsking && restore.failure === null) askNext(world, channel, { restore, cause: event });
  if (restore.isAsking) {
    const isHere = () => channel.alive && data.restore === restore && restore.isAsking;
    return blockedOn({ keys: [["channel", channel.number]] }, isHere);
  }
  restore.restoring = 0;
  if (restore.failure !== null) return answer(restore.failure);
  return restore.isWhole ? success() : answer(STATUS.STATUS_MORE_PROCESSING_REQUIRED);
}

function isRestorable({ save, restore, transport }: ChannelData): boolean {
  if (save !== null) return false;
  if (restore !== null) return !restore.isWhole && restore.failure === null && restore.restoring === 0;
  return transport.queue.length === 0 && transport.awaiting.size === 0;
}

/** Takes all that the bytes hold, or nothing and why. */
function take(
  { options }: World,
  data: ChannelData,
  { bytes, isWhole }: { readonly bytes: Uint8Array; readonly isWhole: boolean },
): number | null {
  const read = isWhole ? readChunks(bytes, data.restore?.position ?? IMAGE_START) : null;
  if (read === null || hasHandleTwice(data, read.contents)) return optionStatus(options, "restore-image-status");
  const hasPackets = read.contents.some(({ kind }) => kind === "packet");
  if (hasPackets && !data.callbacks.has(RESTORE_PACKET)) return optionStatus(options, "refusal-status");
  data.restore ??= emptyRestore();
  data.restore.position = read.position;
  for (const content of read.contents) apply(data, data.restore, content);
  return null;
}

function emptyRestore(): RestoreData {
  return {
    position: IMAGE_START,
    isWhole: false,
    gpadls: [],
    connection: null,
    packets: [],
    restoring: 0,
    isAsking: false,
    failure: null,
  };
}

function hasHandleTwice({ restore }: ChannelData, contents: readonly ChunkContent[]): boolean {
  const gpadls = contents.flatMap((content) => content.kind === "gpadl" ? [content.gpadl] : []);
  const handles = [...restore?.gpadls ?? [], ...gpadls].map(({ handle }) => handle);
  return new Set(handles).size !== handles.length;
}

function apply(data: ChannelData, restore: RestoreData, content: ChunkContent): void {
  switch (content.kind) {
    case "channel":
      restore.connection = content.settings.connection;
      return applySettings(data, content.settings);
    case "gpadl":
      restore.gpadls.push(content.gpadl);
      return;
    case "packet":
      restore.packets.push(content.packet);
      return;
    case "end":
      restore.isWhole = true;
  }
}

/** A new channel that was made to force a new connection does, whatever the old one was. */
function applySettings(data: ChannelData, settings: ChannelSettings): void {
  const { interfaceType, interfaceInstance, latency, mmioMegabytes, forcesNewChannel, connection: _, ...transport } =
    settings;
  Object.assign(data, { interfaceType, interfaceInstance, latency, mmioMegabytes });
  data.forcesNewChannel ||= forcesNewChannel;
  Object.assign(data.transport, transport);
}

/** One packet at a time: the driver allocates an object and hands the library's part to VmbPacketRestore. */
function askNext(
  world: World,
  channel: Channel,
  { restore, cause }: { readonly restore: RestoreData; readonly cause: number },
): void {
  const packet = restore.packets.shift();
  if (packet === undefined) return;
  const { context, driverBytes } = packet;
  restore.isAsking = true;
  world.raise({
    name: RESTORE_PACKET,
    channel: channel.number,
    side: channel.side,
    ins: [channel.ref, context, context.length, driverBytes, driverBytes.length],
    cause,
  });
}

/** A driver that fails has ended the restore: the channel can only be cleaned up. */
function restored(
  { world, channel, status }: { readonly world: World; readonly channel: Channel; readonly status: number },
): void {
  const { restore } = channel.data;
  if (restore === null) return;
  restore.isAsking = false;
  world.waiters.wake("channel", channel.number);
  if (ntSuccess(status)) return;
  restore.failure = status;
  restore.packets = [];
}

/**
 * The packet is in use again as it was when it was saved. Refusals: outside its channel's RestorePacket, bytes that are no context,
 * a context of a transaction that the channel never began or that another packet has.
 */
function restorePacket(scope: Scope, packet: EngineObject<"packet">, buffer: Uint8Array, sizeBytes: number): Reply {
  const { world } = scope;
  const channel = world.find("channel", packet.data.channel);
  if (channel === undefined || !isInsideRestore(scope, channel)) {
    return answer(optionStatus(world.options, "refusal-status"));
  }
  const context = sizeBytes <= buffer.length ? readContext(buffer.subarray(0, sizeBytes)) : null;
  if (context === null || !fits(channel.data, context)) {
    return answer(optionStatus(world.options, "restore-image-status"));
  }
  const { transport } = channel.data;
  const { transaction, waits, wasSent, payload } = context;
  const outgoing = { packet: packet.number, request: 0, transaction, waits, ranges: [], chainLength: 0, payload };
  packet.state = wasSent ? "sent" : "queued";
  if (wasSent) transport.awaiting.set(transaction, outgoing);
  else transport.queue.push(outgoing);
  return success();
}

function isInsideRestore({ world, insideCallback }: Scope, { number }: Channel): boolean {
  return world.running.some(({ event, name, ins: [ref] }) =>
    event === insideCallback && name === RESTORE_PACKET && isRef(ref) && ref.number === number
  );
}

function fits({ transport }: ChannelData, { transaction, waits, wasSent, payload }: PacketContext): boolean {
  if (transaction >= transport.nextTransaction || payload.length > transport.maximumPacketBytes) return false;
  if (wasSent && !waits) return false;
  return !transport.awaiting.has(transaction) && transport.queue.every((each) => each.transaction !== transaction);
}

/**
 * A restored channel that took over no connection begins anew: nothing of the old connection is there any more. Packets whose completion was awaited go out
 * again with the next open, or end where the old channel is abandoned (option `restored-in-flight`, FORCE_NEW_CHANNEL).
 */
export function offerAnew(world: World, channel: Channel, cause: number): void {
  const { data } = channel;
  const { transport } = data;
  if (data.restore === null) return;
  data.restore = null;
  world.waiters.wake("channel", channel.number);
  const old = [...transport.awaiting.values()];
  transport.awaiting.clear();
  if (data.forcesNewChannel || world.options["restored-in-flight"] === "fail") {
    const end = { status: inFlightStatus(world), payload: NO_BYTES, cause };
    for (const sender of old) endTransaction(world, { channel, sender }, end);
    return;
  }
  for (const { packet: number } of old) {
    const packet = world.find("packet", number);
    if (packet !== undefined) packet.state = "queued";
  }
  transport.queue.unshift(...old);
}

/** Behaviours of restores. */
export const RESTORE_BEHAVIOURS = {
  VmbChannelRestoreFromBuffer: restoreFrom,
  VmbPacketRestore: restorePacket,
} as const satisfies Readonly<Record<string, Behaviour>>;

/** What goes on when a callback of a restore returns. */
export const RESTORE_RETURNS = { EvtVmbChannelRestorePacket: restored } as const;
