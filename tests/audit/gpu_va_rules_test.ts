// The V rules about addresses: each fires, and its near miss does not. Calls answer what the test says.

import { gpuVaDetector } from "../../src/audit/gpu_va_rules.ts";
import { ref } from "../support/events.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { header } from "../support/events.ts";
import { detect, type DetectOptions } from "./detect.ts";
import { GpuStory, PAGE } from "./gpu_story.ts";

const BASE = 0x100000n;
const NO_ACCESS = 8n;
const ZERO = 4n;
const UNIQUE = 1n << 63n;

function linesOf(story: GpuStory, options: DetectOptions = {}): readonly string[] {
  return detect([gpuVaDetector()], story.list.events, options).lines;
}

Deno.test("gpuva-leak is a mapped range of which something is left at the end", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const mapped = story.map({ base: BASE, pages: 4n, allocation });
  const { lines, drafts, pairing } = detect([gpuVaDetector()], story.list.events);
  assertEquals(lines, [`V-01 @${mapped}`]);
  assertEquals(drafts[0]?.object, { kind: "vad", number: 1, handle: 0 });
  assertEquals(drafts[0]?.sizeBytes, 4 * 4096);
  assertEquals(pairing["gpuva-mapping"], { starts: 1, ends: 0, pairs: 0, preExisting: 0, liveAtEnd: 0, leaked: 1 });
  assertEquals(linesOf(story, { endReason: null }), [`V-01 @${mapped} live-at-end`]);
});

Deno.test("gpuva-leak is none where a free, the allocation's, the device's or the process's end released the range", () => {
  const ends: readonly ((story: GpuStory) => void)[] = [
    (story) => story.free(BASE, 4n),
    (story) => story.destroy(ref("allocation", 101)),
    (story) => story.list.call("umd", "D3DKMTDestroyDevice", { hDevice: story.device }),
    (story) => story.list.call("machine", "ExitProcess", { Side: "umd" }),
  ];
  for (const end of ends) {
    const story = new GpuStory();
    const allocation = story.allocate();
    story.map({ base: BASE, pages: 4n, allocation });
    end(story);
    const { lines, pairing } = detect([gpuVaDetector()], story.list.events);
    assertEquals(lines, []);
    assertEquals(pairing["gpuva-mapping"]?.pairs, 1);
  }
});

Deno.test("gpuva-reservation-leak tells what is mapped inside, once", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const reserved = story.reserve({ base: BASE, size: 0x20000n });
  story.map({ base: BASE + PAGE, pages: 3n, allocation });
  const { lines, drafts } = detect([gpuVaDetector()], story.list.events);
  assertEquals(lines, [`V-02 @${reserved}`]);
  assertStringIncludes(drafts[0]?.message ?? "", "32 pages, with 3 pages mapped inside");
});

Deno.test("gpuva-reservation-leak outlives the device, and is none after a free of the whole", () => {
  const story = new GpuStory();
  story.reserve({ base: BASE });
  story.list.call("umd", "D3DKMTDestroyDevice", { hDevice: story.device });
  assertEquals(linesOf(story), ["V-02 @5"]);
  story.free(BASE, 16n);
  assertEquals(linesOf(story), []);
});

Deno.test("gpuva-double-map is a map over a mapping of the same GPU", () => {
  const story = new GpuStory();
  const [first, second] = [story.allocate(), story.allocate()];
  story.map({ base: BASE, pages: 4n, allocation: first });
  const again = story.map({ base: BASE + 2n * PAGE, pages: 1n, allocation: second });
  story.free(BASE, 4n);
  assertEquals(linesOf(story), [`V-03 @${again}`]);
  assertEquals(linesOf(story, { strictRemap: true }), [`V-03 @${again} warning`]);
});

Deno.test("gpuva-double-map is none on another GPU, in an unmapped part of a reservation, or where it was refused", () => {
  const story = new GpuStory();
  const other = ref("pagingQueue", 2);
  story.newQueue(other, ref("syncObject", 2), 1);
  const allocation = story.allocate();
  story.reserve({ base: BASE });
  story.map({ base: BASE, pages: 4n, allocation });
  story.map({ base: BASE, pages: 4n, allocation, queue: other });
  story.map({ base: BASE + 4n * PAGE, pages: 4n, offset: 4n, allocation });
  story.map({ base: BASE, pages: 4n, allocation, fails: true });
  story.free(BASE, 16n);
  assertEquals(linesOf(story), []);
});

