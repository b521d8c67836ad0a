// Workload `gpadl-churn`: a random one of 4,096 slots steps create → map → unmap → delete, sizes uniform in 1 to 256 pages,
// 1 to 1,000 ns of virtual time between calls. A program like any other.

import { defineProgram } from "../../mod.ts";
import { openChannel } from "../../src/programs/mod.ts";

const SLOTS = 4096;
const PAGE = 4096;
const MAX_PAGES = 256;

/** Each slot has memory of its own: GPADLs that share pages are another matter. */
interface Slot {
  readonly buffer: number;
  step: number;
  gpadl: number;
}

export default defineProgram(async (context) => {
  const { client, server, guest, machine, random } = context;
  const calls = Number(context.args[0] ?? 100_000);
  const ends = await openChannel(context);
  const slots: Slot[] = [];
  for (let index = 0; index < SLOTS; index += 1) {
    const { value: buffer } = await guest.AllocateBuffer({ ByteCount: MAX_PAGES * PAGE });
    slots.push({ buffer, step: 0, gpadl: 0 });
  }
  for (let call = 0; call < calls; call += 2) {
    await machine.AdvanceTime({ Nanoseconds: 1 + random.below(1000) });
    const slot = random.pick(slots);
    const named = { GpadlHandle: slot.gpadl };
    if (slot.step === 0) {
      const ByteCount = (1 + random.below(MAX_PAGES)) * PAGE;
      slot.gpadl = (await client.VmbChannelCreateGpadlFromBuffer({
        Channel: ends.clientChannel,
        Buffer: slot.buffer,
        ByteCount,
        Flags: 1,
      }))
        .GpadlHandle;
    } else if (slot.step === 1) await server.VmbChannelMapGpadl({ Channel: ends.serverChannel, Flags: 1, ...named });
    else if (slot.step === 2) await server.VmbChannelUnmapGpadl({ Channel: ends.serverChannel, ...named });
    else await client.VmbChannelDeleteGpadl({ Channel: ends.clientChannel, ...named });
    slot.step = (slot.step + 1) % 4;
  }
}, { summary: "random steps of 4,096 GPADLs" });
