// The reader of raw event logs: round trips with the tests' own writer, refusals, and a real log.

import { DXGKRNL_PROVIDER } from "../../src/import/dxgkrnl_schema.ts";
import { readEtlFile } from "../../src/import/etl_file.ts";
import { ForeignFormatError } from "../../src/import/foreign_format_error.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import {
  bufferStarts,
  dxgkrnlPayload,
  type EtlWriterOptions,
  performanceRecord,
  SMALL_EVENTS,
  SMALL_OPTIONS,
  writeEtl,
} from "../support/etl_writer.ts";
import { sampleBytes } from "../support/shared_sample.ts";

Deno.test("readEtlFile() gives back what was written, sorted by time and then by place", () => {
  const file = readEtlFile(writeEtl(SMALL_EVENTS, SMALL_OPTIONS));
  assertEquals(file.notes, []);
  assertEquals(file.skippedBufferCount, 0);
  assertEquals(file.bufferCount, file.header.buffersWritten);
  const wanted = [10n, 20n, 30n, 30n, 50n, 55n, 60n];
  assertEquals(file.events.map((event) => event.timestamp), wanted);
  const [first, second] = file.events.filter((event) => event.timestamp === 30n);
  assert(first !== undefined && second !== undefined && first.offsetBytes < second.offsetBytes);
  for (const event of file.events) {
    const source = SMALL_EVENTS.find((each) => each.timestamp === event.timestamp && each.id === event.id);
    assert(source !== undefined, `event ${event.id} at ${event.timestamp} was not written`);
    assertEquals([event.cpu, event.pid, event.tid], [source.cpu ?? 0, source.pid ?? 0, source.tid ?? 0]);
    assertEquals([event.version, event.opcode], [source.version, source.opcode ?? 0]);
    assertEquals([event.keyword, event.provider], [source.keyword ?? 0n, DXGKRNL_PROVIDER]);
    assertEquals(event.pointerSize, source.pointerSize ?? 8);
    assertEquals(event.payload, dxgkrnlPayload(source, event.pointerSize));
  }
});

Deno.test("readEtlFile() restores order from buffers that interleave processors", () => {
  const events = Array.from({ length: 200 }, (_, index) => ({
    timestamp: BigInt((index * 7919) % 200),
    id: 39,
    version: 0,
    cpu: 254 + index % 5,
    fields: { hVidMmAlloc: BigInt(index) },
  }));
  const file = readEtlFile(writeEtl(events, { bufferSizes: [576, 1344, 256, 4096] }));
  assertEquals(file.events.length, 200);
  // Processor numbers above 255 are in use: their buffers say so in a flag.
  for (const event of file.events) {
    assertEquals(
      event.cpu,
      events.find((each) => each.timestamp === event.timestamp)?.cpu,
    );
  }
  assertEquals(file.events.map((event) => Number(event.timestamp)), Array.from({ length: 200 }, (_, index) => index));
});

Deno.test("readEtlFile() reads the log's header, with pointers of 4 and of 8 bytes", () => {
  for (const pointerSize of [4, 8] as const) {
    const { header } = readEtlFile(writeEtl(SMALL_EVENTS, {
      pointerSize,
      perfFreq: 3_119_142n,
      startTicks: 746_711_000_000n,
      startTime: 132_007_356_212_000_000n,
      endTime: 132_007_356_233_000_000n,
      eventsLost: 17,
      buffersLost: 3,
      buffersWritten: 1,
      logFileMode: 0x08010000,
      build: 19041,
      cpuCount: 8,
      sessionName: "gpuva",
    }));
    assertEquals(header, {
      perfFreq: 3_119_142n,
      clock: "performance-counter",
      ticksPerSecond: 3_119_142n,
      startTicks: 746_711_000_000n,
      startTime: 132_007_356_212_000_000n,
      endTime: 132_007_356_233_000_000n,
      pointerSize,
      buffersWritten: 1,
      buffersLost: 3,
      eventsLost: 17,
      cpuCount: 8,
      build: 19041,
      logFileMode: 0x08010000,
      sessionName: "gpuva",
    });
  }
});

Deno.test("readEtlFile() knows the three clocks and refuses another, or one that stands still", () => {
  const ticks = (options: EtlWriterOptions) => readEtlFile(writeEtl([], options)).header.ticksPerSecond;
  assertEquals(ticks({ clockType: 0, perfFreq: 77n }), 77n);
  assertEquals(ticks({ clockType: 2, perfFreq: 77n }), 10_000_000n);
  assertEquals(ticks({ clockType: 3, cpuMegahertz: 2500 }), 2_500_000_000n);
  assertThrows(() => ticks({ clockType: 9 }), ForeignFormatError, "clock type 9 is not 1, 2 or 3");
  assertThrows(() => ticks({ perfFreq: 0n }), ForeignFormatError, "0 ticks per second");
});

Deno.test("readEtlFile() finds the payload behind extended items", () => {
  const items = [new Uint8Array(16).fill(1), new Uint8Array(3).fill(2), new Uint8Array(0)];
  const events = [1, 2, 3].map((count) => ({
    timestamp: BigInt(count),
    id: 39,
    version: 0,
    fields: { hVidMmAlloc: BigInt(count) },
    extendedItems: items.slice(0, count),
  }));
  const file = readEtlFile(writeEtl(events));
  assertEquals(file.events.map((event) => event.payload.length), [8, 8, 8]);
  assertEquals(file.events.map((event) => event.payload[0]), [1, 2, 3]);
});

