// The payloads of the Microsoft-Windows-DxgKrnl events about GPU virtual addresses and allocations, as tables, and
// the one function that decodes by them. It must not know how a log is stored, nor what the events mean to a trace.
//
// Sources: the event manifests of Windows 10 1511 to Windows 11 26H1. A payload is its fields in order, packed.

/** The provider whose events these tables describe. */
export const DXGKRNL_PROVIDER = "802ec45a-1e99-4b83-9920-87c98277ba9d";

/** How a field is stored, little-endian: `ptr` is 4 or 8 bytes by the event's header, `bool32` 4 bytes. */
export type DxgkrnlFieldType = "ptr" | "u16" | "u32" | "u64" | "bool32";

/** One field of a payload: its manifest name, and how it is stored. */
export type DxgkrnlField = `${string}:${DxgkrnlFieldType}`;

/** One event: its name, and its fields by version. */
export interface DxgkrnlEventTable {
  readonly name: string;
  readonly versions: Readonly<Record<number, readonly DxgkrnlField[]>>;
}

const ADAPTER_ALLOCATION_V1 = [
  "hProcessId:ptr",
  "hDevice:ptr",
  "pDxgAdapter:ptr",
  "Flags:u32",
  "allocSize:u64",
  "ulAlignment:u32",
  "dwReadSegment:u32",
  "dwWriteSegment:u32",
  "PreferredSegment:u32",
  "HintedBank:u32",
  "dwEvictionSegment:u32",
  "Priority:u32",
  "hVidMmGlobalAlloc:ptr",
  "hDxgGlobalAlloc:ptr",
  "hDxgSharedResource:ptr",
  "UsageVersion:u32",
  "UsageFlags:u32",
  "Format:u32",
  "SwizzledFormat:u32",
  "ByteOffset:u32",
  "Width:u32",
  "Height:u32",
  "Pitch:u32",
  "Depth:u32",
  "SlicePitch:u32",
  "BackingStoreWasPinned:bool32",
  "pSectionObject:ptr",
] as const;
const ADAPTER_ALLOCATION_V2 = [...ADAPTER_ALLOCATION_V1, "PhysicalAdapterIndex:u16"] as const;
const ADAPTER_ALLOCATION_V3 = [...ADAPTER_ALLOCATION_V2, "PageTableOrDirectory:bool32"] as const;
const ADAPTER_ALLOCATION_V4 = [...ADAPTER_ALLOCATION_V3, "PhysicalAllocation:ptr"] as const;
const ADAPTER_ALLOCATION = {
  1: ADAPTER_ALLOCATION_V1,
  2: ADAPTER_ALLOCATION_V2,
  3: ADAPTER_ALLOCATION_V3,
  4: ADAPTER_ALLOCATION_V4,
} as const;

const DEVICE_ALLOCATION_V1 = [
  "hProcessId:ptr",
  "hDevice:ptr",
  "pDxgAdapter:ptr",
  "hVidMmAlloc:ptr",
  "hVidMmGlobalAlloc:ptr",
  "hDxgResource:ptr",
  "hDxgSharedResource:ptr",
  "hThunkAllocation:ptr",
  "hThunkResource:ptr",
  "PrivateRuntimeResourceHandle:ptr",
  "pVirtualAddress:ptr",
  "hProcessAllocDetails:ptr",
] as const;
// Since Windows 11 21H2: the handle in the other partition, when the GPU is shared with a virtual machine.
const DEVICE_ALLOCATION_V2 = [...DEVICE_ALLOCATION_V1, "hOtherPartitionHandle:u32"] as const;
const DEVICE_ALLOCATION = { 1: DEVICE_ALLOCATION_V1, 2: DEVICE_ALLOCATION_V2 } as const;

const TERMINATE_ALLOCATION = { 0: ["hVidMmAlloc:ptr"] } as const;

