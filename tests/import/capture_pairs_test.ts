// Whole captures, imported: what begins and ends in them, by a count that asks no declaration. The story's numbers
// follow from its text, the real log's from the head of its published decoding.

import { type Imported, importEtl } from "../../src/import/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { captureStory } from "../support/capture_story.ts";
import { countPairs, type PlainCount, THINGS, valuesOf } from "../support/plain_pairs.ts";
import { sampleBytes } from "../support/shared_sample.ts";

/** `starts+rundowns/ends: pairs, pre-existing, live, overlapping` of every thing. */
function pairText(imported: Imported): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(THINGS).map(([name, thing]) => [name, countText(countPairs(imported.events, thing))]),
  );
}

function countText(count: PlainCount): string {
  const { starts, rundowns, ends, pairs, preExisting, liveAtEnd, overlapping } = count;
  return `${starts}+${rundowns}/${ends}: ${pairs} pairs, ${preExisting} pre-existing, ${liveAtEnd} live, ` +
    `${overlapping} overlapping`;
}

/** The same count with the keys and edges of the declarations. */
function declaredCounts(imported: Imported): Readonly<Record<string, string>> {
  const counts: Record<string, { -readonly [K in keyof PlainCount]: number }> = {};
  const live = new Set<string>();
  for (const event of imported.events) {
    const observed = event.plan?.declaration.observes;
    if (observed === undefined || observed.edge === "mark") continue;
    const { thing, edge } = observed;
    const none = { starts: 0, rundowns: 0, ends: 0, pairs: 0, preExisting: 0, liveAtEnd: 0, overlapping: 0 };
    const count = counts[thing] ??= none;
    const key = [thing, ...observed.key.map((name) => valuesOf(event)[name])].join(" ");
    if (edge === "stop") {
      count.ends++;
      if (live.delete(key)) count.pairs++;
      else count.preExisting++;
    } else {
      if (live.has(key)) count.overlapping++;
      live.add(key);
      count[edge === "start" ? "starts" : "rundowns"]++;
    }
  }
  for (const key of live) {
    const count = counts[key.split(" ")[0] ?? ""];
    if (count !== undefined) count.liveAtEnd++;
  }
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, countText(count)]));
}

Deno.test("captureStory() pairs as it is told: one mapping pre-existing, one of the rundown, one live at the end", () => {
  const imported = importEtl(captureStory());
  const counts = pairText(imported);
  assertEquals(counts, {
    "gpuva-mapping": "3+1/4: 3 pairs, 1 pre-existing, 1 live, 0 overlapping",
    "gpuva-range": "12+3/14: 11 pairs, 3 pre-existing, 4 live, 0 overlapping",
    "commit": "3+0/3: 3 pairs, 0 pre-existing, 0 live, 0 overlapping",
    "allocation": "3+1/4: 3 pairs, 1 pre-existing, 1 live, 0 overlapping",
    "device-allocation": "3+1/4: 3 pairs, 1 pre-existing, 1 live, 0 overlapping",
    "va-space": "1+1/1: 0 pairs, 1 pre-existing, 2 live, 0 overlapping",
  });
  assertEquals(declaredCounts(imported), counts);
  assertEquals(imported.header.losses, []);
});

Deno.test("captureStory() covers each address space with nodes, without gap or overlap, at its end", () => {
  const nodes = new Map<string, readonly [bigint, bigint]>();
  for (const event of importEtl(captureStory()).events) {
    const { pVaAllocator, StartAddress: start, EndAddress: end } = valuesOf(event);
    if (!/RangeDCStart$|RangeStart$|RangeStop$/.test(event.plan?.name ?? "")) continue;
    assert(typeof start === "bigint" && typeof end === "bigint");
    const key = `${pVaAllocator} ${start} ${end}`;
    if (event.plan?.name.endsWith("Stop")) nodes.delete(key);
    else nodes.set(key, [start, end]);
  }
  for (const allocator of new Set([...nodes.keys()].map((key) => key.split(" ")[0] ?? ""))) {
    const own = [...nodes].filter(([key]) => key.startsWith(allocator)).map(([, range]) => range);
    const sorted = own.sort(([left], [right]) => left < right ? -1 : 1);
    assertEquals([sorted[0]?.[0], sorted.at(-1)?.[1]], [0x1_0000n, 0x1_0000_0000n]);
    for (const [index, [start]] of sorted.slice(1).entries()) assertEquals(start, sorted[index]?.[1]);
  }
});

