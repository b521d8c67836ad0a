// The messages that guest and host send each other where KMCL's calls make them (kmcl.md 5.6 to 5.8, 6.4), as outputs.
// It changes nothing that a driver can see, and does nothing at all unless the option `wire` is on. It must not know calls.

import { type MessageName, PAGE_BYTES, STATUS, type Value, WIRE } from "../api/mod.ts";
import type { Channel } from "./ends.ts";
import { type GpadlRange, splitGpadl } from "./gpadl_wire.ts";
import type { EngineObject, Piece } from "./objects.ts";
import { piecesOf } from "./pieces.ts";
import type { Link, WireState } from "./wire_state.ts";
import type { World } from "./world.ts";

/** Guests let the host pick the processor. */
const TARGET_VP = 0;
/** Ids of channels are 1 to this (kmcl.md 6.3). */
const MAX_CHANNEL_ID = 2047;
/** A connection's id: the channel's, the synthetic interrupt source of the guest's bus driver, the trust level (kmcl.md 6.3). */
const SINT = 2;
const SINT_UNIT = 2 ** 12;
const VTL_UNIT = 2 ** 16;
/** No guest numbers its bodies (kmcl.md 7.2). */
const MESSAGE_NUMBER = 0;

function isOn({ options }: World): boolean {
  return options.wire === "on";
}

/** Between UNLOAD and its answer nobody says anything else: the guest's ids are gone. */
function say(world: World, name: MessageName, ins: readonly Value[]): void {
  if (world.wire.unload === "sent" && name !== "UNLOAD") return;
  world.outputs.push({ form: "message", name, side: WIRE[name].endpoint, ins });
}

/** A server is offered: the guest knows it by an id of its own. */
export function sendOffer(world: World, { number, data }: Channel): void {
  if (!isOn(world)) return;
  const { wire } = world;
  const channelId = takeChannelId(world);
  wire.offers.set(number, channelId);
  const { interfaceType, interfaceInstance, mmioMegabytes, targetVtl } = data;
  say(world, "OFFER_CHANNEL", [
    channelId,
    interfaceType,
    interfaceInstance,
    0,
    mmioMegabytes,
    0,
    0,
    false,
    channelId + SINT * SINT_UNIT + targetVtl * VTL_UNIT,
  ]);
}

/** Ids count up; when the last was given out, the lowest that nobody holds; beyond the last only where all are held. */
function takeChannelId({ wire }: World): number {
  const next = wire.nextChannelId;
  const id = next <= MAX_CHANNEL_ID ? next : lowestFreeId(wire) ?? next;
  if (id === next) wire.nextChannelId += 1;
  return id;
}

function lowestFreeId({ offers, held, links, gpadls }: WireState): number | null {
  const taken = new Set([...offers.values(), ...gpadls.values()]);
  for (const each of [held, links]) for (const { channelId } of each.values()) taken.add(channelId);
  for (let id = 1; id <= MAX_CHANNEL_ID; id += 1) if (!taken.has(id)) return id;
  return null;
}

/** A server's offer is taken back; an id that no endpoint of the guest holds is released at once. */
export function sendRescind(world: World, { number, data }: Channel): void {
  const { wire } = world;
  const channelId = wire.offers.get(number);
  if (channelId === undefined) return;
  wire.offers.delete(number);
  if (wire.isVmSaved && wire.links.get(data.connection)?.server === number) {
    wire.postponed.set(data.connection, channelId);
    return;
  }
  rescind(world, { connection: data.connection, channelId });
}

function rescind(
  world: World,
  { connection, channelId }: { readonly connection: number; readonly channelId: number },
): void {
  say(world, "RESCIND_CHANNEL_OFFER", [channelId]);
  advanceLink(world, world.wire.links.get(connection));
  releaseUnheld(world, channelId);
}

/** A saved guest goes on: it hears of the offers that were taken back, but for those whose channel was restored. */
export function sendPostponed(world: World): void {
  const { postponed } = world.wire;
  const rescinds = [...postponed];
  postponed.clear();
  for (const [connection, channelId] of rescinds) rescind(world, { connection, channelId });
}

