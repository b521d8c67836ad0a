// What a program in a guest holds: D3DKMT calls as its user-mode library makes them, each an ioctl of /dev/dxg. The library
// packs the structure, and turns the ioctl's result back into a status, with what is lost on the way (gpuva.md 5.3).
// It must not know what the guest's kernel does with it.

import {
  type ArgsOf,
  DXG_IOCTLS,
  DXG_STRUCTS,
  type GPU_VA,
  ioctlCommand,
  type ResultOf,
  statusOfIoctl,
} from "../api/mod.ts";
import type { Thread } from "../driver/mod.ts";
import { type Layout, layout, type LayoutRecord } from "../wire/mod.ts";
import { allocationList } from "./allocation_argument.ts";
import { accessBytes } from "./private_data.ts";
import { numbers, u32, u64 } from "./record.ts";
import { operationFields } from "./update_operation.ts";
import { handleBytes, packArgument, type Pointed, pointedRecords, recordBytes, wordBytes } from "./user_memory.ts";

type GpuCall = keyof typeof GPU_VA;
/** Arguments of a call, by the DDI's names. */
export type Args<N extends GpuCall> = ArgsOf<(typeof GPU_VA)[N]>;
/** What a call gives a program: what the model's call gives, and the ioctl's own result. */
export type GuestResult<N extends GpuCall> = ResultOf<(typeof GPU_VA)[N]> & { readonly result: number };

const COMMANDS: ReadonlyMap<string, number> = new Map(DXG_IOCTLS.map((ioctl) => [ioctl.name, ioctlCommand(ioctl)]));
const STRUCTS: ReadonlyMap<string, Layout> = new Map(Object.entries(DXG_STRUCTS));
/** An argument that is one handle. */
const HANDLE = layout(4, "0 handle u32");
/** Contexts that the structure has room for. */
const MAX_CONTEXTS = 64;
const INFO = DXG_STRUCTS.AllocationInfo2;
const ADAPTER_INFO = DXG_STRUCTS.AdapterInfo;

/** How an ioctl ended. */
export interface Ended {
  /** A status of 0 or above, or a negative errno. */
  readonly result: number;
  /** What the library makes of it. */
  readonly status: number;
  /** The structure after it. */
  readonly out: LayoutRecord;
  /** The program's memory after it. */
  readonly argument: Uint8Array;
}

/** An adapter as a thread of a guest's program uses it. */
export class GuestAdapter {
  /** The guest's handle of it. */
  readonly hAdapter: number;
  readonly #thread: Thread;

  constructor(thread: Thread, hAdapter: number) {
    this.#thread = thread;
    this.hAdapter = hAdapter;
  }

  /** The same adapter for another thread of the process. */
  on(thread: Thread): GuestAdapter {
    return new GuestAdapter(thread, this.hAdapter);
  }

  /** Lists the guest's adapters, each under a new handle that must be closed; without room for any it only counts them. */
  async enumAdapters(room = 1): Promise<GuestResult<"D3DKMTEnumAdapters2">> {
    const list = { field: "pAdapters", bytes: new Uint8Array(room * ADAPTER_INFO.bytes) };
    const ended = await this.#ask("EnumAdapters2", { NumAdapters: room }, [list]);
    const NumAdapters = u32(ended.out, "NumAdapters");
    const count = room === 0 || ended.result < 0 ? 0 : NumAdapters;
    const found = pointedRecords(ended.argument, ADAPTER_INFO, { pointer: u64(ended.out, "pAdapters"), count }) ?? [];
    const pAdapters = found.map((info) => ({
      hAdapter: u32(info, "hAdapter"),
      AdapterLuid: u64(info, "AdapterLuid"),
      NumOfSources: u32(info, "NumOfSources"),
    }));
    return { ...verdict(ended), NumAdapters, pAdapters };
  }

  /** Creates a device on this adapter. */
  async createDevice(args: Args<"D3DKMTCreateDevice"> = {}): Promise<GuestResult<"D3DKMTCreateDevice">> {
    const ended = await this.#ask("CreateDevice", { hAdapter: this.hAdapter, ...scalars(args) });
    return { ...verdict(ended), hDevice: u32(ended.out, "hDevice") };
  }

  /** Destroys a device and all that it has. */
  destroyDevice({ hDevice }: Args<"D3DKMTDestroyDevice">): Promise<GuestResult<"D3DKMTDestroyDevice">> {
    return this.#end("DestroyDevice", hDevice);
  }

