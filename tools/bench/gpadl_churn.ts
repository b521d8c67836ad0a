// Workload `gpadl-churn`: a random one of 4,096 slots steps create → map → unmap → delete, sizes uniform in 1 to 256 pages,
// 1 to 1,000 ns of virtual time between calls. A step is two calls: AdvanceTime and that of the GPADL.

import { defineProgram } from "../../mod.ts";
import { openChannel } from "../../src/programs/mod.ts";
import type { Information } from "./workload.ts";

const SLOTS = 4096;
const PAGE = 4096;
const MAX_PAGES = 256;
const MAX_STEP_NS = 1000;

/**
 * Which slot steps is seen in every call (by its buffer or by its handle); its size in a quarter of them; and the time
 * that passed. Handles, MDLs and outcomes follow. The buffers that are allocated ahead are all alike.
 */
export const INFORMATION: Information = {
  bitsPerStep: Math.log2(SLOTS) + Math.log2(MAX_PAGES) / 4 + Math.log2(MAX_STEP_NS),
  bitsAhead: 0,
  formula: "slot log2(4096) + size log2(256)/4 + time log2(1000)",
};

/** Each slot has memory of its own: GPADLs that share pages are another matter. */
interface Slot {
  readonly buffer: number;
  step: number;
  gpadl: number;
}

export default defineProgram(async (context) => {
  const { client, server, guest, machine, random } = context;
  const steps = Number(context.args[0] ?? 50_000);
  const ends = await openChannel(context);
  const slots: Slot[] = [];
  for (let index = 0; index < SLOTS; index += 1) {
    const { value: buffer } = await guest.AllocateBuffer({ ByteCount: MAX_PAGES * PAGE });
    slots.push({ buffer, step: 0, gpadl: 0 });
  }
  for (let step = 0; step < steps; step += 1) {
    await machine.AdvanceTime({ Nanoseconds: 1 + random.below(MAX_STEP_NS) });
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