/** A restored server takes the place of the one that was saved: for the guest its offer was never taken back. */
export function resumeLink(world: World, server: Channel, client: Channel): void {
  const { wire } = world;
  const { connection } = client.data;
  const channelId = wire.postponed.get(connection);
  const link = wire.links.get(connection);
  if (channelId === undefined || link === undefined) return;
  wire.postponed.delete(connection);
  wire.offers.set(server.number, channelId);
  wire.held.set(client.number, { channelId, server: server.number });
  wire.links.set(connection, { ...link, server: server.number, isServerDown: false });
}

/** A client's driver has done with the channel, or enables it anew: the id of a rescinded offer goes back. */
export function releaseOffer(world: World, { number }: Channel): void {
  const { wire } = world;
  const held = wire.held.get(number);
  if (held === undefined) return;
  wire.held.delete(number);
  if (wire.offers.get(held.server) !== held.channelId) releaseUnheld(world, held.channelId);
}

function releaseUnheld(world: World, channelId: number): void {
  for (const held of world.wire.held.values()) if (held.channelId === channelId) return;
  say(world, "REL_ID_RELEASED", [channelId]);
}

/** A client opens: its rings become a GPADL of their own, which no driver sees (kmcl.md 5.8). */
export function sendOpen(
  world: World,
  { server, client }: { readonly server: Channel; readonly client: Channel },
): void {
  const { wire } = world;
  const channelId = wire.offers.get(server.number);
  const { connection, transport: { rings } } = client.data;
  if (channelId === undefined || rings === null) return;
  const ringGpadl = takeHandle(world);
  const pages = [...rings.toServer, ...rings.toClient];
  const ranges = [{ byteCount: PAGE_BYTES * pages.length, byteOffset: 0, pages }];
  sendDescription(world, { channelId, gpadl: ringGpadl, ranges, status: STATUS.STATUS_SUCCESS });
  say(world, "OPEN_CHANNEL", [channelId, connection, ringGpadl, TARGET_VP, rings.toServer.length]);
  wire.held.set(client.number, { channelId, server: server.number });
  wire.links.set(connection, {
    channelId,
    server: server.number,
    connection,
    ringGpadl,
    result: null,
    isClosing: false,
    isClientDown: false,
    isServerDown: false,
    isClosed: false,
    isTornDown: false,
  });
}

function takeHandle({ wire }: World): number {
  wire.nextHandle += 1;
  return wire.nextHandle - 1;
}

/** What the server's driver said of an open; a guest whose offer was rescinded meanwhile has no answer. */
export function sendOpenResult(world: World, server: Channel, status: number): void {
  const link = world.wire.links.get(server.data.connection);
  if (link === undefined || link.result !== null || isRescinded(world, link)) return;
  link.result = status;
  say(world, "OPEN_CHANNEL_RESULT", [link.channelId, link.connection, status]);
  advanceLink(world, link);
}

/** A client's end begins to close. */
export function sendClose(world: World, { data: { connection } }: Channel): void {
  const link = world.wire.links.get(connection);
  if (link === undefined) return;
  link.isClosing = true;
  advanceLink(world, link);
}

/** An end is down. A server that is not offered any more, whatever disabled it, is rescinded. */
export function sendDown(world: World, channel: Channel): void {
  const { isServer, connection } = channel.data;
  const link = world.wire.links.get(connection);
  if (link !== undefined) {
    if (isServer) link.isServerDown = true;
    else link.isClientDown = true;
    advanceLink(world, link);
  }
  if (isServer && channel.state === "disabled") sendRescind(world, channel);
}

/** An open channel is closed, then its rings are torn down, then the host answers: each as soon as its end allows it. */
function advanceLink(world: World, link: Link | undefined): void {
  if (link === undefined) return;
  const { channelId, ringGpadl, connection } = link;
  const isOpen = link.result === STATUS.STATUS_SUCCESS;
  if (isOpen && !link.isClosed && (link.isClosing || link.isClientDown)) {
    link.isClosed = true;
    say(world, "CLOSE_CHANNEL", [channelId]);
  }
  const hasNoAnswerDue = link.result !== null || isRescinded(world, link);
  if (link.isClientDown && hasNoAnswerDue && !link.isTornDown) {
    if (isRescinded(world, link) && world.options["rescind-delete"] === "returns") {
      world.wire.links.delete(connection);
      return;
    }
    link.isTornDown = true;
    say(world, "GPADL_TEARDOWN", [channelId, ringGpadl]);
  }
  if (!link.isTornDown || !link.isServerDown) return;
  sayOf(world, channelId, ["GPADL_TORNDOWN", [ringGpadl]]);
  world.wire.links.delete(connection);
}

