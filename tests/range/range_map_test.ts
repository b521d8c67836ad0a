// What `RangeMap` promises, one claim a test. It must not look at the tree but through `checkInvariants()`.
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { RANGE_LIMIT, RangeMap } from "../../src/range/mod.ts";
import type { Range } from "../../src/range/mod.ts";

function range(start: number, end: number, value = `${start}`): Range<string> {
  return { start, end, value };
}

/** Ranges [0, 4), [10, 14), [20, 24) …, enough for a tree of three levels when `count` is some thousands. */
function fence(count: number): RangeMap<string> {
  const map = new RangeMap<string>();
  for (let index = 0; index < count; index++) map.insert(range(index * 10, index * 10 + 4));
  map.checkInvariants();
  return map;
}

Deno.test("RangeMap is empty at first and answers every question", () => {
  const map = new RangeMap<string>();
  map.checkInvariants();
  assertEquals(map.size, 0);
  assertEquals(map.toArray(), []);
  assertEquals([...map], []);
  assertEquals(map.at(0), undefined);
  assertEquals(map.remove(0), undefined);
  assertEquals(map.carve(0, 10), []);
  assertEquals(map.overlaps(0, RANGE_LIMIT), false);
  assertEquals(map.covered(0, 1), false);
  assertEquals(map.firstGap({ size: 5, from: 7, to: 12 }), 7);
  assertEquals(map.firstGap({ size: 6, from: 7, to: 12 }), undefined);
});

Deno.test("RangeMap.at() holds the start and not the end", () => {
  const map = RangeMap.from([range(5, 8), range(8, 9), range(20, 30)]);
  assertEquals([4, 5, 7, 8, 9, 19, 20, 29, 30].map((point) => map.at(point)?.start), [
    undefined,
    5,
    5,
    8,
    undefined,
    undefined,
    20,
    20,
    undefined,
  ]);
});

Deno.test("RangeMap.at() finds nothing for a number that is no point", () => {
  const map = RangeMap.from([range(0, RANGE_LIMIT)]);
  for (const point of [-1, NaN, Infinity, -Infinity, RANGE_LIMIT]) assertEquals(map.at(point), undefined);
});

Deno.test("RangeMap.insert() keeps touching ranges apart", () => {
  const map = RangeMap.from([range(4, 8, "a"), range(8, 12, "a"), range(0, 4, "a")]);
  assertEquals(map.toArray(), [range(0, 4, "a"), range(4, 8, "a"), range(8, 12, "a")]);
});

Deno.test("RangeMap.insert() refuses every way to overlap, names both ranges and changes nothing", () => {
  const map = RangeMap.from([range(10, 20), range(30, 40)]);
  const before = map.toArray();
  for (const [start, end] of [[10, 20], [9, 11], [19, 21], [12, 13], [0, 100], [20, 31], [39, 50]] as const) {
    assertThrows(() => map.insert(range(start, end)), RangeError, `Cannot insert [${start}, ${end}): it overlaps [`);
  }
  assertThrows(() => map.insert(range(35, 36)), RangeError, "it overlaps [30, 40)");
  assertEquals(map.toArray(), before);
  map.checkInvariants();
});

Deno.test("RangeMap.insert() refuses overlap at every node border of a large tree", () => {
  const map = fence(3000);
  for (let start = 0; start < 30000; start += 10) {
    assertThrows(() => map.insert(range(start + 3, start + 5)), RangeError);
    if (start > 0) assertThrows(() => map.insert(range(start - 1, start + 1)), RangeError);
  }
  assertEquals(map.size, 3000);
  map.checkInvariants();
});

