// The reader of raw event logs on damaged ones: cuts, flipped bits, garbage, lying sizes; nothing good may be lost.

import fc from "fast-check";
import { decodeDxgkrnl } from "../../src/import/dxgkrnl_schema.ts";
import { type EtlFile, type EtlNote, readEtlFile } from "../../src/import/etl_file.ts";
import { ForeignFormatError } from "../../src/import/foreign_format_error.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { bufferStarts, performanceRecord, SMALL_EVENTS, SMALL_OPTIONS, writeEtl } from "../support/etl_writer.ts";
import { sampleBytes } from "../support/shared_sample.ts";

function noteKinds(file: EtlFile): EtlNote["kind"][] {
  return file.notes.map((note) => note.kind);
}

/** Events keyed by place, as text, to compare readings of a whole and of a damaged log. */
function eventsByOffset(file: EtlFile): Map<number, string> {
  return new Map(file.events.map((event) => {
    const { timestamp, cpu, pid, tid, provider, id, version, pointerSize, payload } = event;
    return [event.offsetBytes, [timestamp, cpu, pid, tid, provider, id, version, pointerSize, payload].join(" ")];
  }));
}

function readOrRefuse(bytes: Uint8Array): EtlFile | undefined {
  try {
    return readEtlFile(bytes);
  } catch (error) {
    assert(error instanceof ForeignFormatError, `not a ForeignFormatError: ${error}`);
    assertStringIncludes(error.message, `at byte ${error.offset}: `);
    assert(error.offset >= 0 && error.offset <= bytes.length, `offset ${error.offset} outside ${bytes.length}`);
    return undefined;
  }
}

Deno.test("readEtlFile() skips one event whose extended items do not fit it", () => {
  const events = [1n, 2n, 3n].map((timestamp) => ({
    timestamp,
    id: 39,
    version: 0,
    extendedItems: [new Uint8Array(8)],
  }));
  const bytes = writeEtl(events);
  const second = readEtlFile(bytes).events[1]?.offsetBytes ?? 0;
  new DataView(bytes.buffer).setUint16(second + 80 + 6, 60000, true);
  const file = readEtlFile(bytes);
  assertEquals(file.events.map((event) => event.timestamp), [1n, 3n]);
  assertEquals(file.notes.map((note) => [note.kind, note.offsetBytes]), [["bad-event", second]]);
});

Deno.test("readEtlFile() keeps every whole event of a log cut at any byte, and says that it is cut", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const whole = eventsByOffset(readEtlFile(bytes));
  const view = new DataView(bytes.buffer);
  let refused = 0;
  for (let length = 0; length < bytes.length; length++) {
    const file = readOrRefuse(bytes.slice(0, length));
    if (file === undefined) {
      refused++;
      continue;
    }
    const wanted = [...whole].filter(([offset]) => offset + view.getUint16(offset, true) <= length);
    assertEquals(new Map([...eventsByOffset(file)].sort(([left], [right]) => left - right)), new Map(wanted));
    assertEquals(file.notes.filter((note) => note.kind === "missing-buffers" || note.kind === "cut").length > 0, true);
    for (const note of file.notes) assert(note.offsetBytes <= length, `a note at ${note.offsetBytes} of ${length}`);
  }
  // Only a cut in the file's header, at most 384 bytes of it, is refused.
  assert(refused > 72 && refused <= 384, `${refused} prefixes refused`);
});

Deno.test("readEtlFile() tells where a cut is and how much is lost", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const last = bufferStarts(bytes).at(-1) ?? 0;
  const filled = new DataView(bytes.buffer).getUint32(last + 0x30, true);
  const file = readEtlFile(bytes.slice(0, last + 100));
  assertEquals(file.notes.map(({ kind, offsetBytes, lostBytes }) => [kind, offsetBytes, lostBytes]), [
    ["cut", last, filled - 100],
  ]);
  const message = `Event log at byte ${last}: the file ends after 100 of the buffer's ${filled} filled bytes`;
  assertEquals(file.notes[0]?.message, message);
});

