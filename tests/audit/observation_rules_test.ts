// What captures show: pairing, verdicts and limits, on hand-made events and on a real capture.

import type { Value } from "../../src/api/mod.ts";
import { findPlan } from "../../src/api/mod.ts";
import { observationDetector, observationLimits } from "../../src/audit/observation_rules.ts";
import { LiveThings } from "../../src/audit/observation_fold.ts";
import { importEtl } from "../../src/import/mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { EventList, header } from "../support/events.ts";
import { countPairs, THINGS } from "../support/plain_pairs.ts";
import { sampleBytes } from "../support/shared_sample.ts";
import { detect, type Detected, type DetectOptions } from "./detect.ts";

const MAPPING = "GpuVirtualAddressRangeMapping";
const CAPTURED = ["dxgkrnl", ...["start", "stop", "rundown"].map((edge) => `gpuva-mapping:${edge}`)];

class Capture {
  readonly list = new EventList();

  see(name: string, values: Readonly<Record<string, Value>>): number {
    const plan = findPlan(name);
    assert(plan !== undefined, `${name} is declared`);
    const ins = plan.ins.map((param) => values[param.name] ?? (param.storage === "u64" ? 0n : 0));
    return this.list.add({ kind: "call", plan, side: "kmd", ins, outcome: { form: "void" } });
  }

  map(edge: "DCStart" | "Start" | "Stop", start: bigint, end: bigint, pVaAllocator = 7n): number {
    return this.see(`${MAPPING}${edge}`, { pVaAllocator, StartAddress: start, EndAddress: end });
  }

  detect(capabilities: readonly string[] = CAPTURED, options: DetectOptions = {}): Detected {
    const imported = header({ maker: "etl", capabilities, program: { name: "capture", kind: "import", args: [] } });
    return detect([observationDetector()], this.list.events, { header: imported, endReason: "imported", ...options });
  }
}

Deno.test("A mapping that starts and stops is a pair; one left is live at the end, never a certain leak", () => {
  const capture = new Capture();
  capture.map("Start", 0x1000n, 0x3000n);
  capture.map("Stop", 0x1000n, 0x3000n);
  const left = capture.map("Start", 0x1000n, 0x3000n);
  const { lines, pairing } = capture.detect();
  assertEquals(lines, [`V-01 @${left} live-at-end`]);
  assertEquals(pairing["gpuva-mapping"], { starts: 2, ends: 1, pairs: 1, preExisting: 0, liveAtEnd: 1, leaked: 0 });
  assertEquals(capture.detect(CAPTURED, { endReason: "ended" }).lines, lines);
});

Deno.test("The first end without a start is pre-existing, the next of the same name unproven", () => {
  const capture = new Capture();
  const first = capture.map("Stop", 0x1000n, 0x2000n);
  const second = capture.map("Stop", 0x1000n, 0x2000n);
  capture.map("Start", 0x5000n, 0x6000n);
  capture.map("Stop", 0x5000n, 0x6000n);
  const third = capture.map("Stop", 0x5000n, 0x6000n);
  const { lines, pairing } = capture.detect();
  assertEquals(lines, [`V-05 @${first} pre-existing`, `V-05 @${second} unproven`, `V-05 @${third} unproven`]);
  assertEquals(pairing["gpuva-mapping"], { starts: 1, ends: 4, pairs: 1, preExisting: 1, liveAtEnd: 0, leaked: 0 });
});

Deno.test("What the rundown shows is no start; its end is pre-existing and no finding", () => {
  const capture = new Capture();
  capture.map("Start", 0x8000n, 0x9000n);
  capture.map("DCStart", 0x8000n, 0x9000n);
  capture.map("DCStart", 0x1000n, 0x2000n);
  capture.map("DCStart", 0x3000n, 0x4000n);
  capture.map("Stop", 0x1000n, 0x2000n);
  capture.map("Stop", 0x8000n, 0x9000n);
  const { lines, pairing } = capture.detect();
  assertEquals(lines, []);
  assertEquals(pairing["gpuva-mapping"], { starts: 1, ends: 2, pairs: 1, preExisting: 1, liveAtEnd: 1, leaked: 0 });
});

Deno.test("A mapping over a live one of its space is a double map: a note, or a warning where asked", () => {
  const capture = new Capture();
  capture.map("Start", 0x1000n, 0x5000n);
  capture.map("Start", 0x1000n, 0x5000n, 8n);
  capture.map("Start", 0x5000n, 0x6000n);
  const over = capture.map("Start", 0x4000n, 0x8000n);
  capture.map("Stop", 0x1000n, 0x5000n);
  capture.map("Stop", 0x1000n, 0x5000n, 8n);
  capture.map("Stop", 0x5000n, 0x6000n);
  const again = capture.map("Start", 0x4000n, 0x8000n);
  capture.map("Stop", 0x4000n, 0x8000n);
  const { lines, drafts } = capture.detect();
  assertEquals(lines, [`V-03 @${over}`, `V-03 @${again}`]);
  assertStringIncludes(drafts[0]?.message ?? "", "[0x4000, 0x8000) started over [0x1000, 0x5000)");
  assertEquals(capture.detect(CAPTURED, { strictRemap: true }).lines, [
    `V-03 @${over} warning`,
    `V-03 @${again} warning`,
  ]);
});