Deno.test("gpuva-alias is one allocation page at two addresses, not two pages", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation });
  const alias = story.map({ base: BASE + 16n * PAGE, pages: 4n, offset: 3n, allocation });
  story.map({ base: BASE + 32n * PAGE, pages: 4n, offset: 8n, allocation });
  story.destroy(allocation);
  assertEquals(linesOf(story), [`V-04 @${alias}`]);
});

Deno.test("gpuva-unmatched-free is a free of what nobody obtained, on another adapter too", () => {
  const story = new GpuStory();
  const other = new GpuStory({ list: story.list, number: 2, luid: 2n });
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation });
  const unmatched = other.free(BASE, 4n, true);
  story.free(BASE, 4n);
  assertEquals(linesOf(story), [`V-05 @${unmatched}`]);
});

Deno.test("gpuva-unmatched-free is as sure as the trace's history", () => {
  const story = new GpuStory();
  const freed = story.free(BASE, 4n);
  const imported = header({ maker: "json" });
  const { lines, pairing } = detect([gpuVaDetector()], story.list.events, { header: imported });
  assertEquals(lines, [`V-05 @${freed} pre-existing`]);
  assertEquals(pairing["gpuva-mapping"]?.preExisting, 1);
});

Deno.test("gpuva-double-free is a free of what a free released, refused or not", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation });
  story.free(BASE, 4n);
  const again = story.free(BASE, 4n, true);
  story.map({ base: BASE, pages: 4n, allocation });
  story.free(BASE, 4n);
  assertEquals(linesOf(story), [`V-06 @${again}`]);
});

Deno.test("gpuva-free-after-auto-release is a free of what an allocation's end released", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation });
  const destroyed = story.destroy(allocation);
  const freed = story.free(BASE, 4n, true);
  const { lines, drafts } = detect([gpuVaDetector()], story.list.events);
  assertEquals(lines, [`V-07 @${freed}`]);
  assertEquals(drafts[0]?.evidence.map(({ event, role }) => `${role} ${event}`), [
    "mapped 6",
    `released ${destroyed}`,
    `misused ${freed}`,
  ]);
});

Deno.test("gpuva-stranger-free blames the first of two frees of a recycled range", () => {
  const story = new GpuStory();
  const [old, stranger] = [story.allocate(), story.allocate()];
  story.map({ base: BASE, pages: 4n, allocation: old });
  story.destroy(old);
  story.map({ base: BASE, pages: 4n, allocation: stranger });
  const taken = story.free(BASE, 4n);
  assertEquals(linesOf(story), []);
  story.free(BASE, 4n, true);
  assertEquals(linesOf(story), [`V-08 @${taken}`]);
});

Deno.test("gpuva-stranger-free is a double free where the range was freed properly in between", () => {
  const story = new GpuStory();
  const [old, next] = [story.allocate(), story.allocate()];
  story.map({ base: BASE, pages: 4n, allocation: old });
  story.destroy(old);
  story.map({ base: BASE, pages: 4n, allocation: next });
  story.free(BASE, 4n);
  story.map({ base: BASE, pages: 4n, allocation: next });
  story.free(BASE, 4n);
  const again = story.free(BASE, 4n, true);
  assertEquals(linesOf(story), [`V-06 @${again}`]);
});

Deno.test("gpuva-partial-free is a part of one piece; the rest, freed whole, is none", () => {
  const story = new GpuStory();
  story.reserve({ base: BASE });
  const part = story.free(BASE, 4n);
  story.free(BASE + 4n * PAGE, 12n);
  assertEquals(linesOf(story), [`V-09 @${part}`]);
});

Deno.test("gpuva-spanning-free is two ranges or a hole, not several mappings in one reservation", () => {
  const story = new GpuStory();
  const [first, second] = [story.allocate(), story.allocate()];
  story.reserve({ base: BASE });
  story.map({ base: BASE, pages: 4n, allocation: first });
  story.map({ base: BASE + 4n * PAGE, pages: 4n, allocation: second });
  story.free(BASE, 16n);
  story.map({ base: BASE, pages: 4n, allocation: first });
  story.map({ base: BASE + 4n * PAGE, pages: 4n, allocation: second });
  const two = story.free(BASE, 8n);
  story.map({ base: BASE, pages: 4n, allocation: first });
  const hole = story.free(BASE, 8n);
  assertEquals(linesOf(story), [`V-10 @${two}`, `V-10 @${hole}`]);
});

