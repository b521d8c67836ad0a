// Traces of every version of the format, each beside the events that it held as lines of JSON. They are written once and
// never again: a change here that makes one differ is a change that makes people's traces differ.

import { crc32 } from "node:zlib";
import {
  BytesSink,
  bytesSource,
  decodeKeyframe,
  FORMAT_VERSION,
  headerToJson,
  jsonLines,
  openTrace,
  TraceFormatError,
  TraceWriter,
} from "../../src/trace/mod.ts";
import type { Upgrade } from "../../src/trace/upgrade.ts";
import { Fields, PREFIX_BYTES, readBody, readPrefix, writeBlock } from "../../src/wire/mod.ts";
import { fitIndex } from "../../tools/fuzz/forge.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { blockStarts } from "../support/trace_blocks.ts";

/** A version's trace, and what it held. */
interface Kept {
  readonly version: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly header: string;
  readonly lines: readonly string[];
  /** Losses of the file, by event numbers: those that the header states come first. */
  readonly losses: number[][];
  readonly blocks: Readonly<Record<string, number>>;
}

const BLOCKS = { "mt.state": 1, "mt.index": 1, "mt.final": 1 };
const LOSSES = [[0, 0], [48, 49]];
const VERSIONS: readonly Kept[] = [
  { ...filesOf(1), losses: LOSSES, blocks: { "mt.event": 5, ...BLOCKS } },
  { ...filesOf(2), losses: LOSSES, blocks: { "mt.event": 6, ...BLOCKS } },
];
const [{ bytes: BYTES } = filesOf(1)] = VERSIONS;

function filesOf(version: number): Pick<Kept, "version" | "bytes" | "header" | "lines"> {
  const text = Deno.readTextFileSync(new URL(`v${version}.jsonl`, import.meta.url));
  const [header = "", ...lines] = text.trimEnd().split("\n");
  return { version, bytes: Deno.readFileSync(new URL(`v${version}.msgpack`, import.meta.url)), header, lines };
}

Deno.test("there is a trace of every version up to this one", () => {
  assertEquals(VERSIONS.map(({ version }) => version), Array.from({ length: FORMAT_VERSION }, (_, index) => index + 1));
});

for (const { version, bytes, header, lines, losses, blocks } of VERSIONS) {
  Deno.test(`version ${version} reads as it did, event by event`, () => {
    const trace = openTrace(bytesSource(bytes));
    assertEquals(trace.version, version);
    const [, ...now] = jsonLines(trace);
    for (const [index, line] of now.entries()) assertEquals(line, lines[index], `line ${index + 2}`);
    assertEquals(now.length, lines.length);
    assertEquals(trace.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), losses);
  });

  Deno.test(`version ${version}'s header reads as it did; options that came later have their defaults`, () => {
    const trace = openTrace(bytesSource(bytes));
    const { options: keptOptions, ...kept } = objectOf(JSON.parse(header));
    const { options, ...now } = objectOf(headerToJson(trace.header, trace.end));
    assertEquals(now, kept);
    for (const [name, value] of Object.entries(objectOf(keptOptions))) {
      assertEquals(objectOf(options)[name], value, name);
    }
  });

  Deno.test(`version ${version}'s keyframe and summary read as they did`, () => {
    const trace = openTrace(bytesSource(bytes));
    const states = [...trace.keyframes()].map(({ event, state }) => [event, decodeKeyframe(state)]);
    assertEquals(states, [[12, { at: 12, open: new Map([[1, new Set(["a", 2n])]]) }]]);
    const summary = trace.summary();
    assertEquals([summary.events, summary.isIndexed], [lines.length, true]);
    assertEquals([...summary.kinds.values()].reduce((sum, count) => sum + count, 0), lines.length);
    assertEquals(Object.fromEntries(summary.blocks), blocks);
  });

  Deno.test(`what version ${version} held can be written again by this version, and says the same`, () => {
    const trace = openTrace(bytesSource(bytes));
    const sink = new BytesSink();
    const writer = new TraceWriter(sink, trace.header);
    for (const event of trace.events()) writer.event(event);
    assert(trace.end !== null);
    writer.finish(trace.end);
    assertEquals([...jsonLines(openTrace(bytesSource(sink.bytes())))], [...jsonLines(trace)]);
  });
}

/** Version 0 never was; here it called a chunk's strings `phrases` and the header's maker `owner`. */
const FROM_0: Upgrade = {
  header: (fields) => renamed(fields, "owner", "maker"),
  chunk: (head) => renamed(head, "phrases", "strings"),
};

Deno.test("a made-up version 0 is brought up, header and chunks, and gives the same lines", () => {
  const old = asVersion0(BYTES);
  const trace = openTrace(bytesSource(old), { upgrades: new Map([[0, FROM_0]]) });
  assertEquals(trace.version, 0);
  assertEquals([...jsonLines(trace)], [...jsonLines(openTrace(bytesSource(BYTES)))]);
  const half = openTrace(bytesSource(old), { upgrades: new Map([[0, { ...FROM_0, chunk: (head: Fields) => head }]]) });
  assertEquals([...half.events()], [], "without the chunks' part of the upgrade nothing is read");
  assert(half.losses.some(({ what }) => what.includes("strings is missing")));
  assertThrows(() => openTrace(bytesSource(old)), TraceFormatError, "version 0");
});

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  assert(typeof value === "object" && value !== null);
  return Object.fromEntries(Object.entries(value));
}

function renamed(fields: Fields, from: string, to: string): Fields {
  return new Fields(
    new Map([...fields.map].map(([name, value]) => [name === from ? to : name, value])),
    "a test's map",
  );
}

/** The trace as version 0 would have it: names that are as long as version 1's, version and checksums that fit. */
function asVersion0(bytes: Uint8Array): Uint8Array {
  const starts = [...blockStarts(bytes), bytes.length];
  const header = withText(bytes.slice(0, starts[0]), { from: "maker", to: "owner" });
  const view = new DataView(header.buffer);
  view.setUint32(28, 0);
  view.setUint32(47, 0);
  const file = crc32(header);
  view.setUint32(47, file);
  const blocks = starts.slice(1).map((end, index) => {
    const block = bytes.subarray(starts[index], end);
    const prefix = readPrefix(block);
    assert(prefix !== null);
    const [head = new Uint8Array(0), ...pools] = readBody(prefix, block.subarray(PREFIX_BYTES));
    const isChunk = prefix.tag === "mt.event";
    return writeBlock({
      ...prefix,
      file,
      parts: [isChunk ? withText(head, { from: "strings", to: "phrases" }) : head, ...pools],
    });
  });
  return new Uint8Array([header, ...fitIndex(blocks, header.length)].flatMap((part) => [...part]));
}

/** The bytes with the first `from` in them replaced, which is as long as `to`. */
function withText(
  bytes: Uint8Array,
  { from, to }: { readonly from: string; readonly to: string },
): Uint8Array<ArrayBuffer> {
  const [wanted, put] = [from, to].map((text) => [...new TextEncoder().encode(text)]);
  const at = bytes.findIndex((_, start) => wanted?.every((byte, index) => bytes[start + index] === byte) === true);
  assert(at >= 0 && from.length === to.length, `no ${from}`);
  const changed = new Uint8Array(bytes);
  changed.set(put ?? [], at);
  return changed;
}
