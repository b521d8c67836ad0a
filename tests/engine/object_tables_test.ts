// Handle values and the objects behind them, from the first value given out to the last dead object that is remembered.

import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { type ObjectKind, OBJECTS, type Ref } from "../../src/api/mod.ts";
import { DeadRing } from "../../src/engine/dead_ring.ts";
import { DEAD_HANDLES_KEPT, HandleTable, KindTable, Tables } from "../../src/engine/object_tables.ts";
import { type GpadlData, isObject } from "../../src/engine/objects.ts";
import { copiedObjects, World } from "../../src/engine/world.ts";

const FIRST_GPADL = 0xe1e10;
const HOST = { side: "client", owner: null };

function gpadlRef(number: number): Ref {
  return { kind: "gpadl", number, handle: FIRST_GPADL + number - 1 };
}

/** A buffer of a world of its own. */
function makeBuffer(world: World) {
  const piece = { pages: [1], byteOffset: 0, byteCount: 1 };
  return world.create("buffer", { partition: "guest", pieces: [piece] }, HOST);
}

Deno.test("HandleTable.take() counts up in steps and gives back the lowest value first", () => {
  const table = new HandleTable("pointer");
  assertEquals([table.take(), table.take(), table.take()], [0x80001000, 0x80001040, 0x80001080]);
  table.giveBack(0x80001080);
  table.giveBack(0x80001000);
  assertEquals([table.take(), table.take(), table.take()], [0x80001000, 0x80001080, 0x800010c0]);
});

Deno.test("HandleTable.resolve() of a value between two steps, below the first or never given out is 0", () => {
  const table = new HandleTable("pointer");
  table.name(37, table.take());
  for (const handle of [0x80001001, 0x80000fc0, 0x80001040, 0, Number.NaN]) {
    assertEquals(table.resolve(handle), 0, String(handle));
  }
  assertEquals(table.resolve(0x80001000), 37);
});

Deno.test("KindTable.bury() keeps the newest dead, lets older ones go in one go, and never one that was named anew", () => {
  const { handles, table } = tableOf("gpadl");
  const bury = (from: number, to: number) => {
    for (let number = from; number <= to; number += 1) {
      const { handle } = gpadlRef(number);
      table.name(number, handle);
      table.bury(number, handle, null);
    }
  };
  const isKnown = (number: number) => table.refOf(FIRST_GPADL + number - 1) !== undefined;
  bury(1, 2 * DEAD_HANDLES_KEPT);
  assertEquals([handles.dead.length, isKnown(1)], [2 * DEAD_HANDLES_KEPT, true]);
  table.name(99_999, FIRST_GPADL);
  bury(2 * DEAD_HANDLES_KEPT + 1, 2 * DEAD_HANDLES_KEPT + 1);
  const oldest = DEAD_HANDLES_KEPT + 2;
  assertEquals([handles.dead.length, handles.dead[0]], [DEAD_HANDLES_KEPT, gpadlRef(oldest)]);
  assertEquals([isKnown(2), isKnown(oldest - 1), isKnown(oldest)], [false, false, true]);
  assertEquals(table.refOf(FIRST_GPADL)?.number, 99_999);
});

function tableOf(kind: ObjectKind): { readonly handles: HandleTable; readonly table: KindTable } {
  const handles = new HandleTable(OBJECTS[kind].handles);
  return { handles, table: new KindTable(kind, handles) };
}

Deno.test("KindTable.resolve() and refOf() pass over other kinds of the same space", () => {
  const tables = new Tables();
  const buffers = tables.of("buffer");
  const mdls = new KindTable("mdl", buffers.handles);
  const ref: Ref = { kind: "buffer", number: 1, handle: buffers.handles.take() };
  buffers.name(1, ref.handle);
  assertEquals([buffers.refOf(ref.handle), mdls.refOf(ref.handle)], [ref, undefined]);
  assertEquals(buffers.handles.named(), [ref]);
  assertEquals(buffers.resolve(ref.handle), undefined, "a reference alone is no object");
  assertEquals([tables.of("buffer") === buffers, tables.handlesOf("pointer") === buffers.handles], [true, true]);
});

Deno.test("World.destroy() leaves the reference, and the object too while a call waits that may name it", () => {
  const world = new World();
  const [first, second] = [makeBuffer(world), makeBuffer(world)];
  assertEquals(world.resolve("buffer", first.handle), first);
  world.destroy(first);
  assertEquals([world.resolve("buffer", first.handle), world.find("buffer", 1)], [undefined, undefined]);
  assertEquals(world.tableOf("buffer").refOf(first.handle), first.ref);
  world.parked.push({ event: 1, name: "VmbChannelDisable", side: "client", ins: [] });
  world.destroy(second);
  assertEquals([world.resolve("buffer", second.handle), second.alive], [second, false]);
});

