// How two endpoints of a channel find each other, open, run and close, with the documented callbacks at each end
// (kmcl.md 1.2, 1.3). It must not know calls: `channel.ts` turns them into wishes, this file works towards them.
//
// An endpoint is in at most one state-change callback. When none is outstanding, its phase and its wishes (to be active,
// to be paused, to be closed) say which comes next; a callback that the driver did not register counts as returned.

import { ntSuccess, type StateCallback, STATUS, type Value } from "../api/mod.ts";
import { type Channel, isConnectionUp, peerOf } from "./ends.ts";
import type { ChannelData } from "./objects.ts";
import { afterDelivery, closeTransport, openTransport, settle, shutTransport } from "./transport.ts";
import { sendClose, sendDown, sendOpen, sendOpenResult } from "./vmbus.ts";
import type { World } from "./world.ts";

export { type Channel, isConnectionUp, isUp, peerOf } from "./ends.ts";

/** What a callback's return is, for the endpoint that it returned at. */
export type CallbackReturn = (
  args: {
    readonly world: World;
    readonly channel: Channel;
    readonly status: number;
    /** The callback's out parameters, by position. */
    readonly outs: readonly Value[];
    readonly event: number;
  },
) => void;

/** What a return works on; `cause` is the event that made it. */
interface Step {
  readonly world: World;
  readonly channel: Channel;
  readonly status: number;
  readonly cause: number;
}

/**
 * Connects clients that wait with the first server that offers what they want, lowest numbers first. Only those who want what
 * `channel` is about can have become a pair by what happened to it. A guest that leaves the bus opens nothing until it has.
 */
export function connectWaiting(world: World, channel: Channel, cause: number): void {
  const { interfaceType } = channel.data;
  if (interfaceType === null || world.wire.unload !== "none") return;
  for (const number of world.meeting.clients(interfaceType)) {
    const client = world.find("channel", number);
    const server = client === undefined ? undefined : findOffer(world, client);
    if (client !== undefined && server !== undefined) connect(world, { server, client, cause });
  }
}

function findOffer(world: World, client: Channel): Channel | undefined {
  let first: Channel | undefined;
  for (const number of world.meeting.servers(client)) {
    const server = world.find("channel", number);
    const isFirst = server !== undefined && (first === undefined || number < first.number);
    if (isFirst && isOffered(world, server) && fits(server, client)) first = server;
  }
  return first;
}

/** An offer is open to one client at a time: until the last one's end is down too, it is taken. */
function isOffered(world: World, server: Channel): boolean {
  if (!server.data.isServer || (server.state !== "enabled" && server.state !== "closed")) return false;
  return !isConnectionUp(world, { channel: server, ...server.data });
}

function fits(server: Channel, client: Channel): boolean {
  const { interfaceType, interfaceInstance } = client.data;
  if (interfaceType === null || server.data.interfaceType !== interfaceType) return false;
  return interfaceInstance === null || server.data.interfaceInstance === interfaceInstance;
}

function connect(
  world: World,
  { server, client, cause }: { readonly server: Channel; readonly client: Channel; readonly cause: number },
): void {
  const connection = world.nextConnection;
  world.nextConnection += 1;
  for (const [end, peer] of [[server, client], [client, server]] as const) {
    Object.assign(end.data, { peer: peer.number, connection, isRescinded: false });
    end.state = "opening";
    world.meeting.update(end);
    world.waiters.wake("channel", end.number);
  }
  openTransport(world, { server, client });
  sendOpen(world, { server, client });
  server.data.phase = "opening";
  advance(world, server, cause);
}

/** An endpoint that opens counts as open to its driver from its own Opened callback on, not before (kmcl.md 1.3, 2.1). */
export function hasOpenedBegun(world: World, channel: Channel): boolean {
  if (channel.state !== "opening") return true;
  return world.running.some(({ channel: at, name }) => at === channel.number && name === "EvtVmbChannelOpened");
}

/** Makes the callbacks that an endpoint's wishes call for, as far as it goes without a driver's return. */
export function advance(world: World, channel: Channel, cause: number): void {
  while (channel.data.awaited === "") {
    if (channel.data.phase === "stopped" && arePauseWaitsOver(world, channel.data)) channel.data.pauses = [];
    const name = nextCallback(channel.data);
    if (name === null) break;
    if (name === "EvtVmbChannelClosed") shutTransport(world, channel, cause);
    if (channel.data.callbacks.has(name)) {
      channel.data.awaited = name;
      world.raise({ name, channel: channel.number, side: channel.side, ins: [channel.ref], cause });
    } else {
      AFTER[name]({ world, channel, status: STATUS.STATUS_SUCCESS, cause });
    }
  }
  settle(world, channel, cause);
  world.waiters.wake("channel", channel.number);
}

/** A start that began runs to its PostStarted; then a pause or a close has its Suspend, and waits for packets. */
function nextCallback({ phase, isClosing, isActive, pauses, transport }: ChannelData): StateCallback | null {
  switch (phase) {
    case "unopened":
      return pauses.length > 0 ? "EvtVmbChannelSuspend" : null;
    case "opening":
      return "EvtVmbChannelOpened";
    case "stopped":
      if (transport.outstanding.size > 0) return null;
      if (isClosing) return "EvtVmbChannelClosed";
      return isActive && pauses.length === 0 ? "EvtVmbChannelStarted" : null;
    case "starting":
      return "EvtVmbChannelPostStarted";
    case "running":
      return isClosing || !isActive || pauses.length > 0 ? "EvtVmbChannelSuspend" : null;
  }
}

