// The GPU of a simulated run: it does what was queued and signals fences, so that nobody waits who need not.
// It must not know who waits.

import type { Thread } from "../../src/driver/mod.ts";
import type { Engine } from "../../src/engine/mod.ts";
import type { Table } from "./gpu_pv_hand.ts";

/** A fence value that no act asks for. */
const FAR = 1n << 62n;
/** How often the GPU looks whether somebody waits, and from when on it does all that is there. */
const ROUNDS = 400;
const PATIENCE = 12;

/** Does all work, and signals every fence that is not a paging queue's. */
export async function letThingsRest({ gpu }: Thread, { world }: Engine): Promise<void> {
  for (const { handle, data: { pagingQueue, value } } of [...world.all("syncObject")]) {
    if (pagingQueue === 0 && value < FAR) await gpu.SignalFence({ hSyncObject: handle, Value: FAR });
  }
  for (const { handle, data: { lastFence, completedFence } } of [...world.all("pagingQueue")]) {
    if (completedFence < lastFence) await gpu.CompletePaging({ hPagingQueue: handle, FenceValue: lastFence });
  }
  for (const { handle, data: { granted, submitted } } of [...world.all("context")]) {
    if (granted < submitted) await gpu.CompleteGpuWork({ hContext: handle, FenceValue: BigInt(submitted) });
  }
}

/** Does something while the GPU goes on, in a thread of its own, until that is over. */
export async function whileGpuRuns({ context, engine }: Table, doing: () => Promise<void> | void): Promise<void> {
  let isOver = false;
  const gpu = context.spawn("gpu", async (thread) => {
    for (let round = 0; round < ROUNDS && !isOver; round += 1) {
      await thread.machine.AdvanceTime({ Nanoseconds: 1 });
      if (round > PATIENCE && !isOver) await letThingsRest(thread, engine);
    }
  });
  await doing();
  isOver = true;
  await gpu;
}
