// Residency: allocations are made resident, evicted, offered and reclaimed. Rules: gpuva.md 2.3.
// It must not know what the GPU does to memory.

import { hasSucceeded, PAGE_BYTES, STATUS, SYMBOLS } from "../api/mod.ts";
import { answer, type Behaviour, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { deviceTrouble, failDevice, OUT_OF_MEMORY } from "./device_error.ts";
import { isGuest, MAX_GUEST_LIST } from "./guest_answers.ts";
import { oldestWork } from "./gpu_work.ts";
import type { EngineObject } from "./objects.ts";
import { issuePaging } from "./paging.ts";
import { bytesOf, heldBytes, type Limit, limitBytes, sharers, trimLingering } from "./residency_state.ts";
import type { World } from "./world.ts";

const { CantTrimFurther, MustSucceed } = SYMBOLS.makeResidentFlags;
const { EvictOnlyIfNecessary, NotWrittenTo } = SYMBOLS.evictFlags;
const { OK, DISCARDED } = SYMBOLS.reclaimResult;

type Allocations = readonly EngineObject<"allocation">[];

/**
 * Adds one to each allocation's count; all or none. Refusals in order: a queue that is ending; flags that are none, or
 * MustSucceed without CantTrimFurther; an empty list; another device's allocation; and, last, STATUS_NO_MEMORY with the
 * bytes to trim: above the process's budget, unless the driver cannot trim further, or above the adapter's memory.
 * What must succeed and cannot puts the device in error. A guest is not told how many bytes to trim (gpuva.md 5.6).
 */
function makeResident(
  scope: Scope,
  queue: EngineObject<"pagingQueue">,
  list: Allocations,
  flags: number,
): Reply {
  const { world } = scope;
  const device = world.find("device", queue.data.device);
  if (device === undefined || queue.data.isEnding) return invalid();
  const cantTrim = (flags & CantTrimFurther) !== 0;
  const mustSucceed = (flags & MustSucceed) !== 0;
  if ((flags & ~(CantTrimFurther | MustSucceed)) !== 0 || (mustSucceed && !cantTrim)) return invalid();
  if (!isListOf(device, list) || isTooLong(scope, list)) return invalid();
  const bytesToTrim = Math.max(
    cantTrim ? 0 : excessBytes(world, "residency-budget", { device, list }),
    excessBytes(world, "video-memory", { device, list }),
  );
  if (bytesToTrim > 0) {
    if (mustSucceed) failDevice(world, device.number, OUT_OF_MEMORY);
    return answer(STATUS.STATUS_NO_MEMORY, 0n, isGuest(scope) ? 0n : BigInt(bytesToTrim));
  }
  const fence = hold(scope, queue, list);
  for (const limit of ["residency-budget", "video-memory"] as const) trimLingering(world, limit, device);
  return answer(fence === 0n ? STATUS.STATUS_SUCCESS : STATUS.STATUS_PENDING, fence, 0n);
}

function isListOf(device: EngineObject<"device">, list: Allocations): boolean {
  return list.length > 0 && list.every(({ data }) => data.device === device.number);
}

function isTooLong(scope: Scope, { length }: Allocations): boolean {
  return isGuest(scope) && length > MAX_GUEST_LIST;
}

/** By how much a limit is too low for what is held and a list that is to be held too; above 0 only where it grows. */
function excessBytes(
  world: World,
  limit: Limit,
  { device, list }: { readonly device: EngineObject<"device">; readonly list: Allocations },
): number {
  const most = limitBytes(world, limit);
  const wanted = [...new Set(list)].filter(({ data }) => data.residentCount === 0);
  if (most === Infinity || wanted.length === 0) return 0;
  const bytes = wanted.reduce((sum, { data }) => sum + bytesOf(data), 0);
  return Math.max(0, heldBytes(sharers(world, limit, device)) + bytes - most);
}

/** Counts up; what is not there yet comes with the queue's next operation, whose fence value this is; 0: all is there. */
function hold(scope: Scope, queue: EngineObject<"pagingQueue">, list: Allocations): bigint {
  for (const { data } of list) {
    data.residentCount += 1;
    if (data.residency === "lingering") data.residency = "resident";
  }
  return bringIn(scope, queue, list.filter(({ data }) => data.residency !== "resident"));
}

/** Queues an operation that brings allocations into memory, at once where paging is immediate. */
function bringIn(scope: Scope, queue: EngineObject<"pagingQueue">, list: Allocations): bigint {
  if (list.length === 0) return 0n;
  const when = issuePaging(scope, queue);
  for (const { data } of list) data.residency = when === null ? "resident" : "pending";
  if (when === null) return 0n;
  const { fence } = when;
  const added = list.map(({ number, data }) => ({ fence, allocation: number, evictions: data.evictions }));
  queue.data.pageIns = [...queue.data.pageIns, ...added];
  return fence;
}

/**
 * Takes one from each allocation's count; all or none. What comes down to 0 is out of reach at once, for all but the
 * work that is queued already; with EvictOnlyIfNecessary it lingers until memory is short. Refusals in order: flags that
 * are none; an empty list; another device's allocation; more than was made resident (option `evict-below-zero`).
 * The host's reply has no status: to a guest all but the length of its list is well (gpuva.md 5.6).
 */
function evict(scope: Scope, device: EngineObject<"device">, list: Allocations, flags: number): Reply {
  if (!isGuest(scope)) return evictAll(scope, device, list, flags);
  if (list.length === 0 || isTooLong(scope, list)) return invalid();
  const reply = evictAll(scope, device, list, flags);
  return !reply.blocked && hasSucceeded(reply.outcome) ? reply : success(0n);
}

function evictAll({ world }: Scope, device: EngineObject<"device">, list: Allocations, flags: number): Reply {
  if ((flags & ~(EvictOnlyIfNecessary | NotWrittenTo)) !== 0 || !isListOf(device, list)) return invalid();
  const counts = new Map(list.map((allocation) => [allocation, allocation.data.residentCount]));
  for (const each of list) counts.set(each, (counts.get(each) ?? 0) - 1);
  const isBelow = [...counts.values()].some((count) => count < 0);
  if (isBelow && world.options["evict-below-zero"] === "refuse") return invalid();
  for (const [allocation, count] of counts) drop(world, allocation, { count: Math.max(0, count), flags });
  trimLingering(world, "residency-budget", device);
  trimLingering(world, "video-memory", device);
  const held = heldBytes(sharers(world, "residency-budget", device));
  return success(BigInt(Math.max(0, held - Math.min(limitBytes(world, "residency-budget"), held))));
}

function drop(
  world: World,
  { data }: EngineObject<"allocation">,
  { count, flags }: { readonly count: number; readonly flags: number },
): void {
  const wasHeld = data.residentCount > 0;
  data.residentCount = count;
  if (!wasHeld || count > 0) return;
  data.evictions += 1;
  const lingers = (flags & EvictOnlyIfNecessary) !== 0 && data.residency === "resident";
  data.residency = lingers ? "lingering" : "evicted";
  const device = world.find("device", data.device);
  if (device !== undefined && oldestWork(world, device.number) !== Infinity) data.evictedAfter = device.data.submitted;
}

/** Refusals in order: a device in error; a priority that is none; an empty list; another device's; one offered already. */
function offer({ world }: Scope, device: EngineObject<"device">, list: Allocations, priority: number): Reply {
  const trouble = deviceTrouble(world, device);
  if (trouble !== null) return trouble;
  if (!Object.values(SYMBOLS.offerPriority).some((known) => known === priority)) return invalid();
  if (!isListOf(device, list) || list.some(({ data }) => data.isOffered)) return invalid();
  for (const allocation of list) {
    allocation.data.isOffered = true;
    if (world.options["offered-content"] === "dropped") discard(world, allocation);
  }
  return success();
}

/** Existing memory is the process's own: its content cannot be dropped. */
function discard(world: World, { data }: EngineObject<"allocation">): void {
  if (data.buffer !== 0) return;
  data.isDiscarded = true;
  for (const page of data.pages) {
    if (world.memory.isWritten(data.partition, page)) {
      world.writeMemory(data.partition, page, { offset: 0, bytes: new Uint8Array(PAGE_BYTES) });
    }
  }
}

/**
 * Takes offered allocations back, and says of each whether its content was dropped; such a one needs memory again, by an
 * operation of the queue. Refusals in order: a queue that is ending; a device in error; an empty list; another device's.
 */
function reclaim(scope: Scope, queue: EngineObject<"pagingQueue">, list: Allocations): Reply {
  const { world } = scope;
  const device = world.find("device", queue.data.device);
  if (device === undefined || queue.data.isEnding) return invalid();
  const trouble = deviceTrouble(world, device);
  if (trouble !== null) return trouble;
  if (!isListOf(device, list)) return invalid();
  const results = list.map(({ data }) => data.isDiscarded ? DISCARDED : OK);
  const lost = [...new Set(list)].filter(({ data }) => data.isDiscarded && data.residency === "resident");
  for (const { data } of list) {
    data.isOffered = false;
    data.isDiscarded = false;
  }
  const fence = bringIn(scope, queue, lost);
  return answer(fence === 0n ? STATUS.STATUS_SUCCESS : STATUS.STATUS_PENDING, results, fence);
}

function invalid(): Reply {
  return fail("STATUS_INVALID_PARAMETER");
}

/** Behaviours of residency. */
export const RESIDENCY_BEHAVIOURS = {
  D3DKMTMakeResident: makeResident,
  D3DKMTEvict: evict,
  D3DKMTOfferAllocations: offer,
  D3DKMTReclaimAllocations2: reclaim,
} as const satisfies Readonly<Record<string, Behaviour>>;
