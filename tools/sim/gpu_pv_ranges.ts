// Acts about GPU virtual addresses, and what the GPU does with them: work of paging queues and contexts done, memory touched.

import { ntSuccess, SYMBOLS } from "../../src/api/mod.ts";
import type { Made } from "./gpu_pv_desk.ts";
import { type Doing, type Hand, PAGE } from "./gpu_pv_hand.ts";

const { Write, Execute, Zero, NoAccess } = SYMBOLS.protection;
const { MAP, UNMAP, COPY } = SYMBOLS.updateOperation;
const ZERO_RANGE = SYMBOLS.reservationType.ZERO;
const UNIT_PAGES = 16;
const OFF = [0n, 1n, 0x800n, 1n << 48n];

async function map(hand: Hand): Promise<void> {
  const { random, dxg } = hand;
  const queue = hand.name("queue");
  const allocation = random.below(5) === 0 ? null : hand.name("allocation", queue?.made?.of);
  if (queue === null) return;
  const total = allocation?.made?.pages ?? 4;
  const offset = random.below(total);
  const pages = 1 + random.below(total - offset);
  const over = random.below(3) === 0 ? hand.desk.pick(hand.act, "range") : undefined;
  const { status, VirtualAddress, PagingFenceValue } = await dxg.mapGpuVirtualAddress({
    hPagingQueue: queue.handle,
    BaseAddress: hand.isCareless() ? random.pick(OFF) : over?.value ?? 0n,
    hAllocation: allocation?.handle ?? 0,
    OffsetInPages: hand.isCareless() ? 99 : allocation === null ? 0 : offset,
    SizeInPages: Math.min(pages, over?.pages ?? pages),
    Protection: allocation === null ? random.pick([Zero, NoAccess]) : random.pick([0n, Write, Write | Execute]),
    Reserved0: hand.isCareless() ? 1 : 0,
  });
  if (!ntSuccess(status)) return;
  if (queue.made !== null) queue.made.value = PagingFenceValue;
  if (over === undefined) range(hand, { value: VirtualAddress, pages, of: allocation?.made ?? null });
}

function range(hand: Hand, fields: Pick<Made, "value" | "pages" | "of"> & { readonly isOther?: boolean }): void {
  if (fields.value !== 0n) hand.made({ kind: "range", handle: 0, ...fields });
}

/** Through a paging queue, or through an adapter. */
async function reserve(hand: Hand): Promise<void> {
  const { random, dxg } = hand;
  const queue = random.below(2) === 0 ? hand.name("queue") : null;
  const adapter = queue === null ? hand.name("adapter") : null;
  if (queue === null && adapter === null) return;
  const pages = UNIT_PAGES * (1 + random.below(2));
  const { status, VirtualAddress } = await dxg.reserveGpuVirtualAddress({
    ...queue === null ? { hAdapter: adapter?.handle ?? 0 } : { hPagingQueue: queue.handle },
    Size: hand.isCareless() ? random.pick(OFF) : BigInt(pages * PAGE),
    ReservationType: random.pick([ZERO_RANGE, ZERO_RANGE, 0]),
  });
  if (ntSuccess(status)) range(hand, { value: VirtualAddress, pages, of: null, isOther: true });
}

/** All of a range, seldom a part or more than it. */
async function free(hand: Hand): Promise<void> {
  const { random, dxg, desk } = hand;
  const found = desk.pick(hand.act, "range") ?? (hand.isCareless() ? desk.ended(hand.act, "range") : undefined);
  if (found === undefined) hand.missing = "range";
  const adapter = hand.name("adapter");
  if (found === undefined || adapter === null) return;
  desk.end(found);
  const pages = found.pages + (hand.isCareless() ? random.pick([-1, 1, 8]) : 0);
  await dxg.freeGpuVirtualAddress({
    hAdapter: adapter.handle,
    BaseAddress: found.value,
    Size: BigInt(pages * PAGE),
  });
}

async function update(hand: Hand): Promise<void> {
  const { random, dxg, desk, act } = hand;
  const context = hand.name("context");
  const device = context?.made?.of ?? null;
  const fence = hand.name("fence", device);
  const target = desk.live("range").find(({ isOther }) => isOther);
  if (target === undefined) hand.missing = "range";
  if (context === null || fence === null || target === undefined) return;
  const allocation = hand.name("allocation", device);
  const count = hand.isCareless() ? random.pick([0, 2047, 2048, 2049]) : 1 + random.below(3);
  const { status } = await dxg.updateGpuVirtualAddress({
    hDevice: device?.handle ?? desk.pick(act, "device")?.handle ?? 0,
    hContext: context.handle,
    hFenceObject: fence.handle,
    Operations: Array.from({ length: count }, () => ({
      OperationType: random.pick(allocation === null ? [UNMAP, COPY] : [MAP, UNMAP, COPY]),
      BaseAddress: target.value + BigInt(random.below(UNIT_PAGES) * PAGE),
      SizeInBytes: PAGE,
      hAllocation: allocation?.handle ?? 0,
      Protection: 0n,
      SourceAddress: target.value,
      DestAddress: target.value + BigInt(4 * PAGE),
    })),
    FenceValue: fence.made?.value ?? 0n,
    Flags: random.pick([0, 1]),
  });
  if (ntSuccess(status) && fence.made !== null) fence.made.value += 1n;
}

function place({ random, desk, act }: Hand): bigint {
  const found = desk.pick(act, "range");
  return found === undefined ? 0x10000n : found.value + BigInt(random.below(found.pages) * PAGE);
}

async function submit(hand: Hand): Promise<void> {
  const { random, dxg } = hand;
  const context = hand.name("context");
  if (context === null) return;
  const accesses = Array.from({ length: random.below(3) }, () => ({
    VirtualAddress: place(hand),
    ByteCount: random.pick([16, PAGE]),
    Access: random.below(2),
  }));
  const { status } = await dxg.submitCommand({
    BroadcastContext: hand.isCareless() ? [] : [context.handle],
    Commands: accesses.length === 0 ? 0n : place(hand),
    CommandLength: 0,
    Accesses: accesses,
  });
  if (ntSuccess(status) && context.made !== null) context.made.value += 1n;
}

async function access(hand: Hand): Promise<void> {
  const context = hand.desk.pick(hand.act, "context");
  if (context === undefined || hand.random.below(3) > 0) return;
  await hand.thread.gpu.GpuAccess({
    hContext: context.handle,
    VirtualAddress: place(hand),
    ByteCount: hand.random.pick([16, PAGE]),
    Access: hand.random.below(2),
  });
}

async function completePaging(hand: Hand): Promise<void> {
  const queue = hand.desk.pick(hand.act, "queue");
  if (queue === undefined) return;
  await hand.thread.gpu.CompletePaging({ hPagingQueue: queue.handle, FenceValue: queue.value });
}

async function completeWork(hand: Hand): Promise<void> {
  const context = hand.desk.pick(hand.act, "context");
  if (context === undefined) return;
  await hand.thread.gpu.CompleteGpuWork({ hContext: context.handle, FenceValue: context.value });
}

/** Acts by form. */
export const RANGE_ACTS: Readonly<Record<string, Doing>> = {
  map,
  reserve,
  free,
  update,
  submit,
  access,
  completePaging,
  completeWork,
};
