// Residency: counts, budgets, evictions, offers. What no scenario says: the counts under any order of calls.

import fc from "fast-check";
import type { GivenArgs } from "../../src/engine/mod.ts";
import type { CallName } from "../../src/api/mod.ts";
import { statusName } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const PENDING = "STATUS_PENDING";
const INVALID = "STATUS_INVALID_PARAMETER";
const NO_MEMORY = "STATUS_NO_MEMORY";
const FAULT = "STATUS_ACCESS_VIOLATION";
const PAGE = 0x1000;
const [CANT_TRIM, MUST_SUCCEED, IF_NECESSARY] = [1, 2, 1];

function hold(rig: GpuRig, list: readonly number[], Flags = 0): string {
  return rig.status("D3DKMTMakeResident", { hPagingQueue: rig.queue, AllocationList: list, Flags });
}

function evict(rig: GpuRig, list: readonly number[], Flags = 0): string {
  return rig.status("D3DKMTEvict", { hDevice: rig.device, AllocationList: list, Flags });
}

/** What a call answers and one of its outputs. */
function withOut(rig: GpuRig, [name, args, out]: readonly [CallName, GivenArgs, string]): unknown[] {
  const { status, outs } = rig.call(name, args);
  return [statusName(status), outs[out]];
}

/** An allocation of one page that is mapped at an address, at once. */
function mapped(rig: GpuRig, address: number): number {
  const hAllocation = rig.allocate(1);
  rig.map({ hAllocation, SizeInPages: 1, BaseAddress: address, Protection: 1 });
  rig.complete();
  return hAllocation;
}

Deno.test("what a queue makes resident is there when its fence is, what is there needs none", () => {
  const rig = new GpuRig();
  const x = mapped(rig, 0x40000);
  const makeResident = ["D3DKMTMakeResident", { hPagingQueue: rig.queue, AllocationList: [x] }] as const;
  assertEquals(rig.access(0x40000), OK, "nobody asked");
  assertEquals(withOut(rig, [...makeResident, "PagingFenceValue"]), [PENDING, 2n]);
  assertEquals(rig.access(0x40000), FAULT);
  assertEquals(withOut(rig, [...makeResident, "PagingFenceValue"]), [PENDING, 3n]);
  rig.complete(2);
  assertEquals(rig.access(0x40000), OK);
  assertEquals(withOut(rig, [...makeResident, "PagingFenceValue"]), [OK, 0n]);
});

Deno.test("a destroyed queue brings in what it has queued", () => {
  const rig = new GpuRig();
  const x = mapped(rig, 0x40000);
  assertEquals(hold(rig, [x]), PENDING);
  assertEquals(rig.call("D3DKMTDestroyPagingQueue", { hPagingQueue: rig.queue }).blocked, true);
  rig.complete();
  assertEquals(rig.access(0x40000), OK);
});

Deno.test("a list counts all or nothing", () => {
  const rig = new GpuRig({ paging: "immediate", "residency-budget": String(3 * PAGE) });
  const [x, y] = [rig.allocate(2), rig.allocate(2)];
  const other = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice);
  const foreign = rig.allocate(1, other);
  assertEquals([hold(rig, [x, y]), hold(rig, [x, foreign])], [NO_MEMORY, INVALID]);
  assertEquals(evict(rig, [x]), INVALID, "it was never counted");
  assertEquals(hold(rig, [x]), OK);
  assertEquals([evict(rig, [x, y]), evict(rig, [x, foreign]), evict(rig, [x, x])], [INVALID, INVALID, INVALID]);
  assertEquals(evict(rig, [x]), OK);
});

