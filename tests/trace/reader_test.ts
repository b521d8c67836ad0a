// The reader: ranges, summaries, indexes lost and rebuilt, traces cut and newer.

import { decodeMulti } from "@msgpack/msgpack";
import { zstdDecompressSync } from "node:zlib";
import { planOf } from "../../src/api/mod.ts";
import {
  type ByteSource,
  BytesSink,
  bytesSource,
  decodeKeyframe,
  encodeKeyframe,
  FORMAT_VERSION,
  openTrace,
  type TraceEvent,
  TraceWriter,
  validate,
} from "../../src/trace/mod.ts";
import { restorePlan } from "../../src/trace/declarations.ts";
import { Fields, WireError, writeBlock } from "../../src/wire/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { sampleEvent, sampleHeader, sampleStory, writeTrace } from "../support/sample_events.ts";
import { blockStarts } from "../support/trace_blocks.ts";

Deno.test("another MessagePack library walks every value of a trace, bodies and parts too", () => {
  const bytes = writeTrace(sampleStory(30), { chunkEvents: 50 });
  const [header, ...blocks] = [...decodeMulti(bytes)];
  assert(isRecord(header));
  assertEquals([header.format, header.version, header.size], ["maptrail", FORMAT_VERSION, blockStarts(bytes)[0]]);
  assertEquals(header.tool, "maptrail");
  const tags = blocks.map((block) => Array.isArray(block) && block.length === 10 ? block[0] : "no block");
  assertEquals(tags, ["mt.event", "mt.event", "mt.event", "mt.index", "mt.final"]);
  for (const block of blocks) assertHeadReads(block);
});

function assertHeadReads(block: unknown): void {
  const body: unknown = Array.isArray(block) ? block[9] : null;
  assert(body instanceof Uint8Array);
  const [parts] = [...decodeMulti(body)];
  assert(Array.isArray(parts));
  const [size, stored]: unknown[] = parts[0];
  assert(stored instanceof Uint8Array);
  const head = stored.length === size ? stored : zstdDecompressSync(stored);
  assertEquals(head.length, size);
  assert(isRecord([...decodeMulti(head)][0]), "a part's head is a map");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

Deno.test("a recording without an end is readable up to its last chunk, and cut", () => {
  const trace = openTrace(bytesSource(writeTrace(sampleStory(5), { end: null })));
  assertEquals([trace.end, trace.complete, trace.eventCount, trace.losses], [null, false, 20, []]);
});

Deno.test("summary() counts calls, kinds and blocks from the index without reading a chunk", () => {
  const bytes = writeTrace(sampleStory(30), { chunkEvents: 50 });
  const { source, chunkBytesRead } = watched(bytes);
  const summary = openTrace(source).summary();
  assertEquals(Object.fromEntries(summary.calls), { VmbChannelMapGpadl: 30, VmbChannelDeleteGpadl: 30 });
  assertEquals(Object.fromEntries(summary.kinds), { call: 30, enter: 30, leave: 30, memory: 30 });
  assertEquals([summary.events, summary.bytes, summary.unknownBlocks], [120, bytes.length, 0]);
  assertEquals([summary.firstTimeNs, summary.lastTimeNs], [100n, 12000n]);
  assertEquals(Object.fromEntries(summary.blocks), { "mt.event": 3, "mt.index": 1, "mt.final": 1 });
  assertEquals(chunkBytesRead(), 0);
});

Deno.test("events() reads only the chunks of its range, and one at a time", () => {
  const bytes = writeTrace(sampleStory(5000), { chunkEvents: 1000 });
  const { source, largestRead, chunkBytesRead } = watched(bytes);
  const trace = openTrace(source);
  assertEquals([...trace.events({ from: 5000, to: 5001 })].length, 2);
  assert(chunkBytesRead() < bytes.length / 5, `${chunkBytesRead()} of ${bytes.length} bytes read`);
  assertEquals([...trace.events()].length, 20000);
  assert(largestRead() <= 64 * 1024, `${largestRead()} bytes read at once`);
});

/** A source that remembers what was read of it behind the first and before the last 64 KB. */
function watched(bytes: Uint8Array): { source: ByteSource; largestRead: () => number; chunkBytesRead: () => number } {
  const starts = new Set(blockStarts(bytes).slice(0, -2));
  let largest = 0;
  let chunkBytes = 0;
  const read = (offset: number, length: number): Uint8Array => {
    largest = Math.max(largest, length);
    if (starts.has(offset)) chunkBytes += length;
    return bytes.subarray(offset, offset + length);
  };
  return { source: { size: bytes.length, read }, largestRead: () => largest, chunkBytesRead: () => chunkBytes };
}

Deno.test("keyframes() gives states back at their events, and flushes the chunk before", () => {
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, sampleHeader());
  const [first, second, ...rest] = sampleStory(1);
  assert(first !== undefined && second !== undefined);
  writer.event(first);
  writer.event(second);
  writer.keyframe(2, encodeKeyframe({ at: 2 }));
  assertThrows(() => writer.keyframe(1, new Uint8Array(1)), RangeError, "the last event is 2");
  for (const event of rest) writer.event(event);
  writer.finish({ reason: "interrupted", message: "Ctrl-C", events: 4 });
  assertThrows(() => writer.event(sampleEvent(5)), TypeError, "is finished");
  const trace = openTrace(bytesSource(sink.bytes()));
  assertEquals([...trace.keyframes()].map(({ event, state }) => [event, decodeKeyframe(state)]), [[2, { at: 2 }]]);
  assertEquals(trace.end, { reason: "interrupted", message: "Ctrl-C", events: 4 });
  assert(trace.complete);
  assertEquals([...trace.events()], [first, second, ...rest]);
});

