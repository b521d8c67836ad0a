// The tables of gpuva.md 5.2 to 5.4, row by row: every ioctl, every structure's offsets, every command id, every status; and each
// structure and message both ways with random values of its own.

import fc from "fast-check";
import {
  DXG_IOCTLS,
  DXG_STRUCTS,
  dxgCommandName,
  findIoctl,
  ioctlCommand,
  ioctlResult,
  STATUS,
  statusOfIoctl,
} from "../../src/api/mod.ts";
import { MESSAGES } from "../../src/gpupv/mod.ts";
import type { Layout } from "../../src/wire/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Number, name, bytes and command as the table has them; `!`: declared, never written. */
const IOCTLS = `
01 OpenAdapterFromLuid 12 0xc00c4701
02 CreateDevice 64 0xc0404702
03 CreateContext! 96 0xc0604703
04 CreateContextVirtual 40 0xc0284704
05 DestroyContext 4 0xc0044705
06 CreateAllocation 72 0xc0484706
07 CreatePagingQueue 32 0xc0204707
08 ReserveGpuVirtualAddress 72 0xc0484708
09 QueryAdapterInfo 24 0xc0184709
0a QueryVideoMemoryInfo 56 0xc038470a
0b MakeResident 48 0xc030470b
0c MapGpuVirtualAddress 104 0xc068470c
0d Escape 32 0xc020470d
0e GetDeviceState 56 0xc038470e
0f SubmitCommand 384 0xc180470f
10 CreateSyncObject2 96 0xc0604710
11 SignalSyncObject2 464 0xc1d04711
12 WaitForSyncObject2 200 0xc0c84712
13 DestroyAllocation2 24 0xc0184713
14 EnumAdapters2 16 0xc0104714
15 CloseAdapter 4 0xc0044715
16 ChangeVideoMemReservation 32 0xc0204716
17 CreateHwContext! 40 0xc0284717
18 CreateHwQueue 48 0xc0304718
19 DestroyDevice 4 0xc0044719
1a DestroyHwContext! 4 0xc004471a
1b DestroyHwQueue 4 0xc004471b
1c DestroyPagingQueue 4 0xc004471c
1d DestroySyncObject 4 0xc004471d
1e Evict 32 0xc020471e
1f FlushHeapTransitions 4 0xc004471f
20 FreeGpuVirtualAddress 24 0xc0184720
21 GetContextInProcessSchedPrio 8 0xc0084721
22 GetContextSchedPrio 8 0xc0084722
23 GetSharedResAdapterLuid! 24 0xc0184723
24 InvalidateCache 24 0xc0184724
25 Lock2 24 0xc0184725
26 MarkDeviceAsError 8 0xc0084726
27 OfferAllocations 40 0xc0284727
28 OpenResource! 72 0xc0484728
29 OpenSyncObject! 72 0xc0484729
2a QueryAllocationResidency 32 0xc020472a
2b QueryResourceInfo! 32 0xc020472b
2c ReclaimAllocations2 40 0xc028472c
2d Render! 368 0xc170472d
2e SetAllocationPriority 32 0xc020472e
2f SetContextInProcessSchedPrio 8 0xc008472f
30 SetContextSchedPrio 8 0xc0084730
31 SignalSyncObjFromCpu 32 0xc0204731
32 SignalSyncObjFromGpu 80 0xc0504732
33 SignalSyncObjFromGpu2 96 0xc0604733
34 SubmitCommandToHwQueue 56 0xc0384734
35 SubmitSignalToHwQueue 40 0xc0284735
36 SubmitWaitToHwQueue 24 0xc0184736
37 Unlock2 8 0xc0084737
38 UpdateAllocProperty 40 0xc0284738
39 UpdateGpuVirtualAddress 56 0xc0384739
3a WaitSyncObjFromCpu 40 0xc028473a
3b WaitSyncObjFromGpu 80 0xc050473b
3c GetAllocationPriority 32 0xc020473c
3d QueryClockCalibration 40 0xc028473d
3e EnumAdapters3 24 0xc018473e
3f ShareObjects 40 0xc028473f
40 OpenSyncObjFromNtHandle2 88 0xc0584740
41 QueryResourceInfoFromNtHandle 40 0xc0284741
42 OpenResourceFromNtHandle 104 0xc0684742
43 QueryStatistics 808 0xc3284743
44 ShareObjectWithHost 24 0xc0184744`;

