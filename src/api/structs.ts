// Structures that arguments are made of; members have a direction like parameters.
// Pointers to callbacks are members of storage "function": a program gives a function, a trace holds whether one was given.
// The catalogue checks members against the grammar: it cannot be done here, where the grammar takes its names from.

/** Every structure. Sources: kmcl.md 4.3, gpuva.md 2. */
export const STRUCTS = {
  VMB_CHANNEL_STATE_CHANGE_CALLBACKS: {
    doc: "The optional state-change callbacks of a channel, prepared by VMB_CHANNEL_STATE_CHANGE_CALLBACKS_INIT.",
    members: {
      Version: "inout u32",
      Size: "inout u32",
      EvtChannelOpened: "inout function",
      EvtChannelClosed: "inout function",
      EvtChannelSuspend: "inout function",
      EvtChannelStarted: "inout function",
      EvtChannelPostStarted: "inout function",
    },
  },
  D3DDDI_ALLOCATIONINFO2: {
    doc: "One allocation of a create call; Size stands for what the real call hides in private driver data.",
    ddi: {
      symbols: { Flags: { Primary: 0x1, Stereo: 0x2, OverridePriority: 0x4 } },
      unused: ["pPrivateDriverData", "PrivateDriverDataSize", "VidPnSourceId", "Priority"],
    },
    members: {
      hAllocation: "out allocation",
      pSystemMem: "in? buffer",
      Size: "in byteSize",
      Flags: "in u32",
      GpuVirtualAddress: "out gpuVa",
    },
  },
  D3DDDI_UPDATEGPUVIRTUALADDRESS_OPERATION: {
    doc: "One operation of an update.",
    members: {
      OperationType: "in updateOperation",
      BaseAddress: "in gpuVaBase",
      SizeInBytes: "in byteSize",
      hAllocation: "in? allocation",
      AllocationOffsetInBytes: "in byteSize",
      AllocationSizeInBytes: "in byteSize",
      Protection: "in protection",
      DriverProtection: "in driverProtection",
      SourceAddress: "in gpuVa",
      DestAddress: "in gpuVa",
    },
  },
  DRIVER_INITIALIZATION_DATA: {
    doc: "What a kernel-mode display driver registers: of its many routines those about processes.",
    members: { Version: "in u32", DxgkDdiCreateProcess: "in function", DxgkDdiDestroyProcess: "in function" },
  },
  D3DKMT_ADAPTERINFO: {
    doc: "One adapter of an enumeration; the handle is open and must be closed.",
    members: { hAdapter: "out adapter", AdapterLuid: "out luid", NumOfSources: "out u32" },
  },
  GPU_ACCESS: {
    doc: "What a command touches, which the real submit does not say.",
    members: { VirtualAddress: "in gpuVa", ByteCount: "in byteCount", Access: "in access" },
  },
} as const;
