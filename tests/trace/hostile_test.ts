// Traces made to do harm: forged lengths, counts and nesting with right checksums.

import fc from "fast-check";
import { planOf } from "../../src/api/mod.ts";
import { bytesSource, openTrace, type TraceEvent, TraceFormatError } from "../../src/trace/mod.ts";
import { crc32, moveBlock, pack, type Packable, PREFIX_BYTES } from "../../src/wire/mod.ts";
import { readBody, readPrefix, unpack, writeBlock } from "../../src/wire/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { sampleEvent, sampleStory, writeTrace } from "../support/sample_events.ts";
import { blockStarts } from "../support/trace_blocks.ts";

const EVENTS = sampleStory(40);
const TRACE = writeTrace(EVENTS);

/** The trace with one block's decoded parts changed and every checksum right: what only a bad writer could make. */
function forged(block: number, edit: Edit, claims: Claims = {}): Uint8Array {
  return forgedIn(TRACE, { block, edit, claims });
}

type Edit = (part: Uint8Array, index: number) => Uint8Array;
type Claims = { readonly first?: number; readonly count?: number };

function forgedIn(
  trace: Uint8Array,
  { block, edit, claims = {} }: { readonly block: number; readonly edit: Edit; readonly claims?: Claims },
): Uint8Array {
  const starts = [...blockStarts(trace), trace.length];
  const [start = 0, end = 0] = starts.slice(block);
  const bytes = trace.subarray(start, end);
  const prefix = readPrefix(bytes);
  assert(prefix !== null);
  const parts = readBody(prefix, bytes.subarray(PREFIX_BYTES)).map((part, index) => edit(part.slice(), index));
  const written = writeBlock({ ...prefix, ...claims, parts });
  return new Uint8Array([...trace.subarray(0, start), ...written, ...trace.subarray(end)]);
}

function walk(bytes: Uint8Array): void {
  try {
    const trace = openTrace(bytesSource(bytes));
    for (const _ of trace.events());
    for (const _ of trace.keyframes());
    trace.summary();
    assert(Array.isArray(trace.losses));
  } catch (error) {
    if (!(error instanceof TraceFormatError)) throw error;
  }
}

Deno.test("forged parts with right checksums give losses or other events, never another error", () => {
  const flips = fc.array(fc.record({ part: fc.nat(3), at: fc.nat(), byte: fc.nat(255) }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.nat(2), flips, (block, changes) => {
      walk(forged(block, (part, index) => {
        for (const { part: where, at, byte } of changes) {
          if (where === index && part.length > 0) part[at % part.length] = byte;
        }
        return part;
      }));
    }),
    { seed: 3, numRuns: 400 },
  );
});

Deno.test("a chunk that claims more events than it holds is lost, whatever it claims", () => {
  for (const count of [161, 2 ** 17, 2 ** 17 + 1, 0xffffffff]) {
    const trace = openTrace(bytesSource(forged(0, (part) => part, { count })));
    for (const _ of trace.events());
    assert(!trace.complete && trace.losses.length > 0, `${count} events`);
  }
});

Deno.test("a chunk that claims more sites or shapes than it has events is lost before they take memory", () => {
  for (const table of ["sites", "shapes"]) {
    const bytes = forged(0, (part, index) => index === 0 ? withField(part, table, 2 ** 22) : part);
    const trace = openTrace(bytesSource(bytes));
    assertEquals([...trace.events()], []);
    assertStringIncludes(trace.losses.map(({ what }) => what).join(), "table of 4194304 rows: the limit is 160");
  }
});

Deno.test("a chunk that claims less than no objects, or parts of one, is lost", () => {
  for (const count of [-1, 0.5, 2 ** 22 + 1, NaN]) {
    const bytes = forged(0, (part, index) => index === 0 ? withField(part, "objects", [["mdl", count, 64]]) : part);
    const trace = openTrace(bytesSource(bytes));
    assertEquals([...trace.events()], []);
    assertStringIncludes(trace.losses.map(({ what }) => what).join(), `table of ${count} rows`);
  }
});

