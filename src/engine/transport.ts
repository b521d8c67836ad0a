// What moves packets between two endpoints: queue → ring → peer, completions back, one delivery at a time (kmcl.md 6).
// A ring is read in order: a packet that may not be delivered yet holds up what stands behind it, completions too.
// It must not know calls, nor which state-change callback comes next.

import { type ModelOptions, STATUS, SYMBOLS } from "../api/mod.ts";
import { optionStatus } from "./behaviour.ts";
import { type Channel, isUp, peerOf } from "./ends.ts";
import type { EngineObject, Outgoing, TransportData } from "./objects.ts";
import {
  maxPacketBytes,
  packetBytes,
  peekType,
  readPacket,
  type Ring,
  RING_PACKET_TYPES,
  RingError,
  type RingPacket,
  writePacket,
} from "./ring.ts";
import { freeRings, makeRings, ringOver } from "./rings.ts";
import { endAll, endTransaction } from "./transactions.ts";
import type { World } from "./world.ts";

const { EXTERNAL_DATA } = SYMBOLS.deliveryFlags;
const NO_BYTES = new Uint8Array(0);

/** A new channel's: the model's defaults, nothing on its way. */
export function emptyTransport(options: ModelOptions): TransportData {
  const quota = options["transaction-quota"];
  return {
    maximumPacketBytes: Number(options["maximum-packet-size"]),
    maximumExternalBytes: Number(options["maximum-external-data"]),
    maximumChainLength: Number(options["maximum-external-chain"]),
    contextBytes: 0,
    incomingPages: 0,
    outgoingPages: 0,
    quota: quota === "none" ? 0 : Number(quota),
    requiresPassive: false,
    rings: null,
    isShut: false,
    isBroken: false,
    queue: [],
    responses: [],
    awaiting: new Map(),
    requests: new Map(),
    nextTransaction: 1,
    outstanding: new Set(),
    delivering: 0,
    batch: 0,
    isHeld: false,
    isStopped: false,
  };
}

/** A connection begins: the client's memory becomes its rings (kmcl.md 5.8). */
export function openTransport(
  world: World,
  ends: { readonly server: Channel; readonly client: Channel },
): void {
  const rings = makeRings(world, ends);
  for (const { data: { transport } } of [ends.server, ends.client]) {
    Object.assign(transport, { rings, isShut: false, isBroken: false });
  }
}

/** This end leaves the rings: completions that arrived count, packets that did not are gone, what waited ends. */
export function shutTransport(world: World, channel: Channel, cause: number): void {
  const { transport } = channel.data;
  // The rings of a saved guest stay as they are: what a restored channel goes on with.
  const ring = world.wire.isVmSaved ? null : incomingRing(world, channel);
  if (ring !== null) {
    guarded(transport, () => {
      for (let packet = takePacket(ring); packet !== null; packet = takePacket(ring)) {
        if (packet.type === RING_PACKET_TYPES.completion) takeCompletion(world, channel, { packet, cause });
      }
    });
  }
  transport.isShut = true;
  transport.responses = [];
  endAll(world, channel, cause);
  Object.assign(transport, { batch: 0, isHeld: false, isStopped: false });
}

/** An end is down; the rings' memory goes back when both are. */
export function closeTransport(world: World, channel: Channel, cause: number): void {
  shutTransport(world, channel, cause);
  const { transport, connection } = channel.data;
  const { rings } = transport;
  transport.rings = null;
  if (rings !== null && !isUp(world.find("channel", channel.data.peer), connection)) freeRings(world, rings);
}

/** Moves what can move between an endpoint and its peer. */
export function settle(world: World, channel: Channel, cause: number): void {
  if (channel.data.transport.rings === null) return;
  const peer = peerOf(world, channel);
  const both = peer === undefined ? [channel] : [channel, peer];
  const ends = world.wire.isVmSaved ? both.filter(({ data }) => data.isServer) : both;
  for (let hasMoved = true; hasMoved;) {
    hasMoved = false;
    for (const end of ends) {
      const { transport } = end.data;
      if (guarded(transport, () => transmit(world, end, cause))) hasMoved = true;
      if (guarded(transport, () => receive(world, end, cause))) hasMoved = true;
    }
  }
}

/** Ring memory can be written by whoever still reaches its pages: what makes no sense there stops this end. */
function guarded<T>(transport: TransportData, move: () => T): T | undefined {
  try {
    return move();
  } catch (error) {
    if (!(error instanceof RingError)) throw error;
    transport.isBroken = true;
    return undefined;
  }
}