Deno.test("gpuva-use-before-fence ends with the fence, a wait of the context, or a wait of the CPU", () => {
  const waits: readonly ((story: GpuStory) => void)[] = [
    (story) => story.complete(7n),
    (story) =>
      story.list.call("umd", "D3DKMTWaitForSynchronizationObjectFromGpu", {
        hContext: story.context,
        ObjectHandleArray: [story.fence],
        FenceValueArray: [7n],
      }),
    (story) =>
      story.list.call("umd", "D3DKMTWaitForSynchronizationObjectFromCpu", {
        hDevice: story.device,
        ObjectHandleArray: [story.fence],
        FenceValueArray: [7n],
      }),
    (story) => story.list.call("umd", "D3DKMTDestroyPagingQueue", { hPagingQueue: story.queue }),
  ];
  for (const wait of waits) {
    const story = new GpuStory();
    const allocation = story.allocate();
    story.map({ base: BASE, pages: 4n, allocation, fence: 7n });
    const early = story.access(BASE + 3n * PAGE);
    wait(story);
    story.access(BASE);
    story.destroy(allocation);
    assertEquals(linesOf(story), [`V-12 @${early}`]);
  }
});

Deno.test("gpuva-use-before-fence is not ended by a lower value, or by one above all that was issued", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.complete(1000n);
  story.map({ base: BASE, pages: 4n, allocation, fence: 7n });
  story.complete(6n);
  const early = story.access(BASE - PAGE, 2 * 4096);
  story.access(BASE + 4n * PAGE);
  story.complete(1000n);
  story.access(BASE);
  story.destroy(allocation);
  assertEquals(linesOf(story), [`V-12 @${early}`]);
});

Deno.test("gpuva-use-before-fence looks at the page tables of the GPU that the context runs on", () => {
  const story = new GpuStory();
  const other = ref("pagingQueue", 2);
  story.newQueue(other, ref("syncObject", 2), 1);
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation, fence: 3n });
  story.map({ base: BASE, pages: 2n, allocation, fence: 0n, queue: other });
  const early = story.access(BASE, 2 * 4096);
  story.complete(3n);
  story.access(BASE, 2 * 4096);
  story.destroy(allocation);
  assertEquals(linesOf(story), [`V-12 @${early}`], "GPU 1's mapping is done, GPU 0's is not");
});

Deno.test("gpuva-zero-with-allocation is an error, and a warning under lenient rules", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const bad = story.map({ pages: 1n, allocation, protection: NO_ACCESS, fails: true });
  story.map({ base: BASE, pages: 1n, protection: NO_ACCESS });
  story.free(BASE, 1n);
  assertEquals(linesOf(story), [`V-13 @${bad}`]);
  const lenient = header({ options: { "va-rules": "lenient" } });
  assertEquals(linesOf(story, { header: lenient }), [`V-13 @${bad} warning`]);
});

Deno.test("gpuva-zero-over-map is Zero over what Map obtained, not over a mapping in a reservation", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation });
  const bad = story.map({ base: BASE + 3n * PAGE, pages: 2n, protection: ZERO, fails: true });
  story.free(BASE, 4n);
  story.reserve({ base: BASE });
  story.map({ base: BASE, pages: 4n, allocation });
  story.map({ base: BASE, pages: 4n, protection: ZERO });
  story.free(BASE, 16n);
  assertEquals(linesOf(story), [`V-14 @${bad}`]);
});

Deno.test("gpuva-misaligned knows 4 KB for maps and frees, 64 KB for reservations, and ignores limits beside a base", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const map = story.map({ base: BASE + 1n, allocation, fails: true });
  const limit = story.map({ at: BASE, allocation, more: { MinimumAddress: 5n } });
  story.free(BASE, 1n);
  const free = story.free(BASE + 8n, 1n, true);
  const reserve = story.reserve({ base: BASE, size: 0x11000n });
  story.free(BASE, 0x11n);
  const ignored = story.map({ base: BASE, allocation, more: { MaximumAddress: 5n } });
  story.free(BASE, 1n);
  assertEquals(linesOf(story), [
    `V-15 @${map}`,
    `V-15 @${limit}`,
    `V-15 @${free}`,
    `V-15 @${reserve}`,
    `V-17 @${ignored}`,
  ]);
});

Deno.test("gpuva-outside-space is a base whose end is beyond va-bits", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const end = 1n << 48n;
  const outside = story.map({ base: end - PAGE, pages: 2n, allocation, fails: true });
  const wrapped = story.map({ base: (1n << 64n) - PAGE, pages: 2n ** 63n, allocation, fails: true });
  story.map({ base: end - PAGE, pages: 1n, allocation });
  story.free(end - PAGE, 1n);
  assertEquals(linesOf(story), [`V-16 @${outside}`, `V-16 @${wrapped}`, `V-19 @${wrapped}`]);
  const narrow = header({ options: { "va-bits": "40" } });
  assertEquals(linesOf(story, { header: narrow }).length, 4);
});

