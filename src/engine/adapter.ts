// Adapters, devices, contexts, and the end of a process. Rules: gpuva.md 2.2, 4.5.
// It must not know address space rules.

import { baseSide, canonicalSide, firstPhysicalAdapter, SYMBOLS, type Value } from "../api/mod.ts";
import { type Behaviour, blocked, done, fail, refuse, type Reply, type Scope, success } from "./behaviour.ts";
import { deviceTrouble } from "./device_error.ts";
import { spaceOfDevice, spaceOnAdapter } from "./gpu_process.ts";
import { endDevice, endProcess } from "./gpu_teardown.ts";
import { beginProcess, endProcesses } from "./kernel_driver.ts";
import type { EngineObject } from "./objects.ts";

const KNOWN_CONTEXT_FLAGS = Object.values(SYMBOLS.contextFlags).reduce<number>((sum, flag) => sum | flag, 0);

/** There is an adapter behind every LUID; its address space is the process's, whichever handle opened it. */
function openAdapter(scope: Scope, luid: bigint): Reply {
  const notYet = beginProcess(scope, luid);
  if (notYet !== null) return notYet;
  return success(open(scope, luid).ref);
}

function open(scope: Scope, luid: bigint): EngineObject<"adapter"> {
  const adapter = scope.create("adapter", { luid });
  spaceOnAdapter(scope.world, { side: scope.side, luid }).space.adapters.add(adapter.number);
  return adapter;
}

/**
 * Opens every adapter; their LUIDs count up from 1. Room for none asks only how many there are; too little room is
 * STATUS_BUFFER_TOO_SMALL, and opens nothing.
 */
function enumAdapters(scope: Scope, room: number): Reply {
  const count = Number(scope.world.options.adapters);
  if (room === 0) return success(count, []);
  if (room < count) return fail("STATUS_BUFFER_TOO_SMALL");
  const luids = Array.from({ length: count }, (_, index) => BigInt(index + 1));
  for (const luid of luids) {
    const notYet = beginProcess(scope, luid);
    if (notYet !== null) return notYet;
  }
  const opened = luids.map((luid): Value => ({ hAdapter: open(scope, luid).ref, AdapterLuid: luid, NumOfSources: 0 }));
  return success(count, opened);
}

function createDevice(scope: Scope, adapter: EngineObject<"adapter">): Reply {
  const data = {
    adapter: adapter.number,
    execution: SYMBOLS.executionState.ACTIVE,
    faultedAddress: 0n,
    faultFlags: 0,
    submitted: 0,
  };
  return success(scope.create("device", data, adapter).ref);
}

function destroyDevice(scope: Scope, device: EngineObject<"device">): Reply {
  endDevice(scope.world, device);
  return success();
}

/**
 * Refusals in order: a device in error; flags that are none; no such physical GPU.
 * EngineAffinity is a bit mask of physical GPUs, as samples pass it (the page says index; gpuva.md 2.2): the lowest bit
 * says whose page tables the context's work uses; 0 is the first GPU.
 */
function createContext(
  scope: Scope,
  device: EngineObject<"device">,
  _nodeOrdinal: number,
  engineAffinity: number,
  flags: number,
): Reply {
  const trouble = deviceTrouble(scope.world, device);
  if (trouble !== null) return trouble;
  if ((flags & ~KNOWN_CONTEXT_FLAGS) !== 0) return fail("STATUS_INVALID_PARAMETER");
  const physicalAdapter = firstPhysicalAdapter(engineAffinity);
  const { space } = spaceOfDevice(scope.world, device);
  if (physicalAdapter >= space.physicalAdapters) return fail("STATUS_INVALID_PARAMETER");
  const data = { device: device.number, physicalAdapter, flags, submitted: 0, granted: 0 };
  return success(scope.create("context", data, device).ref);
}

/** The tables end it; what it has queued goes with it, or is waited for. */
function destroyContext({ world }: Scope, { number }: EngineObject<"context">): Reply {
  return world.options["context-destroy"] === "waits" && world.gpuQueues.has(number) ? blocked() : success();
}

function exitProcess(scope: Scope, side: string): Reply {
  const base = baseSide(side);
  if (base !== "umd" && base !== "guest-umd") return refuse(`side "${side}" is no process: wanted umd or guest-umd`);
  endProcess(scope.world, canonicalSide(side));
  endProcesses(scope.world, { side: canonicalSide(side), event: scope.event });
  return done();
}

/** Behaviours of adapters, devices, contexts and processes. */
export const ADAPTER_BEHAVIOURS = {
  D3DKMTOpenAdapterFromLuid: openAdapter,
  D3DKMTEnumAdapters2: enumAdapters,
  D3DKMTCreateDevice: createDevice,
  D3DKMTDestroyDevice: destroyDevice,
  D3DKMTCreateContextVirtual: createContext,
  D3DKMTDestroyContext: destroyContext,
  ExitProcess: exitProcess,
} as const satisfies Readonly<Record<string, Behaviour>>;
