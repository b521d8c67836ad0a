// What the engine knows of each object beyond its declaration, by kind. Plain data: numbers name other objects,
// so that a snapshot is a copy.

import type { ObjectKind, Ref } from "../api/mod.ts";

/** Bytes of pages that follow each other logically. */
export interface Piece {
  readonly pages: readonly number[];
  /** Into the first page. */
  readonly byteOffset: number;
  readonly byteCount: number;
}

/** Which memory pages belong to. */
export type PartitionName = "guest" | "host" | "video";

/** A channel endpoint; axes of kmcl.md 1.2: `state` of the object is axis A, `isActive` axis B. */
export interface ChannelData {
  readonly isServer: boolean;
  /** The other endpoint's channel number while connected, else 0. */
  peer: number;
  isActive: boolean;
  /** Started ran (or would have) and Suspend did not since. */
  isRunning: boolean;
  interfaceType: string | null;
  interfaceInstance: string | null;
  pointer: bigint;
  latency: number;
  mmioMegabytes: number;
  /** Registered state-change callbacks. */
  callbacks: Set<string>;
  /** A Disable is under way at this end. */
  isDisabling: boolean;
  /** The server revoked the offer. */
  isRescinded: boolean;
}

/** A GPADL: which bytes of the guest, and whether the server has them mapped. */
export interface GpadlData {
  /** The client channel's number. */
  readonly channel: number;
  readonly readOnly: boolean;
  readonly pieces: readonly Piece[];
  readonly byteCount: number;
  /** Numbers of the MDLs of live mappings. */
  readonly mappings: number[];
  isDeleting: boolean;
}

/** An MDL: a logical byte string over pages. */
export interface MdlData {
  readonly partition: PartitionName;
  readonly pieces: readonly Piece[];
  readonly byteCount: number;
  /** The next MDL's number in the chain, else 0. */
  readonly next: number;
  /** The GPADL whose mapping this is, else 0. */
  readonly gpadl: number;
  /** The buffer it was made of, else 0. */
  readonly buffer: number;
}

/** A buffer: pages of a partition. */
export interface BufferData {
  readonly partition: PartitionName;
  readonly piece: Piece;
}

/** An adapter handle; address spaces belong to a process on the adapter behind it. */
export interface AdapterData {
  readonly luid: bigint;
}

/** A context: waits that were queued on it order later GPU work. */
export interface ContextData {
  readonly device: number;
  /** The physical GPU whose page tables its accesses use. */
  readonly physicalAdapter: number;
  /** Fence waits queued: sync object number to the highest value awaited. */
  readonly waits: Map<number, bigint>;
}

/** A paging queue with its monitored fence. */
export interface PagingQueueData {
  readonly device: number;
  readonly physicalAdapter: number;
  readonly priority: number;
  /** Its fence's sync object number. */
  readonly syncObject: number;
  /** The fence value of the newest operation. */
  lastFence: bigint;
}

/** A monitored fence. */
export interface SyncObjectData {
  readonly device: number;
  /** The paging queue that owns it, else 0. */
  readonly pagingQueue: number;
  value: bigint;
}

/** An allocation of whole pages; over existing memory it is the buffer's pages, else the GPU's own. */
export interface AllocationData {
  readonly device: number;
  readonly resource: number;
  readonly partition: PartitionName;
  readonly pages: readonly number[];
  readonly buffer: number;
}

/** Extra data by object kind. */
export interface ObjectDataByKind {
  vmbus: Record<never, never>;
  kernelHandle: Record<never, never>;
  interface: Record<never, never>;
  channel: ChannelData;
  gpadl: GpadlData;
  mdl: MdlData;
  buffer: BufferData;
  packet: Record<never, never>;
  completion: Record<never, never>;
  adapter: AdapterData;
  process: Record<never, never>;
  device: { readonly adapter: number };
  context: ContextData;
  pagingQueue: PagingQueueData;
  resource: { readonly device: number };
  allocation: AllocationData;
  syncObject: SyncObjectData;
  vad: Record<never, never>;
}

/** An object of the engine. */
export interface EngineObject<K extends ObjectKind = ObjectKind> {
  readonly kind: K;
  readonly number: number;
  readonly handle: number;
  readonly ref: Ref;
  /** Who created it; a GPU object belongs to this side's process. */
  readonly side: string;
  /** One of the kind's declared states. */
  state: string;
  alive: boolean;
  readonly data: ObjectDataByKind[K];
}
