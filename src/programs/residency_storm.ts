// `residency-storm`: threads that draw with common textures, of which not all fit the budget. Each makes what it draws with
// resident, trims what it drew with longest ago where it is told to, and evicts now and then. Residency is a count, so what one
// thread lets go of stays as long as another one wants it.

import { ntSuccess, SYMBOLS } from "../api/mod.ts";
import { defineProgram, type ProgramContext, type Thread } from "../driver/mod.ts";
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

const THREADS = 4;
const ROUNDS = 16;
const TEXTURES = 12;
const PAGE_BYTES = 4096;
const TEXTURE_PAGES = 16;
const TEXTURE_BYTES = TEXTURE_PAGES * PAGE_BYTES;
/** Textures that one picture is drawn with, at most. */
const PICTURE_TEXTURES = 3;
const BUDGET_TEXTURES = 6;
const { CantTrimFurther } = SYMBOLS.makeResidentFlags;
const { Write: Writable } = SYMBOLS.protection;
const { Read, Write } = SYMBOLS.access;

interface Texture {
  readonly hAllocation: number;
  readonly address: bigint;
}

/** What a thread draws with. */
interface Lane {
  readonly thread: Thread;
  readonly gpu: RunningGpu;
  readonly queue: PagingQueue;
  readonly hContext: number;
  readonly hFence: number;
  readonly textures: readonly Texture[];
  /** Allocations that this thread made resident, once for each time, the oldest first. */
  readonly held: number[];
  pictures: number;
}

export default defineProgram(async (context) => {
  const gpu = startGpu(context);
  const device = await openDevice(context);
  const textures = await makeTextures(context, { gpu, device });
  const threads = Array.from(
    { length: THREADS },
    (_, number) => context.spawn(`storm ${number}`, (thread) => drawAll(context, { thread, gpu, device, textures })),
  );
  for (const thread of threads) await thread;
  for (const texture of textures) await dropTexture(context, device, texture);
  await closeDevice(context, device);
  await stopGpu(gpu);
}, {
  summary: "threads that make common textures resident and evict them, under a budget that is too small for all",
  options: { "residency-budget": String(BUDGET_TEXTURES * TEXTURE_BYTES) },
});

/** Every texture has its address from the start; whether it is in memory is another matter. */
async function makeTextures(
  context: ProgramContext,
  { gpu, device }: { readonly gpu: RunningGpu; readonly device: OpenDevice },
): Promise<Texture[]> {
  const { hDevice, hPagingQueue } = device;
  const { pAllocationInfo2 } = await context.umd.D3DKMTCreateAllocation2({
    hDevice,
    pAllocationInfo2: Array.from({ length: TEXTURES }, () => ({ Size: TEXTURE_BYTES })),
  });
  const textures: Texture[] = [];
  for (const { hAllocation } of pAllocationInfo2) {
    const { VirtualAddress, PagingFenceValue } = await context.umd.D3DKMTMapGpuVirtualAddress({
      hPagingQueue,
      hAllocation,
      SizeInPages: TEXTURE_PAGES,
      Protection: Writable,
    });
    await waitForPaging(context, { gpu, queue: device, fence: PagingFenceValue });
    textures.push({ hAllocation, address: VirtualAddress });
  }
  return textures;
}

async function dropTexture(
  { umd }: ProgramContext,
  { hAdapter, hDevice }: OpenDevice,
  { hAllocation, address }: Texture,
): Promise<void> {
  await umd.D3DKMTFreeGpuVirtualAddress({ hAdapter, BaseAddress: address, Size: TEXTURE_BYTES });
  await umd.D3DKMTDestroyAllocation2({ hDevice, phAllocationList: [hAllocation] });
}

