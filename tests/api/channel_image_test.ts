// The bytes of a saved channel: what was written reads back, and whatever else is refused, never thrown.

import fc from "fast-check";
import {
  type ChannelSettings,
  type ChunkContent,
  IMAGE_START,
  PAGE_BYTES,
  positionAfter,
  readChunks,
  readContext,
  type SavedPiece,
  writeChunk,
  writeContext,
} from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";

const SETTINGS: ChannelSettings = {
  interfaceType: "{11111111-0000-0000-0000-00000000abcd}",
  interfaceInstance: null,
  latency: 7,
  mmioMegabytes: 3,
  maximumPacketBytes: 4096,
  maximumExternalBytes: 1 << 20,
  maximumChainLength: 32,
  contextBytes: 0,
  quota: 5,
  requiresPassive: true,
  forcesNewChannel: false,
  nextTransaction: 9,
  connection: {
    number: 3,
    toServer: [70, 71],
    toClient: [72, 73, 74],
    responses: [{ transaction: 8, payload: Uint8Array.of(1) }],
  },
};
const CONTEXT = writeContext({ transaction: 4, waits: true, wasSent: true, payload: Uint8Array.of(1, 2, 3) });
const CONTENTS: readonly ChunkContent[] = [
  { kind: "channel", settings: SETTINGS },
  {
    kind: "gpadl",
    gpadl: {
      handle: 0xe1e10,
      isReadOnly: false,
      isDeleting: true,
      isMapped: true,
      pieces: [{ pages: [0x100, 0x1ff], byteOffset: 4000, byteCount: 4000 }],
    },
  },
  { kind: "packet", packet: { context: CONTEXT, driverBytes: Uint8Array.of(9) } },
  { kind: "end" },
];

/** The chunks of an image, one after the other. */
function chunksOf(contents: readonly ChunkContent[]): Uint8Array[] {
  let position = IMAGE_START;
  return contents.map((content) => {
    const chunk = writeChunk(content, position);
    position = positionAfter(chunk, position);
    return chunk;
  });
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const CHUNKS = chunksOf(CONTENTS);
const IMAGE = joined(...CHUNKS);
const ENDS = CHUNKS.map((_, index) => joined(...CHUNKS.slice(0, index + 1)).length);

Deno.test("readChunks() gives what writeChunk() was given", () => {
  assertEquals(readChunks(IMAGE, IMAGE_START)?.contents, CONTENTS);
});

Deno.test("readChunks() goes on where the chunks before ended", () => {
  const first = readChunks(joined(...CHUNKS.slice(0, 2)), IMAGE_START);
  assertEquals(first?.contents, CONTENTS.slice(0, 2));
  assertEquals(readChunks(joined(...CHUNKS.slice(2)), first?.position ?? IMAGE_START)?.contents, CONTENTS.slice(2));
});

Deno.test("readChunks() takes a prefix of an image just where a chunk ends", () => {
  const taken: number[] = [];
  for (let length = 0; length <= IMAGE.length; length += 1) {
    if (readChunks(IMAGE.subarray(0, length), IMAGE_START) !== null) taken.push(length);
  }
  assertEquals(taken, ENDS);
});

Deno.test("readChunks() refuses an image with any one bit changed", () => {
  for (let bit = 0; bit < IMAGE.length * 8; bit += 1) {
    const damaged = IMAGE.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(readChunks(damaged, IMAGE_START), null, `bit ${bit}`);
  }
});

Deno.test("readChunks() refuses chunks out of order, twice, left out, behind the end, and of another image", () => {
  const [channel, gpadl, packet, end] = CHUNKS;
  const none = new Uint8Array(0);
  const other = chunksOf([{ kind: "channel", settings: { ...SETTINGS, quota: 6 } }, { kind: "end" }]);
  for (
    const parts of [
      [gpadl, channel],
      [channel, channel],
      [channel, packet],
      [channel, gpadl, gpadl],
      [...CHUNKS, end],
      [...CHUNKS, none, channel],
      [channel, other[1]],
      [other[0], gpadl],
      chunksOf([{ kind: "end" }]),
      chunksOf([{ kind: "channel", settings: SETTINGS }, { kind: "channel", settings: SETTINGS }]),
      chunksOf([{ kind: "channel", settings: SETTINGS }, { kind: "end" }, { kind: "end" }]),
    ]
  ) assertEquals(readChunks(joined(...parts.map((part) => part ?? none)), IMAGE_START), null);
});

/** One GPADL behind the settings, as read. */
function readGpadl(pieces: readonly SavedPiece[]): unknown {
  const gpadl = { handle: 1, isReadOnly: false, isDeleting: false, isMapped: false, pieces };
  const chunks = chunksOf([{ kind: "channel", settings: SETTINGS }, { kind: "gpadl", gpadl }]);
  return readChunks(joined(...chunks), IMAGE_START)?.contents[1] ?? null;
}

Deno.test("readChunks() refuses ranges of a GPADL that are none, however well they are sealed", () => {
  const whole = { pages: [1, 2], byteOffset: 0, byteCount: 2 * PAGE_BYTES };
  assertEquals(readGpadl([whole]) === null, false);
  for (
    const pieces of [
      [],
      [{ ...whole, pages: [1] }],
      [{ ...whole, pages: [1, 2, 3] }],
      [{ ...whole, byteCount: 0, pages: [] }],
      [{ ...whole, byteOffset: PAGE_BYTES, pages: [1, 2, 3] }],
      [{ pages: Array.from({ length: 8191 }, () => 1), byteOffset: 0, byteCount: 8191 * PAGE_BYTES }],
      [whole, { pages: Array.from({ length: 8190 }, () => 1), byteOffset: 0, byteCount: 8190 * PAGE_BYTES }],
    ]
  ) assertEquals(readGpadl(pieces), null);
});

Deno.test("readChunks() refuses settings that no setter takes", () => {
  for (const wrong of [{ maximumPacketBytes: 0 }, { nextTransaction: 0 }, { latency: 0x10000 }, { quota: 2 ** 32 }]) {
    const chunks = chunksOf([{ kind: "channel", settings: { ...SETTINGS, ...wrong } }]);
    assertEquals(readChunks(joined(...chunks), IMAGE_START), null);
  }
});

Deno.test("readContext() gives what writeContext() was given, and refuses every prefix, flip and addition", () => {
  const context = { transaction: 4, waits: true, wasSent: true, payload: Uint8Array.of(1, 2, 3) };
  assertEquals(readContext(CONTEXT), context);
  assertEquals(readContext(joined(CONTEXT, Uint8Array.of(0))), null);
  for (let length = 0; length < CONTEXT.length; length += 1) {
    assertEquals(readContext(CONTEXT.subarray(0, length)), null);
  }
  for (let bit = 0; bit < CONTEXT.length * 8; bit += 1) {
    const damaged = CONTEXT.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(readContext(damaged), null);
  }
});

Deno.test("any bytes are chunks or refused, any bytes a context or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(IMAGE.length), (bytes, at) => {
      const spliced = joined(IMAGE.subarray(0, at), bytes, IMAGE.subarray(at + bytes.length));
      for (const each of [bytes, spliced]) {
        readChunks(each, IMAGE_START);
        readContext(each);
      }
    }),
    { seed: 4, numRuns: 300 },
  );
});
