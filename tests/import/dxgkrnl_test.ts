// Import of DxgKrnl logs made by the tests' own writer: every event in every version, times, counts, losses, classes.

import fc from "fast-check";
import { DXGKRNL, findPlan, type Value, VOID } from "../../src/api/mod.ts";
import { DXGKRNL_EVENTS, splitField } from "../../src/import/dxgkrnl_schema.ts";
import { ForeignFormatError, importEtl, type ImportReport } from "../../src/import/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { captureStory } from "../support/capture_story.ts";
import { bufferStarts, type EtlWriterEvent, type EtlWriterOptions, writeEtl } from "../support/etl_writer.ts";
import { valuesOf } from "../support/plain_pairs.ts";

const OURS = Object.entries(DXGKRNL_EVENTS).filter(([, { name }]) => Object.hasOwn(DXGKRNL, name)).flatMap((
  [id, { name, versions }],
) => Object.entries(versions).map(([version, fields]) => ({ id: Number(id), version: Number(version), name, fields })));

const MAPPING_FIELDS = {
  pVaAllocator: 0xffffd687_da7f4a10n,
  pOwner: 0xffff8405_977a9010n,
  StartAddress: 0x1f62_0000n,
  EndAddress: 0x1f8a_0000n,
};

function importEvents(events: readonly EtlWriterEvent[], options: EtlWriterOptions = {}) {
  return importEtl(writeEtl(events, options));
}

/** An event of few bytes: 39, TerminateAllocation. */
function small(timestamp: bigint, more: Partial<EtlWriterEvent> = {}): EtlWriterEvent {
  return { timestamp, id: 39, version: 0, ...more };
}

/** Where in the file a log's events stand, by the timestamps in their headers. */
function placeOf(bytes: Uint8Array, timestamp: bigint): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bufferStarts(bytes)[1] ?? 0; at + 80 <= bytes.length; at += 8) {
    const marker = view.getUint16(at + 2, true);
    if ((marker === 0xc013 || marker === 0xc012) && view.getBigUint64(at + 16, true) === timestamp) return at;
  }
  throw new Error(`no event at ${timestamp}`);
}

function countAll(report: ImportReport): number {
  const lists = [report.imported, report.skipped, report.unknown, report.undecodable];
  return lists.flat().reduce((sum, { count }) => sum + count, 0);
}

Deno.test("importEtl() gives every declared event in every version its fields by name, in 32 and 64 bits", () => {
  assertEquals(new Set(OURS.map(({ name }) => name)), new Set(Object.keys(DXGKRNL)));
  for (const pointerSize of [4, 8] as const) {
    const events = OURS.map(({ id, version, fields }, index) => {
      const values = fields.map((field, place) => [splitField(field).name, BigInt(100 * (index + 1) + place)]);
      return { timestamp: BigInt(index), id, version, pointerSize, fields: Object.fromEntries(values) };
    });
    const { events: imported, report } = importEvents(events);
    assertEquals(report.undecodable, []);
    for (const [index, event] of [...imported].entries()) {
      const { name, version, fields } = OURS[index] ?? { name: "", version: 0, fields: [] };
      assertEquals(event.plan, findPlan(name));
      assertEquals(event.ins.length, event.plan?.ins.length);
      const places = new Map(fields.map((field, place) => [splitField(field).name, 100 * (index + 1) + place]));
      for (const [param, value] of Object.entries(valuesOf(event))) {
        const place = places.get(param) ?? (param === "OwnerOffset" ? places.get("Offset") : undefined) ?? 0;
        const wanted: Value = typeof value === "boolean" ? place !== 0 : place;
        assertEquals(typeof value === "bigint" ? Number(value) : value, wanted, `${name} version ${version}: ${param}`);
      }
    }
  }
});

Deno.test("every parameter of DXGKRNL is a field of its event in some version", () => {
  for (const { name, versions } of Object.values(DXGKRNL_EVENTS)) {
    if (!Object.hasOwn(DXGKRNL, name)) continue;
    const fields = new Set(Object.values(versions).flat().map((field) => splitField(field).name));
    const params = findPlan(name)?.params.map((param) => param.name) ?? [];
    // The end of a mapping was never logged in version 0, which alone had a separate OwnerType.
    const exempt = name === "GpuVirtualAddressRangeMappingStop" ? ["OwnerType"] : [];
    assertEquals(params.filter((param) => !fields.has(param) && !exempt.includes(param)), [], name);
  }
});

