// Acts about adapters, devices, contexts, paging queues and fences: begun, ended in any order, ended twice, asked of the dead.

import { ntSuccess, SYMBOLS } from "../../src/api/mod.ts";
import { askDxg } from "../../src/gpupv/mod.ts";
import type { Doing, Hand } from "./gpu_pv_hand.ts";

const MONITORED_FENCE = 5;
const LUIDS = [1n, 1n, 1n, 1n, 2n];
const ROOMS = [0, 1, 1, 2, 64, 65];
const { EXECUTION, PAGE_FAULT } = SYMBOLS.deviceStateType;

/** The guest's own adapter is asked for again under other handles; closing one of these leaves it open. */
async function openAdapter(hand: Hand): Promise<void> {
  const fields = { AdapterLuid: hand.random.pick(LUIDS) };
  const { status, out } = await askDxg(hand.thread, "OpenAdapterFromLuid", { fields });
  const hAdapter = out["hAdapter"];
  if (ntSuccess(status) && typeof hAdapter === "number") hand.made({ kind: "adapter", handle: hAdapter });
}

async function enumAdapters(hand: Hand): Promise<void> {
  const { status, pAdapters } = await hand.dxg.enumAdapters(hand.random.pick(ROOMS));
  if (!ntSuccess(status)) return;
  for (const { hAdapter } of pAdapters) hand.made({ kind: "adapter", handle: hAdapter });
}

async function closeAdapter(hand: Hand): Promise<void> {
  const adapter = hand.name("adapter");
  if (adapter === null) return;
  if (adapter.made !== null) hand.desk.end(adapter.made);
  await askDxg(hand.thread, "CloseAdapter", { fields: { handle: adapter.handle } });
}

async function createDevice(hand: Hand): Promise<void> {
  const adapter = hand.name("adapter");
  if (adapter === null) return;
  const { status, hDevice } = await hand.dxg.createDevice({ hAdapter: adapter.handle });
  if (ntSuccess(status)) hand.made({ kind: "device", handle: hDevice, of: adapter.made });
}

async function destroyDevice(hand: Hand): Promise<void> {
  const device = hand.name("device");
  if (device === null) return;
  if (device.made !== null) hand.desk.end(device.made);
  await hand.dxg.destroyDevice({ hDevice: device.handle });
}

async function deviceState(hand: Hand): Promise<void> {
  const device = hand.name("device");
  if (device === null) return;
  const StateType = hand.isCareless() ? 9 : hand.random.pick([EXECUTION, PAGE_FAULT]);
  await hand.dxg.deviceState({ hDevice: device.handle, StateType });
}

async function createContext(hand: Hand): Promise<void> {
  const device = hand.name("device");
  if (device === null) return;
  const EngineAffinity = hand.isCareless() ? 8 : 0;
  const { status, hContext } = await hand.dxg.createContext({ hDevice: device.handle, EngineAffinity });
  if (ntSuccess(status)) hand.made({ kind: "context", handle: hContext, of: device.made });
}

async function destroyContext(hand: Hand): Promise<void> {
  const context = hand.name("context");
  if (context === null) return;
  if (context.made !== null) hand.desk.end(context.made);
  await hand.dxg.destroyContext({ hContext: context.handle });
}

async function createQueue(hand: Hand): Promise<void> {
  const device = hand.name("device");
  if (device === null) return;
  const PhysicalAdapterIndex = hand.isCareless() ? 7 : 0;
  const { status, hPagingQueue, hSyncObject } = await hand.dxg.createPagingQueue({
    hDevice: device.handle,
    PhysicalAdapterIndex,
  });
  if (!ntSuccess(status)) return;
  const queue = hand.made({ kind: "queue", handle: hPagingQueue, of: device.made });
  hand.made({ kind: "fence", handle: hSyncObject, of: device.made, resource: queue, isOther: true });
}

async function destroyQueue(hand: Hand): Promise<void> {
  const queue = hand.name("queue");
  if (queue === null) return;
  if (queue.made !== null) hand.desk.end(queue.made);
  await hand.dxg.destroyPagingQueue({ hPagingQueue: queue.handle });
}

async function createFence(hand: Hand): Promise<void> {
  const device = hand.name("device");
  if (device === null) return;
  const { status, hSyncObject } = await hand.dxg.createSyncObject({
    hDevice: device.handle,
    Type: hand.isCareless() ? 1 : MONITORED_FENCE,
    Flags: hand.random.pick([0, 0, 0, 0x40, 0x10, 0x20]),
  });
  if (ntSuccess(status)) hand.made({ kind: "fence", handle: hSyncObject, of: device.made });
}

/** A paging queue's fence, too: that is the queue's alone to end. */
async function destroyFence(hand: Hand): Promise<void> {
  const fence = hand.name("fence");
  if (fence === null || (fence.made?.isOther === true && !hand.isCareless())) return;
  if (fence.made !== null) hand.desk.end(fence.made);
  await hand.dxg.destroySyncObject({ hSyncObject: fence.handle });
}

/** Acts by form. */
export const OBJECT_ACTS: Readonly<Record<string, Doing>> = {
  openAdapter,
  enumAdapters,
  closeAdapter,
  createDevice,
  destroyDevice,
  deviceState,
  createContext,
  destroyContext,
  createQueue,
  destroyQueue,
  createFence,
  destroyFence,
};
