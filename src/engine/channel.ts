// A channel endpoint's life: allocate, enable, start, pause, disable, and what a driver asks of it.
// Rules: kmcl.md 1.2, 2.1. What happens between two endpoints is `connection.ts`; setters are `channel_init.ts`.

import { type ModelOptions, STATE_CALLBACKS, STATUS } from "../api/mod.ts";
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
  value,
} from "./behaviour.ts";
import {
  advance,
  arePauseWaitsOver,
  type Channel,
  close,
  connectWaiting,
  hasOpenedBegun,
  isConnectionUp,
  peerOf,
} from "./connection.ts";
import type { ChannelData } from "./objects.ts";
import { offerAnew } from "./restore.ts";
import { takeOver } from "./takeover.ts";
import { cancelAll, endAll } from "./transactions.ts";
import { emptyTransport } from "./transport.ts";
import { releaseOffer, sendOffer, sendRescind, takeOffers } from "./vmbus.ts";
import type { World } from "./world.ts";

export { type CallbackReturn, CHANNEL_RETURNS } from "./connection.ts";

/** A GUID that names nothing: the instance of a channel that knows none yet. */
const NO_INSTANCE = "{00000000-0000-0000-0000-000000000000}";

/** Room for one server's MMIO, in bytes: twice the 65,535 MB that either part of the hint can ask for. */
const MMIO_WINDOW_BYTES = 0x20_0000_0000n;
const MEGABYTE = 0x10_0000n;

/** What a scenario's channel has (notation, "Values"); the other callbacks have setters that nobody can leave out. */
const EVERY_CALLBACK: readonly string[] = [
  ...Object.keys(STATE_CALLBACKS),
  "EvtVmbChannelProcessPacket",
  "EvtVmbChannelProcessingComplete",
];

/** An endpoint's state on both axes, as `expect state` names it: `open/active`, `enabled/paused`; `dead` alone. */
export function channelState(channel: Channel): string {
  return channel.alive ? `${channel.state}/${channel.data.isActive ? "active" : "paused"}` : channel.state;
}

/** The endpoint must be the caller's own: which one it is, is said once, here (kmcl.md 1.1). */
function allocate(scope: Scope, _parent: bigint, isServer: boolean): Reply {
  if (isServer !== (scope.side === "server")) return answer(optionStatus(scope.world.options, "wrong-endpoint-status"));
  return success(scope.create("channel", emptyChannel(isServer, scope.world.options)).ref);
}

function emptyChannel(isServer: boolean, options: ModelOptions): ChannelData {
  return {
    isServer,
    peer: 0,
    connection: 0,
    isActive: false,
    isAutoPaused: false,
    phase: "unopened",
    awaited: "",
    isClosing: false,
    isDisabling: false,
    isRescinded: false,
    pauses: [],
    disables: [],
    interfaceType: null,
    interfaceInstance: null,
    pointer: 0n,
    latency: 0,
    mmioMegabytes: 0,
    targetVtl: 0,
    callbacks: new Set<string>(options["initial-callbacks"] === "every" ? EVERY_CALLBACK : []),
    forcesNewChannel: false,
    save: null,
    restore: null,
    transport: emptyTransport(options),
  };
}

/**
 * The guest has done with the id of an offer that was rescinded. Transactions that go on are cancelled; a callback of the
 * channel that is due is not made any more, a packet's routine is: it is the packet's own. Refused while a Disable waits for
 * the other end: that call still works on the channel, though its own end is down.
 */
function cleanup({ world, event }: Scope, channel: Channel): Reply {
  if (channel.data.disables.length > 0) return refuse(`a Disable of channel#${channel.number} has not returned`);
  releaseOffer(world, channel);
  cancelAll(world, channel, event);
  world.callbacks.withdraw(channel.number, ({ name }) => name !== "EvtVmbPacketCompletionRoutine");
  return done();
}

/** A client is active from here on, unless a Pause came before; a server waits for its Start. */
function enable({ world, event }: Scope, channel: Channel): Reply {
  const { data } = channel;
  channel.state = "enabled";
  data.isActive = !data.isServer && !data.isAutoPaused;
  data.isAutoPaused = false;
  if (takeOver(world, channel, event)) return success();
  if (data.isServer) sendOffer(world, channel);
  else takeOffers(world, channel);
  offerAnew(world, channel, event);
  world.meeting.update(channel);
  connectWaiting(world, channel, event);
  return success();
}

/** Returns when both ends of the connection are down; called inside the channel's own callback that is never. */
function disable(scope: Scope, channel: Channel): Reply {
  const { world, event } = scope;
  const { data } = channel;
  if (!scope.retry) {
    // A guest that is saved does not go down: this end alone is waited for.
    data.disables.push({ event, connection: data.connection, peer: world.wire.isVmSaved ? 0 : data.peer });
    tearDown(scope, channel);
  }
  const wait = data.disables.find((each) => each.event === event);
  if (wait !== undefined && isConnectionUp(world, { ...wait, channel })) {
    const keys = [["channel", channel.number], ["channel", wait.peer]] as const;
    return blockedOn({ keys }, () => isConnectionUp(world, { ...wait, channel }));
  }
  data.disables = data.disables.filter((each) => each.event !== event);
  return done();
}

