// The seeded generator: one seed, one sequence, inside its bounds.

import fc from "fast-check";
import { Random } from "../../src/driver/mod.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "../support/assert.ts";

function draw(seed: number, count: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.next());
}

Deno.test("Random.next() gives one sequence a seed, on every machine", () => {
  assertEquals(draw(1, 4), [1580013426, 350525680, 3524174333, 3011703609]);
  assertNotEquals(draw(1, 4), draw(2, 4));
  assertNotEquals(draw(0, 4), draw(0xffffffff, 4));
});

Deno.test("Random.below() stays below any bound", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
      const drawn = new Random(seed).below(bound);
      return Number.isInteger(drawn) && drawn >= 0 && drawn < bound;
    }),
    { seed: 7, numRuns: 500 },
  );
});

Deno.test("Random.below() reaches every number about as often", () => {
  const random = new Random(3);
  const counts = new Array<number>(6).fill(0);
  for (let round = 0; round < 6000; round += 1) {
    const drawn = random.below(6);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  assert(counts.every((count) => count > 850 && count < 1150), counts.join());
});

Deno.test("Random refuses seeds, bounds and choices that are none", () => {
  for (const seed of [-1, 0.5, 2 ** 32, NaN, Infinity]) {
    assertThrows(() => new Random(seed), RangeError, `Cannot seed with ${seed}`);
  }
  const random = new Random(1);
  for (const bound of [0, -1, 1.5, 2 ** 32 + 1, NaN]) {
    assertThrows(() => random.below(bound), RangeError, `Cannot draw below ${bound}`);
  }
  assertThrows(() => random.pick([]), RangeError, "Cannot pick from nothing");
  assertEquals(random.pick(["only"]), "only");
});