Deno.test("World.restoreObjects() knows dead references as such, and dead objects with what they were", () => {
  const world = new World();
  const [first, second] = [makeBuffer(world), makeBuffer(world)];
  world.destroy(first);
  world.parked.push({ event: 1, name: "VmbChannelDisable", side: "client", ins: [] });
  world.destroy(second);
  const state = world.captureObjects(copiedObjects);
  assertEquals(state.objects.map(({ alive, data }) => [alive, data === null]), [[false, true], [false, false]]);
  const other = new World();
  other.restoreObjects(state);
  assertEquals(other.captureObjects(copiedObjects), state);
  assertEquals(other.resolve("buffer", first.handle), undefined);
  assertEquals(other.tableOf("buffer").refOf(first.handle), first.ref);
  assertEquals(other.resolve("buffer", second.handle)?.state, "dead");
});

Deno.test("World.restoreObjects() refuses an owner of which only the reference is left", () => {
  const world = new World();
  world.destroy(makeBuffer(world));
  const state = { ...world.captureObjects(copiedObjects), owners: [[0, 0]] as const };
  assertThrows(() => new World().restoreObjects(state), RangeError, "Cannot restore object 0: only its reference");
});

Deno.test("World.create() gives a dead object another life in a later input, unless somebody remembers it", () => {
  const world = new World();
  const whole = [{ pages: [1, 2], byteOffset: 0, byteCount: 8192 }] as const;
  const facts = { channel: 1, server: 2, connection: 3, whole, byteCount: 4096, mapping: 0 };
  const first = { ...facts, readOnly: true, startOffset: 4096, laterMappings: [], isDeleting: true, wasUnmapped: true };
  const second = {
    ...facts,
    readOnly: false,
    startOffset: 0,
    laterMappings: [9],
    isDeleting: false,
    wasUnmapped: false,
  };
  const make = (data: GpadlData) => world.create("gpadl", { ...data }, HOST);
  const gpadl = make(first);
  world.destroy(gpadl);
  assertEquals([gpadl.alive, make(first) === gpadl], [false, false], "what ended in this input may still be in use");
  world.beginInput();
  const again = make(second);
  assertEquals([again === gpadl, again.number, again.state, again.alive], [true, 3, "live", true]);
  assertEquals(again.data, second);
  const child = world.create("gpadl", { ...first }, { side: "client", owner: again });
  world.destroy(again);
  world.beginInput();
  assertEquals([make(first) === again, child.owner === again], [false, true], "what outlives its owner remembers it");
  const data = { partition: "guest", whole, startOffset: 0, byteCount: 1, next: 0, gpadl: 3, buffer: 0 } as const;
  const mdl = world.create("mdl", { ...data, completion: 0 }, { side: "client", owner: gpadl });
  world.destroy(mdl);
  world.beginInput();
  const other = { partition: "host", whole: [], startOffset: 2, byteCount: 3, next: 4, gpadl: 5, buffer: 6 } as const;
  const reused = world.create("mdl", { ...other, completion: 7 }, HOST);
  assertEquals([reused === mdl, reused.owner, reused.data], [true, null, { ...other, completion: 7 }]);
});

Deno.test("DeadRing gives back in order what it was given, round after round, up to its capacity", () => {
  const ring = new DeadRing(4);
  assertThrows(() => ring.oldestPlace(), RangeError, "none is kept");
  assertEquals(ring.shift(), undefined);
  let oldest = 1;
  for (let number = 1; number <= 23; number += 1) {
    if (ring.isFull) {
      assertEquals([ring.oldestPlace(), ring.shift()], [10 * oldest, oldest]);
      oldest += 1;
    }
    ring.push(number, 10 * number);
    assertEquals(
      ring.toArray().map(([code]) => code),
      Array.from({ length: number - oldest + 1 }, (_, index) => oldest + index),
    );
  }
  assert(ring.isFull);
  assertThrows(() => ring.push(24, 240), RangeError, "Cannot bury another object: 4 are kept");
  assertThrows(() => new DeadRing(6), RangeError, "wanted a power of two");
});

Deno.test("isObject() tells an object from its reference", () => {
  const buffer = makeBuffer(new World());
  assertEquals([isObject(buffer), isObject(buffer.ref), isObject(null), isObject([buffer])], [
    true,
    false,
    false,
    false,
  ]);
});
