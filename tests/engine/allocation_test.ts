// Create and destroy of allocations: each rule one line, refusals in the order of their precedence.

import { assertEquals } from "../support/assert.ts";
import { allocations, GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const PENDING = "STATUS_PENDING";
const INVALID = "STATUS_INVALID_PARAMETER";
const FAULT = "STATUS_ACCESS_VIOLATION";
const CREATE_RESOURCE = 0x1;
const CREATE_SHARED = 0x2;

function createStatus(rig: GpuRig, args: object): string {
  return rig.status("D3DKMTCreateAllocation2", { hDevice: rig.device, pAllocationInfo2: [{ Size: 1 }], ...args });
}

function buffer(rig: GpuRig, ByteCount: number, ByteOffset = 0): number {
  return handle(rig.model.call("guest", "AllocateBuffer", { ByteCount, ByteOffset }).value);
}

Deno.test("create refuses in order: flags, resource, count, memory, sizes, video memory", () => {
  const rig = new GpuRig();
  const memory = buffer(rig, 8192);
  const info = (...pAllocationInfo2: object[]) => createStatus(rig, { pAllocationInfo2 });
  assertEquals(createStatus(rig, { Flags: 0x400000 }), INVALID);
  assertEquals(createStatus(rig, { Flags: CREATE_SHARED }), INVALID);
  assertEquals(info(), INVALID);
  assertEquals(info(...Array.from({ length: 1025 }, () => ({ Size: 1 }))), INVALID);
  assertEquals(info({ Size: 0 }), INVALID);
  assertEquals(info({ Size: 1 }, { Size: 0 }), INVALID);
  assertEquals(info({ pSystemMem: buffer(rig, 4096, 16) }), INVALID);
  assertEquals(info({ pSystemMem: buffer(rig, 4095) }), INVALID);
  assertEquals(info({ pSystemMem: memory, Size: 4095 }), INVALID);
  assertEquals(info({ pSystemMem: memory, Size: 12288 }), INVALID);
  assertEquals(info({ Size: 2 ** 32 }, { Size: 1 }), "STATUS_GRAPHICS_NO_VIDEO_MEMORY");
  assertEquals([...rig.model.engine.world.all("allocation")], []);
  assertEquals(info({ pSystemMem: memory, Size: 4096 }), OK);
  assertEquals(info({ pSystemMem: memory }), OK);
  assertEquals(info(...Array.from({ length: 1024 }, () => ({ Size: 1 }))), OK);
});

Deno.test("create rounds a size up to pages; of existing memory it takes the buffer's pages", () => {
  const rig = new GpuRig();
  const memory = buffer(rig, 3 * 4096);
  const { outs } = rig.ok("D3DKMTCreateAllocation2", {
    hDevice: rig.device,
    pAllocationInfo2: [{ Size: 4097 }, { pSystemMem: memory }, { pSystemMem: memory, Size: 8192 }],
  });
  assertEquals(outs.hResource, null);
  const all = allocations(outs.pAllocationInfo2).map((each) =>
    [...rig.model.engine.world.all("allocation")].find(({ handle }) => handle === each)?.data
  );
  assertEquals(all.map((data) => data?.partition), ["video", "guest", "guest"]);
  assertEquals(all.map((data) => data?.pages), [
    [0x1000000, 0x1000001],
    [0x100, 0x101, 0x102],
    [0x100, 0x101],
  ]);
});

Deno.test("create with CreateResource makes a resource, which takes more unless it is shared", () => {
  const rig = new GpuRig();
  const add = (hResource: number, Flags = 0) => createStatus(rig, { hResource, Flags });
  const make = (Flags: number) =>
    rig.ok("D3DKMTCreateAllocation2", { hDevice: rig.device, Flags, pAllocationInfo2: [{ Size: 1 }] }).outs;
  const resource = handle(make(CREATE_RESOURCE).hResource);
  assertEquals(add(resource, CREATE_RESOURCE), INVALID);
  assertEquals(add(resource), OK);
  assertEquals(add(handle(make(CREATE_RESOURCE | CREATE_SHARED).hResource)), INVALID);
  const hDevice = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice);
  assertEquals(createStatus(rig, { hDevice, hResource: resource }), INVALID);
});

Deno.test("destroy refuses in order: flags, resource or list, another device's, twice, several resources", () => {
  const rig = new GpuRig();
  const [x, y] = [rig.allocate(1), rig.allocate(1)];
  const destroy = (args: object) => rig.status("D3DKMTDestroyAllocation2", { hDevice: rig.device, ...args });
  const { outs } = rig.ok("D3DKMTCreateAllocation2", {
    hDevice: rig.device,
    Flags: CREATE_RESOURCE,
    pAllocationInfo2: [{ Size: 1 }, { Size: 1 }],
  });
  const [first = 0, second = 0] = allocations(outs.pAllocationInfo2);
  const hDevice = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice);
  assertEquals(destroy({ phAllocationList: [x], Flags: 0x80000000 }), INVALID);
  assertEquals(destroy({ phAllocationList: [x], Flags: 0x4 }), INVALID);
  assertEquals(destroy({}), INVALID);
  assertEquals(destroy({ hResource: outs.hResource, phAllocationList: [first] }), INVALID);
  assertEquals(destroy({ hDevice, phAllocationList: [x] }), INVALID);
  assertEquals(destroy({ hDevice, hResource: outs.hResource }), INVALID);
  assertEquals(destroy({ phAllocationList: [x, x] }), INVALID);
  assertEquals(destroy({ phAllocationList: [x, first] }), INVALID);
  assertEquals(destroy({ phAllocationList: [x, y], Flags: 3 }), OK);
  assertEquals(destroy({ phAllocationList: [x] }), INVALID);
  assertEquals(destroy({ phAllocationList: [first] }), OK);
  assertEquals(destroy({ hResource: outs.hResource }), OK);
  assertEquals(destroy({ phAllocationList: [second] }), INVALID, "it went with its resource");
  assertEquals([...rig.model.engine.world.all("resource"), ...rig.model.engine.world.all("allocation")], []);
});

