// A process on the GPU: its address spaces, and what belongs to its devices (gpuva.md 1.1, 1.2).
// It must not know calls, nor how anything ends; that is `gpu_teardown.ts`.

import { AddressSpace } from "./address_space.ts";
import type { EngineObject, ObjectDataByKind } from "./objects.ts";
import type { World } from "./world.ts";

/** An address space, with its name in `World.spaces`. */
export interface NamedSpace {
  readonly name: string;
  readonly space: AddressSpace;
  /** What all objects of its ranges hold: the same for each, as none changes it. */
  readonly vadData: ObjectDataByKind["vad"];
}

function namedSpace(name: string, space: AddressSpace): NamedSpace {
  return { name, space, vadData: { space: name } };
}

/** The address space of a side's process on an adapter; made at first use. */
export function spaceOnAdapter(
  world: World,
  { side, luid }: { readonly side: string; readonly luid: bigint },
): NamedSpace {
  const name = spaceName(side, luid);
  const found = world.spaces.get(name);
  if (found !== undefined) return namedSpace(name, found);
  const space = new AddressSpace({
    physicalAdapters: Number(world.options["physical-adapters"]),
    vaBits: Number(world.options["va-bits"]),
  });
  world.spaces.set(name, space);
  return namedSpace(name, space);
}

/** The address space of a side's process on the adapter behind a handle, which is mostly the side's own. */
export function spaceThrough(world: World, adapter: EngineObject<"adapter">, side: string): NamedSpace {
  const opened = side === adapter.side ? spaceOpenedBy(world, adapter.number) : null;
  return opened ?? spaceOnAdapter(world, { side, luid: adapter.data.luid });
}

/** The address space that a device works in; it stays known when the adapter's handle is closed. */
export function spaceOfDevice(world: World, device: EngineObject<"device">): NamedSpace {
  const opened = spaceOpenedBy(world, device.data.adapter);
  if (opened !== null) return opened;
  throw new Error(`device#${device.number} has no address space: adapter#${device.data.adapter} was never opened`);
}

/** The address space of an object that belongs to a device, or null where that device is gone. */
export function spaceBehind(
  world: World,
  { data }: EngineObject<"pagingQueue" | "context" | "allocation">,
): NamedSpace | null {
  const device = world.find("device", data.device);
  return device === undefined ? null : spaceOfDevice(world, device);
}

/** The address space that an adapter's handle was opened for, remembered by the number of its object. */
function spaceOpenedBy(world: World, adapter: number): NamedSpace | null {
  const known = world.spacesByAdapter.get(adapter);
  if (known !== undefined) return known;
  for (const [name, space] of world.spaces) {
    if (!space.adapters.has(adapter)) continue;
    const found = namedSpace(name, space);
    world.spacesByAdapter.set(adapter, found);
    return found;
  }
  return null;
}

/** The adapter of an address space, by the space's name: equal for all processes. */
export function adapterOfSpace(name: string): string {
  return name.slice(name.lastIndexOf(" on "));
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

/** The name of a process's address space; without an adapter, what the names of all of its spaces begin with. */
export function spaceName(side: string, luid: bigint | ""): string {
  return `${side} on ${luid}`;
}

/** Live objects of a kind that an object owns, oldest first. */
export function childrenOf<K extends "allocation" | "context" | "pagingQueue" | "resource" | "syncObject">(
  world: World,
  owner: EngineObject,
  kind: K,
): EngineObject<K>[] {
  return world.childrenOf(owner).flatMap((child) =>
    (child.kind === kind ? world.find(kind, child.number) : null) ?? []
  );
}
