// Answers that are no success and yet mean that something happened: where a failed call may have changed the world.
// It must not know what changes, only which answers the documents give such a meaning (kmcl.md 2.4, 2.6; gpuva.md 2.3, 4.8).

import { type Outcome, STATUS } from "../../src/api/mod.ts";

/** Statuses with which a call did a part of its work, by the call's name. */
const PARTLY: Readonly<Record<string, ReadonlySet<number>>> = {
  // The host refused what the guest had sent it.
  VmbChannelCreateGpadlFromBuffer: new Set([STATUS.STATUS_QUOTA_EXCEEDED]),
  VmbChannelCreateGpadlFromMdl: new Set([STATUS.STATUS_QUOTA_EXCEEDED]),
  VmbChannelRestoreFromBuffer: new Set([STATUS.STATUS_MORE_PROCESSING_REQUIRED]),
  VmbChannelSendSynchronousRequest: new Set([
    STATUS.STATUS_BUFFER_OVERFLOW,
    STATUS.STATUS_CANCELLED,
    STATUS.STATUS_TIMEOUT,
    STATUS.STATUS_DEVICE_REMOVED,
  ]),
  // The option gpu-access-fault can make a fault an error of the device.
  GpuAccess: new Set([STATUS.STATUS_ACCESS_VIOLATION]),
  // What must succeed and cannot puts the device in error.
  D3DKMTMakeResident: new Set([STATUS.STATUS_NO_MEMORY]),
  // Of a refused update nothing is left but a wider index of where allocations may be mapped; pages are the page oracle's.
  D3DKMTUpdateGpuVirtualAddress: new Set([STATUS.STATUS_INVALID_PARAMETER]),
  VmbChannelSaveContinue: new Set([STATUS.STATUS_BUFFER_OVERFLOW, STATUS.STATUS_BUFFER_TOO_SMALL]),
};

/** Whether a failed call may have changed the world all the same. */
export function mayChangeThough(name: string, outcome: Outcome): boolean {
  return outcome.form === "status" && PARTLY[name]?.has(outcome.status) === true;
}
