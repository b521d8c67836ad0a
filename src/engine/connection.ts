// How two endpoints of a channel find each other, open, run and close, with the documented callbacks at each end
// (kmcl.md 1.2, 1.3). It must not know calls: `channel.ts` turns them into wishes, this file works towards them.
//
// An endpoint is in at most one state-change callback. When none is outstanding, its phase and its wishes (to be active,
// to be paused, to be closed) say which comes next; a callback that the driver did not register counts as returned.

import { ntSuccess, type StateCallback, STATUS } from "../api/mod.ts";
import type { ChannelData, EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** One endpoint. */
export type Channel = EngineObject<"channel">;

/** What a callback's return is, for the endpoint that it returned at. */
export type CallbackReturn = (
  args: { readonly world: World; readonly channel: Channel; readonly status: number; readonly event: number },
) => void;

/** What a return works on; `cause` is the event that made it. */
interface Step {
  readonly world: World;
  readonly channel: Channel;
  readonly status: number;
  readonly cause: number;
}

/** Connects every client that waits with the first server that offers what it wants, lowest numbers first. */
export function connectWaiting(world: World, cause: number): void {
  for (const client of world.all("channel")) {
    if (client.data.isServer || client.state !== "enabled") continue;
    const server = findOffer(world, client);
    if (server !== undefined) connect(world, { server, client, cause });
  }
}

function findOffer(world: World, client: Channel): Channel | undefined {
  for (const server of world.all("channel")) if (isOffered(world, server) && fits(server, client)) return server;
  return undefined;
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
  }
  server.data.phase = "opening";
  advance(world, server, cause);
}

/** The other end, while it is not down. */
export function peerOf(world: World, channel: Channel): Channel | undefined {
  const peer = world.find("channel", channel.data.peer);
  return isUp(peer, channel.data.connection) ? peer : undefined;
}

/** Whether either end of a connection is not down yet. */
export function isConnectionUp(
  world: World,
  { channel, connection, peer }: { readonly channel: Channel; readonly connection: number; readonly peer: number },
): boolean {
  return isUp(channel, connection) || isUp(world.find("channel", peer), connection);
}

/** The states of an endpoint that is part of a connection. */
const CONNECTED: ReadonlySet<string> = new Set(["opening", "open", "closing"]);

/** Whether an endpoint is part of this connection and not down yet. */
export function isUp(channel: Channel | undefined, connection: number): boolean {
  return channel !== undefined && channel.data.connection === connection && CONNECTED.has(channel.state);
}

/** An endpoint that opens counts as open to its driver from its own Opened callback on, not before (kmcl.md 1.3, 2.1). */
export function hasOpenedBegun(world: World, channel: Channel): boolean {
  return channel.state !== "opening" || world.running.some((callback) => callback.channel === channel.number);
}

/** Makes the callbacks that an endpoint's wishes call for, as far as it goes without a driver's return. */
export function advance(world: World, channel: Channel, cause: number): void {
  while (channel.data.awaited === "") {
    const name = nextCallback(channel.data);
    if (name === null) return;
    if (channel.data.callbacks.has(name)) {
      channel.data.awaited = name;
      world.raise({ name, channel: channel.number, side: channel.side, ins: [channel.ref], cause });
    } else {
      AFTER[name]({ world, channel, status: STATUS.STATUS_SUCCESS, cause });
    }
  }
}

/** A start that began runs to its PostStarted; then a pause or a close has its Suspend. */
function nextCallback({ phase, isClosing, isActive, pauses }: ChannelData): StateCallback | null {
  switch (phase) {
    case "unopened":
      return null;
    case "opening":
      return "EvtVmbChannelOpened";
    case "stopped":
      if (isClosing) return "EvtVmbChannelClosed";
      return isActive ? "EvtVmbChannelStarted" : null;
    case "starting":
      return "EvtVmbChannelPostStarted";
    case "running":
      return isClosing || !isActive || pauses.length > 0 ? "EvtVmbChannelSuspend" : null;
  }
}

const AFTER: Readonly<Record<StateCallback, (step: Step) => void>> = {
  EvtVmbChannelOpened: afterOpened,
  EvtVmbChannelStarted: afterStarted,
  EvtVmbChannelPostStarted: afterPostStarted,
  EvtVmbChannelSuspend: afterSuspend,
  EvtVmbChannelClosed: afterClosed,
};

/** The server's driver accepts first; then the client's is asked. */
function afterOpened(step: Step): void {
  const { world, channel, status, cause } = step;
  if (!ntSuccess(status)) return rollBack(step);
  channel.data.phase = "stopped";
  channel.state = channel.data.isClosing ? "closing" : "open";
  const client = channel.data.isServer ? peerOf(world, channel) : undefined;
  if (client === undefined) return;
  client.data.phase = "opening";
  advance(world, client, cause);
}

/** A failed Opened: this end has no further callback, the other one closes if its driver had opened. */
function rollBack({ world, channel, cause }: Step): void {
  const peer = peerOf(world, channel);
  goDown(channel, world.options["opened-failure"]);
  if (peer !== undefined) close(world, [peer], cause);
  connectWaiting(world, cause);
}

function afterStarted({ channel }: Step): void {
  channel.data.phase = "starting";
}

function afterPostStarted({ channel }: Step): void {
  channel.data.phase = "running";
}

function afterSuspend({ channel }: Step): void {
  channel.data.phase = "stopped";
  channel.data.pauses = [];
}

function afterClosed({ world, channel, cause }: Step): void {
  goDown(channel, "closed");
  connectWaiting(world, cause);
}

/** Tears a connection down at the given ends, each with the callbacks that it is due. */
export function close(world: World, ends: readonly Channel[], cause: number): void {
  for (const end of ends) {
    if (end.data.phase === "unopened") goDown(end, "closed");
    else end.data.isClosing = true;
    if (end.state === "open") end.state = "closing";
  }
  for (const end of ends) advance(world, end, cause);
}

/** An end is down: a client always disabled, a server where it can be opened again unless it disabled itself. */
function goDown(channel: Channel, serverState: string): void {
  const { data } = channel;
  channel.state = data.isServer && !data.isDisabling ? serverState : "disabled";
  data.phase = "unopened";
  data.isClosing = false;
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
} as const satisfies Readonly<Record<StateCallback, CallbackReturn>>;
