// `lda`: linked GPUs that draw frames in turn. Behind one address each GPU has a frame of its own, since each has its own page tables:
// one command buffer does for all. The first GPU shows every frame: what another one drew it reads over the link, by a peer mapping
// of its own. Fences keep drawing and showing in step.

import { SYMBOLS } from "../api/mod.ts";
import { defineProgram, type ProgramContext } from "../driver/mod.ts";
import {
  closeDevice,
  createFence,
  type OpenDevice,
  openDevice,
  type PagingQueue,
  type RunningGpu,
  startGpu,
  stopGpu,
  waitForPaging,
} from "./open_gpu.ts";

const GPUS = 2;
const FRAMES = 16;
const PAGE_BYTES = 4096;
const FRAME_PAGES = 32;
const FRAME_BYTES = FRAME_PAGES * PAGE_BYTES;
const { Write: Writable } = SYMBOLS.protection;
const { Read, Write } = SYMBOLS.access;

/** One of the linked GPUs. */
interface Linked {
  readonly gpu: RunningGpu;
  /** Its work goes to its own page tables. */
  readonly queue: PagingQueue;
  readonly hContext: number;
  /** Says how many frames were drawn by all, when this GPU has drawn one. */
  readonly hDrawn: number;
  /** The memory that it draws into. */
  readonly Buffer: number;
  readonly hAllocation: number;
  submitted: number;
}

/** The first GPU's other context, which shows frames. */
interface Screen {
  readonly gpu: RunningGpu;
  readonly hContext: number;
  /** Says how many frames were shown. */
  readonly hShown: number;
  /** Where the first GPU finds each GPU's frame. */
  readonly addresses: readonly bigint[];
}

export default defineProgram(async (context) => {
  const device = await openDevice(context);
  const linked: Linked[] = [];
  for (let index = 0; index < GPUS; index += 1) linked.push(await openLinked(context, { device, index }));
  const common = await mapCommon(context, linked);
  const screen = await openScreen(context, { device, linked, common });
  await clear(context, { linked, common });
  for (let frame = 0; frame < FRAMES; frame += 1) await drawFrame(context, { linked, screen, common, frame });
  await waitForScreen(context, { device, screen, frames: FRAMES });
  await closeAll(context, { device, linked, screen, common });
}, {
  summary:
    "linked GPUs that draw in turn at one address, each into its own memory; the first shows all, by peer mappings",
  options: { "physical-adapters": String(GPUS) },
});

async function openLinked(
  context: ProgramContext,
  { device, index }: { readonly device: OpenDevice; readonly index: number },
): Promise<Linked> {
  const { umd, host } = context;
  const { hDevice } = device;
  const gpu = startGpu(context, `gpu ${index}`);
  const made = index === 0 ? null : await umd.D3DKMTCreatePagingQueue({ hDevice, PhysicalAdapterIndex: index });
  const { hContext } = await umd.D3DKMTCreateContextVirtual({ hDevice, EngineAffinity: 1 << index });
  const { value: Buffer } = await host.AllocateBuffer({ ByteCount: FRAME_BYTES });
  const { pAllocationInfo2: [info] } = await umd.D3DKMTCreateAllocation2({
    hDevice,
    pAllocationInfo2: [{ pSystemMem: Buffer, Size: FRAME_BYTES }],
  });
  return {
    gpu,
    queue: made === null ? device : { hDevice, hPagingQueue: made.hPagingQueue, hPagingFence: made.hSyncObject },
    hContext,
    hDrawn: await createFence(context, hDevice),
    Buffer,
    hAllocation: info?.hAllocation ?? 0,
    submitted: 0,
  };
}

/** Maps each GPU's frame at one and the same address: the first map finds it, the others name it. */
async function mapCommon(context: ProgramContext, linked: readonly Linked[]): Promise<bigint> {
  let common = 0n;
  for (const { gpu, queue, hAllocation } of linked) {
    const { VirtualAddress, PagingFenceValue } = await context.umd.D3DKMTMapGpuVirtualAddress({
      hPagingQueue: queue.hPagingQueue,
      BaseAddress: common,
      hAllocation,
      SizeInPages: FRAME_PAGES,
      Protection: Writable,
    });
    await waitForPaging(context, { gpu, queue, fence: PagingFenceValue });
    common = VirtualAddress;
  }
  return common;
}

/** The queue says whose page tables change, the allocation where they point: the first GPU reads the others' frames. */
async function openScreen(
  context: ProgramContext,
  { device, linked, common }: {
    readonly device: OpenDevice;
    readonly linked: readonly Linked[];
    readonly common: bigint;
  },
): Promise<Screen> {
  const { hDevice, hPagingQueue } = device;
  const gpu = startGpu(context, "screen");
  const addresses = [common];
  for (const { hAllocation } of linked.slice(1)) {
    const peer = await context.umd.D3DKMTMapGpuVirtualAddress({ hPagingQueue, hAllocation, SizeInPages: FRAME_PAGES });
    await waitForPaging(context, { gpu, queue: device, fence: peer.PagingFenceValue });
    addresses.push(peer.VirtualAddress);
  }
  const { hContext } = await context.umd.D3DKMTCreateContextVirtual({ hDevice, EngineAffinity: 1 });
  return { gpu, hContext, hShown: await createFence(context, hDevice), addresses };
}

