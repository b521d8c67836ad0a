// A few simulated seeds of the paravirtualised path: what `deno task sim --world gpupv` does with more of them. And that its
// oracles notice what does not hold.

import { defaultOptions, parseOption } from "../../src/api/mod.ts";
import { type ProgramContext, runProgram, Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { openGuestAdapter } from "../../src/gpupv/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { GpuPages } from "../../tools/sim/gpu_pages.ts";
import { chooseActs } from "../../tools/sim/gpu_pv_act.ts";
import { pvDisagreements } from "../../tools/sim/gpu_pv_audit_oracle.ts";
import { PV_INVARIANTS, PV_QUIET_INVARIANTS, type Sight, whatIsLeft } from "../../tools/sim/gpu_pv_invariants.ts";
import { IoctlOracle } from "../../tools/sim/gpu_pv_ioctl_oracle.ts";
import { GPU_PV_WORLD } from "../../tools/sim/gpu_pv_world.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** What crosses the path; no simulation is worth much that does not come to it. */
const REACHED = [
  "DxgIoctl",
  "VmbChannelSendSynchronousRequest",
  "VmbChannelCreateGpadlFromBuffer",
  "VmbChannelMapGpadl",
  "VmbChannelUnmapGpadl",
  "VmbChannelDeleteGpadl",
  "VmbPacketSend",
  "MmGetMdlPfnArray",
  "ExitProcess",
  "EvtVmbChannelClosed",
  "D3DKMTCreateAllocation2",
  "D3DKMTDestroyAllocation2",
  "D3DKMTMapGpuVirtualAddress",
  "D3DKMTReserveGpuVirtualAddress",
  "D3DKMTFreeGpuVirtualAddress",
  "D3DKMTMakeResident",
  "D3DKMTLock2",
  "D3DKMTSubmitCommand",
  "D3DKMTWaitForSynchronizationObjectFromCpu",
  "CompletePaging",
];

Deno.test("10 seeds of 500 steps keep the invariants of both sides, replay, and agree with the oracles", async () => {
  const well = new Map<string, number>();
  for (let seed = 1; seed <= 10; seed += 1) {
    const { result: { failed, seen } } = await GPU_PV_WORLD.run({ seed, steps: 500 });
    assertEquals(failed === null ? "" : `${failed.trouble.check}: ${failed.trouble.message}`, "", `seed ${seed}`);
    for (const [name, count] of seen) well.set(name, (well.get(name) ?? 0) + count.well);
  }
  assertEquals(REACHED.filter((name) => (well.get(name) ?? 0) === 0), []);
});

Deno.test("an act stays the same when others are left out", () => {
  const how = { steps: 40, rates: { one: 1, two: 1 }, always: new Set(["one"]) };
  assertEquals(chooseActs(4, how), chooseActs(4, how));
  assertEquals(new Set(chooseActs(4, how).map(({ seed }) => seed)).size, 40);
});

/** What a guest with an allocation over its memory comes to, after a body. */
async function withMemory(body: (sight: Sight) => void): Promise<readonly TraceEvent[]> {
  const engine = new Engine(parseOption(defaultOptions(), "initial-callbacks", "none"));
  const events: TraceEvent[] = [];
  const session = new Session({ engine, sink: { event: (event) => void events.push(event) }, memory: "none" });
  const { thrown } = await runProgram(async (context: ProgramContext) => {
    const guest = await openGuestAdapter(context);
    const { hDevice } = await guest.createDevice();
    const { value: pSystemMem } = await context.guest.AllocateBuffer({ ByteCount: 8192 });
    await guest.createAllocation({ hDevice, pAllocationInfo2: [{ pSystemMem, Size: 8192 }] });
    const none: ReadonlySet<number> = new Set();
    body({ world: engine.world, guest, lost: none, unlockFailed: none, touched: none, isOneThread: true });
  }, { session, seed: 1, args: [], sites: { wants: () => false, folder: "" } });
  if (thrown !== undefined) throw thrown;
  return events;
}

function troubles(sight: Sight): string[] {
  return Object.entries({ ...PV_INVARIANTS, ...PV_QUIET_INVARIANTS }).flatMap(([name, holds]) =>
    holds(sight) === null ? [] : [name]
  );
}

Deno.test("invariants notice handles, mappings, pages and pins on which the two sides do not agree", async () => {
  await withMemory((sight) => {
    assertEquals(troubles(sight), []);
    const { world, guest } = sight;
    const [gpadl] = world.all("gpadl");
    const [allocation] = [...world.all("allocation")].filter(({ side }) => side === "umd#2");
    const known = guest.process.handles.allocation(allocation?.handle ?? 0);
    assert(gpadl !== undefined && allocation !== undefined && known !== undefined);
    guest.process.handles.drop(known);
    assertEquals(troubles(sight), ["hostsObjectsAreGuests", "memoryIsShared", "pinsAreAllocations"]);
    guest.process.handles.add({ ...known, pin: 0 });
    assertEquals(troubles(sight), ["memoryIsShared", "pinsAreAllocations"]);
    guest.process.handles.add(known);
    gpadl.state = "live";
    assertEquals(troubles(sight), ["hostsMemoryIsMapped"]);
    gpadl.state = "mapped";
    allocation.data.lockCount = 2;
    assertEquals(troubles(sight), ["locksAgree"]);
    allocation.data.lockCount = 0;
    guest.process.handles.add({ ...known, handle: 0x7777, kind: "allocation" });
    assertEquals(troubles(sight)[0], "guestsHandlesAreHosts");
    assert(whatIsLeft(sight, "umd#2")?.includes("outlives its process") === true);
  });
});

Deno.test("the oracle of ioctls notices a wrong answer, a message that should not go, and one that is missing", async () => {
  const events = await withMemory(() => {});
  const judged = (change: (event: TraceEvent) => TraceEvent | null) => {
    const oracle = new IoctlOracle();
    for (const event of events) {
      const changed = change(event);
      if (changed !== null) oracle.event(changed);
    }
    return oracle.trouble;
  };
  assertEquals(judged((event) => event), null);
  const isSent = ({ plan, cause }: TraceEvent) => plan?.name === "VmbChannelSendSynchronousRequest" && cause !== 0;
  assert(judged((event) => isSent(event) ? null : event)?.includes('sent ""') === true);
  const isCreated = ({ plan, kind, of }: TraceEvent) =>
    plan?.name === "EvtDxgIoctl" && kind === "return" && events[of - 1]?.ins[0] === 0xc0404702;
  // The device's handle never comes back: whatever names it should be refused, and is not.
  const blind = (event: TraceEvent): TraceEvent =>
    isCreated(event) ? { ...event, outs: [new Uint8Array(64), 0] } : event;
  assert(judged(blind)?.includes("should be refused with -22") === true);
});

Deno.test("the oracle of the audit notices a GPADL that an allocation left behind and that the audit does not tell", async () => {
  let world: Sight["world"] | null = null;
  const events = await withMemory((sight) => world = sight.world);
  assert(world !== null);
  const options = defaultOptions();
  const told = pvDisagreements(events, { findings: [], options, pages: new GpuPages(options), world });
  const about = told.map((each) => each.about);
  for (const each of ["gpadl-leak", "gpadl-mapping-leak", "device"]) assert(about.includes(each), about.join());
});
