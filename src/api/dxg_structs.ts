// The structures of /dev/dxg and of the messages behind it, at their documented offsets, and its ioctl numbers.
// Source: gpuva.md 2.1, 5.2 (uapi of the Linux driver; Windows has the same order). It knows layouts, not calls.

import { type Layout, layout } from "../wire/mod.ts";

const UPDATE_OPERATION = layout(64, "0 OperationType u32; 8 words u64[7]");
const ADAPTER_INFO = layout(20, "0 hAdapter u32; 4 AdapterLuid u64; 12 NumOfSources u32; 16 flag u32");

/** Structures by the ioctl that takes them. */
export const DXG_STRUCTS = {
  OpenAdapterFromLuid: layout(12, "0 AdapterLuid u64; 8 hAdapter u32"),
  CreateDevice: layout(
    64,
    "0 hAdapter u64; 8 Flags u32; 12 hDevice u32; 16 pCommandBuffer u64; 24 CommandBufferSize u32; " +
      "32 pAllocationList u64; 40 AllocationListSize u32; 48 pPatchLocationList u64; 56 PatchLocationListSize u32",
  ),
  CreateContextVirtual: layout(
    40,
    "0 hDevice u32; 4 NodeOrdinal u32; 8 EngineAffinity u32; 12 Flags u32; 16 pPrivateDriverData u64; " +
      "24 PrivateDriverDataSize u32; 28 ClientHint u32; 32 hContext u32",
  ),
  CreatePagingQueue: layout(
    32,
    "0 hDevice u32; 4 Priority i32; 8 hPagingQueue u32; 12 hSyncObject u32; 16 FenceValueCPUVirtualAddress u64; " +
      "24 PhysicalAdapterIndex u32",
  ),
  CreateAllocation: layout(
    72,
    "0 hDevice u32; 4 hResource u32; 8 hGlobalShare u32; 16 pPrivateRuntimeData u64; 24 PrivateRuntimeDataSize u32; " +
      "32 pPrivateDriverData u64; 40 PrivateDriverDataSize u32; 44 NumAllocations u32; 48 pAllocationInfo2 u64; " +
      "56 Flags u32; 64 hPrivateRuntimeResourceHandle u64",
  ),
  AllocationInfo2: layout(
    96,
    "0 hAllocation u32; 8 pSystemMem u64; 16 pPrivateDriverData u64; 24 PrivateDriverDataSize u32; 28 VidPnSourceId u32; " +
      "32 Flags u32; 40 GpuVirtualAddress u64; 48 Priority u32",
  ),
  CreateStandardAllocation: layout(24, "0 Type u32; 8 ExistingHeapSize u64; 16 Flags u32"),
  DestroyAllocation2: layout(
    24,
    "0 hDevice u32; 4 hResource u32; 8 phAllocationList u64; 16 AllocationCount u32; 20 Flags u32",
  ),
  MapGpuVirtualAddress: layout(
    104,
    "0 hPagingQueue u32; 8 BaseAddress u64; 16 MinimumAddress u64; 24 MaximumAddress u64; 32 hAllocation u32; " +
      "40 OffsetInPages u64; 48 SizeInPages u64; 56 Protection u64; 64 DriverProtection u64; 72 Reserved0 u32; " +
      "80 Reserved1 u64; 88 VirtualAddress u64; 96 PagingFenceValue u64",
  ),
  ReserveGpuVirtualAddress: layout(
    72,
    "0 hPagingQueue u32; 8 BaseAddress u64; 16 MinimumAddress u64; 24 MaximumAddress u64; 32 Size u64; " +
      "40 ReservationType u32; 48 DriverProtection u64; 56 VirtualAddress u64; 64 PagingFenceValue u64",
  ),
  FreeGpuVirtualAddress: layout(24, "0 hAdapter u32; 8 BaseAddress u64; 16 Size u64"),
  UpdateGpuVirtualAddress: layout(
    56,
    "0 hDevice u32; 4 hContext u32; 8 hFenceObject u32; 12 NumOperations u32; 16 Operations u64; 24 Reserved0 u32; " +
      "32 Reserved1 u64; 40 FenceValue u64; 48 Flags u32",
  ),
  UpdateOperation: UPDATE_OPERATION,
  MakeResident: layout(
    48,
    "0 hPagingQueue u32; 4 NumAllocations u32; 8 AllocationList u64; 16 PriorityList u64; 24 Flags u32; " +
      "32 PagingFenceValue u64; 40 NumBytesToTrim u64",
  ),
  Evict: layout(
    32,
    "0 hDevice u32; 4 NumAllocations u32; 8 AllocationList u64; 16 Flags u32; 24 NumBytesToTrim u64",
  ),
  Lock2: layout(24, "0 hDevice u32; 4 hAllocation u32; 8 Flags u32; 16 pData u64"),
  Unlock2: layout(8, "0 hDevice u32; 4 hAllocation u32"),
  SubmitCommand: layout(
    384,
    "0 Commands u64; 8 CommandLength u32; 12 Flags u32; 16 PresentHistoryToken u64; 24 BroadcastContextCount u32; " +
      "28 BroadcastContext u32[64]; 288 pPrivateDriverData u64; 296 PrivateDriverDataSize u32; 300 NumPrimaries u32; " +
      "304 WrittenPrimaries u32[16]; 368 NumHistoryBuffers u32; 376 HistoryBufferArray u64",
  ),
  CreateSynchronizationObject2: layout(
    96,
    "0 hDevice u32; 8 Type u32; 12 Flags u32; 16 InitialFenceValue u64; 24 FenceValueCPUVirtualAddress u64; " +
      "32 FenceValueGPUVirtualAddress u64; 40 EngineAffinity u32; 80 SharedHandle u64; 88 hSyncObject u32",
  ),
  WaitForSynchronizationObjectFromCpu: layout(
    40,
    "0 hDevice u32; 4 ObjectCount u32; 8 ObjectHandleArray u64; 16 FenceValueArray u64; 24 hAsyncEvent u64; 32 Flags u32",
  ),
  SignalSynchronizationObjectFromCpu: layout(
    32,
    "0 hDevice u32; 4 ObjectCount u32; 8 ObjectHandleArray u64; 16 FenceValueArray u64; 24 Flags u32",
  ),
  WaitForSynchronizationObjectFromGpu: layout(
    80,
    "0 hContext u32; 4 ObjectCount u32; 8 ObjectHandleArray u64; 16 MonitoredFenceValueArray u64",
  ),
  SignalSynchronizationObjectFromGpu: layout(
    80,
    "0 hContext u32; 4 ObjectCount u32; 8 ObjectHandleArray u64; 16 MonitoredFenceValueArray u64",
  ),
  GetDeviceState: layout(
    56,
    "0 hDevice u32; 4 StateType u32; 8 words u32[3]; 20 BindTableEntry u32; 24 PageFaultFlags u32; 28 FaultErrorCode u32; " +
      "32 FaultedVirtualAddress u64",
  ),
  EnumAdapters2: layout(16, "0 NumAdapters u32; 8 pAdapters u64"),
  EnumAdapters3: layout(24, "0 Filter u64; 8 NumAdapters u32; 16 pAdapters u64"),
  AdapterInfo: ADAPTER_INFO,
} as const satisfies Readonly<Record<string, Layout>>;

