// What each ioctl of /dev/dxg must come to, from its argument and the handles that earlier results named: refused by the guest
// with which errno, or sent to the host as which messages in which order (gpuva.md 5.2, 5.5 to 5.8). Slow and obvious: it must
// not know how the guest's graphics kernel does it.

import { DXG_STRUCTS, ERRNO } from "../../src/api/mod.ts";
import type { Layout, LayoutRecord } from "../../src/wire/mod.ts";

/** A handle that a program was given. */
export interface Known {
  readonly kind: "device" | "context" | "pagingQueue" | "syncObject" | "resource" | "allocation";
  /** The adapter of a device, the device of what it has; 0: none. */
  readonly of: number;
  /** An allocation's resource, a paging queue's fence. */
  readonly partner: number;
  /** Of an allocation: over the program's memory. */
  readonly isOverMemory: boolean;
  /** Of an allocation: locks on its window. */
  locks: number;
}

/** An ioctl with its argument. */
export interface AskedIoctl {
  readonly name: string;
  readonly argument: Uint8Array;
  readonly fields: LayoutRecord;
  /** Adapters have handles of the guest's own making, which may be those of other things, too. */
  readonly adapters: ReadonlySet<number>;
  readonly handles: ReadonlyMap<number, Known>;
}

/** A refusal that reaches nobody, or messages by their names, a blank behind each. */
export type Expected = { readonly errno: number } | { readonly messages: RegExp };

const ARGUMENT_BASE = 0x7f00_0000_0000n;
const EINVAL: Expected = { errno: ERRNO.EINVAL };
const PAGE = 4096n;

/** A number of a decoded structure. */
export function number(fields: LayoutRecord, name: string): number {
  return Number(fields[name] ?? 0);
}

type Pointing = Pick<AskedIoctl, "argument" | "fields">;

/** So many bytes at a pointer; null: they are not all in the argument. */
function bytesAt({ argument, fields }: Pointing, pointer: string, bytes: number): Uint8Array | null {
  if (bytes === 0) return new Uint8Array(0);
  const at = Number(address(fields, pointer) - ARGUMENT_BASE);
  return at < 0 || at + bytes > argument.length ? null : argument.subarray(at, at + bytes);
}

function address(fields: LayoutRecord, name: string): bigint {
  const value = fields[name];
  return typeof value === "bigint" ? value : 0n;
}

/** Handles at a pointer; null: they are not all in the argument. */
function handlesAt(asked: Pointing, pointer: string, count: number): number[] | null {
  const bytes = bytesAt(asked, pointer, 4 * count);
  if (bytes === null) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => view.getUint32(4 * index, true));
}

/** Structures at a pointer; null: they are not all in the argument. */
export function structsAt(
  asked: Pointing,
  { pointer, count, struct }: { readonly pointer: string; readonly count: number; readonly struct: Layout },
): LayoutRecord[] | null {
  const bytes = bytesAt(asked, pointer, count * struct.bytes);
  if (bytes === null) return null;
  return Array.from({ length: count }, (_, index) => struct.decode(bytes.subarray(index * struct.bytes)));
}

function known(asked: AskedIoctl, field: string, kind: Known["kind"]): Known | undefined {
  const found = asked.handles.get(number(asked.fields, field));
  return found?.kind === kind ? found : undefined;
}

function isAdapter({ adapters, fields }: AskedIoctl, field: string): boolean {
  return adapters.has(number(fields, field));
}

/** Sends one message where a field names an adapter. */
function needsAdapter(field: string, message: string): (asked: AskedIoctl) => Expected {
  return (asked) => isAdapter(asked, field) ? { messages: exactly(message) } : EINVAL;
}

/** Sends one message where a field names an object of a kind. */
function needs(field: string, kind: Known["kind"], message: string): (asked: AskedIoctl) => Expected {
  return (asked) => known(asked, field, kind) === undefined ? EINVAL : { messages: exactly(message) };
}

function exactly(pattern: string): RegExp {
  return new RegExp(`^${pattern} $`);
}

/** How a device's end reads: each of its allocations, then itself. */
function deviceEnd({ handles }: AskedIoctl, device: number): string {
  const allocations = [...handles.values()].filter(({ kind, of }) => kind === "allocation" && of === device).length;
  return `(DestroyAllocation ){${allocations}}DestroyDevice`;
}

function closeAdapter(asked: AskedIoctl): Expected {
  const handle = number(asked.fields, "handle");
  if (!isAdapter(asked, "handle")) return EINVAL;
  const devices = [...asked.handles].filter(([, { kind, of }]) => kind === "device" && of === handle);
  return { messages: exactly([...devices.map(([device]) => deviceEnd(asked, device)), "CloseAdapter"].join(" ")) };
}

