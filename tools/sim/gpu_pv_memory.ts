// Acts about memory: buffers of the program, allocations over them or over the host's memory, locks and residency.

import { ntSuccess, SYMBOLS } from "../../src/api/mod.ts";
import type { Made } from "./gpu_pv_desk.ts";
import { type Doing, type Hand, type Named, PAGE } from "./gpu_pv_hand.ts";

const FLAGS = SYMBOLS.allocationFlags;
const DESTROY = SYMBOLS.destroyFlags;
const CREATE_FLAGS = [0, 0, 0, FLAGS.CreateResource, FLAGS.CreateResource, FLAGS.ReadOnly];
const WRONG_CREATE_FLAGS = [
  FLAGS.CreateShared,
  FLAGS.CreateProtected,
  FLAGS.ExistingSysMem,
  FLAGS.StandardAllocation,
  FLAGS.CreateShared | FLAGS.CreateResource | FLAGS.NtSecuritySharing,
  0x4000_0000,
];
const MOST_PAGES = 12;
/** As many pages that message 66 has to go twice for them. */
const MANY_PAGES = 15_900;

async function allocateBuffer(hand: Hand, pages = 1 + hand.random.below(MOST_PAGES)): Promise<Made> {
  const { value } = await hand.thread.guest.AllocateBuffer({ ByteCount: pages * PAGE });
  return hand.made({ kind: "buffer", handle: value, pages });
}

/** A program frees memory that nothing uses, or that something does. */
async function freeBuffer(hand: Hand): Promise<void> {
  const buffer = hand.desk.pick(hand.act, "buffer");
  if (buffer === undefined) return;
  const isUsed = hand.desk.live("allocation").some((allocation) => allocation.buffer === buffer);
  if (isUsed && !hand.isCareless()) return;
  hand.desk.end(buffer);
  await hand.thread.guest.FreeBuffer({ Buffer: buffer.handle });
}

async function writeBuffer(hand: Hand): Promise<void> {
  const buffer = hand.desk.pick(hand.act, "buffer");
  if (buffer === undefined) return;
  const Data = Uint8Array.from({ length: 16 }, (_, index) => hand.act.place + index & 0xff);
  await hand.thread.guest.WriteBuffer({ Buffer: buffer.handle, Offset: hand.random.below(buffer.pages) * PAGE, Data });
}

/** One allocation to ask for, and the buffer that it is over. */
interface Wanted {
  readonly buffer: Made | null;
  readonly pages: number;
  readonly bytes: number;
}

/** Over a buffer that is there or a new one, mostly all of it; or over the host's memory. */
async function wanted(hand: Hand, isOverMemory: boolean): Promise<Wanted> {
  const { random, desk, act } = hand;
  if (!isOverMemory) {
    const pages = 1 + random.below(MOST_PAGES);
    return { buffer: null, pages, bytes: pages * PAGE };
  }
  const known = random.below(3) === 0 ? desk.pick(act, "buffer") : undefined;
  const isMany = known === undefined && random.below(300) === 0;
  const buffer = known ?? await allocateBuffer(hand, isMany ? MANY_PAGES : undefined);
  const pages = random.below(3) === 0 ? 1 + random.below(buffer.pages) : buffer.pages;
  const off = hand.isCareless() ? random.pick([-pages * PAGE, -100, 100, PAGE]) : 0;
  return { buffer, pages, bytes: Math.max(0, pages * PAGE + off) };
}

