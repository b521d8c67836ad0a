// Where each channel endpoint is in life, folded from calls and callbacks alone (kmcl.md 1.2, 1.3), and which endpoint is
// its peer. It judges nothing. Where a trace says otherwise than the fold expected, the trace is right.

import {
  IMAGE_START,
  isStruct,
  ntSuccess,
  readChunks,
  type Ref,
  STATE_CALLBACKS,
  type StateCallback,
  STATUS,
  SYMBOLS,
} from "../api/mod.ts";
import type { TraceEvent, TraceHeader } from "../trace/mod.ts";
import {
  isInitSetter,
  isOfGuest,
  isStateCallback,
  PAUSE,
  refOf,
  RESTORE,
  RESTORE_VM,
  SAVE_VM,
  START,
  UNLOAD,
} from "./call_shapes.ts";
import {
  advance,
  after,
  type ChannelRecord,
  type ChannelState,
  close,
  fits,
  goDown,
  isOffered,
  livePeer,
  moveTo,
  newChannel,
} from "./channel_connection.ts";
import type { CallView } from "./detector.ts";
import type { PlanShape } from "./plan_shape.ts";

export type { ChannelRecord } from "./channel_connection.ts";

const CALLBACKS_STRUCT = "VMB_CHANNEL_STATE_CHANGE_CALLBACKS";

/** Calls that change a channel though no effect says so. */
const ACTING: ReadonlySet<string> = new Set([RESTORE, START, PAUSE]);

/** A guest that leaves the bus. */
export interface Unload {
  readonly call: CallView;
  /** Every connection is down: the host is letting go of GPADLs. */
  isSent: boolean;
}

/** All live endpoints. */
export class ChannelStates {
  readonly #records = new Map<number, ChannelRecord>();
  readonly #initialCallbacks: readonly string[];
  readonly #openedFailure: ChannelState;
  #connections = 0;
  readonly #isOpenedTold: boolean;
  /** Connections have the numbers that the engine gave them. */
  readonly #isFromStart: boolean;
  #unload: Unload | null = null;
  /** The guest stands still: its ends hear nothing. */
  #isVmSaved = false;
  /** Told of each server that takes the place of the one whose saved channel it was restored from. */
  onTakeOver: (ends: { readonly client: Ref; readonly server: Ref }) => void = () => {};

  constructor({ options, maker, startsAfter }: TraceHeader) {
    this.#isFromStart = maker === "engine" && startsAfter === 0;
    this.#initialCallbacks = options["initial-callbacks"] === "every" ? Object.keys(STATE_CALLBACKS) : [];
    this.#isOpenedTold = options["restored-opened"] !== "not-called";
    this.#openedFailure = options["opened-failure"] === "disabled" ? "disabled" : "enabled";
  }

  /** The endpoint, while it lives and its allocation was seen. */
  find(ref: Ref | null): ChannelRecord | undefined {
    return ref === null ? undefined : this.#records.get(ref.number);
  }

  /** The same by number. */
  numbered(number: number): ChannelRecord | undefined {
    return this.#records.get(number);
  }

  /** The unload that has not returned; null: there is none. */
  get unload(): Unload | null {
    return this.#unload;
  }

  /** All of them, in the order in which they were allocated. */
  all(): IterableIterator<ChannelRecord> {
    return this.#records.values();
  }

  /** Whether calls of a shape can change what is known of channels. */
  static hears({ plan, channelVerb }: PlanShape): boolean {
    return channelVerb !== null || ACTING.has(plan.name) || isOfGuest(plan) || isInitSetter(plan);
  }

