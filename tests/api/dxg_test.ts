// The graphics driver's structures and messages against the documented tables (gpuva.md 5.2 to 5.4), and both ways with random values.

import fc from "fast-check";
import {
  COMMAND_HEADER,
  DXG_IOCTLS,
  DXG_MESSAGES,
  DXG_STRUCTS,
  dxgCommandName,
  EXTENDED_HEADER,
  findIoctl,
  ioctlCommand,
  ioctlResult,
  STATUS,
  statusOfIoctl,
} from "../../src/api/mod.ts";
import type { Layout, LayoutRecord, LayoutValue } from "../../src/wire/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Commands as the documents print them. */
const COMMANDS: Readonly<Record<string, number>> = {
  OpenAdapterFromLuid: 0xc00c4701,
  CreateDevice: 0xc0404702,
  CreateContextVirtual: 0xc0284704,
  CreateAllocation: 0xc0484706,
  CreatePagingQueue: 0xc0204707,
  ReserveGpuVirtualAddress: 0xc0484708,
  MakeResident: 0xc030470b,
  MapGpuVirtualAddress: 0xc068470c,
  GetDeviceState: 0xc038470e,
  SubmitCommand: 0xc180470f,
  CreateSynchronizationObject2: 0xc0604710,
  DestroyAllocation2: 0xc0184713,
  EnumAdapters2: 0xc0104714,
  DestroyDevice: 0xc0044719,
  Evict: 0xc020471e,
  FreeGpuVirtualAddress: 0xc0184720,
  Lock2: 0xc0184725,
  Render: 0xc170472d,
  SignalSynchronizationObjectFromCpu: 0xc0204731,
  Unlock2: 0xc0084737,
  UpdateGpuVirtualAddress: 0xc0384739,
  WaitForSynchronizationObjectFromCpu: 0xc028473a,
  EnumAdapters3: 0xc018473e,
  QueryStatistics: 0xc3284743,
  ShareObjectWithHost: 0xc0184744,
};

Deno.test("ioctl commands are the documented values, and lead back to their names", () => {
  for (const [name, command] of Object.entries(COMMANDS)) {
    const ioctl = DXG_IOCTLS.find((each) => each.name === name);
    assert(ioctl !== undefined, name);
    assertEquals(ioctlCommand(ioctl).toString(16), command.toString(16), name);
    assertEquals(findIoctl(command)?.name, name);
  }
  assertEquals(DXG_IOCTLS.at(-1)?.nr, 0x44);
  assertEquals(findIoctl(0xc0104710), null, "another size is another command");
});

Deno.test("the structure of an ioctl is as long as its command says", () => {
  for (const { name, bytes } of DXG_IOCTLS) {
    const struct = Object.entries<Layout>(DXG_STRUCTS).find(([known]) => known === name)?.[1];
    if (struct !== undefined) assertEquals(struct.bytes, bytes, name);
  }
});

/** Requests by id, size and the offsets of what follows the header, as the documents have them. */
const REQUESTS: readonly (readonly [name: keyof typeof DXG_MESSAGES, id: number, bytes: number, offsets: string])[] = [
  ["CreateAllocation", 4, 64, "24 28 32 36 40 44 48 56 64"],
  ["DestroyAllocation", 5, 48, "24 28 32 36 40"],
  ["CreatePagingQueue", 9, 56, "24"],
  ["DestroyPagingQueue", 10, 32, "24"],
  ["MakeResident", 11, 48, "24 28 32 36 40"],
  ["Evict", 12, 40, "24 28 32 36"],
  ["FreeGpuVirtualAddress", 16, 48, "24"],
  ["MapGpuVirtualAddress", 17, 136, "24 128"],
  ["ReserveGpuVirtualAddress", 18, 96, "24"],
  ["UpdateGpuVirtualAddress", 19, 120, "24 32 36 40 44 48 56"],
  ["SubmitCommand", 20, 408, "24 408"],
  ["WaitSyncFromCpu", 22, 56, "24 28 32 40 48 56"],
  ["Lock2", 23, 64, "24 48 52 56"],
  ["Unlock2", 24, 40, "24 28"],
  ["SetExistingSysmemStore", 45, 40, "24 28 32"],
  ["SetExistingSysmemPages", 66, 40, "24 28 32 36 40"],
  ["CreateProcess", 1000, 568, "24 32 40 562"],
  ["SetIoSpaceRegion", 1010, 48, "24 32 40"],
];

