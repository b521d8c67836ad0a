// Companion contexts: the queues in which updates of GPU virtual addresses wait, one for each context (gpuva.md 4.6, U7 to U9).
// It must not know what an update does to pages, nor which are legal.

import { SYMBOLS } from "../api/mod.ts";
import type { World } from "./world.ts";

/** An update with more operations than these behind it makes its caller wait (gpuva.md 4.6, U8). */
export const QUEUED_OPERATIONS = 128;

/** An update that has not run. */
export interface QueuedUpdate {
  /** The event of its call: the fence value of its operations in the address space. */
  readonly event: number;
  /** The number of the sync object that it waits for and signals. */
  readonly syncObject: number;
  readonly fenceValue: bigint;
  readonly doesNotWait: boolean;
  readonly operationCount: number;
}

/** The companion of a context: made by the first update that waits, gone with the last one. */
export interface Companion {
  /** The address space, by its name in `World.spaces`. */
  readonly space: string;
  /** Oldest first. */
  readonly queue: QueuedUpdate[];
  /** Enter events of calls that wait for room in the queue, oldest first. */
  readonly waiting: number[];
}

/** The name of a context's companion among the paging queues of an address space. */
export function companionQueue(context: number): number {
  return -context;
}

/** Operations that a context's updates still have to do. */
export function queuedOperations({ queue }: Companion): number {
  return queue.reduce((sum, { operationCount }) => sum + operationCount, 0);
}

/**
 * Runs the updates whose fences are there, in order in each companion; those of contexts that ended, or whose device is in
 * error, are dropped. Whether any ran.
 */
export function runUpdates(world: World): boolean {
  if (world.companions.size === 0) return false;
  let hasRun = false;
  for (const [context, companion] of [...world.companions]) {
    if (!isWorking(world, context)) drop(world, { context, companion });
    else if (runDue(world, { context, companion })) hasRun = true;
  }
  return hasRun;
}

function isWorking(world: World, number: number): boolean {
  const context = world.find("context", number);
  const device = context === undefined ? undefined : world.find("device", context.data.device);
  return device !== undefined && device.data.execution === SYMBOLS.executionState.ACTIVE;
}

interface NamedCompanion {
  readonly context: number;
  readonly companion: Companion;
}

function drop(world: World, { context, companion }: NamedCompanion): void {
  world.spaces.get(companion.space)?.cancel({ queue: companionQueue(context), fence: 0n });
  world.companions.delete(context);
}

function runDue(world: World, { context, companion }: NamedCompanion): boolean {
  const { queue, waiting } = companion;
  let hasRun = false;
  for (let next = queue[0]; next !== undefined && isDue(world, next); next = queue[0]) {
    queue.shift();
    world.spaces.get(companion.space)?.complete({ queue: companionQueue(context), fence: BigInt(next.event) });
    const syncObject = world.find("syncObject", next.syncObject);
    if (syncObject !== undefined) syncObject.data.value = next.fenceValue + 1n;
    hasRun = true;
  }
  if (queue.length === 0 && waiting.length === 0) world.companions.delete(context);
  return hasRun;
}

/** A fence that ended never gets there: what waits for it stays until the context ends. */
function isDue(world: World, { syncObject, fenceValue, doesNotWait }: QueuedUpdate): boolean {
  if (doesNotWait) return true;
  const value = world.find("syncObject", syncObject)?.data.value;
  return value !== undefined && value >= fenceValue;
}
