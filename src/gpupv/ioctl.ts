// One ioctl in the guest's graphics kernel: who asks, the structure that was handed over, and what is written back into it.
// It must not know any particular command.

import type { Mailbox, Thread } from "../driver/mod.ts";
import type { Layout, LayoutRecord } from "../wire/mod.ts";
import type { GuestHandles } from "./guest_state.ts";
import type { GuestTransport } from "./guest_transport.ts";

/** What the guest's kernel keeps for a process, with what its host and it agreed on. */
export interface GuestProcess {
  readonly handles: GuestHandles;
  readonly transport: GuestTransport;
  /** GPADLs of its memory that live. */
  readonly gpadls: Set<number>;
  /** How many are being made, and the mail that each sends when it is. */
  readonly sharing: { count: number; readonly done: Mailbox<number> };
  /** Whether the host maps guest memory by page numbers, message 66, and not by GPADL, message 45. */
  readonly mapsGuestPages: boolean;
  /** Whether GPADLs are torn down at all: what a preprocessor slip once left out (gpuva.md 5.7, G1). */
  readonly tearsDown: boolean;
}

/** An ioctl under way. */
export interface Ioctl {
  readonly thread: Thread;
  readonly process: GuestProcess;
  /** The structure as it came. */
  readonly args: LayoutRecord;
  /** The program's memory: the structure, and what it points to. */
  readonly argument: Uint8Array;
  /** Writes fields of the structure back. */
  write(fields: LayoutRecord): void;
}

/** What a command does: its result is a status of 0 or above, or a negative errno. */
export type IoctlHandler = (ioctl: Ioctl) => Promise<number>;

/** A command's handler with the structure that it takes. */
export interface IoctlEntry {
  readonly struct: Layout;
  readonly handler: IoctlHandler;
}

/** An ioctl over a copy of the program's memory. */
export function ioctlOver(
  struct: Layout,
  { thread, process, argument }: Pick<Ioctl, "thread" | "process" | "argument">,
): Ioctl {
  const args = struct.decode(argument);
  return {
    thread,
    process,
    args,
    argument,
    write: (fields) => argument.set(struct.encode({ ...args, ...fields })),
  };
}