Deno.test("requests have the documented ids, sizes and offsets", () => {
  assertEquals([EXTENDED_HEADER.bytes, COMMAND_HEADER.bytes], [16, 24]);
  for (const [name, id, bytes, offsets] of REQUESTS) {
    const message = DXG_MESSAGES[name];
    const own = message.request.offsets.slice(COMMAND_HEADER.offsets.length).map(([, at]) => at).join(" ");
    assertEquals([message.id, message.request.bytes, own], [id, bytes, offsets], name);
    assertEquals(dxgCommandName(id), name);
  }
  assertEquals(Object.keys(DXG_MESSAGES).length, REQUESTS.length);
});

Deno.test("replies have the documented sizes and offsets", () => {
  const replies: Readonly<Record<string, string>> = {
    CreateAllocation: "16: 0 4 8 12 16",
    MakeResident: "24: 0 8 16",
    Evict: "8: 0",
    CreatePagingQueue: "24: 0 4 8 16",
    MapGpuVirtualAddress: "24: 0 8 16",
    ReserveGpuVirtualAddress: "16: 0 8",
    Lock2: "16: 0 8",
  };
  for (const [name, { reply }] of Object.entries(DXG_MESSAGES)) {
    const text = `${reply.bytes}: ${reply.offsets.map(([, at]) => at).join(" ")}`;
    assertEquals(text, replies[name] ?? "4: 0", name);
  }
});

Deno.test("an update of several operations and a list of handles grow by their elements", () => {
  const update = DXG_MESSAGES.UpdateGpuVirtualAddress.request;
  const operations = [1, 2, 3].map((OperationType) => ({ OperationType, words: new Array<bigint>(7).fill(5n) }));
  assertEquals(update.encode({ num_operations: 3, operations }).length, 56 + 3 * 64);
  assertEquals(DXG_MESSAGES.MakeResident.request.encode({ count: 3, handles: [1, 2, 3] }).length, 48 + 2 * 4);
});

Deno.test("random bytes of every request and reply come back as the same values after a round trip", () => {
  const layouts = Object.entries(DXG_MESSAGES).flatMap(([, { request, reply }]) => [request, reply]);
  const all: readonly Layout[] = [...layouts, ...Object.values<Layout>(DXG_STRUCTS)];
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.infiniteStream(fc.nat(255)), fc.nat(5), (layout, stream, count) => {
      const bytes = Uint8Array.from({ length: layout.bytes + 144 * count }, () => stream.next().value ?? 0);
      const values = tamed(layout, layout.decode(withCounts(layout, bytes, count)));
      const encoded = layout.encode(values);
      assertEquals(layout.decode(encoded), values);
      assertEquals(layout.encode(layout.decode(encoded)), encoded);
    }),
    { numRuns: 300, seed: 5 },
  );
});

/** Counts that the bytes can hold; everything else stays random. */
function withCounts(layout: Layout, bytes: Uint8Array, count: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  for (const [name, at] of layout.offsets) {
    if (name === "count" || name === "num_operations") view.setUint32(at, count, true);
  }
  return bytes;
}

function tamed(layout: Layout, values: LayoutRecord): LayoutRecord {
  const names = new Set(layout.offsets.map(([name]) => name));
  return Object.fromEntries(Object.entries<LayoutValue>(values).filter(([name]) => names.has(name)));
}

Deno.test("statuses collapse on their way to errno, and some of them come back as others", () => {
  assertEquals(ioctlResult(STATUS.STATUS_SUCCESS), 0);
  assertEquals(ioctlResult(STATUS.STATUS_PENDING), 259);
  assertEquals(ioctlResult(STATUS.STATUS_TIMEOUT), 258);
  assertEquals(ioctlResult(STATUS.STATUS_NO_MEMORY), -12);
  assertEquals(ioctlResult(STATUS.STATUS_QUOTA_EXCEEDED), -22, "what the guest does not know is EINVAL");
  assertEquals(statusOfIoctl(ioctlResult(STATUS.STATUS_OBJECT_NAME_NOT_FOUND)), STATUS.STATUS_OBJECT_NAME_INVALID);
  assertEquals(statusOfIoctl(ioctlResult(STATUS.STATUS_NOT_IMPLEMENTED)), STATUS.STATUS_NOT_SUPPORTED);
  for (const status of [STATUS.STATUS_INVALID_HANDLE, STATUS.STATUS_ACCESS_DENIED, STATUS.STATUS_DEVICE_REMOVED]) {
    assertEquals(statusOfIoctl(ioctlResult(status)), status);
  }
  assertEquals(statusOfIoctl(-9999), STATUS.STATUS_UNSUCCESSFUL);
});
