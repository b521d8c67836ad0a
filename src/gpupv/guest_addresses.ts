// Calls on GPU virtual addresses, residency and submission in the guest's graphics kernel: it looks handles up and passes the
// rest on; every rule about ranges is the host's (gpuva.md 5.5, 5.6). It must not know those rules.

import { DXG_STRUCTS, ioctlResult, MAX_DXG_MESSAGE_BYTES } from "../api/mod.ts";
import { EINVAL } from "./guest_state.ts";
import { deviceOfQueue, deviceTrouble, troubleOf } from "./guest_objects.ts";
import type { Ioctl, IoctlEntry } from "./ioctl.ts";
import { u32, u64 } from "./record.ts";
import { handleBytes, pointedBytes, pointedHandles, pointedRecords } from "./user_memory.ts";

const UPDATE_OPERATION = DXG_STRUCTS.UpdateOperation;
/** As many as the guest lets in; one fewer fits in a message (gpuva.md 5.4). */
const MAX_UPDATE_OPERATIONS = MAX_DXG_MESSAGE_BYTES / UPDATE_OPERATION.bytes;
const MAX_RESIDENT = 10_240;
const MAX_CONTEXTS = 64;
const MAX_HISTORY_BUFFERS = 1024;
const MAX_PRIMARIES = 16;

/** The structure goes as it is. */
async function map(ioctl: Ioctl): Promise<number> {
  const { thread, process, args, write } = ioctl;
  const queue = deviceOfQueue(ioctl, u32(args, "hPagingQueue"));
  if (typeof queue === "number") return queue;
  const reply = await process.transport.ask(thread, "MapGpuVirtualAddress", { fields: { map: args, device: 0 } });
  if (typeof reply === "number") return reply;
  const result = ioctlResult(u32(reply, "status"));
  if (result >= 0) {
    write({ VirtualAddress: u64(reply, "virtual_address"), PagingFenceValue: u64(reply, "paging_fence_value") });
  }
  return result;
}

/** An adapter's handle is the host's on the way out. The host cannot say no: then the address is 0. The fence value is dropped. */
async function reserve(ioctl: Ioctl): Promise<number> {
  const { thread, process, args, write } = ioctl;
  const handle = u32(args, "hPagingQueue");
  const adapter = process.handles.adapter(handle);
  const trouble = adapter === undefined ? deviceOfQueue(ioctl, handle) : troubleOf(adapter);
  if (typeof trouble === "number" && trouble !== 0) return trouble;
  const fields = { reserve: { ...args, hPagingQueue: adapter?.hostHandle ?? handle } };
  const reply = await process.transport.ask(thread, "ReserveGpuVirtualAddress", { fields });
  if (typeof reply === "number") return reply;
  write({ VirtualAddress: u64(reply, "virtual_address") });
  return 0;
}

async function free({ thread, process, args }: Ioctl): Promise<number> {
  const adapter = process.handles.adapter(u32(args, "hAdapter"));
  const trouble = troubleOf(adapter);
  if (trouble !== 0 || adapter === undefined) return trouble;
  return await process.transport.command(thread, "FreeGpuVirtualAddress", {
    free: { ...args, hAdapter: adapter.hostHandle },
  });
}

async function update({ thread, process, args, argument }: Ioctl): Promise<number> {
  const count = u32(args, "NumOperations");
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0) return trouble;
  if (count === 0 || count > MAX_UPDATE_OPERATIONS) return EINVAL;
  const operations = pointedRecords(argument, UPDATE_OPERATION, { pointer: u64(args, "Operations"), count });
  if (operations === null) return EINVAL;
  return await process.transport.command(thread, "UpdateGpuVirtualAddress", {
    fence_value: u64(args, "FenceValue"),
    device: u32(args, "hDevice"),
    context: u32(args, "hContext"),
    fence_object: u32(args, "hFenceObject"),
    num_operations: count,
    flags: u32(args, "Flags"),
    operations,
  });
}

/** Fence value and what to trim are written back only where it worked or is pending: out of memory, the hint is lost. */
async function makeResident(ioctl: Ioctl): Promise<number> {
  const { thread, process, args, argument, write } = ioctl;
  const count = u32(args, "NumAllocations");
  if (count === 0 || count > MAX_RESIDENT) return EINVAL;
  const queue = deviceOfQueue(ioctl, u32(args, "hPagingQueue"));
  if (typeof queue === "number") return queue;
  const handles = pointedHandles(argument, u64(args, "AllocationList"), count);
  if (handles === null) return EINVAL;
  const reply = await process.transport.ask(thread, "MakeResident", {
    fields: { device: queue.device.handle, paging_queue: queue.handle, flags: u32(args, "Flags"), count, handles },
  });
  if (typeof reply === "number") return reply;
  const result = ioctlResult(u32(reply, "status"));
  if (result >= 0) {
    write({ PagingFenceValue: u64(reply, "paging_fence_value"), NumBytesToTrim: u64(reply, "num_bytes_to_trim") });
  }
  return result;
}

/** No failure of the host is visible. */
async function evict({ thread, process, args, argument, write }: Ioctl): Promise<number> {
  const count = u32(args, "NumAllocations");
  const device = process.handles.device(u32(args, "hDevice"));
  const handles = pointedHandles(argument, u64(args, "AllocationList"), count);
  if (count === 0 || count > MAX_RESIDENT || device === undefined || handles === null) return EINVAL;
  const fields = { device: device.handle, flags: u32(args, "Flags"), count, handles };
  const reply = await process.transport.ask(thread, "Evict", { fields });
  if (typeof reply === "number") return reply;
  write({ NumBytesToTrim: u64(reply, "num_bytes_to_trim") });
  return 0;
}

/** Nobody waits for it where the host takes messages without a reply. */
async function submit({ thread, process, args, argument }: Ioctl): Promise<number> {
  const count = u32(args, "BroadcastContextCount");
  if (count === 0 || count > MAX_CONTEXTS) return EINVAL;
  const buffers = u32(args, "NumHistoryBuffers");
  if (buffers > MAX_HISTORY_BUFFERS || u32(args, "NumPrimaries") > MAX_PRIMARIES) return EINVAL;
  const history = pointedHandles(argument, u64(args, "HistoryBufferArray"), buffers);
  const data = pointedBytes(argument, u64(args, "pPrivateDriverData"), u32(args, "PrivateDriverDataSize"));
  if (history === null || data === null) return EINVAL;
  const rest = new Uint8Array([...handleBytes(history), ...data]);
  const { transport } = process;
  const fields = { submit: args, rest };
  if (transport.isAsyncEnabled) return await transport.post(thread, "SubmitCommand", fields);
  return await transport.command(thread, "SubmitCommand", fields);
}

/** Commands on addresses, residency and submission. */
export const ADDRESS_IOCTLS: Readonly<Record<string, IoctlEntry>> = {
  MapGpuVirtualAddress: { struct: DXG_STRUCTS.MapGpuVirtualAddress, handler: map },
  ReserveGpuVirtualAddress: { struct: DXG_STRUCTS.ReserveGpuVirtualAddress, handler: reserve },
  FreeGpuVirtualAddress: { struct: DXG_STRUCTS.FreeGpuVirtualAddress, handler: free },
  UpdateGpuVirtualAddress: { struct: DXG_STRUCTS.UpdateGpuVirtualAddress, handler: update },
  MakeResident: { struct: DXG_STRUCTS.MakeResident, handler: makeResident },
  Evict: { struct: DXG_STRUCTS.Evict, handler: evict },
  SubmitCommand: { struct: DXG_STRUCTS.SubmitCommand, handler: submit },
};
