// Damaged traces: every cut and every flipped bit is noticed, and costs no event that it did not touch.

import { bytesSource, FORMAT_VERSION, openTrace, type TraceEvent, TraceFormatError } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { blockStarts } from "../support/trace_blocks.ts";
import { sampleEvent, sampleHeader, sampleStory, writeTrace } from "../support/sample_events.ts";

const EVENTS = sampleStory(3);
const SMALL = writeTrace(EVENTS, { chunkEvents: 5 });

interface Reading {
  readonly events: readonly TraceEvent[];
  readonly complete: boolean;
  readonly losses: readonly string[];
  /** Whether a loss states this event. */
  readonly isLost: (event: number) => boolean;
}

/** What is read of damaged bytes; an error is no events and not complete. */
function readingOf(bytes: Uint8Array): Reading {
  try {
    const trace = openTrace(bytesSource(bytes));
    const events = [...trace.events()];
    const { losses } = trace;
    const isLost = (event: number): boolean =>
      losses.some(({ firstEvent, lastEvent }) => firstEvent <= event && event <= lastEvent);
    return { events, complete: trace.complete, losses: losses.map(({ what }) => what), isLost };
  } catch (error) {
    if (error instanceof TraceFormatError) {
      return {
        events: [],
        complete: false,
        losses: [error.message],
        isLost: () => false,
      };
    }
    throw error;
  }
}

function assertOnlyRecorded(reading: Reading, where: string): void {
  for (const event of reading.events) assertEquals(event, EVENTS[event.event - 1], where);
}

Deno.test("a flipped bit at any byte is noticed, and no event is read that was not recorded", () => {
  for (let offset = 0; offset < SMALL.length; offset += 1) {
    const bytes = SMALL.slice();
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << (offset % 8));
    const reading = readingOf(bytes);
    assertOnlyRecorded(reading, `byte ${offset}`);
    assert(!reading.complete, `the flip at byte ${offset} of ${SMALL.length} went unnoticed`);
    assert(reading.losses.length > 0, `no loss is stated for the flip at byte ${offset}`);
    const read = new Set(reading.events.map(({ event }) => event));
    for (const { event } of EVENTS) assert(read.has(event) || reading.isLost(event), `event ${event}, byte ${offset}`);
    assert(reading.events.length >= EVENTS.length - 5, `the flip at byte ${offset} cost more than a chunk`);
  }
});

Deno.test("every prefix of a trace reads as far as it goes, and is not complete", () => {
  let longest = 0;
  for (let length = 0; length < SMALL.length; length += 1) {
    const reading = readingOf(SMALL.subarray(0, length));
    assertOnlyRecorded(reading, `prefix of ${length} bytes`);
    assert(!reading.complete, `the prefix of ${length} bytes seems complete`);
    assert(reading.events.length >= longest, `the prefix of ${length} bytes lost events`);
    longest = reading.events.length;
  }
  assertEquals(longest, EVENTS.length);
});

Deno.test("damage to the middle chunk of three keeps the others and names the lost events", () => {
  const [, middle = 0] = blockStarts(SMALL);
  for (const offset of [middle + 4, middle + 100]) {
    const bytes = SMALL.slice();
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    const trace = openTrace(bytesSource(bytes));
    assertEquals([...trace.events()], [...EVENTS.slice(0, 5), ...EVENTS.slice(10)]);
    const [loss] = trace.losses;
    assertEquals(trace.losses.length, 1);
    assertEquals([loss?.firstEvent, loss?.lastEvent, loss?.offsetBytes], [6, 10, middle]);
    assertEquals(trace.eventCount, 12);
  }
});

Deno.test("a damaged index is rebuilt, and said to be", () => {
  const index = blockStarts(SMALL).at(-2) ?? 0;
  const bytes = SMALL.slice();
  bytes[index + 80] = (bytes[index + 80] ?? 0) ^ 1;
  const trace = openTrace(bytesSource(bytes));
  assertEquals([...trace.events()], EVENTS);
  assertEquals(trace.summary().isIndexed, false);
  const { isIndexed: _, blocks: _blocks, ...rebuilt } = trace.summary();
  const { isIndexed, blocks: _whole, ...whole } = openTrace(bytesSource(SMALL)).summary();
  assert(isIndexed);
  assertEquals(rebuilt, whole);
  assertStringIncludes(trace.losses[0]?.what ?? "", "index is damaged");
});

Deno.test("bytes after the end, and bytes gone from the middle, are noticed", () => {
  const longer = new Uint8Array(SMALL.length + 3);
  longer.set(SMALL);
  const reading = readingOf(longer);
  assertEquals(reading.events, EVENTS);
  assertEquals(reading.losses, ["3 bytes follow the end of the trace"]);
  assertEquals(readingOf(longer.subarray(0, SMALL.length + 1)).losses, ["1 byte follows the end of the trace"]);
  const [first = 0, middle = 0] = blockStarts(SMALL);
  for (
    const [gone, kept] of [[first + 70, EVENTS.slice(5)], [middle + 70, [
      ...EVENTS.slice(0, 5),
      ...EVENTS.slice(10),
    ]]] as const
  ) {
    const shorter = new Uint8Array([...SMALL.subarray(0, gone), ...SMALL.subarray(gone + 9)]);
    assertEquals(readingOf(shorter).events, kept);
    assertEquals(readingOf(shorter).complete, false);
  }
});

