// Values by number: what is a slot, and that slots agree with a Map.

import { assertEquals, assertThrows } from "../support/assert.ts";
import fc from "fast-check";
import { NumberSlots, Slots } from "../../src/engine/slots.ts";

const NO_SLOTS = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 32, -(2 ** 32)];

Deno.test("Slots.get() of a number that is no slot is undefined, even where its low bits are those of one", () => {
  const slots = new Slots<string>();
  slots.set(0, "first");
  assertEquals([slots.get(0), slots.get(-0), slots.get(1)], ["first", "first", undefined]);
  assertEquals(NO_SLOTS.map((slot) => slots.get(slot)), NO_SLOTS.map(() => undefined));
});

Deno.test("Slots.set() refuses a number that is no slot, and Slots.delete() passes over it", () => {
  const slots = new Slots<string>();
  slots.set(0, "first");
  for (const slot of NO_SLOTS) {
    assertThrows(() => slots.set(slot, "x"), RangeError, `Cannot use slot ${slot}: wanted a whole number below`);
    slots.delete(slot);
  }
  assertEquals([slots.size, [...slots.values()]], [1, ["first"]]);
});

Deno.test("Slots hold the highest slot as well as the lowest, without the pages between", () => {
  const slots = new Slots<number>();
  slots.set(255, 1);
  slots.set(256, 2);
  slots.set(1_000_000, 3);
  assertEquals([slots.get(255), slots.get(256), slots.get(1_000_000), slots.size], [1, 2, 3, 3]);
  slots.delete(256);
  assertEquals([slots.get(256), slots.size, [...slots.values()]], [undefined, 2, [1, 3]]);
});

Deno.test("Slots agree with a Map, in order of the slots", () => {
  const step = fc.record({ slot: fc.nat(700), value: fc.option(fc.nat(9), { nil: null }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const slots = new Slots<number>();
      const plain = new Map<number, number>();
      for (const { slot, value } of steps) {
        if (value === null) {
          slots.delete(slot);
          plain.delete(slot);
        } else {
          slots.set(slot, value);
          plain.set(slot, value);
        }
        assertEquals(slots.get(slot), plain.get(slot));
      }
      assertEquals(slots.size, plain.size);
      assertEquals([...slots.values()], [...plain].sort(([one], [other]) => one - other).map(([, value]) => value));
    }),
    { seed: 12, numRuns: 100 },
  );
});

Deno.test("NumberSlots agree with a Map, in order of the slots; 0 is none", () => {
  const step = fc.record({ slot: fc.nat(700), value: fc.oneof(fc.constant(0), fc.nat(9), fc.constant(2 ** 40)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const slots = new NumberSlots();
      const map = new Map<number, number>();
      for (const { slot, value } of steps) {
        slots.set(slot, value);
        if (value === 0) map.delete(slot);
        else map.set(slot, value);
        assertEquals([slots.get(slot), slots.size], [value, map.size]);
      }
      assertEquals([...slots.entries()], [...map].sort(([one], [other]) => one - other));
    }),
    { numRuns: 200, seed: 7 },
  );
  const slots = new NumberSlots();
  for (const slot of NO_SLOTS) {
    assertThrows(() => slots.set(slot, 1), RangeError, `Cannot use slot ${slot}: wanted a whole number below`);
    assertEquals(slots.get(slot), 0);
  }
});
