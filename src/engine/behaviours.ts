// Every behaviour, by call. A call that is neither regular nor unmodelled and has none here does not compile.

import type { CALLS } from "../api/mod.ts";
import { ADAPTER_BEHAVIOURS } from "./adapter.ts";
import { ALLOCATION_BEHAVIOURS } from "./allocation.ts";
import type { Behaviour } from "./behaviour.ts";
import { type CallbackReturn, CHANNEL_BEHAVIOURS, CHANNEL_RETURNS } from "./channel.ts";
import { CHANNEL_INIT_BEHAVIOURS } from "./channel_init.ts";
import { DEVICE_ERROR_BEHAVIOURS } from "./device_error.ts";
import { DXG_BEHAVIOURS, DXG_RETURNS } from "./dxg_ioctl.ts";
import { GPADL_BEHAVIOURS } from "./gpadl.ts";
import { GPU_ACCESS_BEHAVIOURS } from "./gpu_access.ts";
import { GPU_VA_BEHAVIOURS } from "./gpu_va.ts";
import { INCOMING_BEHAVIOURS } from "./incoming.ts";
import { IRQL_BEHAVIOURS } from "./irql.ts";
import { KERNEL_DRIVER_BEHAVIOURS, KERNEL_RETURNS, type KernelReturn } from "./kernel_driver.ts";
import { LOCK_BEHAVIOURS } from "./lock.ts";
import { MACHINE_BEHAVIOURS } from "./machine.ts";
import { beginRoutine, PACKET_BEHAVIOURS } from "./packet.ts";
import { PAGING_BEHAVIOURS } from "./paging.ts";
import { RESIDENCY_BEHAVIOURS } from "./residency.ts";
import { SUBMISSION_BEHAVIOURS } from "./submission.ts";
import { SYNC_OBJECT_BEHAVIOURS } from "./sync_object.ts";
import { RESTORE_BEHAVIOURS, RESTORE_RETURNS } from "./restore.ts";
import { SAVED_VM_BEHAVIOURS } from "./saved_vm.ts";
import { SAVE_BEHAVIOURS, SAVE_RETURNS } from "./save.ts";
import { SYNC_REQUEST_BEHAVIOURS } from "./sync_request.ts";
import { UPDATE_BEHAVIOURS } from "./update.ts";
import { UNLOAD_BEHAVIOURS } from "./unload.ts";
import type { PendingCallback, World } from "./world.ts";

type Irregular = {
  [N in keyof typeof CALLS]: (typeof CALLS)[N] extends { readonly regular: true } | { readonly modelled: false } ? never
    : N;
}[keyof typeof CALLS];

const ALL = {
  ...CHANNEL_BEHAVIOURS,
  ...CHANNEL_INIT_BEHAVIOURS,
  ...GPADL_BEHAVIOURS,
  ...PACKET_BEHAVIOURS,
  ...INCOMING_BEHAVIOURS,
  ...SYNC_REQUEST_BEHAVIOURS,
  ...UNLOAD_BEHAVIOURS,
  ...SAVED_VM_BEHAVIOURS,
  ...SAVE_BEHAVIOURS,
  ...RESTORE_BEHAVIOURS,
  ...IRQL_BEHAVIOURS,
  ...MACHINE_BEHAVIOURS,
  ...ADAPTER_BEHAVIOURS,
  ...PAGING_BEHAVIOURS,
  ...ALLOCATION_BEHAVIOURS,
  ...GPU_VA_BEHAVIOURS,
  ...UPDATE_BEHAVIOURS,
  ...KERNEL_DRIVER_BEHAVIOURS,
  ...GPU_ACCESS_BEHAVIOURS,
  ...DEVICE_ERROR_BEHAVIOURS,
  ...DXG_BEHAVIOURS,
  ...LOCK_BEHAVIOURS,
  ...RESIDENCY_BEHAVIOURS,
  ...SUBMISSION_BEHAVIOURS,
  ...SYNC_OBJECT_BEHAVIOURS,
} as const satisfies Readonly<Record<Irregular, Behaviour>>;

/** Behaviours by call name. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour | undefined>> = ALL;

/** What goes on when a callback returns, by callback name. */
export const CALLBACK_RETURNS: Readonly<Record<string, CallbackReturn | undefined>> = {
  ...CHANNEL_RETURNS,
  ...SAVE_RETURNS,
  ...RESTORE_RETURNS,
};

/** The same for callbacks that no channel makes. */
export const OTHER_RETURNS: Readonly<Record<string, ((world: World, returned: KernelReturn) => void) | undefined>> = {
  ...KERNEL_RETURNS,
  ...DXG_RETURNS,
};

/** What happens when a callback begins, by callback name. */
export const CALLBACK_BEGINS: Readonly<
  Record<string, ((world: World, callback: PendingCallback) => void) | undefined>
> = { EvtVmbPacketCompletionRoutine: beginRoutine };
