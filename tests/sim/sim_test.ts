// A few simulated seeds under a fixed length: what `deno task sim` does with more of them. And that a simulation is worth
// something: it is the same every time, reaches what it is for, and notices and shortens what does not hold.

import { planOf } from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { INVARIANTS } from "../../tools/sim/invariants.ts";
import { disagreements } from "../../tools/sim/oracle.ts";
import { runSeed, shorten } from "../../tools/sim/run.ts";
import { Simulation } from "../../tools/sim/simulation.ts";
import type { Step } from "../../tools/sim/step.ts";
import { Chooser } from "../../tools/sim/chooser.ts";
import { KMCL_WORLD } from "../../tools/sim/kmcl_world.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** What drivers mainly do; no simulation is worth much that does not come to it. */
const REACHED = [
  "EvtVmbChannelOpened",
  "EvtVmbChannelClosed",
  "EvtVmbChannelProcessPacket",
  "EvtVmbPacketCompletionRoutine",
  "VmbChannelMapGpadl",
  "VmbChannelUnmapGpadl",
  "VmbChannelDeleteGpadl",
  "VmbChannelSaveBegin",
  "VmbChannelSendSynchronousRequest",
  "VmbPacketSendWithExternalMdl",
];

Deno.test("8 seeds of 400 steps keep every invariant, replay, and are audited as the oracle counts", () => {
  const well = new Map<string, number>();
  for (let seed = 1; seed <= 8; seed += 1) {
    const { failed, seen } = runSeed(KMCL_WORLD, { seed, steps: 400 });
    assertEquals(failed === null ? "" : `${failed.trouble.check}: ${failed.trouble.message}`, "", `seed ${seed}`);
    for (const [name, count] of seen) well.set(name, (well.get(name) ?? 0) + count.well);
  }
  assertEquals(REACHED.filter((name) => (well.get(name) ?? 0) === 0), []);
});

Deno.test("a seed simulates the same run every time, and another seed another one", () => {
  const [first, again, other] = [7, 7, 8].map((seed) => runSeed(KMCL_WORLD, { seed, steps: 200 }));
  assertEquals(first, again);
  assert(first?.events !== other?.events || first?.seen.size !== other?.seen.size, "two seeds, one run");
});

/** Chooses and does steps of a seed. */
function simulated(seed: number, steps: number): Simulation {
  const simulation = new Simulation({ about: KMCL_WORLD, options: KMCL_WORLD.optionsOf(seed), snapshotEvery: 1000 });
  const chooser = new Chooser(simulation, seed);
  for (let step = 0; step < steps; step += 1) assertEquals(simulation.play(chooser.next()), null);
  return simulation;
}

Deno.test("invariants notice a world whose bookkeeping is wrong", () => {
  const { session: { engine: { world } } } = simulated(5, 400);
  const [channel] = world.all("channel");
  assert(channel !== undefined);
  const now = () => ({ world, channels: [...world.all("channel")], packets: [...world.all("packet")], tampered: NONE });
  channel.data.transport.outstanding.add(4711);
  assertEquals(INVARIANTS["outstandingIsLiveCompletions"]?.(now()) === null, false);
  channel.data.transport.outstanding.delete(4711);
  assertEquals(INVARIANTS["outstandingIsLiveCompletions"]?.(now()), null);
  channel.data.pauses.push(4711);
  assertEquals(
    INVARIANTS["waitersWait"]?.(now()),
    `channel#${channel.number} knows of a call @4711 that does not wait`,
  );
});

const NONE: ReadonlySet<number> = new Set();

Deno.test("the oracle notices leaks that an audit does not tell", () => {
  const { events } = simulated(5, 400);
  const isCompared = ({ plan }: TraceEvent) =>
    plan?.name !== "UnloadVmbus" && plan?.name !== "VmbChannelRestoreFromBuffer";
  const told = disagreements(events.filter(isCompared), { findings: [], options: KMCL_WORLD.optionsOf(5) });
  assert(told.some(({ about }) => about === "channel-leak"), told.map(({ message }) => message).join("\n"));
});

Deno.test("a failing run is made shorter as long as the same check fails", async () => {
  const simulation = new Simulation({ about: KMCL_WORLD, options: KMCL_WORLD.optionsOf(3), snapshotEvery: 1000 });
  const chooser = new Chooser(simulation, 3);
  const steps: Step[] = [];
  for (let place = 0; place < 60; place += 1) {
    steps.push(chooser.next());
    assertEquals(simulation.play(steps[place] ?? thrower(place)), null);
  }
  steps.push(thrower(60));
  const trouble = simulation.play(thrower(60));
  assertEquals(trouble?.check, "throws TypeError");
  assert(trouble !== null);
  const short = await shorten({
    about: KMCL_WORLD,
    seed: 3,
    options: KMCL_WORLD.optionsOf(3),
    trouble,
    steps,
    made: simulation.made,
    events: [],
  }, 300);
  assertEquals(short.steps, [thrower(60)]);
});

/** A step that nobody could bind: time is no small number. */
function thrower(place: number): Step {
  return { place, form: "call", plan: planOf("AdvanceTime"), side: "machine", ins: [1], inside: -1 };
}
