// Where allocations are mapped, beside a plain map of ranges for each; and what a tape of it must not say.

import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { MappedSpans } from "../../src/engine/mapped_spans.ts";
import { TapeReader, type TapeValue } from "../../src/engine/number_tape.ts";
import { VadRows } from "../../src/engine/vad.ts";
import { RangeMap } from "../../src/range/mod.ts";

const ALLOCATIONS = [1, 2, 3, 300];
const STEP = fc.record({
  act: fc.nat(30),
  allocation: fc.constantFrom(...ALLOCATIONS),
  start: fc.nat(200),
  size: fc.integer({ min: 1, max: 9 }),
});
/** As high as an address space of 48 bits has pages. */
const HIGH = 2 ** 36 - 300;

Deno.test("MappedSpans holds what a map of ranges for each allocation would, in the same pieces", () => {
  let most = 0;
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 160, size: "max" }), fc.boolean(), (steps, isHigh) => {
      const mapped = new MappedSpans();
      const plain = new Map(ALLOCATIONS.map((allocation) => [allocation, new RangeMap<true>()]));
      for (const { act, allocation, start, size } of steps) {
        const span = { start: start + (isHigh ? HIGH : 0), end: start + (isHigh ? HIGH : 0) + size };
        const map = plain.get(allocation) ?? new RangeMap<true>();
        if (act === 0) {
          assertEquals(pairs(mapped.take(allocation)), pairs(map.toArray()));
          map.clear();
          continue;
        }
        map.carve(span.start, span.end);
        if (act < 9) mapped.free(span, [allocation]);
        else {
          const entry = { state: "mapped", allocation, origin: 0, protection: 1, driverProtection: 0n } as const;
          mapped.add(span, entry);
          map.insert({ ...span, value: true });
        }
      }
      compare(mapped, plain);
      compare(readBack(mapped), plain);
      most = Math.max(most, ...[...plain.values()].map(({ size }) => size));
    }),
    { seed: 12, numRuns: 100 },
  );
  assert(most > 20, `the largest had ${most} spans`);
});

function compare(mapped: MappedSpans, plain: ReadonlyMap<number, RangeMap<true>>): void {
  for (const [allocation, map] of plain) {
    assertEquals(pairs(mapped.spansOf(allocation)), pairs(map.toArray()));
    assertEquals(mapped.has(allocation), map.size > 0);
    for (const base of [0, HIGH]) {
      for (let start = base; start < base + 210; start += 7) {
        assertEquals(mapped.covers({ start, end: start + 5 }, allocation), map.covered(start, start + 5));
      }
    }
  }
}

function pairs(spans: readonly { readonly start: number; readonly end: number }[]): readonly (readonly number[])[] {
  return spans.map(({ start, end }) => [start, end]);
}

function readBack(mapped: MappedSpans): MappedSpans {
  const tape: TapeValue[] = [];
  mapped.write(tape, new VadRows());
  return MappedSpans.read(new TapeReader(tape));
}

Deno.test("MappedSpans.read() refuses spans that are none, out of order, or told twice", () => {
  const read = (...tape: TapeValue[]) => MappedSpans.read(new TapeReader(tape)).spansOf(7);
  assertEquals(read(1, 7, 0, 2, 0, 4, 4, 9), [{ start: 0, end: 4 }, { start: 4, end: 9 }]);
  assertThrows(() => read(1, 7, 0, 1, 4, 4), RangeError);
  assertThrows(() => read(1, 7, 0, 1, -1, 4), RangeError);
  assertThrows(() => read(1, 7, 0, 2, 0, 4, 3, 9), RangeError);
  assertThrows(() => read(1, 7, 0, 1, 0, 2 ** 40), RangeError);
  assertThrows(() => read(2, 7, 0, 1, 0, 4, 7, 0, 1, 8, 9), RangeError);
});
