// What the host's side of the paravirtualised path knows: the processes that stand for guest processes, and what guest memory
// it has mapped for which allocation. It must not know messages.

import type { SideApi, Thread } from "../driver/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";

/** The guest memory behind an allocation. */
export interface SystemMemory {
  readonly device: number;
  readonly resource: number;
  readonly pageCount: number;
  /** The GPADL that is mapped for it, 0: none. */
  gpadl: number;
  /** Pages that came by number. */
  pages: number;
}

/** A process on the host that stands for one in the guest. */
export interface HostProcess {
  readonly handle: number;
  /** It is the n-th process of the host: side `umd#n`. */
  readonly number: number;
  /** Handles of adapters that it opened. */
  readonly adapters: Set<number>;
  /** What it had is gone, by its own end or that of a channel: nothing is kept for it any more. */
  hasEnded: boolean;
  /** By the allocation's handle. */
  readonly memory: Map<number, SystemMemory>;
}

/** A packet that is completed late. */
export interface LateAnswer {
  readonly channel: number;
  /** The host's handle of the guest process. */
  readonly process: number;
  /** Completes it with a reply's fields, unless that was done; says whether it did. */
  complete(thread: Thread, reply: LayoutRecord): Promise<boolean>;
}

/** The server ends of the two channels. */
export interface HostChannels {
  readonly global: number;
  readonly vgpu: number;
}

/** The host's side of one guest. */
export interface HostState {
  channels: HostChannels;
  readonly processes: Map<number, HostProcess>;
  /** Packets whose calls are not over. */
  readonly late: Set<LateAnswer>;
  /** The number that the next process gets; the first of the host is its own. */
  nextProcess: number;
}

/** A message that the host repeats. */
export interface HostCall {
  readonly thread: Thread;
  readonly state: HostState;
  readonly process: HostProcess;
  /** The calls of that process. */
  readonly umd: SideApi<"umd">;
  readonly fields: LayoutRecord;
}

/** Repeats a message; what it gives is the reply. */
export type HostHandler = (call: HostCall) => Promise<LayoutRecord>;
