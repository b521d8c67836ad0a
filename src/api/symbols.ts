// The DDI's symbols with their numbers, without the prefix that all of a kind share (spec: notation, "Values").
// Numbers come from the public headers; a value without a public number is not here.

/** Names of numbers, by what they number. */
export const SYMBOLS = {
  status: {
    STATUS_SUCCESS: 0x00000000,
    STATUS_TIMEOUT: 0x00000102,
    STATUS_PENDING: 0x00000103,
    STATUS_BUFFER_OVERFLOW: 0x80000005,
    STATUS_UNSUCCESSFUL: 0xc0000001,
    STATUS_NOT_IMPLEMENTED: 0xc0000002,
    STATUS_ACCESS_VIOLATION: 0xc0000005,
    STATUS_INVALID_HANDLE: 0xc0000008,
    STATUS_INVALID_PARAMETER: 0xc000000d,
    STATUS_MORE_PROCESSING_REQUIRED: 0xc0000016,
    STATUS_NO_MEMORY: 0xc0000017,
    STATUS_CONFLICTING_ADDRESSES: 0xc0000018,
    STATUS_ILLEGAL_INSTRUCTION: 0xc000001d,
    STATUS_ACCESS_DENIED: 0xc0000022,
    STATUS_BUFFER_TOO_SMALL: 0xc0000023,
    STATUS_OBJECT_TYPE_MISMATCH: 0xc0000024,
    STATUS_OBJECT_NAME_INVALID: 0xc0000033,
    STATUS_OBJECT_NAME_NOT_FOUND: 0xc0000034,
    STATUS_OBJECT_NAME_COLLISION: 0xc0000035,
    STATUS_QUOTA_EXCEEDED: 0xc0000044,
    STATUS_INSUFFICIENT_RESOURCES: 0xc000009a,
    STATUS_NOT_SUPPORTED: 0xc00000bb,
    STATUS_INVALID_PARAMETER_1: 0xc00000ef,
    STATUS_INVALID_PARAMETER_2: 0xc00000f0,
    STATUS_INVALID_PARAMETER_3: 0xc00000f1,
    STATUS_CANCELLED: 0xc0000120,
    STATUS_INVALID_DEVICE_STATE: 0xc0000184,
    STATUS_DEVICE_REMOVED: 0xc00002b6,
    STATUS_GRAPHICS_NO_VIDEO_MEMORY: 0xc01e0100,
    STATUS_GRAPHICS_ALLOCATION_BUSY: 0xc01e0102,
    STATUS_GRAPHICS_TOO_MANY_REFERENCES: 0xc01e0103,
  },
  channelFlags: { IS_PIPE: 0x1 },
  serverChannelFlags: {
    LOOPBACK_OFFER: 0x1,
    ENUMERATE_DEVICE_INTERFACE: 0x2,
    OFFER_AS_PIPE: 0x4,
    FORCE_NEW_CHANNEL: 0x8,
    TLNPI_PROVIDER_OFFER: 0x10,
  },
  gpadlFlags: { READ_ONLY: 0x1 },
  packetFlags: { WAIT_FOR_COMPLETION: 0x1, FORCE_MDL_LENGTH: 0x2, PAGED_BUFFER: 0x4 },
  deliveryFlags: { EXTERNAL_DATA: 0x1 },
  protection: { Write: 0x1n, Execute: 0x2n, Zero: 0x4n, NoAccess: 0x8n, SystemUseOnly: 0x10n },
  reservationType: { NO_ACCESS: 0, ZERO: 1, NO_COMMIT: 2 },
  updateOperation: { MAP: 0, UNMAP: 1, COPY: 2, MAP_PROTECT: 3 },
  updateFlags: { DoNotWait: 0x1 },
  propertyFlags: { AccessedPhysically: 0x1 },
  allocationFlags: {
    CreateResource: 0x1,
    CreateShared: 0x2,
    NonSecure: 0x4,
    CreateProtected: 0x8,
    RestrictSharedAccess: 0x10,
    ExistingSysMem: 0x20,
    NtSecuritySharing: 0x40,
    ReadOnly: 0x80,
    CreateWriteCombined: 0x100,
    CreateCached: 0x200,
    SwapChainBackBuffer: 0x400,
    CrossAdapter: 0x800,
    OpenCrossAdapter: 0x1000,
    PartialSharedCreation: 0x2000,
    Zeroed: 0x4000,
    WriteWatch: 0x8000,
    StandardAllocation: 0x10000,
    ExistingSection: 0x20000,
    AllowNotZeroed: 0x40000,
    PhysicallyContiguous: 0x80000,
    NoKmdAccess: 0x100000,
    SharedDisplayable: 0x200000,
  },
  destroyFlags: { AssumeNotInUse: 0x1, SynchronousDestroy: 0x2, SystemUseOnly: 0x80000000 },
  makeResidentFlags: { CantTrimFurther: 0x1, MustSucceed: 0x2 },
  evictFlags: { EvictOnlyIfNecessary: 0x1, NotWrittenTo: 0x2 },
  submitFlags: { NullRendering: 0x1, PresentRedirected: 0x2, NoKmdAccess: 0x4 },
  contextFlags: {
    NullRendering: 0x1,
    InitialData: 0x2,
    DisableGpuTimeout: 0x4,
    SynchronizationOnly: 0x8,
    HwQueueSupported: 0x10,
  },
  deviceStateType: { EXECUTION: 1, PRESENT: 2, RESET: 3, PRESENT_DWM: 4, PAGE_FAULT: 5 },
  executionState: {
    ACTIVE: 1,
    RESET: 2,
    HUNG: 3,
    STOPPED: 4,
    ERROR_OUTOFMEMORY: 5,
    ERROR_DMAFAULT: 6,
    ERROR_DMAPAGEFAULT: 7,
  },
  pageFaultFlags: {
    WRITE: 0x1,
    FENCE_INVALID: 0x2,
    ADAPTER_RESET: 0x4,
    ENGINE_RESET: 0x8,
    FATAL_HW: 0x10,
    IOMMU: 0x20,
    HW_CONTEXT_VALID: 0x40,
    PROCESS_HANDLE_VALID: 0x80,
  },
  offerPriority: { LOW: 1, NORMAL: 2, HIGH: 3, AUTO: 4 },
  reclaimResult: { OK: 0, DISCARDED: 1, NOT_COMMITTED: 2 },
  access: { Read: 0, Write: 1, Execute: 2 },
  irql: { PASSIVE_LEVEL: 0, APC_LEVEL: 1, DISPATCH_LEVEL: 2 },
} as const;

/** NTSTATUS values by name. */
export const STATUS = SYMBOLS.status;

/** The NT_SUCCESS macro: success and informational codes only; warnings (0x8…) and errors (0xC…) are not. */
export function ntSuccess(status: number): boolean {
  return status < 0x80000000;
}

/** The status's name, or its number in hexadecimal. */
export function statusName(status: number): string {
  return STATUS_NAMES.get(status) ?? `0x${status.toString(16).padStart(8, "0")}`;
}

const STATUS_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(STATUS).map(([name, value]) => [value, name]));
