// Traces of a part of a run: numbers that were left out inside a chunk, traces that start later, and joining them.

import {
  BytesSink,
  bytesSource,
  headerToJson,
  joinTraces,
  openTrace,
  parseJsonLines,
  type TraceEvent,
  type TraceFile,
  type TraceHeader,
  TraceWriter,
  validate,
} from "../../src/trace/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { sampleEvent, sampleHeader } from "../support/sample_events.ts";

const PART = { leftOut: ["calls other than Vmb*"] };

function written(numbers: readonly number[], header: Partial<TraceHeader> = PART): Uint8Array<ArrayBuffer> {
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, sampleHeader(header));
  for (const event of numbers) writer.event(noteAt(event));
  writer.finish({ reason: "ended", message: "", events: 1_000_000 });
  return sink.bytes();
}

function noteAt(event: number): TraceEvent {
  return sampleEvent(event, { text: `note ${event}`, cause: event === 9 ? 7 : 0 });
}

function opened(bytes: Uint8Array): TraceFile {
  return openTrace(bytesSource(bytes));
}

function numbersOf(events: Iterable<TraceEvent>): number[] {
  return Array.from(events, ({ event }) => event);
}

Deno.test("events keep their numbers inside one chunk where others were left out", () => {
  const numbers = [3, 4, 9, 10, 11, 5000, 70_000];
  const trace = opened(written(numbers));
  assertEquals([...trace.events()], numbers.map(noteAt));
  assertEquals([trace.complete, trace.losses, [...validate(trace)]], [true, [], []]);
  const { blocks, events } = trace.summary();
  assertEquals([blocks.get("mt.event"), events, trace.eventCount], [1, 7, 70_000]);
});

Deno.test("a range of numbers finds its events, whatever was left out", () => {
  const trace = opened(written([3, 4, 9, 10, 200_000, 200_007, 900_000]));
  const within = (from: number, to: number) => numbersOf(trace.events({ from, to }));
  assertEquals([within(4, 9), within(5, 8), within(11, 199_999)], [[4, 9], [], []]);
  assertEquals([within(200_001, 900_000), within(900_001, 1e9)], [[200_007, 900_000], []]);
});

Deno.test("a chunk covers 131072 numbers at most", () => {
  const chunksOf = (numbers: readonly number[]) => opened(written(numbers)).summary().blocks.get("mt.event");
  assertEquals([chunksOf([1, 2 ** 17]), chunksOf([1, 2 ** 17 + 1])], [1, 2]);
});

Deno.test("a gap that the header knows nothing of closes the chunk, and is a loss", () => {
  const trace = opened(written([1, 2, 5], {}));
  assertEquals(trace.summary().blocks.get("mt.event"), 2);
  assertEquals(trace.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[3, 4]]);
});

Deno.test("an event that is refused behind a gap leaves the trace as it was", () => {
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, sampleHeader(PART));
  writer.event(noteAt(1));
  assertThrows(() => writer.event({ ...noteAt(5), text: "x".repeat(12 * 2 ** 20) }), TypeError);
  writer.event(noteAt(2));
  writer.event(noteAt(8));
  writer.finish({ reason: "ended", message: "", events: 8 });
  const trace = opened(sink.bytes());
  assertEquals([numbersOf(trace.events()), trace.complete], [[1, 2, 8], true]);
});

Deno.test("a cut in a trace with gaps is a loss of all that may have stood there", () => {
  const bytes = written([3, 4, 9]);
  const start = bytes.length - 400;
  const trace = opened(bytes.subarray(0, start));
  assertEquals(trace.complete, false);
  assert(trace.losses.length > 0 || trace.end === null);
});

Deno.test("a trace may start later: events before are no loss, and later ones must follow", () => {
  const trace = opened(written([8, 9], { startsAfter: 7 }));
  assertEquals([numbersOf(trace.events()), trace.complete, [...validate(trace)]], [[8, 9], true, []]);
  const gap = opened(written([9, 10], { startsAfter: 7 }));
  assertEquals(gap.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[8, 8]]);
  assertThrows(() => written([7], { startsAfter: 7 }), RangeError, "numbers must grow");
});

/** A finished part: its keyframe, then its events. */
function part(startsAfter: number, numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, sampleHeader({ startsAfter }));
  if (startsAfter > 0) writer.keyframe(startsAfter, new Uint8Array([startsAfter]));
  for (const event of numbers) writer.event(noteAt(event));
  writer.finish({ reason: "interrupted", message: "goes on", events: numbers.at(-1) ?? 0 });
  return sink.bytes();
}

Deno.test("joinTraces() makes one trace of parts, with their chunks as they stand, counts and keyframes", () => {
  const parts = [part(4, [5, 6]), part(6, [7]), part(7, [8])];
  const sink = new BytesSink();
  const end = { reason: "ended", message: "", events: 10 } as const;
  joinTraces(parts.map(bytesSource), { sink, end });
  const trace = opened(sink.bytes());
  assertEquals([...trace.events()], [5, 6, 7, 8].map(noteAt));
  assertEquals([trace.complete, trace.end, trace.header.startsAfter], [true, end, 4]);
  assertEquals([...trace.keyframes()].map(({ event, state }) => [event, ...state]), [[4, 4], [6, 6], [7, 7]]);
  const { kinds, isIndexed, events } = trace.summary();
  assertEquals([[...kinds], isIndexed, events], [[["note", 4]], true, 4]);
});

Deno.test("joinTraces() refuses what is cut, what goes back, and nothing at all", () => {
  const end = { reason: "ended", message: "", events: 10 } as const;
  const join = (...parts: readonly Uint8Array[]) => joinTraces(parts.map(bytesSource), { sink: new BytesSink(), end });
  const first = part(4, [5, 6]);
  assertThrows(() => join(first.subarray(0, first.length - 1)), TypeError, "starts after @4: it is not whole");
  assertThrows(() => join(first, part(2, [3, 4])), RangeError, "numbers must grow");
  assertThrows(() => join(), TypeError, "there is none");
});

Deno.test("JSON lines say what a trace is a part of, and nothing of a whole run", () => {
  const header = sampleHeader({
    startsAfter: 7,
    leftOut: ["events before @9"],
    selection: { range: { from: 9, to: 12 }, calls: [], levels: [], sides: ["server"], objects: ["gpadl#1"] },
  });
  assertEquals(parseJsonLines([JSON.stringify(headerToJson(header, null))]).header, header);
  const whole = headerToJson(sampleHeader(), null);
  assertEquals(["startsAfter", "leftOut", "selection"].filter((name) => name in whole), []);
  assertEquals(parseJsonLines([JSON.stringify(whole)]).header, sampleHeader());
});
