// The GPU's side of contexts: each runs its commands in order, waits for fences, touches memory, signals
// (gpuva.md 2.5, 4.8). It must not know calls: `submission.ts` queues what runs here.

import { failDevice, pageFault } from "./device_error.ts";
import { settleDying } from "./allocation_end.ts";
import { type GpuAccess, type Reader, touch } from "./gpu_memory.ts";
import type { World } from "./world.ts";

export type { GpuAccess } from "./gpu_memory.ts";

/** A fence and a value of it, to wait for or to signal. */
export interface FenceTarget {
  readonly syncObject: number;
  readonly value: bigint;
}

/** A command in a context's queue. */
export type GpuCommand =
  | {
    readonly form: "work";
    /** Counts up over all contexts of the device. */
    readonly sequence: number;
    /** Counts up in its context, from 1: what `CompleteGpuWork` names. */
    readonly submission: number;
    readonly accesses: readonly GpuAccess[];
  }
  | { readonly form: "wait" | "signal"; readonly targets: readonly FenceTarget[] };

/** Commands of a context that have not run. */
export interface GpuQueue {
  readonly device: number;
  /** Oldest first. */
  readonly commands: GpuCommand[];
}

/** Runs what is due in all contexts, and lets go of destroyed allocations that nothing uses any more. Whether anything ran. */
export function runGpuWork(world: World): boolean {
  if (world.gpuQueues.size === 0 && world.dying.size === 0) return false;
  for (const context of [...world.gpuQueues.keys()]) {
    if (world.find("context", context) === undefined) world.gpuQueues.delete(context);
  }
  let hasRun = false;
  while (step(world)) hasRun = true;
  settleDying(world, (device) => oldestWork(world, device));
  return hasRun;
}

/**
 * A wait that is met now is over, whatever the fence's value will be next: so all of these end, in all contexts, before
 * the first context that can go on runs one command. Whether there was anything to do.
 */
function step(world: World): boolean {
  const contexts = [...world.gpuQueues.keys()].sort((one, other) => one - other);
  const hasEnded = contexts.filter((context) => endWaits(world, context)).length > 0;
  return contexts.some((context) => runNext(world, context)) || hasEnded;
}

/** The lowest sequence among a device's work that has not run; Infinity where there is none. */
export function oldestWork(world: World, device: number): number {
  let oldest = Infinity;
  for (const queue of world.gpuQueues.values()) {
    if (queue.device !== device) continue;
    for (const command of queue.commands) {
      if (command.form === "work" && command.sequence < oldest) oldest = command.sequence;
    }
  }
  return oldest;
}

/** Takes the waits at the head of a context's queue that are met; whether there were any. */
function endWaits(world: World, context: number): boolean {
  let hasEnded = false;
  for (let next = headOf(world, context); next?.form === "wait" && areMet(world, next.targets);) {
    takeHead(world, context);
    hasEnded = true;
    next = headOf(world, context);
  }
  return hasEnded;
}

/** Runs the command at the head of a context's queue, unless it waits or the GPU is not there yet; whether it ran. */
function runNext(world: World, context: number): boolean {
  const next = headOf(world, context);
  if (next === undefined || next.form === "wait") return false;
  if (next.form === "work") {
    if (!isGranted(world, context, next.submission)) return false;
    takeHead(world, context);
    execute(world, context, next);
    return true;
  }
  takeHead(world, context);
  signal(world, next.targets);
  return true;
}

function headOf(world: World, context: number): GpuCommand | undefined {
  return world.gpuQueues.get(context)?.commands[0];
}

function takeHead(world: World, context: number): void {
  const commands = world.gpuQueues.get(context)?.commands;
  commands?.shift();
  if (commands?.length === 0) world.gpuQueues.delete(context);
}

/** What a wait for a fence that ended comes to is not documented. */
function areMet(world: World, targets: readonly FenceTarget[]): boolean {
  const isOver = world.options["fence-destroy"] === "ends-waits";
  return targets.every(({ syncObject, value }) => {
    const fence = world.find("syncObject", syncObject);
    return fence === undefined ? isOver : fence.data.value >= value;
  });
}

function isGranted(world: World, context: number, submission: number): boolean {
  return submission <= (world.find("context", context)?.data.granted ?? 0);
}

function signal(world: World, targets: readonly FenceTarget[]): void {
  for (const { syncObject, value } of targets) {
    const object = world.find("syncObject", syncObject);
    if (object !== undefined) object.data.value = value;
  }
}

/** Touches what the commands touch, in order; the first byte that cannot be reached ends the device's work. */
function execute(
  world: World,
  number: number,
  { sequence, accesses }: { readonly sequence: number; readonly accesses: readonly GpuAccess[] },
): void {
  const context = world.find("context", number);
  if (context === undefined) return;
  const reader: Reader = { context, sequence };
  for (const access of accesses) {
    const faulted = touch(world, reader, access);
    if (faulted === null) continue;
    return failDevice(world, context.data.device, pageFault(world, { address: faulted, access: access.access }));
  }
}