Deno.test("the index of a trace counts no calls below nothing", () => {
  const bytes = forged(1, (part) => withField(part, "calls", [[0, -1]]));
  const summary = openTrace(bytesSource(bytes)).summary();
  assertEquals([summary.isIndexed, summary.calls.get("VmbChannelMapGpadl")], [false, 40]);
});

Deno.test("events whose numbers would pass 2^53 are no events", () => {
  const whole = forged(0, (part) => part, { first: Number.MAX_SAFE_INTEGER - 1 });
  const trace = openTrace(bytesSource(whole.subarray(0, blockStarts(whole)[1])));
  assertEquals([...trace.events()], []);
  for (const { firstEvent, lastEvent } of trace.losses) assert(firstEvent <= lastEvent && lastEvent < 2 ** 53);
});

Deno.test("a memory delta that leaves its page is lost", () => {
  const events = sampleStory(1).map((event) =>
    event.memory === null ? event : { ...event, memory: { ...event.memory, offset: 4093 } }
  );
  const page = writeTrace(events);
  assertEquals([...openTrace(bytesSource(page)).events()].length, 4);
  const wide = forgedIn(page, {
    block: 0,
    edit: (part, index) => index === 0 ? withBytes(part, [0xfd, 0x1f], [0xfe, 0x1f]) : part,
  });
  const trace = openTrace(bytesSource(wide));
  assertEquals([...trace.events()].map(({ event }) => event), [1]);
  assertStringIncludes(trace.losses[0]?.what ?? "", "events 2 to 4 are lost");
});

/** A call that gives back so many page numbers, all alike: they take no bytes. */
function pagesOf(count: number): TraceEvent {
  const plan = planOf("MmGetMdlPfnArray");
  const outs = [Array.from({ length: count }, () => 7n)];
  return sampleEvent(1, { kind: "call", plan, side: "host", ins: [null], outs, outcome: { form: "void" } });
}

Deno.test("an array that claims more elements than an event may have is lost before they take memory", () => {
  const wide = writeTrace([pagesOf(300_000)]);
  assertEquals([...openTrace(bytesSource(wide)).events()].length, 1);
  const forged = forgedIn(wide, {
    block: 0,
    // Both are varints of three bytes: the next one claims 2,097,151.
    edit: (part, index) => index === 0 ? withBytes(part, [0xe0, 0xa7, 0x12], [0xff, 0xff, 0x7f]) : part,
  });
  const trace = openTrace(bytesSource(forged));
  assertEquals([...trace.events()], []);
  assertStringIncludes(trace.losses[0]?.what ?? "", "2097151 elements of arrays, more than 557056");
});

Deno.test("an event with more elements than a reader takes is refused by the writer", () => {
  assertEquals([...openTrace(bytesSource(writeTrace([pagesOf(2 ** 19)]))).events()].length, 1);
  const error = assertThrows(() => writeTrace([pagesOf(2 ** 19 + 1)]), RangeError);
  assertStringIncludes(error.message, "Cannot write event 1 with 524289 elements of arrays: the limit is 524288");
});

Deno.test("an end and an index that claim more than they may hold are damaged, and are not decompressed", () => {
  const claims = [
    [
      2,
      "the end of the trace is damaged: it says 4000065 bytes, more than the 65536",
      "message",
      "m".repeat(4_000_000),
    ],
    [1, "the index is damaged; it was rebuilt: it says", "sizes", Array.from({ length: 4_000_000 }, () => 0)],
  ] as const;
  for (const [block, said, name, value] of claims) {
    const trace = openTrace(bytesSource(forged(block, (part) => withField(part, name, value))));
    assertStringIncludes(trace.losses.map(({ what }) => what).join(), said);
    assertEquals([...trace.events()].length, 160);
  }
});

