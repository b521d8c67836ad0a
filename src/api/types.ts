// Scalar types of parameters: how each is stored, what unit it has, and the symbols it is written with.
// The word says meaning and unit, so that an audit can ask a call for "the page count" and never for a parameter's name.

import { DXG_IOCTLS, ioctlCommand } from "./dxg_structs.ts";
import { SYMBOLS } from "./symbols.ts";

/** How a scalar is kept: 64-bit values are bigint, everything narrower is a number. */
export type ScalarStorage =
  | "u8"
  | "u16"
  | "u32"
  | "i32"
  | "u64"
  | "i64"
  | "bool"
  | "function"
  | "text"
  | "guid"
  | "bytes";

/** What is true of a scalar type. */
export interface ScalarType {
  readonly storage: ScalarStorage;
  readonly doc: string;
  /** Written as flags joined by `|`, or as one name of an enumeration. */
  readonly flags?: Readonly<Record<string, number | bigint>>;
  readonly names?: Readonly<Record<string, number>>;
  /** Written in hexadecimal. */
  readonly hex?: true;
}

/** Bytes of a page, always. */
export const PAGE_BYTES = 4096;

/** Every scalar type word. */
export const TYPES = {
  u8: { storage: "u8", doc: "a number of 8 bits" },
  u16: { storage: "u16", doc: "a number of 16 bits" },
  u32: { storage: "u32", doc: "a number of 32 bits" },
  i32: { storage: "i32", doc: "a signed number of 32 bits" },
  u64: { storage: "u64", doc: "a number of 64 bits" },
  i64: { storage: "i64", doc: "a signed number of 64 bits" },
  bool: { storage: "bool", doc: "true or false" },
  function: { storage: "function", doc: "a function pointer: given or null" },
  pointer: { storage: "u64", doc: "a pointer of the driver's own, never followed", hex: true },
  text: { storage: "text", doc: "a string" },
  guid: { storage: "guid", doc: "a GUID, lower case with braces" },
  bytes: { storage: "bytes", doc: "raw bytes" },
  status: { storage: "u32", doc: "an NTSTATUS", names: SYMBOLS.status, hex: true },
  byteCount: { storage: "u32", doc: "a length in bytes" },
  byteOffset: { storage: "u32", doc: "an offset in bytes" },
  byteSize: { storage: "u64", doc: "a size in bytes", hex: true },
  pageCount: { storage: "u64", doc: "a size in pages of 4096 bytes" },
  pageOffset: { storage: "u64", doc: "an offset in pages of 4096 bytes" },
  gpuVa: { storage: "u64", doc: "a GPU virtual address in bytes", hex: true },
  gpuVaBase: { storage: "u64", doc: "the GPU virtual address asked for, 0: any", hex: true },
  gpuVaMinimum: { storage: "u64", doc: "lowest GPU virtual address allowed; ignored with a base", hex: true },
  gpuVaMaximum: { storage: "u64", doc: "end of what is allowed, 0: no limit; ignored with a base", hex: true },
  gpuVaEnd: { storage: "u64", doc: "end of a range of GPU virtual addresses, exclusive", hex: true },
  gpuVaAlignment: { storage: "u64", doc: "what a GPU virtual address is a multiple of: a power of two", hex: true },
  fenceValue: { storage: "u64", doc: "a value of a monitored fence" },
  pagingFenceValue: { storage: "u64", doc: "the paging queue's fence value of this operation, 0: already done" },
  timeout: { storage: "i64", doc: "a wait in units of 100 ns: negative from now on, positive until then, 0: none" },
  nanoseconds: { storage: "u64", doc: "virtual time in nanoseconds" },
  luid: { storage: "u64", doc: "a locally unique id" },
  reserved: { storage: "u64", doc: "must be 0" },
  kernelPointer: { storage: "u64", doc: "an address in the captured system's kernel", hex: true },
  userHandle: { storage: "u32", doc: "a handle value of the captured system", hex: true },
  sideName: { storage: "text", doc: "one of the notation's sides" },
  callName: { storage: "text", doc: "the name of a declared call" },
  physicalAdapterIndex: { storage: "u32", doc: "which linked physical GPU, from 0" },
  engineAffinity: { storage: "u32", doc: "which physical GPUs, one bit each; 0: the first", hex: true },
  channelFlags: { storage: "u32", doc: "common channel flags", flags: SYMBOLS.channelFlags, hex: true },
  serverChannelFlags: { storage: "u32", doc: "server channel flags", flags: SYMBOLS.serverChannelFlags, hex: true },
  gpadlFlags: { storage: "u32", doc: "GPADL flags", flags: SYMBOLS.gpadlFlags, hex: true },
  packetFlags: { storage: "u32", doc: "packet format flags", flags: SYMBOLS.packetFlags, hex: true },
  deliveryFlags: { storage: "u32", doc: "flags of a delivered packet", flags: SYMBOLS.deliveryFlags, hex: true },
  externalDataFlags: { storage: "u32", doc: "external data flags", flags: SYMBOLS.gpadlFlags, hex: true },
  protection: { storage: "u64", doc: "D3DDDIGPUVIRTUALADDRESS_PROTECTION_TYPE", flags: SYMBOLS.protection, hex: true },
  driverProtection: { storage: "u64", doc: "opaque to the memory manager; bit 63: unique", hex: true },
  reservationType: { storage: "u32", doc: "D3DDDIGPUVIRTUALADDRESS_RESERVATION_TYPE", names: SYMBOLS.reservationType },
  updateOperation: {
    storage: "u32",
    doc: "D3DDDI_UPDATEGPUVIRTUALADDRESS_OPERATION_TYPE",
    names: SYMBOLS.updateOperation,
  },
  updateFlags: {
    storage: "u32",
    doc: "D3DKMT_UPDATEGPUVIRTUALADDRESS flags",
    flags: SYMBOLS.updateFlags,
    hex: true,
  },
  propertyFlags: {
    storage: "u32",
    doc: "flags of an allocation's property update",
    flags: SYMBOLS.propertyFlags,
    hex: true,
  },
  allocationFlags: { storage: "u32", doc: "D3DKMT_CREATEALLOCATIONFLAGS", flags: SYMBOLS.allocationFlags, hex: true },
  destroyFlags: { storage: "u32", doc: "D3DDDICB_DESTROYALLOCATION2FLAGS", flags: SYMBOLS.destroyFlags, hex: true },
  makeResidentFlags: { storage: "u32", doc: "D3DDDI_MAKERESIDENT_FLAGS", flags: SYMBOLS.makeResidentFlags, hex: true },
  evictFlags: { storage: "u32", doc: "D3DDDI_EVICT_FLAGS", flags: SYMBOLS.evictFlags, hex: true },
  channelId: { storage: "u32", doc: "the number under which a host offers a channel" },
  gpadlWord: {
    storage: "u64",
    doc: "a range's byte count with its byte offset in the upper half, or a page frame number",
    hex: true,
  },
  submitFlags: { storage: "u32", doc: "D3DKMT_SUBMITCOMMANDFLAGS", flags: SYMBOLS.submitFlags, hex: true },
  contextFlags: { storage: "u32", doc: "D3DDDI_CREATECONTEXTFLAGS", flags: SYMBOLS.contextFlags, hex: true },
  deviceStateType: { storage: "u32", doc: "D3DKMT_DEVICESTATE_TYPE", names: SYMBOLS.deviceStateType },
  executionState: { storage: "u32", doc: "D3DKMT_DEVICEEXECUTION_STATE", names: SYMBOLS.executionState },
  pageFaultFlags: { storage: "u32", doc: "DXGK_PAGE_FAULT_FLAGS", flags: SYMBOLS.pageFaultFlags, hex: true },
  offerPriority: { storage: "u32", doc: "D3DKMT_OFFER_PRIORITY", names: SYMBOLS.offerPriority },
  reclaimResult: { storage: "u32", doc: "D3DDDI_RECLAIM_RESULT", names: SYMBOLS.reclaimResult },
  access: { storage: "u32", doc: "what the GPU does to memory", names: SYMBOLS.access },
  irql: { storage: "u8", doc: "interrupt request level", names: SYMBOLS.irql },
  ioctlCommand: {
    storage: "u32",
    doc: "a command of /dev/dxg",
    names: Object.fromEntries(DXG_IOCTLS.map((ioctl) => [ioctl.name, ioctlCommand(ioctl)])),
    hex: true,
  },
} as const satisfies Readonly<Record<string, ScalarType>>;

/** The physical GPU that a value of type `engineAffinity` stands for: its lowest bit, none set is the first (gpuva.md 2.2). */
export function firstPhysicalAdapter(engineAffinity: number): number {
  return engineAffinity === 0 ? 0 : 31 - Math.clz32(engineAffinity & -engineAffinity);
}