Deno.test("what was written before and after a write that failed half-way is readable, and the gap is stated", () => {
  const sink = new BytesSink();
  let writes = 0;
  const failing = {
    write: (bytes: Uint8Array) => {
      writes += 1;
      if (writes !== 3) return sink.write(bytes);
      sink.write(bytes.subarray(0, 100));
      throw new Error("disk full");
    },
  };
  const writer = new TraceWriter(failing, sampleHeader(), { chunkEvents: 4 });
  const events = sampleStory(3);
  assertThrows(() => events.forEach((event) => writer.event(event)), Error, "disk full");
  writer.finish({ reason: "write-failed", message: "disk full", events: writer.events });
  const trace = openTrace(bytesSource(sink.bytes()));
  assertEquals([...trace.events()], events.slice(0, 4));
  assertEquals(trace.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[5, 8]]);
  assertEquals([trace.end?.reason, trace.complete, trace.eventCount], ["write-failed", false, 8]);
});

Deno.test("a block of an unknown kind is skipped and counted", () => {
  const bytes = writeTrace(sampleStory(2), { end: null });
  const file = new DataView(bytes.buffer).getUint32(47);
  const extra = writeBlock({ tag: "mt.later", file, first: 0, count: 0, start: 0n, parts: [Uint8Array.of(1)] });
  const trace = openTrace(bytesSource(new Uint8Array([...bytes, ...extra])));
  assertEquals([...trace.events()].length, 8);
  assertEquals([trace.summary().unknownBlocks, trace.losses], [1, []]);
});

Deno.test("a made-up version 0 is read through its upgrade, and refused without one", () => {
  const bytes = writeTrace(sampleStory(1), { version: 0, end: null });
  const rename = (fields: Fields): Fields =>
    new Fields(new Map([...fields.map].map(([name, value]) => [name === "tool" ? "maker" : name, value])), "test");
  const trace = openTrace(bytesSource(bytes), { upgrades: new Map([[0, { header: rename, chunk: (head) => head }]]) });
  assertEquals([trace.version, trace.header.maker], [0, "engine"]);
  assertEquals([...trace.events()], sampleStory(1));
  assertThrows(() => openTrace(bytesSource(bytes)), Error, "version 0");
});

Deno.test("restorePlan() compiles a declaration that is not the catalogue's from what is stored", () => {
  const types = new Map<string, unknown>([["gpadl", "object"], ["novelSize", "u64"], [
    "PAIR",
    new Map([["A", "in novelSize"], ["B", "in? gpadl"]]),
  ]]);
  const params = new Map([["Handle", "in gpadl"], ["Size", "in novelSize"], ["Pairs", "in PAIR[]"]]);
  const declaration = new Map<string, unknown>([
    ["id", 9001],
    ["endpoint", "client"],
    ["params", params],
    ["returns", "status"],
    ["effects", ["destroy Handle", "create Pairs.B"]],
  ]);
  const stored = new Map<string, unknown>([
    ["name", "NovelCall"],
    ["level", "kmcl"],
    ["callback", false],
    ["declaration", declaration],
    ["types", types],
  ]);
  const plan = restorePlan(stored);
  assertEquals(plan.ins.map(({ storage, isArray }) => [storage, isArray]), [["object", false], ["u64", false], [
    "struct",
    true,
  ]]);
  assertEquals(plan.ins[2]?.members[0]?.storage, "u64");
  assertEquals(plan.effects.map(({ verb, subject }) => [verb, subject.from, subject.index, subject.member]), [
    ["destroy", "in", 0, null],
    ["create", "in", 2, "B"],
  ]);
  declaration.set("effects", ["levitate Handle"]);
  assertEquals(restorePlan(stored).effects, [], "an effect that is unknown here does not make the call unreadable");
  const event = sampleEvent(1, {
    kind: "call",
    plan,
    outcome: { form: "status", status: 0 },
    ins: [null, 5n, [{ A: 7n, B: null }]],
  });
  const [read] = [...openTrace(bytesSource(writeTrace([event]))).events()];
  assertEquals([read?.plan?.name, read?.ins], ["NovelCall", event.ins]);
  params.set("Handle", "in unheardOf");
  assertStringIncludes(assertThrows(() => restorePlan(stored)).message, "unheardOf");
});