/** Our names are the DDI's; the table's are shorter. */
function shortened(name: string): string {
  return name.replace("SchedulingPriority", "SchedPrio").replace("ChangeVideoMemory", "ChangeVideoMem")
    .replace("SharedResourceAdapter", "SharedResAdapter").replace("UpdateAllocationProperty", "UpdateAllocProperty")
    .replace("SubmitSignalSyncObjectsTo", "SubmitSignalTo").replace("SubmitWaitForSyncObjectsTo", "SubmitWaitTo")
    .replace(/^WaitForSynchronizationObjectFrom/, "WaitSyncObjFrom").replace(
      /(SynchronizationObject|SyncObject)From/,
      "SyncObjFrom",
    )
    .replace("SynchronizationObject", "SyncObject");
}

Deno.test("each of the table's 68 ioctls has its number, name, size and command, and no other is known", () => {
  const rows = IOCTLS.trim().split("\n").map((row) => row.split(" "));
  assertEquals([rows.length, DXG_IOCTLS.length], [68, 68]);
  for (const [nr = "", name = "", bytes = "", command = ""] of rows) {
    const ioctl = findIoctl(Number(command));
    assert(ioctl !== null, name);
    const said = `${shortened(ioctl.name)}${ioctl.isMissing ? "!" : ""}`;
    assertEquals([ioctl.nr, said, ioctl.bytes], [Number.parseInt(nr, 16), name, Number(bytes)], name);
    assertEquals(ioctlCommand(ioctl), Number(command), name);
    for (const other of [ioctl.bytes - 4, ioctl.bytes + 4]) {
      assertEquals(findIoctl(ioctlCommand({ nr: ioctl.nr, bytes: other })), null, `${name} of ${other} bytes`);
    }
  }
});

/** Offsets as the table has them; what is between is padding, or words that the table leaves out. */
const OFFSETS: Readonly<Record<string, string>> = {
  OpenAdapterFromLuid: "12: 0 8",
  CreateDevice: "64: 0 8 12 16 24 32 40 48 56",
  CreateContextVirtual: "40: 0 4 8 12 16 24 28 32",
  CreatePagingQueue: "32: 0 4 8 12 16 24",
  CreateAllocation: "72: 0 4 8 16 24 32 40 44 48 56 64",
  AllocationInfo2: "96: 0 8 16 24 28 32 40 48",
  CreateStandardAllocation: "24: 0 8 16",
  DestroyAllocation2: "24: 0 4 8 16 20",
  MapGpuVirtualAddress: "104: 0 8 16 24 32 40 48 56 64 72 80 88 96",
  ReserveGpuVirtualAddress: "72: 0 8 16 24 32 40 48 56 64",
  FreeGpuVirtualAddress: "24: 0 8 16",
  UpdateGpuVirtualAddress: "56: 0 4 8 12 16 24 32 40 48",
  UpdateOperation: "64: 0 8",
  MakeResident: "48: 0 4 8 16 24 32 40",
  Evict: "32: 0 4 8 16 24",
  Lock2: "24: 0 4 8 16",
  Unlock2: "8: 0 4",
  SubmitCommand: "384: 0 8 12 16 24 28 288 296 300 304 368 376",
  CreateSynchronizationObject2: "96: 0 8 12 16 24 32 40 80 88",
  WaitForSynchronizationObjectFromCpu: "40: 0 4 8 16 24 32",
  SignalSynchronizationObjectFromCpu: "32: 0 4 8 16 24",
  WaitForSynchronizationObjectFromGpu: "80: 0 4 8 16",
  SignalSynchronizationObjectFromGpu: "80: 0 4 8 16",
  GetDeviceState: "56: 0 4 8 20 24 28 32",
  EnumAdapters2: "16: 0 8",
  EnumAdapters3: "24: 0 8 16",
  AdapterInfo: "20: 0 4 12 16",
};

