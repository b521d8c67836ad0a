// Rules about updates, work, residency, fences and handles of the GPU, from calls that answer what the test says: what the
// model never answers, and what scenarios do not show.

import type { Detector } from "../../src/audit/detector.ts";
import { gpuHandleDetector } from "../../src/audit/gpu_handle_rules.ts";
import { gpuObjectDetector } from "../../src/audit/gpu_object_rules.ts";
import { gpuPendingDetector } from "../../src/audit/gpu_pending_rules.ts";
import { gpuQueueDetector } from "../../src/audit/gpu_queue_rules.ts";
import { gpuResidencyDetector } from "../../src/audit/gpu_residency_rules.ts";
import { gpuUpdateDetector } from "../../src/audit/gpu_update_rules.ts";
import { gpuVaDetector } from "../../src/audit/gpu_va_rules.ts";
import { gpuWorkDetector } from "../../src/audit/gpu_work_rules.ts";
import { GpuWork } from "../../src/audit/gpu_work_states.ts";
import { GpuWorld } from "../../src/audit/gpu_world.ts";
import { leakRateDetector } from "../../src/audit/leak_rate.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { header, ref, status } from "../support/events.ts";
import { detect, type DetectOptions } from "./detect.ts";
import { GpuStory } from "./gpu_story.ts";

const BASE = 0x100000n;
const NEVER = { isImmediate: false, endsWaits: false } as const;

function detectors(): readonly Detector[] {
  const world = new GpuWorld();
  return [gpuVaDetector(world), gpuUpdateDetector(world), gpuResidencyDetector(world), gpuWorkDetector(world)];
}

function linesOf(story: GpuStory, options: DetectOptions = {}): readonly string[] {
  return detect(detectors(), story.list.events, options).lines;
}

function submit(story: GpuStory, VirtualAddress: bigint): number {
  const Accesses = [{ VirtualAddress, ByteCount: 8, Access: 0 }];
  return story.list.call(story.side, "D3DKMTSubmitCommand", { BroadcastContext: [story.context], Accesses });
}

function ownFence(story: GpuStory, number: number): ReturnType<typeof ref> {
  const hSyncObject = ref("syncObject", number);
  const ins = { hDevice: story.device, Type: 5 };
  story.list.call(story.side, "D3DKMTCreateSynchronizationObject2", ins, { outs: { hSyncObject } });
  return hSyncObject;
}

function waitOnCpu(story: GpuStory, fence: ReturnType<typeof ref>, value: bigint): void {
  const ins = { hDevice: story.device, ObjectHandleArray: [fence], FenceValueArray: [value] };
  story.list.call(story.side, "D3DKMTWaitForSynchronizationObjectFromCpu", ins);
}

function update(story: GpuStory, fence: ReturnType<typeof ref>, BaseAddress: bigint, FenceValue: bigint): number {
  const ins = {
    hDevice: story.device,
    hContext: story.context,
    hFenceObject: fence,
    FenceValue,
    Operations: [{ OperationType: 1, BaseAddress, SizeInBytes: 4096n, Protection: 4n }],
  };
  return story.list.call(story.side, "D3DKMTUpdateGpuVirtualAddress", ins);
}

Deno.test("wsl-reserve-zero is a reserve that succeeds with address 0, and obtains nothing", () => {
  const story = new GpuStory();
  const reserved = story.reserve({ size: 0x10000n });
  assertEquals(linesOf(story), [`V-36 @${reserved}`]);
  const refused = new GpuStory();
  refused.reserve({ base: BASE });
  refused.free(BASE, 16n);
  assertEquals(linesOf(refused), []);
});

Deno.test("gpuva-free-in-use is unproven where nothing tells how far the GPU is", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, allocation });
  submit(story, BASE);
  const freed = story.free(BASE, 1n);
  assertEquals(linesOf(story, { header: { ...header(), maker: "strace" } }), [`V-11 @${freed} unproven`]);
  assertEquals(linesOf(story), [`V-11 @${freed}`]);
});

