// Placement in a replay: a trace's own policy, another one, and the addresses that were recorded.

import { defaultOptions, parseOption } from "../../src/api/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";

const LINES = `
kmd DxgkInitialize(DriverInitializationData={DxgkDdiCreateProcess=true}) -> STATUS_SUCCESS
umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> STATUS_SUCCESS {hAdapter=$a}
  callback kmd DxgkDdiCreateProcess(hDxgkProcess=process#1)
    kmd DxgkCbReserveGpuVirtualAddressRange(hDxgkProcess=process#1, SizeInBytes=0x200000, Alignment=0x200000) -> STATUS_SUCCESS
umd D3DKMTCreateDevice(hAdapter=$a) -> STATUS_SUCCESS {hDevice=$d}
umd D3DKMTCreatePagingQueue(hDevice=$d) -> STATUS_SUCCESS {hPagingQueue=$q}
umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{Size=0x4000}]) -> STATUS_SUCCESS {pAllocationInfo2=[{hAllocation=$x}]}
umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=4) -> ok {VirtualAddress=$va}
umd D3DKMTReserveGpuVirtualAddress(hAdapter=$a, Size=0x30000) -> ok {VirtualAddress=$r}
umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=$va, Size=0x4000) -> ok
umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=2) -> ok {VirtualAddress=$again}
`.trim();

async function recorded(placement: string) {
  const { bytes } = await recordInMemory(LINES, { options: { placement } });
  return openTrace(bytesSource(bytes));
}

function withPlacement(placement: string) {
  return { options: parseOption(defaultOptions(), "placement", placement) };
}

for (const placement of ["first-fit", "top-down", "recorded"]) {
  Deno.test(`a trace made with placement=${placement} replays by itself, and with placement=recorded`, async () => {
    const trace = await recorded(placement);
    assertEquals(replay(trace).divergence, null);
    assertEquals(replay(trace, withPlacement("recorded")).divergence, null);
  });
}

Deno.test("a replay that places otherwise differs in the first address that it gives out", async () => {
  const trace = await recorded("top-down");
  const { divergence } = replay(trace, withPlacement("first-fit"));
  assertEquals([divergence?.call, divergence?.field], [
    "DxgkCbReserveGpuVirtualAddressRange",
    "outs.StartVirtualAddress",
  ]);
});