Deno.test("the budget is each process's, the memory everyone's; only the budget gives way", () => {
  const rig = new GpuRig({ paging: "immediate", "residency-budget": String(PAGE), "video-memory": String(2 * PAGE) });
  const other = new GpuRig({}, { model: rig.model, side: "umd#2" });
  const [x, y] = [rig.allocate(1), rig.allocate(1)];
  assertEquals([hold(rig, [x]), hold(rig, [y])], [OK, NO_MEMORY]);
  assertEquals(hold(other, [other.allocate(1)]), OK);
  assertEquals(hold(rig, [y], CANT_TRIM), NO_MEMORY);
  const { outs } = rig.call("D3DKMTMakeResident", { hPagingQueue: rig.queue, AllocationList: [y] });
  assertEquals(outs.NumBytesToTrim, BigInt(PAGE));
  assertEquals(hold(rig, [x], CANT_TRIM), OK, "it is there already");
  assertEquals(hold(rig, [y], CANT_TRIM | MUST_SUCCEED), NO_MEMORY);
  assertEquals([...rig.model.engine.world.all("device")].map(({ data }) => data.execution), [5, 1]);
});

Deno.test("what lingers goes when memory is short, the oldest first", () => {
  const rig = new GpuRig({ paging: "immediate", "residency-budget": String(2 * PAGE) });
  const [x, y] = [mapped(rig, 0x40000), mapped(rig, 0x50000)];
  const access = () => [rig.access(0x40000), rig.access(0x50000)];
  assertEquals([hold(rig, [x, y]), evict(rig, [x, y], IF_NECESSARY)], [OK, OK]);
  assertEquals(access(), [OK, OK]);
  assertEquals(hold(rig, [rig.allocate(1)]), OK);
  assertEquals(access(), [FAULT, OK]);
  assertEquals([evict(rig, [y]), hold(rig, [y])], [INVALID, OK], "what lingers has no count");
  assertEquals(access(), [FAULT, OK]);
});

Deno.test("a dropped offer comes back as zeros, existing memory as it was", () => {
  const rig = new GpuRig({ paging: "immediate", "offered-content": "dropped" });
  const x = mapped(rig, 0x40000);
  rig.access(0x40000, { access: 1, bytes: 8 });
  const pages = () => rig.model.engine.world.memory.read({ partition: "video", page: 0x1000000, offset: 0 }, 8);
  assertEquals(pages()[2], 4);
  rig.ok("D3DKMTOfferAllocations", { hDevice: rig.device, AllocationList: [x], Priority: 1 });
  assertEquals([rig.access(0x40000), pages()[2]], [FAULT, 0]);
  const reclaimed = rig.ok("D3DKMTReclaimAllocations2", { hPagingQueue: rig.queue, AllocationList: [x] }).outs;
  assertEquals([reclaimed.Results, rig.access(0x40000)], [[1], OK]);
});

/** Makes calls on three allocations; each must answer what a plain count says, and reach what it says. */
function checkCounts(steps: readonly { readonly isEvict: boolean; readonly list: readonly number[] }[]): void {
  const rig = new GpuRig({ paging: "immediate", "never-resident": "faults" });
  const bases = [0x40000, 0x50000, 0x60000];
  const allocations = bases.map((base) => mapped(rig, base));
  const counts = bases.map(() => 0);
  for (const { isEvict, list } of steps) {
    const after = counts.map((count, index) => {
      const times = list.filter((each) => each === index).length;
      return isEvict ? count - times : count + times;
    });
    const isLegal = list.length > 0 && after.every((count) => count >= 0);
    const handles = list.map((index) => allocations[index] ?? 0);
    assertEquals(isEvict ? evict(rig, handles) : hold(rig, handles), isLegal ? OK : INVALID);
    if (isLegal) counts.splice(0, counts.length, ...after);
    assertEquals(bases.map((base) => rig.access(base)), counts.map((count) => count > 0 ? OK : FAULT));
  }
}

Deno.test("counts agree with a plain count under any order of calls", () => {
  const step = fc.record({ isEvict: fc.boolean(), list: fc.array(fc.nat(2), { maxLength: 3 }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), checkCounts), { numRuns: 40, seed: 5 });
});
