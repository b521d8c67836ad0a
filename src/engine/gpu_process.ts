// A process on the GPU: its address spaces, and what ends with an allocation, a paging queue, a device and the process
// itself (gpuva.md 4.5). It must not know calls: behaviours and the parts that end use it.

import { AddressSpace } from "./address_space.ts";
import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** The address space of a side's process on an adapter, by its name in `World.spaces`; made at first use. */
export function spaceOnAdapter(
  world: World,
  { side, luid }: { readonly side: string; readonly luid: bigint },
): { readonly name: string; readonly space: AddressSpace } {
  const name = spaceName(side, luid);
  const found = world.spaces.get(name);
  if (found !== undefined) return { name, space: found };
  const space = new AddressSpace({
    physicalAdapters: Number(world.options["physical-adapters"]),
    vaBits: Number(world.options["va-bits"]),
  });
  world.spaces.set(name, space);
  return { name, space };
}

/** The address space that a device works in; it stays known when the adapter's handle is closed. */
export function spaceOfDevice(
  world: World,
  device: EngineObject<"device">,
): { readonly name: string; readonly space: AddressSpace } {
  for (const [name, space] of world.spaces) if (space.adapters.has(device.data.adapter)) return { name, space };
  throw new Error(`device#${device.number} has no address space: adapter#${device.data.adapter} was never opened`);
}

/** The address space of an object that belongs to a device, or null where that device is gone. */
export function spaceBehind(
  world: World,
  { data }: EngineObject<"pagingQueue" | "context" | "allocation">,
): { readonly name: string; readonly space: AddressSpace } | null {
  const device = world.find("device", data.device);
  return device === undefined ? null : spaceOfDevice(world, device);
}

/** What ends with an allocation: every address that points to it, and its pages of video memory. To call before it ends. */
export function releaseAddressesOf(world: World, allocation: EngineObject<"allocation">): void {
  const { partition, pages } = allocation.data;
  endVads(world, spaceBehind(world, allocation)?.space.releaseAllocation(allocation.number) ?? []);
  if (partition === "video") world.memory.free(partition, pages);
}

/** Ends the objects of obtained ranges of which nothing is left. */
export function endVads(world: World, numbers: readonly number[]): void {
  for (const number of numbers) {
    const vad = world.find("vad", number);
    if (vad !== undefined) world.destroy(vad);
  }
}

/** The allocations that belong to a device or a resource, those of a device's resources too. */
export function allocationsOf(
  world: World,
  owner: EngineObject<"device"> | EngineObject<"resource">,
): EngineObject<"allocation">[] {
  return childrenOf(world, owner, "allocation").concat(
    childrenOf(world, owner, "resource").flatMap((resource) => allocationsOf(world, resource)),
  );
}

/** Runs a queue's operations up to a fence value, but none that was not issued, and signals its fence. */
export function runPaging(world: World, queue: EngineObject<"pagingQueue">, fenceValue: bigint): void {
  const { data } = queue;
  const fence = fenceValue < data.lastFence ? fenceValue : data.lastFence;
  if (fence <= data.completedFence) return;
  spaceBehind(world, queue)?.space.complete({ queue: queue.number, fence });
  data.completedFence = fence;
  const syncObject = world.find("syncObject", data.syncObject);
  if (syncObject !== undefined) syncObject.data.value = fence;
}

/**
 * What ends with a device, to call before it ends: its queues finish their work, as an explicit destroy of a queue would
 * wait for it, and its allocations lose their addresses. Reservations belong to the process and stay.
 */
export function endDevice(world: World, device: EngineObject<"device">): void {
  for (const queue of childrenOf(world, device, "pagingQueue")) runPaging(world, queue, queue.data.lastFence);
  for (const allocation of allocationsOf(world, device)) releaseAddressesOf(world, allocation);
}

/** Ends everything of a side's process: its threads do not come back from calls, its address spaces go. */
export function endProcess(world: World, side: string): void {
  for (let index = world.parked.length - 1; index >= 0; index -= 1) {
    if (world.parked[index]?.side === side) world.parked.splice(index, 1);
  }
  for (const device of ofSide(world.all("device"), side)) {
    endDevice(world, device);
    world.destroy(device);
  }
  for (const vad of ofSide(world.all("vad"), side)) world.destroy(vad);
  for (const adapter of ofSide(world.all("adapter"), side)) world.destroy(adapter);
  for (const name of [...world.spaces.keys()]) if (name.startsWith(spaceName(side, ""))) world.spaces.delete(name);
}

function spaceName(side: string, luid: bigint | ""): string {
  return `${side} on ${luid}`;
}

function ofSide<T extends EngineObject>(objects: Iterable<T>, side: string): T[] {
  return [...objects].filter((object) => object.side === side);
}

function childrenOf<K extends "allocation" | "pagingQueue" | "resource">(
  world: World,
  owner: EngineObject,
  kind: K,
): EngineObject<K>[] {
  return world.childrenOf(owner).flatMap((child) =>
    (child.kind === kind ? world.find(kind, child.number) : null) ?? []
  );
}