Deno.test("gpuva-free-in-use is none once a wait for what the work signals was met", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, allocation });
  const fence = ownFence(story, 7);
  submit(story, BASE);
  const signal = { hContext: story.context, ObjectHandleArray: [fence], FenceValueArray: [3n] };
  story.list.call("umd", "D3DKMTSignalSynchronizationObjectFromGpu", signal);
  waitOnCpu(story, fence, 2n);
  story.free(BASE, 1n);
  assertEquals(linesOf(story), []);
});

Deno.test("gpuva-free-in-use knows other pages, other processes, and commands that draw nothing", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 2n, allocation });
  const other = new GpuStory({ list: story.list, side: "umd#2", number: 2 });
  const theirs = other.allocate();
  other.map({ base: BASE, allocation: theirs });
  submit(story, BASE + 4096n);
  other.free(BASE, 1n);
  const nothing = { BroadcastContext: [story.context], Flags: 1, Commands: BASE, CommandLength: 4, Accesses: [] };
  story.list.call("umd", "D3DKMTSubmitCommand", nothing);
  story.free(BASE, 1n);
  assertEquals(linesOf(story).filter((line) => line.startsWith("V-11")), []);
});

Deno.test("gpuva-update-fence-never-reached is none where the process dies, and live at the end of a cut trace", () => {
  const told = (end: (story: GpuStory) => void, options: DetectOptions = {}) => {
    const story = new GpuStory();
    story.reserve({ base: BASE, more: { ReservationType: 1 } });
    const fence = ownFence(story, 7);
    const at = update(story, fence, BASE, 5n);
    end(story);
    return linesOf(story, options).filter((line) => line.startsWith("V-23")).map((line) => line.replace(`@${at}`, "@"));
  };
  assertEquals(told((story) => story.list.call("machine", "ExitProcess", { Side: "umd" })), []);
  assertEquals(told((story) => story.list.call("umd", "D3DKMTDestroyContext", { hContext: story.context })), [
    "V-23 @",
  ]);
  assertEquals(told(() => {}, { endReason: null }), ["V-23 @ live-at-end"]);
});

Deno.test("an update that is dropped with its context leaves pages as they were", () => {
  const story = new GpuStory();
  story.reserve({ base: BASE, more: { ReservationType: 1 } });
  const fence = ownFence(story, 7);
  update(story, fence, BASE, 5n);
  story.list.call("umd", "D3DKMTDestroyContext", { hContext: story.context });
  const world = new GpuWorld();
  detect([gpuVaDetector(world), gpuUpdateDetector(world), gpuWorkDetector(world)], story.list.events);
  const space = world.spaces.get("umd on 1");
  assertEquals(space?.mappingsIn({ start: 256, end: 272 }, 0), []);
  space?.checkInvariants();
});

Deno.test("lock-imbalance is a lock left at the end, as sure as the trace is whole", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const locked = story.list.call("umd", "D3DKMTLock2", { hDevice: story.device, hAllocation: allocation });
  assertEquals(linesOf(story), [`V-30 @${locked}`]);
  assertEquals(linesOf(story, { endReason: null }), [`V-30 @${locked} live-at-end`]);
  story.list.call("machine", "ExitProcess", { Side: "umd" });
  assertEquals(linesOf(story), []);
});

Deno.test("paging-queue-use-after-destroy knows the fence by its raw handle too, until another object has it", () => {
  const story = new GpuStory();
  const { handle } = story.fence;
  story.list.call("umd", "D3DKMTDestroyPagingQueue", { hPagingQueue: story.queue });
  const args = { hDevice: story.device, ObjectHandleArray: [handle], FenceValueArray: [1n] };
  const failed = { outcome: status("STATUS_INVALID_PARAMETER") };
  const used = story.list.call("umd", "D3DKMTWaitForSynchronizationObjectFromCpu", args, failed);
  const create = { hDevice: story.device, Type: 5 };
  const made = { outs: { hSyncObject: { kind: "syncObject" as const, number: 9, handle } } };
  story.list.call("umd", "D3DKMTCreateSynchronizationObject2", create, made);
  story.list.call("umd", "D3DKMTWaitForSynchronizationObjectFromCpu", args, failed);
  assertEquals(detect([gpuQueueDetector()], story.list.events).lines, [`V-25 @${used}`]);
});