const PAGING_OPERATION = [
  "pDxgAdapter:ptr",
  "hDmaBuffer:ptr",
  "ContinueNextBuffer:bool32",
  "hAllocationGlobalHandle:ptr",
] as const;
const UPDATE_PAGE_TABLE_V0 = [
  ...PAGING_OPERATION,
  "PageTableLevel:u32",
  "PageTableAddress:u64",
  "SegmentId:u32",
  "NumPageTableUpdateEntries:u32",
  "PageTableEntries:ptr",
  "PageTableEntries64KB:ptr",
  "StartIndex:u32",
  "Flags:u32",
  "DriverProtection:u64",
  "AllocationOffsetInBytes:u64",
  "hProcess:ptr",
  "UpdateMode:u32",
  "FirstPteVirtualAddress:u64",
] as const;
const UPDATE_PAGE_TABLE_V1 = [...UPDATE_PAGE_TABLE_V0, "PageTableObject:ptr"] as const;
const FLUSH_TLB = [
  ...PAGING_OPERATION,
  "RootPageTableSegmentId:u32",
  "RootPageTableSegmentOffset:u64",
  "hProcess:ptr",
  "StartVirtualAddress:u64",
  "EndVirtualAddress:u64",
] as const;

const COMMIT_START = ["Owner:ptr", "OwnerType:u32", "VaRangeStart:u64", "VaRangeSize:u64"] as const;

// Version 1 has the fields of version 0.
const RANGE = ["pVaAllocator:ptr", "Flags:u32", "StartAddress:u64", "EndAddress:u64"] as const;

// Version 1 is no extension of version 0: the owner's type went into Flags, and its offset moved up.
const RANGE_MAPPING_V0 = [
  "pVaAllocator:ptr",
  "pOwner:ptr",
  "OwnerType:u32",
  "Offset:u64",
  "StartAddress:u64",
  "EndAddress:u64",
] as const;
const RANGE_MAPPING_V1 = [
  "pVaAllocator:ptr",
  "pOwner:ptr",
  "OwnerOffset:u64",
  "StartAddress:u64",
  "EndAddress:u64",
  "Protection:u64",
  "DriverProtection:u64",
  "Flags:u32",
  "MappedAllocationBase:u64",
  "MappedAllocationSize:u64",
] as const;
const RANGE_MAPPING = { 0: RANGE_MAPPING_V0, 1: RANGE_MAPPING_V1 } as const;

const VA_ALLOCATOR = ["pVaAllocator:ptr", "hProcessId:ptr", "pDxgAdapter:ptr"] as const;

/**
 * The known events by id. Names are the manifest's without the `_V1` suffix; 334 carries "Start" in every version,
 * though before Windows 10 1803 it had no opcode and 435 did not exist.
 */
export const DXGKRNL_EVENTS: Readonly<Record<number, DxgkrnlEventTable>> = {
  33: { name: "AdapterAllocationStart", versions: ADAPTER_ALLOCATION },
  34: { name: "AdapterAllocationStop", versions: ADAPTER_ALLOCATION },
  35: { name: "AdapterAllocationDCStart", versions: ADAPTER_ALLOCATION },
  36: { name: "DeviceAllocationStart", versions: DEVICE_ALLOCATION },
  37: { name: "DeviceAllocationStop", versions: DEVICE_ALLOCATION },
  38: { name: "DeviceAllocationDCStart", versions: DEVICE_ALLOCATION },
  39: { name: "TerminateAllocation", versions: TERMINATE_ALLOCATION },
  40: { name: "ProcessTerminateAllocation", versions: TERMINATE_ALLOCATION },
  309: { name: "PagingOpUpdatePageTable", versions: { 0: UPDATE_PAGE_TABLE_V0, 1: UPDATE_PAGE_TABLE_V1 } },
  310: { name: "PagingOpFlushTlb", versions: { 0: FLUSH_TLB } },
  327: { name: "CommitVirtualAddressStart", versions: { 0: COMMIT_START } },
  328: { name: "CommitVirtualAddressStop", versions: { 0: ["VidMmAlloc:ptr"] } },
  330: { name: "GpuVirtualAddressRangeDCStart", versions: { 0: RANGE, 1: RANGE } },
  331: { name: "GpuVirtualAddressRangeStart", versions: { 0: RANGE, 1: RANGE } },
  332: { name: "GpuVirtualAddressRangeStop", versions: { 0: RANGE, 1: RANGE } },
  333: { name: "GpuVirtualAddressRangeMappingDCStart", versions: RANGE_MAPPING },
  334: { name: "GpuVirtualAddressRangeMappingStart", versions: RANGE_MAPPING },
  335: { name: "GpuVirtualAddressAllocatorDCStart", versions: { 0: VA_ALLOCATOR } },
  336: { name: "GpuVirtualAddressAllocatorStart", versions: { 0: VA_ALLOCATOR } },
  337: { name: "GpuVirtualAddressAllocatorStop", versions: { 0: VA_ALLOCATOR } },
  435: { name: "GpuVirtualAddressRangeMappingStop", versions: { 1: RANGE_MAPPING_V1 } },
};