/** One submission to all GPUs: each clears its own frame. */
async function clear(
  { umd }: ProgramContext,
  { linked, common }: { readonly linked: readonly Linked[]; readonly common: bigint },
): Promise<void> {
  await umd.D3DKMTSubmitCommand({
    BroadcastContext: linked.map(({ hContext }) => hContext),
    Accesses: [{ VirtualAddress: common, ByteCount: FRAME_BYTES, Access: Write }],
  });
  for (const each of linked) complete(each);
}

/** Lets a GPU run what was submitted to it, counted up by one. */
function complete(each: Linked): void {
  each.submitted += 1;
  each.gpu.jobs.send({ hContext: each.hContext, FenceValue: BigInt(each.submitted) });
}

/** One GPU draws the frame when its last one was shown, the first GPU shows it when it was drawn. */
async function drawFrame(
  { umd }: ProgramContext,
  { linked, screen, common, frame }: {
    readonly linked: readonly Linked[];
    readonly screen: Screen;
    readonly common: bigint;
    readonly frame: number;
  },
): Promise<void> {
  const turn = frame % linked.length;
  const drawer = linked[turn];
  if (drawer === undefined) return;
  const { hContext, hDrawn } = drawer;
  const shown = { ObjectHandleArray: [screen.hShown] };
  const drawn = { ObjectHandleArray: [hDrawn], FenceValueArray: [BigInt(frame + 1)] };
  const itsLast = BigInt(Math.max(0, frame + 1 - linked.length));
  await umd.D3DKMTWaitForSynchronizationObjectFromGpu({ hContext, ...shown, FenceValueArray: [itsLast] });
  await umd.D3DKMTSubmitCommand({
    BroadcastContext: [hContext],
    Accesses: [{ VirtualAddress: common, ByteCount: FRAME_BYTES, Access: Write }],
  });
  await umd.D3DKMTSignalSynchronizationObjectFromGpu({ hContext, ...drawn });
  complete(drawer);
  await umd.D3DKMTWaitForSynchronizationObjectFromGpu({ hContext: screen.hContext, ...drawn });
  await umd.D3DKMTSubmitCommand({
    BroadcastContext: [screen.hContext],
    Accesses: [{ VirtualAddress: screen.addresses[turn] ?? 0n, ByteCount: FRAME_BYTES, Access: Read }],
  });
  await umd.D3DKMTSignalSynchronizationObjectFromGpu({
    hContext: screen.hContext,
    ...shown,
    FenceValueArray: [BigInt(frame + 1)],
  });
  screen.gpu.jobs.send({ hContext: screen.hContext, FenceValue: BigInt(frame + 1) });
}

async function waitForScreen(
  { umd }: ProgramContext,
  { device: { hDevice }, screen: { hShown }, frames }: {
    readonly device: OpenDevice;
    readonly screen: Screen;
    readonly frames: number;
  },
): Promise<void> {
  await umd.D3DKMTWaitForSynchronizationObjectFromCpu({
    hDevice,
    ObjectHandleArray: [hShown],
    FenceValueArray: [BigInt(frames)],
  });
}

/** Everything was drawn and shown. One free gives an address back on all GPUs. */
async function closeAll(
  context: ProgramContext,
  { device, linked, screen, common }: {
    readonly device: OpenDevice;
    readonly linked: readonly Linked[];
    readonly screen: Screen;
    readonly common: bigint;
  },
): Promise<void> {
  const { umd } = context;
  await umd.D3DKMTDestroyContext({ hContext: screen.hContext });
  await umd.D3DKMTDestroySynchronizationObject({ hSyncObject: screen.hShown });
  await stopGpu(screen.gpu);
  for (const address of screen.addresses) {
    await umd.D3DKMTFreeGpuVirtualAddress({ hAdapter: device.hAdapter, BaseAddress: address, Size: FRAME_BYTES });
  }
  for (const each of linked) await closeLinked(context, { device, each, common });
  await closeDevice(context, device);
}

async function closeLinked(
  { umd, host }: ProgramContext,
  { device, each, common }: { readonly device: OpenDevice; readonly each: Linked; readonly common: bigint },
): Promise<void> {
  const { gpu, queue: { hDevice, hPagingQueue }, hContext, hDrawn, Buffer, hAllocation } = each;
  await umd.D3DKMTDestroyContext({ hContext });
  await umd.D3DKMTDestroySynchronizationObject({ hSyncObject: hDrawn });
  await umd.D3DKMTDestroyAllocation2({ hDevice, phAllocationList: [hAllocation] });
  if (hPagingQueue !== device.hPagingQueue) await umd.D3DKMTDestroyPagingQueue({ hPagingQueue });
  await stopGpu(gpu);
  // What a GPU writes is the address that it writes to: each drew at the common one, into its own memory.
  const { value } = await host.ReadBuffer({ Buffer, Offset: 0, ByteCount: 8 });
  const seen = new DataView(value.buffer, value.byteOffset).getBigUint64(0, true);
  if (seen !== common) throw new Error(`Cannot find what was drawn: the frame has ${seen}, wanted ${common}`);
  await host.FreeBuffer({ Buffer });
}
