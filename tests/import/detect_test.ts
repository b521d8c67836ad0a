// Detection by content: what each format is told by, and that nothing else passes for it.

import fc from "fast-check";
import { DETECT_BYTES, detectFormat } from "../../src/import/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { captureStory } from "../support/capture_story.ts";
import { SMALL_EVENTS, writeEtl } from "../support/etl_writer.ts";
import { sampleBytes } from "../support/shared_sample.ts";

function text(content: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(content);
}

Deno.test("detectFormat() knows a raw event log, of 32 and 64 bits, by its first 80 bytes", () => {
  for (const pointerSize of [4, 8] as const) {
    const bytes = writeEtl(SMALL_EVENTS, { pointerSize });
    assertEquals(detectFormat(bytes), "etl");
    assertEquals(detectFormat(bytes.subarray(0, 80)), "etl");
    assertEquals(detectFormat(bytes.subarray(0, 79)) === "etl", false);
  }
  assertEquals(detectFormat(captureStory()), "etl");
});

Deno.test("detectFormat() knows a compressed log too, for the importer to say so", () => {
  for (const [place, value] of [[0x2c, 5], [0x34, 0x40]] as const) {
    const bytes = writeEtl(SMALL_EVENTS);
    bytes[place] = value;
    bytes.fill(0x5a, 72, 400);
    assertEquals(detectFormat(bytes), "etl");
  }
});

Deno.test("detectFormat() knows JSON lines by their first object, behind white space and a byte order mark", () => {
  for (const content of ['{"a":1}', '\ufeff{"a":1}', '\r\n \t{"a":1}\n{"a":2}', "{"]) {
    assertEquals(detectFormat(text(content)), "json-lines");
  }
});

Deno.test("detectFormat() knows one of our traces: a MessagePack map with a name for its first key", () => {
  const key = [0xa6, 0x66, 0x6f, 0x72, 0x6d, 0x61, 0x74];
  for (const map of [[0x81], [0x8f], [0xde, 0, 20], [0xdf, 0, 0, 0, 20]]) {
    assertEquals(detectFormat(Uint8Array.from([...map, ...key])), "maptrail");
    assertEquals(detectFormat(Uint8Array.from([...map, 0xd9, ...key])), "maptrail");
    assertEquals(detectFormat(Uint8Array.from([...map, 7])), null);
    assertEquals(detectFormat(Uint8Array.from(map)), null);
  }
});

Deno.test("detectFormat() takes nothing else for any of them", () => {
  for (const content of ["", " ", "[1]", "BeginHeader\r\n".repeat(40), "<Events>", "# tracer: nop\n", "a{"]) {
    assertEquals(detectFormat(text(content)), null, content);
  }
  assertEquals(detectFormat(new Uint8Array(DETECT_BYTES)), null);
  assertEquals(detectFormat(new Uint8Array(DETECT_BYTES).fill(0xff)), null);
});

Deno.test("detectFormat() answers any bytes, and looks at the first ones only", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 50 }), (start, rest) => {
    const whole = new Uint8Array(DETECT_BYTES + rest.length);
    whole.set(start);
    whole.set(rest, DETECT_BYTES);
    assertEquals(detectFormat(whole), detectFormat(whole.subarray(0, DETECT_BYTES)));
    detectFormat(start);
  });
  fc.assert(property, { seed: 80, numRuns: 500 });
});

const LOG = sampleBytes("dxgkrnl-gpuva-win10-1803.etl");
const DECODED = sampleBytes("dxgkrnl-etw-gpuva.txt");

Deno.test({
  name: "detectFormat() knows a real log, and knows that its decoded text is none (shared sample)",
  ignore: LOG === undefined || DECODED === undefined,
  fn() {
    assertEquals(detectFormat(LOG ?? new Uint8Array(0)), "etl");
    assertEquals(detectFormat(DECODED ?? new Uint8Array(0)), null);
  },
});