function destroyDevice(asked: AskedIoctl): Expected {
  if (known(asked, "handle", "device") === undefined) return EINVAL;
  return { messages: exactly(deviceEnd(asked, number(asked.fields, "handle"))) };
}

function enumAdapters(asked: AskedIoctl): Expected {
  const [room, hasList] = [number(asked.fields, "NumAdapters"), number(asked.fields, "pAdapters") !== 0];
  if (room > 64) return EINVAL;
  if (!hasList) return { messages: /^$/ };
  if (room === 0) return { errno: ERRNO.EOVERFLOW };
  const list = structsAt(asked, { pointer: "pAdapters", count: 1, struct: DXG_STRUCTS.AdapterInfo });
  return list === null ? EINVAL : { messages: exactly("OpenAdapter") };
}

/** Steps 1 to 7 and F; what is wrong with a standard allocation is a status, and no errno. */
function createAllocation(asked: AskedIoctl): Expected {
  const { fields } = asked;
  const [count, flags, device] = [number(fields, "NumAllocations"), number(fields, "Flags"), number(fields, "hDevice")];
  const isProtected = (flags & 0x8) !== 0 || (flags & 0x8000) !== 0;
  const isSharedWrongly = (flags & 0x2) !== 0 && (flags & 0x41) !== 0x41;
  if (known(asked, "hDevice", "device") === undefined) return EINVAL;
  const resource = number(fields, "hResource");
  if (resource !== 0 && known(asked, "hResource", "resource")?.of !== device) return EINVAL;
  if (count === 0 || count > 1024 || isProtected || isSharedWrongly) return EINVAL;
  if ((flags & 0x10000) !== 0 && count !== 1) return { errno: -(0xc000_000d | 0) };
  const infos = structsAt(asked, { pointer: "pAllocationInfo2", count, struct: DXG_STRUCTS.AllocationInfo2 });
  if (infos === null) return EINVAL;
  const addresses = infos.map((info) => address(info, "pSystemMem"));
  const over = addresses.filter((each) => each !== 0n).length;
  if ((over !== 0 && over !== count) || addresses.some((each) => each % PAGE !== 0n)) return EINVAL;
  const { argument } = asked;
  const data = infos.map((info) =>
    bytesAt({ argument, fields: info }, "pPrivateDriverData", number(info, "PrivateDriverDataSize"))
  );
  if (data.includes(null)) return EINVAL;
  const shared = over === 0 ? "" : "( SetExistingSysmem(Store|Pages))*";
  return { messages: exactly(`CreateAllocation${shared}( DestroyAllocation)?`) };
}

/** Exactly one of a list and a resource; all of one device and of one resource, and each named once. */
function destroyAllocation(asked: AskedIoctl): Expected {
  const { fields, handles } = asked;
  const [device, count, resource] = [
    number(fields, "hDevice"),
    number(fields, "AllocationCount"),
    number(fields, "hResource"),
  ];
  if (known(asked, "hDevice", "device") === undefined) return EINVAL;
  if ((resource === 0) === (count === 0) || count > 1024) return EINVAL;
  const sent: Expected = { messages: exactly("DestroyAllocation") };
  if (resource !== 0) return known(asked, "hResource", "resource")?.of === device ? sent : EINVAL;
  const list = handlesAt(asked, "phAllocationList", count) ?? [];
  const named = list.map((handle) => handles.get(handle));
  const isSound = named.every((each) => each?.kind === "allocation" && each.of === device) &&
    new Set(list).size === count && new Set(named.map((each) => each?.partner)).size === 1;
  return isSound ? sent : EINVAL;
}

function reserve(asked: AskedIoctl): Expected {
  const isKnown = isAdapter(asked, "hPagingQueue") || known(asked, "hPagingQueue", "pagingQueue") !== undefined;
  return isKnown ? { messages: exactly("ReserveGpuVirtualAddress") } : EINVAL;
}

function update(asked: AskedIoctl): Expected {
  const count = number(asked.fields, "NumOperations");
  if (known(asked, "hDevice", "device") === undefined || count === 0 || count > 2048) return EINVAL;
  const operations = structsAt(asked, { pointer: "Operations", count, struct: DXG_STRUCTS.UpdateOperation });
  // As many as the guest lets in, and one more than fit in a message.
  return operations === null || count === 2048 ? EINVAL : { messages: exactly("UpdateGpuVirtualAddress") };
}

