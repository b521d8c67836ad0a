// Workload `gpuva-churn`: a random one of 65,536 slots toggles between mapped and free, 1 to 256 pages each, first fit.

import { defineProgram } from "../../mod.ts";

const SLOTS = 65_536;
const PAGE = 4096n;
const MAX_PAGES = 256;

interface Slot {
  base: bigint;
  pages: number;
}

export default defineProgram(async (context) => {
  const { umd, machine, random } = context;
  const calls = Number(context.args[0] ?? 100_000);
  const { hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n });
  const { hDevice } = await umd.D3DKMTCreateDevice({ hAdapter });
  const { hPagingQueue } = await umd.D3DKMTCreatePagingQueue({ hDevice });
  const created = await umd.D3DKMTCreateAllocation2({
    hDevice,
    pAllocationInfo2: [{ Size: BigInt(MAX_PAGES) * PAGE }],
  });
  const hAllocation = created.pAllocationInfo2[0]?.hAllocation ?? 0;
  const slots = Array.from({ length: SLOTS }, (): Slot => ({ base: 0n, pages: 0 }));
  for (let call = 0; call < calls; call += 2) {
    await machine.AdvanceTime({ Nanoseconds: 1 + random.below(1000) });
    const slot = random.pick(slots);
    if (slot.pages === 0) {
      slot.pages = 1 + random.below(MAX_PAGES);
      slot.base =
        (await umd.D3DKMTMapGpuVirtualAddress({ hPagingQueue, hAllocation, SizeInPages: slot.pages, Protection: 1 }))
          .VirtualAddress;
    } else {
      await umd.D3DKMTFreeGpuVirtualAddress({ hAdapter, BaseAddress: slot.base, Size: BigInt(slot.pages) * PAGE });
      slot.pages = 0;
    }
  }
}, { summary: "random maps and frees of 65,536 ranges", options: { "paging": "immediate" } });
