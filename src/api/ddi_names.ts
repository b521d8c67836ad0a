// What the DDI's structures hold beside the declared parameters, by the DDI's names: counts of arrays, flags that are parameters
// here, enumerations without a type word, and what the model does not use. The notation takes them; traces never hold them.

/** Names of one call or structure, beside those of its declaration. Sources: gpuva.md 2.2 to 2.5. */
export interface DdiNames {
  /** The array whose items it counts; no more than there are. */
  readonly counts?: { readonly [name: string]: string };
  /** Names of a declared parameter's numbers. */
  readonly symbols?: { readonly [name: string]: { readonly [symbol: string]: number } };
  /** Flags, each a declared parameter of type bool. */
  readonly flags?: { readonly [name: string]: { readonly [symbol: string]: number } };
  /** Another name of a declared parameter. */
  readonly renamed?: { readonly [name: string]: string };
  /** A structure whose members stand here as parameters of the call. */
  readonly opened?: readonly string[];
  /** The model has no use for it: it may only be 0, null or empty. */
  readonly unused?: readonly string[];
  /** The system ignores it. */
  readonly ignored?: readonly string[];
}

const SYNC_FLAGS = {
  Shared: 0x1,
  NtSecuritySharing: 0x2,
  CrossAdapter: 0x4,
  TopOfPipeline: 0x8,
  NoSignal: 0x10,
  NoWait: 0x20,
  NoSignalMaxValueOnTdr: 0x40,
  NoGPUAccess: 0x80,
} as const;

const SYNC_TYPES = {
  SYNCHRONIZATION_MUTEX: 1,
  SEMAPHORE: 2,
  FENCE: 3,
  CPU_NOTIFICATION: 4,
  MONITORED_FENCE: 5,
  PERIODIC_MONITORED_FENCE: 6,
} as const;

const OBJECT_COUNT = { counts: { ObjectCount: "ObjectHandleArray" } } as const;
const GPU_FENCES = { ...OBJECT_COUNT, renamed: { MonitoredFenceValueArray: "FenceValueArray" } } as const;
const HANDLE_LIST = {
  counts: { NumAllocations: "AllocationList" },
  renamed: { HandleList: "AllocationList" },
} as const;

/** By call, or by structure. */
export const DDI_NAMES: Readonly<Record<string, DdiNames>> = {
  D3DKMTCreateDevice: {
    symbols: { Flags: { LegacyMode: 0x1, RequestVSync: 0x2, DisableGpuTimeout: 0x4 } },
  },
  D3DKMTCreateContextVirtual: { unused: ["pPrivateDriverData", "PrivateDriverDataSize"] },
  D3DKMTCreatePagingQueue: { symbols: { Priority: { BELOW_NORMAL: -1, NORMAL: 0, ABOVE_NORMAL: 1 } } },
  D3DKMTCreateAllocation2: {
    counts: { NumAllocations: "pAllocationInfo2" },
    unused: [
      "hGlobalShare",
      "pPrivateRuntimeData",
      "PrivateRuntimeDataSize",
      "pPrivateDriverData",
      "PrivateDriverDataSize",
      "hPrivateRuntimeResourceHandle",
    ],
  },
  D3DDDI_ALLOCATIONINFO2: {
    symbols: { Flags: { Primary: 0x1, Stereo: 0x2, OverridePriority: 0x4 } },
    unused: ["pPrivateDriverData", "PrivateDriverDataSize", "VidPnSourceId", "Priority"],
  },
  D3DKMTDestroyAllocation2: { counts: { AllocationCount: "phAllocationList" } },
  D3DKMTUpdateGpuVirtualAddress: { counts: { NumOperations: "Operations" } },
  D3DKMTMakeResident: { counts: { NumAllocations: "AllocationList" }, ignored: ["PriorityList"] },
  D3DKMTEvict: { counts: { NumAllocations: "AllocationList" } },
  D3DKMTSubmitCommand: {
    counts: { BroadcastContextCount: "BroadcastContext" },
    unused: [
      "PresentHistoryToken",
      "pPrivateDriverData",
      "PrivateDriverDataSize",
      "NumPrimaries",
      "WrittenPrimaries",
      "NumHistoryBuffers",
      "HistoryBufferArray",
    ],
  },
  D3DKMTCreateSynchronizationObject2: {
    opened: ["Info", "MonitoredFence"],
    symbols: { Type: SYNC_TYPES, Flags: SYNC_FLAGS },
    unused: ["EngineAffinity"],
  },
  D3DKMTWaitForSynchronizationObjectFromCpu: {
    ...OBJECT_COUNT,
    flags: { Flags: { WaitAny: 0x1 } },
    unused: ["hAsyncEvent"],
  },
  D3DKMTSignalSynchronizationObjectFromCpu: { ...OBJECT_COUNT, unused: ["Flags"] },
  D3DKMTWaitForSynchronizationObjectFromGpu: GPU_FENCES,
  D3DKMTSignalSynchronizationObjectFromGpu: GPU_FENCES,
  D3DKMTOfferAllocations: { ...HANDLE_LIST, unused: ["pResources", "Flags"] },
  D3DKMTReclaimAllocations2: { ...HANDLE_LIST, unused: ["pResources"] },
  DxgkCbReserveGpuVirtualAddressRange: { flags: { Flags: { AllowUserModeMapping: 0x1 } } },
};