Deno.test("restorePlan() refuses structures that nest without end", () => {
  const names = Array.from({ length: 6 }, (_, index) => `S${index}`);
  const members = (inner: string) => new Map(Array.from({ length: 200 }, (_, index) => [`M${index}`, `in ${inner}`]));
  const wide = new Map<string, unknown>(names.map((name, index) => [name, members(names[index + 1] ?? "u8")]));
  const stored = (types: ReadonlyMap<string, unknown>) =>
    new Map<string, unknown>([
      ["name", "Deep"],
      ["level", "kmcl"],
      ["callback", false],
      [
        "declaration",
        new Map<string, unknown>([["id", 1], ["endpoint", "client"], ["params", new Map([["A", "in S0"]])], [
          "returns",
          "void",
        ]]),
      ],
      ["types", types],
    ]);
  assertThrows(() => restorePlan(stored(wide.set("u8", "u8"))), WireError, "more than 4096");
  assertThrows(() => restorePlan(stored(new Map([["S0", new Map([["M", "in S0"]])]]))), WireError, "nests deeper");
});

Deno.test("decodeKeyframe() reads the states of large worlds: five million values, where the file has bytes for them", () => {
  const bytes = encodeKeyframe(new Uint32Array(5_000_000).fill(7).values().toArray());
  assertThrows(() => decodeKeyframe(bytes, 4096), WireError, "it holds more than 196608");
  const state = decodeKeyframe(bytes, 200_000);
  assert(Array.isArray(state));
  assertEquals([state.length, state[4_999_999]], [5_000_000, 7]);
});

Deno.test("encodeKeyframe() gives plain data back and refuses what is not", () => {
  const state = {
    map: new Map<unknown, unknown>([[1, [2n, "x"]], ["k", new Set([1, new Map()])]]),
    bytes: Uint8Array.of(1, 2),
    list: [null, true, -5, 1.5, 2 ** 40, [], {}],
    big: [-(2n ** 63n), 2n ** 64n - 1n, 0n],
  };
  assertEquals(decodeKeyframe(encodeKeyframe(state)), state);
  const odd: unknown = decodeKeyframe(encodeKeyframe(JSON.parse('{"__proto__": 1}')));
  assert(typeof odd === "object" && odd !== null);
  assertEquals(Object.keys(odd), ["__proto__"]);
  for (const bad of [undefined, { a: undefined }, () => 1, new Date(0), NaN, 2n ** 64n]) {
    assertThrows(() => encodeKeyframe(bad), TypeError, "pass plain data");
  }
});

Deno.test("validate() finds numbers out of order, pointers to the wrong kind and values that do not fit", () => {
  const plan = planOf("VmbChannelDeleteGpadl");
  const [enter, leave] = sampleStory(1).slice(2).map((event, index) => ({ ...event, event: index + 1 }));
  assert(enter !== undefined && leave !== undefined);
  const problems = (...events: readonly TraceEvent[]): string[] => {
    const trace = { losses: [], events: () => events.values() };
    return [...validate(trace)].map(({ event, message }) => `${event}: ${message}`);
  };
  assertEquals(problems(enter, { ...leave, of: 1 }), []);
  assertStringIncludes(problems(sampleEvent(1), { ...leave, of: 1 }).join(), "2: a leave of event 1, which is a note");
  assertStringIncludes(problems(enter, sampleEvent(4)).join(), "4: events 2 to 3 are missing");
  assertStringIncludes(problems(sampleEvent(2), sampleEvent(2)).join(), "2: it follows event 2");
  assertStringIncludes(
    problems(sampleEvent(1), sampleEvent(2, { cause: 1 })).join(),
    "cause is event 1, which is a note",
  );
  assertStringIncludes(problems({ ...enter, ins: [] }).join(), "enter of VmbChannelDeleteGpadl has 0 ins");
  assertStringIncludes(problems({ ...enter, plan, ins: [1n, null] }).join(), "Channel is 1");
  const memory = { partition: "guest", page: 1, offset: 4090, length: 7, digest: 0, bytes: null } as const;
  assertStringIncludes(problems(sampleEvent(1, { kind: "memory", memory })).join(), "a page has 4096");
});
