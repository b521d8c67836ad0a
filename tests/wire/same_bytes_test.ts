// Comparisons of bytes: short runs go another way than long ones, and both say the same.

import { sameBytes } from "../../src/wire/mod.ts";
import { assert } from "../support/assert.ts";

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
