// Layouts: offsets, counted arrays, limits, and structures cut short.

import { layout, WireError } from "../../src/wire/mod.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const PAIR = layout(8, "0 low u32; 4 high u32");

Deno.test("a layout writes each field at its offset and leaves gaps zero", () => {
  const point = layout(24, "0 kind u16; 8 address u64; 20 delta i32");
  const bytes = point.encode({ kind: 0x1234, address: 0x1122334455667788n, delta: -2 });
  assertEquals(
    bytes,
    Uint8Array.of(
      0x34,
      0x12,
      0,
      0,
      0,
      0,
      0,
      0,
      0x88,
      0x77,
      0x66,
      0x55,
      0x44,
      0x33,
      0x22,
      0x11,
      0,
      0,
      0,
      0,
      254,
      255,
      255,
      255,
    ),
  );
  assertEquals(point.decode(bytes), { kind: 0x1234, address: 0x1122334455667788n, delta: -2 });
});

Deno.test("a counted array has as many elements as its field says, and the size of one is part of the structure", () => {
  const list = layout(16, "0 count u32; 8 pairs Pair[count]", { Pair: PAIR });
  const pairs = [{ low: 1, high: 2 }, { low: 3, high: 4 }, { low: 5, high: 6 }];
  const bytes = list.encode({ count: 3, pairs });
  assertEquals(bytes.length, 32);
  assertEquals(list.decode(bytes), { count: 3, pairs });
  assertEquals(list.encode({ count: 0, pairs: [] }).length, 16);
});

Deno.test("an array of what is left takes the rest", () => {
  const tail = layout(4, "0 id u32; 4 words u64[*]");
  assertEquals(tail.decode(tail.encode({ id: 7, words: [1n, 2n] })), { id: 7, words: [1n, 2n] });
  const bytes = layout(4, "0 id u32; 4 rest u8[*]");
  assertEquals(bytes.decode(bytes.encode({ id: 7, rest: Uint8Array.of(1, 2, 3) })), {
    id: 7,
    rest: Uint8Array.of(1, 2, 3),
  });
});

Deno.test("a structure cut short is refused, also where its own count claims more than there is", () => {
  assertThrows(() => PAIR.decode(new Uint8Array(7)), WireError, "it ends at byte 8, there are 7");
  const list = layout(8, "0 count u32; 4 handles u32[count]");
  const bytes = list.encode({ count: 1, handles: [9] });
  new DataView(bytes.buffer).setUint32(0, 0xffff_ffff, true);
  assertThrows(() => list.decode(bytes), WireError, "Cannot read structure");
});

Deno.test("a value that does not fit its field is refused by name", () => {
  assertThrows(
    () => PAIR.encode({ low: 2 ** 32 }),
    RangeError,
    "Cannot lay out low: 4294967296 is not 0 to 4294967295",
  );
  assertThrows(() => layout(8, "0 at u64").encode({ at: -1n }), RangeError, "Cannot lay out at");
  assertThrows(() => layout(8, "0 four u8[4]").encode({ four: [1, 2, 3, 4, 5] }), RangeError, "an array of at most 4");
});

Deno.test("a declaration that makes no sense is refused", () => {
  assertThrows(() => layout(8, "4 wide u64"), TypeError, "Cannot lay out wide: it ends at byte 12 of 8");
  assertThrows(() => layout(8, "0 what u128"), TypeError, "known type");
});