Deno.test("every structure has the table's size and offsets", () => {
  const all = Object.entries<Layout>(DXG_STRUCTS);
  assertEquals(all.map(([name]) => name).toSorted(), Object.keys(OFFSETS).toSorted());
  for (const [name, { bytes, offsets }] of all) {
    assertEquals(`${bytes}: ${offsets.map(([, at]) => at).join(" ")}`, OFFSETS[name], name);
  }
});

const COMMANDS =
  `0 CreateDevice, 1 DestroyDevice, 2 QueryAdapterInfo, 3 DdiQueryAdapterInfo, 4 CreateAllocation, 5 DestroyAllocation,
6 CreateContextVirtual, 7 DestroyContext, 8 CreateSyncObject, 9 CreatePagingQueue, 10 DestroyPagingQueue, 11
MakeResident, 12 Evict, 13 Escape, 14 OpenAdapter, 15 CloseAdapter, 16 FreeGpuVirtualAddress, 17
MapGpuVirtualAddress, 18 ReserveGpuVirtualAddress, 19 UpdateGpuVirtualAddress, 20 SubmitCommand, 21
QueryVideoMemoryInfo, 22 WaitSyncFromCpu, 23 Lock2, 24 Unlock2, 25 WaitSyncFromGpu, 26 SignalSyncObject, 27
SignalFenceNtSharedByRef, 28 GetDeviceState, 29 MarkDeviceAsError, 30 AdapterStop, 31 SetQueuedLimit, 32
OpenResource, 33 SetContextSchedPrio, 34 PresentHistoryToken, 35 SetRedirectedFlipFence, 36 GetInternalAdapterInfo,
37 FlushHeapTransitions, 38 Blt, 39 DdiGetStandardAllocDriverData, 40 CddGdiCommand, 41 QueryAllocationResidency, 42
FlushDevice, 43 FlushAdapter, 44 DdiGetNodeMetadata, 45 SetExistingSysmemStore, 46 IsSyncObjectSignaled, 47
CddSyncGpuAccess, 48 QueryStatistics, 49 ChangeVidMemReservation, 50 CreateHwQueue, 51 DestroyHwQueue, 52
SubmitCommandToHwQueue, 53 GetDriverStoreFile, 54 ReadDriverStoreFile, 55 GetNextHardlink, 56
UpdateAllocationProperty, 57 OfferAllocations, 58 ReclaimAllocations, 59 SetAllocationPriority, 60
GetAllocationPriority, 61 GetContextSchedPrio, 62 QueryClockCalibration, 64 QueryResourceInfo, 65 LogEvent, 66
SetExistingSysmemPages, 67 InvalidateCache, 68 IsFeatureEnabled`;

const GLOBAL =
  "1000 CreateProcess, 1001 DestroyProcess, 1002 OpenSyncObject, 1003 DestroySyncObject, 1004 CreateNtSharedObject, " +
  "1005 DestroyNtSharedObject, 1006 SignalFence, 1007 NotifyProcessFreeze, 1008 NotifyProcessThaw, 1009 QueryEtwSession, " +
  "1010 SetIoSpaceRegion, 1011 CompleteTransaction, 1021 ShareObjectWithHost, 1022 IsFeatureEnabled";

Deno.test("every command id has the table's name, and no other id has one", () => {
  const rows = [...`${COMMANDS}, ${GLOBAL}`.matchAll(/(\d+)\s+(\w+)/g)];
  const names = new Map(rows.map(([, id, name]) => [Number(id), name ?? ""]));
  assertEquals(names.size, 68 + 14);
  for (let id = 0; id < 1100; id += 1) assertEquals(dxgCommandName(id), names.get(id) ?? null, `${id}`);
  for (const [name, { id }] of Object.entries(MESSAGES)) assertEquals(names.get(id), name);
});

