// Acts of a simulated program of a guest: D3DKMT calls through its graphics kernel, right ones and wrong ones.

import { ntSuccess } from "../../src/api/mod.ts";
import { type ProgramContext, Random, type Thread } from "../../src/driver/mod.ts";
import type { GuestAdapter, OpenGuestAdapter } from "../../src/gpupv/mod.ts";
import type { Act, Rates } from "./gpu_pv_act.ts";
import type { Desk, Made } from "./gpu_pv_desk.ts";

const PAGE = 4096;
const WRITE = 1;

/** What an act has to work with. */
export interface Hand {
  readonly act: Act;
  readonly random: Random;
  readonly thread: Thread;
  readonly context: ProgramContext;
  readonly dxg: GuestAdapter;
  readonly guest: OpenGuestAdapter;
  readonly desk: Desk;
}

type Doing = (hand: Hand) => Promise<void>;

async function createDevice({ act, dxg, desk }: Hand): Promise<void> {
  const { status, hDevice } = await dxg.createDevice();
  if (ntSuccess(status)) desk.add({ kind: "device", handle: hDevice, place: act.place });
}

async function destroyDevice({ act, dxg, desk }: Hand): Promise<void> {
  const device = desk.pick(act, "device");
  if (device === undefined) return;
  desk.end(device);
  await dxg.destroyDevice({ hDevice: device.handle });
}

async function createQueue({ act, dxg, desk }: Hand): Promise<void> {
  const device = desk.pick(act, "device");
  if (device === undefined) return;
  const { status, hPagingQueue } = await dxg.createPagingQueue({ hDevice: device.handle });
  if (ntSuccess(status)) desk.add({ kind: "queue", handle: hPagingQueue, place: act.place, of: device });
}

async function createAllocation(hand: Hand): Promise<void> {
  const { act, random, dxg, desk, thread } = hand;
  const device = desk.pick(act, "device");
  if (device === undefined) return;
  const pages = 1 + random.below(12);
  const { value } = await thread.guest.AllocateBuffer({ ByteCount: pages * PAGE });
  const buffer = desk.add({ kind: "buffer", handle: value, place: act.place, pages });
  const pAllocationInfo2 = [{ pSystemMem: value, Size: pages * PAGE }];
  const made = await dxg.createAllocation({ hDevice: device.handle, pAllocationInfo2 });
  const handle = made.pAllocationInfo2[0]?.hAllocation ?? 0;
  if (ntSuccess(made.status)) desk.add({ kind: "allocation", handle, place: act.place, of: device, pages, buffer });
}

async function destroyAllocation({ act, dxg, desk }: Hand): Promise<void> {
  const allocation = desk.pick(act, "allocation");
  if (allocation?.of === undefined || allocation.of === null) return;
  desk.end(allocation);
  await dxg.destroyAllocation({ hDevice: allocation.of.handle, phAllocationList: [allocation.handle] });
}

async function map({ act, random, dxg, desk }: Hand): Promise<void> {
  const queue = desk.pick(act, "queue");
  const allocation = desk.pick(act, "allocation", queue?.of ?? undefined);
  if (queue === undefined || allocation === undefined) return;
  const pages = 1 + random.below(allocation.pages);
  const { status, VirtualAddress } = await dxg.mapGpuVirtualAddress({
    hPagingQueue: queue.handle,
    hAllocation: allocation.handle,
    SizeInPages: pages,
    Protection: WRITE,
  });
  if (!ntSuccess(status)) return;
  desk.add({ kind: "range", handle: 0, place: act.place, of: allocation, pages, address: VirtualAddress });
}

async function free({ act, dxg, desk }: Hand): Promise<void> {
  const range = desk.pick(act, "range");
  if (range === undefined) return;
  desk.end(range);
  await dxg.freeGpuVirtualAddress({ BaseAddress: range.address, Size: range.pages * PAGE });
}

/** What acts do, by their form. */
export const ACTS: Readonly<Record<string, Doing>> = {
  createDevice,
  destroyDevice,
  createQueue,
  createAllocation,
  destroyAllocation,
  map,
  free,
};

/** How often they are done. */
export const RATES: Rates = {
  createDevice: 1,
  destroyDevice: 0.2,
  createQueue: 1,
  createAllocation: 3,
  destroyAllocation: 2,
  map: 3,
  free: 1,
};

/** What no seed is without. */
export const ALWAYS: ReadonlySet<string> = new Set(["createDevice", "createAllocation"]);

/** Does an act. */
export async function perform(hand: Hand): Promise<void> {
  await ACTS[hand.act.form]?.(hand);
}

/** Objects that are the program's and end with their device. */
export type { Made };