Deno.test("a block cut out, put twice or taken from another trace is noticed", () => {
  const [first = 0, middle = 0, last = 0] = blockStarts(SMALL);
  const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(parts.flatMap((part) => [...part]));
  const without = readingOf(join(SMALL.subarray(0, middle), SMALL.subarray(last)));
  assertEquals(without.events, [...EVENTS.slice(0, 5), ...EVENTS.slice(10)]);
  assertStringIncludes(without.losses.join(), "events 6 to 10");
  const twice = readingOf(join(SMALL.subarray(0, middle), SMALL.subarray(first)));
  assertEquals([twice.events, twice.complete], [EVENTS, false]);
  const other = writeTrace(sampleStory(3).map((event) => ({ ...event, actor: "x" })), {
    chunkEvents: 5,
    header: sampleHeader({ seed: 8 }),
  });
  const [, otherMiddle = 0, otherLast = 0] = blockStarts(other);
  const mixed = readingOf(
    join(SMALL.subarray(0, middle), other.subarray(otherMiddle, otherLast), SMALL.subarray(last)),
  );
  assertEquals([mixed.events, mixed.complete], [without.events, false]);
});

Deno.test("a walk that goes back into a cut chunk for a chunk that stands there twice comes to an end", () => {
  const [first = 0, middle = 0, last = 0] = blockStarts(SMALL);
  const cut = [...SMALL.subarray(middle, middle + 80), ...SMALL.subarray(middle + 90, last)];
  const junk = new Uint8Array(100).fill(0x9a);
  const bytes = new Uint8Array([...SMALL.subarray(0, middle), ...cut, ...SMALL.subarray(first, middle), ...junk]);
  let reads = 0;
  const read = (offset: number, length: number): Uint8Array => {
    reads += 1;
    assert(reads < 1000, "it reads without end");
    return bytes.subarray(offset, offset + length);
  };
  const trace = openTrace({ size: bytes.length, read });
  assertEquals([...trace.events()], EVENTS.slice(0, 5));
  assertEquals(trace.complete, false);
});

Deno.test("an end whose index lies behind the file is not followed there", () => {
  const [first = 0, middle = 0] = blockStarts(SMALL);
  const bytes = new Uint8Array([...SMALL.subarray(0, first), ...SMALL.subarray(middle)]);
  const read = (offset: number, length: number): Uint8Array => {
    assert(offset <= bytes.length, `it reads at ${offset} of ${bytes.length}`);
    return bytes.subarray(offset, offset + length);
  };
  assertEquals([...openTrace({ size: bytes.length, read }).events()], EVENTS.slice(5));
});

Deno.test("a trace inside a trace's memory is not taken for its blocks, even after damage", () => {
  const inner = writeTrace([sampleEvent(1, { text: "inner" })], { header: sampleHeader({ seed: 99 }) });
  const [start = 0, end = 0] = blockStarts(inner);
  const block = inner.subarray(start, end);
  // Noise around the block, so that the memory is stored as it is and the block stands in the file.
  const bytes = new Uint8Array(4096).map((_, index) => Math.imul(index + 1, 0x9e3779b1) >>> 13);
  bytes.set(block, 1000);
  const memory = { partition: "guest", page: 1, offset: 0, length: bytes.length, digest: 0, bytes } as const;
  const outer = writeTrace([sampleEvent(1, { kind: "memory", memory }), sampleEvent(2)], { chunkEvents: 1 });
  assert(indexOf(outer, block) > 0, "the inner block stands in the file");
  const [first = 0] = blockStarts(outer);
  outer[first] = 0;
  const reading = readingOf(outer);
  assertEquals(reading.events.map(({ event, text }) => [event, text]), [[2, ""]]);
});

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  return bytes.findIndex((_, start) => wanted.every((byte, index) => bytes[start + index] === byte));
}

Deno.test("what is no trace is said to be none, and why", () => {
  const refusal = (bytes: Uint8Array): TraceFormatError =>
    assertThrows(() => openTrace(bytesSource(bytes)), TraceFormatError);
  assertStringIncludes(refusal(new Uint8Array(0)).message, "it is empty");
  assertStringIncludes(refusal(new TextEncoder().encode("client VmbChannelAllocate() -> ok\n")).message, "it is text");
  assertStringIncludes(refusal(new Uint8Array(1000).fill(7)).message, "does not start with");
  assertStringIncludes(refusal(SMALL.subarray(0, 40)).message, "inside the header");
  assertEquals(refusal(new Uint8Array(0)).reason, "not-a-trace");
});

Deno.test("a trace of a newer version is refused as such", () => {
  const newer = writeTrace([], { version: FORMAT_VERSION + 1 });
  const error = assertThrows(() => openTrace(bytesSource(newer)), TraceFormatError, "Update maptrail");
  assertEquals([error.reason, error.chunk], ["newer-version", -1]);
});

Deno.test("a gap that the header states is no loss of its own", () => {
  const events = [sampleEvent(1), sampleEvent(5)];
  const stated = { what: "2 buffers", firstEvent: 2, lastEvent: 4, offsetBytes: -1 };
  const trace = openTrace(bytesSource(writeTrace(events, { header: sampleHeader({ losses: [stated] }) })));
  assertEquals(trace.losses, [stated]);
  assertEquals([...trace.events()].map(({ event }) => event), [1, 5]);
  assertStringIncludes(readingOf(writeTrace(events)).losses.join(), "events 2 to 4");
});
