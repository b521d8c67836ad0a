// Paging queues and monitored fences.

import type { Value } from "../../src/api/mod.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const INVALID = "STATUS_INVALID_PARAMETER";
const DENIED = "STATUS_ACCESS_DENIED";
const FAULT = "STATUS_ACCESS_VIOLATION";
const NO_SIGNAL = 0x10;
const NO_WAIT = 0x20;

function fence(rig: GpuRig, args: object = {}): number {
  return handle(
    rig.ok("D3DKMTCreateSynchronizationObject2", { hDevice: rig.device, Type: 5, ...args }).outs.hSyncObject,
  );
}

function wait(rig: GpuRig, objects: number[], values: number[], WaitAny = false) {
  return rig.call("D3DKMTWaitForSynchronizationObjectFromCpu", {
    hDevice: rig.device,
    ObjectHandleArray: objects,
    FenceValueArray: values,
    WaitAny,
  });
}

function signal(rig: GpuRig, objects: number[], values: number[]): string {
  return rig.status("D3DKMTSignalSynchronizationObjectFromCpu", {
    hDevice: rig.device,
    ObjectHandleArray: objects,
    FenceValueArray: values,
  });
}

function valueOf(rig: GpuRig, object: number): bigint | undefined {
  return [...rig.model.engine.world.all("syncObject")].find(({ handle }) => handle === object)?.data.value;
}

/** Statuses of calls that waited and returned. */
function left(rig: GpuRig): (string | number)[] {
  return rig.model.leaves.map(({ event, outcome }) =>
    `@${event} ${outcome.form === "status" ? outcome.status : outcome.form}`
  );
}

Deno.test("a paging queue has a priority of -1 to 1, and one of the physical GPUs", () => {
  const rig = new GpuRig({ "physical-adapters": "2" });
  const create = (args: object) => rig.status("D3DKMTCreatePagingQueue", { hDevice: rig.device, ...args });
  assertEquals(create({ Priority: -2 }), INVALID);
  assertEquals(create({ Priority: 2 }), INVALID);
  assertEquals(create({ PhysicalAdapterIndex: 2 }), INVALID);
  assertEquals(create({ PhysicalAdapterIndex: 0x80000000 }), INVALID);
  assertEquals([create({ Priority: -1 }), create({ Priority: 1, PhysicalAdapterIndex: 1 })], [OK, OK]);
});

Deno.test("CompletePaging runs a queue up to a value, and signals no more than was issued", () => {
  const rig = new GpuRig();
  const x = rig.allocate(3);
  for (const OffsetInPages of [0, 1, 2]) rig.map({ hAllocation: x, OffsetInPages, SizeInPages: 1 });
  rig.complete(0);
  assertEquals([valueOf(rig, rig.fence), rig.access(0x10000)], [0n, FAULT]);
  rig.complete(2);
  assertEquals([valueOf(rig, rig.fence), rig.access(0x11000), rig.access(0x12000)], [2n, OK, FAULT]);
  rig.complete(1);
  assertEquals(valueOf(rig, rig.fence), 2n);
  rig.complete(99);
  assertEquals([valueOf(rig, rig.fence), rig.access(0x12000)], [3n, OK]);
});

Deno.test("queues complete apart from each other: the last to complete wins a page", () => {
  const rig = new GpuRig();
  const other = handle(rig.ok("D3DKMTCreatePagingQueue", { hDevice: rig.device }).outs.hPagingQueue);
  const x = rig.allocate(1);
  rig.map({ hAllocation: x, SizeInPages: 1, Protection: 1 });
  rig.map({ hPagingQueue: other, hAllocation: x, SizeInPages: 1, BaseAddress: 0x10000 });
  rig.complete(1, other);
  assertEquals(rig.access(0x10000, { access: 1 }), FAULT);
  rig.complete(1);
  assertEquals(rig.access(0x10000, { access: 1 }), OK);
});

