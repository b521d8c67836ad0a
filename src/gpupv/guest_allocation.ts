// CreateAllocation and DestroyAllocation2 in the guest's graphics kernel, over the host's memory and over the program's own:
// the documented steps, each with its undo (gpuva.md 5.7). It must not know what the host does with a message.

import { DXG_STRUCTS, ntSuccess, PAGE_BYTES, STATUS, SYMBOLS } from "../api/mod.ts";
import { MAX_SYSMEM_PFNS } from "../api/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { ASSUME_NOT_IN_USE, destroyAllocations } from "./guest_allocation_end.ts";
import { deviceTrouble } from "./guest_objects.ts";
import { EINVAL, ENODEV, ENOMEM, type GuestAllocation, type GuestChild, type GuestDevice } from "./guest_state.ts";
import type { Ioctl, IoctlEntry } from "./ioctl.ts";
import { packTail, REPLY_ENTRY_BYTES } from "./allocation_tail.ts";
import { records, u32, u64 } from "./record.ts";
import { bufferAt, pointedBytes, pointedHandles, pointedRecords } from "./user_memory.ts";

const MAX_ALLOCATIONS = 1024;
const FLAGS = SYMBOLS.allocationFlags;
const INFO = DXG_STRUCTS.AllocationInfo2;
const PAGE = BigInt(PAGE_BYTES);

/** A create call whose arguments are sound. */
interface Request {
  readonly ioctl: Ioctl;
  readonly device: GuestDevice;
  readonly infos: readonly LayoutRecord[];
  readonly flags: number;
  /** What the allocations are added to, null: no resource that was there. */
  readonly resource: GuestChild | null;
}

/** Step 1 to 7. What fails after message 4 undoes all that was done. */
async function createAllocation(ioctl: Ioctl): Promise<number> {
  const request = admit(ioctl);
  if (typeof request === "number") return request;
  const made = await askHost(request);
  if (typeof made === "number") return made;
  const filled = await fill(request, made.allocations);
  const result = filled < 0 ? filled : endedMeanwhile(request);
  if (result < 0) {
    await takeBack(request, made);
    return result;
  }
  publish(request, made);
  return 0;
}

/** What was there when the call came may have ended: then nothing may be added to it. */
function endedMeanwhile({ ioctl: { process }, device, resource }: Request): number {
  const isGone = resource !== null && process.handles.child(resource.handle, "resource") !== resource;
  return isGone ? EINVAL : deviceTrouble(device);
}

/** Step F: the host drops what it made, with the resource where the call made one. */
async function takeBack({ ioctl, device, flags }: Request, { reply, allocations }: Made): Promise<void> {
  const { thread, process } = ioctl;
  const resource = (flags & FLAGS.CreateResource) === 0 ? 0 : u32(reply, "resource");
  const end = { device: device.handle, resource, flags: ASSUME_NOT_IN_USE };
  await destroyAllocations({ thread, process }, { ...end, allocations });
}

/** Step 1. What is wrong with a standard allocation comes back as a raw status, which is no errno. */
function admit(ioctl: Ioctl): Request | number {
  const { args, argument, process } = ioctl;
  const flags = u32(args, "Flags");
  const count = u32(args, "NumAllocations");
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  const resource = process.handles.child(u32(args, "hResource"), "resource");
  if (u32(args, "hResource") !== 0 && resource?.device !== device) return EINVAL;
  if (count === 0 || count > MAX_ALLOCATIONS || !areFlagsAllowed(flags)) return EINVAL;
  if ((flags & FLAGS.StandardAllocation) !== 0 && count !== 1) return STATUS.STATUS_INVALID_PARAMETER | 0;
  const infos = pointedRecords(argument, INFO, { pointer: u64(args, "pAllocationInfo2"), count });
  if (infos === null || !isMemorySound(infos)) return EINVAL;
  return { ioctl, device, infos, flags, resource: resource ?? null };
}

