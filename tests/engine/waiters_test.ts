// Waiting calls and what wakes them: those that an input is about, the oldest first, and no other.

import fc from "fast-check";
import { Heap } from "../../src/engine/heap.ts";
import { Waiters } from "../../src/engine/waiters.ts";
import { assertEquals } from "../support/assert.ts";
import { Sharing } from "./sharing.ts";

function taken(waiters: Waiters): number[] {
  const events: number[] = [];
  for (let event = waiters.take(); event !== undefined; event = waiters.take()) events.push(event);
  return events;
}

Deno.test("Heap gives out what went in, the least first", () => {
  fc.assert(fc.property(fc.array(fc.integer()), (numbers) => {
    const heap = new Heap<number>((one, other) => one < other);
    for (const number of numbers) heap.push(number);
    assertEquals(numbers.map(() => heap.pop()), numbers.toSorted((one, other) => one - other));
    assertEquals(heap.pop(), undefined);
  }));
});

Deno.test("a waiting call is woken by each thing that it waits for, once, and the oldest comes first", () => {
  const waiters = new Waiters();
  waiters.add(9, { keys: [["gpadl", 1], ["rescind", 1]] });
  waiters.add(4, { keys: [["gpadl", 1]] });
  waiters.add(7, { keys: [["gpadl", 2]] });
  waiters.add(2, { keys: [["channel", 1]] });
  waiters.wake("gpadl", 1);
  waiters.wake("rescind", 1);
  assertEquals(taken(waiters), [4, 9]);
  waiters.wake("gpadl", 3);
  assertEquals(taken(waiters), []);
  waiters.remove(4);
  waiters.wake("gpadl", 1);
  waiters.remove(9);
  assertEquals(taken(waiters), []);
  waiters.add(7, { keys: [["channel", 1]] });
  waiters.wake("gpadl", 2);
  waiters.wake("channel", 1);
  assertEquals(taken(waiters), [2, 7]);
});

Deno.test("time wakes the calls whose deadline it has reached", () => {
  const waiters = new Waiters();
  for (const [event, deadlineNs] of [[1, 30n], [2, 10n], [3, null], [4, 20n], [5, 10n]] as const) {
    waiters.add(event, { keys: [], deadlineNs });
  }
  waiters.remove(5);
  waiters.reach(9n);
  assertEquals(taken(waiters), []);
  waiters.reach(20n);
  assertEquals(taken(waiters), [2, 4]);
  waiters.reach(100n);
  assertEquals(taken(waiters), [1]);
});

Deno.test("a call that does not say what it waits for is tried after each input", () => {
  const waiters = new Waiters();
  waiters.add(3, null);
  waiters.add(1, { keys: [] });
  for (let input = 0; input < 2; input += 1) {
    waiters.wakeAlways();
    assertEquals(taken(waiters), [3]);
  }
});

Deno.test("of a thousand deletes that wait, an unmap lets go of its own, and other inputs of none", () => {
  const sharing = new Sharing();
  const gpadls = Array.from({ length: 1000 }, () => sharing.gpadl());
  for (const gpadl of gpadls) sharing.map(gpadl);
  for (const gpadl of gpadls) {
    sharing.call("client", "VmbChannelDeleteGpadl", { Channel: sharing.client, GpadlHandle: gpadl });
  }
  const { world } = sharing.engine;
  assertEquals([world.parked.length, sharing.engine.missedWakes()], [1000, []]);
  const [, second = 0] = world.parked.map(({ event }) => event);
  sharing.call("server", "VmbChannelUnmapGpadl", { Channel: sharing.server, GpadlHandle: gpadls[1] ?? 0 });
  assertEquals(world.parked.length, 999);
  assertEquals(world.parked.some(({ event }) => event === second), false);
  sharing.call("server", "VmbChannelSetPointer", { Channel: sharing.server, Pointer: 1n });
  assertEquals([world.parked.length, sharing.engine.missedWakes(), world.waiters.take()], [999, [], undefined]);
});
