// A few simulated seeds of the paravirtualised path: what `deno task sim --world gpupv` does with more of them.

import { GPU_PV_WORLD } from "../../tools/sim/gpu_pv_world.ts";
import { assertEquals } from "../support/assert.ts";

/** What crosses the path; no simulation is worth much that does not come to it. */
const REACHED = [
  "DxgIoctl",
  "VmbChannelSendSynchronousRequest",
  "VmbChannelCreateGpadlFromBuffer",
  "VmbChannelMapGpadl",
  "VmbChannelUnmapGpadl",
  "VmbChannelDeleteGpadl",
  "MmGetMdlPfnArray",
  "D3DKMTCreateAllocation2",
  "D3DKMTDestroyAllocation2",
  "D3DKMTMapGpuVirtualAddress",
];

Deno.test("8 seeds of 600 steps keep the invariants of both sides, and replay", async () => {
  const well = new Map<string, number>();
  for (let seed = 1; seed <= 8; seed += 1) {
    const { result: { failed, seen } } = await GPU_PV_WORLD.run({ seed, steps: 600 });
    assertEquals(failed === null ? "" : `${failed.trouble.check}: ${failed.trouble.message}`, "", `seed ${seed}`);
    for (const [name, count] of seen) well.set(name, (well.get(name) ?? 0) + count.well);
  }
  assertEquals(REACHED.filter((name) => (well.get(name) ?? 0) === 0), []);
});
