// Adapters, devices, contexts and paging queues in the guest's graphics kernel. Rules: gpuva.md 5.6 to 5.8.
// It must not know allocations beyond their end, nor addresses.

import { DXG_STRUCTS, ioctlResult } from "../api/mod.ts";
import { layout } from "../wire/mod.ts";
import { destroyAllocations, stopAllocation } from "./guest_allocation_end.ts";
import { EINVAL, ENODEV, EOVERFLOW, type GuestAdapterState, type GuestChild, type GuestDevice } from "./guest_state.ts";
import type { Ioctl, IoctlEntry } from "./ioctl.ts";
import { FLUSH_TERMINATE } from "./messages.ts";
import { u32, u64 } from "./record.ts";
import { pointedBytes } from "./user_memory.ts";

/** Where the guest puts windows into the host's IO space, for a program to see. */
const WINDOW_BASE = 0x7e00_0000_0000n;
const LAST_COMPATIBLE_VERSION = 16;
const MAX_ADAPTERS = 64;
const ADAPTER_INFO = DXG_STRUCTS.AdapterInfo;
/** An argument that is one handle. */
const HANDLE = layout(4, "0 handle u32");

/** The address where a program sees what stands at an offset in the IO space. */
export function windowAt(offset: bigint): bigint {
  return WINDOW_BASE + offset;
}

async function openAdapter({ thread, process, args, write }: Ioctl): Promise<number> {
  const opened = await openByLuid({ thread, process }, u64(args, "AdapterLuid"));
  if (typeof opened === "number") return opened;
  write({ hAdapter: opened.handle });
  return 0;
}

/** Opens an adapter at the host, under a new handle of the guest's; a negative errno where the host does not. */
async function openByLuid(
  { thread, process: { transport, handles } }: Pick<Ioctl, "thread" | "process">,
  luid: bigint,
): Promise<GuestAdapterState | number> {
  const reply = await transport.ask(thread, "OpenAdapter", {
    fields: {
      interface_version: transport.framing.interfaceVersion,
      last_compatible_version: LAST_COMPATIBLE_VERSION,
      adapter_luid: luid,
    },
  });
  if (typeof reply === "number") return reply;
  const result = ioctlResult(u32(reply, "status"));
  return result < 0 ? result : handles.addAdapter({ hostHandle: u32(reply, "adapter"), luid });
}

/**
 * A guest has one GPU here. Without a list it is only counted; in a list it is open, and must be closed; a list that has no
 * room for it is EOVERFLOW, with the count (gpuva.md 2.2).
 */
async function enumAdapters({ thread, process, args, argument, write }: Ioctl): Promise<number> {
  const pointer = u64(args, "pAdapters");
  const room = u32(args, "NumAdapters");
  if (room > MAX_ADAPTERS) return EINVAL;
  if (pointer !== 0n && room === 0) {
    write({ NumAdapters: 1 });
    return EOVERFLOW;
  }
  if (pointer !== 0n) {
    const bytes = pointedBytes(argument, pointer, ADAPTER_INFO.bytes);
    if (bytes === null) return EINVAL;
    const opened = await openByLuid({ thread, process }, process.transport.framing.luid);
    if (typeof opened === "number") return opened;
    bytes.set(ADAPTER_INFO.encode({ hAdapter: opened.handle, AdapterLuid: opened.luid }));
  }
  write({ NumAdapters: 1 });
  return 0;
}

async function closeAdapter({ thread, process, args }: Ioctl): Promise<number> {
  const adapter = process.handles.adapter(u32(args, "handle"));
  const trouble = troubleOf(adapter);
  if (trouble !== 0 || adapter === undefined) return trouble;
  adapter.isActive = false;
  for (const device of process.handles.devicesOf(adapter)) await endDevice({ thread, process }, device);
  process.handles.dropAdapter(adapter.handle);
  return await process.transport.command(thread, "CloseAdapter", { adapter: adapter.hostHandle });
}

async function createDevice({ thread, process, args, write }: Ioctl): Promise<number> {
  const adapter = process.handles.adapter(u32(args, "hAdapter"));
  const trouble = troubleOf(adapter);
  if (trouble !== 0 || adapter === undefined) return trouble;
  const fields = { adapter: adapter.hostHandle, flags: u32(args, "Flags") };
  const reply = await process.transport.ask(thread, "CreateDevice", { fields });
  if (typeof reply === "number") return reply;
  const handle = u32(reply, "device");
  if (handle === 0) return EINVAL;
  if (!adapter.isActive) {
    // The host keeps the devices of an adapter that is closed.
    await process.transport.command(thread, "DestroyDevice", { device: handle });
    return ENODEV;
  }
  process.handles.add({ kind: "device", handle, adapter, isStopped: false });
  write({ hDevice: handle });
  return 0;
}

async function destroyDevice({ thread, process, args }: Ioctl): Promise<number> {
  const device = process.handles.device(u32(args, "handle"));
  if (device === undefined) return EINVAL;
  return device.isStopped ? ENODEV : await endDevice({ thread, process }, device);
}

/**
 * Nothing where another thread ends it. In the documented order: marked, stopped (pages unpinned and windows unmapped before the host hears of it), fences,
 * allocations, resources, contexts, paging queues, the guest's handle, the host's device.
 */
