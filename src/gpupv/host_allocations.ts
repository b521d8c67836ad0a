// Messages about allocations, as the host repeats them: create, destroy, and the two ways in which guest memory comes to one
// (gpuva.md 5.7). It must not know in what order a guest sends them.

import { ntSuccess, PAGE_BYTES, STATUS, SYMBOLS } from "../api/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { privateDataIn } from "./allocation_tail.ts";
import type { HostCall, HostHandler, SystemMemory } from "./host_state.ts";
import { PRIVATE_DATA } from "./private_data.ts";
import { bytesIn, inner, numbers, u32, u64, words } from "./record.ts";
import { bufferAt } from "./user_memory.ts";

const { ExistingSysMem } = SYMBOLS.allocationFlags;
const PAGE = BigInt(PAGE_BYTES);

/** What a display driver reads in an allocation's private data. */
interface Wanted {
  readonly pSystemMem: number;
  readonly Size: bigint;
}

/** The reply has no status: a failure shows as handles of 0. */
async function createAllocation({ umd, process, fields }: HostCall): Promise<LayoutRecord> {
  const count = u32(fields, "count");
  const flags = u32(fields, "flags");
  const wanted = privateDataIn(bytesIn(fields, "tail"), count)?.map(wantedIn);
  const none = { allocations: Array.from({ length: count }, () => ({ handle: 0 })) };
  if (wanted === undefined || wanted.some((each) => each === null)) return none;
  const infos = wanted.flatMap((each) => each ?? []);
  const { status, hResource, pAllocationInfo2 } = await umd.D3DKMTCreateAllocation2({
    hDevice: u32(fields, "device"),
    hResource: u32(fields, "resource"),
    pAllocationInfo2: infos,
    Flags: flags,
  });
  if (!ntSuccess(status) || process.hasEnded) return none;
  const resource = hResource || 0;
  const allocations = infos.map(({ Size, pSystemMem }, index) => {
    const handle = pAllocationInfo2[index]?.hAllocation ?? 0;
    const pageCount = Number((Size + PAGE - 1n) / PAGE);
    const isGuests = (flags & ExistingSysMem) !== 0 && pSystemMem !== 0;
    if (isGuests) {
      process.memory.set(handle, { device: u32(fields, "device"), resource, pageCount, gpadl: 0, pages: 0 });
    }
    return { handle, size: BigInt(pageCount) * PAGE };
  });
  return { resource, allocations };
}

function wantedIn(data: Uint8Array): Wanted | null {
  if (data.length < PRIVATE_DATA.bytes) return null;
  const record = PRIVATE_DATA.decode(data);
  return { pSystemMem: bufferAt(u64(record, "address")), Size: u64(record, "size") };
}

/** The allocations end first, then the views of guest memory behind them: only now can the guest's teardown go on. */
async function destroyAllocation({ thread, state, umd, process, fields }: HostCall): Promise<LayoutRecord> {
  const hResource = u32(fields, "resource");
  const handles = numbers(fields, "handles");
  const { status } = await umd.D3DKMTDestroyAllocation2({
    hDevice: u32(fields, "device"),
    hResource,
    phAllocationList: handles,
    Flags: u32(fields, "flags"),
  });
  if (!ntSuccess(status)) return { status };
  for (const [handle, memory] of [...process.memory]) {
    const isIts = handles.includes(handle) || (hResource !== 0 && memory.resource === hResource);
    if (isIts) await letGo({ thread, state, process }, handle, memory);
  }
  return { status };
}

/** Unmaps the guest's memory behind an allocation. */
export async function letGo(
  { thread, state, process }: Pick<HostCall, "thread" | "state" | "process">,
  handle: number,
  memory: SystemMemory,
): Promise<void> {
  const { gpadl } = memory;
  if (process.memory.get(handle) === memory) process.memory.delete(handle);
  if (gpadl === 0) return;
  await thread.server.VmbChannelUnmapGpadl({ Channel: state.channels.global, GpadlHandle: gpadl });
}

/** A device has ended at the host, with all allocations that it still had. */
export async function letGoOfDevice(
  call: Pick<HostCall, "thread" | "state" | "process">,
  device: number,
): Promise<void> {
  for (const [handle, memory] of [...call.process.memory]) {
    if (memory.device === device) await letGo(call, handle, memory);
  }
}

/** Message 45: the GPADL on the global channel is mapped, once. */
async function setStore({ thread, state, process, fields }: HostCall): Promise<LayoutRecord> {
  const memory = process.memory.get(u32(fields, "allocation"));
  if (memory === undefined) return { status: STATUS.STATUS_INVALID_HANDLE };
  if (memory.gpadl !== 0) return { status: STATUS.STATUS_INVALID_PARAMETER };
  const GpadlHandle = u32(fields, "gpadl");
  const { status } = await thread.server.VmbChannelMapGpadl({ Channel: state.channels.global, GpadlHandle });
  if (!ntSuccess(status)) return { status };
  memory.gpadl = GpadlHandle;
  const isKept = process.memory.get(u32(fields, "allocation")) === memory;
  // Its allocation ended while it was being mapped.
  if (!isKept) await letGo({ thread, state, process }, u32(fields, "allocation"), memory);
  return { status: isKept ? status : STATUS.STATUS_INVALID_HANDLE };
}

/** Message 66: pages come in order, and not more than the allocation has. */
function setPages({ process, fields }: HostCall): Promise<LayoutRecord> {
  const memory = process.memory.get(u32(fields, "allocation"));
  const count = u32(fields, "num_pages");
  if (memory === undefined) return Promise.resolve({ status: STATUS.STATUS_INVALID_HANDLE });
  const isNext = memory.gpadl === 0 && u32(fields, "alloc_offset_in_pages") === memory.pages &&
    words(fields, "pfns").length === count && memory.pages + count <= memory.pageCount;
  if (!isNext) return Promise.resolve({ status: STATUS.STATUS_INVALID_PARAMETER });
  memory.pages += count;
  return Promise.resolve({ status: STATUS.STATUS_SUCCESS });
}

async function lock({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const lock = innerLock(fields);
  const { status, pData } = await umd.D3DKMTLock2(lock);
  return { status, cpu_visible_buffer_offset: ntSuccess(status) ? pData : 0n };
}

async function unlock({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { status } = await umd.D3DKMTUnlock2({
    hDevice: u32(fields, "device"),
    hAllocation: u32(fields, "allocation"),
  });
  return { status };
}

function innerLock(fields: LayoutRecord): { hDevice: number; hAllocation: number; Flags: number } {
  const lock = inner(fields, "lock");
  return { hDevice: u32(lock, "hDevice"), hAllocation: u32(lock, "hAllocation"), Flags: u32(lock, "Flags") };
}

/** Handlers of messages about allocations. */
export const HOST_ALLOCATIONS: Readonly<Record<string, HostHandler>> = {
  CreateAllocation: createAllocation,
  DestroyAllocation: destroyAllocation,
  SetExistingSysmemStore: setStore,
  SetExistingSysmemPages: setPages,
  Lock2: lock,
  Unlock2: unlock,
};
