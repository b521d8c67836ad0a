// Where each channel endpoint is in life, folded from calls and callbacks alone (kmcl.md 1.2, 1.3): disabled, enabled,
// opening, open, closing, closed, and which endpoint is its peer. It judges nothing.
//
// Callbacks that a driver did not register leave no event: their end passes the state when its peer lets it.

import { isStruct, ntSuccess, type Ref, type Value } from "../api/mod.ts";
import type { TraceEvent, TraceHeader } from "../trace/mod.ts";
import { isInitSetter, isStateCallback, refOf, verbOn } from "./call_shapes.ts";
import type { CallView } from "./detector.ts";

/** States of an endpoint; as the table of objects names them. */
export type ChannelState = "disabled" | "enabled" | "opening" | "open" | "closing" | "closed";

/** One endpoint. */
export interface ChannelRecord {
  readonly ref: Ref;
  readonly isServer: boolean;
  state: ChannelState;
  /** The event that brought it there. */
  since: number;
  /** The other end of the current or last connection. */
  peer: ChannelRecord | null;
  /** Part of a connection, from before its Opened until its Closed returned. */
  isUp: boolean;
  isClosing: boolean;
  /** A Disable of this end has not returned. */
  isDisabling: boolean;
  hasOpened: boolean;
  hasClosed: boolean;
  /** Interface type and instance: offered by a server, wanted by a client. */
  identity: readonly [type: Value, instance: Value];
}

const CALLBACKS = "VMB_CHANNEL_STATE_CHANGE_CALLBACKS";
const OPENED = "EvtVmbChannelOpened";
const CLOSED = "EvtVmbChannelClosed";

/** All live endpoints. */
export class ChannelStates {
  readonly #records = new Map<number, ChannelRecord>();
  readonly #hasEveryCallback: boolean;
  readonly #openedFailure: ChannelState;

  constructor({ options }: TraceHeader) {
    this.#hasEveryCallback = options["initial-callbacks"] === "every";
    this.#openedFailure = options["opened-failure"] === "disabled" ? "disabled" : "enabled";
  }

  /** The endpoint, while it lives and its allocation was seen. */
  find(ref: Ref | null): ChannelRecord | undefined {
    return ref === null ? undefined : this.#records.get(ref.number);
  }

  /** Takes the beginning of a call: a Disable closes both ends. */
  called(call: CallView): void {
    const record = this.find(call.object("channel"));
    if (record === undefined || verbOn(call.plan, "channel") !== "close" || call.outcome?.form === "refused") return;
    if (record.isUp) {
      record.isDisabling = true;
      for (const end of [record, record.peer]) if (end?.isUp === true) beginClosing(end, call.event);
    }
  }

  /** Takes a call that returned. */
  returned(call: CallView): void {
    if (!call.succeeded) return;
    const verb = verbOn(call.plan, "channel");
    if (verb === "create") return this.#created(call);
    const record = this.find(call.object("channel"));
    if (record === undefined) return;
    if (verb === "open") {
      moveTo(record, "enabled", call.event);
      this.#connectWaiting(call.event);
    } else if (verb === "close") this.#disabled(record, call.returnedAt);
    else if (isInitSetter(call.plan)) configure(record, call);
  }

  /** Takes the beginning of a callback. */
  callback(event: TraceEvent): void {
    const record = this.#of(event);
    if (record === undefined) return;
    if (event.plan?.name === OPENED) {
      record.isUp = true;
      moveTo(record, "opening", event.event);
    } else if (event.plan?.name === CLOSED) moveTo(record, "closing", event.event);
  }

  /** Takes the return of a callback. */
  callbackReturned(callback: TraceEvent, { outcome, event }: TraceEvent): void {
    const record = this.#of(callback);
    if (record === undefined) return;
    if (callback.plan?.name === OPENED) {
      const isAccepted = outcome?.form !== "status" || ntSuccess(outcome.status);
      if (isAccepted) opened(record, event);
      else this.#rollBack(record, event);
    } else if (callback.plan?.name === CLOSED) this.#goDown(record, { event, serverState: "closed" });
  }

  /** Forgets an endpoint that was cleaned up. */
  ended(ref: Ref): void {
    this.#records.delete(ref.number);
  }

