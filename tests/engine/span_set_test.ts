// Spans of pages beside a plain map of ranges, few and many; and what a tape of mapped spans must not say.

import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { MappedSpans } from "../../src/engine/mapped_spans.ts";
import { TapeReader, type TapeValue } from "../../src/engine/number_tape.ts";
import { SpanSet } from "../../src/engine/span_set.ts";
import { RangeMap } from "../../src/range/mod.ts";

const step = fc.record({
  isAdded: fc.nat(3).map((dice) => dice > 0),
  start: fc.nat(400),
  size: fc.integer({ min: 1, max: 9 }),
});

Deno.test("SpanSet holds what a map of ranges would, in the same pieces", () => {
  let most = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 160, size: "max" }), (steps) => {
      const [set, map] = [new SpanSet(), new RangeMap<true>()];
      for (const { isAdded, start, size } of steps) {
        const end = start + size;
        map.carve(start, end);
        if (isAdded) {
          map.insert({ start, end, value: true });
          set.add(start, end);
        } else set.carve(start, end);
        most = Math.max(most, map.size);
      }
      assertEquals(
        set.toArray().map(({ start, end }) => [start, end]),
        map.toArray().map(({ start, end }) => [start, end]),
      );
      assertEquals(set.size, map.size);
      for (let start = 0; start < 400; start += 7) {
        assertEquals(set.covers({ start, end: start + 5 }), map.covered(start, start + 5));
      }
    }),
    { seed: 12, numRuns: 100 },
  );
  assert(most > 40, `the largest had ${most} spans: too few for a tree`);
});

Deno.test("MappedSpans.read() refuses spans that are none, out of order, or told twice", () => {
  const read = (...tape: TapeValue[]) => MappedSpans.read(new TapeReader(tape)).spansOf(7);
  assertEquals(read(1, 7, 0, 2, 0, 4, 4, 9), [{ start: 0, end: 4 }, { start: 4, end: 9 }]);
  assertThrows(() => read(1, 7, 0, 1, 4, 4), RangeError);
  assertThrows(() => read(1, 7, 0, 1, -1, 4), RangeError);
  assertThrows(() => read(1, 7, 0, 2, 0, 4, 3, 9), RangeError);
  assertThrows(() => read(2, 7, 0, 1, 0, 4, 7, 0, 1, 8, 9), RangeError);
});
