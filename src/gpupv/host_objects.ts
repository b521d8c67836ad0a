// Messages about adapters, devices, contexts, paging queues and addresses, as the host repeats them in the process that
// stands for the guest's. All rules are the model's. It must not know channels.

import { ntSuccess, STATUS } from "../api/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { letGoOfDevice } from "./host_allocations.ts";
import type { HostCall, HostHandler } from "./host_state.ts";
import { accessesIn } from "./private_data.ts";
import { bytesIn, inner, numbers, records, u32, u64 } from "./record.ts";
import { operationOf } from "./update_operation.ts";

const PAGE_MASK = 0xfffn;
const HANDLE_BYTES = 4;

async function openAdapter({ umd, process, fields }: HostCall): Promise<LayoutRecord> {
  const { status, hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: u64(fields, "adapter_luid") });
  if (ntSuccess(status)) process.adapters.add(hAdapter);
  const versions = {
    interface_version: u32(fields, "interface_version"),
    last_compatible_version: u32(fields, "last_compatible_version"),
  };
  return { status, adapter: ntSuccess(status) ? hAdapter : 0, ...versions };
}

/** Devices are not its to end: the guest has ended those that it knew. */
async function closeAdapter({ umd, process, fields }: HostCall): Promise<LayoutRecord> {
  process.adapters.delete(u32(fields, "adapter"));
  return { status: (await umd.D3DKMTCloseAdapter({ hAdapter: u32(fields, "adapter") })).status };
}