/** What decoding needs of an event; an `EtlEvent` is one. */
export interface DxgkrnlPayload {
  /** The provider's GUID, lower case, without braces. */
  readonly provider: string;
  readonly id: number;
  readonly version: number;
  /** Size in bytes of a pointer in this event. */
  readonly pointerSize: 4 | 8;
  readonly payload: Uint8Array;
}

/** A decoded event: every field of its table, as unsigned numbers. */
export interface DxgkrnlRecord {
  readonly kind: "record";
  readonly name: string;
  readonly fields: Readonly<Record<string, bigint>>;
}

/** An event of a known id that the tables do not fit: to be counted and reported, not used. */
export interface DxgkrnlProblem {
  readonly kind: "unknown-version" | "short-payload" | "bytes-left-over";
  readonly name: string;
  /** What is and what was wanted, for people. */
  readonly message: string;
}

/** Decodes one event; `undefined` where the provider is another or the id is not in the tables. Never throws. */
export function decodeDxgkrnl(event: DxgkrnlPayload): DxgkrnlRecord | DxgkrnlProblem | undefined {
  if (event.provider !== DXGKRNL_PROVIDER) return undefined;
  const table = DXGKRNL_EVENTS[event.id];
  if (table === undefined) return undefined;
  const fields = table.versions[event.version];
  return fields === undefined ? unknownVersion(event, table) : decodeFields(event, table.name, fields);
}

/** The payload's size in bytes by the tables. */
export function dxgkrnlSizeInBytes(fields: readonly DxgkrnlField[], pointerSize: 4 | 8): number {
  let size = 0;
  for (const field of fields) size += sizeOfType(splitField(field).type, pointerSize);
  return size;
}

/** The two words of a field. */
export function splitField(field: DxgkrnlField): { name: string; type: DxgkrnlFieldType } {
  const [name = "", type = ""] = field.split(":");
  switch (type) {
    case "ptr":
    case "u16":
    case "u32":
    case "u64":
    case "bool32":
      return { name, type };
    default:
      throw new TypeError(`Use a known type in field "${field}": ptr, u16, u32, u64 or bool32`);
  }
}

function unknownVersion(event: DxgkrnlPayload, table: DxgkrnlEventTable): DxgkrnlProblem {
  const known = Object.keys(table.versions).join(", ");
  const message = `Skipped ${table.name} (event ${event.id}): version ${event.version} is not known, only ${known}`;
  return { kind: "unknown-version", name: table.name, message };
}

function decodeFields(
  event: DxgkrnlPayload,
  name: string,
  fields: readonly DxgkrnlField[],
): DxgkrnlRecord | DxgkrnlProblem {
  const { payload, pointerSize } = event;
  const wanted = dxgkrnlSizeInBytes(fields, pointerSize);
  if (payload.length !== wanted) {
    const kind = payload.length < wanted ? "short-payload" : "bytes-left-over";
    const what = `Skipped ${name} (event ${event.id} version ${event.version})`;
    return { kind, name, message: `${what}: its payload has ${payload.length} bytes where ${wanted} are wanted` };
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const values: Record<string, bigint> = {};
  let offset = 0;
  for (const field of fields) {
    const { name: fieldName, type } = splitField(field);
    const size = sizeOfType(type, pointerSize);
    values[fieldName] = readUnsigned(view, offset, size);
    offset += size;
  }
  return { kind: "record", name, fields: values };
}

function sizeOfType(type: DxgkrnlFieldType, pointerSize: 4 | 8): 2 | 4 | 8 {
  switch (type) {
    case "ptr":
      return pointerSize;
    case "u16":
      return 2;
    case "u64":
      return 8;
    case "u32":
    case "bool32":
      return 4;
  }
}

function readUnsigned(view: DataView, offset: number, size: 2 | 4 | 8): bigint {
  if (size === 8) return view.getBigUint64(offset, true);
  return BigInt(size === 4 ? view.getUint32(offset, true) : view.getUint16(offset, true));
}
