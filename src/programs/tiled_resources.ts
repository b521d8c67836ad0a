// `tiled-resources`: a texture of 64 tiles, of which only some have memory. Addresses for all are reserved as ZERO; in waves tiles
// get memory from a pool, are moved and are dropped again, and the GPU draws what is there. One fence keeps updates and drawing in
// step, so nobody waits for the GPU but to stay close to it: wave N's update waits for 2N and signals 2N + 1, its drawing signals 2N + 2.

import { SYMBOLS } from "../api/mod.ts";
import { defineProgram, type ProgramContext } from "../driver/mod.ts";
import {
  closeDevice,
  createFence,
  type OpenDevice,
  openDevice,
  type RunningGpu,
  startGpu,
  stopGpu,
  waitForPaging,
} from "./open_gpu.ts";

const TILE_BYTES = 0x10000;
const TILES = 64;
/** Tiles that the pool has memory for. */
const SLOTS = 20;
const WAVES = 24;
const CHANGES = 8;
const { ZERO } = SYMBOLS.reservationType;
const { MAP, UNMAP, COPY } = SYMBOLS.updateOperation;
const { Zero } = SYMBOLS.protection;
const { Read, Write } = SYMBOLS.access;

/** The pool's memory, and the allocation over it. */
interface Pool {
  readonly Buffer: number;
  readonly hAllocation: number;
}

interface Texture {
  readonly base: bigint;
  readonly pool: Pool;
  /** Slots of the pool by tile; the tile that has been there longest is first. */
  readonly slots: Map<number, number>;
  readonly freeSlots: number[];
}

interface Renderer {
  readonly gpu: RunningGpu;
  readonly device: OpenDevice;
  readonly hContext: number;
  readonly hFence: number;
}

export default defineProgram(async (context) => {
  const gpu = startGpu(context);
  const device = await openDevice(context);
  const { hDevice } = device;
  const { hContext } = await context.umd.D3DKMTCreateContextVirtual({ hDevice });
  const renderer: Renderer = { gpu, device, hContext, hFence: await createFence(context, hDevice) };
  const texture = await makeTexture(context, renderer);
  for (let wave = 0; wave < WAVES; wave += 1) await runWave(context, { renderer, texture, wave });
  await waitFor(context, renderer, WAVES);
  await checkTiles(context, texture);
  await dropTexture(context, renderer, texture);
  await context.umd.D3DKMTDestroySynchronizationObject({ hSyncObject: renderer.hFence });
  await context.umd.D3DKMTDestroyContext({ hContext });
  await closeDevice(context, device);
  await stopGpu(gpu);
}, { summary: "a texture whose tiles are mapped, moved and unmapped in waves, in step with what the GPU draws" });

/** Reserves the addresses of all tiles; reads are 0 and writes are dropped where a tile has no memory. */
async function makeTexture(context: ProgramContext, { gpu, device }: Renderer): Promise<Texture> {
  const { hDevice, hPagingQueue } = device;
  const pool = await makePool(context, hDevice);
  const resident = await context.umd.D3DKMTMakeResident({ hPagingQueue, AllocationList: [pool.hAllocation] });
  const reserved = await context.umd.D3DKMTReserveGpuVirtualAddress({
    hPagingQueue,
    Size: TILES * TILE_BYTES,
    ReservationType: ZERO,
  });
  // The queue works in order: what came last is done last.
  const fence = reserved.PagingFenceValue === 0n ? resident.PagingFenceValue : reserved.PagingFenceValue;
  await waitForPaging(context, { gpu, queue: device, fence });
  const freeSlots = Array.from({ length: SLOTS }, (_, slot) => slot);
  return { base: reserved.VirtualAddress, pool, slots: new Map(), freeSlots };
}

async function makePool({ host, umd }: ProgramContext, hDevice: number): Promise<Pool> {
  const { value: Buffer } = await host.AllocateBuffer({ ByteCount: SLOTS * TILE_BYTES });
  const { pAllocationInfo2: [made] } = await umd.D3DKMTCreateAllocation2({
    hDevice,
    pAllocationInfo2: [{ pSystemMem: Buffer, Size: SLOTS * TILE_BYTES }],
  });
  return { Buffer, hAllocation: made?.hAllocation ?? 0 };
}

/** Queues a wave's update and what is drawn after it; returns when the wave before it was drawn. */
async function runWave(
  context: ProgramContext,
  { renderer, texture, wave }: { readonly renderer: Renderer; readonly texture: Texture; readonly wave: number },
): Promise<void> {
  const { umd, random } = context;
  const { gpu, device: { hDevice }, hContext, hFence } = renderer;
  const [before, updated, drawn] = [BigInt(2 * wave), BigInt(2 * wave + 1), BigInt(2 * wave + 2)];
  const changes = Array.from({ length: 1 + random.below(CHANGES) }, () => change(context, texture));
  await umd.D3DKMTUpdateGpuVirtualAddress({
    hDevice,
    hContext,
    hFenceObject: hFence,
    Operations: changes.flat(),
    FenceValue: before,
  });
  const fence = { hContext, ObjectHandleArray: [hFence] };
  await umd.D3DKMTWaitForSynchronizationObjectFromGpu({ ...fence, FenceValueArray: [updated] });
  await umd.D3DKMTSubmitCommand({ BroadcastContext: [hContext], Accesses: drawing(texture) });
  await umd.D3DKMTSignalSynchronizationObjectFromGpu({ ...fence, FenceValueArray: [drawn] });
  gpu.jobs.send({ hContext, FenceValue: BigInt(wave + 1) });
  // More than 128 queued operations would block an update: two waves at a time stay far below.
  await waitFor(context, renderer, wave);
}

