// Synchronous requests: a packet whose sender waits in the call. Rules: kmcl.md 2.4, 1.3, 1.4.

import { STATUS, SYMBOLS } from "../api/mod.ts";
import { answer, type Behaviour, blockedOn, optionStatus, type Reply, type Scope, success } from "./behaviour.ts";
import type { Channel } from "./ends.ts";
import { irqlTrouble } from "./irql.ts";
import type { EngineObject, SyncRequest } from "./objects.ts";
import { externalMdl, prepare, type Sendable } from "./outgoing.ts";
import { isTransmitting, settle } from "./transport.ts";
import type { World } from "./world.ts";

const { WAIT_FOR_COMPLETION } = SYMBOLS.packetFlags;
const UNIT_NS = 100n;
const NO_BYTES = new Uint8Array(0);

/**
 * Refusals: a level above PASSIVE_LEVEL or a server, unless the call does not wait; a channel that closes; room that is no multiple
 * of 8; what `prepare` says; no room in the ring where the timeout is 0.
 */
function send(
  scope: Scope,
  channel: Channel,
  buffer: Uint8Array,
  length: number,
  mdl: EngineObject<"mdl"> | null,
  flags: number,
  roomBytes: number,
  timeout: readonly bigint[],
): Reply {
  if (!scope.retry) {
    const { world } = scope;
    const trouble = formTrouble(scope, channel, { flags, roomBytes, timeout });
    if (trouble !== null) return answer(trouble);
    const external = externalMdl(world, mdl, { offset: 0, length: 0, flags, mustWait: false });
    const sendable = prepare(world, channel, { buffer, length, flags, external });
    if (typeof sendable === "number") return answer(sendable);
    queue(scope, channel, { sendable, roomBytes, timeout });
    if (timeout[0] === 0n && isQueued(channel, scope.event)) {
      forget(world, channel, scope.event);
      return answer(STATUS.STATUS_BUFFER_OVERFLOW);
    }
  }
  return outcomeOf(scope, channel);
}

interface Form {
  readonly flags: number;
  readonly roomBytes: number;
  readonly timeout: readonly bigint[];
}

function formTrouble({ world, side }: Scope, channel: Channel, { flags, roomBytes, timeout }: Form): number | null {
  const isWaiting = timeout[0] !== 0n || (flags & WAIT_FOR_COMPLETION) !== 0;
  if (isWaiting && irqlTrouble(world, side) !== null) return optionStatus(world.options, "refusal-status");
  if (isWaiting && channel.data.isServer) return optionStatus(world.options, "wrong-endpoint-status");
  if (channel.data.isClosing) return STATUS.STATUS_DEVICE_REMOVED;
  return roomBytes % 8 === 0 ? null : optionStatus(world.options, "packet-size-status");
}

function queue(
  { world, event, insideCallback }: Scope,
  channel: Channel,
  { sendable, roomBytes, timeout }: { readonly sendable: Sendable } & Omit<Form, "flags">,
): void {
  const { transport } = channel.data;
  const transaction = transport.nextTransaction;
  transport.nextTransaction += 1;
  transport.requests.set(event, {
    insideCallback,
    deadlineNs: deadlineOf(world, timeout),
    roomBytes,
    transaction,
    status: null,
    payload: NO_BYTES,
  });
  transport.queue.push({ ...sendable, packet: 0, request: event, transaction });
  if (timeout[0] !== 0n || isTransmitting(channel)) settle(world, channel, event);
}

/** No value: for ever. 0 only says not to queue; a negative one counts from now, a positive one from the start of time. */
function deadlineOf({ timeNs }: World, [timeout]: readonly bigint[]): bigint | null {
  if (timeout === undefined || timeout === 0n) return null;
  return timeout < 0n ? timeNs - timeout * UNIT_NS : timeout * UNIT_NS;
}

function isQueued({ data: { transport } }: Channel, request: number): boolean {
  return transport.queue.some((each) => each.request === request);
}

/** Nobody waits any more: what has not been sent is not, and a late completion says nothing. */
function forget(world: World, { number, data: { transport } }: Channel, event: number): void {
  const request = transport.requests.get(event);
  transport.requests.delete(event);
  transport.queue = transport.queue.filter((each) => each.request !== event);
  if (request !== undefined) transport.awaiting.delete(request.transaction);
  world.waiters.wake("channel", number);
}

/** Inside the channel's own Started it never returns (kmcl.md 1.3). */
function outcomeOf(scope: Scope, channel: Channel): Reply {
  const { world, event } = scope;
  const request = channel.data.transport.requests.get(event);
  if (request === undefined) return answer(STATUS.STATUS_DEVICE_REMOVED);
  const waits = () => channel.data.transport.requests.get(event) === request && isWaiting(world, channel, request);
  if (waits()) {
    const { insideCallback, deadlineNs } = request;
    const keys = [["request", event], ["endOfChannel", channel.number], ["callback", insideCallback]] as const;
    return blockedOn({ keys, deadlineNs }, waits);
  }
  const { status, payload, roomBytes } = request;
  if (status === null) {
    if (!channel.alive) return left(world, { channel, event }, STATUS.STATUS_DEVICE_REMOVED);
    const isTimeout = world.options["sync-timeout-status"] === "STATUS_TIMEOUT";
    return left(world, { channel, event }, isTimeout ? STATUS.STATUS_TIMEOUT : STATUS.STATUS_CANCELLED);
  }
  forget(world, channel, event);
  if (status !== STATUS.STATUS_SUCCESS) return answer(status);
  const bytes = payload.slice(0, roomBytes);
  return success(bytes, bytes.length);
}

function isWaiting(world: World, channel: Channel, request: SyncRequest): boolean {
  if (isInsideStarted(world, channel, request)) return true;
  if (request.status !== null || !channel.alive) return false;
  return request.deadlineNs === null || world.timeNs < request.deadlineNs;
}

interface Left {
  readonly channel: Channel;
  readonly event: number;
}

function left(world: World, { channel, event }: Left, status: number): Reply {
  forget(world, channel, event);
  return answer(status);
}

function isInsideStarted(world: World, channel: Channel, { insideCallback }: SyncRequest): boolean {
  return world.running.some((callback) =>
    callback.event === insideCallback && callback.name === "EvtVmbChannelStarted" && callback.channel === channel.number
  );
}

/** The behaviour of synchronous requests. */
export const SYNC_REQUEST_BEHAVIOURS = {
  VmbChannelSendSynchronousRequest: send,
} as const satisfies Readonly<Record<string, Behaviour>>;
