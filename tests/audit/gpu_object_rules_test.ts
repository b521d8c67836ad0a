// The V rules about GPU objects: each fires, and its near miss does not.

import type { Ref } from "../../src/api/mod.ts";
import { gpuObjectDetector } from "../../src/audit/gpu_object_rules.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ref } from "../support/events.ts";
import { detect, type Detected } from "./detect.ts";
import { GpuStory } from "./gpu_story.ts";

function detected(story: GpuStory): Detected {
  return detect([gpuObjectDetector()], story.list.events);
}

function blamed({ drafts }: Detected): readonly string[] {
  return drafts.map(({ rule, object }) => `${rule} ${object?.kind}#${object?.number}`);
}

Deno.test("What is closed from the inside out leaves nothing to report", () => {
  const story = new GpuStory();
  story.destroy(story.allocate());
  story.close();
  assertEquals(detected(story).lines, []);
});

Deno.test("device-children-alive counts what a device takes along, once, without the queue's own fence", () => {
  const story = new GpuStory();
  story.allocate();
  story.allocate();
  const ended = story.list.call("umd", "D3DKMTDestroyDevice", { hDevice: story.device });
  story.list.call("umd", "D3DKMTCloseAdapter", { hAdapter: story.adapter });
  const { lines, drafts } = detected(story);
  assertEquals(lines, [`V-31 @${ended}`]);
  assertStringIncludes(drafts[0]?.message ?? "", "1 context, 1 pagingQueue, 2 allocations lived");
});

Deno.test("device-children-alive is an adapter closed before its device, which lives on", () => {
  const story = new GpuStory();
  const closed = story.list.call("umd", "D3DKMTCloseAdapter", { hAdapter: story.adapter });
  story.list.call("umd", "D3DKMTDestroyContext", { hContext: story.context });
  story.list.call("umd", "D3DKMTDestroyPagingQueue", { hPagingQueue: story.queue });
  assertEquals(detected(story).lines, [`V-31 @${closed}`, "V-40 @2"]);
});

Deno.test("device-children-alive is none for a call that failed", () => {
  const story = new GpuStory();
  const outcome = { form: "status", status: 0xc000000d } as const;
  story.list.call("umd", "D3DKMTDestroyDevice", { hDevice: story.device }, { outcome });
  story.close();
  assertEquals(detected(story).lines, []);
});

Deno.test("allocation-leak is an allocation that neither a destroy nor its device ended", () => {
  const story = new GpuStory();
  story.allocate();
  const { drafts } = detected(story);
  const leak = drafts.find(({ rule }) => rule === "allocation-leak");
  assertEquals(leak?.object?.number, 101);
  assertEquals(leak?.sizeBytes, 16 * 4096);
  story.list.call("umd", "D3DKMTDestroyDevice", { hDevice: story.device });
  assertEquals(detected(story).drafts.filter(({ rule }) => rule === "allocation-leak"), []);
});

Deno.test("allocation-leak is none where the resource of the allocation was destroyed", () => {
  const story = new GpuStory();
  const resource = ref("resource", 1);
  story.allocate(1n, resource);
  story.allocate(1n, resource);
  story.list.call("umd", "D3DKMTDestroyAllocation2", { hDevice: story.device, hResource: resource });
  story.close();
  assertEquals(detected(story).lines, []);
});

Deno.test("gpu-object-leak names what no other close would have closed, and counts the rest", () => {
  const story = new GpuStory();
  const { lines, drafts } = detected(story);
  assertEquals(lines, ["V-40 @1", "V-40 @2"]);
  assertEquals(drafts.map(({ object }) => object), [story.adapter, story.device]);
  assertStringIncludes(drafts[1]?.message ?? "", "it holds 1 context, 1 pagingQueue, 1 syncObject");
});

Deno.test("gpu-object-leak is none for what a process's end took", () => {
  const story = new GpuStory();
  const other = new GpuStory({ list: story.list, side: "umd#2", number: 2 });
  other.allocate();
  story.list.call("machine", "ExitProcess", { Side: "umd#2" });
  const held: readonly Ref[] = [story.adapter, story.device];
  assertEquals(blamed(detected(story)), held.map(({ kind, number }) => `gpu-object-leak ${kind}#${number}`));
});

Deno.test("Leaks of a recording that was cut are live at its end", () => {
  const story = new GpuStory();
  const { lines } = detect([gpuObjectDetector()], story.list.events, { endReason: null });
  assertEquals(lines, ["V-40 @1 live-at-end", "V-40 @2 live-at-end"]);
});