Deno.test("importEtl() reads both versions of a mapping into one call", () => {
  const { events } = importEvents([
    {
      timestamp: 1n,
      id: 334,
      version: 0,
      pid: 4,
      tid: 640,
      fields: { ...MAPPING_FIELDS, OwnerType: 3n, Offset: 0x4000n },
    },
    {
      timestamp: 2n,
      id: 435,
      version: 1,
      fields: { ...MAPPING_FIELDS, OwnerOffset: 0x5000n, Protection: 3n, DriverProtection: 2n ** 63n, Flags: 0x1001n },
    },
  ]);
  const [first, second] = [...events];
  assert(first !== undefined && second !== undefined);
  const none = { Protection: 0n, DriverProtection: 0n, Flags: 0, MappedAllocationBase: 0n, MappedAllocationSize: 0n };
  assertEquals(valuesOf(first), { ...MAPPING_FIELDS, ...none, OwnerOffset: 0x4000n, OwnerType: 3 });
  const told = { OwnerOffset: 0x5000n, Protection: 3n, DriverProtection: 2n ** 63n, Flags: 0x1001 };
  assertEquals(valuesOf(second), { ...MAPPING_FIELDS, ...none, ...told, OwnerType: 0 });
  const { plan, ins: _ins, ...rest } = first;
  assertEquals(plan?.name, "GpuVirtualAddressRangeMappingStart");
  assertEquals(rest, {
    event: 1,
    kind: "call",
    side: "kmd",
    actor: "4/640",
    level: "d3dkmt",
    cause: 0,
    of: 0,
    timeNs: 0n,
    wallNs: 0,
    site: null,
    outs: [],
    outcome: VOID,
    memory: null,
    text: "",
  });
});

Deno.test("importEtl() counts time from the first DxgKrnl event, imported or not, in whole nanoseconds", () => {
  const other = "11111111-2222-3333-4444-555555555555";
  const start = 9_007_199_254_740_993_000n;
  const { events, report } = importEvents([
    small(start + 3n),
    small(start + 3_119_142n * 86_400n + 1n),
    { timestamp: start, id: 310, version: 0 },
    small(start - 50n, { provider: other }),
  ], { perfFreq: 3_119_142n, startTicks: start - 3_119_142n });
  assertEquals([...events].map(({ timeNs }) => timeNs), [961n, 86_400_000_000_320n]);
  assertEquals(report.clock, {
    source: "performance-counter",
    ticksPerSecond: 3_119_142n,
    zeroAtNs: 1_000_000_000n,
  });
});

Deno.test("importEtl() counts each event once: imported, skipped, unknown or undecodable", () => {
  const events = [
    small(1n),
    small(2n),
    { timestamp: 3n, id: 309, version: 0 },
    { timestamp: 4n, id: 310, version: 7, payload: new Uint8Array(1) },
    { timestamp: 5n, id: 340, version: 0, payload: new Uint8Array(16) },
    small(6n, { version: 9, payload: new Uint8Array(8) }),
    small(7n, { version: 9, payload: new Uint8Array(8) }),
    small(8n, { payload: new Uint8Array(7) }),
    { timestamp: 9n, id: 33, version: 3, payload: new Uint8Array(150) },
    small(10n, { provider: "11111111-2222-3333-4444-555555555555" }),
  ];
  const bytes = writeEtl(events);
  const { report, header, end, events: imported } = importEtl(bytes);
  assertEquals(report.imported, [{ id: 39, name: "TerminateAllocation", count: 2 }]);
  assertEquals(report.skipped, [
    { id: 309, name: "PagingOpUpdatePageTable", count: 1 },
    { id: 310, name: "PagingOpFlushTlb", count: 1 },
  ]);
  assertEquals(report.unknown, [{ id: 340, name: "", count: 1 }]);
  const wanted = [[33, 1, 9n, "has 150 bytes where 146"], [39, 2, 6n, "version 9"], [
    39,
    1,
    8n,
    "has 7 bytes",
  ]] as const;
  assertEquals(report.undecodable.length, wanted.length);
  for (const [index, [id, count, timestamp, message]] of wanted.entries()) {
    const problem = report.undecodable[index];
    assertEquals([problem?.id, problem?.count, problem?.firstOffset], [id, count, placeOf(bytes, timestamp)]);
    assertStringIncludes(problem?.message ?? "", message);
  }
  assertEquals(countAll(report), events.length - 1);
  // The log's own header is a record too.
  assertEquals(report.otherRecords, 2);
  assertEquals([end.events, [...imported].length], [2, 2]);
  // What cannot be used is lost to the trace, in the order of the file.
  assertEquals(header.losses.map(({ offsetBytes }) => offsetBytes), [6n, 8n, 9n].map((time) => placeOf(bytes, time)));
  assertStringIncludes(header.losses[0]?.what ?? "", "; 2 events of this kind in all");
});

