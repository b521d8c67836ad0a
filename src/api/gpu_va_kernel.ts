// The kernel's side of GPU virtual addresses, declared: a kernel-mode display driver, and a guest's graphics kernel with its
// /dev/dxg. It must not know what an ioctl asks for.

import type { Calls } from "./grammar.ts";

/** Calls that a kernel-mode driver makes, and the ioctl that a guest's program makes. */
export const GPU_VA_KERNEL = {
  DxgkInitialize: {
    id: 250,
    endpoint: "kmd",
    doc: "Registers the kernel-mode display driver; from now on it is told of each process that uses the GPU.",
    source: "dispmprt/nf-dispmprt-dxgkinitialize",
    params: { DriverInitializationData: "in DRIVER_INITIALIZATION_DATA" },
    returns: "status",
  },
  DxgkCbReserveGpuVirtualAddressRange: {
    id: 251,
    endpoint: "kmd",
    doc: "Reserves GPU virtual addresses for the kernel driver; only while a process is being created.",
    source: "d3dkmddi/nc-d3dkmddi-dxgkcb_reservegpuvirtualaddressrange",
    params: {
      hDxgkProcess: "in process",
      SizeInBytes: "in byteSize",
      Alignment: "in gpuVaAlignment",
      BaseAddress: "in gpuVaBase",
      AllowUserModeMapping: "in bool",
      StartVirtualAddress: "out gpuVa",
    },
    ddi: { flags: { Flags: { AllowUserModeMapping: 0x1 } } },
    returns: "status",
    needs: { hDxgkProcess: ["creating"] },
    effects: ["reserve StartVirtualAddress for SizeInBytes"],
  },
  DxgRegister: {
    id: 252,
    endpoint: "kmd",
    doc: "Registers a guest's graphics kernel, which answers what programs ask /dev/dxg.",
    source: "gpuva.md 5.1",
    params: { EvtDxgIoctl: "in function" },
    returns: "status",
    regular: true,
  },
  DxgIoctl: {
    id: 253,
    endpoint: "umd",
    doc:
      "A guest's program asks /dev/dxg: Argument is the structure, then what it points to. Returns a status of 0 or above, or a negative errno.",
    source: "gpuva.md 5.2, 5.3",
    params: { Command: "in ioctlCommand", Argument: "inout bytes" },
    returns: "i32",
    blocks: true,
  },
} as const satisfies Calls;

/** Callbacks into the kernel-mode display driver, and into a guest's graphics kernel. */
export const GPU_VA_CALLBACKS = {
  EvtDxgIoctl: {
    id: 273,
    endpoint: "kmd",
    doc: "A guest's program asks /dev/dxg; Argument and Result are what its call gives back, whatever the status.",
    source: "gpuva.md 5.2",
    params: { Command: "in ioctlCommand", Argument: "inout bytes", Result: "out i32" },
    returns: "status",
  },
  DxgkDdiCreateProcess: {
    id: 271,
    endpoint: "kmd",
    doc: "A process is being created; the only time to reserve addresses for the driver.",
    source: "d3dkmddi/nc-d3dkmddi-dxgkddi_createprocess",
    params: { hDxgkProcess: "in process" },
    returns: "status",
  },
  DxgkDdiDestroyProcess: {
    id: 272,
    endpoint: "kmd",
    doc: "A process is gone.",
    source: "d3dkmddi/nc-d3dkmddi-dxgkddi_destroyprocess",
    params: { hDxgkProcess: "in process" },
    returns: "status",
  },
} as const satisfies Calls;