/** Waits until so many waves were drawn. */
async function waitFor(
  { umd }: ProgramContext,
  { device: { hDevice }, hFence }: Renderer,
  waves: number,
): Promise<void> {
  await umd.D3DKMTWaitForSynchronizationObjectFromCpu({
    hDevice,
    ObjectHandleArray: [hFence],
    FenceValueArray: [BigInt(2 * waves)],
  });
}

/** Loads a tile that has no memory; drops or moves one that has. */
function change({ random }: ProgramContext, texture: Texture) {
  const tile = random.below(TILES);
  const slot = texture.slots.get(tile);
  if (slot === undefined) return load(texture, tile);
  const target = random.below(TILES);
  return texture.slots.has(target) ? [drop(texture, tile, slot)] : move(texture, { tile, slot, target });
}

/** Gives a tile a slot of the pool; where none is left, that of the tile that has been there longest. */
function load(texture: Texture, tile: number) {
  const [oldest] = texture.slots;
  const dropped = texture.freeSlots.length > 0 || oldest === undefined ? [] : [drop(texture, ...oldest)];
  const slot = texture.freeSlots.pop() ?? 0;
  texture.slots.set(tile, slot);
  return [...dropped, {
    OperationType: MAP,
    BaseAddress: addressOf(texture, tile),
    SizeInBytes: TILE_BYTES,
    hAllocation: texture.pool.hAllocation,
    AllocationOffsetInBytes: slot * TILE_BYTES,
  }];
}

function drop(texture: Texture, tile: number, slot: number) {
  texture.slots.delete(tile);
  texture.freeSlots.push(slot);
  const BaseAddress = addressOf(texture, tile);
  return { OperationType: UNMAP, BaseAddress, SizeInBytes: TILE_BYTES, Protection: Zero };
}

/** Operations apply in order: the tile is at both places only in between. */
function move(
  texture: Texture,
  { tile, slot, target }: { readonly tile: number; readonly slot: number; readonly target: number },
) {
  const SourceAddress = addressOf(texture, tile);
  const DestAddress = addressOf(texture, target);
  texture.slots.delete(tile);
  texture.slots.set(target, slot);
  return [
    { OperationType: COPY, SourceAddress, DestAddress, SizeInBytes: TILE_BYTES },
    { OperationType: UNMAP, BaseAddress: SourceAddress, SizeInBytes: TILE_BYTES, Protection: Zero },
  ];
}

function addressOf({ base }: Texture, tile: number): bigint {
  return base + BigInt(tile * TILE_BYTES);
}

/** The GPU draws into each tile that has memory, and reads the whole texture. */
function drawing(texture: Texture) {
  const writes = [...texture.slots.keys()].map((tile) => ({
    VirtualAddress: addressOf(texture, tile),
    ByteCount: 8,
    Access: Write,
  }));
  return [...writes, { VirtualAddress: texture.base, ByteCount: TILES * TILE_BYTES, Access: Read }];
}

/** What the GPU writes is the address that it writes to: so each tile's memory says where it was drawn last. */
async function checkTiles({ host }: ProgramContext, texture: Texture): Promise<void> {
  for (const [tile, slot] of texture.slots) {
    const { value } = await host.ReadBuffer({ Buffer: texture.pool.Buffer, Offset: slot * TILE_BYTES, ByteCount: 8 });
    const seen = new DataView(value.buffer, value.byteOffset).getBigUint64(0, true);
    const wanted = addressOf(texture, tile);
    if (seen !== wanted) throw new Error(`Cannot find tile ${tile} in slot ${slot}: it has ${seen}, wanted ${wanted}`);
  }
}

/** All that was drawn is there: the texture goes, then the pool. */
async function dropTexture(
  { umd, host }: ProgramContext,
  { device: { hAdapter, hDevice } }: Renderer,
  { base, pool: { Buffer, hAllocation } }: Texture,
): Promise<void> {
  await umd.D3DKMTFreeGpuVirtualAddress({ hAdapter, BaseAddress: base, Size: TILES * TILE_BYTES });
  await umd.D3DKMTEvict({ hDevice, AllocationList: [hAllocation] });
  await umd.D3DKMTDestroyAllocation2({ hDevice, phAllocationList: [hAllocation] });
  await host.FreeBuffer({ Buffer });
}
