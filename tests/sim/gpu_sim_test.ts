// A few simulated seeds of GPU virtual addresses, and that its oracles notice what does not hold.

import type { Finding } from "../../src/audit/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { argumentTroubles } from "../../tools/sim/gpu_argument_oracle.ts";
import { gpuDisagreements } from "../../tools/sim/gpu_audit_oracle.ts";
import { GPU_INVARIANTS } from "../../tools/sim/gpu_invariants.ts";
import { GpuPages } from "../../tools/sim/gpu_pages.ts";
import { GPU_VA_WORLD } from "../../tools/sim/gpu_va_world.ts";
import { Chooser } from "../../tools/sim/chooser.ts";
import { runSeed } from "../../tools/sim/run.ts";
import { Simulation } from "../../tools/sim/simulation.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** What drivers mainly do; no simulation is worth much that does not come to it. */
const REACHED = [
  "D3DKMTMapGpuVirtualAddress",
  "D3DKMTReserveGpuVirtualAddress",
  "D3DKMTFreeGpuVirtualAddress",
  "D3DKMTUpdateGpuVirtualAddress",
  "D3DKMTDestroyAllocation2",
  "D3DKMTDestroyPagingQueue",
  "D3DKMTMakeResident",
  "D3DKMTEvict",
  "D3DKMTLock2",
  "D3DKMTSubmitCommand",
  "CompletePaging",
  "CompleteGpuWork",
  "GpuAccess",
];

Deno.test("8 seeds of 400 steps keep the GPU's invariants, replay, and agree with the oracles of pages and of the audit", () => {
  const well = new Map<string, number>();
  for (let seed = 1; seed <= 8; seed += 1) {
    const { failed, seen } = runSeed(GPU_VA_WORLD, { seed, steps: 400 });
    assertEquals(failed === null ? "" : `${failed.trouble.check}: ${failed.trouble.message}`, "", `seed ${seed}`);
    for (const [name, count] of seen) well.set(name, (well.get(name) ?? 0) + count.well);
  }
  assertEquals(REACHED.filter((name) => (well.get(name) ?? 0) === 0), []);
});

/** A run, and pages that followed it. */
function followed(seed: number, steps: number) {
  const options = GPU_VA_WORLD.optionsOf(seed);
  const simulation = new Simulation({ about: GPU_VA_WORLD, options, snapshotEvery: 1000 });
  const chooser = new Chooser(simulation, seed);
  const pages = new GpuPages(options);
  const { world } = simulation.session.engine;
  for (let step = 0; step < steps; step += 1) {
    const known = simulation.events.length;
    assertEquals(simulation.play(chooser.next()), null);
    for (const event of simulation.events.slice(known)) pages.event(event);
    pages.follow(world);
  }
  return { simulation, pages, world };
}

Deno.test("the oracle of pages notices a page that the engine freed by itself, and takes its word seldom", () => {
  const { pages, world } = followed(2, 400);
  assertEquals(pages.difference(world), null);
  const space = [...world.spaces.values()].find((each) => each.vads().length > 0);
  assert(space !== undefined);
  const [piece] = space.vadsIn({ start: 0, end: space.pageLimit });
  assert(piece !== undefined);
  space.free({ start: piece.start, end: piece.start + 1 });
  assert(pages.difference(world)?.includes("pages are obtained") === true, String(pages.difference(world)));
  assert(pages.adopted < 200, `${pages.adopted} pages were taken over`);
});

Deno.test("the oracle of the audit notices leaks and frees that an audit does not tell", () => {
  const { pages, world } = followed(2, 400);
  const told = gpuDisagreements([], { pages, world });
  assert(told.some(({ about }) => about === "free"), "no free");
  assert(told.some(({ about }) => about === "device"), told.map(({ about }) => about).join());
  assert(told.some(({ about }) => about.startsWith("gpuva-")), told.map(({ about }) => about).join());
});

Deno.test("the oracle of arguments notices each rule that an audit does not tell, and what it tells for nothing", () => {
  const rules = new Set<string>();
  for (let seed = 1; seed <= 6; seed += 1) {
    const { simulation } = followed(seed, 400);
    const options = GPU_VA_WORLD.optionsOf(seed);
    const troubles = argumentTroubles(simulation.events, { findings: [], options });
    for (const { about } of troubles) rules.add(about);
    const map = simulation.events.find(({ plan, outcome }) =>
      plan?.name === "D3DKMTMapGpuVirtualAddress" && outcome?.form === "status" && outcome.status < 0x8000_0000
    );
    assert(map !== undefined);
    const untrue = { ...FINDING, rule: "gpuva-outside-space" as const, event: map.event };
    const more = argumentTroubles(simulation.events, { findings: [untrue], options });
    assertEquals(more.length, troubles.length + 1);
  }
  assertEquals([...rules].toSorted(), [
    "gpuva-dead-constraint",
    "gpuva-misaligned",
    "gpuva-outside-space",
    "gpuva-zero-with-allocation",
  ]);
});

const FINDING: Finding = {
  rule: "gpuva-outside-space",
  code: "V-16",
  severity: "error",
  verdict: "certain",
  message: "",
  event: 0,
  object: null,
  fingerprint: "",
  evidence: [],
  siblings: null,
  sizeBytes: 0,
};

Deno.test("invariants notice a queue that is ahead of its fence", () => {
  const { simulation } = followed(2, 300);
  const { world } = Engine.restore(simulation.session.engine.snapshot());
  assertEquals(GPU_INVARIANTS["pagingFencesAgree"]?.(world), null);
  const [queue] = world.all("pagingQueue");
  assert(queue !== undefined);
  queue.data.completedFence = queue.data.lastFence + 1n;
  assert(GPU_INVARIANTS["pagingFencesAgree"]?.(world) !== null);
});
