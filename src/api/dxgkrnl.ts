// Events that Windows itself logs (provider Microsoft-Windows-DxgKrnl), declared like calls so that a capture is a trace:
// what each begins or ends stands in `observes`, and pairing audits are one fold over it. The engine cannot make them.

import type { Calls } from "./grammar.ts";

const ALLOCATOR = {
  pVaAllocator: "in kernelPointer",
  hProcessId: "in kernelPointer",
  pDxgAdapter: "in kernelPointer",
} as const;
// What is 0 below may also be what that Windows version does not log: parameters are the union of all versions.
const RANGE = {
  pVaAllocator: "in kernelPointer",
  Flags: "in u32",
  StartAddress: "in gpuVa",
  EndAddress: "in gpuVaEnd",
} as const;
// OwnerType is version 0's (Windows 10 1511); since version 1 it is the low nibble of Flags, and 0 here.
const MAPPING = {
  pVaAllocator: "in kernelPointer",
  pOwner: "in kernelPointer",
  OwnerOffset: "in u64",
  StartAddress: "in gpuVa",
  EndAddress: "in gpuVaEnd",
  Protection: "in protection",
  DriverProtection: "in driverProtection",
  Flags: "in u32",
  MappedAllocationBase: "in u64",
  MappedAllocationSize: "in u64",
  OwnerType: "in u32",
} as const;
const ADAPTER_ALLOCATION = {
  hVidMmGlobalAlloc: "in kernelPointer",
  hProcessId: "in kernelPointer",
  hDevice: "in kernelPointer",
  pDxgAdapter: "in kernelPointer",
  Flags: "in u32",
  allocSize: "in byteSize",
  PhysicalAdapterIndex: "in physicalAdapterIndex",
  PageTableOrDirectory: "in bool",
} as const;
// hOtherPartitionHandle (since Windows 11 21H2): the handle in the other partition of a paravirtualised GPU.
const DEVICE_ALLOCATION = {
  hVidMmAlloc: "in kernelPointer",
  hVidMmGlobalAlloc: "in kernelPointer",
  hProcessId: "in kernelPointer",
  hDevice: "in kernelPointer",
  hThunkAllocation: "in userHandle",
  hThunkResource: "in userHandle",
  pDxgAdapter: "in kernelPointer",
  hOtherPartitionHandle: "in userHandle",
} as const;

const SPACE = { thing: "va-space", key: ["pVaAllocator"] } as const;
const VA_RANGE = {
  thing: "gpuva-range",
  key: ["pVaAllocator", "StartAddress", "EndAddress"],
  range: ["StartAddress", "EndAddress"],
} as const;
const VA_MAPPING = {
  thing: "gpuva-mapping",
  key: ["pVaAllocator", "StartAddress", "EndAddress"],
  range: ["StartAddress", "EndAddress"],
} as const;

