// One endpoint of a channel on both axes of kmcl.md 1.2, and how it goes on when its driver has returned. It must not
// know events or calls: `channel_states.ts` feeds it.
//
// A callback that the driver registered is waited for: the trace shows it and its return. One that is not registered
// leaves no event, and the endpoint passes it as if it had returned at once.

import type { ImagePosition, Ref, StateCallback, Value } from "../api/mod.ts";

/** States of an endpoint; as the table of objects names them. */
export type ChannelState = "disabled" | "enabled" | "opening" | "open" | "closing" | "closed";

/** What is known of the image that a channel is restored from. */
export interface RestoredImage {
  /** Where the next chunk stands. */
  readonly position: ImagePosition;
  /** The connection in which it was saved open, as the engine counts; 0: it was not open. */
  readonly connection: number;
  /** The last chunk was taken. */
  readonly isWhole: boolean;
}

/** One endpoint. */
export interface ChannelRecord {
  readonly ref: Ref;
  readonly isServer: boolean;
  /** `opening` from the beginning of its Opened on. */
  state: ChannelState;
  /** The event that brought it there. */
  since: number;
  /** The other end of the current or last connection, and that connection's number. */
  peer: ChannelRecord | null;
  connection: number;
  /** Part of that connection and not down. */
  isUp: boolean;
  phase: "unopened" | "opening" | "stopped" | "starting" | "running";
  /** The callback that is due or running, null: none. */
  awaited: StateCallback | null;
  isActive: boolean;
  /** A Pause came while it was disabled: the next Enable leaves it paused (kmcl.md X3). */
  isAutoPaused: boolean;
  /** A Pause waits for its Suspend. */
  isPausing: boolean;
  isClosing: boolean;
  /** A Disable of this end has not returned. */
  isDisabling: boolean;
  /** Disables of this end that have not returned: for the other end, they wait on when this one is down. */
  waitingDisables: number;
  /** Packets that were delivered to it and not completed. */
  outstanding: number;
  readonly callbacks: Set<string>;
  /** What a restore took so far, up to the next Enable; null: nothing. */
  image: RestoredImage | null;
  /** VMBUS_SERVER_CHANNEL_FORCE_NEW_CHANNEL was set. */
  forcesNew: boolean;
  /** Interface type and instance: offered by a server, wanted by a client. */
  identity: readonly [type: Value, instance: Value];
}

/** An endpoint that was just allocated. */
export function newChannel(about: Pick<ChannelRecord, "ref" | "isServer" | "since" | "callbacks">): ChannelRecord {
  return {
    ...about,
    state: "disabled",
    peer: null,
    connection: 0,
    isUp: false,
    phase: "unopened",
    awaited: null,
    isActive: false,
    isAutoPaused: false,
    isPausing: false,
    isClosing: false,
    isDisabling: false,
    waitingDisables: 0,
    outstanding: 0,
    image: null,
    forcesNew: false,
    identity: [null, null],
  };
}

/** Brings an endpoint into a state. */
export function moveTo(record: ChannelRecord, state: ChannelState, event: number): void {
  record.state = state;
  record.since = event;
}

/** The other end of the same connection, while it is not down. */
export function livePeer({ peer, connection }: ChannelRecord): ChannelRecord | null {
  return peer?.isUp === true && peer.connection === connection ? peer : null;
}

/** Whether a client may open this server's channel: offered, and the last client's end is down too. */
export function isOffered(server: ChannelRecord): boolean {
  const isFree = server.state === "enabled" || server.state === "closed";
  return server.isServer && isFree && !server.isUp && livePeer(server) === null;
}

/** Whether a server offers what a client wants; a client without an instance takes any. */
export function fits(server: ChannelRecord, client: ChannelRecord): boolean {
  const [wanted, exact] = client.identity;
  const [type, instance] = server.identity;
  return wanted !== null && wanted === type && (exact === null || exact === instance);
}

/** What an endpoint's driver is due next, or null: it waits for packets that were delivered. */
function nextCallback({ phase, isClosing, isActive, isPausing, outstanding }: ChannelRecord): StateCallback | null {
  switch (phase) {
    case "unopened":
      return null;
    case "opening":
      return "EvtVmbChannelOpened";
    case "stopped":
      if (outstanding > 0) return null;
      if (isClosing) return "EvtVmbChannelClosed";
      return isActive ? "EvtVmbChannelStarted" : null;
    case "starting":
      return "EvtVmbChannelPostStarted";
    case "running":
      return isClosing || !isActive || isPausing ? "EvtVmbChannelSuspend" : null;
  }
}

/** Goes on with an endpoint as far as no registered callback has to return first; returns whether one went down. */
export function advance(record: ChannelRecord, event: number): boolean {
  let isAnyDown = false;
  while (record.awaited === null) {
    const due = nextCallback(record);
    if (due === null) break;
    if (record.callbacks.has(due)) record.awaited = due;
    else isAnyDown = after(record, due, event) || isAnyDown;
  }
  return isAnyDown;
}

/** A callback returned, or was passed; returns whether an endpoint went down with it. */
export function after(record: ChannelRecord, callback: StateCallback, event: number): boolean {
  switch (callback) {
    case "EvtVmbChannelOpened":
      return opened(record, event);
    case "EvtVmbChannelStarted":
      record.phase = "starting";
      return false;
    case "EvtVmbChannelPostStarted":
      record.phase = "running";
      return false;
    case "EvtVmbChannelSuspend":
      // Also an end that was not open can be told (option `pause-unopened`).
      if (record.phase === "running") record.phase = "stopped";
      record.isPausing = false;
      return false;
    case "EvtVmbChannelClosed":
      goDown(record, { event, serverState: "closed" });
      return true;
  }
}

/** The server accepts first; then the client's driver is asked, unless its end was open all the time. */
function opened(record: ChannelRecord, event: number): boolean {
  record.isUp = true;
  record.phase = "stopped";
  moveTo(record, record.isClosing ? "closing" : "open", event);
  const client = record.isServer ? livePeer(record) : null;
  if (client === null || client.phase !== "unopened") return false;
  client.phase = "opening";
  return advance(client, event);
}

/** Tears a connection down at these ends: one that nobody was asked for is down at once. Returns whether one is down. */
export function close(ends: readonly ChannelRecord[], event: number): boolean {
  let isAnyDown = false;
  for (const end of ends) {
    if (end.phase === "unopened") {
      goDown(end, { event, serverState: "closed" });
      isAnyDown = true;
    } else end.isClosing = true;
    if (end.state === "open") moveTo(end, "closing", event);
  }
  for (const end of ends) isAnyDown = advance(end, event) || isAnyDown;
  return isAnyDown;
}

/** An end is down: a client always disabled, a server where it can be opened again, unless it disabled itself. */
export function goDown(
  record: ChannelRecord,
  { event, serverState }: { readonly event: number; readonly serverState: ChannelState },
): void {
  moveTo(record, record.isServer && !record.isDisabling ? serverState : "disabled", event);
  record.isUp = false;
  record.phase = "unopened";
  record.isClosing = false;
  record.outstanding = 0;
  if (record.state !== "disabled") return;
  record.isActive = false;
  record.isDisabling = false;
}