Deno.test("destroying a queue waits for its operations; meanwhile it takes no more", () => {
  const rig = new GpuRig();
  const x = rig.allocate(2);
  rig.map({ hAllocation: x, SizeInPages: 1 });
  const destroy = () => rig.call("D3DKMTDestroyPagingQueue", { hPagingQueue: rig.queue });
  const first = destroy();
  assertEquals([first.blocked, destroy().status], [true, 0xc000000d]);
  assertEquals([rig.mapStatus({ hAllocation: x, SizeInPages: 1 }), rig.reserveStatus({ Size: 0x10000 })], [
    INVALID,
    INVALID,
  ]);
  rig.complete(1);
  assertEquals(left(rig), [`@${first.event} 0`]);
  assertEquals([...rig.model.engine.world.all("pagingQueue"), ...rig.model.engine.world.all("syncObject")], []);
  assertEquals(rig.access(0x10000), OK, "addresses stay");
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1 }), INVALID);
});

Deno.test("destroying an idle queue does not wait", () => {
  const rig = new GpuRig();
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  rig.complete();
  assertEquals(rig.status("D3DKMTDestroyPagingQueue", { hPagingQueue: rig.queue }), OK);
});

Deno.test("a device that ends finishes its queues, and calls that wait for them return", () => {
  const rig = new GpuRig();
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  const waiting = wait(rig, [rig.fence], [5]);
  const destroying = rig.call("D3DKMTDestroyPagingQueue", { hPagingQueue: rig.queue });
  rig.ok("D3DKMTDestroyDevice", { hDevice: rig.device });
  assertEquals(left(rig), [`@${waiting.event} ${0xc000000d}`, `@${destroying.event} 0`]);
});

Deno.test("a synchronization object is a monitored fence; other types are not modelled", () => {
  const rig = new GpuRig();
  const create = (args: object) => rig.status("D3DKMTCreateSynchronizationObject2", { hDevice: rig.device, ...args });
  assertEquals(create({}), INVALID);
  assertEquals(create({ Type: 7 }), INVALID);
  assertEquals(create({ Type: 5, Flags: 0x100 }), INVALID);
  assertEquals(create({ Type: 5, Flags: 1 }), INVALID);
  assertEquals([1, 2, 3, 4, 6].map((Type) => create({ Type })), Array(5).fill("STATUS_NOT_SUPPORTED"));
  assertEquals([create({ Type: 5 }), create({ Type: 5, Flags: 3 })], [OK, OK]);
});

Deno.test("a wait of the CPU refuses lists that do not match and fences not to be waited for", () => {
  const rig = new GpuRig();
  const f = fence(rig);
  assertEquals(wait(rig, [], []).status, 0xc000000d);
  assertEquals(wait(rig, [f], []).status, 0xc000000d);
  assertEquals(wait(rig, [f], [0, 0]).status, 0xc000000d);
  assertEquals(wait(rig, [fence(rig, { Flags: NO_WAIT })], [0]).status, 0xc0000022);
  assertEquals(wait(rig, [f], [0]).status, 0);
});

Deno.test("a wait of the CPU is met at or above its values: of all, or of any", () => {
  const rig = new GpuRig();
  const [f, g] = [fence(rig), fence(rig, { InitialFenceValue: 3 })];
  assertEquals(wait(rig, [f, g], [0, 3]).blocked, false);
  assertEquals(wait(rig, [f, g], [1, 3], true).blocked, false);
  const all = wait(rig, [f, g], [2, 4]);
  const any = wait(rig, [f, g], [2, 4], true);
  assertEquals([all.blocked, any.blocked], [true, true]);
  assertEquals(signal(rig, [f], [1]), OK);
  assertEquals(left(rig), []);
  assertEquals(signal(rig, [g], [9]), OK);
  assertEquals(left(rig), [`@${any.event} 0`]);
  rig.model.call("gpu", "SignalFence", { hSyncObject: f, Value: 2 });
  assertEquals(left(rig), [`@${any.event} 0`, `@${all.event} 0`]);
});

Deno.test("a wait for a paging fence returns when the queue reaches it", () => {
  const rig = new GpuRig();
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  const { event, blocked } = wait(rig, [rig.fence], [1]);
  rig.complete(1);
  assertEquals([blocked, left(rig)], [true, [`@${event} 0`]]);
});

Deno.test("a wait fails when its object ends, one for any only when all have", () => {
  const rig = new GpuRig();
  const [f, g] = [fence(rig), fence(rig)];
  const all = wait(rig, [f, g], [1, 1]);
  const any = wait(rig, [f, g], [1, 1], true);
  rig.ok("D3DKMTDestroySynchronizationObject", { hSyncObject: f });
  assertEquals(left(rig), [`@${all.event} ${0xc000000d}`]);
  rig.ok("D3DKMTDestroySynchronizationObject", { hSyncObject: g });
  assertEquals(left(rig).slice(1), [`@${any.event} ${0xc000000d}`]);
});