  /** Takes the beginning of a call, whole or waiting: all of them act at once. */
  called(call: CallView): void {
    const { plan, event, shape: { channelVerb: verb, at } } = call;
    if (plan.name === RESTORE) return this.#restored(call);
    if (call.outcome !== null && !call.succeeded) return;
    if (plan.name === UNLOAD) return this.#unloads(call);
    if (plan.name === SAVE_VM) return void (this.#isVmSaved = true);
    if (plan.name === RESTORE_VM) return this.#vmRestored(event);
    if (verb === "create") return this.#created(call);
    const record = this.find(call.objectAt(at.channel));
    if (record === undefined) return;
    if (verb === "open") this.#enabled(record, event);
    else if (verb === "close") {
      if (call.outcome === null) record.waitingDisables += 1;
      this.#disabled(record, event);
    } else if (isInitSetter(plan)) configure(record, call);
    else if (plan.name === START) {
      record.isActive = true;
      this.#advance(record, event);
    } else if (plan.name === PAUSE) this.#paused(record, event);
  }

  /** Takes a call that returned: a Disable or an unload is over, whatever callbacks the trace lost. */
  returned(call: CallView): void {
    const { plan, shape, returnedAt } = call;
    if (plan.name === RESTORE) return this.#restoreReturned(call);
    if (!call.succeeded) return;
    if (plan.name === UNLOAD) return this.#unloaded(returnedAt);
    const record = this.find(call.objectAt(shape.at.channel));
    if (record === undefined) return;
    if (shape.channelVerb !== "close") return;
    if (returnedAt !== call.event) record.waitingDisables -= 1;
    this.#disableReturned(record, returnedAt);
  }

  /** Takes the beginning of a callback. */
  callback(event: TraceEvent): void {
    const [record, name] = this.#of(event);
    if (record === undefined || name === null) return;
    record.awaited = name;
    if (name !== "EvtVmbChannelOpened") return;
    record.isUp = true;
    record.phase = "opening";
    moveTo(record, "opening", event.event);
  }

  /** Takes the return of a callback. */
  callbackReturned(callback: TraceEvent, { outcome, event }: TraceEvent): void {
    const [record, name] = this.#of(callback);
    if (record === undefined || name === null) return;
    record.awaited = null;
    const isFailure = outcome?.form === "status" && !ntSuccess(outcome.status);
    if (name === "EvtVmbChannelOpened" && isFailure) this.#rollBack(record, event);
    else if (after(record, name, event)) this.#connectWaiting(event);
    this.#advance(record, event);
  }

  /** Endpoints that are part of a connection and not down, oldest first: what an unload waits for. */
  *up(): IterableIterator<ChannelRecord> {
    for (const record of this.#records.values()) if (record.isUp) yield record;
  }

  /** All live endpoints of the guest, oldest first. */
  *clients(): IterableIterator<ChannelRecord> {
    for (const record of this.#records.values()) if (!record.isServer) yield record;
  }

  /** The last packet that was delivered to an endpoint is completed: what waited for it goes on. */
  settled(record: ChannelRecord, event: number): void {
    this.#advance(record, event);
  }

  /** Forgets an endpoint that was cleaned up. */
  ended(ref: Ref): void {
    this.#records.delete(ref.number);
  }

  /** Bytes that a restore took: those that begin an image say who the channel is. A refused one never waits. */
  #restored(call: CallView): void {
    const { outcome, shape: { at } } = call;
    const status = outcome?.form === "status" ? outcome.status : STATUS.STATUS_SUCCESS;
    if (!ntSuccess(status) && status !== STATUS.STATUS_MORE_PROCESSING_REQUIRED) return;
    const record = this.find(call.objectAt(at.channel));
    const bytes = call.in("bytes");
    if (record === undefined || !(bytes instanceof Uint8Array)) return;
    const { image } = record;
    const read = readChunks(bytes.subarray(0, call.numberAt(at.byteCount)), image?.position ?? IMAGE_START);
    if (read === null) return;
    const { contents, position } = read;
    const [first] = contents;
    const settings = first?.kind === "channel" ? first.settings : null;
    const connection = settings === null ? image?.connection ?? 0 : settings.connection?.number ?? 0;
    record.image = { position, connection, isWhole: contents.at(-1)?.kind === "end" };
    if (settings === null) return;
    record.identity = [settings.interfaceType, settings.interfaceInstance];
    record.forcesNew ||= settings.forcesNewChannel;
  }

  /**
   * A server that was restored while the guest is saved goes on with the connection of the one that was saved; returns whether
   * there was one.
   */
  #takesOver(server: ChannelRecord, event: number): boolean {
    const { image } = server;
    server.image = null;
    if (!this.#isVmSaved || image === null || image.connection === 0 || !image.isWhole || server.forcesNew) {
      return false;
    }
    const left = [...this.clients()].filter((each) =>
      isOrphan(each) && each.state === "open" && each.peer !== null && isSameIdentity(each.peer, server)
    );
    const same = left.find(({ connection }) => connection === image.connection);
    const client = same ?? (this.#isFromStart ? undefined : left[0]);
    if (client === undefined) return false;
    Object.assign(server, { peer: client, connection: client.connection, isUp: true, isClosing: false });
    client.peer = server;
    this.onTakeOver({ client: client.ref, server: server.ref });
    server.phase = this.#isOpenedTold ? "opening" : "stopped";
    if (!this.#isOpenedTold) moveTo(server, "open", event);
    this.#advance(server, event);
    return true;
  }

  /** The guest goes on: an end whose server is gone for good hears of it. */
  #vmRestored(event: number): void {
    this.#isVmSaved = false;
    for (const client of this.clients()) {
      if (!isOrphan(client)) this.#advance(client, event);
      else if (close([client], event)) this.#connectWaiting(event);
    }
  }

  /** A driver that could not restore a packet has ended the restore. */
  #restoreReturned(call: CallView): void {
    const record = this.find(call.objectAt(call.shape.at.channel));
    const { outcome } = call;
    const isMore = outcome?.form === "status" && outcome.status === STATUS.STATUS_MORE_PROCESSING_REQUIRED;
    if (record !== undefined && call.event !== call.returnedAt && !call.succeeded && !isMore) record.image = null;
  }

  /** Every channel of the guest closes as if it were disabled. */
  #unloads(call: CallView): void {
    this.#unload = { call: call.keep(), isSent: false };
    for (const client of this.clients()) if (client.state !== "disabled") this.#disabled(client, call.event);
    this.#sendUnload();
  }