function areFlagsAllowed(flags: number): boolean {
  if ((flags & (FLAGS.ExistingSection | FLAGS.CreateProtected)) !== 0) return false;
  const needed = FLAGS.CreateResource | FLAGS.NtSecuritySharing;
  return (flags & FLAGS.CreateShared) === 0 || (flags & needed) === needed;
}

/** All allocations have memory of the program, at pages, or none has. */
function isMemorySound(infos: readonly LayoutRecord[]): boolean {
  const addresses = infos.map((info) => u64(info, "pSystemMem"));
  return addresses.every((address) => address === 0n) ||
    addresses.every((address) => address !== 0n && address % PAGE === 0n);
}

/** What message 4 made. */
interface Made {
  readonly reply: LayoutRecord;
  readonly allocations: readonly GuestAllocation[];
}

/** Steps 2 and 3: local objects, and the host's. Nothing is in the table of handles yet. */
async function askHost({ ioctl, device, infos, flags }: Request): Promise<Made | number> {
  const { thread, process, args, argument } = ioctl;
  const privateData = infos.map((info) =>
    pointedBytes(argument, u64(info, "pPrivateDriverData"), u32(info, "PrivateDriverDataSize"))
  );
  if (privateData.some((data) => data === null)) return EINVAL;
  const hasMemory = u64(infos[0] ?? {}, "pSystemMem") !== 0n;
  const resource = u32(args, "hResource");
  const reply = await process.transport.ask(thread, "CreateAllocation", {
    fields: {
      device: device.handle,
      resource,
      count: infos.length,
      flags: hasMemory ? flags | FLAGS.ExistingSysMem : flags,
      private_runtime_resource_handle: u64(args, "hPrivateRuntimeResourceHandle"),
      tail: packTail(infos, privateData.flatMap((data) => data ?? [])),
    },
    moreBytes: infos.length * REPLY_ENTRY_BYTES,
  });
  if (typeof reply === "number") return reply;
  const entries = records(reply, "allocations").slice(0, infos.length);
  if (entries.length < infos.length || entries.some((entry) => u32(entry, "handle") === 0)) return EINVAL;
  const allocations = entries.map((entry): GuestAllocation => ({
    kind: "allocation",
    handle: u32(entry, "handle"),
    device,
    resource: u32(reply, "resource"),
    pageCount: Number(u64(entry, "size") / PAGE),
    pin: 0,
    gpadl: 0,
    cpuAddress: null,
    isWindow: false,
    lockCount: 0,
  }));
  return { reply, allocations };
}

/** Steps 4 and 5, allocation by allocation; nothing to do where the memory is the host's. */
async function fill({ ioctl, infos }: Request, allocations: readonly GuestAllocation[]): Promise<number> {
  for (const [index, allocation] of allocations.entries()) {
    const address = u64(infos[index] ?? {}, "pSystemMem");
    if (address === 0n) continue;
    const { value: pin, refused } = await ioctl.thread.guest.CreateMdl({
      Buffer: bufferAt(address),
      ByteCount: allocation.pageCount * PAGE_BYTES,
    });
    if (refused !== null) return ENOMEM;
    allocation.pin = pin;
    allocation.cpuAddress = address;
    const result = ioctl.process.mapsGuestPages
      ? await sendPages(ioctl, allocation)
      : await shareByGpadl(ioctl, allocation, bufferAt(address));
    if (result < 0) return result;
  }
  return 0;
}

/** Step 5a: a GPADL on the global channel, and its handle in message 45. */
async function shareByGpadl({ thread, process }: Ioctl, allocation: GuestAllocation, Buffer: number): Promise<number> {
  const { transport } = process;
  if (transport.isGlobalDown) return ENODEV;
  process.sharing.count += 1;
  const { status, GpadlHandle } = await thread.client.VmbChannelCreateGpadlFromBuffer({
    Channel: transport.channels.global,
    Buffer,
    ByteCount: allocation.pageCount * PAGE_BYTES,
  });
  if (ntSuccess(status)) {
    allocation.gpadl = GpadlHandle;
    process.gpadls.add(GpadlHandle);
  }
  process.sharing.count -= 1;
  if (transport.isGlobalDown) process.sharing.done.send(GpadlHandle);
  if (!ntSuccess(status)) return ENOMEM;
  const { device, handle } = allocation;
  return await transport.command(thread, "SetExistingSysmemStore", {
    device: device.handle,
    allocation: handle,
    gpadl: GpadlHandle,
  });
}

