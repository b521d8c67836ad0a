// The end of allocations in the guest: pages unpinned, windows unmapped, the host told, GPADLs torn down, in the documented
// order (gpuva.md 5.7). It must not know how allocations begin.

import { ENODEV, type GuestAllocation } from "./guest_state.ts";
import type { GuestProcess, Ioctl } from "./ioctl.ts";

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
    // Nobody could be told: what the host has mapped is let go with the process, or with the channel.
    if (process.tearsDown && result !== ENODEV) await tearDown({ thread, process }, allocation);
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
  if (process.gpadls.delete(gpadl)) await deleteGpadl(thread, process, gpadl);
}

/** Takes every GPADL back: of a process that has ended, or of a channel, inside whose Closed they end at the latest (kmcl.md 2.1). */
export async function tearDownAll({ thread, process }: Pick<Ioctl, "thread" | "process">): Promise<void> {
  while (process.sharing.count > 0) await thread.receive(process.sharing.done);
  for (const gpadl of [...process.gpadls]) {
    if (process.gpadls.delete(gpadl)) await deleteGpadl(thread, process, gpadl);
  }
}

async function deleteGpadl({ client }: Ioctl["thread"], { transport }: GuestProcess, gpadl: number): Promise<void> {
  await client.VmbChannelDeleteGpadl({ Channel: transport.channels.global, GpadlHandle: gpadl });
}