  #of({ plan, ins }: TraceEvent): ChannelRecord | undefined {
    return plan !== null && isStateCallback(plan) ? this.find(refOf(ins, "channel")) : undefined;
  }

  #created(call: CallView): void {
    const ref = refOf(call.outs, "channel");
    if (ref === null) return;
    this.#records.set(ref.number, {
      ref,
      isServer: call.in("bool") === true,
      state: "disabled",
      since: call.event,
      peer: null,
      isUp: false,
      isClosing: false,
      isDisabling: false,
      hasOpened: this.#hasEveryCallback,
      hasClosed: this.#hasEveryCallback,
      identity: [null, null],
    });
  }

  /** A client that waits gets the first server that offers what it wants. */
  #connectWaiting(event: number): void {
    for (const client of this.#records.values()) {
      if (client.isServer || client.state !== "enabled" || client.isUp) continue;
      const server = [...this.#records.values()].find((each) => isOffered(each) && fits(each, client));
      if (server !== undefined) connect({ server, client, event });
    }
  }

  /** This end is down; so is the other one where it has no Closed callback to wait for. */
  #disabled(record: ChannelRecord, event: number): void {
    record.isDisabling = true;
    this.#goDown(record, { event, serverState: "disabled" });
    const { peer } = record;
    if (peer?.isUp === true && peer.isClosing && !peer.hasClosed) {
      this.#goDown(peer, { event, serverState: "closed" });
    }
  }

  #rollBack(record: ChannelRecord, event: number): void {
    const { peer } = record;
    this.#goDown(record, { event, serverState: this.#openedFailure });
    if (peer?.isUp !== true) return;
    if (peer.state === "enabled" || !peer.hasClosed) this.#goDown(peer, { event, serverState: "closed" });
    else beginClosing(peer, event);
  }

  #goDown(
    record: ChannelRecord,
    { event, serverState }: { readonly event: number; readonly serverState: ChannelState },
  ): void {
    moveTo(record, record.isServer && !record.isDisabling ? serverState : "disabled", event);
    record.isUp = false;
    record.isClosing = false;
    if (record.state === "disabled") record.isDisabling = false;
    this.#connectWaiting(event);
  }
}

function moveTo(record: ChannelRecord, state: ChannelState, event: number): void {
  record.state = state;
  record.since = event;
}

function configure(record: ChannelRecord, call: CallView): void {
  const callbacks = call.in(CALLBACKS);
  if (callbacks !== undefined && isStruct(callbacks)) {
    record.hasOpened = callbacks.EvtChannelOpened === true;
    record.hasClosed = callbacks.EvtChannelClosed === true;
  }
  const guids = call.plan.ins.flatMap((param, index) => param.word === "guid" ? [call.ins[index] ?? null] : []);
  if (guids.length === 2) record.identity = [guids[0] ?? null, guids[1] ?? null];
}

function isOffered(server: ChannelRecord): boolean {
  const isFree = server.state === "enabled" || server.state === "closed";
  const isTaken = server.isUp || (server.peer?.isUp === true && server.peer.peer === server);
  return server.isServer && isFree && !isTaken;
}

function fits({ identity: [type, instance] }: ChannelRecord, { identity: [wanted, exact] }: ChannelRecord): boolean {
  return wanted !== null && wanted === type && (exact === null || exact === instance);
}

function connect(
  { server, client, event }: { readonly server: ChannelRecord; readonly client: ChannelRecord; readonly event: number },
): void {
  for (const [end, peer] of [[server, client], [client, server]] as const) {
    end.peer = peer;
    end.isUp = true;
    end.isClosing = false;
  }
  if (!server.hasOpened) opened(server, event);
}

/** The server accepts first; then the client's driver is asked, where it wants to be. */
function opened(record: ChannelRecord, event: number): void {
  record.isUp = true;
  moveTo(record, record.isClosing ? "closing" : "open", event);
  const { peer } = record;
  if (record.isServer && peer?.isUp === true && !peer.hasOpened && peer.state === "enabled") opened(peer, event);
}

function beginClosing(record: ChannelRecord, event: number): void {
  record.isClosing = true;
  if (record.state === "open") moveTo(record, "closing", event);
}