/** The ring that an endpoint writes; null where there is none, or no more. */
export function outgoingRing(world: World, { data: { isServer, transport } }: Channel): Ring | null {
  const { rings, isShut, isBroken } = transport;
  if (rings === null || isShut || isBroken) return null;
  return ringOver(world, isServer ? rings.toClient : rings.toServer);
}

function incomingRing(world: World, { data: { isServer, transport } }: Channel): Ring | null {
  const { rings, isShut, isBroken } = transport;
  if (rings === null || isShut || isBroken) return null;
  return ringOver(world, isServer ? rings.toServer : rings.toClient);
}

/** From Started's return to Suspend what was queued goes out (kmcl.md 1.3). */
export function isTransmitting({ data: { phase, awaited } }: Channel): boolean {
  return (phase === "starting" || phase === "running") && awaited !== "EvtVmbChannelSuspend";
}

/** Completions go out as long as there is a ring, packets while the endpoint runs. */
function transmit(world: World, channel: Channel, cause: number): boolean {
  const { transport } = channel.data;
  if (transport.responses.length === 0 && transport.queue.length === 0) return false;
  const ring = outgoingRing(world, channel);
  if (ring === null) return false;
  const type = RING_PACKET_TYPES.completion;
  const sent = writeWhilePossible(transport.responses, (each) => writePacket(ring, ringPacket(each, type)));
  if (!isTransmitting(channel) || transport.responses.length > 0) return sent;
  return writeWhilePossible(transport.queue, (each) => send(world, channel, { ring, each, cause })) || sent;
}

/** Takes items off as long as they can be written; whether any was. */
function writeWhilePossible(items: Outgoing[], write: (item: Outgoing) => boolean): boolean {
  let hasWritten = false;
  for (let [item] = items; item !== undefined && write(item); [item] = items) {
    items.shift();
    hasWritten = true;
  }
  return hasWritten;
}

/** Puts a packet into the ring, or ends it where the ring or the peer can never take it; false: there is no room now. */
function send(
  world: World,
  channel: Channel,
  { ring, each, cause }: { readonly ring: Ring; readonly each: Outgoing; readonly cause: number },
): boolean {
  const packet = ringPacket(each, each.ranges.length > 0 ? RING_PACKET_TYPES.gpaDirect : RING_PACKET_TYPES.inBand);
  const trouble = limitTrouble(world, channel, each);
  if (trouble !== null) {
    endTransaction(world, { channel, sender: each }, { status: trouble, payload: NO_BYTES, cause });
    return true;
  }
  if (!writePacket(ring, packet)) return false;
  const sent = world.find("packet", each.packet);
  if (sent !== undefined) sent.state = "sent";
  if (each.waits) channel.data.transport.awaiting.set(each.transaction, each);
  else endTransaction(world, { channel, sender: each }, { status: STATUS.STATUS_SUCCESS, payload: NO_BYTES, cause });
  return true;
}

/** The status of a packet that the connected peer or the ring can never take; null: they can, or nobody is connected. */
export function limitTrouble(
  world: World,
  channel: Channel,
  each: Pick<Outgoing, "ranges" | "chainLength" | "payload">,
): number | null {
  const { ranges, chainLength, payload } = each;
  const peer = peerOf(world, channel)?.data.transport;
  const externalBytes = ranges.reduce((sum, { byteCount }) => sum + byteCount, 0);
  const isTooMuch = peer !== undefined &&
    (externalBytes > peer.maximumExternalBytes || chainLength > peer.maximumChainLength);
  if (isTooMuch) return optionStatus(world.options, "external-data-status");
  const ring = outgoingRing(world, channel);
  const type = ranges.length > 0 ? RING_PACKET_TYPES.gpaDirect : RING_PACKET_TYPES.inBand;
  const isTooLong = ring !== null && packetBytes({ type, ranges, payload }) > maxPacketBytes(ring);
  return isTooLong ? optionStatus(world.options, "packet-size-status") : null;
}

/** Guest pages are pinned until the peer completes: a packet with some always asks it to (kmcl.md 6.3). */
function ringPacket({ transaction, waits, ranges, payload }: Outgoing, type: RingPacket["type"]): RingPacket {
  const wantsCompletion = type !== RING_PACKET_TYPES.completion && (waits || ranges.length > 0);
  return { type, wantsCompletion, transactionId: BigInt(transaction), ranges, payload };
}

