// Saving a channel: what is written next, and the driver's part of it, packet by packet. Rules: kmcl.md 2.6, 3, 6.2.
// What the bytes look like is `api/channel_image.ts`. A packet is in use from its send to the end of its transaction.

import {
  type ChunkContent,
  IMAGE_START,
  ntSuccess,
  positionAfter,
  type SavedConnection,
  type SavedGpadl,
  STATUS,
  type Value,
  writeChunk,
  writeContext,
} from "../api/mod.ts";
import {
  answer,
  type Behaviour,
  blockedOn,
  done,
  optionStatus,
  refuse,
  type Reply,
  type Scope,
  success,
} from "./behaviour.ts";
import type { Channel } from "./ends.ts";
import type { ChannelData, EngineObject, Outgoing, SaveData } from "./objects.ts";
import { piecesOf } from "./pieces.ts";
import type { World } from "./world.ts";

const SAVE_PACKET = "EvtVmbChannelSavePacket";
const NO_BYTES = new Uint8Array(0);
/** A driver's own bytes of one packet, at most: a model's limit, nothing documents one. */
const MAX_DRIVER_BYTES = 2 ** 24;

/** Refusals: a save or a restore that is open, a channel that is not paused (option `save-state`). */
function begin({ world }: Scope, { data }: Channel): Reply {
  if (data.save !== null || isRestoring(data) || !isSavable(world, data)) return refused(world);
  data.save = {
    packets: packetsInUse(data).map(({ packet }) => packet),
    chunks: [],
    position: IMAGE_START,
    isWhole: false,
    continuing: 0,
    askedBytes: null,
    failure: null,
  };
  return success();
}

function isRestoring({ restore }: ChannelData): boolean {
  return restore !== null && !restore.isWhole;
}

/** Paused, and no state change under way. */
function isSavable({ options }: World, { isActive, phase, awaited, pauses }: ChannelData): boolean {
  if (options["save-state"] === "any") return true;
  return !isActive && awaited === "" && pauses.length === 0 && (phase === "stopped" || phase === "unopened");
}

function refused({ options }: World): Reply {
  return answer(optionStatus(options, "refusal-status"));
}

/** Sends that a packet object made, oldest first: those that wait for their completion, then those that are queued. */
function packetsInUse({ transport }: ChannelData): Outgoing[] {
  return [...transport.awaiting.values(), ...transport.queue].filter(({ packet }) => packet !== 0);
}

/**
 * Writes as many whole chunks as fit; waits while the driver is asked. Refusals: no open save, one that goes on already, a
 * channel that is not paused any more. Where the driver fails to save a packet, its status; it is asked anew the next time.
 */
function goOn(scope: Scope, channel: Channel, sizeBytes: number): Reply {
  const { world, event, retry } = scope;
  const { save } = channel.data;
  if (save === null || !channel.alive) return refused(world);
  if (!retry) {
    if (save.continuing !== 0 || !isSavable(world, channel.data)) return refused(world);
    save.continuing = event;
  }
  while (save.askedBytes === null && save.failure === null && fitting(save, sizeBytes) === save.chunks.length) {
    if (save.isWhole) break;
    makeNext(world, channel, { save, cause: event });
  }
  if (save.askedBytes !== null) {
    const isHere = () => channel.alive && channel.data.save === save && save.askedBytes !== null;
    return blockedOn({ keys: [["channel", channel.number]] }, isHere);
  }
  save.continuing = 0;
  return taken(save, sizeBytes);
}

/** How many chunks fit. */
function fitting({ chunks }: SaveData, sizeBytes: number): number {
  let left = sizeBytes;
  const index = chunks.findIndex(({ length }) => {
    left -= length;
    return left < 0;
  });
  return index < 0 ? chunks.length : index;
}