async function createAllocation(hand: Hand): Promise<void> {
  const { random, dxg, desk, act } = hand;
  const device = hand.name("device");
  if (device === null) return;
  const isOverMemory = random.below(4) > 0;
  const count = random.pick([1, 1, 1, 2, 3]);
  const infos: Wanted[] = [];
  for (let index = 0; index < count; index += 1) {
    infos.push(await wanted(hand, hand.isCareless() ? !isOverMemory : isOverMemory));
  }
  const resource = random.below(4) === 0 ? desk.pick(act, "resource", device.made) : undefined;
  const flags = resource === undefined ? random.pick(CREATE_FLAGS) : 0;
  const made = await dxg.createAllocation({
    hDevice: device.handle,
    hResource: resource?.handle ?? 0,
    pAllocationInfo2: infos.map(({ buffer, bytes }) => ({ pSystemMem: buffer?.handle ?? null, Size: bytes })),
    Flags: hand.isCareless() ? random.pick(WRONG_CREATE_FLAGS) : flags,
  });
  if (!ntSuccess(made.status)) return;
  const hResource = made.hResource ?? 0;
  const own = hResource === 0 ? null : resource ?? hand.made({ kind: "resource", handle: hResource, of: device.made });
  for (const [index, { buffer, bytes }] of infos.entries()) {
    const handle = made.pAllocationInfo2[index]?.hAllocation ?? 0;
    const pages = Math.ceil(bytes / PAGE);
    hand.made({ kind: "allocation", handle, of: device.made, resource: own, pages, buffer });
  }
}

/** A list of allocations, or a resource; seldom both or neither. */
async function destroyAllocation(hand: Hand): Promise<void> {
  const { random, dxg, desk } = hand;
  const resource = random.below(3) === 0 ? hand.name("resource") : null;
  const list = resource === null || hand.isCareless() ? hand.names("allocation") : [];
  if (resource === null && list.length === 0) return;
  const device = deviceFor(hand, resource ?? list[0] ?? null);
  for (const { made } of [...list, ...resource === null ? [] : [resource]]) if (made !== null) desk.end(made);
  await dxg.destroyAllocation({
    hDevice: device,
    hResource: resource?.handle ?? 0,
    phAllocationList: list.map(({ handle }) => handle),
    Flags: random.pick([0, 0, 0, DESTROY.AssumeNotInUse, DESTROY.SynchronousDestroy]),
  });
}

/** The device of a thing, seldom another one. */
function deviceFor(hand: Hand, thing: Named | null): number {
  const own = thing?.made?.of ?? hand.desk.pick(hand.act, "device");
  return hand.isCareless() ? hand.name("device")?.handle ?? 0 : own?.handle ?? 0;
}

async function lock(hand: Hand): Promise<void> {
  const allocation = hand.name("allocation");
  if (allocation === null) return;
  await hand.dxg.lock({ hDevice: deviceFor(hand, allocation), hAllocation: allocation.handle });
}

async function unlock(hand: Hand): Promise<void> {
  const allocation = hand.name("allocation");
  if (allocation === null) return;
  await hand.dxg.unlock({ hDevice: deviceFor(hand, allocation), hAllocation: allocation.handle });
}

async function makeResident(hand: Hand): Promise<void> {
  const queue = hand.name("queue");
  const list = hand.names("allocation", queue?.made?.of);
  if (queue === null || list.length === 0) return;
  const AllocationList = hand.isCareless() ? [] : list.map(({ handle }) => handle);
  const { status, PagingFenceValue } = await hand.dxg.makeResident({ hPagingQueue: queue.handle, AllocationList });
  if (ntSuccess(status) && queue.made !== null) queue.made.value = PagingFenceValue;
}

async function evict(hand: Hand): Promise<void> {
  const list = hand.names("allocation");
  if (list.length === 0) return;
  const AllocationList = hand.isCareless() ? [] : list.map(({ handle }) => handle);
  await hand.dxg.evict({ hDevice: deviceFor(hand, list[0] ?? null), AllocationList });
}

/** Acts by form. */
export const MEMORY_ACTS: Readonly<Record<string, Doing>> = {
  allocateBuffer: async (hand) => void await allocateBuffer(hand),
  freeBuffer,
  writeBuffer,
  createAllocation,
  destroyAllocation,
  lock,
  unlock,
  makeResident,
  evict,
};