Deno.test("RangeMap.insert() refuses what is empty, reversed, fractional, negative or too large", () => {
  const map = new RangeMap<string>();
  assertThrows(() => map.insert(range(3, 3)), RangeError, "it is empty, wanted at least 1 point");
  assertThrows(() => map.insert(range(0, RANGE_LIMIT + 1)), RangeError, `it ends beyond ${RANGE_LIMIT}`);
  for (const [start, end] of [[4, 3], [0.5, 2], [0, 1.5], [-1, 2], [NaN, 1], [0, Infinity], [0, 2 ** 53]] as const) {
    assertThrows(() => map.insert(range(start, end)), RangeError, "wanted safe integers with 0 <= start <= end");
  }
  assertEquals(map.size, 0);
  map.insert(range(RANGE_LIMIT - 1, RANGE_LIMIT));
  assertEquals(map.at(RANGE_LIMIT - 1)?.end, RANGE_LIMIT);
});

Deno.test("RangeMap.insert() does not keep the caller's object", () => {
  const map = new RangeMap<string>();
  const mine = { start: 1, end: 2, value: "a" };
  map.insert(mine);
  mine.end = 100;
  assertEquals(map.toArray(), [range(1, 2, "a")]);
});

Deno.test("RangeMap keeps its answers apart from what it holds", () => {
  const map = RangeMap.from([range(1, 4), range(6, 9)]);
  const held = map.at(1);
  const all = map.toArray();
  map.carve(2, 7);
  map.insert(range(2, 3, "new"));
  assertEquals(held, range(1, 4));
  assertEquals(all, [range(1, 4), range(6, 9)]);
  assertEquals(map.toArray(), [range(1, 2), range(2, 3, "new"), range(7, 9, "6")]);
});

Deno.test("RangeMap holds undefined as a value", () => {
  const map = RangeMap.from([{ start: 1, end: 4, value: undefined }]);
  assertEquals(map.at(1), { start: 1, end: 4, value: undefined });
  assertEquals(map.carve(2, 3), [{ start: 2, end: 3, value: undefined }]);
  assertEquals(map.remove(1), { start: 1, end: 2, value: undefined });
  assertEquals(map.size, 1);
});

Deno.test("RangeMap.remove() wants the exact start", () => {
  const map = RangeMap.from([range(5, 8)]);
  assertEquals([map.remove(4), map.remove(6), map.remove(8)], [undefined, undefined, undefined]);
  assertEquals(map.remove(5), range(5, 8));
  assertEquals(map.size, 0);
  map.checkInvariants();
});

Deno.test("RangeMap.carve() splits a range in two, and all three share the value", () => {
  const value = { name: "shared" };
  const map = RangeMap.from([{ start: 0, end: 10, value }]);
  const pieces = map.carve(3, 5);
  assertEquals(pieces, [{ start: 3, end: 5, value }]);
  assertEquals(map.toArray(), [{ start: 0, end: 3, value }, { start: 5, end: 10, value }]);
  for (const piece of [...pieces, ...map]) assert(piece.value === value);
});

Deno.test("RangeMap.carve() clips at both sides and takes what lies between whole", () => {
  const map = RangeMap.from([range(0, 4), range(4, 6), range(8, 12), range(20, 30)]);
  assertEquals(map.carve(2, 9), [range(2, 4, "0"), range(4, 6), range(8, 9)]);
  assertEquals(map.toArray(), [range(0, 2), range(9, 12, "8"), range(20, 30)]);
  assertEquals(map.size, 3);
  map.checkInvariants();
});

Deno.test("RangeMap.carve() of free points, of no points and beyond the limit changes nothing", () => {
  const map = RangeMap.from([range(5, 8), range(10, 12)]);
  assertEquals([map.carve(8, 10), map.carve(6, 6), map.carve(12, Number.MAX_SAFE_INTEGER)], [[], [], []]);
  assertThrows(() => map.carve(7, 6), RangeError, "Cannot search [7, 6)");
  assertThrows(() => map.carve(0.5, 6), RangeError);
  assertEquals(map.toArray(), [range(5, 8), range(10, 12)]);
});

