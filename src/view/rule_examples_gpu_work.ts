// Examples of the rules about updates, work, residency, locks, fences and handles of the GPU, and of what spans both
// worlds (V-11, V-22 to V-38, X-04, X-05): each fires its rule with few lines.

import type { RuleExample } from "./rule_examples.ts";

const MAP_X =
  "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=16) -> ok {VirtualAddress=$va}";
const RESERVE =
  "umd D3DKMTReserveGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x400000, Size=0x10000, ReservationType=ZERO) -> ok";
const FENCE = "umd D3DKMTCreateSynchronizationObject2(hDevice=$d, Type=5) -> ok {hSyncObject=$p}";
const UPDATE = "umd D3DKMTUpdateGpuVirtualAddress(hDevice=$d, hContext=$k, hFenceObject=$p, Operations=";
const QUEUE = "umd D3DKMTCreatePagingQueue(hDevice=$d) -> ok {hPagingQueue=$q2, hSyncObject=$f}";
const SUBMIT =
  "umd D3DKMTSubmitCommand(BroadcastContext=[$k], Accesses=[{VirtualAddress=$va, ByteCount=64, Access=Read}]) -> ok";
const PAGED = "gpu CompletePaging(hPagingQueue=$q, FenceValue=1)";
const QUERY = 'client QueryInterface(InterfaceType="storage")';
/** Message 45: the allocation 3 of device 2 gets the first GPADL. */
const SHARE =
  "client VmbChannelSendSynchronousRequest(Channel=$c, Buffer=h'000000000000000001000000000000002d000000000000000200000003000000101e0e0000000000', Flags=WAIT_FOR_COMPLETION, CompletionBufferSize=8) -> blocked @share";
const TAKEN =
  "server VmbChannelPacketComplete(PacketCompletionContext=completion#1, PacketCompletionBuffer=h'0000000000000000', BufSize=8)";
const CLOSE = "client VmbChannelDisable(Channel=$c)";

/** An update of 128 operations, as many as a queue holds. */
const MANY = Array.from(
  { length: 128 },
  () => "{OperationType=UNMAP, BaseAddress=0x400000, SizeInBytes=0x1000, Protection=Zero}",
);