Deno.test("The end of an address space takes along what lies in it", () => {
  const capture = new Capture();
  capture.see("GpuVirtualAddressAllocatorStart", { pVaAllocator: 7n });
  capture.map("Start", 0x1000n, 0x2000n);
  capture.map("Start", 0x1000n, 0x2000n, 8n);
  capture.map("DCStart", 0x3000n, 0x4000n);
  capture.see("GpuVirtualAddressAllocatorStop", { pVaAllocator: 7n });
  const { lines, pairing } = capture.detect();
  assertEquals(lines, ["V-01 @3 live-at-end"]);
  assertEquals(pairing["gpuva-mapping"], { starts: 2, ends: 2, pairs: 1, preExisting: 1, liveAtEnd: 1, leaked: 0 });
});

Deno.test("A stop is matched by its own parameters, whatever they are called", () => {
  const capture = new Capture();
  capture.see("CommitVirtualAddressStart", { Owner: 5n, VaRangeStart: 1n });
  capture.see("CommitVirtualAddressStop", { VidMmAlloc: 5n });
  capture.see("CommitVirtualAddressStop", { VidMmAlloc: 6n });
  const { lines, pairing } = capture.detect([]);
  assertEquals(lines, []);
  assertEquals(pairing["commit"], { starts: 1, ends: 2, pairs: 1, preExisting: 1, liveAtEnd: 0, leaked: 0 });
});

Deno.test("A capture without an edge makes no finding that needs it, and says so", () => {
  const capture = new Capture();
  capture.map("Start", 0x1000n, 0x2000n);
  capture.map("Start", 0x1000n, 0x2000n);
  const startsOnly = ["dxgkrnl", "gpuva-mapping:start"];
  const { lines, pairing } = capture.detect(startsOnly);
  assertEquals(lines, []);
  assertEquals(pairing["gpuva-mapping"]?.starts, 2);
  const limits = observationLimits(header({ maker: "etl", capabilities: startsOnly }));
  assertEquals(limits.map(({ rule }) => rule), [
    "gpuva-leak",
    "allocation-leak",
    "gpuva-unmatched-free",
    "gpuva-double-map",
  ]);
  assertEquals(limits[0]?.reason, "no stop of a gpuva-mapping was captured");
  assertEquals(observationLimits(header()), []);
  assertEquals(observationLimits(header({ capabilities: CAPTURED })).map(({ rule }) => rule), ["allocation-leak"]);
});

Deno.test("Ranges that are reversed, empty or beyond all addresses do no harm", () => {
  const capture = new Capture();
  const top = (1n << 64n) - 1n;
  for (const [start, end] of [[0x3000n, 0x1000n], [0x1000n, 0x1000n], [top, top], [0n, top]] as const) {
    capture.map("Start", start, end);
    capture.map("Stop", start, end);
  }
  const { lines, pairing } = capture.detect();
  assertEquals(lines, []);
  assertEquals(pairing["gpuva-mapping"]?.pairs, 4);
});

Deno.test("LiveThings forgets the oldest keys beyond its limit", () => {
  const things = new LiveThings(2);
  for (const key of ["1", "2", "3"]) things.see({ thing: "commit", key });
  assertEquals(["1", "2", "3"].map((key) => things.wasSeen({ thing: "commit", key })), [false, true, true]);
});

Deno.test("A real capture has no double map and nothing certain, and its counts are those of a plain count", () => {
  const bytes = sampleBytes("dxgkrnl-gpuva-win10-1803.etl");
  if (bytes === undefined) return;
  const imported = importEtl(bytes);
  const events = [...imported.events];
  const options = { header: imported.header, endReason: "imported" } as const;
  const { drafts, pairing } = detect([observationDetector()], events, options);
  assertEquals(drafts.filter(({ verdict }) => verdict === "certain"), []);
  assertEquals(drafts.filter(({ rule }) => rule === "gpuva-double-map"), []);
  const verdicts = (rule: string) => drafts.filter((draft) => draft.rule === rule).map(({ verdict }) => verdict);
  assertEquals(verdicts("gpuva-unmatched-free"), Array.from({ length: 23 }, () => "pre-existing"));
  assertEquals(verdicts("gpuva-leak"), Array.from({ length: 6 }, () => "live-at-end"));
  assertEquals(verdicts("allocation-leak").length, 10);
  for (const [thing, plain] of Object.entries(THINGS)) {
    const { starts, ends, pairs, preExisting, liveAtEnd } = countPairs(events, plain);
    const expected = { starts, ends, pairs, preExisting, liveAtEnd, leaked: 0 };
    if (starts + ends > 0) assertEquals(pairing[thing], expected, thing);
  }
});
