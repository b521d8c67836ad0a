// The address space alone, and its plain form. Random runs are in `page_oracle_test.ts`.

import { AddressSpace, type PageEntry, UNIQUE_DRIVER_PROTECTION } from "../../src/engine/address_space.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const ENTRY: PageEntry = { state: "mapped", allocation: 7, origin: 20, protection: 1, driverProtection: 3n };

function small(): AddressSpace {
  return new AddressSpace({ physicalAdapters: 2, vaBits: 32 });
}

/** A space with something of everything in it. */
function full(): AddressSpace {
  const space = small();
  space.adapters.add(4).add(9);
  space.reserve({ start: 16, end: 32, vad: 1, baseState: "zero", driverProtection: 1n << 63n }, null);
  space.reserve({ start: 32, end: 48, vad: 2, baseState: "zero", driverProtection: 5n }, { queue: 1, fence: 1n });
  space.map({ start: 20, end: 24, gpu: 0, entry: ENTRY, vad: 0 }, null);
  const unique = { ...ENTRY, origin: 60, driverProtection: UNIQUE_DRIVER_PROTECTION };
  space.map({ start: 60, end: 70, gpu: 1, entry: unique, vad: 3 }, { queue: 2, fence: 1n });
  space.map({ start: 62, end: 64, gpu: 1, entry: { ...ENTRY, allocation: 8 }, vad: 0 }, { queue: 2, fence: 2n });
  space.map({ start: 61, end: 63, gpu: 1, entry: { ...ENTRY, allocation: 9 }, vad: 0 }, { queue: 3, fence: 1n });
  space.free({ start: 66, end: 67 });
  return space;
}

Deno.test("AddressSpace is limited to 1 to 64 GPUs and 32 to 48 bits", () => {
  for (const [physicalAdapters, vaBits] of [[0, 48], [65, 48], [1, 31], [1, 49], [1.5, 48]] as const) {
    assertThrows(() => new AddressSpace({ physicalAdapters, vaBits }), RangeError, "it must be");
  }
  assertEquals(small().pageLimit, 2 ** 20);
});

Deno.test("AddressSpace.place() gives the lowest gap from page 16 on", () => {
  const space = full();
  const everywhere = { start: 0, end: Number.MAX_SAFE_INTEGER };
  assertEquals(space.place(1, everywhere), 48);
  assertEquals(space.place(13, everywhere), 70);
  assertEquals(space.place(1, { start: 49, end: 50 }), 49);
  assertEquals(space.place(16, everywhere, { alignment: 16 }), 80);
  assertEquals(space.place(1, { start: 60, end: 66 }), undefined);
  assertEquals(space.place(1, { start: 66, end: 60 }), undefined);
  assertEquals(space.place(2 ** 20, everywhere), undefined);
});

Deno.test("AddressSpace.walk() covers the span and no more", () => {
  const pieces = [...full().walk(0, { start: 10, end: 34 })].map(({ start, end, value }) =>
    `${start}-${end} ${value?.state ?? "free"}`
  );
  assertEquals(pieces, ["10-16 free", "16-20 zero", "20-24 mapped", "24-32 zero", "32-34 invalid"]);
});

Deno.test("AddressSpace.toPlain() and fromPlain() are exact, and share nothing", () => {
  const space = full();
  const plain = space.toPlain();
  const copy = AddressSpace.fromPlain(plain);
  copy.checkInvariants();
  assertEquals(copy.toPlain(), plain);
  for (const each of [space, copy]) {
    each.complete({ queue: 3, fence: 1n });
    each.complete({ queue: 2, fence: 9n });
    each.reserve({ start: 96, end: 112, vad: 4, baseState: "zero", driverProtection: 0n }, { queue: 2, fence: 10n });
  }
  assertEquals(copy.toPlain(), space.toPlain());
  assertEquals(copy.releaseAllocation(7), []);
  assert(copy.toPlain().length !== space.toPlain().length, "the copy changes alone");
});

Deno.test("AddressSpace.fromPlain() takes nothing but a whole plain form", () => {
  const plain = full().toPlain();
  for (const length of plain.keys()) assertThrows(() => AddressSpace.fromPlain(plain.slice(0, length)), RangeError);
  assertThrows(() => AddressSpace.fromPlain([...plain, 0]), RangeError, "left over");
  assertThrows(() => AddressSpace.fromPlain(plain.with(2, 1e9)), RangeError, "elements");
});

Deno.test("AddressSpace.releaseAllocation() says which ranges ended", () => {
  const space = full();
  assertEquals([space.releaseAllocation(8), space.releaseAllocation(9), space.releaseAllocation(7)], [[], [], [3]]);
  space.checkInvariants();
  assertEquals(space.vads().map(({ number, pageCount }) => [number, pageCount]), [[1, 16], [2, 16]]);
});

Deno.test("AddressSpace forgets where an allocation was mapped once something else is mapped there", () => {
  const space = new AddressSpace({ physicalAdapters: 2, vaBits: 32 });
  space.reserve({ start: 16, end: 32, vad: 1, baseState: "zero", driverProtection: 0n }, null);
  const point = (allocation: number, gpu: number, fence: bigint) => {
    const pieces = [{ start: 18, end: 22, value: { ...ENTRY, origin: 18, allocation } }];
    space.update({ start: 18, end: 22, gpu, pieces, source: null }, { queue: 1, fence });
    space.complete({ queue: 1, fence });
    return space.toPlain().length;
  };
  const lengths = Array.from({ length: 9 }, (_, index) => point(100 + index, 0, BigInt(index + 1)));
  assertEquals(lengths, Array.from(lengths, () => lengths[0] ?? 0));
  const onBoth = point(108, 1, 20n);
  assertEquals(point(109, 0, 21n) > onBoth, true, "the other GPU has it still");
  space.checkInvariants();
  assertEquals(space.releaseAllocation(108), []);
  assertEquals([...space.walk(1, { start: 18, end: 22 })].map(({ value }) => value?.state), ["zero"]);
});
