// What the GPU does by itself: work that was queued goes on as soon as what it waits for is there. Looked at after each input,
// before calls that wait are tried again. It must not know what the work is.

import { runGpuWork } from "./gpu_work.ts";
import { runUpdates } from "./update_queue.ts";
import type { World } from "./world.ts";

/** Kinds of queued work: each runs what is due, and says whether anything was. */
const WORK: readonly ((world: World) => boolean)[] = [runUpdates, runGpuWork];

/** Runs all that is due: one piece of work may be what another waits for. */
export function runDueWork(world: World): void {
  if (world.companions.size === 0 && world.gpuQueues.size === 0 && world.dying.size === 0) return;
  for (let hasRun = true; hasRun;) {
    hasRun = false;
    for (const run of WORK) if (run(world)) hasRun = true;
  }
}