  /** Creates a context. */
  async createContext(
    args: Args<"D3DKMTCreateContextVirtual">,
  ): Promise<GuestResult<"D3DKMTCreateContextVirtual">> {
    const ended = await this.#ask("CreateContextVirtual", scalars(args));
    return { ...verdict(ended), hContext: u32(ended.out, "hContext") };
  }

  /** Destroys a context. */
  destroyContext({ hContext }: Args<"D3DKMTDestroyContext">): Promise<GuestResult<"D3DKMTDestroyContext">> {
    return this.#end("DestroyContext", hContext);
  }

  /** Creates a paging queue. */
  async createPagingQueue(
    args: Args<"D3DKMTCreatePagingQueue">,
  ): Promise<GuestResult<"D3DKMTCreatePagingQueue">> {
    const ended = await this.#ask("CreatePagingQueue", scalars(args));
    const { out } = ended;
    return {
      ...verdict(ended),
      hPagingQueue: u32(out, "hPagingQueue"),
      hSyncObject: u32(out, "hSyncObject"),
      FenceValueCPUVirtualAddress: u64(out, "FenceValueCPUVirtualAddress"),
    };
  }

  /** Destroys a paging queue and its fence. */
  destroyPagingQueue(
    { hPagingQueue }: Args<"D3DKMTDestroyPagingQueue">,
  ): Promise<GuestResult<"D3DKMTDestroyPagingQueue">> {
    return this.#end("DestroyPagingQueue", hPagingQueue);
  }

  /** Creates allocations; those over existing memory name a buffer of the guest, and how much of it they use. */
  async createAllocation(args: Args<"D3DKMTCreateAllocation2">): Promise<GuestResult<"D3DKMTCreateAllocation2">> {
    const wanted = args.pAllocationInfo2 ?? [];
    const fields = { ...scalars(args), NumAllocations: wanted.length };
    const ended = await this.#ask("CreateAllocation", fields, [allocationList(wanted)]);
    const pointer = u64(ended.out, "pAllocationInfo2");
    const made = pointedRecords(ended.argument, INFO, { pointer, count: wanted.length }) ?? [];
    return {
      ...verdict(ended),
      hResource: u32(ended.out, "hResource"),
      pAllocationInfo2: made.map((info) => ({
        hAllocation: u32(info, "hAllocation"),
        GpuVirtualAddress: u64(info, "GpuVirtualAddress"),
      })),
    };
  }