  #unloaded(event: number): void {
    for (const client of this.clients()) this.#disableReturned(client, event);
    this.#unload = null;
    this.#connectWaiting(event);
  }

  /** When the last connection is down at both ends, whoever its client is by now, the host begins to let go of GPADLs. */
  #sendUnload(): void {
    if (this.#unload === null || this.#unload.isSent) return;
    for (const record of this.#records.values()) if (record.isUp) return;
    this.#unload.isSent = true;
  }

  #disableReturned(record: ChannelRecord, event: number): void {
    if (record.isDisabling && record.isUp) this.#down(record, { event, serverState: "disabled" });
  }

  #of({ plan, ins }: TraceEvent): readonly [ChannelRecord | undefined, StateCallback | null] {
    if (plan === null || !isStateCallback(plan)) return [undefined, null];
    return [this.find(refOf(ins, "channel")), stateCallback(plan.name)];
  }

  #created(call: CallView): void {
    const ref = refOf(call.outs, "channel");
    if (ref === null) return;
    const callbacks = new Set(this.#initialCallbacks);
    const about = { ref, isServer: call.in("bool") === true, since: call.event, callbacks };
    this.#records.set(ref.number, newChannel(about));
  }

  #enabled(record: ChannelRecord, event: number): void {
    moveTo(record, "enabled", event);
    record.isActive = !record.isServer && !record.isAutoPaused;
    record.isAutoPaused = false;
    if (record.isServer && this.#takesOver(record, event)) return;
    this.#connectWaiting(event);
  }

  /** A Disable closes both ends; an end that is not part of a connection is disabled at once. */
  #disabled(record: ChannelRecord, event: number): void {
    if (record.isUp) {
      const peer = livePeer(record);
      record.isDisabling = true;
      if (close(peer === null || this.#isVmSaved ? [record] : [record, peer], event)) this.#connectWaiting(event);
    } else if (record.state !== "disabled") {
      moveTo(record, "disabled", event);
      record.isActive = false;
    }
  }

  /** A Pause of an end that runs, or has begun to start, waits for its Suspend. */
  #paused(record: ChannelRecord, event: number): void {
    const { phase, awaited, state } = record;
    record.isActive = false;
    record.isAutoPaused = state === "disabled";
    if (phase !== "running" && phase !== "starting" && awaited !== "EvtVmbChannelStarted") return;
    record.isPausing = true;
    this.#advance(record, event);
  }

  #advance(record: ChannelRecord, event: number): void {
    if (advance(record, event)) this.#connectWaiting(event);
    this.#sendUnload();
  }

  #down(record: ChannelRecord, how: Parameters<typeof goDown>[1]): void {
    goDown(record, how);
    this.#connectWaiting(how.event);
  }

  /** A failed Opened: this end has no further callback, the other one closes if its driver had opened. */
  #rollBack(record: ChannelRecord, event: number): void {
    const peer = livePeer(record);
    goDown(record, { event, serverState: this.#openedFailure });
    if (peer !== null) close([peer], event);
    this.#connectWaiting(event);
  }

  /** A client that waits gets the first server that offers what it wants; in a guest that leaves the bus it waits on. */
  #connectWaiting(event: number): void {
    if (this.#unload !== null) return;
    for (const client of this.#records.values()) {
      if (client.isServer || client.state !== "enabled" || client.isUp) continue;
      const server = this.#offerFor(client);
      if (server !== undefined) this.#connect(server, client, event);
    }
  }

  #offerFor(client: ChannelRecord): ChannelRecord | undefined {
    for (const server of this.#records.values()) if (isOffered(server) && fits(server, client)) return server;
    return undefined;
  }

  #connect(server: ChannelRecord, client: ChannelRecord, event: number): void {
    this.#connections += 1;
    for (const [end, peer] of [[server, client], [client, server]] as const) {
      Object.assign(end, { peer, connection: this.#connections, isUp: true, isClosing: false });
    }
    server.phase = "opening";
    this.#advance(server, event);
  }
}

/** Part of a connection whose server's end is down, which it does not know. */
function isOrphan(client: ChannelRecord): boolean {
  return client.isUp && !client.isClosing && livePeer(client) === null;
}

function isSameIdentity({ identity: [type, instance] }: ChannelRecord, other: ChannelRecord): boolean {
  return type === other.identity[0] && instance === other.identity[1];
}

function stateCallback(name: string): StateCallback | null {
  return isStateCallbackName(name) ? name : null;
}

function isStateCallbackName(name: string): name is StateCallback {
  return Object.hasOwn(STATE_CALLBACKS, name);
}

/** What a setter of the time before Enable says about callbacks and identity. */
function configure(record: ChannelRecord, call: CallView): void {
  const given = call.in(CALLBACKS_STRUCT);
  if (isStruct(given)) {
    record.callbacks.clear();
    for (const [name, member] of Object.entries(STATE_CALLBACKS)) {
      if (given[member] === true) record.callbacks.add(name);
    }
  }
  const flags = call.in("serverChannelFlags");
  if (typeof flags === "number") {
    record.forcesNew = (flags & SYMBOLS.serverChannelFlags.FORCE_NEW_CHANNEL) !== 0;
  }
  const guids = call.plan.ins.flatMap((param, index) => param.word === "guid" ? [call.ins[index] ?? null] : []);
  if (guids.length === 2) record.identity = [guids[0] ?? null, guids[1] ?? null];
}
