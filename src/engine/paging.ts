// Paging queues: create, destroy, and the GPU's side of them. Rules: gpuva.md 1.5, 2.3. Their fences are sync objects.
// It must not know what a paging operation does to pages.

import { STATUS, SYMBOLS } from "../api/mod.ts";
import type { When } from "./address_space.ts";
import { answer, type Behaviour, blocked, done, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { spaceOfDevice } from "./gpu_process.ts";
import { inServiceOrder, runPaging } from "./gpu_teardown.ts";
import type { EngineObject } from "./objects.ts";
import { SYNC_FLAGS } from "./sync_object.ts";

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
    pageIns: [],
  }, device);
  const fence = { device: device.number, pagingQueue: queue.number, flags: SYNC_FLAGS.NoSignal, value: 0n };
  const syncObject = scope.create("syncObject", fence, queue);
  queue.data.syncObject = syncObject.number;
  return success(queue.ref, syncObject.ref, FENCE_VALUE_BASE + BigInt(queue.number) * 8n);
}

/** Takes a queue's next fence value for an operation, or none where paging is immediate: it is done already. */
export function issuePaging({ world }: Scope, queue: EngineObject<"pagingQueue">): When {
  if (world.options.paging === "immediate") return null;
  queue.data.lastFence += 1n;
  return { queue: queue.number, fence: queue.data.lastFence };
}

/** Waits for all that is queued; meanwhile the queue takes no more, a second destroy neither. */
function destroyQueue(scope: Scope, queue: EngineObject<"pagingQueue">): Reply {
  if (!scope.retry && queue.data.isEnding) return fail("STATUS_INVALID_PARAMETER");
  if (!queue.alive || queue.data.completedFence >= queue.data.lastFence) return success();
  queue.data.isEnding = true;
  return blocked();
}

/** Where an allocation may live is the memory manager's: the queue orders the change, and nothing here depends on it. */
function updateProperty(
  scope: Scope,
  queue: EngineObject<"pagingQueue">,
  allocation: EngineObject<"allocation">,
  _supportedSegments: number,
  _preferredSegment: number,
  flags: number,
): Reply {
  if (queue.data.isEnding || allocation.data.device !== queue.data.device) return fail("STATUS_INVALID_PARAMETER");
  if ((flags & ~SYMBOLS.propertyFlags.AccessedPhysically) !== 0) return fail("STATUS_INVALID_PARAMETER");
  const when = issuePaging(scope, queue);
  return answer(when === null ? STATUS.STATUS_SUCCESS : STATUS.STATUS_PENDING, when?.fence ?? 0n);
}

/** A fence value above the newest operation's runs all there is; queues of higher priority first, where the option says so. */
function completePaging({ world }: Scope, queue: EngineObject<"pagingQueue">, fenceValue: bigint): Reply {
  const { device, priority } = queue.data;
  if (world.options["paging-priority"] === "highest-first") {
    const above = [...world.all("pagingQueue")].filter(({ data }) =>
      data.device === device && data.priority > priority
    );
    for (const each of inServiceOrder(above)) runPaging(world, each, each.data.lastFence);
  }
  runPaging(world, queue, fenceValue);
  return done();
}

/** Behaviours of paging queues. */
export const PAGING_BEHAVIOURS = {
  D3DKMTCreatePagingQueue: createQueue,
  D3DKMTDestroyPagingQueue: destroyQueue,
  D3DKMTUpdateAllocationProperty: updateProperty,
  CompletePaging: completePaging,
} as const satisfies Readonly<Record<string, Behaviour>>;