Deno.test("RangeMap.carve() cuts the middle out of a large tree", () => {
  const map = fence(5000);
  assertEquals(map.carve(12, 49982).length, 4998);
  map.checkInvariants();
  assertEquals(map.toArray(), [range(0, 4), range(10, 12), range(49982, 49984, "49980"), range(49990, 49994)]);
});

Deno.test("RangeMap.carve() of one range after the other takes every leaf apart, and the nodes serve again", () => {
  const map = fence(3000);
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 3000; index++) {
      const start = (index * 1237) % 3000 * 10;
      assertEquals(map.carve(start, start + 4), [range(start, start + 4)]);
      if (index % 100 === 0) map.checkInvariants();
    }
    assertEquals([map.size, map.firstGap({ size: 30000, from: 0, to: 30000 })], [0, 0]);
    for (let start = 29990; start >= 0; start -= 10) map.insert(range(start, start + 4));
    map.checkInvariants();
  }
});

Deno.test("RangeMap.overlapping() gives whole ranges, ascending", () => {
  const map = fence(500);
  assertEquals(map.overlapping(13, 31), [range(10, 14), range(20, 24), range(30, 34)]);
  assertEquals(map.overlapping(14, 20), []);
  assertEquals(map.overlapping(12, 12), []);
  assertEquals(map.overlapping(0, Number.MAX_SAFE_INTEGER).length, 500);
});