async function createDevice({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { status, hDevice } = await umd.D3DKMTCreateDevice({
    hAdapter: u32(fields, "adapter"),
    Flags: u32(fields, "flags"),
  });
  return { device: ntSuccess(status) ? hDevice : 0 };
}

/** Its allocations end with it, and then the views of guest memory behind them. */
async function destroyDevice(call: HostCall): Promise<LayoutRecord> {
  const { umd, fields } = call;
  const hDevice = u32(fields, "device");
  const { status } = await umd.D3DKMTDestroyDevice({ hDevice });
  if (ntSuccess(status)) await letGoOfDevice(call, hDevice);
  return { status };
}

async function createContext({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { status, hContext } = await umd.D3DKMTCreateContextVirtual({
    hDevice: u32(fields, "device"),
    NodeOrdinal: u32(fields, "node_ordinal"),
    EngineAffinity: u32(fields, "engine_affinity"),
    Flags: u32(fields, "flags"),
    ClientHint: u32(fields, "client_hint"),
  });
  return { context: ntSuccess(status) ? hContext : 0 };
}

async function destroyContext({ umd, fields }: HostCall): Promise<LayoutRecord> {
  return { status: (await umd.D3DKMTDestroyContext({ hContext: u32(fields, "context") })).status };
}

/** The guest maps the page of the IO space where the fence is. */
async function createPagingQueue({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const queue = inner(fields, "queue");
  const { status, hPagingQueue, hSyncObject, FenceValueCPUVirtualAddress } = await umd.D3DKMTCreatePagingQueue({
    hDevice: u32(queue, "hDevice"),
    Priority: u32(queue, "Priority"),
    PhysicalAdapterIndex: u32(queue, "PhysicalAdapterIndex"),
  });
  if (!ntSuccess(status)) return {};
  return {
    paging_queue: hPagingQueue,
    sync_object: hSyncObject,
    fence_physical_address: FenceValueCPUVirtualAddress & ~PAGE_MASK,
    fence_offset: FenceValueCPUVirtualAddress & PAGE_MASK,
  };
}

async function destroyPagingQueue({ umd, fields }: HostCall): Promise<LayoutRecord> {
  return { status: (await umd.D3DKMTDestroyPagingQueue({ hPagingQueue: u32(fields, "paging_queue") })).status };
}

async function map({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const asked = inner(fields, "map");
  const { status, VirtualAddress, PagingFenceValue } = await umd.D3DKMTMapGpuVirtualAddress({
    hPagingQueue: u32(asked, "hPagingQueue"),
    BaseAddress: u64(asked, "BaseAddress"),
    MinimumAddress: u64(asked, "MinimumAddress"),
    MaximumAddress: u64(asked, "MaximumAddress"),
    hAllocation: u32(asked, "hAllocation"),
    OffsetInPages: u64(asked, "OffsetInPages"),
    SizeInPages: u64(asked, "SizeInPages"),
    Protection: u64(asked, "Protection"),
    DriverProtection: u64(asked, "DriverProtection"),
    Reserved0: u32(asked, "Reserved0"),
    Reserved1: u64(asked, "Reserved1"),
  });
  if (!ntSuccess(status)) return { status };
  return { status, virtual_address: VirtualAddress, paging_fence_value: PagingFenceValue };
}

/** The reply has no status: a failure shows as address 0. The handle is an adapter's, or else a paging queue's. */
async function reserve({ umd, process, fields }: HostCall): Promise<LayoutRecord> {
  const asked = inner(fields, "reserve");
  const handle = u32(asked, "hPagingQueue");
  const range = {
    BaseAddress: u64(asked, "BaseAddress"),
    MinimumAddress: u64(asked, "MinimumAddress"),
    MaximumAddress: u64(asked, "MaximumAddress"),
    Size: u64(asked, "Size"),
    ReservationType: u32(asked, "ReservationType"),
    DriverProtection: u64(asked, "DriverProtection"),
  };
  const owner = process.adapters.has(handle) ? { hAdapter: handle } : { hPagingQueue: handle };
  const { status, VirtualAddress, PagingFenceValue } = await umd.D3DKMTReserveGpuVirtualAddress({ ...owner, ...range });
  return ntSuccess(status) ? { virtual_address: VirtualAddress, paging_fence_value: PagingFenceValue } : {};
}

async function free({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const asked = inner(fields, "free");
  const { status } = await umd.D3DKMTFreeGpuVirtualAddress({
    hAdapter: u32(asked, "hAdapter"),
    BaseAddress: u64(asked, "BaseAddress"),
    Size: u64(asked, "Size"),
  });
  return { status };
}

async function update({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { status } = await umd.D3DKMTUpdateGpuVirtualAddress({
    hDevice: u32(fields, "device"),
    hContext: u32(fields, "context"),
    hFenceObject: u32(fields, "fence_object"),
    Operations: records(fields, "operations").map(operationOf),
    FenceValue: u64(fields, "fence_value"),
    Flags: u32(fields, "flags"),
  });
  return { status };
}

async function makeResident({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { status, PagingFenceValue, NumBytesToTrim } = await umd.D3DKMTMakeResident({
    hPagingQueue: u32(fields, "paging_queue"),
    AllocationList: numbers(fields, "handles"),
    Flags: u32(fields, "flags"),
  });
  return { status, paging_fence_value: PagingFenceValue ?? 0n, num_bytes_to_trim: NumBytesToTrim ?? 0n };
}

/** The reply has no status: a failure does not show. */
async function evict({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { NumBytesToTrim } = await umd.D3DKMTEvict({
    hDevice: u32(fields, "device"),
    AllocationList: numbers(fields, "handles"),
    Flags: u32(fields, "flags"),
  });
  return { num_bytes_to_trim: NumBytesToTrim ?? 0n };
}

async function submit({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const asked = inner(fields, "submit");
  const { status } = await umd.D3DKMTSubmitCommand({
    BroadcastContext: numbers(asked, "BroadcastContext").slice(0, u32(asked, "BroadcastContextCount")),
    Commands: u64(asked, "Commands"),
    CommandLength: u32(asked, "CommandLength"),
    Flags: u32(asked, "Flags"),
    // Handles of history buffers stand in front.
    Accesses: accessesIn(bytesIn(fields, "rest").subarray(u32(asked, "NumHistoryBuffers") * HANDLE_BYTES)),
  });
  return { status };
}

/** What has been queued is not waited for: work of the model runs when its program says. */
function flushDevice(): Promise<LayoutRecord> {
  return Promise.resolve({ status: STATUS.STATUS_SUCCESS });
}

/** Handlers of messages that one of the process's calls repeats. */
export const HOST_OBJECTS: Readonly<Record<string, HostHandler>> = {
  OpenAdapter: openAdapter,
  CloseAdapter: closeAdapter,
  CreateDevice: createDevice,
  DestroyDevice: destroyDevice,
  CreateContextVirtual: createContext,
  DestroyContext: destroyContext,
  CreatePagingQueue: createPagingQueue,
  DestroyPagingQueue: destroyPagingQueue,
  MapGpuVirtualAddress: map,
  ReserveGpuVirtualAddress: reserve,
  FreeGpuVirtualAddress: free,
  UpdateGpuVirtualAddress: update,
  MakeResident: makeResident,
  Evict: evict,
  SubmitCommand: submit,
  FlushDevice: flushDevice,
};