Deno.test("readEtlFile() counts records of other kinds and of other providers", () => {
  const other = "11111111-2222-3333-4444-555555555555";
  const events = [...SMALL_EVENTS, { timestamp: 5n, id: 39, version: 0, provider: other }];
  const bytes = writeEtl(events, { otherRecords: [performanceRecord(4), performanceRecord(0), performanceRecord(33)] });
  const all = readEtlFile(bytes);
  assertEquals([all.events.length, all.otherRecordCount], [events.length, 4]);
  assertEquals(all.events[0]?.provider, other);
  const some = readEtlFile(bytes, { provider: `{${DXGKRNL_PROVIDER.toUpperCase()}}` });
  assertEquals([some.events.length, some.otherRecordCount], [SMALL_EVENTS.length, 5]);
  assertThrows(() => readEtlFile(bytes, { provider: "DxgKrnl" }), TypeError, "Name the provider by its GUID");
});

Deno.test("readEtlFile() refuses compressed logs, by their mode and by their first buffer", () => {
  const mode = assertThrows(
    () => readEtlFile(writeEtl(SMALL_EVENTS, { logFileMode: 0x04000001 })),
    ForeignFormatError,
    "is compressed (log file mode 0x4000001 contains 0x4000000); record it again without compression",
  );
  assertEquals(mode.offset, 72 + 32 + 0x20);
  const bytes = writeEtl(SMALL_EVENTS);
  bytes[0x2c] = 5;
  bytes.fill(0x5a, 72, 400);
  assertThrows(() => readEtlFile(bytes), ForeignFormatError, "its first buffer is compressed");
});

Deno.test("readEtlFile() skips a later compressed buffer and keeps the others", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const third = bufferStarts(bytes)[2] ?? 0;
  bytes[third + 0x34] = 0x40;
  const file = readEtlFile(bytes);
  assertEquals(file.notes.map((note) => [note.kind, note.offsetBytes]), [["compressed-buffer", third]]);
  assertEquals(file.skippedBufferCount, 1);
  assert(file.events.length > 0 && file.events.length < SMALL_EVENTS.length);
});

Deno.test("readEtlFile() refuses what is no log", () => {
  assertThrows(() => readEtlFile(new Uint8Array(0)), ForeignFormatError, "the file is empty");
  assertThrows(() => readEtlFile(new Uint8Array(40)), ForeignFormatError, "ends inside its header");
  assertThrows(() => readEtlFile(new Uint8Array(4096)), ForeignFormatError, "marker 0x00000000 is not");
  assertThrows(() => readEtlFile(new TextEncoder().encode("BeginHeader\r\n".repeat(99))), ForeignFormatError, "marker");
  const wide = new Uint8Array(new Uint16Array([..."BeginHeader\r\n".repeat(99)].map((c) => c.charCodeAt(0))).buffer);
  assertThrows(() => readEtlFile(wide), ForeignFormatError, "marker");
  const bytes = writeEtl(SMALL_EVENTS);
  bytes[72] = 3;
  const error = assertThrows(() => readEtlFile(bytes), ForeignFormatError, "marker 0xc0020003 is not the 0xc0010002");
  assertEquals(error.offset, 72);
  const pointers = writeEtl(SMALL_EVENTS);
  pointers[72 + 32 + 0x2c] = 5;
  assertThrows(() => readEtlFile(pointers), ForeignFormatError, "pointer size 5 is neither 4 nor 8 bytes");
});

Deno.test("readEtlFile() passes on that the session lost events", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const second = bufferStarts(bytes)[1] ?? 0;
  bytes[second + 0x34] = 0x22;
  const file = readEtlFile(bytes);
  assertEquals(file.notes.map((note) => [note.kind, note.offsetBytes]), [["session-loss", second]]);
  assertEquals(file.events.length, SMALL_EVENTS.length);
});

Deno.test("readEtlFile() takes an empty buffer for what it is", () => {
  const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  const second = bufferStarts(bytes)[1] ?? 0;
  const withEmpty = new Uint8Array(bytes.length + 512);
  withEmpty.set(bytes.subarray(0, second));
  new DataView(withEmpty.buffer).setUint32(second, 512, true);
  withEmpty.set(bytes.subarray(second), second + 512);
  const file = readEtlFile(withEmpty);
  assertEquals([file.notes.length, file.events.length], [0, SMALL_EVENTS.length]);
});

const SAMPLE = sampleBytes("dxgkrnl-gpuva-win10-1803.etl");

Deno.test({
  name: "readEtlFile() reads the 1,644 events of a real Windows 10 1803 log (shared sample)",
  ignore: SAMPLE === undefined,
  fn() {
    const file = readEtlFile(SAMPLE ?? new Uint8Array(0));
    const counts: Record<number, number> = {};
    for (const event of file.events) counts[event.id] = (counts[event.id] ?? 0) + 1;
    // deno-fmt-ignore
    assertEquals(counts, {
      33: 16, 34: 38, 36: 16, 37: 39, 39: 27, 309: 263, 310: 230,
      327: 99, 328: 99, 331: 296, 332: 306, 334: 99, 435: 116,
    });
    assertEquals(file.events.length, 1644);
    assert(file.events.every((event) => event.provider === DXGKRNL_PROVIDER && event.pointerSize === 8));
    assertEquals(file.otherRecordCount, 2);
    const { perfFreq, clock, pointerSize, buffersLost, eventsLost, cpuCount, build, sessionName } = file.header;
    assertEquals(
      { perfFreq, clock, pointerSize, buffersLost, eventsLost, cpuCount, build, sessionName },
      {
        perfFreq: 3_119_142n,
        clock: "performance-counter",
        pointerSize: 4,
        buffersLost: 0,
        eventsLost: 0,
        cpuCount: 8,
        build: 17134,
        sessionName: "WinTraceCmdSession",
      },
    );
    assertEquals(file.bufferCount, 42);
    // The sample is an excerpt: its file header still counts the buffers of the original.
    assertEquals(file.notes.map((note) => note.kind), ["missing-buffers"]);
  },
});
