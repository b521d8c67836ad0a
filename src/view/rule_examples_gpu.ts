// Examples of the rules about GPU addresses and of those across both worlds (V, X): each fires its rule with few lines.
// Lines follow the setup that `given` names; what is left open at the end leaks besides, which is not the point.

import type { RuleExample } from "./rule_examples.ts";

const MAP_X =
  "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=16) -> ok {VirtualAddress=$va}";
const FREE_VA = "umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=$va, Size=0x10000)";
const DESTROY_X = "umd D3DKMTDestroyAllocation2(hDevice=$d, phAllocationList=[$x]) -> ok";

/** Examples of V and X. */
export const GPU_EXAMPLES = {
  "gpuva-leak": {
    given: "gpu",
    lines: [MAP_X, "# the process ends"],
    fix: "Free the range with D3DKMTFreeGpuVirtualAddress, or destroy the allocation, which releases it.",
  },
  "gpuva-reservation-leak": {
    given: "gpu",
    lines: [
      "umd D3DKMTReserveGpuVirtualAddress(hPagingQueue=$q, Size=0x20000) -> ok {VirtualAddress=$va}",
      "# the process ends",
    ],
    fix: "Free the whole reservation with D3DKMTFreeGpuVirtualAddress; no allocation's end releases it.",
  },
  "gpuva-double-map": {
    given: "gpu",
    lines: [
      MAP_X,
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=$va, hAllocation=$y, SizeInPages=16) -> ok",
    ],
    fix: "Nothing, where the replacement is meant; otherwise map at a base that is free, or at none.",
  },
  "gpuva-alias": {
    given: "gpu",
    lines: [MAP_X, MAP_X],
    fix: "Nothing, where the alias is meant; otherwise keep the address of the first map.",
  },
  "gpuva-unmatched-free": {
    given: "gpu",
    lines: ["umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=0x100000, Size=0x10000) -> fails"],
    fix: "Free the address that the map or the reserve answered, with its size in bytes.",
  },
  "gpuva-double-free": {
    given: "gpu",
    lines: [MAP_X, `${FREE_VA} -> ok`, `${FREE_VA} -> fails`],
    fix: "Let one place own the range and free it once.",
  },
  "gpuva-free-after-auto-release": {
    given: "gpu",
    lines: [MAP_X, DESTROY_X, `${FREE_VA} -> fails`],
    fix: "Free before the allocation is destroyed, or not at all: its end releases the range.",
  },
  "gpuva-stranger-free": {
    given: "gpu",
    lines: [
      MAP_X,
      DESTROY_X,
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=$va, hAllocation=$y, SizeInPages=16) -> ok",
      `${FREE_VA} -> ok`,
      `${FREE_VA} -> fails`,
    ],
    fix: "Order the free before the allocation's end, under one lock: after it the address may be somebody else's.",
  },
  "gpuva-partial-free": {
    given: "gpu",
    lines: [MAP_X, "umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=$va, Size=0x1000) -> ok"],
    fix: "Free what was obtained, whole; map pieces separately where they end separately.",
  },
  "gpuva-spanning-free": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x100000, hAllocation=$x, SizeInPages=16) -> ok",
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x110000, hAllocation=$y, SizeInPages=16) -> ok",
      "umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=0x100000, Size=0x20000)",
    ],
    fix: "Free each obtained range by a call of its own.",
  },
  "gpuva-use-before-fence": {
    given: "gpu",
    lines: [
      MAP_X,
      "gpu GpuAccess(hContext=$k, VirtualAddress=$va, ByteCount=64, Access=Read)",
    ],
    fix:
      "Wait for PagingFenceValue on the queue's fence, on the CPU or on the context, before work that uses the range.",
  },
  "gpuva-zero-with-allocation": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=16, Protection=NoAccess) -> fails",
    ],
    fix: "Pass hAllocation as null with Zero or NoAccess.",
  },
  "gpuva-zero-over-map": {
    given: "gpu",
    lines: [
      MAP_X,
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=$va, SizeInPages=16, Protection=Zero) -> fails",
    ],
    fix: "Free a range that Map obtained; make Zero or NoAccess only what is free or was reserved.",
  },
  "gpuva-misaligned": {
    given: "gpu",
    lines: ["umd D3DKMTReserveGpuVirtualAddress(hPagingQueue=$q, Size=0x1000) -> fails"],
    fix: "Round to 64 KB for a reservation and to 4 KB for a map or a free.",
  },
  "gpuva-outside-space": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x1000000000000, hAllocation=$x, SizeInPages=16) -> fails",
    ],
    fix: "Keep base plus size within the process's address width; strip the sign extension of an address.",
  },
  "gpuva-dead-constraint": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x100000, MaximumAddress=0x80000, hAllocation=$x, SizeInPages=16)",
    ],
    fix: "Give a base, or a minimum and a maximum, not both.",
  },
  "gpuva-result-outside-constraint": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, MinimumAddress=0x200000, hAllocation=$x, SizeInPages=16) -> ok {VirtualAddress=0x100000}",
    ],
    fix: "Report it to whoever answered the call: an address within minimum and maximum was asked for.",
    foreign: true,
  },
  "gpuva-outside-allocation": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, OffsetInPages=8, SizeInPages=16) -> fails",
    ],
    fix: "Keep OffsetInPages plus SizeInPages within the allocation; both count pages of 4096 bytes.",
  },
  "gpuva-driver-protection-conflict": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=16, DriverProtection=0x8000000000000001) -> ok",
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=16, DriverProtection=0x8000000000000002) -> fails",
    ],
    fix: "Use one unique value for all mappings of the pages, or leave bit 63 clear.",
  },
  "gpuva-reserved-bits": {
    given: "gpu",
    lines: [
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=16, Protection=Write|SystemUseOnly) -> fails",
    ],
    fix: "Clear the structure before it is filled in, and set only Write, Execute, Zero or NoAccess.",
  },
  "device-children-alive": {
    given: "gpu",
    lines: ["umd D3DKMTDestroyDevice(hDevice=$d) -> ok"],
    fix: "Destroy allocations, contexts, paging queues and fences before their device, devices before their adapter.",
  },
  "allocation-leak": {
    given: "gpu",
    lines: [
      "umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{Size=0x10000}]) -> ok {pAllocationInfo2=[{hAllocation=$z}]}",
      "# the process ends",
    ],
    fix: "Call D3DKMTDestroyAllocation2 for each allocation, or destroy its device.",
  },
  "gpu-object-leak": {
    given: "nothing",
    lines: ["umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> ok {hAdapter=$n}", "# the process ends"],
    fix: "Close or destroy each object with the call that its kind has; an adapter once for each open.",
  },
  "guest-page-in-two-gpadls": {
    given: "gpadl",
    lines: ["client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=4096) -> ok {GpadlHandle=$h}"],
    fix: "Share a page once, or make all of its GPADLs READ_ONLY.",
  },
  "guest-page-behind-gpadl-and-gpuva": {
    given: "shared",
    lines: [
      "umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{pSystemMem=$b}], Flags=ExistingSysMem) -> ok {pAllocationInfo2=[{hAllocation=$z}]}",
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$z, SizeInPages=2) -> ok",
    ],
    fix: "Nothing, where server and GPU take turns; otherwise fence one's accesses from the other's.",
  },
  "guest-page-reused-while-shared": {
    given: "gpadl",
    lines: ["guest FreeBuffer(Buffer=$b)", "guest AllocateBuffer(ByteCount=8192) -> $reused"],
    fix: "Delete the GPADL and free the GPU addresses of a page before the page is freed.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;
