// Which of the callbacks that are due may run now. An endpoint is in one state-change callback, one packet callback and
// one completion routine at most; which of them go together is below (kmcl.md 1.3, 1.4).

import { isRef, SYMBOLS } from "../api/mod.ts";
import { irqlOf } from "./irql.ts";
import type { PendingCallback, World } from "./world.ts";

/** What a callback is, for those beside it. Every one that is not named here is a state change. */
type Lane = "state" | "postStarted" | "packet" | "routine";

const LANE_OF: ReadonlyMap<string, Lane> = new Map([
  ["EvtVmbChannelPostStarted", "postStarted"],
  ["EvtVmbChannelProcessPacket", "packet"],
  ["EvtVmbChannelProcessingComplete", "packet"],
  ["EvtVmbPacketCompletionRoutine", "routine"],
]);
const BITS: Readonly<Record<Lane, number>> = { state: 1, postStarted: 2, packet: 4, routine: 8 };
const ALL = 15;

/** What a callback waits for at its endpoint: those that run, and those that are due and were made before it. */
const WAITS: Readonly<Record<Lane, { readonly running: number; readonly earlier: number }>> = {
  state: { running: ALL, earlier: ALL },
  postStarted: { running: BITS.state | BITS.postStarted, earlier: BITS.state | BITS.postStarted },
  packet: { running: BITS.state | BITS.packet, earlier: BITS.packet },
  routine: { running: BITS.routine, earlier: BITS.routine },
};
const NONE: readonly PendingCallback[] = [];

/**
 * Callbacks that may be delivered now, oldest first. Packets are delivered while PostStarted runs, not in any other state
 * change; a state change waits for all packet callbacks that are due, so that none runs behind a Suspend.
 */
export function deliverableNow(world: World): readonly PendingCallback[] {
  const { pending, running } = world;
  if (pending.length === 0) return NONE;
  if (pending.length === 1 && running.length === 0 && world.irqls.size === 0) return pending.slice();
  const runs = new Map<number, number>();
  for (const { channel, name } of running) runs.set(channel, (runs.get(channel) ?? 0) | BITS[laneOf(name)]);
  const earlier = new Map<number, number>();
  return pending.filter((callback) => {
    const { channel, name } = callback;
    const lane = laneOf(name);
    const before = earlier.get(channel) ?? 0;
    earlier.set(channel, before | BITS[lane]);
    if ((before & WAITS[lane].earlier) !== 0 || ((runs.get(channel) ?? 0) & WAITS[lane].running) !== 0) return false;
    return isLevelRight(world, callback, lane) && !(lane === "state" && hasPacketDue(pending, channel));
  });
}

function laneOf(name: string): Lane {
  return LANE_OF.get(name) ?? "state";
}

function hasPacketDue(pending: readonly PendingCallback[], channel: number): boolean {
  return pending.some((callback) => callback.channel === channel && laneOf(callback.name) === "packet");
}

/** State changes run at PASSIVE_LEVEL; packets where they were asked to, or were deferred to it (kmcl.md 1.4). */
function isLevelRight(world: World, { channel, side, ins }: PendingCallback, lane: Lane): boolean {
  if (world.irqls.size === 0 || irqlOf(world, side) === SYMBOLS.irql.PASSIVE_LEVEL || lane === "routine") return true;
  if (lane !== "packet" || world.find("channel", channel)?.data.transport.requiresPassive === true) return false;
  const packet = ins[1];
  return !isRef(packet) || world.find("completion", packet.number)?.data.isDeferred !== true;
}