Deno.test("handle-reused is a handle value that named another object of the process before", () => {
  const story = new GpuStory();
  story.list.call("umd", "D3DKMTDestroyContext", { hContext: story.context });
  const again = { outs: { hContext: { kind: "context" as const, number: 8, handle: story.context.handle } } };
  const made = story.list.call("umd", "D3DKMTCreateContextVirtual", { hDevice: story.device }, again);
  const { lines, drafts } = detect([gpuHandleDetector()], story.list.events);
  assertEquals(lines, [`V-38 @${made}`]);
  assertStringIncludes(String(drafts[0]?.message), "context#8 has the handle that context#1 had until @");
});

Deno.test("adapter-handle-leak is an adapter of an enumeration; one that was opened is gpu-object-leak", () => {
  const story = new GpuStory();
  const hAdapter = ref("adapter", 5);
  const outs = { NumAdapters: 1, pAdapters: [{ hAdapter, AdapterLuid: 2n, NumOfSources: 1 }] };
  const listed = story.list.call("umd", "D3DKMTEnumAdapters2", { NumAdapters: 1 }, { outs });
  const { lines } = detect([gpuObjectDetector()], story.list.events);
  assertEquals(lines, ["V-40 @1", `V-37 @${listed}`, "V-40 @2"]);
});

Deno.test("pending-treated-as-failure is the same call again, by the same process, next", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const pending = { outcome: status("STATUS_PENDING"), outs: { VirtualAddress: BASE, PagingFenceValue: 1n } };
  const map = (SizeInPages: bigint) =>
    story.list.call("umd", "D3DKMTMapGpuVirtualAddress", {
      hPagingQueue: story.queue,
      hAllocation: allocation,
      SizeInPages,
    }, pending);
  map(1n);
  map(2n);
  story.access(BASE);
  const again = map(2n);
  assertEquals(detect([gpuPendingDetector()], story.list.events).lines, [`V-35 @${again}`]);
});

Deno.test("leak-rate is steady growth up to the end, told once, with the slowest cycle", () => {
  const rate = (left: readonly number[]) => {
    const story = new GpuStory();
    for (const [cycle, count] of left.entries()) {
      const hContext = ref("context", 50 + cycle);
      story.list.call("umd", "D3DKMTCreateContextVirtual", { hDevice: story.device }, { outs: { hContext } });
      for (let each = 0; each < count; each += 1) ownFence(story, 100 + cycle * 10 + each);
      story.list.call("umd", "D3DKMTDestroyContext", { hContext });
    }
    return detect([leakRateDetector()], story.list.events).drafts.map(({ message }) => String(message));
  };
  assertEquals(rate([1, 1, 1, 0]), []);
  assertEquals(rate([0, 1, 2, 3]), []);
  assertEquals(rate([5, 2, 2, 2]), [
    "syncObject objects grew by 2 with each of the last 3 context cycles: 12 are live",
  ]);
});

Deno.test("GpuWork runs contexts in order, holds waits, and infers from a value that was seen", () => {
  const work = new GpuWork(() => undefined);
  const evidence = { event: 1, role: "submitted", site: null, call: "", side: "umd" };
  const add = (context: number) =>
    work.submit({ form: "work", context, space: "", spans: [], allocations: new Set(), submitted: evidence });
  work.addContext(1, 1);
  work.addContext(2, 1);
  work.setFence({ syncObject: 1, value: 0n });
  add(1);
  work.queueFences(1, "signal", [{ syncObject: 1, value: 4n }]);
  work.queueFences(2, "wait", [{ syncObject: 1, value: 4n }]);
  add(2);
  work.grant(2, 1n);
  work.settle(NEVER);
  assertEquals([...work.submissions()].map(({ context }) => context), [1, 2]);
  work.reach({ syncObject: 1, value: 4n });
  work.settle(NEVER);
  assertEquals(work.isIdle, true);
  add(1);
  assertEquals(work.dropDevice(1), [1, 2]);
  assertEquals(work.isIdle, true);
});
