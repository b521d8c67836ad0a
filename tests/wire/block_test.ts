// Blocks: fixed prefixes, checksums, and finding the next one after damage.

import { decodeMulti, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  type BlockContent,
  endOfValue,
  Fields,
  findPrefix,
  pack,
  PREFIX_BYTES,
  readBody,
  readPrefix,
  unpack,
  WireError,
  writeBlock,
} from "../../src/wire/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const CONTENT: BlockContent = {
  tag: "mt.tests",
  file: 0xfeedbeef,
  first: 2 ** 40,
  count: 3,
  start: 2n ** 63n,
  parts: [new Uint8Array(500), Uint8Array.of(1, 2, 3), new Uint8Array(0)],
};

Deno.test("readPrefix() and readBody() give back what writeBlock() wrote", () => {
  const bytes = writeBlock(CONTENT);
  const prefix = readPrefix(bytes);
  assert(prefix !== null);
  const { tag, file, first, count, start } = prefix;
  assertEquals({ tag, file, first, count, start, parts: readBody(prefix, bytes.subarray(PREFIX_BYTES)) }, CONTENT);
  assert(bytes.length < 200, "500 zeros are compressed");
  assertEquals(PREFIX_BYTES + prefix.bodyBytes, bytes.length);
});

Deno.test("writeBlock() stores a part whose likeness is near in fewer bytes, and it reads the same", () => {
  const part = new Uint8Array(3 * 2 ** 15);
  let state = 1;
  // Each 32 KiB have four frequent bytes of their own.
  for (let index = 0; index < part.length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    part[index] = 64 * (index >>> 15) + (state >>> 30);
  }
  const far = writeBlock({ ...CONTENT, parts: [part] });
  const near = writeBlock({ ...CONTENT, parts: [part], isNear: () => true });
  assert(near.length < 0.9 * far.length, `${near.length} of ${far.length} bytes`);
  const prefix = readPrefix(near);
  assert(prefix !== null);
  assertEquals(readBody(prefix, near.subarray(PREFIX_BYTES)), [part]);
});

Deno.test("writeBlock() puts a block where one was, and nothing of that is left", () => {
  const room = new Uint8Array(4096).fill(0xa5);
  const block = writeBlock({ ...CONTENT, room });
  assertEquals(block.buffer, room.buffer);
  assertEquals(block, writeBlock(CONTENT));
  const small = new Uint8Array(block.length - 1);
  assertEquals(writeBlock({ ...CONTENT, room: small }), block);
  assertEquals(small, new Uint8Array(small.length), "room that is too small is left alone");
});

Deno.test("readPrefix() takes no prefix with a flipped bit, and readBody() no such body", () => {
  const whole = writeBlock(CONTENT);
  const prefix = readPrefix(whole);
  assert(prefix !== null);
  for (let bit = 0; bit < 8 * whole.length; bit += 1) {
    const bytes = whole.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (bit < 8 * PREFIX_BYTES) assertEquals(readPrefix(bytes), null, `bit ${bit}`);
    else assertThrows(() => readBody(prefix, bytes.subarray(PREFIX_BYTES)), WireError, "checksum");
  }
});

Deno.test("readBody() decompresses no more than the prefix says", () => {
  const bytes = writeBlock(CONTENT);
  const prefix = readPrefix(bytes);
  assert(prefix !== null);
  assertThrows(
    () => readBody({ ...prefix, decodedBytes: 400 }, bytes.subarray(PREFIX_BYTES)),
    WireError,
    "503 bytes, wanted 400",
  );
});

Deno.test("findPrefix() finds a block behind other bytes", () => {
  const block = writeBlock(CONTENT);
  const bytes = new Uint8Array([0x9a, 0xa8, 0x9a, ...block, ...block]);
  assertEquals(findPrefix(bytes, 0), 3);
  assertEquals(findPrefix(bytes, 4), 3 + block.length);
  assertEquals(findPrefix(bytes, 4 + block.length), -1);
  assertThrows(() => writeBlock({ ...CONTENT, tag: "other" }), RangeError, "5 letters");
});

Deno.test("unpack() reads what pack() wrote, maps as Map, as another library does", () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, false, -1, 2 ** 31, 1.5),
      fc.string(),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(tie("value"), { maxLength: 20 }),
    ),
  })).value;
  fc.assert(
    fc.property(value, (each) => {
      const bytes = encode(each);
      assertEquals(unpack(bytes), each);
      assertEquals(endOfValue(bytes, 0), bytes.length);
    }),
    { seed: 6, numRuns: 300 },
  );
  const packed = pack(new Map([["__proto__", 1], ["b", 2]]));
  assertEquals(unpack(packed), new Map([["__proto__", 1], ["b", 2]]));
  assertEquals([...decodeMulti(pack([1, "x"]))], [[1, "x"]]);
});

Deno.test("unpack() believes no length and no depth", () => {
  const claims = [[0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0x7f, 0xff, 0xff, 0xff], [0xdb, 0x7f, 0xff, 0xff, 0xff, 1], [
    0xc6,
    1,
  ]];
  for (const claim of claims) assertThrows(() => unpack(Uint8Array.from(claim)), WireError);
  assertThrows(() => unpack(new Uint8Array(5000).fill(0x91)), WireError, "deeper than 32");
  assertThrows(() => unpack(Uint8Array.of(0xd4, 0x72, 0x40)), WireError, "an extension or nothing");
  assertThrows(() => unpack(Uint8Array.of(1, 2)), WireError, "1 bytes follow");
  assertThrows(() => unpack(new Uint8Array(0)), WireError);
});

Deno.test("Fields says which field is not what was wanted", () => {
  const fields = new Fields(
    new Map<string, unknown>([["a", 1], ["b", "x"], ["c", [1, -1]], ["d", 2n ** 60n]]),
    "a test",
  );
  assertEquals([fields.count("a"), fields.text("b"), fields.bigint("a"), fields.bigint("d")], [1, "x", 1n, 2n ** 60n]);
  assertThrows(() => fields.text("a"), WireError, "Cannot read a test: a is 1, not a string");
  assertThrows(() => fields.count("d"), WireError, "d is 1152921504606846976");
  assertThrows(() => fields.counts("c"), WireError, "c is an array, not an array of whole numbers");
  assertThrows(() => fields.choice("b", ["y", "z"]), WireError, 'b is "x", not one of y, z');
  assertThrows(() => fields.flag("missing"), WireError, "missing is missing");
  assertThrows(() => new Fields([], "a test"), WireError, "not a map");
});