/** A server's Disable also revokes the offer; an endpoint that is not open has no callback to run. */
export function tearDown({ world, event }: Scope, channel: Channel): void {
  const { data } = channel;
  const peer = world.wire.isVmSaved ? undefined : peerOf(world, channel);
  if (data.isServer && peer !== undefined) {
    peer.data.isRescinded = true;
    world.waiters.wake("rescind", peer.number);
  }
  if (data.isServer) sendRescind(world, channel);
  if (channel.state === "enabled" || channel.state === "closed") {
    channel.state = "disabled";
    world.meeting.update(channel);
    data.isActive = false;
    endAll(world, channel, event);
  } else if (channel.state !== "disabled") {
    data.isDisabling = true;
    const ends = peer === undefined ? [channel] : [channel, peer];
    close(world, ends, { cause: event, status: STATUS.STATUS_DEVICE_REMOVED });
  }
}

function start(scope: Scope, channel: Channel): Reply {
  const trouble = outsideWindow(scope, channel);
  if (trouble !== null) return refuse(trouble);
  channel.data.isActive = true;
  advance(scope.world, channel, scope.event);
  return done();
}

/**
 * A Pause of a channel that runs, or has begun to start, returns when its Suspend has and no packet is outstanding
 * (kmcl.md 1.3).
 */
function pause(scope: Scope, channel: Channel): Reply {
  const { data } = channel;
  if (!scope.retry) {
    const trouble = outsideWindow(scope, channel);
    if (trouble !== null) return refuse(trouble);
    data.isActive = false;
    data.isAutoPaused = channel.state === "disabled";
    if (!isSuspended(scope.world, channel)) return done();
    data.pauses.push(scope.event);
    advance(scope.world, channel, scope.event);
  } else if (data.phase === "stopped" && data.awaited === "") advance(scope.world, channel, scope.event);
  const { event } = scope;
  if (!data.pauses.includes(event)) return done();
  const { world } = scope;
  return blockedOn({ keys: [["channel", channel.number]] }, () => {
    const isOver = data.phase === "stopped" && data.awaited === "" && arePauseWaitsOver(world, data);
    return data.pauses.includes(event) && !isOver;
  });
}

/** Whether a Pause has anything to wait for: Suspend, or packets. */
function isSuspended(world: World, { state, data }: Channel): boolean {
  if (runs(data)) return true;
  if (data.phase === "stopped") return !arePauseWaitsOver(world, data);
  return world.options["pause-unopened"] === "suspend" && (state === "enabled" || state === "closed");
}

function runs({ phase, awaited }: ChannelData): boolean {
  return phase === "running" || phase === "starting" || awaited === "EvtVmbChannelStarted";
}

/** Why Start and Pause may not be called now, or null: inside a state-change callback, or after Disable began. */
function outsideWindow({ world, insideCallback }: Scope, channel: Channel): string | null {
  const inside = world.running.find((each) => each.event === insideCallback && each.channel === channel.number);
  if (inside !== undefined && Object.hasOwn(STATE_CALLBACKS, inside.name)) {
    return `called inside ${inside.name} of channel#${channel.number}`;
  }
  return channel.data.isDisabling ? `channel#${channel.number} is being disabled` : null;
}

/** The active instance: the server's, once a client knows it; before that the one that it asked for. */
function getInterfaceInstance({ world }: Scope, channel: Channel): Reply {
  const known = serverOf(world, channel)?.data.interfaceInstance ?? channel.data.interfaceInstance;
  return done(known ?? NO_INSTANCE);
}

function serverOf(world: Scope["world"], channel: Channel): Channel | undefined {
  return channel.data.isServer ? channel : peerOf(world, channel);
}

function setPointer(_scope: Scope, channel: Channel, pointer: bigint): Reply {
  channel.data.pointer = pointer;
  return done();
}

function getPointer(_scope: Scope, channel: Channel): Reply {
  return value(channel.data.pointer);
}

/** Each server has a window of its own in the guest; one that asked for no MMIO has none (kmcl.md X11). */
function getMmioSpace({ world }: Scope, channel: Channel): Reply {
  if (!hasOpenedBegun(world, channel)) return refuse(`Opened of channel#${channel.number} has not begun`);
  const server = serverOf(world, channel);
  const size = BigInt(server?.data.mmioMegabytes ?? 0) * MEGABYTE;
  return server === undefined || size === 0n ? done(0n, 0n) : done(BigInt(server.number) * MMIO_WINDOW_BYTES, size);
}

function setInterruptLatency({ world }: Scope, channel: Channel, latency: number): Reply {
  if (!hasOpenedBegun(world, channel)) return answer(optionStatus(world.options, "refusal-status"));
  const original = channel.data.latency;
  channel.data.latency = latency;
  return success(original);
}

/** Behaviours of a channel's life. */
export const CHANNEL_BEHAVIOURS = {
  VmbChannelAllocate: allocate,
  VmbChannelCleanup: cleanup,
  VmbChannelEnable: enable,
  VmbChannelDisable: disable,
  VmbChannelStart: start,
  VmbChannelPause: pause,
  VmbChannelGetInterfaceInstance: getInterfaceInstance,
  VmbChannelSetPointer: setPointer,
  VmbChannelGetPointer: getPointer,
  VmbChannelGetMmioSpace: getMmioSpace,
  VmbChannelSetInterruptLatency: setInterruptLatency,
} as const satisfies Readonly<Record<string, Behaviour>>;