/** Step 5b: page frame numbers in as many messages 66 as they take, with a running offset. */
async function sendPages({ thread, process }: Ioctl, { pin, device, handle }: GuestAllocation): Promise<number> {
  const { Pfns } = await thread.guest.MmGetMdlPfnArray({ Mdl: pin });
  for (let offset = 0; offset < Pfns.length; offset += MAX_SYSMEM_PFNS) {
    const pfns = Pfns.slice(offset, offset + MAX_SYSMEM_PFNS);
    const result = await process.transport.command(thread, "SetExistingSysmemPages", {
      device: device.handle,
      allocation: handle,
      num_pages: pfns.length,
      alloc_offset_in_pages: offset,
      pfns,
    });
    if (result < 0) return result;
  }
  return 0;
}

/** Steps 6 and 7: the program learns the handles, and only then does the table of the guest. */
function publish({ ioctl, device, infos }: Request, { reply, allocations }: Made): void {
  const { args, argument, process, write } = ioctl;
  const bytes = pointedBytes(argument, u64(args, "pAllocationInfo2"), infos.length * INFO.bytes);
  for (const [index, { handle }] of allocations.entries()) {
    bytes?.set(INFO.encode({ ...infos[index], hAllocation: handle }), index * INFO.bytes);
  }
  const resource = u32(reply, "resource");
  write({ hResource: resource, hGlobalShare: u32(reply, "global_share") });
  const isNew = process.handles.child(resource, "resource") === undefined;
  if (resource !== 0 && isNew) {
    process.handles.add({ kind: "resource", handle: resource, device, syncObject: 0 });
  }
  for (const allocation of allocations) process.handles.add(allocation);
}

/** Exactly one of a list and a resource; all of one device and of one resource. */
async function destroyAllocation({ thread, process, args, argument }: Ioctl): Promise<number> {
  const device = process.handles.device(u32(args, "hDevice"));
  const trouble = deviceTrouble(device);
  if (trouble !== 0 || device === undefined) return trouble;
  const count = u32(args, "AllocationCount");
  const handle = u32(args, "hResource");
  if ((handle === 0) === (count === 0) || count > MAX_ALLOCATIONS) return EINVAL;
  const flags = u32(args, "Flags");
  if (handle !== 0) {
    const resource = process.handles.child(handle, "resource");
    if (resource?.device !== device) return EINVAL;
    const allocations = process.handles.childrenOf(device).flatMap((child) =>
      child.kind === "allocation" && child.resource === handle ? [child] : []
    );
    process.handles.drop(resource);
    return await destroyAllocations({ thread, process }, {
      device: device.handle,
      resource: handle,
      flags,
      allocations,
    });
  }
  const listed = pointedHandles(argument, u64(args, "phAllocationList"), count) ?? [];
  // The host refuses what is named twice; the guest would have forgotten it by then, and wait for its unmap for ever.
  const allocations = [...new Set(listed)].flatMap((each) => process.handles.allocation(each) ?? []);
  const isOneSet = new Set(allocations.map(({ resource }) => resource)).size === 1;
  if (allocations.length < count || !isOneSet || allocations.some((each) => each.device !== device)) return EINVAL;
  return await destroyAllocations({ thread, process }, { device: device.handle, resource: 0, flags, allocations });
}

/** Commands that begin and end allocations. */
export const ALLOCATION_IOCTLS: Readonly<Record<string, IoctlEntry>> = {
  CreateAllocation: { struct: DXG_STRUCTS.CreateAllocation, handler: createAllocation },
  DestroyAllocation2: { struct: DXG_STRUCTS.DestroyAllocation2, handler: destroyAllocation },
};
