// Adapters, devices, contexts, and the end of a process. Rules: gpuva.md 2.2, 4.5.
// It must not know address space rules.

import { baseSide, canonicalSide, firstPhysicalAdapter } from "../api/mod.ts";
import { type Behaviour, done, fail, refuse, type Reply, type Scope, success } from "./behaviour.ts";
import { endDevice, endProcess, spaceOfDevice, spaceOnAdapter } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";

/** There is an adapter behind every LUID; its address space is the process's, whichever handle opened it. */
function openAdapter(scope: Scope, luid: bigint): Reply {
  const adapter = scope.create("adapter", { luid });
  spaceOnAdapter(scope.world, { side: scope.side, luid }).space.adapters.add(adapter.number);
  return success(adapter.ref);
}

function destroyDevice(scope: Scope, device: EngineObject<"device">): Reply {
  endDevice(scope.world, device);
  return success();
}

/**
 * EngineAffinity is a bit mask of physical GPUs, as samples pass it (the page says index; gpuva.md 2.2): the lowest bit
 * says whose page tables the context's work uses; 0 is the first GPU.
 */
function createContext(
  scope: Scope,
  device: EngineObject<"device">,
  _nodeOrdinal: number,
  engineAffinity: number,
): Reply {
  const physicalAdapter = firstPhysicalAdapter(engineAffinity);
  const { space } = spaceOfDevice(scope.world, device);
  if (physicalAdapter >= space.physicalAdapters) return fail("STATUS_INVALID_PARAMETER");
  return success(scope.create("context", { device: device.number, physicalAdapter, waits: new Map() }, device).ref);
}

function exitProcess(scope: Scope, side: string): Reply {
  const base = baseSide(side);
  if (base !== "umd" && base !== "guest-umd") return refuse(`side "${side}" is no process: wanted umd or guest-umd`);
  endProcess(scope.world, canonicalSide(side));
  return done();
}

/** Behaviours of adapters, devices, contexts and processes. */
export const ADAPTER_BEHAVIOURS = {
  D3DKMTOpenAdapterFromLuid: openAdapter,
  D3DKMTDestroyDevice: destroyDevice,
  D3DKMTCreateContextVirtual: createContext,
  ExitProcess: exitProcess,
} as const satisfies Readonly<Record<string, Behaviour>>;