function taken(save: SaveData, sizeBytes: number): Reply {
  const { failure } = save;
  save.failure = null;
  if (failure !== null) return answer(failure, NO_BYTES, 0, 0);
  const chunks = save.chunks.splice(0, fitting(save, sizeBytes));
  const bytes = joined(chunks);
  const [next] = save.chunks;
  if (next === undefined) return success(bytes, bytes.length, 0);
  const status = chunks.length === 0 ? STATUS.STATUS_BUFFER_TOO_SMALL : STATUS.STATUS_BUFFER_OVERFLOW;
  return answer(status, bytes, bytes.length, next.length);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The settings, then each GPADL, then each packet, then the end. */
function makeNext(
  world: World,
  channel: Channel,
  { save, cause }: { readonly save: SaveData; readonly cause: number },
): void {
  const { data } = channel;
  if (save.position.sequence === 0) {
    add(save, { kind: "channel", settings: { ...data, ...data.transport, connection: connectionOf(world, channel) } });
    for (const gpadl of gpadlsOf(world, channel)) add(save, { kind: "gpadl", gpadl });
    return;
  }
  const [number] = data.callbacks.has(SAVE_PACKET) ? save.packets : [];
  if (number === undefined) {
    add(save, { kind: "end" });
    save.isWhole = true;
    return;
  }
  const packet = world.find("packet", number);
  if (packet === undefined || outgoingOf(data, number) === undefined) save.packets.shift();
  else ask(world, channel, { save, packet, bytes: 0, cause });
}

function add(save: SaveData, content: ChunkContent): void {
  const chunk = writeChunk(content, save.position);
  save.position = positionAfter(chunk, save.position);
  save.chunks.push(chunk);
}

/** The connection, while it is open; of a channel that was restored and not enabled yet that of its image. */
function connectionOf(world: World, { state, data }: Channel): SavedConnection | null {
  const { restore, connection: number, transport: { rings, responses } } = data;
  if (restore !== null) return restore.connection;
  if (state !== "open" || rings === null || world.find("channel", data.peer) === undefined) return null;
  return { number, ...rings, responses: responses.map(({ transaction, payload }) => ({ transaction, payload })) };
}

/** What this end knows of GPADLs: those shown to it, and those of the image that it was restored from. */
function gpadlsOf(world: World, { number, data }: Channel): SavedGpadl[] {
  const own = [...world.all("gpadl")].filter((gpadl) => gpadl.data.server === number);
  const restored = data.restore?.gpadls ?? [];
  return [
    ...restored,
    ...own.map(({ handle, data }) => ({
      handle,
      isReadOnly: data.readOnly,
      isDeleting: data.isDeleting,
      isMapped: data.mapping !== 0,
      pieces: piecesOf(data),
    })),
  ];
}

/** The send that a packet is in use for. */
function outgoingOf(data: ChannelData, packet: number): Outgoing | undefined {
  return packetsInUse(data).find((each) => each.packet === packet);
}

interface Question {
  readonly save: SaveData;
  readonly packet: EngineObject<"packet">;
  readonly bytes: number;
  readonly cause: number;
}

function ask(world: World, channel: Channel, { save, packet, bytes, cause }: Question): void {
  save.askedBytes = bytes;
  const ins = [channel.ref, packet.ref, bytes];
  world.raise({ name: SAVE_PACKET, channel: channel.number, side: channel.side, ins, cause });
}

/** A packet whose transaction ends is in use no more: a SavePacket that is due for it is not made. */
export function withdrawSave(world: World, { number, data: { save } }: Channel, packet: number): void {
  if (save === null || save.askedBytes === null || save.packets[0] !== packet) return;
  if (world.callbacks.withdraw(number, ({ name }) => name === SAVE_PACKET)) {
    save.askedBytes = null;
    world.waiters.wake("channel", number);
  }
}

/** What the driver answered: nothing to save, how much room it needs, or its bytes. */
function saved(
  { world, channel, status, outs, event }: {
    readonly world: World;
    readonly channel: Channel;
    readonly status: number;
    readonly outs: readonly Value[];
    readonly event: number;
  },
): void {
  const { data } = channel;
  const { save } = data;
  const asked = save?.askedBytes ?? null;
  if (save === null || asked === null) return;
  save.askedBytes = null;
  world.waiters.wake("channel", channel.number);
  const number = save.packets[0] ?? 0;
  const packet = world.find("packet", number);
  const outgoing = outgoingOf(data, number);
  if (packet === undefined || outgoing === undefined) return;
  const [saveBuf, bytesNeeded] = outs;
  const driverBytes = saveBuf instanceof Uint8Array && asked > 0 ? saveBuf : NO_BYTES;
  const needed = typeof bytesNeeded === "number" ? bytesNeeded : 0;
  if (!ntSuccess(status)) {
    if (needed > MAX_DRIVER_BYTES) save.failure = STATUS.STATUS_INSUFFICIENT_RESOURCES;
    else if (needed > asked) ask(world, channel, { save, packet, bytes: needed, cause: event });
    else save.failure = status;
  } else if (driverBytes.length > asked) save.failure = optionStatus(world.options, "refusal-status");
  else {
    save.packets.shift();
    add(save, { kind: "packet", packet: { context: contextOf(data, outgoing), driverBytes } });
  }
}

function contextOf({ transport }: ChannelData, { transaction, waits, payload }: Outgoing): Uint8Array {
  return writeContext({ transaction, waits, wasSent: transport.awaiting.has(transaction), payload });
}

/** Whatever was not saved is not; refused without an open save, and while one goes on. */
function end(_scope: Scope, { number, data }: Channel): Reply {
  if (data.save === null) return refuse(`no save of channel#${number} is open`);
  if (data.save.continuing !== 0) return refuse(`VmbChannelSaveContinue of channel#${number} has not returned`);
  data.save = null;
  return done();
}

/** Behaviours of saves. */
export const SAVE_BEHAVIOURS = {
  VmbChannelSaveBegin: begin,
  VmbChannelSaveContinue: goOn,
  VmbChannelSaveEnd: end,
} as const satisfies Readonly<Record<string, Behaviour>>;

/** What goes on when a callback of a save returns. */
export const SAVE_RETURNS = { EvtVmbChannelSavePacket: saved } as const;
