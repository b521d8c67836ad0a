// Checksums and comparisons of bytes: short runs go another way than long ones, and both say the same.

import { crc32 as platformCrc32 } from "node:zlib";
import fc from "fast-check";
import { crc32, sameBytes } from "../../src/wire/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("crc32 of short and of long bytes is the platform's, also where it goes on from another", () => {
  const runs = fc.uint8Array({ maxLength: 100 });
  fc.assert(fc.property(runs, runs, (one, other) => {
    assertEquals(crc32(one), platformCrc32(one));
    assertEquals(crc32(other, crc32(one)), platformCrc32(other, platformCrc32(one)));
  }));
});

Deno.test("sameBytes sees a difference wherever it is, in runs of every length", () => {
  for (const length of [0, 1, 15, 16, 255, 256, 257, 300, 4096]) {
    const one = Uint8Array.from({ length }, (_, index) => index * 7);
    // Another place in its buffer, not a multiple of anything.
    const other = new Uint8Array(length + 3).subarray(3);
    other.set(one);
    assert(sameBytes(one, other));
    for (const at of [0, 1, length >> 1, length - 2, length - 1]) {
      if (at < 0 || at >= length) continue;
      other[at] = (one[at] ?? 0) ^ 0x80;
      assert(!sameBytes(one, other), `${length} bytes that differ at ${at}`);
      other[at] = one[at] ?? 0;
    }
    assert(!sameBytes(one, new Uint8Array(length + 1)));
  }
});