/** What a status is to a program in a guest, and what its library makes of that. */
const STATUSES:
  readonly (readonly [status: keyof typeof STATUS, value: number, result: number, back: keyof typeof STATUS])[] = [
    ["STATUS_SUCCESS", 0, 0, "STATUS_SUCCESS"],
    ["STATUS_TIMEOUT", 0x102, 258, "STATUS_TIMEOUT"],
    ["STATUS_PENDING", 0x103, 259, "STATUS_PENDING"],
    ["STATUS_NOT_IMPLEMENTED", 0xc0000002, -1, "STATUS_NOT_SUPPORTED"],
    ["STATUS_INVALID_HANDLE", 0xc0000008, -9, "STATUS_INVALID_HANDLE"],
    ["STATUS_INVALID_PARAMETER", 0xc000000d, -22, "STATUS_INVALID_PARAMETER"],
    ["STATUS_NO_MEMORY", 0xc0000017, -12, "STATUS_NO_MEMORY"],
    ["STATUS_ILLEGAL_INSTRUCTION", 0xc000001d, -95, "STATUS_ILLEGAL_INSTRUCTION"],
    ["STATUS_ACCESS_DENIED", 0xc0000022, -13, "STATUS_ACCESS_DENIED"],
    ["STATUS_BUFFER_TOO_SMALL", 0xc0000023, -75, "STATUS_BUFFER_TOO_SMALL"],
    ["STATUS_OBJECT_TYPE_MISMATCH", 0xc0000024, -91, "STATUS_OBJECT_TYPE_MISMATCH"],
    ["STATUS_OBJECT_NAME_INVALID", 0xc0000033, -2, "STATUS_OBJECT_NAME_INVALID"],
    ["STATUS_OBJECT_NAME_NOT_FOUND", 0xc0000034, -2, "STATUS_OBJECT_NAME_INVALID"],
    ["STATUS_OBJECT_NAME_COLLISION", 0xc0000035, -17, "STATUS_OBJECT_NAME_COLLISION"],
    ["STATUS_NOT_SUPPORTED", 0xc00000bb, -1, "STATUS_NOT_SUPPORTED"],
    ["STATUS_DEVICE_REMOVED", 0xc00002b6, -19, "STATUS_DEVICE_REMOVED"],
    ["STATUS_GRAPHICS_ALLOCATION_BUSY", 0xc01e0102, -115, "STATUS_GRAPHICS_ALLOCATION_BUSY"],
  ];

Deno.test("every status has the table's value, errno and way back; the rest are EINVAL", () => {
  for (const [name, value, result, back] of STATUSES) {
    assertEquals([STATUS[name], ioctlResult(value)], [value, result], name);
    assertEquals(statusOfIoctl(result), STATUS[back], name);
  }
  const listed = new Set(STATUSES.map(([, value]) => value));
  for (const [name, value] of Object.entries(STATUS)) {
    if (!listed.has(value)) assertEquals(ioctlResult(value), value < 0x8000_0000 ? value : -22, name);
  }
  assertEquals([-11, -38].map(statusOfIoctl), [STATUS.STATUS_TIMEOUT, STATUS.STATUS_NOT_SUPPORTED]);
  assertEquals(statusOfIoctl(-4095), STATUS.STATUS_UNSUCCESSFUL);
});

/** Fields that say how many elements follow. */
const COUNTS: ReadonlySet<string> = new Set(["count", "num_operations"]);

const ALL: readonly (readonly [name: string, layout: Layout])[] = [
  ...Object.entries<Layout>(DXG_STRUCTS),
  ...Object.entries(MESSAGES).flatMap(([name, { request, reply }]): [string, Layout][] => [
    [`${name} request`, request],
    [`${name} reply`, reply],
  ]),
];

for (const [name, layout] of ALL) {
  Deno.test(`${name}: random bytes decode and encode to the same fields and the same bytes`, () => {
    const property = fc.property(fc.uint8Array({ minLength: 900, maxLength: 900 }), fc.nat(5), (noise, count) => {
      const bytes = noise.slice(0, layout.bytes + 72 * count);
      const view = new DataView(bytes.buffer);
      for (const [field, at] of layout.offsets) if (COUNTS.has(field)) view.setUint32(at, count, true);
      const values = layout.decode(bytes);
      const encoded = layout.encode(values);
      assertEquals(layout.decode(encoded), values);
      for (const [at, byte] of encoded.entries()) assert(byte === bytes[at] || byte === 0, `byte ${at}`);
    });
    fc.assert(property, { numRuns: 30, seed: 17 });
  });
}
