// `reserve-race`: an owner that wants another kind of reservation at addresses that it has. There is no call for that: it frees the
// range and reserves it again, and in between the addresses are anybody's. Another thread maps all the time, wherever there is room.
// The documents say what may happen: the owner gets its range back, or the reserve fails and changes nothing; so a driver that does
// this must be able to live elsewhere, as the owner here does. With `-- unmap` something is mapped inside at that time, which is how
// some drivers unmap and keep a reservation: the audit warns of each (gpuva-free-then-reserve).

import { ntSuccess, SYMBOLS } from "../api/mod.ts";
import { defineProgram, type ProgramContext, type Thread } from "../driver/mod.ts";
import {
  closeDevice,
  type OpenDevice,
  openDevice,
  type RunningGpu,
  startGpu,
  stopGpu,
  waitForPaging,
} from "./open_gpu.ts";

const ROUNDS = 12;
const PAGE_BYTES = 4096;
const RANGE_BYTES = 0x20000;
const MAPPED_PAGES = 16;
const { NO_ACCESS, ZERO } = SYMBOLS.reservationType;
const { Write: Writable } = SYMBOLS.protection;
const { Read, Write } = SYMBOLS.access;

/** What both threads use: one device of one process, so one address space. */
interface Shared {
  readonly gpu: RunningGpu;
  readonly device: OpenDevice;
  readonly hContext: number;
}

/** A thread, and what it shares. */
interface Actor extends Shared {
  readonly thread: Thread;
}

export default defineProgram(async (context) => {
  const unmaps = context.args.includes("unmap");
  const gpu = startGpu(context);
  const device = await openDevice(context);
  const { hContext } = await context.umd.D3DKMTCreateContextVirtual({ hDevice: device.hDevice });
  const shared: Shared = { gpu, device, hContext };
  const owner = context.spawn("owner", (thread) => own({ ...shared, thread }, unmaps));
  const mapper = context.spawn("mapper", (thread) => map(context, { ...shared, thread }));
  await owner;
  await mapper;
  await context.umd.D3DKMTDestroyContext({ hContext });
  await closeDevice(context, device);
  await stopGpu(gpu);
}, { summary: "a range is freed and reserved again while another thread maps: it may be gone by then" });

// The owner.

async function own(actor: Actor, unmaps: boolean): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const first = await reserve(actor, { ReservationType: NO_ACCESS });
    if (first === null) throw new Error(`Cannot reserve ${RANGE_BYTES} bytes: there is no room for them`);
    const hAllocation = unmaps ? await mapInside(actor, first) : null;
    await free(actor, first, RANGE_BYTES);
    // Here the addresses are anybody's.
    const again = await reserve(actor, { BaseAddress: first, ReservationType: ZERO });
    // A reserve that fails changes nothing: what is there now is another's, and not to be touched.
    const range = again ?? await reserve(actor, { ReservationType: ZERO });
    if (range === null) throw new Error(`Cannot reserve ${RANGE_BYTES} bytes: there is no room for them`);
    await access(actor, { VirtualAddress: range, Access: Read });
    await free(actor, range, RANGE_BYTES);
    if (hAllocation !== null) await destroy(actor, hAllocation);
  }
}

interface Request {
  readonly BaseAddress?: bigint;
  readonly ReservationType: number;
}

/** Reserves, where it says or anywhere; null where there is no room. */
async function reserve({ thread, gpu, device }: Actor, request: Request): Promise<bigint | null> {
  const { status, VirtualAddress, PagingFenceValue } = await thread.umd.D3DKMTReserveGpuVirtualAddress({
    hPagingQueue: device.hPagingQueue,
    Size: RANGE_BYTES,
    ...request,
  });
  if (!ntSuccess(status)) return null;
  await waitForPaging(thread, { gpu, queue: device, fence: PagingFenceValue });
  return VirtualAddress;
}

/** Maps the first page of the owner's range. */
async function mapInside(actor: Actor, base: bigint): Promise<number> {
  const hAllocation = await allocate(actor, PAGE_BYTES);
  await mapPages(actor, { hAllocation, BaseAddress: base, SizeInPages: 1 });
  return hAllocation;
}

// The mapper.

/** Maps without naming an address, uses what it got, and gives it back, one way or the other. */
async function map({ random }: ProgramContext, actor: Actor): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const hAllocation = await allocate(actor, MAPPED_PAGES * PAGE_BYTES);
    const VirtualAddress = await mapPages(actor, { hAllocation, SizeInPages: MAPPED_PAGES });
    await access(actor, { VirtualAddress, Access: Write });
    // An allocation's end frees what is mapped to it: a free after that might hit a stranger's range.
    if (random.below(2) === 0) await free(actor, VirtualAddress, MAPPED_PAGES * PAGE_BYTES);
    await destroy(actor, hAllocation);
  }
}

// What both do.

async function allocate({ thread, device: { hDevice } }: Actor, Size: number): Promise<number> {
  const { pAllocationInfo2: [made] } = await thread.umd.D3DKMTCreateAllocation2({
    hDevice,
    pAllocationInfo2: [{ Size }],
  });
  return made?.hAllocation ?? 0;
}

async function destroy({ thread, device: { hDevice } }: Actor, hAllocation: number): Promise<void> {
  await thread.umd.D3DKMTDestroyAllocation2({ hDevice, phAllocationList: [hAllocation] });
}

async function mapPages(
  { thread, gpu, device }: Actor,
  what: { readonly hAllocation: number; readonly BaseAddress?: bigint; readonly SizeInPages: number },
): Promise<bigint> {
  const { VirtualAddress, PagingFenceValue } = await thread.umd.D3DKMTMapGpuVirtualAddress({
    hPagingQueue: device.hPagingQueue,
    Protection: Writable,
    ...what,
  });
  await waitForPaging(thread, { gpu, queue: device, fence: PagingFenceValue });
  return VirtualAddress;
}

async function free({ thread, device: { hAdapter } }: Actor, BaseAddress: bigint, Size: number): Promise<void> {
  await thread.umd.D3DKMTFreeGpuVirtualAddress({ hAdapter, BaseAddress, Size });
}

async function access(
  { thread, hContext }: Actor,
  what: { readonly VirtualAddress: bigint; readonly Access: number },
): Promise<void> {
  await thread.gpu.GpuAccess({ hContext, ByteCount: 64, ...what });
}