Deno.test("a signal sets values, lower ones too; a paging fence is its queue's alone to signal", () => {
  const rig = new GpuRig();
  const [f, g] = [fence(rig), fence(rig)];
  assertEquals(signal(rig, [], []), INVALID);
  assertEquals(signal(rig, [f, g], [1]), INVALID);
  assertEquals(signal(rig, [f, rig.fence], [1, 1]), DENIED);
  assertEquals(signal(rig, [fence(rig, { Flags: NO_SIGNAL })], [1]), DENIED);
  assertEquals(valueOf(rig, f), 0n);
  assertEquals(signal(rig, [f, g], [5, 6]), OK);
  assertEquals(signal(rig, [f], [2]), OK);
  assertEquals([valueOf(rig, f), valueOf(rig, g)], [2n, 6n]);
  const { refused } = rig.model.call("gpu", "SignalFence", { hSyncObject: rig.fence, Value: 1 });
  assertStringIncludes(refused ?? "", "pagingQueue#1 alone");
});

Deno.test("a wait of the GPU is queued on its context, and gone when it is met", () => {
  const rig = new GpuRig();
  const f = fence(rig);
  const queueWait = (objects: number[], values: number[]) =>
    rig.status("D3DKMTWaitForSynchronizationObjectFromGpu", {
      hContext: rig.context,
      ObjectHandleArray: objects,
      FenceValueArray: values,
    });
  assertEquals(queueWait([], []), INVALID);
  assertEquals(queueWait([f], []), INVALID);
  assertEquals(queueWait([fence(rig, { Flags: NO_WAIT })], [1]), DENIED);
  assertEquals(queueWait([rig.fence, f], [1, 5]), OK);
  assertEquals(queueWait([f], [3]), OK);
  const queued = () => [...rig.model.engine.world.gpuQueues.values()].map(({ commands }) => commands.length);
  assertEquals(queued(), [2]);
  assertEquals([signal(rig, [f], [5]), queued()], [OK, [2]], "the paging fence is not there");
  rig.map({ hAllocation: rig.allocate(1), SizeInPages: 1 });
  rig.complete();
  assertEquals(queued(), []);
});

Deno.test("fence values of a paging queue are exact above 2^53", () => {
  const rig = new GpuRig();
  const [queue] = rig.model.engine.world.all("pagingQueue");
  const start = 2n ** 60n;
  if (queue !== undefined) Object.assign(queue.data, { lastFence: start, completedFence: start });
  const x = rig.allocate(2);
  const { outs } = rig.map({ hAllocation: x, SizeInPages: 1 });
  rig.map({ hAllocation: x, OffsetInPages: 1, SizeInPages: 1 });
  assertEquals(outs.PagingFenceValue, start + 1n);
  const complete = (FenceValue: bigint) =>
    rig.model.call("gpu", "CompletePaging", { hPagingQueue: rig.queue, FenceValue });
  complete(start);
  assertEquals([valueOf(rig, rig.fence), rig.access(0x10000)], [0n, FAULT]);
  complete(start + 1n);
  assertEquals([valueOf(rig, rig.fence), rig.access(0x10000), rig.access(0x11000)], [start + 1n, OK, FAULT]);
});

Deno.test("with paging-priority=highest-first a queue waits for those above it, of its own device alone", () => {
  const rig = new GpuRig({ "paging-priority": "highest-first" });
  const create = (hDevice: number, Priority: number) => rig.ok("D3DKMTCreatePagingQueue", { hDevice, Priority }).outs;
  const [high, low] = [create(rig.device, 1), create(rig.device, -1)];
  const elsewhere = create(handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice), 1);
  const reserve = (queue: Value | undefined) =>
    rig.ok("D3DKMTReserveGpuVirtualAddress", { hPagingQueue: queue, Size: 0x10000 });
  for (const { hPagingQueue } of [high, low, elsewhere]) reserve(hPagingQueue);
  reserve(rig.queue);
  const values = () =>
    [high, low, elsewhere].map(({ hSyncObject }) => valueOf(rig, handle(hSyncObject))).concat(valueOf(rig, rig.fence));
  rig.complete(1, handle(low.hPagingQueue));
  assertEquals(values(), [1n, 1n, 0n, 1n]);
});
