// Paging queues and monitored fences: create, wait, signal, and the GPU's side of them. Rules: gpuva.md 1.5, 2.3, 2.5.
// It must not know what a paging operation does to pages.

import { type Behaviour, blocked, done, fail, refuse, type Reply, type Scope, success } from "./behaviour.ts";
import { runPaging, spaceOfDevice } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";

/** D3DDDI_SYNCHRONIZATIONOBJECT_TYPE of a monitored fence, the only one modelled. */
export const MONITORED_FENCE = 5;
/** D3DDDI_SYNCHRONIZATIONOBJECT_FLAGS that the model knows the meaning of (gpuva.md 2.5). */
export const SYNC_FLAGS = { Shared: 0x1, NtSecuritySharing: 0x2, NoSignal: 0x10, NoWait: 0x20 } as const;

const KNOWN_SYNC_FLAGS = 0xff;
const LAST_SYNC_TYPE = 6;
/** Where a process sees the values of its paging fences, read-only: a made-up address, never followed. */
const FENCE_VALUE_BASE = 0x7ff0_0000_0000n;

/** Refusals in order: priority not -1 to 1; no such physical GPU. The fence is the queue's: nobody else may signal it. */
function createQueue(scope: Scope, device: EngineObject<"device">, priority: number, physicalAdapter: number): Reply {
  const { space } = spaceOfDevice(scope.world, device);
  if (Math.abs(priority) > 1 || physicalAdapter >= space.physicalAdapters) return fail("STATUS_INVALID_PARAMETER");
  const queue = scope.create("pagingQueue", {
    device: device.number,
    physicalAdapter,
    priority,
    syncObject: 0,
    lastFence: 0n,
    completedFence: 0n,
    isEnding: false,
  }, device);
  const fence = { device: device.number, pagingQueue: queue.number, flags: SYNC_FLAGS.NoSignal, value: 0n };
  const syncObject = scope.create("syncObject", fence, queue);
  queue.data.syncObject = syncObject.number;
  return success(queue.ref, syncObject.ref, FENCE_VALUE_BASE + BigInt(queue.number) * 8n);
}

/** Waits for all that is queued; meanwhile the queue takes no more, a second destroy neither. */
function destroyQueue(scope: Scope, queue: EngineObject<"pagingQueue">): Reply {
  if (!scope.retry && queue.data.isEnding) return fail("STATUS_INVALID_PARAMETER");
  if (!queue.alive || queue.data.completedFence >= queue.data.lastFence) return success();
  queue.data.isEnding = true;
  return blocked();
}

/** Refusals in order: no such type; flags that are none, or shared without NT security; types that are not modelled. */
function createSyncObject(
  scope: Scope,
  device: EngineObject<"device">,
  type: number,
  flags: number,
  initialValue: bigint,
): Reply {
  if (type === 0 || type > LAST_SYNC_TYPE || (flags & ~KNOWN_SYNC_FLAGS) !== 0) return fail("STATUS_INVALID_PARAMETER");
  const sharing = flags & (SYNC_FLAGS.Shared | SYNC_FLAGS.NtSecuritySharing);
  if (type === MONITORED_FENCE && sharing === SYNC_FLAGS.Shared) return fail("STATUS_INVALID_PARAMETER");
  if (type !== MONITORED_FENCE) return fail("STATUS_NOT_SUPPORTED");
  const data = { device: device.number, pagingQueue: 0, flags, value: initialValue };
  return success(scope.create("syncObject", data, device).ref);
}

type SyncObjects = readonly (EngineObject<"syncObject"> | null)[];

/**
 * Refusals in order: no objects, or as many values; an object that must not be waited for.
 * A wait that nobody can meet any more, because its object ended, fails.
 */
function waitFromCpu(
  scope: Scope,
  _device: EngineObject<"device">,
  objects: SyncObjects,
  values: readonly bigint[],
  waitAny: boolean,
): Reply {
  const trouble = scope.retry ? null : listTrouble(objects, values, SYNC_FLAGS.NoWait);
  if (trouble !== null) return trouble;
  const isMet = (object: EngineObject<"syncObject"> | null, index: number) =>
    object !== null && object.alive && object.data.value >= (values[index] ?? 0n);
  if (waitAny ? objects.some(isMet) : objects.every(isMet)) return success();
  const isLive = (object: EngineObject<"syncObject"> | null) => object !== null && object.alive;
  const canBeMet = waitAny ? objects.some(isLive) : objects.every(isLive);
  return canBeMet ? blocked() : fail("STATUS_INVALID_PARAMETER");
}

/** Fences are set to their values, lower ones too. Refusals as for a wait. */
function signalFromCpu(
  _scope: Scope,
  _device: EngineObject<"device">,
  objects: SyncObjects,
  values: readonly bigint[],
): Reply {
  const trouble = listTrouble(objects, values, SYNC_FLAGS.NoSignal);
  if (trouble !== null) return trouble;
  for (const [index, object] of objects.entries()) if (object !== null) object.data.value = values[index] ?? 0n;
  return success();
}

/** Noted on the context: work that comes after it waits. Refusals as for a wait of the CPU. */
function waitFromGpu(
  _scope: Scope,
  context: EngineObject<"context">,
  objects: SyncObjects,
  values: readonly bigint[],
): Reply {
  const trouble = listTrouble(objects, values, SYNC_FLAGS.NoWait);
  if (trouble !== null) return trouble;
  const { waits } = context.data;
  for (const [index, object] of objects.entries()) {
    if (object === null) continue;
    const value = values[index] ?? 0n;
    const awaited = waits.get(object.number);
    if (awaited === undefined || awaited < value) waits.set(object.number, value);
  }
  return success();
}

function listTrouble(objects: SyncObjects, values: readonly bigint[], forbidden: number): Reply | null {
  if (objects.length === 0 || objects.length !== values.length) return fail("STATUS_INVALID_PARAMETER");
  const isForbidden = objects.some((object) => object !== null && (object.data.flags & forbidden) !== 0);
  return isForbidden ? fail("STATUS_ACCESS_DENIED") : null;
}

/** A fence value above the newest operation's runs all there is. */
function completePaging({ world }: Scope, queue: EngineObject<"pagingQueue">, fenceValue: bigint): Reply {
  runPaging(world, queue, fenceValue);
  return done();
}

function signalFence(_scope: Scope, object: EngineObject<"syncObject">, value: bigint): Reply {
  if (object.data.pagingQueue !== 0) {
    return refuse(`syncObject#${object.number} is signalled by pagingQueue#${object.data.pagingQueue} alone`);
  }
  object.data.value = value;
  return done();
}

/** Behaviours of paging queues and fences. */
export const PAGING_BEHAVIOURS = {
  D3DKMTCreatePagingQueue: createQueue,
  D3DKMTDestroyPagingQueue: destroyQueue,
  D3DKMTCreateSynchronizationObject2: createSyncObject,
  D3DKMTWaitForSynchronizationObjectFromCpu: waitFromCpu,
  D3DKMTSignalSynchronizationObjectFromCpu: signalFromCpu,
  D3DKMTWaitForSynchronizationObjectFromGpu: waitFromGpu,
  CompletePaging: completePaging,
  SignalFence: signalFence,
} as const satisfies Readonly<Record<string, Behaviour>>;