/** Takes completions out of the ring, and packets while they may be delivered. */
function receive(world: World, channel: Channel, cause: number): boolean {
  const ring = incomingRing(world, channel);
  if (ring === null) return false;
  let hasRead = false;
  for (let type = peekType(ring); type !== null; type = peekType(ring)) {
    if (type !== RING_PACKET_TYPES.completion && !mayDeliver(world, channel)) break;
    const packet = takePacket(ring);
    if (packet === null) break;
    hasRead = true;
    if (packet.type === RING_PACKET_TYPES.completion) takeCompletion(world, channel, { packet, cause });
    else deliver(world, channel, { packet, cause });
  }
  return hasRead;
}

/** The oldest packet; numbers that no sender of ours writes are nonsense like any other. */
function takePacket(ring: Ring): RingPacket | null {
  const packet = readPacket(ring);
  if (packet === null) return null;
  const areSafe = packet.ranges.every(({ pages }) => pages.every(Number.isSafeInteger));
  if (areSafe && Number.isSafeInteger(Number(packet.transactionId))) return packet;
  throw new RingError("Cannot take packet: a number in it is beyond 53 bits");
}

interface Arrival {
  readonly packet: RingPacket;
  readonly cause: number;
}

/** A completion of a transaction that nobody waits for any more says nothing. */
function takeCompletion(world: World, channel: Channel, { packet, cause }: Arrival): void {
  const { awaiting } = channel.data.transport;
  const transaction = Number(packet.transactionId);
  const sender = awaiting.get(transaction);
  if (sender === undefined) return;
  awaiting.delete(transaction);
  world.waiters.wake("channel", channel.number);
  const end = { status: STATUS.STATUS_SUCCESS, payload: packet.payload, cause };
  endTransaction(world, { channel, sender }, end);
}

/** One delivery at a time, from Started (option `post-started`: PostStarted) until a pause or a close is wished for. */
function mayDeliver({ options }: World, { data }: Channel): boolean {
  const { transport } = data;
  if (!data.callbacks.has("EvtVmbChannelProcessPacket") || transport.isStopped) return false;
  if (transport.delivering !== 0 || !isQueueOn(data, options["post-started"])) return false;
  if (transport.quota > 0 && transport.outstanding.size >= transport.quota) transport.isHeld = true;
  return !transport.isHeld;
}

function isQueueOn({ phase, isActive, isClosing, pauses }: Channel["data"], postStarted: string): boolean {
  if (isClosing || !isActive || pauses.length > 0) return false;
  return phase === "running" || (phase === "starting" && postStarted === "after-queue-on");
}

/** Makes the context of an arrived packet and calls the driver with it. */
function deliver(world: World, channel: Channel, { packet, cause }: Arrival): void {
  const { transport } = channel.data;
  const completion = world.create("completion", {
    channel: channel.number,
    transaction: Number(packet.transactionId),
    wantsCompletion: packet.wantsCompletion,
    ranges: packet.ranges,
    payload: packet.payload,
    isDue: false,
    isDeferred: false,
    wasPending: false,
    mdl: 0,
  }, { side: channel.side, owner: channel });
  transport.outstanding.add(completion.number);
  transport.batch += 1;
  raiseDelivery(world, channel, { completion, cause });
}

function raiseDelivery(
  world: World,
  channel: Channel,
  { completion, cause }: { readonly completion: EngineObject<"completion">; readonly cause: number },
): void {
  const { payload, ranges } = completion.data;
  channel.data.transport.delivering = completion.number;
  completion.data.isDue = false;
  world.raise({
    name: "EvtVmbChannelProcessPacket",
    channel: channel.number,
    side: channel.side,
    ins: [channel.ref, completion.ref, payload, payload.length, ranges.length > 0 ? EXTERNAL_DATA : 0],
    cause,
  });
}

/** ProcessPacket returned: the same packet again where that was asked for, else the next one, else the batch is over. */
export function afterDelivery(world: World, channel: Channel, cause: number): void {
  const { transport, callbacks } = channel.data;
  const completion = world.find("completion", transport.delivering);
  if (completion?.data.isDue === true) return raiseDelivery(world, channel, { completion, cause });
  transport.delivering = 0;
  settle(world, channel, cause);
  if (transport.delivering !== 0 || transport.batch === 0 || !isRingEmpty(world, channel)) return;
  const batch = transport.batch;
  transport.batch = 0;
  if (!callbacks.has("EvtVmbChannelProcessingComplete")) return;
  world.raise({
    name: "EvtVmbChannelProcessingComplete",
    channel: channel.number,
    side: channel.side,
    ins: [channel.ref, batch],
    cause,
  });
}

function isRingEmpty(world: World, channel: Channel): boolean {
  const ring = incomingRing(world, channel);
  return ring === null || guarded(channel.data.transport, () => peekType(ring) === null) !== false;
}
