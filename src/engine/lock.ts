// The CPU's access to allocations: lock, unlock, caches. Rules: gpuva.md 2.4.
// It must not know what the GPU does to memory.

import { type Behaviour, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { deviceTrouble } from "./device_error.ts";
import { failTowards } from "./guest_answers.ts";
import type { EngineObject } from "./objects.ts";
import { bytesOf } from "./residency_state.ts";

/** Where a process sees locked allocations: made-up addresses, apart by the largest allocation, never followed. */
const LOCK_BASE = 0x100_0000_0000n;
const LOCK_STEP = 1n << 32n;

/**
 * Gives the CPU a pointer, the same for every lock. Refusals in order: a device in error; another device's allocation;
 * flags, which are reserved; more locks than the option `lock-limit` grants.
 */
function lock(
  scope: Scope,
  device: EngineObject<"device">,
  allocation: EngineObject<"allocation">,
  flags: number,
): Reply {
  const { world } = scope;
  const trouble = deviceTrouble(world, device);
  if (trouble !== null) return trouble;
  const { data, number } = allocation;
  if (data.device !== device.number || flags !== 0) return fail("STATUS_INVALID_PARAMETER");
  const limit = world.options["lock-limit"];
  if (limit !== "none" && data.lockCount >= Number(limit)) {
    return failTowards(scope, "STATUS_GRAPHICS_TOO_MANY_REFERENCES");
  }
  data.lockCount += 1;
  return success(LOCK_BASE + BigInt(number) * LOCK_STEP);
}

/** Refusals in order: another device's allocation; one that is not locked. */
function unlock(_scope: Scope, device: EngineObject<"device">, { data }: EngineObject<"allocation">): Reply {
  if (data.device !== device.number || data.lockCount === 0) return fail("STATUS_INVALID_PARAMETER");
  data.lockCount -= 1;
  return success();
}

/** Memory is the same for CPU and GPU here. Refusals in order: another device's allocation; a range outside of it. */
function invalidateCache(
  _scope: Scope,
  device: EngineObject<"device">,
  { data }: EngineObject<"allocation">,
  offset: bigint,
  length: bigint,
): Reply {
  if (data.device !== device.number) return fail("STATUS_INVALID_PARAMETER");
  return offset + length > BigInt(bytesOf(data)) ? fail("STATUS_INVALID_PARAMETER") : success();
}

/** Behaviours of the CPU's access to allocations. */
export const LOCK_BEHAVIOURS = {
  D3DKMTLock2: lock,
  D3DKMTUnlock2: unlock,
  D3DKMTInvalidateCache: invalidateCache,
} as const satisfies Readonly<Record<string, Behaviour>>;
