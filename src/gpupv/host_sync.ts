// Messages about fences and device states, as the host repeats them in the process that stands for the guest's. All rules are
// the model's. It must not know channels.

import { ntSuccess, STATUS, SYMBOLS } from "../api/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { fencesIn } from "./fence_tail.ts";
import type { HostCall, HostHandler } from "./host_state.ts";
import { bytesIn, inner, u32, u64 } from "./record.ts";

const WAIT_ANY = 1;
const INVALID = { status: STATUS.STATUS_INVALID_PARAMETER };

/** The reply has no status: a failure shows as handle 0. The model gives a fence no page of its own. */
async function create({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const sync = inner(fields, "sync");
  const { status, hSyncObject } = await umd.D3DKMTCreateSynchronizationObject2({
    hDevice: u32(sync, "hDevice"),
    Type: u32(sync, "Type"),
    Flags: u32(sync, "Flags"),
    InitialFenceValue: u64(sync, "InitialFenceValue"),
  });
  return { sync_object: ntSuccess(status) ? hSyncObject : 0 };
}

async function destroy({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const { status } = await umd.D3DKMTDestroySynchronizationObject({ hSyncObject: u32(fields, "sync_object") });
  return { status };
}

async function waitFromCpu({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const fences = fencesIn(bytesIn(fields, "tail"), { objects: u32(fields, "object_count") });
  if (fences === null) return INVALID;
  const { status } = await umd.D3DKMTWaitForSynchronizationObjectFromCpu({
    hDevice: u32(fields, "device"),
    ObjectHandleArray: fences.handles,
    FenceValueArray: fences.values,
    WaitAny: (u32(fields, "flags") & WAIT_ANY) !== 0,
  });
  return { status };
}

async function waitFromGpu({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const fences = fencesIn(bytesIn(fields, "tail"), { objects: u32(fields, "object_count"), valuesFirst: true });
  if (fences === null) return INVALID;
  const { status } = await umd.D3DKMTWaitForSynchronizationObjectFromGpu({
    hContext: u32(fields, "context"),
    ObjectHandleArray: fences.handles,
    FenceValueArray: fences.values,
  });
  return { status };
}

/** One message for both signals: a device makes it the CPU's, a context the GPU's. */
async function signal({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const contexts = u32(fields, "context_count");
  const fences = fencesIn(bytesIn(fields, "tail"), { objects: u32(fields, "object_count"), contexts });
  const hDevice = Number(u64(fields, "device") & 0xffff_ffffn);
  if (fences === null || (hDevice === 0) === (contexts === 0)) return INVALID;
  const targets = { ObjectHandleArray: fences.handles, FenceValueArray: fences.values };
  if (contexts === 0) {
    return { status: (await umd.D3DKMTSignalSynchronizationObjectFromCpu({ hDevice, ...targets })).status };
  }
  for (const hContext of fences.contexts) {
    const { status } = await umd.D3DKMTSignalSynchronizationObjectFromGpu({ hContext, ...targets });
    if (!ntSuccess(status)) return { status };
  }
  return { status: STATUS.STATUS_SUCCESS };
}

/** What the union holds depends on what was asked. */
async function deviceState({ umd, fields }: HostCall): Promise<LayoutRecord> {
  const state = inner(fields, "state");
  const StateType = u32(state, "StateType");
  const { status, ExecutionState, FaultedVirtualAddress, PageFaultFlags } = await umd.D3DKMTGetDeviceState({
    hDevice: u32(state, "hDevice"),
    StateType,
  });
  if (!ntSuccess(status)) return { status };
  const answer = StateType === SYMBOLS.deviceStateType.PAGE_FAULT
    ? { PageFaultFlags, FaultedVirtualAddress }
    : { words: [ExecutionState, 0, 0] };
  return { status, state: { ...state, ...answer } };
}

/** Handlers of messages about fences and device states. */
export const HOST_SYNC: Readonly<Record<string, HostHandler>> = {
  CreateSyncObject: create,
  DestroySyncObject: destroy,
  WaitSyncFromCpu: waitFromCpu,
  WaitSyncFromGpu: waitFromGpu,
  SignalSyncObject: signal,
  GetDeviceState: deviceState,
};