export async function endDevice(
  { thread, process }: Pick<Ioctl, "thread" | "process">,
  device: GuestDevice,
): Promise<number> {
  if (device.isStopped) return ENODEV;
  device.isStopped = true;
  const children = process.handles.childrenOf(device);
  const allocations = children.flatMap((child) => child.kind === "allocation" ? [child] : []);
  for (const allocation of allocations) await stopAllocation(thread, allocation);
  for (const child of children) if (child.kind === "syncObject") process.handles.drop(child);
  for (const allocation of allocations) {
    await destroyAllocations({ thread, process }, {
      device: device.handle,
      resource: 0,
      flags: 0,
      allocations: [allocation],
    });
  }
  for (const kind of ["resource", "context", "pagingQueue"]) {
    for (const child of children) if (child.kind === kind) process.handles.drop(child);
  }
  process.handles.drop(device);
  return await process.transport.command(thread, "DestroyDevice", { device: device.handle });
}

/** What the end of a process does first: the host is told to finish what each device has queued. */
export async function flushDevices({ thread, process }: Pick<Ioctl, "thread" | "process">): Promise<void> {
  const devices = process.handles.adapters.flatMap((adapter) => process.handles.devicesOf(adapter));
  for (const { handle } of devices) {
    await process.transport.command(thread, "FlushDevice", { device: handle, reason: FLUSH_TERMINATE });
  }
}

async function createContext({ thread, process, args, write }: Ioctl): Promise<number> {
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  const reply = await process.transport.ask(thread, "CreateContextVirtual", {
    fields: {
      device: device.handle,
      node_ordinal: u32(args, "NodeOrdinal"),
      engine_affinity: u32(args, "EngineAffinity"),
      flags: u32(args, "Flags"),
      client_hint: u32(args, "ClientHint"),
    },
  });
  if (typeof reply === "number") return reply;
  const handle = u32(reply, "context");
  if (handle === 0) return EINVAL;
  if (device.isStopped) return ENODEV;
  process.handles.add({ kind: "context", handle, device, syncObject: 0 });
  write({ hContext: handle });
  return 0;
}

async function destroyContext({ thread, process, args }: Ioctl): Promise<number> {
  const context = process.handles.child(u32(args, "handle"), "context");
  if (context === undefined) return EINVAL;
  process.handles.drop(context);
  return await process.transport.command(thread, "DestroyContext", { context: context.handle });
}

/** A zero handle is the host's only way to say no. The fence's page is mapped where the program can read it. */
async function createPagingQueue({ thread, process, args, write }: Ioctl): Promise<number> {
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  const reply = await process.transport.ask(thread, "CreatePagingQueue", { fields: { queue: args } });
  if (typeof reply === "number") return reply;
  const [handle, syncObject] = [u32(reply, "paging_queue"), u32(reply, "sync_object")];
  if (handle === 0) return EINVAL;
  if (device.isStopped) return ENODEV;
  process.handles.add({ kind: "syncObject", handle: syncObject, device, syncObject: 0 });
  process.handles.add({ kind: "pagingQueue", handle, device, syncObject });
  write({
    hPagingQueue: handle,
    hSyncObject: syncObject,
    FenceValueCPUVirtualAddress: windowAt(u64(reply, "fence_physical_address") + u64(reply, "fence_offset")),
  });
  return 0;
}

/** What the host answers is not looked at. */
async function destroyPagingQueue({ thread, process, args }: Ioctl): Promise<number> {
  const queue = process.handles.child(u32(args, "handle"), "pagingQueue");
  if (queue === undefined) return EINVAL;
  const fence = process.handles.child(queue.syncObject, "syncObject");
  for (const object of [queue, fence]) if (object !== undefined) process.handles.drop(object);
  const reply = await process.transport.ask(thread, "DestroyPagingQueue", { fields: { paging_queue: queue.handle } });
  return typeof reply === "number" ? reply : 0;
}

/** Why nothing can be asked of an adapter, 0: it can. */
export function troubleOf(adapter: GuestAdapterState | undefined): number {
  if (adapter === undefined) return EINVAL;
  return adapter.isActive ? 0 : ENODEV;
}

/**
 * Why nothing can be asked of a device, 0: it can. One that ends is marked first: nothing is made on it any more, nor kept that
 * was asked for before and has its answer now.
 */
export function deviceTrouble(device: GuestDevice | undefined): number {
  return device?.isStopped === true ? ENODEV : troubleOf(device?.adapter);
}

/** The device of a paging queue, or the reason why there is none. */
export function deviceOfQueue({ process }: Ioctl, handle: number): GuestChild | number {
  const queue = process.handles.child(handle, "pagingQueue");
  const trouble = deviceTrouble(queue?.device);
  return queue === undefined || trouble !== 0 ? trouble : queue;
}

/** Commands on adapters, devices, contexts and paging queues. */
export const OBJECT_IOCTLS: Readonly<Record<string, IoctlEntry>> = {
  OpenAdapterFromLuid: { struct: DXG_STRUCTS.OpenAdapterFromLuid, handler: openAdapter },
  EnumAdapters2: { struct: DXG_STRUCTS.EnumAdapters2, handler: enumAdapters },
  EnumAdapters3: { struct: DXG_STRUCTS.EnumAdapters3, handler: enumAdapters },
  CloseAdapter: { struct: HANDLE, handler: closeAdapter },
  CreateDevice: { struct: DXG_STRUCTS.CreateDevice, handler: createDevice },
  DestroyDevice: { struct: HANDLE, handler: destroyDevice },
  CreateContextVirtual: { struct: DXG_STRUCTS.CreateContextVirtual, handler: createContext },
  DestroyContext: { struct: HANDLE, handler: destroyContext },
  CreatePagingQueue: { struct: DXG_STRUCTS.CreatePagingQueue, handler: createPagingQueue },
  DestroyPagingQueue: { struct: HANDLE, handler: destroyPagingQueue },
};
