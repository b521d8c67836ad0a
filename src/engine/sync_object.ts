// Monitored fences: create, wait and signal by the CPU, and the GPU's own signal. Rules: gpuva.md 1.5, 2.5.
// It must not know what waits in a context's queue; that is `submission.ts`.

import { type Behaviour, blocked, done, fail, refuse, type Reply, type Scope, success } from "./behaviour.ts";
import { deviceTrouble } from "./device_error.ts";
import type { EngineObject } from "./objects.ts";

/** D3DDDI_SYNCHRONIZATIONOBJECT_TYPE of a monitored fence, the only one modelled. */
export const MONITORED_FENCE = 5;
/** D3DDDI_SYNCHRONIZATIONOBJECT_FLAGS that the model knows the meaning of (gpuva.md 2.5). */
export const SYNC_FLAGS = {
  Shared: 0x1,
  NtSecuritySharing: 0x2,
  NoSignal: 0x10,
  NoWait: 0x20,
  NoSignalMaxValueOnTdr: 0x40,
} as const;

const KNOWN_SYNC_FLAGS = 0xff;
const LAST_SYNC_TYPE = 6;
const ONE_WAY_ONLY = SYNC_FLAGS.NoSignal | SYNC_FLAGS.NoWait;

/** Objects of a call's list. */
export type SyncObjects = readonly (EngineObject<"syncObject"> | null)[];

/**
 * Refusals in order: a device in error; no such type; flags that are none; of a monitored fence, shared without NT
 * security or neither to signal nor to wait for; types that are not modelled.
 */
function createSyncObject(
  scope: Scope,
  device: EngineObject<"device">,
  type: number,
  flags: number,
  initialValue: bigint,
): Reply {
  const trouble = deviceTrouble(scope.world, device);
  if (trouble !== null) return trouble;
  if (type === 0 || type > LAST_SYNC_TYPE || (flags & ~KNOWN_SYNC_FLAGS) !== 0) return fail("STATUS_INVALID_PARAMETER");
  if (type === MONITORED_FENCE && !isUsableFence(flags)) return fail("STATUS_INVALID_PARAMETER");
  if (type !== MONITORED_FENCE) return fail("STATUS_NOT_SUPPORTED");
  const data = { device: device.number, pagingQueue: 0, flags, value: initialValue };
  return success(scope.create("syncObject", data, device).ref);
}

function isUsableFence(flags: number): boolean {
  const sharing = flags & (SYNC_FLAGS.Shared | SYNC_FLAGS.NtSecuritySharing);
  return sharing !== SYNC_FLAGS.Shared && (flags & ONE_WAY_ONLY) !== ONE_WAY_ONLY;
}

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

/** No objects, or as many values; or an object that was made with a flag that forbids it. */
export function listTrouble(objects: SyncObjects, values: readonly bigint[], forbidden: number): Reply | null {
  if (objects.length === 0 || objects.length !== values.length) return fail("STATUS_INVALID_PARAMETER");
  const isForbidden = objects.some((object) => object !== null && (object.data.flags & forbidden) !== 0);
  return isForbidden ? fail("STATUS_ACCESS_DENIED") : null;
}

function signalFence(_scope: Scope, object: EngineObject<"syncObject">, value: bigint): Reply {
  if (object.data.pagingQueue !== 0) {
    return refuse(`syncObject#${object.number} is signalled by pagingQueue#${object.data.pagingQueue} alone`);
  }
  object.data.value = value;
  return done();
}

/** Behaviours of monitored fences. */
export const SYNC_OBJECT_BEHAVIOURS = {
  D3DKMTCreateSynchronizationObject2: createSyncObject,
  D3DKMTWaitForSynchronizationObjectFromCpu: waitFromCpu,
  D3DKMTSignalSynchronizationObjectFromCpu: signalFromCpu,
  SignalFence: signalFence,
} as const satisfies Readonly<Record<string, Behaviour>>;