Deno.test("a header that is no value, with a right checksum, is a damaged header, and its events are read", () => {
  const [size = 0] = blockStarts(TRACE);
  const [before, after] = [TRACE.slice(0, 51), TRACE.slice(size)];
  const bad: readonly (readonly number[])[] = [
    [0xa1, 0x78, 0xd4, 1, 1], // an extension
    [0xa1, 0x78, 0xc1], // nothing
    [0xa1, 0x78, ...new Array(40).fill(0x91), 0xc0], // deep
    [0xa1, 0x78, 0xdd, 0xff, 0xff, 0xff, 0xff], // an array without end
    [0xa1, 0x78], // a key without a value
    [0xa1, 0x78, 0xc0, 0xc0], // a value too many
    [0xa1, 0x78, 0xdc, 0xff, 0xff, ...new Array(0xffff).fill(0x80)], // maps
  ];
  for (const value of bad) {
    const trace = openTrace(bytesSource(sealed(before, value, after)));
    assertEquals([...trace.events()].length, 160);
    assertStringIncludes(trace.losses.map(({ what }) => what).join(), "the header is damaged: Cannot read value");
  }
});

/** A trace of a header of five keys, whatever its last one is, and these blocks, all checksums right. */
function sealed(start: Uint8Array, last: readonly number[], blocks: Uint8Array): Uint8Array {
  const header = new Uint8Array([...start, ...last]);
  const view = new DataView(header.buffer);
  view.setUint16(1, 5);
  view.setUint32(38, header.length);
  view.setUint32(47, 0);
  view.setUint32(47, crc32(header));
  const bytes = new Uint8Array([...header, ...blocks]);
  for (const at of blockStarts(bytes)) moveBlock(bytes.subarray(at), view.getUint32(47));
  return bytes;
}

Deno.test("a head of more maps, values or bytes than declarations and texts need is lost before it takes memory", () => {
  const heads: readonly (readonly [string, Packable, string])[] = [
    ["calls", Array.from({ length: 2 ** 16 + 1 }, () => new Map()), "it holds more than 65536 maps"],
    ["strings", Array.from({ length: 2 ** 20 + 1 }, () => ""), "it holds more than 1048576"],
    ["strings", ["x".repeat(2 ** 26 - 2 ** 20)], "Cannot read a chunk's head of"],
  ];
  for (const [name, value, said] of heads) {
    const bytes = forged(0, (part, index) => index === 0 ? withField(part, name, value) : part);
    const trace = openTrace(bytesSource(bytes));
    assertEquals([...trace.events()], []);
    assertStringIncludes(trace.losses.map(({ what }) => what).join(), said);
  }
});

Deno.test("many blocks of few bytes that decompress to many, and are nothing, take the memory of one", () => {
  const [start = 0, end = 0] = blockStarts(TRACE);
  const prefix = readPrefix(TRACE.subarray(start, end));
  assert(prefix !== null);
  const bombs = Array.from({ length: 12 }, (_, index) => {
    const parts = [new Uint8Array(2 ** 25), new Uint8Array(2 ** 25 - 1)];
    return writeBlock({ ...prefix, first: 1 + index, count: 1, parts });
  });
  const file = bombs.reduce((all, bomb) => new Uint8Array([...all, ...bomb]), TRACE.subarray(0, start));
  assert(file.length < 200_000);
  const before = Deno.memoryUsage().external;
  const trace = openTrace(bytesSource(file));
  for (const _ of trace.events());
  assertEquals(trace.losses.length, 12);
  const more = Deno.memoryUsage().external - before;
  assert(more < 2 ** 25, `${more} bytes are still held`);
});

/** A part that is a map, with another value under this name. */
function withField(part: Uint8Array, name: string, value: Packable): Uint8Array {
  const fields = unpack(part);
  assert(fields instanceof Map && fields.has(name));
  return pack(new Map([...fields].map(([key, old]) => [String(key), key === name ? value : old])));
}

/** The part with the first of these bytes replaced. */
function withBytes(part: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const at = part.findIndex((_, start) => from.every((byte, index) => part[start + index] === byte));
  assert(at >= 0, "the bytes are there");
  part.set(to, at);
  return part;
}

Deno.test("random bytes are no trace, and do not hang", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), walk), { seed: 4, numRuns: 200 });
});
