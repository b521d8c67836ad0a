// The end of allocations in the guest: pages unpinned, windows unmapped, the host told, GPADLs torn down, in the documented
// order (gpuva.md 5.7). It must not know how allocations begin.

import type { GuestAllocation } from "./guest_state.ts";
import type { Ioctl } from "./ioctl.ts";

/** Nothing uses the allocations: the host unmaps them at once. */
export const ASSUME_NOT_IN_USE = 1;

/** What message 5 says, and the allocations that it is about. */
export interface AllocationEnd {
  readonly device: number;
  /** A resource instead of a list, 0: a list. */
  readonly resource: number;
  readonly flags: number;
  readonly allocations: readonly GuestAllocation[];
}

/** Unpins the pages and unmaps the window. */
export async function stopAllocation({ guest }: Ioctl["thread"], allocation: GuestAllocation): Promise<void> {
  if (allocation.isWindow) {
    allocation.isWindow = false;
    allocation.cpuAddress = null;
    allocation.lockCount = 0;
  }
  const { pin } = allocation;
  allocation.pin = 0;
  if (pin !== 0) await guest.FreeMdl({ Mdl: pin });
}

/**
 * Guest handles first, else the host could give their values out again before the guest forgets them; then message 5, the
 * local objects, and the GPADLs, whose teardown waits until the host has unmapped.
 */
export async function destroyAllocations(
  { thread, process }: Pick<Ioctl, "thread" | "process">,
  { device, resource, flags, allocations }: AllocationEnd,
): Promise<number> {
  for (const allocation of allocations) process.handles.drop(allocation);
  const handles = resource === 0 ? allocations.map(({ handle }) => handle) : [];
  const result = await process.transport.command(thread, "DestroyAllocation", {
    device,
    resource,
    count: handles.length,
    flags,
    handles,
  });
  for (const allocation of allocations) {
    await stopAllocation(thread, allocation);
    if (process.tearsDown) await tearDown({ thread, process }, allocation);
  }
  return result;
}

/** Takes the GPADL back; waits until the host has let go of it. */
export async function tearDown(
  { thread, process }: Pick<Ioctl, "thread" | "process">,
  allocation: Pick<GuestAllocation, "gpadl">,
): Promise<void> {
  const { gpadl } = allocation;
  allocation.gpadl = 0;
  if (gpadl === 0) return;
  await thread.client.VmbChannelDeleteGpadl({ Channel: process.transport.channels.global, GpadlHandle: gpadl });
}