Deno.test("importEtl() refuses a value that its parameter cannot hold, and keeps the largest that it can", () => {
  const fields = { hVidMmAlloc: 2n ** 64n - 1n, hThunkAllocation: 0xffff_ffffn };
  const { events, report } = importEvents([
    { timestamp: 1n, id: 36, version: 1, fields },
    { timestamp: 2n, id: 36, version: 1, fields: { ...fields, hThunkAllocation: 0x1_0000_0000n } },
  ]);
  const [only, ...more] = [...events];
  assert(only !== undefined && more.length === 0);
  assertEquals(valuesOf(only)["hThunkAllocation"], 0xffff_ffff);
  assertEquals(valuesOf(only)["hVidMmAlloc"], 2n ** 64n - 1n);
  assertEquals(report.undecodable.map(({ message }) => message), [
    "Skipped DeviceAllocationStart (event 36 version 1): hThunkAllocation is 0x100000000, and a userHandle has u32",
  ]);
});

Deno.test("importEtl() refuses a time that no trace can hold", () => {
  const { events, report } = importEvents([small(0n), small(2n ** 64n - 1n)], { perfFreq: 1_000_000_000n });
  assertEquals([...events].length, 1);
  assertStringIncludes(report.undecodable[0]?.message ?? "", "18446744073709551615 ns after the first event");
});

Deno.test("importEtl() tells what the session lost and where the file is damaged", () => {
  const events = Array.from({ length: 40 }, (_, index) => small(BigInt(index)));
  const bytes = writeEtl(events, { bufferSizes: [512], eventsLost: 17, buffersLost: 3 });
  const starts = bufferStarts(bytes);
  const [second = 0, third = 0, last = 0] = [starts[1], starts[2], starts.at(-1)];
  bytes[second + 0x34] = 0x22;
  bytes[third + 72 + 3] = 0;
  const { header, report } = importEtl(bytes.slice(0, last + 80));
  assertEquals(header.losses.map(({ what, offsetBytes }) => [offsetBytes, what.replace(/^.*?: /, "")]), [
    [-1, "The recording session lost 17 events"],
    [-1, "The recording session lost 3 buffers"],
    [second, "the recording session lost events before this buffer"],
    [third + 72, "no record stands where one is wanted; the rest of the buffer is skipped"],
    [last, "the file ends after 80 of the buffer's 512 filled bytes"],
  ]);
  assert(header.losses.every(({ firstEvent, lastEvent }) => firstEvent === 0 && lastEvent === 0));
  // Five events a buffer: those of the damaged one and of the last are gone.
  assertEquals(countAll(report), 30);
});

Deno.test("importEtl() keeps a header small, however often a log is damaged", () => {
  const events = Array.from({ length: 300 }, (_, index) => small(BigInt(index)));
  const bytes = writeEtl(events, { bufferSizes: [192] });
  const starts = bufferStarts(bytes).slice(1);
  assertEquals(starts.length, 300);
  for (const start of starts) bytes[start + 0x34] = 0x22;
  const { losses } = importEtl(bytes).header;
  assertEquals(losses.length, 257);
  assertEquals(losses[255]?.offsetBytes, starts[255]);
  const rest = `44 more places are damaged, from byte ${starts[256]} on`;
  assertEquals([losses[256]?.what, losses[256]?.offsetBytes], [rest, starts[256]]);
});

Deno.test("importEtl() says which classes of events a log has, and which it lacks", () => {
  const { header, report } = importEvents([
    { timestamp: 1n, id: 332, version: 1 },
    { timestamp: 2n, id: 331, version: 1 },
    { timestamp: 3n, id: 334, version: 1 },
  ], { build: 16299 });
  const ranges = ["gpuva-range", "gpuva-range:start", "gpuva-range:stop"];
  assertEquals(header.capabilities, ["dxgkrnl", ...ranges, "gpuva-mapping", "gpuva-mapping:start"]);
  assert(report.missing.includes("gpuva-mapping:stop") && report.missing.includes("gpuva-mapping:rundown"));
  assertEquals(report.missing.filter((each) => header.capabilities.includes(each)), []);
  assertEquals(importEtl(captureStory()).report.missing, []);
});

