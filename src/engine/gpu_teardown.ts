// What a paging queue does when its work runs, and what ends with a device and with a process (gpuva.md 4.5, 5.7).
// It must not know calls: behaviours and the parts that end use it.

import { allocationDataOf, endNow, settleDying } from "./allocation_end.ts";
import { dropWork } from "./device_error.ts";
import { allocationsOf, childrenOf, spaceBehind, spaceName } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** Runs a queue's operations up to a fence value, but none that was not issued, and signals its fence. */
export function runPaging(world: World, queue: EngineObject<"pagingQueue">, fenceValue: bigint): void {
  const { data } = queue;
  const fence = fenceValue < data.lastFence ? fenceValue : data.lastFence;
  if (fence <= data.completedFence) return;
  spaceBehind(world, queue)?.space.complete({ queue: queue.number, fence });
  if (data.pageIns.length > 0) pageIn(world, queue, fence);
  data.completedFence = fence;
  const syncObject = world.find("syncObject", data.syncObject);
  if (syncObject !== undefined) syncObject.data.value = fence;
}

/** Queues of higher priority are served first (gpuva.md 1.5), those of one priority as they were made. */
export function inServiceOrder(queues: readonly EngineObject<"pagingQueue">[]): readonly EngineObject<"pagingQueue">[] {
  return queues.toSorted((one, other) => other.data.priority - one.data.priority);
}

/** Allocations that were asked for are there, unless they were evicted again since. */
function pageIn(world: World, { data }: EngineObject<"pagingQueue">, fence: bigint): void {
  for (const { fence: due, allocation, evictions } of data.pageIns) {
    const found = due <= fence ? allocationDataOf(world, allocation) : undefined;
    if (found?.evictions === evictions && found.residency === "pending") found.residency = "resident";
  }
  data.pageIns = data.pageIns.filter(({ fence: due }) => due > fence);
}

/**
 * What ends with a device, to call before it ends; in the order of a device's teardown: its work stops; its queues
 * finish theirs, as an explicit destroy of a queue would wait for it; fences, allocations with all addresses, resources,
 * contexts and queues end. Reservations belong to the process and stay.
 */
export function endDevice(world: World, device: EngineObject<"device">): void {
  dropWork(world, device.number);
  settleDying(world, (number) => number === device.number ? Infinity : 0);
  const queues = inServiceOrder(childrenOf(world, device, "pagingQueue"));
  for (const queue of queues) runPaging(world, queue, queue.data.lastFence);
  for (const syncObject of childrenOf(world, device, "syncObject")) world.destroy(syncObject);
  for (const allocation of allocationsOf(world, device)) {
    endNow(world, allocation);
    world.destroy(allocation);
  }
  for (const resource of childrenOf(world, device, "resource")) world.destroy(resource);
  for (const context of childrenOf(world, device, "context")) world.destroy(context);
  for (const queue of queues) world.destroy(queue);
}

/** Ends everything of a side's process: its threads do not come back from calls, its address spaces go. */
export function endProcess(world: World, side: string): void {
  for (let index = world.parked.length - 1; index >= 0; index -= 1) {
    const call = world.parked[index];
    if (call?.side !== side) continue;
    world.waiters.remove(call.event);
    world.parked.splice(index, 1);
  }
  for (const device of ofSide(world.all("device"), side)) {
    endDevice(world, device);
    world.destroy(device);
  }
  for (const vad of ofSide(world.all("vad"), side)) world.destroy(vad);
  for (const adapter of ofSide(world.all("adapter"), side)) world.destroy(adapter);
  world.spacesByAdapter.clear();
  for (const name of [...world.spaces.keys()]) if (name.startsWith(spaceName(side, ""))) world.spaces.delete(name);
}

function ofSide<T extends EngineObject>(objects: Iterable<T>, side: string): T[] {
  return [...objects].filter((object) => object.side === side);
}
