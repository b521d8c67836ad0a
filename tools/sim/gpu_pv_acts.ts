// All acts of a simulated program of a guest, and how often they are done.

import type { Rates } from "./gpu_pv_act.ts";
import type { MadeKind } from "./gpu_pv_desk.ts";
import { FENCE_ACTS } from "./gpu_pv_fences.ts";
import { whileGpuRuns } from "./gpu_pv_gpu.ts";
import type { Doing, Hand } from "./gpu_pv_hand.ts";
import { MEMORY_ACTS } from "./gpu_pv_memory.ts";
import { OBJECT_ACTS } from "./gpu_pv_objects.ts";
import { RANGE_ACTS } from "./gpu_pv_ranges.ts";
import { RAW_ACTS } from "./gpu_pv_raw.ts";
import { ROGUE_ACTS } from "./gpu_pv_rogue.ts";

const ACTS: Readonly<Record<string, Doing>> = {
  ...OBJECT_ACTS,
  ...MEMORY_ACTS,
  ...RANGE_ACTS,
  ...FENCE_ACTS,
  ...RAW_ACTS,
  ...ROGUE_ACTS,
};

/** How often they are done. */
export const RATES: Rates = {
  openAdapter: 0.3,
  enumAdapters: 0.2,
  closeAdapter: 0.06,
  createDevice: 1,
  destroyDevice: 0.1,
  deviceState: 0.3,
  createContext: 1,
  destroyContext: 0.3,
  createQueue: 1,
  destroyQueue: 0.3,
  createFence: 1,
  destroyFence: 0.4,
  allocateBuffer: 0.3,
  freeBuffer: 0.4,
  writeBuffer: 0.3,
  createAllocation: 4,
  destroyAllocation: 2.5,
  lock: 1,
  unlock: 1,
  makeResident: 1,
  evict: 0.7,
  map: 3,
  reserve: 1,
  free: 1.5,
  update: 1,
  submit: 1,
  access: 0.5,
  completePaging: 1.5,
  completeWork: 1,
  waitFromCpu: 0.5,
  signalFromCpu: 0.7,
  waitFromGpu: 0.4,
  signalFromGpu: 0.5,
  signalFence: 0.5,
  failNext: 0.4,
  rawIoctl: 0.7,
};

/** And what rogue drivers do beside it. */
export const ROGUE_RATES: Rates = { ...RATES, tearDownEarly: 0.5, unmapEarly: 0.3, mapTwice: 0.4, shareAside: 0.5 };

/** And where a channel goes down under it. */
export const DOWN_RATES: Rates = { ...RATES, takeDown: 0.3 };

/** What no seed is without. */
export const ALWAYS: ReadonlySet<string> = new Set(["createDevice", "createAllocation", "createQueue"]);

/** What may wait for the GPU: it goes on meanwhile. */
const WAITS_FOR_GPU: ReadonlySet<string> = new Set([
  "closeAdapter",
  "destroyDevice",
  "destroyContext",
  "destroyQueue",
  "destroyFence",
  "destroyAllocation",
  "update",
  "rawIoctl",
]);

/** Acts that make what another one needed and did not find. */
const MAKERS: Readonly<Partial<Record<MadeKind, string>>> = {
  adapter: "openAdapter",
  device: "createDevice",
  context: "createContext",
  queue: "createQueue",
  fence: "createFence",
  allocation: "createAllocation",
  range: "reserve",
};

/** Does an act; one that lacks something makes that instead. */
export async function perform(hand: Hand): Promise<void> {
  const doing = ACTS[hand.act.form];
  if (doing === undefined) return;
  if (WAITS_FOR_GPU.has(hand.act.form)) await whileGpuRuns(hand.table, () => doing(hand));
  else await doing(hand);
  for (let missing = hand.missing; missing !== null; missing = hand.missing) {
    hand.missing = null;
    await ACTS[MAKERS[missing] ?? ""]?.(hand);
  }
}
