// Which of the callbacks that are due may run now: those that their endpoint can run (`callbacks.ts`) and that are made for the
// level that its side is at (kmcl.md 1.4).

import { isRef, SYMBOLS } from "../api/mod.ts";
import { isInGuest } from "./ends.ts";
import { laneOf } from "./callbacks.ts";
import { irqlOf } from "./irql.ts";
import type { PendingCallback, World } from "./world.ts";

const NONE: readonly PendingCallback[] = [];

/** Callbacks that may be delivered now, oldest first. */
export function deliverableNow(world: World): readonly PendingCallback[] {
  if (world.pending.length === 0) return NONE;
  const ready = world.wire.isVmSaved
    ? world.callbacks.ready().filter(({ side }) => !isInGuest(side))
    : world.callbacks.ready();
  return world.irqls.size === 0 ? ready : ready.filter((callback) => isLevelRight(world, callback));
}

/** State changes run at PASSIVE_LEVEL; packets where they were asked to, or were deferred to it (kmcl.md 1.4). */
function isLevelRight(world: World, { name, channel, side, ins }: PendingCallback): boolean {
  const lane = laneOf(name);
  if (irqlOf(world, side) === SYMBOLS.irql.PASSIVE_LEVEL || lane === "routine") return true;
  if (lane !== "packet" || world.find("channel", channel)?.data.transport.requiresPassive === true) return false;
  const packet = ins[1];
  return !isRef(packet) || world.find("completion", packet.number)?.data.isDeferred !== true;
}
