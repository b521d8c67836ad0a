// A look at what the GPU reaches through its virtual addresses, outside of submitted work. Rules: gpuva.md 4.8.
// It must not know which calls made the pages what they are.

import { SYMBOLS } from "../api/mod.ts";
import { type Behaviour, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { failDevice, pageFault } from "./device_error.ts";
import { touch } from "./gpu_memory.ts";
import type { EngineObject } from "./objects.ts";

export { WORD_BYTES } from "./gpu_memory.ts";

/** The most bytes that one write can store: 64 MiB. */
export const MAX_WRITE_BYTES = 1 << 26;

const { Write, Execute } = SYMBOLS.access;

/** Whether an access is one, and not too large to store. */
export function isSoundAccess({ byteCount, access }: { readonly byteCount: number; readonly access: number }): boolean {
  return byteCount > 0 && access <= Execute && (access !== Write || byteCount <= MAX_WRITE_BYTES);
}

/**
 * Reads, writes or executes. What the page tables of the context's GPU say at this moment counts: a page whose map has
 * not completed faults like one without any, also where a queued wait would have held real work back.
 * A fault is a failing status; the device goes on unless the option `gpu-access-fault` says otherwise.
 */
function gpuAccess(
  { world }: Scope,
  context: EngineObject<"context">,
  address: bigint,
  byteCount: number,
  access: number,
): Reply {
  if (!isSoundAccess({ byteCount, access })) return fail("STATUS_INVALID_PARAMETER");
  const faulted = touch(world, { context, sequence: Infinity }, { address, byteCount, access });
  if (faulted === null) return success();
  if (world.options["gpu-access-fault"] === "device-error") {
    failDevice(world, context.data.device, pageFault(world, { address: faulted, access }));
  }
  return fail("STATUS_ACCESS_VIOLATION");
}

/** Behaviours of the GPU's accesses. */
export const GPU_ACCESS_BEHAVIOURS = { GpuAccess: gpuAccess } as const satisfies Readonly<Record<string, Behaviour>>;