Deno.test("RangeMap.overlaps() sees a range that only sticks in", () => {
  const map = fence(500);
  assertEquals([map.overlaps(13, 14), map.overlaps(14, 20), map.overlaps(14, 21), map.overlaps(12, 12)], [
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("RangeMap.covered() needs every point", () => {
  const map = RangeMap.from([range(0, 4), range(4, 9), range(10, 12)]);
  assertEquals([map.covered(0, 9), map.covered(1, 8), map.covered(0, 10), map.covered(9, 10)], [
    true,
    true,
    false,
    false,
  ]);
  assertEquals([map.covered(11, 12), map.covered(11, 13), map.covered(100, 100)], [true, false, true]);
  assertEquals(RangeMap.from([range(0, RANGE_LIMIT)]).covered(RANGE_LIMIT - 1, RANGE_LIMIT + 1), false);
});

Deno.test("RangeMap.firstGap() takes the lowest that fits, not the best", () => {
  const map = RangeMap.from([range(4, 10), range(20, 30), range(33, 40)]);
  const to = 1000;
  assertEquals([1, 4, 5, 10, 11].map((size) => map.firstGap({ size, from: 0, to })), [0, 0, 10, 10, 40]);
  assertEquals(map.firstGap({ size: 3, from: 18, to }), 30);
  assertEquals(map.firstGap({ size: 2, from: 18, to }), 18);
  assertEquals(map.firstGap({ size: 10, from: 5, to: 20 }), 10);
  assertEquals(map.firstGap({ size: 10, from: 5, to: 19 }), undefined);
});

Deno.test("RangeMap.firstGap() aligns the start and passes gaps that are large enough but lie wrong", () => {
  const map = RangeMap.from([range(0, 17), range(32, 49), range(65, 80)]);
  assertEquals(map.firstGap({ size: 15, from: 0, to: 1000, alignment: 16 }), 80);
  assertEquals(map.firstGap({ size: 15, from: 0, to: 1000, alignment: 1 }), 17);
  assertEquals(map.firstGap({ size: 8, from: 0, to: 1000, alignment: 8 }), 24);
  assertEquals(map.firstGap({ size: 1, from: 81, to: 96, alignment: 96 }), undefined);
});

Deno.test("RangeMap.firstGap() is exact up to the limit and never beyond it", () => {
  const map = RangeMap.from([range(0, RANGE_LIMIT - 10)]);
  const to = Number.MAX_SAFE_INTEGER;
  assertEquals(map.firstGap({ size: 10, from: 0, to }), RANGE_LIMIT - 10);
  assertEquals(map.firstGap({ size: 11, from: 0, to }), undefined);
  assertEquals(map.firstGap({ size: 1, from: 0, to, alignment: 8 }), RANGE_LIMIT - 8);
  assertEquals(map.firstGap({ size: 1, from: to, to }), undefined);
  assertEquals(map.firstGap({ size: 1, from: 9, to: 8 }), undefined);
});

Deno.test("RangeMap.firstGap() refuses numbers that make no sense", () => {
  const map = new RangeMap<string>();
  const good = { size: 1, from: 0, to: 10, alignment: 1 };
  assertThrows(() => map.firstGap({ ...good, size: 0 }), RangeError, "size 0: wanted a safe integer of at least 1");
  assertThrows(() => map.firstGap({ ...good, from: -1 }), RangeError, "from -1");
  assertThrows(() => map.firstGap({ ...good, to: Infinity }), RangeError, "to Infinity");
  assertThrows(() => map.firstGap({ ...good, alignment: 0.5 }), RangeError, "alignment 0.5");
});

Deno.test("RangeMap.firstGap() finds the one gap of a large tree, wherever it is", () => {
  const map = new RangeMap<number>();
  const count = 5000;
  for (let start = 0; start < count; start++) map.insert({ start, end: start + 1, value: start });
  for (let start = 0; start < count; start += 7) {
    map.remove(start);
    assertEquals(map.firstGap({ size: 1, from: 0, to: count }), start);
    assertEquals(map.firstGap({ size: 1, from: start + 1, to: count }), undefined);
    assertEquals(map.covered(0, start) && map.covered(start + 1, count), true);
    map.insert({ start, end: start + 1, value: start });
  }
  map.checkInvariants();
});

Deno.test("RangeMap walks ascending, and goes on after a change under way", () => {
  const map = fence(1000);
  const seen: number[] = [];
  for (const { start } of map) {
    seen.push(start);
    if (start % 20 === 0) map.remove(start + 10);
    if (start === 500) map.insert(range(506, 507));
    if (start === 600) {
      map.remove(600);
      map.insert(range(598, 606));
    }
    if (start === 700) map.remove(700);
  }
  const expected = Array.from({ length: 500 }, (_, index) => index * 20);
  assertEquals(seen, [...expected.slice(0, 26), 506, ...expected.slice(26)]);
});

Deno.test("RangeMap.clear() empties the map, which then serves again", () => {
  const map = fence(1000);
  map.clear();
  map.checkInvariants();
  assertEquals([map.size, map.toArray().length], [0, 0]);
  map.insert(range(3, 4));
  assertEquals(map.toArray(), [range(3, 4)]);
});

Deno.test("RangeMap.from() takes any order and refuses overlap", () => {
  assertEquals(RangeMap.from([range(9, 10), range(1, 2)]).toArray(), [range(1, 2), range(9, 10)]);
  assertThrows(() => RangeMap.from([range(1, 3), range(2, 4)]), RangeError, "Cannot insert [2, 4): it overlaps [1, 3)");
});

Deno.test("RangeMap.ofNumbers() holds whole numbers of 31 bits and refuses others", () => {
  const map = RangeMap.ofNumbers();
  map.insert({ start: 0, end: 9, value: -1 });
  map.insert({ start: 9, end: 12, value: 2 ** 31 - 1 });
  assertEquals(map.carve(3, 10).map(({ value }) => value), [-1, 2 ** 31 - 1]);
  assertEquals(map.toArray().map(({ start, value }) => [start, value]), [[0, -1], [10, 2 ** 31 - 1]]);
  for (const value of [0.5, 2 ** 31, Number.NaN]) {
    assertThrows(() => map.insert({ start: 20, end: 21, value }), RangeError, "31 bits");
  }
  assertEquals(map.size, 2);
  map.checkInvariants();
});
