// Workload `gpuva-churn`: 131,072 slots of which half are live; a random one is mapped or freed, 1 to 256 pages each, first
// fit, 1 to 1,000 ns of virtual time between calls. Every eighth slot first reserves its pages and then maps into them.
// A step is two calls: AdvanceTime and that of the range.

import { defineProgram } from "../../mod.ts";
import type { Information } from "./workload.ts";

const SLOTS = 131_072;
const LIVE = SLOTS / 2;
const PAGE = 4096n;
const MAX_PAGES = 256;
const MAX_STEP_NS = 1000;
/** One slot in so many goes reserve → map → free. */
const RESERVING = 8;

/**
 * Of the plain slots half are live: whether one is mapped or freed is a bit, which is freed one of the live, and how large a
 * mapped one is 8 bits; addresses follow from first fit. A reserving slot is in one of three states: mapping and freeing name
 * one of its third, and only mapping has a size. Which free slot is taken shows in no event.
 */
const PLAIN_BITS = 1 + Math.log2(LIVE * (1 - 1 / RESERVING)) / 2 + Math.log2(MAX_PAGES) / 2;
const RESERVING_BITS = Math.log2(3) + 2 / 3 * Math.log2(SLOTS / RESERVING / 3) + Math.log2(MAX_PAGES) / 3;
const KIND_BITS = entropy(1 / RESERVING);

/** What the workload tells. */
export const INFORMATION: Information = {
  bitsPerStep: Math.log2(MAX_STEP_NS) + KIND_BITS + PLAIN_BITS * (1 - 1 / RESERVING) + RESERVING_BITS / RESERVING,
  bitsAhead: LIVE * Math.log2(MAX_PAGES),
  formula:
    "time log2(1000) + kind 0.54 + 7/8·(1 + log2(57344)/2 + log2(256)/2) + 1/8·(log2(3) + log2(5461)·2/3 + log2(256)/3)",
};

function entropy(part: number): number {
  return -part * Math.log2(part) - (1 - part) * Math.log2(1 - part);
}

interface Slot {
  base: bigint;
  /** 0: it is free, or only reserved. */
  pages: number;
}

export default defineProgram(async (context) => {
  const { umd, machine, random } = context;
  const steps = Number(context.args[0] ?? 50_000);
  const { hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n });
  const { hDevice } = await umd.D3DKMTCreateDevice({ hAdapter });
  const { hPagingQueue } = await umd.D3DKMTCreatePagingQueue({ hDevice });
  const created = await umd.D3DKMTCreateAllocation2({
    hDevice,
    pAllocationInfo2: [{ Size: BigInt(MAX_PAGES) * PAGE }],
  });
  const hAllocation = created.pAllocationInfo2[0]?.hAllocation ?? 0;

  async function map(slot: Slot): Promise<void> {
    slot.pages = 1 + random.below(MAX_PAGES);
    const into = slot.base === 0n ? {} : { BaseAddress: slot.base };
    const range = { hPagingQueue, hAllocation, SizeInPages: slot.pages, Protection: 1, ...into };
    slot.base = (await umd.D3DKMTMapGpuVirtualAddress(range)).VirtualAddress;
  }

  async function free(slot: Slot, pages: number): Promise<void> {
    await umd.D3DKMTFreeGpuVirtualAddress({ hAdapter, BaseAddress: slot.base, Size: BigInt(pages) * PAGE });
    slot.pages = 0;
    slot.base = 0n;
  }

  async function reserve(slot: Slot): Promise<void> {
    const Size = BigInt(MAX_PAGES) * PAGE;
    slot.base = (await umd.D3DKMTReserveGpuVirtualAddress({ hPagingQueue, Size })).VirtualAddress;
  }

  const slots = Array.from({ length: SLOTS }, (): Slot => ({ base: 0n, pages: 0 }));
  for (let index = 0; index < SLOTS; index += 1) {
    const slot = slots[index];
    if (slot !== undefined && index % 2 === 1) await map(slot);
  }
  for (let step = 0; step < steps; step += 1) {
    await machine.AdvanceTime({ Nanoseconds: 1 + random.below(MAX_STEP_NS) });
    const index = random.below(SLOTS);
    const slot = slots[index];
    if (slot === undefined) continue;
    const isReserving = index % RESERVING === 0;
    if (slot.pages > 0) await free(slot, isReserving ? MAX_PAGES : slot.pages);
    else if (isReserving && slot.base === 0n) await reserve(slot);
    else await map(slot);
  }
}, { summary: "random maps and frees of 65,536 live ranges", options: { "paging": "immediate" } });
