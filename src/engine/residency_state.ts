// Whether an allocation is in memory, how much is, and what to let go. Rules: gpuva.md 2.3, 4.8.
// It must not know calls.

import { type ModelOptions, PAGE_BYTES } from "../api/mod.ts";
import { adapterOfSpace, spaceBehind, spaceOfDevice } from "./gpu_process.ts";
import type { AllocationData, EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** Work of a device, by its sequence; Infinity: what is not queued yet. */
export interface Moment {
  readonly device: number;
  readonly sequence: number;
}

/** Whether work reaches an allocation's memory. Work that was queued before an eviction still does. */
export function isReachable(options: ModelOptions, data: AllocationData, { device, sequence }: Moment): boolean {
  if (data.isDiscarded) return false;
  if (device === data.device && sequence <= data.evictedAfter) return true;
  if (data.residency === "unmanaged") return options["never-resident"] === "reachable";
  return data.residency === "resident" || data.residency === "lingering";
}

/** The bytes of an allocation's whole pages. */
export function bytesOf({ pages }: Pick<AllocationData, "pages">): number {
  return pages.length * PAGE_BYTES;
}

/** A limit on resident bytes: a process's budget on an adapter, or the memory of all. */
export type Limit = "residency-budget" | "video-memory";

/** A limit's bytes; Infinity: none. */
export function limitBytes(world: World, limit: Limit): number {
  const option = world.options[limit];
  return option === "none" ? Infinity : Number(option);
}

/** Allocations that count towards a limit with those of a device: of its process, or of everyone. */
export function sharers(world: World, limit: Limit, device: EngineObject<"device">): EngineObject<"allocation">[] {
  const { name } = spaceOfDevice(world, device);
  const all = [...world.all("allocation")];
  if (limit === "video-memory") {
    const adapter = adapterOfSpace(name);
    return all.filter((allocation) => adapterOfSpace(spaceBehind(world, allocation)?.name ?? "") === adapter);
  }
  return all.filter((allocation) => spaceBehind(world, allocation)?.name === name);
}

/** Bytes that someone wants resident, out of some allocations. */
export function heldBytes(allocations: readonly EngineObject<"allocation">[]): number {
  return allocations.reduce((sum, { data }) => data.residentCount > 0 ? sum + bytesOf(data) : sum, 0);
}

/** Lets allocations that only linger go, the oldest first, until the held and the lingering ones fit a limit. */
export function trimLingering(world: World, limit: Limit, device: EngineObject<"device">): void {
  const most = limitBytes(world, limit);
  if (most === Infinity) return;
  const allocations = sharers(world, limit, device);
  const lingering = allocations.filter(({ data }) => data.residency === "lingering");
  let bytes = heldBytes(allocations) + lingering.reduce((sum, { data }) => sum + bytesOf(data), 0);
  for (const { data } of lingering) {
    if (bytes <= most) return;
    data.residency = "evicted";
    bytes -= bytesOf(data);
  }
}
