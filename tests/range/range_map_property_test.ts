// `RangeMap` against a plain array: random operations, every answer compared, the tree checked after each one.
// It must not know how the tree is built; sizes are chosen so that nodes split, even out and merge.
import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { RANGE_LIMIT, RangeMap } from "../../src/range/mod.ts";
import { PlainRanges } from "./plain_ranges.ts";

/** Whole numbers from 0 to `below - 1`, the same for the same seed. */
type Dice = (below: number) => number;

interface World {
  readonly map: RangeMap<number>;
  readonly plain: PlainRanges<number>;
  readonly dice: Dice;
  /** Points are drawn from `origin` to `origin + space`. */
  readonly origin: number;
  readonly space: number;
  /** The longest range inserted. */
  readonly longest: number;
}

function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

function tryInsert(world: World, start: number, end: number): void {
  const range = { start, end, value: world.dice(1000) };
  const isFree = world.plain.insert(range);
  assertEquals(world.map.overlaps(start, end), !isFree);
  try {
    world.map.insert(range);
    assert(isFree, `[${start}, ${end}) went in although it overlaps`);
  } catch (error) {
    assert(error instanceof RangeError && !isFree, `[${start}, ${end}) was refused: ${error}`);
  }
}

/** A start that is held, if there is one: so that most removals hit. */
function heldStart(world: World): number {
  const held = world.plain.toArray();
  return held[world.dice(held.length)]?.start ?? 0;
}

/** Finds a range and takes it out, by what was found or by its span, or asks something else in between. */
function takeFound({ map, plain, dice }: World, point: number): void {
  const wanted = plain.at(point);
  assertEquals(map.find(point), wanted !== undefined);
  if (wanted === undefined) return;
  const found = { start: map.foundStart, end: map.foundEnd, value: map.foundValue };
  assertEquals(found, wanted);
  const how = dice(3);
  if (how === 0) map.removeFound();
  else {
    if (how === 1) map.find(dice(point + 1));
    assertEquals(map.carve(found.start, found.end), [wanted]);
  }
  plain.remove(found.start);
  assertThrows(() => map.foundValue, Error, "none was");
}

/** Puts a range where the first gap is, right after it was found. */
function fillGap(world: World, from: number): void {
  const { map, plain, dice, origin, space, longest } = world;
  const query = { size: 1 + dice(longest), from: dice(2) === 0 ? from : origin, to: origin + space };
  const start = map.firstGap(query);
  assertEquals(start, plain.firstGap({ ...query, alignment: 1 }));
  if (start === undefined) return;
  const range = { start, end: start + query.size, value: dice(1000) };
  assert(plain.insert(range));
  map.insert(range);
}

function change(world: World, removals: number): void {
  const { map, plain, dice, origin, space, longest } = world;
  const start = origin + dice(space);
  const isRemoval = dice(100) < removals;
  if (isRemoval && dice(4) === 0) takeFound(world, heldStart(world));
  else if (!isRemoval && dice(4) === 0) fillGap(world, start);
  else if (isRemoval && dice(8) > 0) {
    const victim = dice(10) === 0 ? start : heldStart(world);
    assertEquals(map.remove(victim), plain.remove(victim));
  } else if (isRemoval || dice(20) === 0) {
    const end = Math.min(start + dice(longest * 3), origin + space);
    assertEquals(map.carve(start, end), plain.carve(start, end));
  } else {
    tryInsert(world, start, Math.min(start + 1 + dice(longest), origin + space));
  }
}

function ask(world: World): void {
  const { map, plain, dice, origin, space, longest } = world;
  const start = origin + dice(space);
  const end = start + dice(longest * 4);
  assertEquals(map.at(start), plain.at(start));
  assertEquals(map.overlapping(start, end), plain.overlapping(start, end));
  assertEquals(map.overlaps(start, end), plain.overlapping(start, end).length > 0);
  assertEquals(map.covered(start, end), plain.covered(start, end));
  const alignment = [1, 1, 2, 3, 16, space][dice(6)] ?? 1;
  const query = { size: 1 + dice(longest * 2), from: start, to: start + dice(space), alignment };
  if (query.to <= RANGE_LIMIT) assertEquals(map.firstGap(query), plain.firstGap(query), JSON.stringify(query));
  if (query.to <= RANGE_LIMIT) assertEquals(map.lastGap(query), plain.lastGap(query), JSON.stringify(query));
  const wide = { ...query, from: origin, to: origin + space };
  assertEquals(map.firstGap(wide), plain.firstGap(wide), JSON.stringify(wide));
  assertEquals(map.lastGap(wide), plain.lastGap(wide), JSON.stringify(wide));
}

