// Lock2 and Unlock2 in the guest's graphics kernel, as that driver does them: what has an address is locked without asking
// the host, and memory of the program has one from the start (gpuva.md 5.8).

import { DXG_STRUCTS, ioctlResult } from "../api/mod.ts";
import { windowAt } from "./guest_objects.ts";
import { EINVAL } from "./guest_state.ts";
import type { Ioctl, IoctlEntry } from "./ioctl.ts";
import { u32, u64 } from "./record.ts";

/** Two first locks at a time may both reach the host; the device is looked at only there. */
async function lock({ thread, process, args, write }: Ioctl): Promise<number> {
  const allocation = process.handles.allocation(u32(args, "hAllocation"));
  if (allocation === undefined) return EINVAL;
  if (allocation.cpuAddress === null) {
    if (process.handles.device(u32(args, "hDevice")) === undefined) return EINVAL;
    const reply = await process.transport.ask(thread, "Lock2", { fields: { lock: args } });
    if (typeof reply === "number") return reply;
    const result = ioctlResult(u32(reply, "status"));
    if (result !== 0) return result;
    allocation.cpuAddress ??= windowAt(u64(reply, "cpu_visible_buffer_offset"));
    allocation.isWindow = true;
  }
  if (allocation.isWindow) allocation.lockCount += 1;
  write({ pData: allocation.cpuAddress });
  return 0;
}

/** Of a window only the last unlock reaches the host; of the program's memory every one does, though no lock did. */
async function unlock({ thread, process, args }: Ioctl): Promise<number> {
  const allocation = process.handles.allocation(u32(args, "hAllocation"));
  if (allocation === undefined || allocation.cpuAddress === null) return EINVAL;
  if (allocation.isWindow) {
    allocation.lockCount -= 1;
    if (allocation.lockCount > 0) return 0;
    allocation.cpuAddress = null;
    allocation.isWindow = false;
  }
  return await process.transport.command(thread, "Unlock2", {
    device: u32(args, "hDevice"),
    allocation: allocation.handle,
  });
}

/** Commands that lock and unlock. */
export const LOCK_IOCTLS: Readonly<Record<string, IoctlEntry>> = {
  Lock2: { struct: DXG_STRUCTS.Lock2, handler: lock },
  Unlock2: { struct: DXG_STRUCTS.Unlock2, handler: unlock },
};