/** A list of handles behind a known object: sent where it is there, and not too long. */
function listed(
  rule: {
    readonly field: string;
    readonly kind: Known["kind"];
    readonly count: string;
    readonly list: string;
    readonly values?: string;
    readonly most: number;
    readonly message: string;
  },
): (asked: AskedIoctl) => Expected {
  return (asked) => {
    const count = number(asked.fields, rule.count);
    if (known(asked, rule.field, rule.kind) === undefined || count === 0 || count > rule.most) return EINVAL;
    const list = bytesAt(asked, rule.list, 4 * count);
    const values = rule.values === undefined ? [] : bytesAt(asked, rule.values, 8 * count);
    if (list === null || values === null || number(asked.fields, "hAsyncEvent") !== 0) return EINVAL;
    return { messages: exactly(rule.message) };
  };
}

/** What has an address is locked without the host; the program's memory has one from the start (5.8). */
function lock(asked: AskedIoctl): Expected {
  const allocation = known(asked, "hAllocation", "allocation");
  if (allocation === undefined) return EINVAL;
  if (allocation.isOverMemory || allocation.locks > 0) return { messages: /^$/ };
  return known(asked, "hDevice", "device") === undefined ? EINVAL : { messages: exactly("Lock2") };
}

/** Of a window only the last one is forwarded; of the program's memory each is. */
function unlock(asked: AskedIoctl): Expected {
  const allocation = known(asked, "hAllocation", "allocation");
  if (allocation === undefined || (!allocation.isOverMemory && allocation.locks === 0)) return EINVAL;
  return { messages: allocation.locks > 1 ? /^$/ : exactly("Unlock2") };
}

function submit(asked: AskedIoctl): Expected {
  const { fields } = asked;
  const count = number(fields, "BroadcastContextCount");
  const buffers = number(fields, "NumHistoryBuffers");
  if (count === 0 || count > 64 || buffers > 1024 || number(fields, "NumPrimaries") > 16) return EINVAL;
  const history = bytesAt(asked, "HistoryBufferArray", 4 * buffers);
  const data = bytesAt(asked, "pPrivateDriverData", number(fields, "PrivateDriverDataSize"));
  return history === null || data === null ? EINVAL : { messages: exactly("SubmitCommand") };
}

const FENCES = { count: "ObjectCount", list: "ObjectHandleArray", most: 32 } as const;
const OF_CONTEXT = { ...FENCES, field: "hContext", kind: "context", values: "MonitoredFenceValueArray" } as const;
const OF_DEVICE = { ...FENCES, field: "hDevice", kind: "device", values: "FenceValueArray" } as const;
const RESIDENT = { count: "NumAllocations", list: "AllocationList", most: 10_240 } as const;

/** The rule of each ioctl that the driver has; of the others ENOTTY is the answer. */
export const IOCTL_RULES: Readonly<Record<string, (asked: AskedIoctl) => Expected>> = {
  OpenAdapterFromLuid: () => ({ messages: exactly("OpenAdapter") }),
  EnumAdapters2: enumAdapters,
  EnumAdapters3: enumAdapters,
  CloseAdapter: closeAdapter,
  CreateDevice: needsAdapter("hAdapter", "CreateDevice( DestroyDevice)?"),
  DestroyDevice: destroyDevice,
  CreateContextVirtual: needs("hDevice", "device", "CreateContextVirtual"),
  DestroyContext: needs("handle", "context", "DestroyContext"),
  CreatePagingQueue: needs("hDevice", "device", "CreatePagingQueue"),
  DestroyPagingQueue: needs("handle", "pagingQueue", "DestroyPagingQueue"),
  CreateSynchronizationObject2: needs("hDevice", "device", "CreateSyncObject"),
  DestroySynchronizationObject: needs("handle", "syncObject", "DestroySyncObject"),
  CreateAllocation: createAllocation,
  DestroyAllocation2: destroyAllocation,
  MapGpuVirtualAddress: needs("hPagingQueue", "pagingQueue", "MapGpuVirtualAddress"),
  ReserveGpuVirtualAddress: reserve,
  FreeGpuVirtualAddress: needsAdapter("hAdapter", "FreeGpuVirtualAddress"),
  UpdateGpuVirtualAddress: update,
  MakeResident: listed({ ...RESIDENT, field: "hPagingQueue", kind: "pagingQueue", message: "MakeResident" }),
  Evict: listed({ ...RESIDENT, field: "hDevice", kind: "device", message: "Evict" }),
  Lock2: lock,
  Unlock2: unlock,
  SubmitCommand: submit,
  WaitForSynchronizationObjectFromCpu: listed({ ...OF_DEVICE, message: "WaitSyncFromCpu" }),
  SignalSynchronizationObjectFromCpu: listed({ ...OF_DEVICE, message: "SignalSyncObject" }),
  WaitForSynchronizationObjectFromGpu: listed({ ...OF_CONTEXT, message: "WaitSyncFromGpu" }),
  SignalSynchronizationObjectFromGpu: listed({ ...OF_CONTEXT, message: "SignalSyncObject" }),
  GetDeviceState: needs("hDevice", "device", "GetDeviceState"),
};
