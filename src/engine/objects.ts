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

/**
 * How far an endpoint's driver is: not opened, Opened due or under way, opened but not running, Started returned and
 * PostStarted due or under way, running.
 */
export type ChannelPhase = "unopened" | "opening" | "stopped" | "starting" | "running";

/** A VmbChannelDisable that has not returned: the connection that it waits to be down at both ends. */
export interface DisableWait {
  /** Its enter event. */
  readonly event: number;
  readonly connection: number;
  readonly peer: number;
}

/** A channel endpoint; axes of kmcl.md 1.2: `state` of the object is axis A, `isActive` axis B. */
export interface ChannelData {
  readonly isServer: boolean;
  /** The other endpoint's channel number in the current or last connection, 0: never connected. */
  peer: number;
  /** Number of the current or last connection, the same at both ends; 0: never connected. */
  connection: number;
  isActive: boolean;
  /** A Pause while disabled: the next Enable leaves the channel paused (kmcl.md X3). */
  isAutoPaused: boolean;
  phase: ChannelPhase;
  /** The state-change callback that was made and has not returned, empty: none. */
  awaited: string;
  /** The connection is to be torn down at this end. */
  isClosing: boolean;
  /** A Disable of an open channel is under way at this end. */
  isDisabling: boolean;
  /** The server revoked the offer of the current or last connection. */
  isRescinded: boolean;
  /** Enter events of Pauses that wait for Suspend to return. */
  pauses: number[];
  /** Disables that wait for both ends to be down. */
  disables: DisableWait[];
  interfaceType: string | null;
  interfaceInstance: string | null;
  pointer: bigint;
  latency: number;
  mmioMegabytes: number;
  /** Registered callbacks. */
  callbacks: Set<string>;
}

/** A GPADL: which bytes of the guest, and whether the server has them mapped. */
export interface GpadlData {
  /** The client channel's number. */
  readonly channel: number;
  /** The number of the server channel that it was created for. */
  readonly server: number;
  /** The connection that it was created in. */
  readonly connection: number;
  readonly readOnly: boolean;
  pieces: readonly Piece[];
  readonly byteCount: number;
  /** Numbers of the MDLs of live mappings, oldest first. */
  readonly mappings: number[];
  isDeleting: boolean;
}

/** An MDL: a logical byte string over pages. */
export interface MdlData {
  readonly partition: PartitionName;
  pieces: readonly Piece[];
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
  syncObject: number;
  /** The fence value of the newest operation. */
  lastFence: bigint;
  /** The fence value up to which operations ran. */
  completedFence: bigint;
  /** A destroy waits for its operations: it takes no more. */
  isEnding: boolean;
}

/** A monitored fence. */
export interface SyncObjectData {
  readonly device: number;
  /** The paging queue that owns it, else 0. */
  readonly pagingQueue: number;
  /** D3DDDI_SYNCHRONIZATIONOBJECT_FLAGS. */
  readonly flags: number;
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

/** A resource; nothing can be added to one that is shared. */
export interface ResourceData {
  readonly device: number;
  readonly isShared: boolean;
}

/** An obtained range; which pages are left of it, its address space knows. */
export interface VadData {
  /** Its address space, by the name in `World.spaces`. */
  readonly space: string;
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
  resource: ResourceData;
  allocation: AllocationData;
  syncObject: SyncObjectData;
  vad: VadData;
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
  /** It may have ended. The links below are the object tables' to change. */
  owner: EngineObject | null;
  newestChild: EngineObject | null;
  /** Children of the same owner, made just before and just after. */
  olderSibling: EngineObject | null;
  newerSibling: EngineObject | null;
}

/** An object as plain data; its reference follows from kind, number and handle. */
export type ObjectState<K extends ObjectKind = ObjectKind> = Pick<
  EngineObject<K>,
  "kind" | "number" | "handle" | "side" | "state" | "alive" | "data"
>;