/** Events of Microsoft-Windows-DxgKrnl that are about GPU virtual addresses and allocations. Source: importers.md 5. */
export const DXGKRNL = {
  GpuVirtualAddressAllocatorDCStart: {
    id: 401,
    endpoint: "kmd",
    doc: "335: an address space that was there when the capture began.",
    source: "etw/335",
    params: ALLOCATOR,
    returns: "void",
    observes: { ...SPACE, edge: "rundown" },
  },
  GpuVirtualAddressAllocatorStart: {
    id: 402,
    endpoint: "kmd",
    doc: "336: a process got an address space on an adapter.",
    source: "etw/336",
    params: ALLOCATOR,
    returns: "void",
    observes: { ...SPACE, edge: "start" },
  },
  GpuVirtualAddressAllocatorStop: {
    id: 403,
    endpoint: "kmd",
    doc: "337: the address space is gone.",
    source: "etw/337",
    params: ALLOCATOR,
    returns: "void",
    observes: { ...SPACE, edge: "stop" },
  },
  GpuVirtualAddressRangeDCStart: {
    id: 404,
    endpoint: "kmd",
    doc: "330: a node of the address tree at the capture's begin; Flags 0x11 free, 0x13 used.",
    source: "etw/330",
    params: RANGE,
    returns: "void",
    observes: { ...VA_RANGE, edge: "rundown" },
  },
  GpuVirtualAddressRangeStart: {
    id: 405,
    endpoint: "kmd",
    doc: "331: a node of the address tree appeared.",
    source: "etw/331",
    params: RANGE,
    returns: "void",
    observes: { ...VA_RANGE, edge: "start" },
  },
  GpuVirtualAddressRangeStop: {
    id: 406,
    endpoint: "kmd",
    doc: "332: a node of the address tree went.",
    source: "etw/332",
    params: RANGE,
    returns: "void",
    observes: { ...VA_RANGE, edge: "stop" },
  },
  GpuVirtualAddressRangeMappingDCStart: {
    id: 407,
    endpoint: "kmd",
    doc: "333: a mapping that was there when the capture began.",
    source: "etw/333",
    params: MAPPING,
    returns: "void",
    observes: { ...VA_MAPPING, edge: "rundown" },
  },
  GpuVirtualAddressRangeMappingStart: {
    id: 408,
    endpoint: "kmd",
    doc: "334: a range was mapped; pOwner is the device allocation's hVidMmAlloc.",
    source: "etw/334",
    params: MAPPING,
    returns: "void",
    observes: { ...VA_MAPPING, edge: "start" },
  },
  GpuVirtualAddressRangeMappingStop: {
    id: 409,
    endpoint: "kmd",
    doc: "435: a mapping was removed (since Windows 10 1803).",
    source: "etw/435",
    params: MAPPING,
    returns: "void",
    observes: { ...VA_MAPPING, edge: "stop" },
  },
  CommitVirtualAddressStart: {
    id: 410,
    endpoint: "kmd",
    doc: "327: page tables for a range of pages are being written.",
    source: "etw/327",
    params: { Owner: "in kernelPointer", OwnerType: "in u32", VaRangeStart: "in gpuVa", VaRangeSize: "in pageCount" },
    returns: "void",
    observes: { thing: "commit", edge: "start", key: ["Owner"] },
  },
  CommitVirtualAddressStop: {
    id: 411,
    endpoint: "kmd",
    doc: "328: the commit of this allocation ended.",
    source: "etw/328",
    params: { VidMmAlloc: "in kernelPointer" },
    returns: "void",
    observes: { thing: "commit", edge: "stop", key: ["VidMmAlloc"] },
  },
  AdapterAllocationStart: {
    id: 412,
    endpoint: "kmd",
    doc: "33: an allocation was created on the adapter.",
    source: "etw/33",
    params: ADAPTER_ALLOCATION,
    returns: "void",
    observes: { thing: "allocation", edge: "start", key: ["hVidMmGlobalAlloc"] },
  },
  AdapterAllocationStop: {
    id: 413,
    endpoint: "kmd",
    doc: "34: an allocation was destroyed.",
    source: "etw/34",
    params: ADAPTER_ALLOCATION,
    returns: "void",
    observes: { thing: "allocation", edge: "stop", key: ["hVidMmGlobalAlloc"] },
  },
  AdapterAllocationDCStart: {
    id: 414,
    endpoint: "kmd",
    doc: "35: an allocation that was there when the capture began.",
    source: "etw/35",
    params: ADAPTER_ALLOCATION,
    returns: "void",
    observes: { thing: "allocation", edge: "rundown", key: ["hVidMmGlobalAlloc"] },
  },
  DeviceAllocationStart: {
    id: 415,
    endpoint: "kmd",
    doc: "36: a device opened an allocation.",
    source: "etw/36",
    params: DEVICE_ALLOCATION,
    returns: "void",
    observes: { thing: "device-allocation", edge: "start", key: ["hVidMmAlloc"] },
  },
  DeviceAllocationStop: {
    id: 416,
    endpoint: "kmd",
    doc: "37: a device closed an allocation.",
    source: "etw/37",
    params: DEVICE_ALLOCATION,
    returns: "void",
    observes: { thing: "device-allocation", edge: "stop", key: ["hVidMmAlloc"] },
  },
  DeviceAllocationDCStart: {
    id: 417,
    endpoint: "kmd",
    doc: "38: a device's allocation that was there when the capture began.",
    source: "etw/38",
    params: DEVICE_ALLOCATION,
    returns: "void",
    observes: { thing: "device-allocation", edge: "rundown", key: ["hVidMmAlloc"] },
  },
  TerminateAllocation: {
    id: 418,
    endpoint: "kmd",
    doc: "39: the destruction of a device's allocation was asked for.",
    source: "etw/39",
    params: { hVidMmAlloc: "in kernelPointer" },
    returns: "void",
    observes: { thing: "device-allocation", edge: "mark", key: ["hVidMmAlloc"] },
  },
  ProcessTerminateAllocation: {
    id: 419,
    endpoint: "kmd",
    doc: "40: the destruction of a device's allocation began.",
    source: "etw/40",
    params: { hVidMmAlloc: "in kernelPointer" },
    returns: "void",
    observes: { thing: "device-allocation", edge: "mark", key: ["hVidMmAlloc"] },
  },
} as const satisfies Calls;