/**
 * A message about the teardown of a GPADL, while the guest holds its channel's id: when that went back, the host lets go of
 * GPADLs by itself, and answers nobody (kmcl.md 5.6).
 */
function sayOf(world: World, channelId: number, [name, values]: readonly [MessageName, readonly Value[]]): void {
  const { wire } = world;
  if (!isOn(world)) return;
  const isOffered = [...wire.offers.values()].includes(channelId);
  if (isOffered || [...wire.held.values()].some((held) => held.channelId === channelId)) say(world, name, values);
}

function isRescinded({ wire }: World, { server, channelId }: Link): boolean {
  return wire.offers.get(server) !== channelId;
}

/** A driver's GPADL, described and accepted. */
export function sendGpadl(world: World, channel: Channel, { number, ref, data }: EngineObject<"gpadl">): void {
  const channelId = world.wire.held.get(channel.number)?.channelId;
  if (!isOn(world) || channelId === undefined) return;
  world.wire.gpadls.set(number, channelId);
  sendDescription(world, { channelId, gpadl: ref, ranges: rangesOf(piecesOf(data)), status: STATUS.STATUS_SUCCESS });
}

/** A GPADL that the host refuses: its handle names nothing. */
export function sendRefusedGpadl(
  world: World,
  channel: Channel,
  { pieces, status }: { readonly pieces: readonly Piece[]; readonly status: number },
): void {
  const channelId = world.wire.held.get(channel.number)?.channelId;
  if (!isOn(world) || channelId === undefined) return;
  sendDescription(world, { channelId, gpadl: takeHandle(world), ranges: rangesOf(pieces), status });
}

function rangesOf(pieces: readonly Piece[]): readonly GpadlRange[] {
  return pieces.map(({ byteCount, byteOffset, pages }) => ({ byteCount, byteOffset, pages }));
}

interface Description {
  readonly channelId: number;
  readonly gpadl: Value;
  readonly ranges: readonly GpadlRange[];
  readonly status: number;
}

function sendDescription(world: World, { channelId, gpadl, ranges, status }: Description): void {
  const { rangeBytes, rangeCount, header, bodies } = splitGpadl(ranges);
  say(world, "GPADL_HEADER", [channelId, gpadl, rangeBytes, rangeCount, header]);
  for (const words of bodies) say(world, "GPADL_BODY", [MESSAGE_NUMBER, gpadl, words]);
  say(world, "GPADL_CREATED", [channelId, gpadl, status]);
}

/** A driver takes a GPADL back. */
export function sendTeardown(world: World, { number, ref }: EngineObject<"gpadl">): void {
  const channelId = world.wire.gpadls.get(number);
  if (channelId !== undefined) sayOf(world, channelId, ["GPADL_TEARDOWN", [channelId, ref]]);
}

/** A GPADL is gone; `isAnswered` false: no teardown asked for it, as the host took the channel back before. */
export function sendTorndown(
  world: World,
  { number, ref }: EngineObject<"gpadl">,
  { isAnswered }: { readonly isAnswered: boolean },
): void {
  const channelId = world.wire.gpadls.get(number);
  if (channelId === undefined) return;
  world.wire.gpadls.delete(number);
  if (isAnswered) sayOf(world, channelId, ["GPADL_TORNDOWN", [ref]]);
}

/** The guest leaves the bus. */
export function sendUnload(world: World): void {
  if (isOn(world)) say(world, "UNLOAD", []);
}

/** The host has let go of all that was the guest's: ids too, so that what is offered then is offered anew. */
export function sendUnloadResponse(world: World): void {
  const { offers, held, gpadls } = world.wire;
  for (const each of [offers, held, gpadls]) each.clear();
  if (isOn(world)) say(world, "UNLOAD_RESPONSE", []);
}

/** A client is enabled: it wants no old offer any more, and a guest that left the bus is told what is on offer. */
export function takeOffers(world: World, client: Channel): void {
  if (!isOn(world)) return;
  releaseOffer(world, client);
  for (const server of world.all("channel")) {
    const { isServer, isDisabling } = server.data;
    const isOnOffer = isServer && !isDisabling && server.state !== "disabled";
    if (isOnOffer && !world.wire.offers.has(server.number)) sendOffer(world, server);
  }
}
