// Bytes in traces: stored once in a chunk, given back as they were, and lost with their own chunk only.

import { crc32 } from "node:zlib";
import fc from "fast-check";
import { defaultValue, planOf } from "../../src/api/mod.ts";
import { bytesSource, openTrace, type TraceEvent } from "../../src/trace/mod.ts";
import { pack, type Packable, PREFIX_BYTES, readBody, readPrefix, unpack, writeBlock } from "../../src/wire/mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { sampleEvent, writeTrace } from "../support/sample_events.ts";
import { blockStarts } from "../support/trace_blocks.ts";

const PAGE_BYTES = 4096;
const WRITE = planOf("WriteMdl");
const READ = planOf("ReadMdl");
const MDL = { kind: "mdl", number: 1, handle: 0x80002000 } as const;

/** Bytes that no compressor shrinks, from a seed. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

function writing(event: number, Data: Uint8Array): TraceEvent {
  return sampleEvent(event, { kind: "call", plan: WRITE, ins: [MDL, 0, Data], outcome: { form: "void" } });
}

function reading(event: number, bytes: Uint8Array): TraceEvent {
  const outcome = { form: "value", value: bytes } as const;
  return sampleEvent(event, { kind: "call", plan: READ, ins: [MDL, 0, bytes.length], outcome });
}

function delta(event: number, bytes: Uint8Array | null, claim = bytes === null ? 1 : crc32(bytes)): TraceEvent {
  const length = bytes?.length ?? 100;
  return sampleEvent(event, {
    kind: "memory",
    memory: { partition: "guest", page: 256 + event, offset: 0, length, digest: claim, bytes },
  });
}

/** The call that writes, and the deltas of its pages from an offset on. */
function written(first: number, data: Uint8Array, offset = 0): TraceEvent[] {
  const ends = [...Array(Math.ceil((data.length + offset) / PAGE_BYTES)).keys()].map((at) =>
    PAGE_BYTES * (at + 1) - offset
  );
  return [
    writing(first, data),
    ...ends.map((end, at) => delta(first + 1 + at, data.slice(Math.max(0, end - PAGE_BYTES), end))),
  ];
}

function eventsOf(bytes: Uint8Array): TraceEvent[] {
  const trace = openTrace(bytesSource(bytes));
  const events = [...trace.events()];
  assertEquals(trace.losses, []);
  return events;
}

const arbitraryBytes: fc.Arbitrary<Uint8Array> = fc.record({
  seed: fc.nat(2),
  isNoise: fc.boolean(),
  from: fc.constantFrom(0, 5, 1000),
  length: fc.constantFrom(0, 3, 63, 64, 200, 3096, 4096),
}).map(({ seed, isNoise, from, length }) =>
  isNoise ? noise(8192, seed).subarray(from, from + length) : new Uint8Array(length)
);