Deno.test("readEtlFile() counts buffers that are not there", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const starts = bufferStarts(bytes);
  const file = readEtlFile(bytes.slice(0, starts.at(-1)));
  assertEquals(noteKinds(file), ["missing-buffers"]);
  const counts = `counts ${starts.length} buffers written, and ${starts.length - 1} are here`;
  assertStringIncludes(file.notes[0]?.message ?? "", counts);
});

Deno.test("readEtlFile() finds the next buffer whatever a buffer's size is made to say", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const whole = eventsByOffset(readEtlFile(bytes));
  const starts = bufferStarts(bytes);
  const sizes = [0, 1, 71, 72, 80, 1000, bytes.length, bytes.length + 64, 16 << 20, 0x7fffffff, 0xffffffff];
  for (const start of starts) {
    for (const size of [...sizes, ...starts.filter((each) => each > start).map((each) => each - start)]) {
      const damaged = bytes.slice();
      const view = new DataView(damaged.buffer);
      if (view.getUint32(start, true) === size) continue;
      view.setUint32(start, size, true);
      const file = readEtlFile(damaged);
      assertEquals(eventsByOffset(file), whole, `size ${size} at ${start}`);
      assert(file.notes.length > 0, `size ${size} at ${start} went unnoticed`);
    }
  }
});

Deno.test("readEtlFile() loses only the rest of a buffer to garbage among its events", () => {
  const events = Array.from({ length: 30 }, (_, index) => ({ timestamp: BigInt(index), id: 39, version: 0 }));
  const bytes = writeEtl(events, { bufferSizes: [1024] });
  const whole = readEtlFile(bytes).events;
  const starts = bufferStarts(bytes);
  const victim = whole.find((event) => event.offsetBytes > (starts[2] ?? 0) + 300)?.offsetBytes ?? 0;
  const nextBuffer = starts.find((start) => start > victim) ?? bytes.length;
  for (const [at, value] of [[3, 0], [2, 0x77], [0, 0], [1, 0xff]] as const) {
    const damaged = bytes.slice();
    damaged[victim + at] = value;
    const file = readEtlFile(damaged);
    assertEquals(file.notes.map((note) => [note.kind, note.offsetBytes]), [["bad-event", victim]]);
    const kept = whole.filter((event) => event.offsetBytes < victim || event.offsetBytes >= nextBuffer);
    assertEquals(file.events.map((event) => event.timestamp), kept.map((event) => event.timestamp));
  }
});

Deno.test("readEtlFile() does not take zeros in a payload for an empty buffer", () => {
  const payload = new Uint8Array(400);
  const numbers = new DataView(payload.buffer);
  numbers.setUint32(80, 320, true);
  numbers.setUint32(80 + 0x2c, 5, true);
  const events = [0n, 1n, 2n, 3n].map((timestamp) => ({ timestamp, id: 39, version: 0, payload }));
  const bytes = writeEtl(events, { bufferSizes: [576] });
  const third = bufferStarts(bytes)[2] ?? 0;
  bytes.fill(0, third, third + 72);
  const file = readEtlFile(bytes);
  assertEquals(file.events.map((event) => event.timestamp), [0n, 2n, 3n]);
  assertEquals(file.notes.map(({ kind, offsetBytes, lostBytes }) => [kind, offsetBytes, lostBytes]), [
    ["bad-buffer", third, 576],
  ]);
});

Deno.test("readEtlFile() skips garbage between buffers and notes its size", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const second = bufferStarts(bytes)[1] ?? 0;
  const damaged = new Uint8Array(bytes.length + 4096);
  damaged.set(bytes.subarray(0, second));
  damaged.fill(0xee, second, second + 4096);
  damaged.set(bytes.subarray(second), second + 4096);
  const file = readEtlFile(damaged);
  assertEquals(file.notes.map(({ kind, offsetBytes, lostBytes }) => [kind, offsetBytes, lostBytes]), [
    ["bad-buffer", second, 4096],
  ]);
  assertEquals(file.events.length, SMALL_EVENTS.length);
});

