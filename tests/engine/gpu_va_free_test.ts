// D3DKMTFreeGpuVirtualAddress and what ends with a range, one rule a line.

import { assertEquals } from "../support/assert.ts";
import { Model } from "../support/model.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const PENDING = "STATUS_PENDING";
const INVALID = "STATUS_INVALID_PARAMETER";
const NO_MEMORY = "STATUS_NO_MEMORY";
const FAULT = "STATUS_ACCESS_VIOLATION";

Deno.test("free refuses in order: alignment, size 0, space, pages that are not obtained, two ranges", () => {
  const rig = new GpuRig({ "va-bits": "32" });
  const x = rig.allocate(4);
  rig.map({ hAllocation: x, SizeInPages: 2, BaseAddress: 0x40000 });
  rig.map({ hAllocation: x, SizeInPages: 2, BaseAddress: 0x42000 });
  assertEquals(rig.free(0x40800, 0x1000), INVALID);
  assertEquals(rig.free(0x40000, 0x800), INVALID);
  assertEquals(rig.free(0x40000, 0), INVALID);
  assertEquals(rig.free(0xfffff000, 0x2000), INVALID);
  assertEquals(rig.free(0x10000, 0x1000), INVALID);
  assertEquals(rig.free(0, 0x1000), INVALID);
  assertEquals(rig.free(0x3f000, 0x3000), INVALID);
  assertEquals(rig.free(0x43000, 0x2000), INVALID);
  assertEquals(rig.free(0x40000, 0x4000), INVALID, "adjacent, but two ranges");
  assertEquals(rig.free(0x40000, 0x2000), OK);
  assertEquals(rig.free(0x40000, 0x2000), INVALID);
  assertEquals(rig.free(0x42000, 0x2000, handle(rig.ok("D3DKMTOpenAdapterFromLuid").outs.hAdapter)), INVALID);
  assertEquals(rig.vads(), ["vad#2 mapped"]);
});

Deno.test("a partial free splits the range, which ends with its last page", () => {
  const rig = new GpuRig();
  rig.map({ hAllocation: rig.allocate(8), SizeInPages: 8, BaseAddress: 0x40000 });
  rig.complete();
  assertEquals(rig.free(0x43000, 0x2000), OK);
  assertEquals(rig.vads(), ["vad#1 mapped"]);
  assertEquals([rig.access(0x42000), rig.access(0x43000), rig.access(0x45000)], [OK, FAULT, OK]);
  assertEquals(rig.free(0x42000, 0x4000), INVALID, "a hole is between");
  assertEquals(rig.free(0x40000, 0x3000), OK);
  assertEquals(rig.vadState(1), "mapped");
  assertEquals(rig.free(0x45000, 0x3000), OK);
  assertEquals(rig.vadState(1), "freed");
});

Deno.test("partial-free=refuse takes whole ranges only, and whole pieces that a destroyed allocation left", () => {
  const rig = new GpuRig({ "partial-free": "refuse" });
  const [x, y] = [rig.allocate(8), rig.allocate(8)];
  rig.map({ hAllocation: x, SizeInPages: 8, BaseAddress: 0x40000 });
  assertEquals(rig.free(0x40000, 0x7000), INVALID);
  assertEquals(rig.mapStatus({ hAllocation: y, SizeInPages: 2, BaseAddress: 0x42000 }), PENDING);
  rig.complete();
  assertEquals(rig.destroy(x), OK);
  assertEquals(rig.free(0x42000, 0x1000), INVALID);
  assertEquals(rig.free(0x42000, 0x2000), OK);
  assertEquals(rig.vadState(1), "freed");
});

Deno.test("one free takes a whole reservation with several mappings inside", () => {
  const rig = new GpuRig();
  rig.reserve({ BaseAddress: 0x40000, Size: 0x20000 });
  rig.map({ hAllocation: rig.allocate(2), SizeInPages: 2, BaseAddress: 0x41000 });
  rig.map({ hAllocation: rig.allocate(2), SizeInPages: 2, BaseAddress: 0x48000 });
  assertEquals(rig.free(0x40000, 0x20000), OK);
  assertEquals(rig.vads(), []);
  assertEquals(rig.reserveStatus({ BaseAddress: 0x40000, Size: 0x20000 }), OK);
});

Deno.test("free cancels what is queued for its pages, and for no others", () => {
  const rig = new GpuRig();
  const x = rig.allocate(4);
  rig.map({ hAllocation: x, SizeInPages: 4, BaseAddress: 0x40000 });
  rig.reserve({ BaseAddress: 0x50000, Size: 0x10000, ReservationType: 1 });
  assertEquals(rig.free(0x41000, 0x1000), OK);
  assertEquals(rig.free(0x50000, 0x10000), OK);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1, BaseAddress: 0x41000 }), PENDING);
  rig.complete(2);
  assertEquals([rig.access(0x40000), rig.access(0x41000), rig.access(0x50000)], [OK, FAULT, FAULT]);
  rig.complete(3);
  assertEquals(rig.access(0x41000), OK);
});

Deno.test("linked GPUs: one range for all, page tables of the queue's GPU change", () => {
  const rig = new GpuRig({ "physical-adapters": "2" });
  const second = rig.ok("D3DKMTCreatePagingQueue", { hDevice: rig.device, PhysicalAdapterIndex: 1 }).outs;
  const other = handle(second.hPagingQueue);
  const context = handle(
    rig.ok("D3DKMTCreateContextVirtual", { hDevice: rig.device, EngineAffinity: 2 }).outs.hContext,
  );
  const [x, y] = [rig.allocate(2), rig.allocate(2)];
  rig.map({ hAllocation: x, SizeInPages: 2, BaseAddress: 0x40000 });
  rig.complete();
  assertEquals([rig.access(0x40000), rig.access(0x40000, { context })], [OK, FAULT]);
  rig.map({ hPagingQueue: other, hAllocation: y, SizeInPages: 1, BaseAddress: 0x40000 });
  rig.complete(undefined, other);
  assertEquals([rig.access(0x40000), rig.access(0x40000, { context })], [OK, OK]);
  assertEquals(rig.destroy(x), OK);
  assertEquals([rig.access(0x40000), rig.access(0x40000, { context })], [FAULT, OK]);
  assertEquals(rig.free(0x41000, 0x1000), INVALID, "the page that only x had went with it");
  assertEquals(rig.destroy(y), OK);
  assertEquals(rig.vadState(1), "freed");
});

Deno.test("a failing call planned with FailNext leaves no range", () => {
  const rig = new GpuRig({}, { model: new Model() });
  const x = rig.allocate(1);
  rig.model.call("machine", "FailNext", { Call: "D3DKMTMapGpuVirtualAddress", Status: 0xc0000017 });
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1 }), NO_MEMORY);
  assertEquals(rig.vads(), []);
});