/** A thread's whole life: a queue and a context of its own, pictures, and nothing left. */
async function drawAll(
  context: ProgramContext,
  { thread, gpu, device: { hDevice }, textures }: {
    readonly thread: Thread;
    readonly gpu: RunningGpu;
    readonly device: OpenDevice;
    readonly textures: readonly Texture[];
  },
): Promise<void> {
  const { umd } = thread;
  const { hPagingQueue, hSyncObject } = await umd.D3DKMTCreatePagingQueue({ hDevice });
  const { hContext } = await umd.D3DKMTCreateContextVirtual({ hDevice });
  const queue = { hDevice, hPagingQueue, hPagingFence: hSyncObject };
  const hFence = await createFence(thread, hDevice);
  const lane: Lane = { thread, gpu, queue, hContext, hFence, textures, held: [], pictures: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    await draw(context, lane);
    while (lane.held.length > 0 && context.random.below(3) === 0) await evictOldest(lane);
  }
  while (lane.held.length > 0) await evictOldest(lane);
  await waitForPictures(lane);
  await umd.D3DKMTDestroySynchronizationObject({ hSyncObject: hFence });
  await umd.D3DKMTDestroyContext({ hContext });
  await umd.D3DKMTDestroyPagingQueue({ hPagingQueue });
}

/** One picture. The GPU waits until its textures are there; the thread does not. */
async function draw({ random }: ProgramContext, lane: Lane): Promise<void> {
  const { thread: { umd }, gpu, queue: { hPagingQueue, hPagingFence }, hContext, hFence } = lane;
  const wanted = Array.from({ length: 1 + random.below(PICTURE_TEXTURES) }, () => random.pick(lane.textures));
  const used = [...new Set(wanted)];
  const fence = await makeResident(lane, used.map(({ hAllocation }) => hAllocation));
  if (fence > 0n) {
    gpu.jobs.send({ hPagingQueue, FenceValue: fence });
    await umd.D3DKMTWaitForSynchronizationObjectFromGpu({
      hContext,
      ObjectHandleArray: [hPagingFence],
      FenceValueArray: [fence],
    });
  }
  lane.pictures += 1;
  const picture = BigInt(lane.pictures);
  await umd.D3DKMTSubmitCommand({
    BroadcastContext: [hContext],
    Accesses: used.map(({ address }, place) => ({
      VirtualAddress: address,
      ByteCount: TEXTURE_BYTES,
      Access: place === 0 ? Write : Read,
    })),
  });
  await umd.D3DKMTSignalSynchronizationObjectFromGpu({
    hContext,
    ObjectHandleArray: [hFence],
    FenceValueArray: [picture],
  });
  gpu.jobs.send({ hContext, FenceValue: picture });
}

/**
 * Makes textures resident, all or none, and returns the fence value with which they are there. Above the budget the answer says
 * how much to trim; who has nothing left to trim says so, and gets them all the same.
 */
async function makeResident(lane: Lane, allocations: readonly number[]): Promise<bigint> {
  const { thread: { umd }, queue: { hPagingQueue }, held } = lane;
  for (;;) {
    const { status, PagingFenceValue, NumBytesToTrim } = await umd.D3DKMTMakeResident({
      hPagingQueue,
      AllocationList: allocations,
      Flags: held.length === 0 ? CantTrimFurther : 0,
    });
    if (ntSuccess(status)) {
      held.push(...allocations);
      return PagingFenceValue;
    }
    if (held.length === 0) throw new Error(`Cannot make textures resident: ${NumBytesToTrim} bytes are missing`);
    for (let left = NumBytesToTrim; left > 0n && held.length > 0; left -= BigInt(TEXTURE_BYTES)) {
      await evictOldest(lane);
    }
  }
}

/** Work that is queued still reaches what is evicted after it. */
async function evictOldest({ thread: { umd }, queue: { hDevice }, held }: Lane): Promise<void> {
  await umd.D3DKMTEvict({ hDevice, AllocationList: held.splice(0, 1) });
}

async function waitForPictures({ thread: { umd }, queue: { hDevice }, hFence, pictures }: Lane): Promise<void> {
  await umd.D3DKMTWaitForSynchronizationObjectFromCpu({
    hDevice,
    ObjectHandleArray: [hFence],
    FenceValueArray: [BigInt(pictures)],
  });
}
