// What drivers put into the queues of contexts: commands, waits and signals; and how far the GPU is. Rules: gpuva.md 2.5.
// It must not know what a command does when it runs; that is `gpu_work.ts`.

import { SYMBOLS } from "../api/mod.ts";
import { type Behaviour, done, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { deviceTrouble } from "./device_error.ts";
import { isSoundAccess } from "./gpu_access.ts";
import type { FenceTarget, GpuAccess, GpuCommand } from "./gpu_work.ts";
import type { EngineObject } from "./objects.ts";
import { listTrouble, SYNC_FLAGS, type SyncObjects } from "./sync_object.ts";
import type { World } from "./world.ts";

/** The most contexts that one submission goes to. */
export const MAX_BROADCAST = 64;

const FLAGS = SYMBOLS.submitFlags;
const KNOWN_FLAGS = FLAGS.NullRendering | FLAGS.PresentRedirected | FLAGS.NoKmdAccess;
const { NullRendering, SynchronizationOnly } = SYMBOLS.contextFlags;

interface GivenAccess {
  readonly VirtualAddress: bigint;
  readonly ByteCount: number;
  readonly Access: number;
}

/**
 * Queues commands on each context. The GPU reads the command buffer, then touches what the commands touch, in order.
 * Refusals in order: 1 to 64 contexts; flags; contexts twice or of several devices, or one that is for synchronization
 * only; a device in error; an access that is none.
 */
function submit(
  { world }: Scope,
  contexts: readonly EngineObject<"context">[],
  commands: bigint,
  commandLength: number,
  flags: number,
  given: readonly GivenAccess[],
): Reply {
  const [first] = contexts;
  if (first === undefined || contexts.length > MAX_BROADCAST) return fail("STATUS_INVALID_PARAMETER");
  if ((flags & ~KNOWN_FLAGS) !== 0 || !isBroadcast(contexts)) return fail("STATUS_INVALID_PARAMETER");
  const device = world.find("device", first.data.device);
  const trouble = deviceTrouble(world, device);
  if (trouble !== null || device === undefined) return trouble ?? fail("STATUS_INVALID_PARAMETER");
  const accesses = given.map(({ VirtualAddress, ByteCount, Access }): GpuAccess => ({
    address: VirtualAddress,
    byteCount: ByteCount,
    access: Access,
  }));
  if (!accesses.every(isSoundAccess)) return fail("STATUS_INVALID_PARAMETER");
  const fetch = { address: commands, byteCount: commandLength, access: SYMBOLS.access.Read };
  const all = commandLength === 0 ? accesses : [fetch, ...accesses];
  for (const context of contexts) {
    const drawsNothing = (flags & FLAGS.NullRendering) !== 0 || (context.data.flags & NullRendering) !== 0;
    queueWork(world, { device, context, accesses: drawsNothing ? [] : all });
  }
  return success();
}

function isBroadcast(contexts: readonly EngineObject<"context">[]): boolean {
  return new Set(contexts).size === contexts.length && new Set(contexts.map(({ data }) => data.device)).size === 1 &&
    contexts.every(({ data }) => (data.flags & SynchronizationOnly) === 0);
}

function queueWork(
  world: World,
  { device, context, accesses }: {
    readonly device: EngineObject<"device">;
    readonly context: EngineObject<"context">;
    readonly accesses: readonly GpuAccess[];
  },
): void {
  device.data.submitted += 1;
  context.data.submitted += 1;
  if (world.options["gpu-work"] === "immediate") context.data.granted = context.data.submitted;
  const { submitted } = context.data;
  queue(world, context, { form: "work", sequence: device.data.submitted, submission: submitted, accesses });
}

function queue(world: World, { number, data }: EngineObject<"context">, command: GpuCommand): void {
  const found = world.gpuQueues.get(number);
  if (found === undefined) world.gpuQueues.set(number, { device: data.device, commands: [command] });
  else found.commands.push(command);
}

/** What comes after it in the context waits. Refusals in order: no objects, or as many values; NoWait; a device in error. */
function waitFromGpu(
  { world }: Scope,
  context: EngineObject<"context">,
  objects: SyncObjects,
  values: readonly bigint[],
): Reply {
  return queueFences(world, context, { form: "wait", objects, values, forbidden: SYNC_FLAGS.NoWait });
}

/** Fences get their values when what is before it in the context has run. Refusals as for a wait, with NoSignal. */
function signalFromGpu(
  { world }: Scope,
  context: EngineObject<"context">,
  objects: SyncObjects,
  values: readonly bigint[],
): Reply {
  return queueFences(world, context, { form: "signal", objects, values, forbidden: SYNC_FLAGS.NoSignal });
}

function queueFences(
  world: World,
  context: EngineObject<"context">,
  { form, objects, values, forbidden }: {
    readonly form: "wait" | "signal";
    readonly objects: SyncObjects;
    readonly values: readonly bigint[];
    readonly forbidden: number;
  },
): Reply {
  const trouble = listTrouble(objects, values, forbidden) ??
    deviceTrouble(world, world.find("device", context.data.device));
  if (trouble !== null) return trouble;
  const targets = objects.flatMap((object, index): FenceTarget[] =>
    object === null ? [] : [{ syncObject: object.number, value: values[index] ?? 0n }]
  );
  queue(world, context, { form, targets });
  return success();
}

/**
 * The GPU may run the context's submissions up to this one, counted from 1, but none that was not made; each runs as soon
 * as the waits before it are met.
 */
function completeGpuWork(_scope: Scope, { data }: EngineObject<"context">, fenceValue: bigint): Reply {
  const granted = fenceValue < BigInt(data.submitted) ? Number(fenceValue) : data.submitted;
  data.granted = Math.max(data.granted, granted);
  return done();
}

/** Behaviours of contexts' queues. */
export const SUBMISSION_BEHAVIOURS = {
  D3DKMTSubmitCommand: submit,
  D3DKMTWaitForSynchronizationObjectFromGpu: waitFromGpu,
  D3DKMTSignalSynchronizationObjectFromGpu: signalFromGpu,
  CompleteGpuWork: completeGpuWork,
} as const satisfies Readonly<Record<string, Behaviour>>;