Deno.test("readEtlFile() answers random damage with a clear refusal or with events that are in the file", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 8,
  });
  const property = fc.property(damage, (flips) => {
    const damaged = bytes.slice();
    for (const [offset, mask] of flips) damaged[offset] = (damaged[offset] ?? 0) ^ mask;
    const file = readOrRefuse(damaged);
    if (file === undefined) return;
    for (const { offsetBytes, payload } of file.events) {
      assert(offsetBytes >= 72 && payload.byteOffset + payload.length <= damaged.length);
      assert(payload.byteOffset >= offsetBytes + 80);
    }
    for (const event of file.events) decodeDxgkrnl(event);
    const times = file.events.map((event) => event.timestamp);
    assert(times.every((time, index) => index === 0 || (times[index - 1] ?? 0n) <= time), "not sorted");
  });
  fc.assert(property, { seed: 334, numRuns: 1500 });
});

Deno.test("readEtlFile() keeps the events of every buffer that one flipped bit does not touch", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const whole = eventsByOffset(readEtlFile(bytes));
  const starts = bufferStarts(bytes);
  for (let offset = starts[1] ?? 0; offset < bytes.length; offset++) {
    const start = starts.findLast((each) => each <= offset) ?? 0;
    const end = starts.find((each) => each > offset) ?? bytes.length;
    for (const mask of [0x01, 0x08, 0x80]) {
      const damaged = bytes.slice();
      damaged[offset] = (damaged[offset] ?? 0) ^ mask;
      const kept = eventsByOffset(readEtlFile(damaged));
      for (const [place, text] of whole) {
        if (place < start || place >= end) assertEquals(kept.get(place), text, `bit ${mask} of byte ${offset}`);
      }
    }
  }
});

Deno.test("readEtlFile() reads on where one of a buffer's two counts of filled bytes is wrong", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const whole = eventsByOffset(readEtlFile(bytes));
  const second = bufferStarts(bytes)[1] ?? 0;
  for (const place of [0x04, 0x30]) {
    for (const [count, kinds] of [[0, []], [80, ["bad-buffer"]], [9999, ["bad-buffer"]]] as const) {
      const damaged = bytes.slice();
      new DataView(damaged.buffer).setUint32(second + place, count, true);
      const file = readEtlFile(damaged);
      assertEquals(eventsByOffset(file), whole);
      assertEquals(noteKinds(file), [...kinds]);
    }
  }
});

Deno.test("readEtlFile() survives buffers that all claim to be the largest", () => {
  const bytes = writeEtl([]);
  const record = performanceRecord(0);
  const size = 72 + record.length;
  const count = 4000;
  const hostile = new Uint8Array(bytes.length + size * count);
  hostile.set(bytes);
  const view = new DataView(hostile.buffer);
  for (let position = bytes.length; position < hostile.length; position += size) {
    view.setUint32(position, 16 << 20, true);
    view.setUint32(position + 4, size, true);
    view.setUint32(position + 0x30, size, true);
    hostile.set(record, position + 72);
  }
  const file = readEtlFile(hostile);
  assertEquals([file.events.length, file.otherRecordCount], [0, count + 1]);
  assertEquals([file.bufferCount, file.skippedBufferCount], [count + 1, 0]);
});

const SAMPLE = sampleBytes("dxgkrnl-gpuva-win10-1803.etl");

Deno.test({
  name: "readEtlFile() keeps the other buffers of a real log when one loses its header (shared sample)",
  ignore: SAMPLE === undefined,
  fn() {
    const bytes = SAMPLE ?? new Uint8Array(0);
    const starts = bufferStarts(bytes);
    const whole = eventsByOffset(readEtlFile(bytes));
    for (const [index, start] of starts.entries()) {
      if (index === 0) continue;
      const damaged = bytes.slice();
      damaged.fill(0, start, start + 72);
      const kept = eventsByOffset(readEtlFile(damaged));
      const end = starts[index + 1] ?? bytes.length;
      assertEquals(kept.size, [...whole.keys()].filter((place) => place < start || place >= end).length);
    }
  },
});