/** A structure of /dev/dxg. */
export type DxgStructName = keyof typeof DXG_STRUCTS;

/** An ioctl of /dev/dxg. */
export interface DxgIoctl {
  /** The low byte of the command. */
  readonly nr: number;
  readonly name: string;
  /** Bytes of its structure; another size is another command, which the driver does not know. */
  readonly bytes: number;
  /** The driver answers ENOTTY: declared, never written. */
  readonly isMissing: boolean;
}

/** Each ioctl from number 1 on, `NAME BYTES`; `!` behind it: declared, never written (gpuva.md 5.2). */
const IOCTLS =
  `OpenAdapterFromLuid 12, CreateDevice 64, CreateContext 96!, CreateContextVirtual 40, DestroyContext 4, CreateAllocation 72,
CreatePagingQueue 32, ReserveGpuVirtualAddress 72, QueryAdapterInfo 24, QueryVideoMemoryInfo 56, MakeResident 48,
MapGpuVirtualAddress 104, Escape 32, GetDeviceState 56, SubmitCommand 384, CreateSynchronizationObject2 96,
SignalSynchronizationObject2 464, WaitForSynchronizationObject2 200, DestroyAllocation2 24, EnumAdapters2 16, CloseAdapter 4,
ChangeVideoMemoryReservation 32, CreateHwContext 40!, CreateHwQueue 48, DestroyDevice 4, DestroyHwContext 4!, DestroyHwQueue 4,
DestroyPagingQueue 4, DestroySynchronizationObject 4, Evict 32, FlushHeapTransitions 4, FreeGpuVirtualAddress 24,
GetContextInProcessSchedulingPriority 8, GetContextSchedulingPriority 8, GetSharedResourceAdapterLuid 24!, InvalidateCache 24,
Lock2 24, MarkDeviceAsError 8, OfferAllocations 40, OpenResource 72!, OpenSynchronizationObject 72!,
QueryAllocationResidency 32, QueryResourceInfo 32!, ReclaimAllocations2 40, Render 368!, SetAllocationPriority 32,
SetContextInProcessSchedulingPriority 8, SetContextSchedulingPriority 8, SignalSynchronizationObjectFromCpu 32,
SignalSynchronizationObjectFromGpu 80, SignalSynchronizationObjectFromGpu2 96, SubmitCommandToHwQueue 56,
SubmitSignalSyncObjectsToHwQueue 40, SubmitWaitForSyncObjectsToHwQueue 24, Unlock2 8, UpdateAllocationProperty 40,
UpdateGpuVirtualAddress 56, WaitForSynchronizationObjectFromCpu 40, WaitForSynchronizationObjectFromGpu 80,
GetAllocationPriority 32, QueryClockCalibration 40, EnumAdapters3 24, ShareObjects 40, OpenSyncObjectFromNtHandle2 88,
QueryResourceInfoFromNtHandle 40, OpenResourceFromNtHandle 104, QueryStatistics 808, ShareObjectWithHost 24`;

/** Every ioctl whose structure is known, in order of its number. */
export const DXG_IOCTLS: readonly DxgIoctl[] = IOCTLS.split(",").map((entry, index) => {
  const [name = "", bytes = "0"] = entry.trim().split(" ");
  return { nr: index + 1, name, bytes: Number.parseInt(bytes), isMissing: bytes.endsWith("!") };
});

/** `'G'`: shared with other drivers, so the file must be known to be /dev/dxg. */
const TYPE_BYTE = 0x47;
const READ_WRITE = 0xc000_0000;

/** The command value of an ioctl: direction read and write, size, type, number. */
export function ioctlCommand({ nr, bytes }: Pick<DxgIoctl, "nr" | "bytes">): number {
  return (READ_WRITE | (bytes << 16) | (TYPE_BYTE << 8) | nr) >>> 0;
}

const BY_COMMAND: ReadonlyMap<number, DxgIoctl> = new Map(DXG_IOCTLS.map((ioctl) => [ioctlCommand(ioctl), ioctl]));

/** The ioctl of a command value, or null: another driver's, another size, or newer than what is known. */
export function findIoctl(command: number): DxgIoctl | null {
  return BY_COMMAND.get(command) ?? null;
}
