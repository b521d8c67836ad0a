// Adapters, devices, contexts, the end of a device and of a process.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const INVALID = "STATUS_INVALID_PARAMETER";
const FAULT = "STATUS_ACCESS_VIOLATION";

Deno.test("each open gives an adapter of its own; all of one LUID share the process's address space", () => {
  const rig = new GpuRig();
  const again = handle(rig.ok("D3DKMTOpenAdapterFromLuid", { AdapterLuid: 1 }).outs.hAdapter);
  assertEquals(again === rig.adapter, false);
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  assertEquals(rig.free(0x10000, 0x1000, again), OK);
});

Deno.test("a context's affinity is a mask whose lowest bit is its GPU, 0 the first", () => {
  const rig = new GpuRig({ "physical-adapters": "32" });
  const gpuOf = (EngineAffinity: number) => {
    const { outs } = rig.ok("D3DKMTCreateContextVirtual", { hDevice: rig.device, EngineAffinity });
    const context = [...rig.model.engine.world.all("context")].find(({ handle }) => handle === outs.hContext);
    return context?.data.physicalAdapter;
  };
  assertEquals([0, 1, 2, 6, 0x80000000].map(gpuOf), [0, 0, 1, 1, 31]);
  const single = new GpuRig();
  assertEquals(single.status("D3DKMTCreateContextVirtual", { hDevice: single.device, EngineAffinity: 2 }), INVALID);
  assertEquals(single.status("D3DKMTCreateContextVirtual", { hDevice: single.device, EngineAffinity: 3 }), OK);
});

Deno.test("a destroyed device takes allocations and their addresses along, not reservations", () => {
  const rig = new GpuRig();
  rig.reserve({ BaseAddress: 0x40000, Size: 0x10000, ReservationType: 1 });
  rig.map({ hAllocation: rig.allocate(2), SizeInPages: 2 });
  rig.map({ hAllocation: rig.allocate(2), SizeInPages: 2, BaseAddress: 0x40000 });
  rig.ok("D3DKMTCreateAllocation2", { hDevice: rig.device, Flags: 1, pAllocationInfo2: [{ Size: 4096 }] });
  assertEquals(rig.status("D3DKMTDestroyDevice", { hDevice: rig.device }), OK);
  const { world } = rig.model.engine;
  for (const kind of ["device", "context", "pagingQueue", "syncObject", "resource", "allocation"] as const) {
    assertEquals([...world.all(kind)], [], kind);
  }
  assertEquals(rig.vads(), ["vad#1 reserved"]);
  const device = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice);
  const context = handle(rig.ok("D3DKMTCreateContextVirtual", { hDevice: device }).outs.hContext);
  assertEquals(rig.access(0x40000, { context }), OK, "its queue finished the reservation");
  assertEquals(rig.free(0x40000, 0x10000), OK);
});

Deno.test("another device's allocations keep their addresses", () => {
  const rig = new GpuRig();
  const second = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice);
  rig.map({ hAllocation: rig.allocate(1, second), SizeInPages: 1 });
  rig.complete();
  rig.ok("D3DKMTDestroyDevice", { hDevice: rig.device });
  assertEquals(rig.vads(), ["vad#1 mapped"]);
  const context = handle(rig.ok("D3DKMTCreateContextVirtual", { hDevice: second }).outs.hContext);
  assertEquals(rig.access(0x10000, { context }), OK);
});

Deno.test("a device works on when its adapter's handle is closed", () => {
  const rig = new GpuRig();
  rig.ok("D3DKMTCloseAdapter", { hAdapter: rig.adapter });
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  rig.complete();
  assertEquals(rig.access(0x10000), OK);
  assertEquals(rig.status("D3DKMTCreatePagingQueue", { hDevice: rig.device }), OK);
});

Deno.test("an exiting process takes everything along, and nobody else's", () => {
  const rig = new GpuRig();
  const other = new GpuRig({}, { model: rig.model, side: "umd#2" });
  for (const each of [rig, other]) {
    each.map({ hAllocation: each.allocate(1), SizeInPages: 1 });
    each.reserve({ Size: 0x10000 });
  }
  const wait = rig.call("D3DKMTWaitForSynchronizationObjectFromCpu", {
    hDevice: rig.device,
    ObjectHandleArray: [rig.fence],
    FenceValueArray: [2],
  });
  assertEquals(rig.model.call("machine", "ExitProcess", { Side: "umd#1" }).refused, null);
  const { world } = rig.model.engine;
  for (const kind of ["adapter", "device", "context", "pagingQueue", "syncObject", "allocation"] as const) {
    assertEquals([...world.all(kind)].map(({ side }) => side), ["umd#2"], kind);
  }
  assertEquals(rig.vads(), ["vad#3 mapped", "vad#4 reserved"]);
  assertEquals([...world.spaces.keys()], ["umd#2 on 1"]);
  assertEquals([wait.blocked, world.parked.length, rig.model.leaves.length], [true, 0, 0]);
  other.complete();
  assertEquals(other.access(0x10000), OK);
  assertEquals(rig.access(0x10000), INVALID, "its context is gone");
  const reborn = new GpuRig({}, { model: rig.model });
  assertEquals(reborn.access(0x10000), FAULT);
});

Deno.test("only a user-mode driver has a process to exit", () => {
  const rig = new GpuRig();
  for (const side of ["kmd", "client", "host", "umd#0", ""]) {
    const { refused } = rig.model.call("machine", "ExitProcess", { Side: side });
    assertStringIncludes(refused ?? "", "is no process");
  }
  assertEquals(rig.model.call("machine", "ExitProcess", { Side: "guest-umd" }).refused, null);
});
