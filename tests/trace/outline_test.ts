// A trace's outline says what the whole reader says, and decodes no event for it.
import { type ByteSource, bytesSource, openTrace, TraceOutline } from "../../src/trace/mod.ts";
import { pack, PREFIX_BYTES, readBody, readPrefix, unpack, WireError, writeBlock } from "../../src/wire/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { decodeIndex, IndexBuilder } from "../../src/trace/footer.ts";
import { sampleHeader, sampleStory, writeTrace } from "../support/sample_events.ts";
import { blockStarts } from "../support/trace_blocks.ts";

const WALL = sampleStory(30).map((event) => ({ ...event, wallNs: 1000 * event.event }));

/** A source that gives bytes into a buffer, as files do. */
function fileLike(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offsetBytes, length) => bytes.slice(offsetBytes, offsetBytes + length),
    readInto(offsetBytes, into) {
      const found = bytes.subarray(offsetBytes, offsetBytes + into.length);
      into.set(found);
      return found.length;
    },
  };
}

Deno.test("TraceOutline tells what openTrace() tells, the last wall time too", () => {
  const header = sampleHeader({ wallClock: true });
  const bytes = writeTrace(WALL, { header, chunkEvents: 50 });
  const outline = new TraceOutline(fileLike(bytes));
  const trace = openTrace(bytesSource(bytes));
  assertEquals(outline.indexed(), trace.summary());
  assertEquals(outline.indexed()?.lastWallNs, 1000 * 120);
  assertEquals(
    [outline.header, outline.version, outline.end, outline.eventCount, outline.complete, outline.losses],
    [trace.header, trace.version, trace.end, trace.eventCount, true, []],
  );
});

Deno.test("TraceOutline finds damaged blocks where it reads all of them into one buffer", () => {
  const bytes = writeTrace(WALL, { chunkEvents: 50 });
  const [, second = 0, third = 0] = blockStarts(bytes);
  for (const at of [second + 100, third + 100]) bytes.set([(bytes[at] ?? 0) ^ 1], at);
  const outline = new TraceOutline(fileLike(bytes));
  assertEquals(outline.complete, false);
  assertEquals(outline.losses, openTrace(bytesSource(bytes)).losses);
  assertEquals(outline.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[51, 100], [101, 120]]);
});

/** The trace as it was written before indexes had a wall time. */
function withoutLastWall(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const [start = 0, end = 0] = blockStarts(bytes).slice(-2);
  const block = bytes.subarray(start, end);
  const prefix = readPrefix(block);
  assert(prefix !== null);
  const fields = unpack(readBody(prefix, block.subarray(PREFIX_BYTES))[0] ?? block);
  assert(fields instanceof Map && fields.delete("lastWall"));
  const index = writeBlock({ ...prefix, parts: [pack(fields)] });
  return Uint8Array.from([...bytes.subarray(0, start), ...index, ...bytes.subarray(end)]);
}

Deno.test("an index of an earlier time has no wall time: the last event tells it", () => {
  const bytes = withoutLastWall(writeTrace(WALL, { header: sampleHeader({ wallClock: true }), chunkEvents: 50 }));
  assertEquals(new TraceOutline(bytesSource(bytes)).indexed(), null);
  const trace = openTrace(bytesSource(bytes));
  const { lastWallNs, isIndexed } = trace.summary();
  assertEquals([lastWallNs, isIndexed, trace.complete], [1000 * 120, true, true]);
});

Deno.test("an index is read however many chunks it lists, and of a file that could not hold them it is not", () => {
  const builder = new IndexBuilder();
  const calls = new Map(Array.from({ length: 12 }, (_, call) => [`Call${call}`, 3]));
  const chunk = { counts: { kinds: new Map(), calls }, firstTimeNs: 0n, lastTimeNs: 5n, lastWallNs: 0 };
  const block = { tag: "mt.event", offsetBytes: 0, sizeBytes: 500, count: 40 };
  for (let row = 0; row < 200_000; row += 1) builder.add({ ...block, first: 1 + 40 * row }, chunk);
  const part = builder.encode();
  const { blocks, counts } = decodeIndex(part, 200_000 * 500);
  assertEquals([blocks.length, counts.calls.get("Call7")], [200_000, 600_000]);
  assertThrows(() => decodeIndex(part, 200_000), WireError, "holds more than");
});
