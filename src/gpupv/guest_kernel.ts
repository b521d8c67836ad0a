// The guest's graphics kernel: what a program asks of /dev/dxg comes in here, as a command and bytes.
// It must not know the commands one by one.

import { findIoctl } from "../api/mod.ts";
import type { Thread } from "../driver/mod.ts";
import { ADDRESS_IOCTLS } from "./guest_addresses.ts";
import { ALLOCATION_IOCTLS } from "./guest_allocation.ts";
import { LOCK_IOCTLS } from "./guest_locks.ts";
import { SYNC_IOCTLS } from "./guest_sync.ts";
import { OBJECT_IOCTLS } from "./guest_objects.ts";
import { EINVAL, ENOTTY } from "./guest_state.ts";
import { type GuestProcess, type IoctlEntry, ioctlOver } from "./ioctl.ts";

const IOCTLS: Readonly<Record<string, IoctlEntry>> = {
  ...OBJECT_IOCTLS,
  ...ALLOCATION_IOCTLS,
  ...ADDRESS_IOCTLS,
  ...LOCK_IOCTLS,
  ...SYNC_IOCTLS,
};

/** What an ioctl gave back. */
export interface IoctlEnd {
  /** A status of 0 or above, or a negative errno. */
  readonly Result: number;
  /** The program's memory after it. */
  readonly Argument: Uint8Array;
}

/** Runs an ioctl: a number or a size that is not known is ENOTTY, an argument that is too short EINVAL. */
export async function runIoctl(
  thread: Thread,
  process: GuestProcess,
  { command, argument }: { readonly command: number; readonly argument: Uint8Array },
): Promise<IoctlEnd> {
  const entry = IOCTLS[findIoctl(command)?.name ?? ""];
  if (entry === undefined) return { Result: ENOTTY, Argument: argument };
  if (argument.length < entry.struct.bytes) return { Result: EINVAL, Argument: argument };
  const memory = argument.slice();
  const Result = await entry.handler(ioctlOver(entry.struct, { thread, process, argument: memory }));
  return { Result, Argument: memory };
}
