// The end of allocations: at once, or when the work that was queued before has run. Rules: gpuva.md 2.4, 4.5.
// It must not know calls, nor how work runs.

import type { AllocationData, EngineObject } from "./objects.ts";
import { endVads, spaceBehind } from "./gpu_process.ts";
import type { World } from "./world.ts";

/** An allocation whose handle ended, and whose addresses and memory work may still use. */
export interface DyingAllocation {
  /** Its address space, by its name in `World.spaces`. */
  readonly space: string;
  readonly data: AllocationData;
  /** The newest work of its device that was queued before. */
  readonly after: number;
  /** The call that destroyed it. */
  readonly event: number;
}

/** Lets an allocation end when the work of its device up to `after` has run. To call before its handle ends. */
export function endLater(
  world: World,
  allocation: EngineObject<"allocation">,
  { after, event }: Pick<DyingAllocation, "after" | "event">,
): void {
  const space = spaceBehind(world, allocation)?.name ?? "";
  world.dying.set(allocation.number, { space, data: { ...allocation.data }, after, event });
}

/** Whether anything that a call destroyed is still there. */
export function isDying(world: World, event: number): boolean {
  for (const dying of world.dying.values()) if (dying.event === event) return true;
  return false;
}

/** What an allocation's number stands for, also after its handle ended and while work may still use it. */
export function allocationDataOf(world: World, number: number): AllocationData | undefined {
  return world.find("allocation", number)?.data ?? world.dying.get(number)?.data;
}

/** Ends allocations that no work uses any more; `oldestWork` is the first work of a device that has not run. */
export function settleDying(world: World, oldestWork: (device: number) => number): void {
  for (const [number, { space, data, after }] of [...world.dying]) {
    if (oldestWork(data.device) <= after) continue;
    world.dying.delete(number);
    release(world, number, { space, data });
  }
}

/** Ends at once: every address that points to it, and its pages of video memory. To call before its handle ends. */
export function endNow(world: World, allocation: EngineObject<"allocation">): void {
  const space = spaceBehind(world, allocation)?.name ?? "";
  release(world, allocation.number, { space, data: allocation.data });
}

function release(
  world: World,
  number: number,
  { space, data }: { readonly space: string; readonly data: AllocationData },
): void {
  endVads(world, world.spaces.get(space)?.releaseAllocation(number) ?? []);
  if (data.partition === "video") world.memory.free(data.partition, data.pages);
}
