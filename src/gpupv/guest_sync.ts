// Fences, waits, signals and device states in the guest's graphics kernel: it looks handles up and
// passes the rest on; whether a fence may be waited for is the host's to say (gpuva.md 2.5, 5.2). A wait of the CPU is a
// message whose reply comes when the wait is over: the real host answers at once and signals a guest event.
// It must not know what a fence's value means.

import { DXG_STRUCTS, ioctlResult } from "../api/mod.ts";
import { layout, type LayoutRecord } from "../wire/mod.ts";
import { packFences } from "./fence_tail.ts";
import { deviceTrouble, windowAt } from "./guest_objects.ts";
import { EINVAL, ENODEV, type GuestChild } from "./guest_state.ts";
import type { Ioctl, IoctlEntry } from "./ioctl.ts";
import { inner, u32, u64 } from "./record.ts";
import { pointedHandles, pointedWords } from "./user_memory.ts";

/** Objects of one wait or signal (gpuva.md 5.2). */
const MAX_OBJECTS = 32;
const HANDLE = layout(4, "0 handle u32");

/** A zero handle is the host's only way to say no. The fence's page is mapped where the program can read it. */
async function create({ thread, process, args, write }: Ioctl): Promise<number> {
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  const reply = await process.transport.ask(thread, "CreateSyncObject", { fields: { sync: args } });
  if (typeof reply === "number") return reply;
  const handle = u32(reply, "sync_object");
  if (handle === 0) return EINVAL;
  if (device.isStopped) return ENODEV;
  process.handles.add({ kind: "syncObject", handle, device, syncObject: 0 });
  write({
    hSyncObject: handle,
    FenceValueCPUVirtualAddress: windowAt(u64(reply, "fence_storage_address") + u64(reply, "fence_storage_offset")),
    FenceValueGPUVirtualAddress: u64(reply, "fence_gpu_va"),
  });
  return 0;
}

/** The guest forgets the handle first, as with allocations. A paging queue's fence ends with its queue. */
async function destroy({ thread, process, args }: Ioctl): Promise<number> {
  const object = process.handles.child(u32(args, "handle"), "syncObject");
  if (object === undefined) return EINVAL;
  process.handles.drop(object);
  return await process.transport.command(thread, "DestroySyncObject", { sync_object: object.handle });
}

/** Objects and their values as an ioctl points to them; null: too many, none, or not all there. */
function fencesOf(
  { args, argument }: Ioctl,
  valueField: string,
): { readonly handles: number[]; readonly values: bigint[] } | null {
  const count = u32(args, "ObjectCount");
  if (count === 0 || count > MAX_OBJECTS) return null;
  const handles = pointedHandles(argument, u64(args, "ObjectHandleArray"), count);
  const values = pointedWords(argument, u64(args, valueField), count);
  return handles === null || values === null ? null : { handles, values };
}

/** No program of the model has an event file: a wait that names one is refused. */
async function waitFromCpu(ioctl: Ioctl): Promise<number> {
  const { thread, process, args } = ioctl;
  const fences = fencesOf(ioctl, "FenceValueArray");
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  if (fences === null || u64(args, "hAsyncEvent") !== 0n) return EINVAL;
  return await process.transport.command(thread, "WaitSyncFromCpu", {
    device: device.handle,
    object_count: fences.handles.length,
    flags: u32(args, "Flags"),
    tail: packFences(fences),
  });
}

async function signalFromCpu(ioctl: Ioctl): Promise<number> {
  const { thread, process, args } = ioctl;
  const fences = fencesOf(ioctl, "FenceValueArray");
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  if (fences === null) return EINVAL;
  return await process.transport.command(thread, "SignalSyncObject", {
    object_count: fences.handles.length,
    flags: u32(args, "Flags"),
    device: device.handle,
    tail: packFences(fences),
  });
}

/** May go without a reply, as a submission may. */
async function waitFromGpu(ioctl: Ioctl): Promise<number> {
  const found = contextAndFences(ioctl);
  if (typeof found === "number") return found;
  const { context, handles, values } = found;
  return await queue(ioctl, "WaitSyncFromGpu", {
    context: context.handle,
    object_count: handles.length,
    tail: packFences({ handles, values }, { valuesFirst: true }),
  });
}

/** May go without a reply, as a submission may. */
async function signalFromGpu(ioctl: Ioctl): Promise<number> {
  const found = contextAndFences(ioctl);
  if (typeof found === "number") return found;
  const { context, handles, values } = found;
  return await queue(ioctl, "SignalSyncObject", {
    object_count: handles.length,
    context_count: 1,
    tail: packFences({ handles, contexts: [context.handle], values }),
  });
}

function queue(
  { thread, process: { transport } }: Ioctl,
  name: "WaitSyncFromGpu" | "SignalSyncObject",
  fields: LayoutRecord,
): Promise<number> {
  return transport.isAsyncEnabled ? transport.post(thread, name, fields) : transport.command(thread, name, fields);
}

function contextAndFences(
  ioctl: Ioctl,
): { readonly context: GuestChild; readonly handles: number[]; readonly values: bigint[] } | number {
  const { process, args } = ioctl;
  const context = process.handles.child(u32(args, "hContext"), "context");
  const trouble = deviceTrouble(context?.device);
  if (trouble !== 0 || context === undefined) return trouble;
  const fences = fencesOf(ioctl, "MonitoredFenceValueArray");
  return fences === null ? EINVAL : { context, ...fences };
}

/** The structure goes as it is, and comes back whole where the host has an answer. */
async function deviceState({ thread, process, args, write }: Ioctl): Promise<number> {
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0) return trouble;
  const reply = await process.transport.ask(thread, "GetDeviceState", { fields: { state: args } });
  if (typeof reply === "number") return reply;
  const result = ioctlResult(u32(reply, "status"));
  if (result >= 0) write(inner(reply, "state"));
  return result;
}

/** Commands on fences and device states. */
export const SYNC_IOCTLS: Readonly<Record<string, IoctlEntry>> = {
  CreateSynchronizationObject2: { struct: DXG_STRUCTS.CreateSynchronizationObject2, handler: create },
  DestroySynchronizationObject: { struct: HANDLE, handler: destroy },
  WaitForSynchronizationObjectFromCpu: {
    struct: DXG_STRUCTS.WaitForSynchronizationObjectFromCpu,
    handler: waitFromCpu,
  },
  SignalSynchronizationObjectFromCpu: {
    struct: DXG_STRUCTS.SignalSynchronizationObjectFromCpu,
    handler: signalFromCpu,
  },
  WaitForSynchronizationObjectFromGpu: {
    struct: DXG_STRUCTS.WaitForSynchronizationObjectFromGpu,
    handler: waitFromGpu,
  },
  SignalSynchronizationObjectFromGpu: {
    struct: DXG_STRUCTS.SignalSynchronizationObjectFromGpu,
    handler: signalFromGpu,
  },
  GetDeviceState: { struct: DXG_STRUCTS.GetDeviceState, handler: deviceState },
};
