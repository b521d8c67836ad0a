// What the GPU's accesses do to pages in each state.

import { assertEquals } from "../support/assert.ts";
import { allocations, GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const INVALID = "STATUS_INVALID_PARAMETER";
const FAULT = "STATUS_ACCESS_VIOLATION";
const [READ, WRITE, EXECUTE] = [0, 1, 2];

/** What a read, a write and an execution of one page answer. */
function accesses(rig: GpuRig, address: number): string[] {
  return [READ, WRITE, EXECUTE].map((access) => rig.access(address, { access }));
}

Deno.test("an access checks its arguments before the pages", () => {
  const rig = new GpuRig();
  assertEquals(rig.access(0x10000, { bytes: 0 }), INVALID);
  assertEquals(rig.access(0x10000, { access: 3 }), INVALID);
  assertEquals(rig.access(0x10000, { access: WRITE, bytes: (1 << 26) + 1 }), INVALID);
  assertEquals(rig.access(0x10000, { bytes: 0xffffffff }), FAULT);
});

Deno.test("each page state allows its accesses", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const hAllocation = rig.allocate(1);
  const bases = [0, 1, 2, 3].map((Protection) =>
    Number(rig.map({ hAllocation, SizeInPages: 1, Protection }).outs.VirtualAddress)
  );
  assertEquals(bases.map((base) => accesses(rig, base)), [
    [OK, FAULT, FAULT],
    [OK, OK, FAULT],
    [OK, FAULT, OK],
    [OK, OK, OK],
  ]);
  rig.map({ SizeInPages: 1, BaseAddress: 0x40000, Protection: 4 });
  rig.map({ SizeInPages: 1, BaseAddress: 0x50000, Protection: 8 });
  assertEquals(accesses(rig, 0x40000), [OK, OK, FAULT]);
  assertEquals(accesses(rig, 0x50000), [FAULT, FAULT, FAULT]);
  assertEquals(accesses(rig, 0x60000), [FAULT, FAULT, FAULT]);
  assertEquals(rig.access(2 ** 48 - 4096, { bytes: 8192 }), FAULT);
});

Deno.test("a page whose map has not completed faults, also where a wait for it is queued", () => {
  const rig = new GpuRig();
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  rig.ok("D3DKMTWaitForSynchronizationObjectFromGpu", {
    hContext: rig.context,
    ObjectHandleArray: [rig.fence],
    FenceValueArray: [1],
  });
  assertEquals(rig.access(0x10000), FAULT);
  rig.complete();
  assertEquals(rig.access(0x10000), OK);
});

Deno.test("until a remap completes, the old mapping is what the GPU sees", () => {
  const rig = new GpuRig();
  const hAllocation = rig.allocate(1);
  rig.map({ hAllocation, SizeInPages: 1, BaseAddress: 0x40000, Protection: WRITE });
  rig.complete();
  rig.map({ hAllocation, SizeInPages: 1, BaseAddress: 0x40000 });
  assertEquals(rig.access(0x40000, { access: WRITE }), OK);
  rig.complete();
  assertEquals(rig.access(0x40000, { access: WRITE }), FAULT);
});

Deno.test("a write stores each word's own address, in guest pages too, cut at the access's ends", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const memory = handle(rig.model.call("guest", "AllocateBuffer", { ByteCount: 8192 }).value);
  const { outs } = rig.ok("D3DKMTCreateAllocation2", {
    hDevice: rig.device,
    pAllocationInfo2: [{ pSystemMem: memory }],
  });
  const [hAllocation] = allocations(outs.pAllocationInfo2);
  rig.map({ hAllocation, SizeInPages: 2, BaseAddress: 0x12345000, Protection: WRITE });
  assertEquals(rig.access(0x12345ffd, { bytes: 14, access: WRITE }), OK);
  const { deltas } = rig.model;
  assertEquals(deltas, ["guest 0x100+4093 000000", "guest 0x101+0 0060341200000000086034"]);
  const read = rig.model.call("guest", "ReadBuffer", { Buffer: memory, Offset: 4096, ByteCount: 8 }).value;
  assertEquals(read, new Uint8Array([0x00, 0x60, 0x34, 0x12, 0, 0, 0, 0]));
});

Deno.test("a write goes to the allocation's page, whatever the offset and the place", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const hAllocation = rig.allocate(4);
  rig.map({ hAllocation, OffsetInPages: 2, SizeInPages: 2, BaseAddress: 0x40000, Protection: WRITE });
  rig.free(0x40000, 0x1000);
  assertEquals(rig.access(0x41008, { bytes: 4, access: WRITE }), OK);
  assertEquals(rig.model.deltas, ["video 0x1000003+8 08100400"]);
});

Deno.test("a faulting write stores nothing, and a write to Zero neither", () => {
  const rig = new GpuRig({ paging: "immediate" });
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1, BaseAddress: 0x40000, Protection: WRITE });
  assertEquals(rig.access(0x40000, { bytes: 4097, access: WRITE }), FAULT);
  rig.map({ SizeInPages: 1, BaseAddress: 0x41000, Protection: 4 });
  assertEquals(rig.access(0x41000, { access: WRITE }), OK);
  assertEquals(rig.model.deltas, []);
  assertEquals(rig.access(0x40ff8, { bytes: 16, access: WRITE }), OK);
  assertEquals(rig.model.deltas, ["video 0x1000000+4088 f80f040000000000"]);
});