Deno.test("events whose bytes repeat, in calls, answers and deltas, come back as they were", () => {
  const step = fc.record({
    bytes: arbitraryBytes,
    does: fc.constantFrom("write", "read", "delta", "digest", "lie"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (steps, chunkEvents) => {
      const events = steps.map(({ bytes, does }, index) => {
        const event = index + 1;
        if (does === "write") return writing(event, bytes);
        if (does === "read") return reading(event, bytes);
        return does === "digest" ? delta(event, null) : delta(event, bytes, does === "lie" ? 5 : crc32(bytes));
      });
      assertEquals(eventsOf(writeTrace(events, { chunkEvents })), events);
    }),
    { seed: 8, numRuns: 150 },
  );
});

Deno.test("a write of several pages is stored once, its deltas and what reads it back too", () => {
  const data = noise(10_000, 1);
  const events = written(1, data, 1000);
  const read = [5, 6].map((event) => reading(event, data.slice()));
  const all = [...events, ...read, ...written(7, data.slice(0, 3096), 1000)];
  const bytes = writeTrace(all);
  assertEquals(eventsOf(bytes), all);
  const bare = writeTrace(
    all.filter(({ memory }) => memory === null).map(({ event, plan }) =>
      sampleEvent(event, { kind: "enter", plan, ins: plan?.ins.map((param) => defaultValue(param)) ?? [] })
    ),
  );
  assert(bytes.length < data.length + bare.length + 300, `${bytes.length} bytes, ${bare.length} without any`);
});

Deno.test("pages that repeat cost next to nothing: unchanged ones, zeros, and any other", () => {
  const pages = [
    new Uint8Array(PAGE_BYTES),
    new Uint8Array(PAGE_BYTES).fill(0x5a),
    noise(PAGE_BYTES, 1),
    noise(PAGE_BYTES, 2),
  ];
  const events = Array.from(
    { length: 4000 },
    (_, index) => written(1 + 2 * index, (pages[index % 4] ?? noise(1, 1)).slice()),
  ).flat();
  const bytes = writeTrace(events);
  assert(bytes.length < 2 * PAGE_BYTES + 2 * events.length, `${bytes.length} bytes for ${events.length} events`);
  assertEquals([...openTrace(bytesSource(bytes)).events({ from: 7999 })], events.slice(-2));
});

Deno.test("a chunk is closed by bytes that differ, not by those that repeat", () => {
  const chunksOf = (events: readonly TraceEvent[], chunkBytes?: number): number =>
    openTrace(bytesSource(writeTrace(events, chunkBytes === undefined ? {} : { chunkBytes }))).summary().blocks.get(
      "mt.event",
    ) ?? 0;
  const same = Array.from({ length: 1500 }, (_, index) => writing(index + 1, noise(PAGE_BYTES, 1)));
  const different = Array.from({ length: 1500 }, (_, index) => writing(index + 1, noise(PAGE_BYTES, index)));
  assertEquals([chunksOf(same), chunksOf(different)], [1, 2]);
  assertEquals(chunksOf(different.slice(0, 128), 64 * 1024), 8);
});

Deno.test("a damaged chunk takes no bytes of another with it", () => {
  const page = noise(PAGE_BYTES, 1);
  const events = [1, 3, 5].flatMap((first) => written(first, page));
  const bytes = writeTrace(events, { chunkEvents: 2 });
  const [first = 0] = blockStarts(bytes);
  bytes.set([(bytes[first + 2000] ?? 0) ^ 1], first + 2000);
  const trace = openTrace(bytesSource(bytes));
  assertEquals([...trace.events()], events.slice(2));
  assertEquals(trace.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[1, 2]]);
});

/** The trace's only chunk with other parts, and every checksum right. */
function forged(bytes: Uint8Array, edit: (parts: readonly Uint8Array[]) => readonly Uint8Array[]): Uint8Array {
  const [start = 0, end = 0] = blockStarts(bytes);
  const block = bytes.subarray(start, end);
  const prefix = readPrefix(block);
  assert(prefix !== null);
  const chunk = writeBlock({ ...prefix, parts: edit(readBody(prefix, block.subarray(PREFIX_BYTES))) });
  return new Uint8Array([...bytes.subarray(0, start), ...chunk, ...bytes.subarray(end)]);
}

function withHead(parts: readonly Uint8Array[], contents: Packable | undefined): readonly Uint8Array[] {
  const [head = new Uint8Array(0), ...rest] = parts;
  const fields = unpack(head);
  assert(fields instanceof Map);
  const kept = [...fields].filter(([name]) => name !== "contents").map(([name, value]) =>
    [String(name), value] as const
  );
  return [pack(new Map([...kept, ...(contents === undefined ? [] : [["contents", contents] as const])])), ...rest];
}

Deno.test("a chunk whose contents are not what its head says is lost, and nothing else", () => {
  const events = [...written(1, noise(PAGE_BYTES, 1)), ...written(3, new Uint8Array(PAGE_BYTES))];
  const bytes = writeTrace(events);
  assertEquals(eventsOf(forged(bytes, (parts) => parts)), events);
  const lies: Readonly<Record<string, (parts: readonly Uint8Array[]) => readonly Uint8Array[]>> = {
    "no contents": (parts) => withHead(parts, undefined),
    "one content": (parts) => withHead(parts, 1),
    "three contents": (parts) => withHead(parts, 3),
    "2^40 contents": (parts) => withHead(parts, 2 ** 40),
    "contents in words": (parts) => withHead(parts, "two"),
    "a part too few": (parts) => parts.slice(0, -1),
    "a part too many": (parts) => [...parts, new Uint8Array(0)],
    "a byte too few": (parts) => parts.map((part, index) => index === 5 ? part.subarray(1) : part),
    "parts that changed places": (
      parts,
    ) => [...parts.slice(0, 4), ...parts.slice(4).toReversed().map((part) => part.subarray(1))],
  };
  for (const [name, lie] of Object.entries(lies)) {
    const trace = openTrace(bytesSource(forged(bytes, lie)));
    assertEquals([...trace.events()], [], name);
    assertStringIncludes(trace.losses.map(({ what }) => what).join(), "events 1 to 4 are lost", name);
  }
});
