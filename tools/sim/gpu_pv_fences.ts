// Acts about fences: waits and signals of the CPU and of the GPU. A wait of the CPU has a thread of its own: it may last.

import type { Doing, Hand, Named } from "./gpu_pv_hand.ts";

interface Fences {
  readonly ObjectHandleArray: readonly number[];
  readonly FenceValueArray: readonly bigint[];
}

/** Fences with values a little above what they were given; null: there are none. */
function fences(hand: Hand, device: Named["made"], isWait: boolean): Fences | null {
  const found = hand.names("fence", device).filter(({ made }) => isWait || made?.isOther !== true);
  if (found.length === 0) return null;
  return {
    ObjectHandleArray: found.map(({ handle }) => handle),
    FenceValueArray: found.map(({ made }) => valueOf(made) + (made?.isOther ? 0n : BigInt(hand.random.below(3)))),
  };
}

/** Nobody but its queue reaches a paging fence's values, so none beyond these is waited for. */
function valueOf(fence: Named["made"]): bigint {
  return (fence?.isOther === true ? fence.resource?.value : fence?.value) ?? 0n;
}

function waitFromCpu(hand: Hand): void {
  const device = hand.name("device");
  const list = device === null ? null : fences(hand, device.made, true);
  if (device === null || list === null) return;
  const { context, guest, beside } = hand.table;
  const WaitAny = hand.random.below(2) === 0;
  const FenceValueArray = hand.isCareless() ? [] : list.FenceValueArray;
  const arrays = FenceValueArray.length === 0 ? { ObjectHandleArray: [], FenceValueArray } : list;
  beside.push(context.spawn(`waiter ${hand.act.place}`, async (thread) => {
    await guest.on(thread).waitFromCpu({ hDevice: device.handle, ...arrays, WaitAny });
  }));
}

async function signalFromCpu(hand: Hand): Promise<void> {
  const device = hand.name("device");
  const list = device === null ? null : fences(hand, device.made, false);
  if (device === null || list === null) return;
  await hand.dxg.signalFromCpu({ hDevice: device.handle, ...list });
}

async function waitFromGpu(hand: Hand): Promise<void> {
  const context = hand.name("context");
  const list = context === null ? null : fences(hand, context.made?.of ?? null, true);
  if (context === null || list === null) return;
  await hand.dxg.waitFromGpu({ hContext: context.handle, ...list });
}

async function signalFromGpu(hand: Hand): Promise<void> {
  const context = hand.name("context");
  const list = context === null ? null : fences(hand, context.made?.of ?? null, false);
  if (context === null || list === null) return;
  await hand.dxg.signalFromGpu({ hContext: context.handle, ...list });
}

async function signalFence(hand: Hand): Promise<void> {
  const fence = hand.desk.live("fence").find(({ isOther }) => !isOther);
  if (fence === undefined) return;
  fence.value += BigInt(hand.random.below(3));
  await hand.thread.gpu.SignalFence({ hSyncObject: fence.handle, Value: fence.value });
}

/** Acts by form. */
export const FENCE_ACTS: Readonly<Record<string, Doing>> = {
  waitFromCpu,
  signalFromCpu,
  waitFromGpu,
  signalFromGpu,
  signalFence,
};