Deno.test("importEtl() does not claim every class for a log in which none of ours occurred", () => {
  const { header, events, end, report } = importEvents([{ timestamp: 1n, id: 309, version: 0 }]);
  assertEquals([header.capabilities, [...events], end.events], [["dxgkrnl"], [], 0]);
  assert(report.missing.includes("gpuva-mapping") && report.missing.includes("va-space:stop"));
  assertEquals(importEvents([]).report.clock.zeroAtNs, null);
});

Deno.test("importEtl() does not take an undecodable event for a class that occurred", () => {
  const { header } = importEvents([small(1n), { timestamp: 2n, id: 435, version: 2, payload: new Uint8Array(76) }]);
  assertEquals(header.capabilities, ["dxgkrnl", "device-allocation", "device-allocation:mark"]);
});

Deno.test("importEtl() makes the same trace of the same bytes, and walks it again", () => {
  const { header, events, end } = importEtl(captureStory(), { toolVersion: "1.2.3" });
  const again = importEtl(captureStory(), { toolVersion: "1.2.3" });
  assertEquals([again.header, again.end, [...again.events]], [header, end, [...events]]);
  assertEquals([...events], [...events]);
  assertEquals([...events].map(({ event }) => event), Array.from({ length: end.events }, (_, index) => index + 1));
  const { options: _options, capabilities: _capabilities, ...rest } = header;
  assertEquals(rest, {
    tool: "maptrail",
    toolVersion: "1.2.3",
    maker: "etl",
    engineVersion: 0,
    program: { name: "capture", kind: "import", args: [] },
    seed: 0,
    sites: "off",
    memory: "none",
    wallClock: false,
    startedAt: "2024-03-01T09:30:00.000Z",
    losses: [],
    startsAfter: 0,
    leftOut: [],
    selection: null,
  });
  assertEquals(end, { reason: "imported", message: "", events: 70 });
});

Deno.test("importEtl() tells where in the file each event stands", () => {
  const bytes = captureStory();
  const view = new DataView(bytes.buffer);
  const { events, report } = importEtl(bytes);
  assertEquals(report.offsetUnit, "byte");
  const places = new Set<number>();
  for (const event of events) {
    const at = report.offsetOf(event.event);
    assertEquals(DXGKRNL_EVENTS[view.getUint16(at + 40, true)]?.name, event.plan?.name);
    assertEquals(`${view.getUint32(at + 12, true)}/${view.getUint32(at + 8, true)}`, event.actor);
    places.add(at);
  }
  assertEquals(places.size, 70);
  for (const event of [0, 71, 1.5, -1]) assertThrows(() => report.offsetOf(event), RangeError, `where event ${event}`);
});

Deno.test("importEtl() refuses what is no log", () => {
  assertThrows(() => importEtl(new TextEncoder().encode('{"a":1}\n'.repeat(30))), ForeignFormatError, "marker");
  assertThrows(() => importEtl(new Uint8Array(0)), ForeignFormatError, "the file is empty");
});

Deno.test("importEtl() answers random damage with a clear refusal or with a sound trace", () => {
  const bytes = captureStory();
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 8,
  });
  const property = fc.property(damage, fc.nat(bytes.length), (flips, cut) => {
    const damaged = bytes.slice(0, bytes.length - (cut % 3 === 0 ? cut : 0));
    for (const [offset, mask] of flips) if (offset < damaged.length) damaged[offset] = (damaged[offset] ?? 0) ^ mask;
    try {
      const { header, events, end, report } = importEtl(damaged);
      let last = 0n;
      let count = 0;
      for (const { event, timeNs, plan, ins } of events) {
        assertEquals([event, ins.length], [++count, plan?.ins.length]);
        assert(timeNs >= last && timeNs < 2n ** 63n && report.offsetOf(event) + 80 <= damaged.length);
        last = timeNs;
      }
      assertEquals(count, end.events);
      if (cut % 3 === 0 && cut > 0) assert(header.losses.length > 0, "a cut went unnoticed");
    } catch (error) {
      if (!(error instanceof ForeignFormatError)) throw error;
    }
  });
  fc.assert(property, { seed: 435, numRuns: 150 });
});
