// How a sent packet's transaction ends: the library frees the packet, the driver's routine is called, or a request returns.
// It must not know rings.

import { STATUS } from "../api/mod.ts";
import type { Channel } from "./ends.ts";
import type { EngineObject, Sender } from "./objects.ts";
import { withdrawSave } from "./save.ts";
import type { World } from "./world.ts";

/** How a transaction ended. */
export interface TransactionEnd {
  readonly status: number;
  /** The completion's bytes. */
  readonly payload: Uint8Array;
  /** The event that ended it. */
  readonly cause: number;
}

const NO_BYTES = new Uint8Array(0);

/** Ends a transaction of an endpoint. */
export function endTransaction(
  world: World,
  { channel, sender }: { readonly channel: Channel; readonly sender: Sender },
  end: TransactionEnd,
): void {
  const request = channel.data.transport.requests.get(sender.request);
  if (request !== undefined && request.status === null) {
    Object.assign(request, { status: end.status, payload: end.payload });
    world.waiters.wake("request", sender.request);
  }
  world.waiters.wake("channel", channel.number);
  const packet = world.find("packet", sender.packet);
  if (packet === undefined) return;
  withdrawSave(world, channel, packet.number);
  if (packet.data.routine === "driver") raiseRoutine(world, { channel, packet }, end);
  else world.destroy(packet);
}

/** The packet stays its transaction's until the routine begins. */
function raiseRoutine(
  world: World,
  { channel, packet }: { readonly channel: Channel; readonly packet: EngineObject<"packet"> },
  { status, payload, cause }: TransactionEnd,
): void {
  world.raise({
    name: "EvtVmbPacketCompletionRoutine",
    channel: channel.number,
    side: packet.side,
    ins: [packet.ref, status, payload, payload.length],
    cause,
  });
}

/** With what a transaction ends whose completion cannot come any more. */
export function inFlightStatus({ options }: World): number {
  const isCancelled = options["in-flight-on-close"] === "STATUS_CANCELLED";
  return isCancelled ? STATUS.STATUS_CANCELLED : STATUS.STATUS_DEVICE_REMOVED;
}

/** Ends what cannot go on: transactions that waited for their completion, and every synchronous request. */
export function endAll(world: World, channel: Channel, cause: number): void {
  const { transport } = channel.data;
  const status = inFlightStatus(world);
  for (const [event, request] of transport.requests) {
    request.status ??= STATUS.STATUS_DEVICE_REMOVED;
    world.waiters.wake("request", event);
  }
  for (const sender of transport.awaiting.values()) {
    endTransaction(world, { channel, sender }, { status, payload: NO_BYTES, cause });
  }
  transport.awaiting.clear();
  const queued = transport.queue.filter(({ request }) => request === 0);
  const isKept = world.options["queued-on-close"] === "keep";
  transport.queue = isKept ? queued : [];
  for (const sender of isKept ? [] : queued) {
    endTransaction(world, { channel, sender }, { status: STATUS.STATUS_CANCELLED, payload: NO_BYTES, cause });
  }
}

/** Ends everything, what is queued for a next connection too: there will be none. */
export function cancelAll(world: World, channel: Channel, cause: number): void {
  endAll(world, channel, cause);
  const { transport } = channel.data;
  const { queue } = transport;
  transport.queue = [];
  for (const sender of queue) {
    endTransaction(world, { channel, sender }, { status: STATUS.STATUS_CANCELLED, payload: NO_BYTES, cause });
  }
}
