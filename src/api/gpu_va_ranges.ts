// Ranges of GPU virtual addresses, declared: reserved, mapped, updated and freed by a user-mode driver.
// It must not know who uses an address.

import type { Calls } from "./grammar.ts";

/** Calls about ranges of addresses. */
export const GPU_VA_RANGES = {
  D3DKMTMapGpuVirtualAddress: {
    id: 213,
    endpoint: "umd",
    doc: "Maps a range of GPU virtual addresses to a range of an allocation, or makes it Zero or NoAccess.",
    source: "d3dkmthk/nf-d3dkmthk-d3dkmtmapgpuvirtualaddress; d3dukmdt/ns-d3dukmdt-d3dddi_mapgpuvirtualaddress",
    params: {
      hPagingQueue: "in pagingQueue",
      BaseAddress: "in gpuVaBase",
      MinimumAddress: "in gpuVaMinimum",
      MaximumAddress: "in gpuVaMaximum",
      hAllocation: "in? allocation",
      OffsetInPages: "in pageOffset",
      SizeInPages: "in pageCount",
      Protection: "in protection",
      DriverProtection: "in driverProtection",
      Reserved0: "in reserved",
      Reserved1: "in reserved",
      VirtualAddress: "out gpuVa",
      PagingFenceValue: "out pagingFenceValue",
    },
    returns: "status",
    answers: ["STATUS_PENDING", "STATUS_INVALID_PARAMETER"],
    effects: ["map VirtualAddress for SizeInPages"],
  },
  D3DKMTReserveGpuVirtualAddress: {
    id: 214,
    endpoint: "umd",
    doc: "Sets GPU virtual addresses aside, with nothing behind them; multiples of 64 KB.",
    source: "d3dkmthk/nf-d3dkmthk-d3dkmtreservegpuvirtualaddress; d3dukmdt/ns-d3dukmdt-d3dddi_reservegpuvirtualaddress",
    params: {
      hPagingQueue: "in? pagingQueue",
      hAdapter: "in? adapter",
      BaseAddress: "in gpuVaBase",
      MinimumAddress: "in gpuVaMinimum",
      MaximumAddress: "in gpuVaMaximum",
      Size: "in byteSize",
      ReservationType: "in reservationType",
      DriverProtection: "in driverProtection",
      VirtualAddress: "out gpuVa",
      PagingFenceValue: "out pagingFenceValue",
    },
    returns: "status",
    answers: ["STATUS_INVALID_PARAMETER"],
    effects: ["reserve VirtualAddress for Size"],
  },
  D3DKMTFreeGpuVirtualAddress: {
    id: 215,
    endpoint: "umd",
    doc: "Releases GPU virtual addresses that were reserved or mapped, at once.",
    source: "d3dkmthk/nf-d3dkmthk-d3dkmtfreegpuvirtualaddress",
    params: { hAdapter: "in adapter", BaseAddress: "in gpuVaBase", Size: "in byteSize" },
    returns: "status",
    answers: ["STATUS_INVALID_PARAMETER"],
    effects: ["free BaseAddress for Size"],
  },
  D3DKMTUpdateGpuVirtualAddress: {
    id: 216,
    endpoint: "umd",
    doc: "Maps, unmaps and copies pages of a zero reservation, in step with a context's work; signals FenceValue + 1.",
    source:
      "d3dkmthk/nf-d3dkmthk-d3dkmtupdategpuvirtualaddress; d3dukmdt/ns-d3dukmdt-_d3dddi_updategpuvirtualaddress_operation",
    params: {
      hDevice: "in device",
      hContext: "in context",
      hFenceObject: "in syncObject",
      Operations: "in D3DDDI_UPDATEGPUVIRTUALADDRESS_OPERATION[]",
      Reserved0: "in reserved",
      Reserved1: "in reserved",
      FenceValue: "in fenceValue",
      Flags: "in updateFlags",
    },
    ddi: { counts: { NumOperations: "Operations" } },
    returns: "status",
    answers: ["STATUS_INVALID_PARAMETER"],
    blocks: true,
  },
} as const satisfies Calls;