Deno.test("gpuva-result-outside-constraint judges the answer", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const limits = { MinimumAddress: BASE, MaximumAddress: BASE + 4n * PAGE };
  story.map({ at: BASE, pages: 4n, allocation, more: limits });
  story.free(BASE, 4n);
  const beyond = story.map({ at: BASE + PAGE, pages: 4n, allocation, more: limits });
  story.free(BASE + PAGE, 4n);
  const below = story.reserve({ at: BASE - 0x10000n, more: { MinimumAddress: BASE } });
  story.free(BASE - 0x10000n, 16n);
  const elsewhere = story.map({ base: BASE, at: BASE + PAGE, allocation });
  story.free(BASE + PAGE, 1n);
  assertEquals(linesOf(story), [`V-18 @${beyond}`, `V-18 @${below}`, `V-18 @${elsewhere}`]);
});

Deno.test("gpuva-outside-allocation is a map beyond the allocation's last page, which is rounded up", () => {
  const story = new GpuStory();
  const allocation = story.allocate(4n);
  const outside = story.map({ base: BASE, pages: 4n, offset: 1n, allocation, fails: true });
  story.map({ base: BASE, pages: 3n, offset: 1n, allocation });
  story.free(BASE, 3n);
  assertEquals(linesOf(story), [`V-19 @${outside}`]);
});

Deno.test("A map of 0 pages is the whole allocation where the option allows it", () => {
  const story = new GpuStory();
  const allocation = story.allocate(4n);
  story.map({ base: BASE, pages: 0n, offset: 1n, allocation });
  story.free(BASE, 3n);
  const allowed = header({ options: { "map-size-zero": "allow" } });
  assertEquals(linesOf(story, { header: allowed }), []);
  assertEquals(linesOf(story), ["V-05 @7"]);
});

Deno.test("gpuva-driver-protection-conflict is a unique value that differs, unless a plain mapping is replaced whole", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  story.map({ base: BASE, pages: 4n, allocation, driverProtection: 1n });
  const unique = UNIQUE | 1n;
  const differs = story.map({ base: BASE + 16n * PAGE, pages: 1n, allocation, driverProtection: unique, fails: true });
  const replaced = story.map({ base: BASE, pages: 4n, allocation, driverProtection: unique });
  const same = story.map({ base: BASE + 16n * PAGE, pages: 1n, allocation, driverProtection: unique });
  story.map({ base: BASE + 32n * PAGE, pages: 1n, offset: 4n, allocation, driverProtection: 2n });
  const changed = story.map({ base: BASE, pages: 4n, allocation, driverProtection: 2n, fails: true });
  story.destroy(allocation);
  assertEquals(linesOf(story), [`V-20 @${differs}`, `V-03 @${replaced}`, `V-04 @${same}`, `V-20 @${changed}`]);
});

Deno.test("gpuva-reserved-bits are reserved fields, unknown protection bits and what is the system's", () => {
  const story = new GpuStory();
  const allocation = story.allocate();
  const field = story.map({ allocation, more: { Reserved1: 1n }, fails: true });
  const system = story.map({ allocation, protection: 0x11n, fails: true });
  const unknown = story.map({ allocation, protection: 0x20n, fails: true });
  const flags = { hDevice: story.device, phAllocationList: [allocation], Flags: 0x80000000 };
  const destroy = story.list.call("umd", "D3DKMTDestroyAllocation2", flags);
  story.map({ at: BASE, protection: 0xbn });
  story.free(BASE, 1n);
  assertEquals(linesOf(story), [`V-21 @${field}`, `V-21 @${system}`, `V-21 @${unknown}`, `V-21 @${destroy}`]);
});

Deno.test("Processes have address spaces of their own, and all handles of an adapter share one", () => {
  const story = new GpuStory();
  const other = new GpuStory({ list: story.list, side: "umd#2", number: 2, luid: 1n });
  const again = ref("adapter", 3);
  story.list.call("umd", "D3DKMTOpenAdapterFromLuid", { AdapterLuid: 1n }, { outs: { hAdapter: again } });
  story.map({ base: BASE, allocation: story.allocate() });
  other.map({ base: BASE, allocation: other.allocate() });
  story.list.call("umd", "D3DKMTFreeGpuVirtualAddress", { hAdapter: again, BaseAddress: BASE, Size: PAGE });
  const stolen = story.list.call("umd", "D3DKMTFreeGpuVirtualAddress", {
    hAdapter: other.adapter,
    BaseAddress: BASE,
    Size: PAGE,
  }, { outcome: { form: "status", status: 0xc000000d } });
  other.free(BASE, 1n);
  assertEquals(linesOf(story), [], `the free @${stolen} names a foreign handle, which is no V rule`);
});
