// Every callback order that kmcl.md 1.3 fixes, asserted from the traces of programs under many seeds, at both ends.

import type { ProgramModule } from "../../src/driver/mod.ts";
import netvsp from "../../src/programs/netvsp.ts";
import storm from "../../src/programs/storm.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { bytesSource, openTrace, type TraceEvent } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { CallbackOrder } from "./callback_order.ts";

const SEEDS = 100;

async function eventsOf(program: ProgramModule, seed: number, args: readonly string[]): Promise<TraceEvent[]> {
  const { bytes, end } = await recordInMemory(program, { seed, args, sites: "off", memory: "none" });
  assertEquals([end.reason, end.message], ["ended", ""], `seed ${seed}`);
  return [...openTrace(bytesSource(bytes)).events()];
}

function follow(events: readonly TraceEvent[]): CallbackOrder {
  const order = new CallbackOrder();
  for (const event of events) order.add(event);
  return order;
}

/** Follows a program under every seed; the cases that came up. */
async function followSeeds(program: ProgramModule, args: readonly string[]): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const order = follow(await eventsOf(program, seed, args));
    assertEquals(order.finish(), [], `seed ${seed}`);
    for (const each of order.seen) seen.add(each);
  }
  return seen;
}

Deno.test("storm keeps every documented callback order at both ends, under 100 seeds", async () => {
  const seen = await followSeeds(storm, ["6"]);
  assertEquals([...seen].toSorted(), [
    "VmbChannelDisable while not running",
    "VmbChannelDisable while running",
    "VmbChannelPause while not running",
    "VmbChannelPause while running",
    "client started",
    "opened while active",
    "opened while paused",
    "packet while on",
    "packet while posting",
    "packet while running",
    "server started",
    "started after a reopen",
    "started again",
    "suspended with packets outstanding",
  ]);
});

Deno.test("netvsp keeps every documented callback order at both ends, under 100 seeds", async () => {
  // It registers few callbacks: those that it has come in their order, twice.
  const seen = await followSeeds(netvsp, []);
  assertEquals([...seen].toSorted(), [
    "VmbChannelDisable while running",
    "packet while on",
    "packet while running",
  ]);
});

Deno.test("an order that is not kept is said", async () => {
  const events = await eventsOf(storm, 1, ["6"]);
  for (const name of ["Opened", "Started", "PostStarted", "Suspend", "Closed"]) {
    const ofOne = (kind: string) =>
      events.find((each) => each.kind === kind && each.plan?.name === `EvtVmbChannel${name}`);
    const left = [ofOne("callback"), ofOne("return")];
    const order = follow(events.filter((each) => !left.includes(each)));
    assert(order.finish().length > 0, `${name} left out`);
  }
  const completions = events.filter(({ plan }) => plan?.name === "VmbChannelPacketComplete");
  assert(completions.length > 0);
  assert(follow(events.filter((each) => each !== completions[0])).finish().length > 0, "a completion left out");
});