/** What a Pause waits for once Suspend has returned: packets that were delivered, or with an option also those sent. */
export function arePauseWaitsOver({ options }: World, { transport }: ChannelData): boolean {
  if (transport.outstanding.size > 0) return false;
  return options["pause-waits-for"] === "incoming" || transport.awaiting.size === 0;
}

const AFTER: Readonly<Record<StateCallback, (step: Step) => void>> = {
  EvtVmbChannelOpened: afterOpened,
  EvtVmbChannelStarted: afterStarted,
  EvtVmbChannelPostStarted: afterPostStarted,
  EvtVmbChannelSuspend: afterSuspend,
  EvtVmbChannelClosed: afterClosed,
};

/** The server's driver accepts first; then the client's is asked, unless its end was open all the time. */
function afterOpened(step: Step): void {
  const { world, channel, status, cause } = step;
  if (!ntSuccess(status)) return rollBack(step);
  channel.data.phase = "stopped";
  channel.state = channel.data.isClosing ? "closing" : "open";
  if (channel.data.isServer) sendOpenResult(world, channel, STATUS.STATUS_SUCCESS);
  const client = channel.data.isServer ? peerOf(world, channel) : undefined;
  if (client === undefined || client.data.phase !== "unopened") return;
  client.data.phase = "opening";
  advance(world, client, cause);
}

/** A failed Opened: this end has no further callback, the other one closes if its driver had opened. */
function rollBack({ world, channel, status, cause }: Step): void {
  const peer = peerOf(world, channel);
  if (channel.data.isServer) sendOpenResult(world, channel, status);
  goDown(world, channel, { serverState: world.options["opened-failure"], cause });
  if (peer !== undefined) close(world, [peer], { cause, status });
  connectWaiting(world, channel, cause);
}

/** The queue is on, which may deliver a packet; then PostStarted is due (kmcl.md X19). */
function afterStarted({ world, channel, cause }: Step): void {
  channel.data.phase = "starting";
  settle(world, channel, cause);
}

function afterPostStarted({ channel }: Step): void {
  channel.data.phase = "running";
}

/** One that was not open is where it was, or opens by now (option `pause-unopened`). */
function afterSuspend({ channel: { data } }: Step): void {
  if (data.phase === "running") data.phase = "stopped";
  else data.pauses = [];
}

function afterClosed({ world, channel, cause }: Step): void {
  goDown(world, channel, { serverState: "closed", cause });
  connectWaiting(world, channel, cause);
}

/**
 * Tears a connection down at the given ends, each with the callbacks that it is due. An end whose driver was not asked to
 * open has none of these: a client's is told, with `status`, that connecting failed.
 */
export function close(
  world: World,
  ends: readonly Channel[],
  { cause, status }: { readonly cause: number; readonly status: number },
): void {
  for (const end of ends) {
    if (!end.data.isServer) sendClose(world, end);
    if (end.data.phase !== "unopened") end.data.isClosing = true;
    else {
      const isFailure = !end.data.isDisabling;
      goDown(world, end, { serverState: "closed", cause });
      if (isFailure) raisePnpFailure(world, end, { cause, status });
    }
    if (end.state === "open") end.state = "closing";
  }
  for (const end of ends) advance(world, end, cause);
}

function raisePnpFailure(
  world: World,
  channel: Channel,
  { cause, status }: { readonly cause: number; readonly status: number },
): void {
  const name = "EvtChannelPnpFailure";
  if (!channel.data.callbacks.has(name)) return;
  world.raise({ name, channel: channel.number, side: channel.side, ins: [channel.ref, status], cause });
}

/** An end is down: a client always disabled, a server where it can be opened again unless it disabled itself. */
function goDown(
  world: World,
  channel: Channel,
  { serverState, cause }: { readonly serverState: string; readonly cause: number },
): void {
  const { data } = channel;
  channel.state = data.isServer && !data.isDisabling ? serverState : "disabled";
  data.phase = "unopened";
  data.isClosing = false;
  data.pauses = [];
  closeTransport(world, channel, cause);
  sendDown(world, channel);
  world.meeting.update(channel);
  world.waiters.wake("channel", channel.number);
  if (channel.state !== "disabled") return;
  data.isActive = false;
  data.isDisabling = false;
}

function returned(name: StateCallback): CallbackReturn {
  return ({ world, channel, status, event }) => {
    channel.data.awaited = "";
    AFTER[name]({ world, channel, status, cause: event });
    advance(world, channel, event);
  };
}

/** What goes on when a state-change callback returns, by its name. */
export const CHANNEL_RETURNS = {
  EvtVmbChannelOpened: returned("EvtVmbChannelOpened"),
  EvtVmbChannelClosed: returned("EvtVmbChannelClosed"),
  EvtVmbChannelSuspend: returned("EvtVmbChannelSuspend"),
  EvtVmbChannelStarted: returned("EvtVmbChannelStarted"),
  EvtVmbChannelPostStarted: returned("EvtVmbChannelPostStarted"),
  EvtVmbChannelProcessPacket: ({ world, channel, event }) => afterDelivery(world, channel, event),
} as const satisfies Readonly<Record<StateCallback | "EvtVmbChannelProcessPacket", CallbackReturn>>;