  /** Destroys the listed allocations, or a resource with all of its own. */
  async destroyAllocation(
    args: Args<"D3DKMTDestroyAllocation2">,
  ): Promise<GuestResult<"D3DKMTDestroyAllocation2">> {
    const handles = handlesIn(args.phAllocationList);
    const fields = { ...scalars(args), AllocationCount: handles.length };
    const list = { field: "phAllocationList", bytes: handleBytes(handles) };
    return verdict(await this.#ask("DestroyAllocation2", fields, [list]));
  }

  /** Maps GPU virtual addresses. */
  async mapGpuVirtualAddress(
    args: Args<"D3DKMTMapGpuVirtualAddress">,
  ): Promise<GuestResult<"D3DKMTMapGpuVirtualAddress">> {
    const ended = await this.#ask("MapGpuVirtualAddress", scalars(args));
    return { ...verdict(ended), ...range(ended) };
  }

  /** Reserves GPU virtual addresses, through a paging queue or an adapter. A host's failure is success and address 0. */
  async reserveGpuVirtualAddress(
    { hAdapter, ...args }: Args<"D3DKMTReserveGpuVirtualAddress">,
  ): Promise<GuestResult<"D3DKMTReserveGpuVirtualAddress">> {
    const hPagingQueue = hAdapter ?? args.hPagingQueue ?? 0;
    const ended = await this.#ask("ReserveGpuVirtualAddress", { ...scalars(args), hPagingQueue });
    return { ...verdict(ended), ...range(ended) };
  }

  /** Frees GPU virtual addresses of this adapter. */
  async freeGpuVirtualAddress(
    args: Args<"D3DKMTFreeGpuVirtualAddress">,
  ): Promise<GuestResult<"D3DKMTFreeGpuVirtualAddress">> {
    return verdict(await this.#ask("FreeGpuVirtualAddress", { hAdapter: this.hAdapter, ...scalars(args) }));
  }

  /** Maps, unmaps and copies pages of a zero reservation. */
  async updateGpuVirtualAddress(
    args: Args<"D3DKMTUpdateGpuVirtualAddress">,
  ): Promise<GuestResult<"D3DKMTUpdateGpuVirtualAddress">> {
    const operations = args.Operations ?? [];
    const fields = { ...scalars(args), NumOperations: operations.length };
    const bytes = recordBytes(DXG_STRUCTS.UpdateOperation, operations.map(operationFields));
    return verdict(await this.#ask("UpdateGpuVirtualAddress", fields, [{ field: "Operations", bytes }]));
  }

  /** Adds a reason for allocations to stay in memory. What to trim is lost where there is no memory. */
  async makeResident(args: Args<"D3DKMTMakeResident">): Promise<GuestResult<"D3DKMTMakeResident">> {
    const ended = await this.#ask("MakeResident", ...listed(args));
    return { ...verdict(ended), PagingFenceValue: u64(ended.out, "PagingFenceValue"), ...trim(ended) };
  }

  /** Drops a reason for allocations to stay in memory. No failure of the host is visible. */
  async evict(args: Args<"D3DKMTEvict">): Promise<GuestResult<"D3DKMTEvict">> {
    const ended = await this.#ask("Evict", ...listed(args));
    return { ...verdict(ended), ...trim(ended) };
  }

  /** Gives the program a pointer to an allocation. */
  async lock(args: Args<"D3DKMTLock2">): Promise<GuestResult<"D3DKMTLock2">> {
    const ended = await this.#ask("Lock2", scalars(args));
    return { ...verdict(ended), pData: u64(ended.out, "pData") };
  }

  /** Gives the pointer back. */
  async unlock(args: Args<"D3DKMTUnlock2">): Promise<GuestResult<"D3DKMTUnlock2">> {
    return verdict(await this.#ask("Unlock2", scalars(args)));
  }

  /** Submits commands to contexts; what they touch goes as private data. */
  async submitCommand(args: Args<"D3DKMTSubmitCommand">): Promise<GuestResult<"D3DKMTSubmitCommand">> {
    const contexts = handlesIn(args.BroadcastContext);
    const bytes = accessBytes((args.Accesses ?? []).map(({ VirtualAddress = 0n, ByteCount = 0, Access = 0 }) => ({
      VirtualAddress: BigInt(VirtualAddress),
      ByteCount,
      Access,
    })));
    const fields = {
      ...scalars(args),
      BroadcastContextCount: contexts.length,
      BroadcastContext: contexts.slice(0, MAX_CONTEXTS),
      PrivateDriverDataSize: bytes.length,
    };
    return verdict(await this.#ask("SubmitCommand", fields, [{ field: "pPrivateDriverData", bytes }]));
  }

  /** Creates a fence that programs and contexts wait for. */
  async createSyncObject(
    args: Args<"D3DKMTCreateSynchronizationObject2">,
  ): Promise<GuestResult<"D3DKMTCreateSynchronizationObject2">> {
    const ended = await this.#ask("CreateSynchronizationObject2", scalars(args));
    return { ...verdict(ended), hSyncObject: u32(ended.out, "hSyncObject") };
  }

  /** Destroys a fence. */
  destroySyncObject(
    { hSyncObject }: Args<"D3DKMTDestroySynchronizationObject">,
  ): Promise<GuestResult<"D3DKMTDestroySynchronizationObject">> {
    return this.#end("DestroySynchronizationObject", hSyncObject);
  }

  /** Waits until fences have their values, all or any. */
  async waitFromCpu(
    { WaitAny = false, ...args }: Args<"D3DKMTWaitForSynchronizationObjectFromCpu">,
  ): Promise<GuestResult<"D3DKMTWaitForSynchronizationObjectFromCpu">> {
    const [fields, pointed] = fenced(args, "FenceValueArray");
    const Flags = WaitAny ? 1 : 0;
    return verdict(await this.#ask("WaitForSynchronizationObjectFromCpu", { ...fields, Flags }, pointed));
  }

  /** Sets fences to values. */
  async signalFromCpu(
    args: Args<"D3DKMTSignalSynchronizationObjectFromCpu">,
  ): Promise<GuestResult<"D3DKMTSignalSynchronizationObjectFromCpu">> {
    return verdict(await this.#ask("SignalSynchronizationObjectFromCpu", ...fenced(args, "FenceValueArray")));
  }

  /** What comes after it in a context waits for fences. */
  async waitFromGpu(
    args: Args<"D3DKMTWaitForSynchronizationObjectFromGpu">,
  ): Promise<GuestResult<"D3DKMTWaitForSynchronizationObjectFromGpu">> {
    return verdict(await this.#ask("WaitForSynchronizationObjectFromGpu", ...fenced(args, "MonitoredFenceValueArray")));
  }

  /** Fences get values when what is before it in a context has run. */
  async signalFromGpu(
    args: Args<"D3DKMTSignalSynchronizationObjectFromGpu">,
  ): Promise<GuestResult<"D3DKMTSignalSynchronizationObjectFromGpu">> {
    return verdict(await this.#ask("SignalSynchronizationObjectFromGpu", ...fenced(args, "MonitoredFenceValueArray")));
  }

  /** Asks how a device is, or where it faulted. */
  async deviceState(args: Args<"D3DKMTGetDeviceState">): Promise<GuestResult<"D3DKMTGetDeviceState">> {
    const ended = await this.#ask("GetDeviceState", scalars(args));
    const { out } = ended;
    return {
      ...verdict(ended),
      ExecutionState: numbers(out, "words")[0] ?? 0,
      FaultedVirtualAddress: u64(out, "FaultedVirtualAddress"),
      PageFaultFlags: u32(out, "PageFaultFlags"),
    };
  }

  /** Closes this adapter, with what the process still has on it. */
  closeAdapter(): Promise<GuestResult<"D3DKMTCloseAdapter">> {
    return this.#end("CloseAdapter", this.hAdapter);
  }

  async #end(name: string, handle: number | null | undefined): Promise<{ status: number; result: number }> {
    return verdict(await this.#ask(name, { handle: handle ?? 0 }));
  }

  #ask(name: string, fields: LayoutRecord, pointed: readonly Pointed[] = []): Promise<Ended> {
    return askDxg(this.#thread, name, { fields, pointed });
  }
}

/** What to ask of /dev/dxg. */
export interface DxgRequest {
  readonly fields: LayoutRecord;
  readonly pointed?: readonly Pointed[];
}

/** One ioctl of a guest's program: the structure of that name with what it points to. */
export async function askDxg(
  { guestUmd }: Thread,
  name: string,
  { fields, pointed = [] }: DxgRequest,
): Promise<Ended> {
  const struct = STRUCTS.get(name) ?? HANDLE;
  const { value: result, Argument: argument } = await guestUmd.DxgIoctl({
    Command: COMMANDS.get(name) ?? 0,
    Argument: packArgument(struct, fields, pointed),
  });
  return { result, status: statusOfIoctl(result), out: struct.decode(argument), argument };
}

function verdict({ status, result }: Ended): { status: number; result: number } {
  return { status, result };
}

function range({ out }: Ended): { VirtualAddress: bigint; PagingFenceValue: bigint } {
  return { VirtualAddress: u64(out, "VirtualAddress"), PagingFenceValue: u64(out, "PagingFenceValue") };
}

function trim({ out }: Ended): { NumBytesToTrim: bigint } {
  return { NumBytesToTrim: u64(out, "NumBytesToTrim") };
}

/** Arguments of a call that takes a list of allocations. */
function listed(
  args: Args<"D3DKMTMakeResident"> | Args<"D3DKMTEvict">,
): [fields: LayoutRecord, pointed: readonly Pointed[]] {
  const handles = handlesIn(args.AllocationList);
  const list = { field: "AllocationList", bytes: handleBytes(handles) };
  return [{ ...scalars(args), NumAllocations: handles.length }, [list]];
}

/** Arguments of a call that takes fences and their values. */
function fenced(
  { ObjectHandleArray, FenceValueArray = [], ...args }: {
    readonly ObjectHandleArray?: readonly (number | null)[];
    readonly FenceValueArray?: readonly (bigint | number)[];
  },
  valueField: string,
): [fields: LayoutRecord, pointed: readonly Pointed[]] {
  const handles = handlesIn(ObjectHandleArray);
  const lists = [
    { field: "ObjectHandleArray", bytes: handleBytes(handles) },
    { field: valueField, bytes: wordBytes(FenceValueArray.map(BigInt)) },
  ];
  return [{ ...scalars(args), ObjectCount: handles.length }, lists];
}

function handlesIn(list: readonly (number | null)[] | undefined): number[] {
  return (list ?? []).map((handle) => handle ?? 0);
}

/** The arguments that are numbers: they are fields under their own names. */
function scalars(args: object): LayoutRecord {
  return Object.fromEntries(
    Object.entries(args).filter(([, value]) => typeof value === "number" || typeof value === "bigint"),
  );
}
