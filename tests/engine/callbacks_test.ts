// Which callbacks may run: the index by endpoint agrees with a plain look at all of them, whatever is raised, begun, ended and taken back.

import fc from "fast-check";
import { Callbacks, type Lane, laneOf } from "../../src/engine/callbacks.ts";
import type { PendingCallback } from "../../src/engine/world.ts";
import { assertEquals } from "../support/assert.ts";

const NAMES = [
  "EvtVmbChannelOpened",
  "EvtVmbChannelPostStarted",
  "EvtVmbChannelProcessPacket",
  "EvtVmbChannelProcessingComplete",
  "EvtVmbPacketCompletionRoutine",
] as const;

/** What each lane waits for, as words: running at its endpoint, and due there before it. */
const WAITS: Readonly<Record<Lane, { readonly running: readonly Lane[]; readonly earlier: readonly Lane[] }>> = {
  state: {
    running: ["state", "postStarted", "packet", "routine"],
    earlier: ["state", "postStarted", "packet", "routine"],
  },
  postStarted: { running: ["state", "postStarted"], earlier: ["state", "postStarted"] },
  packet: { running: ["state", "packet"], earlier: ["packet"] },
  routine: { running: ["routine"], earlier: ["routine"] },
};

function plainReady({ pending, running }: Callbacks): readonly PendingCallback[] {
  return pending.filter((callback, place) => {
    const lane = laneOf(callback.name);
    const lanesOf = (callbacks: readonly PendingCallback[]) =>
      callbacks.filter(({ channel }) => channel === callback.channel).map(({ name }) => laneOf(name));
    if (lanesOf(running).some((each) => WAITS[lane].running.includes(each))) return false;
    if (lanesOf(pending.slice(0, place)).some((each) => WAITS[lane].earlier.includes(each))) return false;
    return lane !== "state" || !lanesOf(pending).includes("packet");
  });
}

Deno.test("Callbacks.ready() is what a plain look at all callbacks finds", () => {
  const step = fc.record({
    what: fc.constantFrom("raise", "raise", "raise", "begin", "begin", "end", "end", "withdraw", "recause", "copy"),
    channel: fc.integer({ min: 0, max: 3 }),
    name: fc.constantFrom(...NAMES),
    pick: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let callbacks = new Callbacks();
      for (const [index, { what, channel, name, pick }] of steps.entries()) {
        const id = index + 1;
        if (what === "raise") callbacks.raise({ id, name, channel, side: `side ${channel % 2}`, ins: [], cause: 0 });
        const ready = callbacks.ready();
        const [chosen] = ready.slice(pick % Math.max(1, ready.length));
        if (what === "begin" && chosen !== undefined) assertEquals(callbacks.begin(chosen.id, 1000 + id), chosen);
        const runs = callbacks.running[pick % Math.max(1, callbacks.running.length)];
        if (what === "end" && runs !== undefined) assertEquals(callbacks.end(runs.event), runs);
        if (what === "withdraw") callbacks.withdraw(channel, (each) => each.name === name);
        if (what === "recause") callbacks.recause("side 1", id);
        if (what === "copy") {
          const copy = new Callbacks();
          copy.restore(callbacks.pending, callbacks.running);
          callbacks = copy;
        }
        assertEquals(callbacks.ready(), plainReady(callbacks));
      }
    }),
    { seed: 4, numRuns: 300 },
  );
});

Deno.test("Callbacks knows nothing of what is not due or does not run", () => {
  const callbacks = new Callbacks();
  callbacks.raise({ id: 3, name: NAMES[0], channel: 1, side: "client", ins: [], cause: 0 });
  assertEquals([callbacks.begin(2, 9), callbacks.begin(4, 9), callbacks.end(9)], [undefined, undefined, undefined]);
  assertEquals([callbacks.withdraw(2, () => true), callbacks.withdraw(1, () => false)], [false, false]);
  assertEquals(callbacks.ready().map(({ id }) => id), [3]);
});
