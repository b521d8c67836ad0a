// Channels that go down under the path: rescinded by the host or closed in the guest, with memory shared, waits under way and
// creates half done. Everything ends, and nothing is left. Rules: kmcl.md 1.2, 2.1; gpuva.md 5.5 (an adapter that is gone: ENODEV).

import { ERRNO } from "../../src/api/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import { defineProgram, type ProgramContext } from "../../src/driver/mod.ts";
import { type OpenGuestAdapter, openGuestAdapter } from "../../src/gpupv/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const SEEDS = 12;
/**
 * What no driver can help. A thread decided to send before Suspend came: nothing tells which of its calls have begun. And a
 * GPADL has to end before its channel is closed, though the host may still read the message that names it.
 */
const DECIDED_BEFORE: readonly string[] = ["packet-send-after-suspend", "gpadl-map-unknown"];
const TAKE_DOWN: Readonly<Record<string, (context: ProgramContext, guest: OpenGuestAdapter) => Promise<unknown>>> = {
  "rescinded global channel": ({ server }, { channels }) =>
    server.VmbChannelDisable({ Channel: channels.global.server }),
  "rescinded channel of the GPU": ({ server }, { channels }) =>
    server.VmbChannelDisable({ Channel: channels.vgpu.server }),
  "closed global channel": ({ client }, { channels }) => client.VmbChannelDisable({ Channel: channels.global.client }),
  "closed channel of the GPU": ({ client }, { channels }) =>
    client.VmbChannelDisable({ Channel: channels.vgpu.client }),
};

for (const [what, takeDown] of Object.entries(TAKE_DOWN)) {
  for (const isAsyncEnabled of [false, true]) {
    const how = isAsyncEnabled ? ", all traffic on the global one" : "";
    Deno.test(`a ${what}${how}: calls end, later ones are ENODEV, nothing is left at either side`, async () => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { end, trace } = await run(seed, isAsyncEnabled, takeDown);
        assertEquals(end, "ended", `seed ${seed}`);
        const { findings, pairing } = audit(trace);
        const errors = findings.filter(({ severity, rule }) =>
          (severity === "error" || severity === "hang") && !DECIDED_BEFORE.includes(rule)
        );
        assertEquals(errors.map(({ rule, message }) => `${rule}: ${message}`), [], `seed ${seed}`);
        for (const thing of ["gpadl", "gpadl-mapping"]) {
          assertEquals([pairing[thing]?.leaked ?? 0, pairing[thing]?.liveAtEnd ?? 0], [0, 0], `seed ${seed}: ${thing}`);
        }
        assertEquals(replay(trace).divergence, null, `seed ${seed}`);
      }
    });
  }
}

async function run(seed: number, isAsyncEnabled: boolean, takeDown: (typeof TAKE_DOWN)[string]) {
  const results: number[] = [];
  const program = defineProgram(async (context: ProgramContext) => {
    const guest = await openGuestAdapter(context, { isAsyncEnabled });
    const { hDevice } = await guest.createDevice();
    const { hSyncObject } = await guest.createSyncObject({ hDevice, Type: 5 });
    const makers = ["one", "two"].map((name) =>
      context.spawn(name, async (thread) => {
        for (let count = 0; count < 3; count += 1) {
          const { value: pSystemMem } = await thread.guest.AllocateBuffer({ ByteCount: 8192 });
          const pAllocationInfo2 = [{ pSystemMem, Size: 8192 }];
          await guest.on(thread).createAllocation({ hDevice, pAllocationInfo2 });
        }
      })
    );
    const waiter = context.spawn("waiter", async (thread) => {
      const wait = { hDevice, ObjectHandleArray: [hSyncObject], FenceValueArray: [7n] };
      results.push((await guest.on(thread).waitFromCpu(wait)).result);
    });
    for (let turn = 0; turn < seed; turn += 1) await context.machine.AdvanceTime({ Nanoseconds: 1 });
    await takeDown(context, guest);
    await waiter;
    for (const maker of makers) await maker;
    while (guest.process.handles.adapters.some(({ isActive }) => isActive)) {
      await context.machine.AdvanceTime({ Nanoseconds: 1 });
    }
    results.push((await guest.createDevice()).result);
    await guest.exitProcess();
    await guest.close();
    assert(guest.host.late.size === 0 && guest.process.gpadls.size === 0 && guest.host.processes.size === 0);
  }, { options: { wire: "on" } });
  const { bytes, end, stuck } = await recordInMemory(program, { seed });
  assertEquals(stuck.filter((each) => !each.startsWith("host WaitSyncFromCpu")), [], `seed ${seed}`);
  assert((results[0] ?? 0) < 0, `seed ${seed}: the wait ended with ${results[0]}`);
  assertEquals(results[1], -ERRNO.ENODEV, `seed ${seed}`);
  return { end: end.reason === "threw" ? end.message : end.reason, trace: openTrace(bytesSource(bytes)) };
}