/** Examples of V and X. */
export const GPU_WORK_EXAMPLES = {
  "gpuva-free-in-use": {
    given: "gpu",
    lines: [MAP_X, PAGED, SUBMIT, "umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=$va, Size=0x10000) -> ok"],
    fix: "Let the work signal a fence and wait for its value before the free.",
  },
  "gpuva-update-invalid": {
    given: "gpu",
    lines: [
      FENCE,
      MAP_X,
      `${UPDATE}[{OperationType=MAP, BaseAddress=$va, SizeInBytes=0x1000, hAllocation=$y}]) -> fails`,
    ],
    fix: "Update pages of one reservation of type ZERO only, all copy sources in one as well.",
  },
  "gpuva-update-fence-never-reached": {
    given: "gpu",
    lines: [
      FENCE,
      RESERVE,
      `${UPDATE}[{OperationType=MAP, BaseAddress=0x400000, SizeInBytes=0x1000, hAllocation=$x}], FenceValue=5) -> ok`,
      "umd D3DKMTDestroyContext(hContext=$k) -> ok",
    ],
    fix: "Signal the fence with at least FenceValue before the context ends, or set DoNotWait.",
  },
  "gpuva-update-queue-full": {
    given: "gpu",
    lines: [
      FENCE,
      RESERVE,
      `${UPDATE}[${MANY.join(", ")}], FenceValue=5) -> ok`,
      `${UPDATE}[${MANY[0]}], FenceValue=5) -> blocked @full`,
      "gpu SignalFence(hSyncObject=$p, Value=5)",
      "leave @full -> ok",
    ],
    fix: "Let earlier updates run before more than 128 operations are queued on a context, or the caller waits.",
  },
  "paging-queue-use-after-destroy": {
    given: "gpu",
    lines: [
      QUEUE,
      "umd D3DKMTDestroyPagingQueue(hPagingQueue=$q2) -> ok",
      "umd D3DKMTWaitForSynchronizationObjectFromGpu(hContext=$k, ObjectHandleArray=[$f], FenceValueArray=[1]) -> fails",
    ],
    fix: "Wait for the fence before the queue is destroyed, and forget its handle and its address then.",
  },
  "paging-fence-destroyed": {
    given: "gpu",
    lines: [QUEUE, "umd D3DKMTDestroySynchronizationObject(hSyncObject=$f)"],
    fix: "Destroy the paging queue: its fence goes along.",
  },
  "residency-imbalance": {
    given: "gpu",
    lines: [
      "umd D3DKMTMakeResident(hPagingQueue=$q, AllocationList=[$x]) -> ok",
      "umd D3DKMTDestroyAllocation2(hDevice=$d, phAllocationList=[$x]) -> ok",
    ],
    fix: "Evict an allocation as often as it was made resident, before it is destroyed.",
  },
  "residency-access-evicted": {
    given: "gpu",
    lines: [
      MAP_X,
      "umd D3DKMTMakeResident(hPagingQueue=$q, AllocationList=[$x]) -> ok",
      "gpu CompletePaging(hPagingQueue=$q, FenceValue=2)",
      "umd D3DKMTEvict(hDevice=$d, AllocationList=[$x]) -> ok",
      "gpu GpuAccess(hContext=$k, VirtualAddress=$va, ByteCount=64, Access=Read) -> fails",
    ],
    fix: "Make the allocation resident, and wait for that, before work that uses it.",
  },
  "allocation-destroyed-in-use": {
    given: "gpu",
    lines: [
      MAP_X,
      PAGED,
      SUBMIT,
      "umd D3DKMTDestroyAllocation2(hDevice=$d, phAllocationList=[$x], Flags=AssumeNotInUse) -> ok",
    ],
    fix: "Leave out AssumeNotInUse, or wait until the work is done.",
  },
  "lock-imbalance": {
    given: "gpu",
    lines: [
      "umd D3DKMTLock2(hDevice=$d, hAllocation=$x) -> ok",
      "umd D3DKMTDestroyAllocation2(hDevice=$d, phAllocationList=[$x]) -> ok",
    ],
    fix: "Unlock an allocation once for each lock, before it is destroyed.",
  },
  "sysmem-gpadl-leak": {
    given: "gpu-pv",
    lines: [SHARE, TAKEN, "leave @share -> ok"],
    fix: "Tear the GPADL down when its allocation is destroyed, once the host has dropped it.",
  },
  "sysmem-teardown-before-destroy": {
    given: "gpu-pv",
    lines: [SHARE, TAKEN, "leave @share -> ok", "client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g)"],
    fix: "Send DestroyAllocation first; the teardown then waits until the host has unmapped.",
  },
  "gpuva-free-then-reserve": {
    given: "gpu",
    lines: [
      RESERVE,
      "umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x400000, hAllocation=$x, SizeInPages=16) -> ok",
      "umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=0x400000, Size=0x10000) -> ok",
      RESERVE,
    ],
    fix: "Keep the reservation and map Zero or NoAccess over it; or be ready for the second reserve to fail.",
  },
  "pending-treated-as-failure": {
    given: "gpu",
    lines: [MAP_X, MAP_X.replace("$va", "$again")],
    fix: "Take STATUS_PENDING for success, and wait for the paging fence value that came with it.",
  },
  "wsl-reserve-zero": {
    given: "nothing",
    lines: [
      "guest-umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> ok {hAdapter=$a}",
      "guest-umd D3DKMTReserveGpuVirtualAddress(hAdapter=$a, BaseAddress=0x400000, Size=0x10000) -> ok",
      "# the host refuses the second one, and its reply has no status",
      "guest-umd D3DKMTReserveGpuVirtualAddress(hAdapter=$a, BaseAddress=0x400000, Size=0x10000) -> ok {VirtualAddress=0x0}",
    ],
    fix: "Look at the address as well: 0 is no range.",
  },
  "adapter-handle-leak": {
    given: "nothing",
    lines: ["umd D3DKMTEnumAdapters2(NumAdapters=1) -> ok", "# the process ends"],
    fix: "Close every adapter of the list with D3DKMTCloseAdapter.",
  },
  "handle-reused": {
    given: "nothing",
    lines: [
      "!option handle-reuse=after-delete",
      "umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> ok {hAdapter=$a}",
      "umd D3DKMTCreateDevice(hAdapter=$a) -> ok {hDevice=$d}",
      "umd D3DKMTDestroyDevice(hDevice=$d) -> ok",
      "umd D3DKMTCreateDevice(hAdapter=$a) -> ok {hDevice=$new}",
    ],
    fix: "Forget a handle's value when its object is destroyed.",
  },
  "write-outside-range": {
    given: "channel",
    lines: [
      "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=100) -> ok {GpadlHandle=$g}",
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
      "host WriteMdl(Mdl=$m, Offset=96, Data=zero(8))",
    ],
    fix: "Stay within the bytes that the GPADL describes; its pages are mapped whole, and the rest is the guest's.",
  },
  "leak-rate": {
    given: "channel",
    lines: [
      QUERY,
      CLOSE,
      QUERY,
      CLOSE,
      QUERY,
      CLOSE,
    ],
    fix: "Give back in each cycle what the cycle made.",
  },
  "wait-never-ends": {
    given: "channel",
    lines: [
      "client VmbChannelPause(Channel=$c) -> blocked",
      "  callback client EvtVmbChannelSuspend(Channel=$c) -> blocked @suspend",
      "# and Suspend never returns",
    ],
    fix: "Return from the callback; let nothing in it wait for what only another thread can bring.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;
