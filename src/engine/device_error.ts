// Devices in error: how one gets there, what ends with it, what its calls answer, and how a driver asks. Rules:
// gpuva.md 2.2, 4.8. It must not know what faulted.

import { SYMBOLS } from "../api/mod.ts";
import { answer, type Behaviour, fail, optionStatus, type Reply, type Scope, success } from "./behaviour.ts";
import { adapterOfSpace, spaceOfDevice } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

const STATES = SYMBOLS.executionState;
const FAULTS = SYMBOLS.pageFaultFlags;
const QUERIES = SYMBOLS.deviceStateType;
const MAX_FENCE = (1n << 64n) - 1n;
/** D3DDDI_SYNCHRONIZATIONOBJECT_FLAGS.NoSignalMaxValueOnTdr. */
const KEEPS_VALUE_ON_RESET = 0x40;

/** What a device's state becomes. */
export interface DeviceError {
  readonly execution: number;
  readonly faultedAddress: bigint;
  readonly faultFlags: number;
}

/** An access that could not reach its byte: the engine is reset, or the whole adapter where that fails (gpuva.md 4.8). */
export function pageFault(
  world: World,
  { address, access }: { readonly address: bigint; readonly access: number },
): DeviceError {
  const reset = world.options["engine-reset"] === "fails" ? FAULTS.ADAPTER_RESET : FAULTS.ENGINE_RESET;
  const write = access === SYMBOLS.access.Write ? FAULTS.WRITE : 0;
  return { execution: STATES.ERROR_DMAPAGEFAULT, faultedAddress: address, faultFlags: reset | write };
}

/** What could not be kept in memory although it must. */
export const OUT_OF_MEMORY: DeviceError = {
  execution: STATES.ERROR_OUTOFMEMORY,
  faultedAddress: 0n,
  faultFlags: 0,
};

/** Puts a device in error, and with a reset of the adapter every other device on it. */
export function failDevice(world: World, number: number, error: DeviceError): void {
  const device = world.find("device", number);
  if (device === undefined || device.data.execution !== STATES.ACTIVE) return;
  stop(world, device, error);
  if ((error.faultFlags & FAULTS.ADAPTER_RESET) === 0) return;
  const adapter = adapterOfSpace(spaceOfDevice(world, device).name);
  for (const other of world.all("device")) {
    if (other.data.execution !== STATES.ACTIVE || adapterOfSpace(spaceOfDevice(world, other).name) !== adapter) {
      continue;
    }
    stop(world, other, { execution: STATES.RESET, faultedAddress: 0n, faultFlags: 0 });
  }
}

/**
 * Drops what a device's contexts have queued. Whoever waits for its fences goes on: after a reset each has the highest
 * value, unless it was made to keep its own.
 */
function stop(world: World, device: EngineObject<"device">, error: DeviceError): void {
  Object.assign(device.data, error);
  dropWork(world, device.number);
  if (error.execution === STATES.ERROR_OUTOFMEMORY) return;
  for (const { data } of world.all("syncObject")) {
    const isOwn = data.device === device.number && data.pagingQueue === 0;
    if (isOwn && (data.flags & KEEPS_VALUE_ON_RESET) === 0) data.value = MAX_FENCE;
  }
}

/** Forgets the commands of all contexts of a device. */
export function dropWork(world: World, device: number): void {
  for (const [context, queue] of [...world.gpuQueues]) if (queue.device === device) world.gpuQueues.delete(context);
}

/** What calls on a device in error answer; null: it works. */
export function deviceTrouble(world: World, device: EngineObject<"device"> | undefined): Reply | null {
  if (device === undefined || device.data.execution === STATES.ACTIVE) return null;
  return answer(optionStatus(world.options, "device-error-status"));
}

/** The execution state, or where an access faulted; of the other queries the model has no answer. */
function getDeviceState(_scope: Scope, device: EngineObject<"device">, type: number): Reply {
  const { execution, faultedAddress, faultFlags } = device.data;
  if (type === QUERIES.EXECUTION) return success(execution, 0n, 0);
  if (type === QUERIES.PAGE_FAULT) return success(0, faultedAddress, faultFlags);
  const isQuery = Object.values(QUERIES).some((known) => known === type);
  return fail(isQuery ? "STATUS_NOT_SUPPORTED" : "STATUS_INVALID_PARAMETER");
}

/** Behaviours of device states. */
export const DEVICE_ERROR_BEHAVIOURS = {
  D3DKMTGetDeviceState: getDeviceState,
} as const satisfies Readonly<Record<string, Behaviour>>;