Deno.test("destroy frees every range that was mapped for the allocation, completed or not", () => {
  const rig = new GpuRig();
  const x = rig.allocate(4);
  rig.map({ hAllocation: x, SizeInPages: 4 });
  rig.complete();
  rig.map({ hAllocation: x, SizeInPages: 2 });
  assertEquals(rig.vads(), ["vad#1 mapped", "vad#2 mapped"]);
  assertEquals(rig.destroy(x), OK);
  assertEquals([rig.vads(), rig.access(0x10000), rig.free(0x10000, 0x4000)], [[], FAULT, INVALID]);
  rig.complete();
  assertEquals(rig.access(0x14000), FAULT, "what was queued for it does nothing");
  assertEquals(rig.map({ hAllocation: rig.allocate(8), SizeInPages: 8 }).outs.VirtualAddress, 0x10000n);
});

Deno.test("destroy goes by each page's owner", () => {
  const rig = new GpuRig();
  const [x, y] = [rig.allocate(8), rig.allocate(8)];
  rig.map({ hAllocation: x, SizeInPages: 8, BaseAddress: 0x40000 });
  rig.map({ hAllocation: y, SizeInPages: 2, BaseAddress: 0x43000 });
  rig.complete();
  assertEquals(rig.destroy(x), OK);
  assertEquals([0x42000, 0x43000, 0x44000, 0x45000].map((address) => rig.access(address)), [FAULT, OK, OK, FAULT]);
  assertEquals(rig.vads(), ["vad#1 mapped"]);
  assertEquals(rig.destroy(y), OK);
  assertEquals(rig.vads(), []);
});

Deno.test("destroy cancels a queued remap: what was there before stays", () => {
  const rig = new GpuRig();
  const [x, y] = [rig.allocate(1), rig.allocate(1)];
  rig.map({ hAllocation: x, SizeInPages: 1, BaseAddress: 0x40000 });
  rig.complete();
  rig.map({ hAllocation: y, SizeInPages: 1, BaseAddress: 0x40000 });
  assertEquals(rig.destroy(y), OK);
  rig.complete();
  assertEquals([rig.vads(), rig.access(0x40000)], [["vad#1 mapped"], OK]);
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1, BaseAddress: 0x40000 });
  assertEquals(rig.destroy(x), OK);
  assertEquals([rig.vads(), rig.access(0x40000)], [["vad#1 mapped"], FAULT], "a remap that is queued keeps the page");
  rig.complete();
  assertEquals(rig.access(0x40000), OK);
});

Deno.test("destroy gives pages of a reservation back to its own state", () => {
  const rig = new GpuRig();
  rig.reserve({ BaseAddress: 0x40000, Size: 0x10000, ReservationType: 1 });
  rig.reserve({ BaseAddress: 0x50000, Size: 0x10000, ReservationType: 0 });
  const x = rig.allocate(16);
  for (const BaseAddress of [0x40000, 0x50000]) rig.map({ hAllocation: x, SizeInPages: 16, BaseAddress });
  rig.complete();
  assertEquals([rig.access(0x50000), rig.destroy(x)], [OK, OK]);
  assertEquals([rig.access(0x40000), rig.access(0x50000)], [OK, FAULT]);
  assertEquals(rig.access(0x40000, { access: 1 }), OK, "writes to Zero are dropped");
  assertEquals(rig.vads(), ["vad#1 reserved", "vad#2 reserved"]);
  assertEquals(rig.mapStatus({ hAllocation: rig.allocate(1), SizeInPages: 1, BaseAddress: 0x41000 }), PENDING);
});

Deno.test("destroyed video memory is given out again, zeroed; existing memory stays its buffer's", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const x = rig.allocate(1);
  rig.map({ hAllocation: x, SizeInPages: 1, Protection: 1 });
  rig.access(0x10000, { access: 1 });
  rig.destroy(x);
  const y = rig.allocate(1);
  const data = [...rig.model.engine.world.all("allocation")].find(({ handle }) => handle === y)?.data;
  assertEquals(data?.pages, [0x1000000]);
  assertEquals(
    rig.model.engine.world.memory.read({ partition: "video", page: 0x1000000, offset: 0 }, 8),
    new Uint8Array(8),
  );
  const memory = buffer(rig, 4096);
  const { outs } = rig.ok("D3DKMTCreateAllocation2", {
    hDevice: rig.device,
    pAllocationInfo2: [{ pSystemMem: memory }],
  });
  assertEquals(rig.destroy(...allocations(outs.pAllocationInfo2)), OK);
  assertEquals(rig.model.call("guest", "ReadBuffer", { Buffer: memory, ByteCount: 1 }).refused, null);
});