Deno.test("captureStory() links each mapping to its device allocation, and that to its allocation", () => {
  const byName = (name: string) =>
    [...importEtl(captureStory()).events].filter(({ plan }) => plan?.name === name).map(valuesOf);
  const mappings = byName("GpuVirtualAddressRangeMappingStart");
  assertEquals(mappings.length, 3);
  for (const mapping of mappings) {
    const device = byName("DeviceAllocationStart").find(({ hVidMmAlloc }) => hVidMmAlloc === mapping["pOwner"]);
    const globals = byName("AdapterAllocationStart");
    const global = globals.find(({ hVidMmGlobalAlloc }) => hVidMmGlobalAlloc === device?.["hVidMmGlobalAlloc"]);
    assertEquals(global?.["allocSize"], mapping["MappedAllocationSize"]);
    assertEquals(device?.["hOtherPartitionHandle"], 0x4000_0400);
  }
});

const LOG = sampleBytes("dxgkrnl-gpuva-win10-1803.etl");
const DECODED = sampleBytes("dxgkrnl-etw-gpuva.txt");

Deno.test({
  name: "importEtl() finds in a real log the pairs that were found by hand (shared sample)",
  ignore: LOG === undefined,
  fn() {
    const imported = importEtl(LOG ?? new Uint8Array(0));
    const counts = pairText(imported);
    assertEquals(counts, {
      "gpuva-mapping": "99+0/116: 93 pairs, 23 pre-existing, 6 live, 0 overlapping",
      "gpuva-range": "296+0/306: 269 pairs, 37 pre-existing, 27 live, 0 overlapping",
      "commit": "99+0/99: 99 pairs, 0 pre-existing, 0 live, 0 overlapping",
      "allocation": "16+0/38: 11 pairs, 27 pre-existing, 5 live, 0 overlapping",
      "device-allocation": "16+0/39: 11 pairs, 28 pre-existing, 5 live, 0 overlapping",
      "va-space": "0+0/0: 0 pairs, 0 pre-existing, 0 live, 0 overlapping",
    });
    const { "va-space": _spaces, ...seen } = counts;
    assertEquals(declaredCounts(imported), seen);
  },
});

Deno.test({
  name: "importEtl() imports, skips and counts a real log as a whole (shared sample)",
  ignore: LOG === undefined,
  fn() {
    const bytes = LOG ?? new Uint8Array(0);
    const { header, end, report } = importEtl(bytes);
    assertEquals(end, { reason: "imported", message: "", events: 1151 });
    assertEquals(report.imported.reduce((sum, { count }) => sum + count, 0), 1151);
    assertEquals(report.skipped.map(({ id, count }) => [id, count]), [[309, 263], [310, 230]]);
    assertEquals([report.unknown, report.undecodable], [[], []]);
    assertEquals(header.startedAt, "2019-04-26T21:03:04.578Z");
    assert(report.missing.includes("gpuva-mapping:rundown") && header.capabilities.includes("gpuva-mapping:stop"));
    // The sample is an excerpt: its file header still counts the buffers of the original.
    assertEquals(header.losses, [], "a header that counts more buffers than the file has is no loss");
  },
});

/** A number as the text sample writes it: decimal, 0x hexadecimal, True or False. */
function numberOf(text: string): bigint {
  return text === "True" ? 1n : text === "False" ? 0n : BigInt(text);
}

Deno.test({
  name: "importEtl() agrees with the independent decoding of a real log, event by event (shared sample)",
  ignore: LOG === undefined || DECODED === undefined,
  fn() {
    const events = [...importEtl(LOG ?? new Uint8Array(0)).events];
    const lines = new TextDecoder().decode(DECODED).split("\n")
      .filter((line) => /^\d/.test(line) && !line.includes(" 340.0 "));
    assertEquals(events.length, lines.length);
    for (const [index, event] of events.entries()) {
      const [time, , pid, tid, , name, ...pairs] = (lines[index] ?? "").split(" ");
      assertEquals([event.actor, event.plan?.name], [`${pid}/${tid}`, name?.replace(/_V\d+$/, "")]);
      assert(Math.abs(Number(event.timeNs) / 1000 - Number(time)) < 0.002, `line ${index}: ${event.timeNs} ns`);
      const wanted = new Map(pairs.map((pair) => pair.split("=")).map(([field = "", text = ""]) => [field, text]));
      for (const [param, value] of Object.entries(valuesOf(event))) {
        const text = wanted.get(param);
        const raw = typeof value === "boolean" || typeof value === "number" ? BigInt(value) : value;
        // Version 0's owner type, and what came with Windows 11 21H2.
        if (text === undefined) assert(["OwnerType", "hOtherPartitionHandle"].includes(param), param);
        assertEquals(raw, text === undefined ? 0n : numberOf(text), `line ${index}: ${param}`);
      }
    }
  },
});