/** Grows, churns and shrinks a map, and compares all along. */
function live(world: World, steps: number): void {
  for (let step = 0; step < steps; step++) {
    const removals = step < steps * 0.5 ? 10 : step < steps * 0.7 ? 50 : 95;
    change(world, removals);
    world.map.checkInvariants();
    ask(world);
    assertEquals(world.map.size, world.plain.toArray().length);
  }
  assertEquals(world.map.toArray(), world.plain.toArray());
  assertEquals([...world.map], world.plain.toArray());
}

function worldOf(seed: number, size: { origin: number; space: number; longest: number }): World {
  const map = seed % 2 === 0 ? new RangeMap<number>() : RangeMap.ofNumbers();
  return { map, plain: new PlainRanges(), dice: diceOf(seed), ...size };
}

Deno.test("RangeMap agrees with a plain array where ranges crowd and collide", () => {
  for (const seed of [1, 2, 3]) live(worldOf(seed, { origin: 0, space: 300, longest: 6 }), 1000);
});

Deno.test("RangeMap agrees with a plain array where many ranges fit", () => {
  live(worldOf(4, { origin: 0, space: 20000, longest: 5 }), 3000);
});

Deno.test("RangeMap agrees with a plain array where holes split long ranges and spans empty whole leaves", () => {
  for (const seed of [6, 7]) {
    const world = worldOf(seed, { origin: 0, space: 40000, longest: 8 });
    const { map, plain, dice, space } = world;
    for (let round = 0; round < 4; round++) {
      assertEquals(map.carve(0, space), plain.carve(0, space));
      map.checkInvariants();
      for (let start = 0; start < space; start += 10000) tryInsert(world, start, start + 10000);
      for (let step = 0; step < 500; step++) {
        const start = dice(space);
        const end = start + (dice(100) === 0 ? dice(space / 4) : dice(12));
        assertEquals(map.carve(start, end), plain.carve(start, end));
        map.checkInvariants();
        if (step % 25 === 0) ask(world);
      }
      assertEquals(map.toArray(), plain.toArray());
    }
  }
});

Deno.test("RangeMap agrees with a plain array up against its limit", () => {
  const space = 2 ** 40;
  live(worldOf(5, { origin: RANGE_LIMIT - space, space, longest: 2 ** 30 }), 1500);
});

Deno.test("RangeMap keeps its tree sound through three levels, up and down, in any order", () => {
  const orders = fc.record({
    seed: fc.nat(),
    stride: fc.constantFrom(1, 2, 2999, 1234577, -1),
    back: fc.constantFrom(1, 7919, -1),
  });
  const count = 6000;
  fc.assert(
    fc.property(orders, ({ seed, stride, back }) => {
      const map = new RangeMap<number>();
      const dice = diceOf(seed);
      for (let step = 0; step < count; step++) {
        const start = 4 * (((step * stride) % count + count) % count);
        if (!map.overlaps(start, start + 4)) map.insert({ start, end: start + 1 + dice(4), value: step });
        if (step % 499 === 0) map.checkInvariants();
      }
      const size = map.size;
      let removed = 0;
      for (let step = 0; step < count; step++) {
        const start = 4 * (((step * back) % count + count) % count);
        if (map.remove(start) !== undefined) removed++;
        if (step % 499 === 0) map.checkInvariants();
      }
      assertEquals([map.size, removed], [0, size]);
    }),
    { seed: 20, numRuns: 12 },
  );
});

Deno.test("RangeMap survives any short list of inserts, removals and carvings", () => {
  const point = fc.nat({ max: 40 });
  const step = fc.record({
    kind: fc.constantFrom("insert", "remove", "carve"),
    start: point,
    length: fc.nat({ max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = worldOf(steps.length, { origin: 0, space: 50, longest: 9 });
      for (const { kind, start, length } of steps) {
        if (kind === "insert") tryInsert(world, start, start + length + 1);
        else if (kind === "remove") assertEquals(world.map.remove(start), world.plain.remove(start));
        else assertEquals(world.map.carve(start, start + length), world.plain.carve(start, start + length));
        world.map.checkInvariants();
      }
      assertEquals(world.map.toArray(), world.plain.toArray());
    }),
    { seed: 21, numRuns: 300 },
  );
});
