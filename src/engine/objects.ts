// What the engine knows of each object beyond its declaration, by kind. Plain data: numbers name other objects,
// so that a snapshot is a copy.

import type { ImagePosition, ObjectKind, Ref, SavedConnection, SavedGpadl, SavedPacket } from "../api/mod.ts";
import type { PlainDataByKind } from "./plain_data.ts";
import type { CompletionData, PacketData, TransportData } from "./packet_data.ts";

export type {
  CompletionData,
  Outgoing,
  PacketData,
  RingPages,
  Sender,
  SyncRequest,
  TransportData,
} from "./packet_data.ts";

/** Bytes of pages that follow each other logically. */
export interface Piece {
  readonly pages: readonly number[];
  /** Into the first page. */
  readonly byteOffset: number;
  readonly byteCount: number;
}

/** Bytes [startOffset, startOffset + byteCount) of the byte string that some pieces are; `piecesOf` lists its own. */
export interface PartOfPieces {
  readonly whole: readonly Piece[];
  readonly startOffset: number;
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
  /** The virtual trust level that a server offers to. */
  targetVtl: number;
  /** Registered callbacks. */
  callbacks: Set<string>;
  /** VMBUS_SERVER_CHANNEL_FORCE_NEW_CHANNEL: a restored channel abandons what was in flight on the old one. */
  forcesNewChannel: boolean;
  /** The save that is open; null: none. */
  save: SaveData | null;
  /** What was restored, up to the next Enable; null: nothing. */
  restore: RestoreData | null;
  readonly transport: TransportData;
}

/** A save that is open (kmcl.md 6.2). */
export interface SaveData {
  /** Numbers of the packets that are still to be saved, oldest first. */
  packets: number[];
  /** Whole chunks that were made and that no SaveContinue has taken. */
  chunks: Uint8Array[];
  /** Where the next chunk stands. */
  position: ImagePosition;
  /** The last chunk was made. */
  isWhole: boolean;
  /** The enter event of the SaveContinue that waits, 0: none. */
  continuing: number;
  /** The room that the SavePacket which is due or under way was given in bytes; null: there is none. */
  askedBytes: number | null;
  /** The status with which saving a packet failed, null: it did not. */
  failure: number | null;
}

/** What was restored of a saved channel (kmcl.md 6.2). */
export interface RestoreData {
  /** Where the next chunk stands. */
  position: ImagePosition;
  /** The last chunk was read. */
  isWhole: boolean;
  gpadls: SavedGpadl[];
  /** The connection to go on with; null: it was not open. */
  connection: SavedConnection | null;
  /** Packets that the driver has not been given yet, oldest first. */
  packets: SavedPacket[];
  /** The enter event of the RestoreFromBuffer that waits, 0: none. */
  restoring: number;
  /** A RestorePacket is due or under way. */
  isAsking: boolean;
  /** The status with which the driver failed to restore a packet, null: it did not. */
  failure: number | null;
}

/** A GPADL: which bytes of the guest, and whether the server has them mapped. */
export interface GpadlData extends PartOfPieces {
  /** The client channel's number. */
  readonly channel: number;
  /** The number of the server channel that it was created for, or of the one that took over its connection. */
  server: number;
  /** The connection that it was created in. */
  readonly connection: number;
  readonly readOnly: boolean;
  whole: readonly Piece[];
  /** The number of the MDL of the oldest live mapping, 0: it is not mapped. */
  mapping: number;
  /** The same of those after it, oldest first: mostly none. */
  laterMappings: readonly number[];
  isDeleting: boolean;
  /** It was mapped once, and unmapped. */
  wasUnmapped: boolean;
}

/** An MDL: a logical byte string over pages. */
export interface MdlData extends PartOfPieces {
  readonly partition: PartitionName;
  whole: readonly Piece[];
  /** The next MDL's number in the chain, else 0. */
  readonly next: number;
  /** The GPADL whose mapping this is, else 0. */
  readonly gpadl: number;
  /** The buffer it was made of, else 0. */
  readonly buffer: number;
  /** The delivered packet whose external data this is, else 0. */
  readonly completion: number;
}

/** A buffer: pages of a partition, in one piece. */
export interface BufferData {
  readonly partition: PartitionName;
  readonly pieces: readonly [Piece];
}

/** An adapter handle; address spaces belong to a process on the adapter behind it. */
export interface AdapterData {
  readonly luid: bigint;
}

/** A process on an adapter, as the kernel driver knows it. */
export interface ProcessData {
  /** Its address space, by the name in `World.spaces`. */
  readonly space: string;
  /** The event of the call that waits for the driver's DxgkDdiCreateProcess. */
  readonly openedBy: number;
  /** What that returned. */
  status: number;
  /** It has ended, and the driver is to hear of it. */
  isExiting: boolean;
}

/** A device: how it is, and how much work was submitted to its contexts. */
export interface DeviceData {
  readonly adapter: number;
  /** D3DKMT_DEVICEEXECUTION_STATE. */
  execution: number;
  /** The first byte that an access of submitted work could not reach. */
  faultedAddress: bigint;
  /** DXGK_PAGE_FAULT_FLAGS of that access. */
  faultFlags: number;
  /** Submissions to all of its contexts, the broadcast ones counted for each. */
  submitted: number;
}

/** A context: a stream of GPU work; what of it has not run is in `World.gpuQueues`. */
export interface ContextData {
  readonly device: number;
  /** The physical GPU whose page tables its accesses use. */
  readonly physicalAdapter: number;
  /** D3DKMT_CREATECONTEXTVIRTUALFLAGS. */
  readonly flags: number;
  /** Submissions so far: the number of the newest one. */
  submitted: number;
  /** The submission up to which the GPU may run. */
  granted: number;
}

/** An allocation that a queued operation brings into memory. */
export interface PageIn {
  readonly fence: bigint;
  readonly allocation: number;
  /** The allocation's `evictions` then: a later eviction makes the operation void. */
  readonly evictions: number;
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
  /** What its residency operations bring in, in order of their fence values. */
  pageIns: readonly PageIn[];
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

/**
 * Where an allocation is in its residency: never asked for; asked for, not there yet; there; there until memory is short;
 * not there.
 */
export type Residency = "unmanaged" | "pending" | "resident" | "lingering" | "evicted";

/** An allocation of whole pages; over existing memory it is the buffer's pages, else the GPU's own. */
export interface AllocationData {
  readonly device: number;
  readonly resource: number;
  readonly partition: PartitionName;
  readonly pages: readonly number[];
  readonly buffer: number;
  residency: Residency;
  /** How often it was made resident and not evicted. */
  residentCount: number;
  /** How often its count came down to 0. */
  evictions: number;
  /** Work of its device up to this submission was queued before it was evicted, and still reaches it. */
  evictedAfter: number;
  isOffered: boolean;
  /** Its content was dropped while it was offered. */
  isDiscarded: boolean;
  /** How often the CPU locked it and did not unlock it. */
  lockCount: number;
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
  packet: PacketData;
  completion: CompletionData;
  adapter: AdapterData;
  process: ProcessData;
  device: DeviceData;
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
  /** Made anew each time: an object may serve again as another one once it ended, a reference never does. */
  readonly ref: Ref;
  /** Who created it; a GPU object belongs to this side's process. */
  readonly side: string;
  /** One of the kind's declared states. */
  state: string;
  alive: boolean;
  readonly data: ObjectDataByKind[K];
  /** It may have ended. The members below are the object tables' to change. */
  owner: EngineObject | null;
  /** Live objects that it owns, in no order; null: it never had one, or has ended. */
  children: EngineObject[] | null;
  /** How many objects it has owned so far. */
  adoptions: number;
  /** Where it stands among its owner's children, and the how many-th of them it is. */
  place: number;
  adoption: number;
}

/** An object as plain data; its reference follows from kind, number and handle. */
export interface ObjectState<K extends ObjectKind = ObjectKind>
  extends Pick<EngineObject<K>, "kind" | "number" | "handle" | "side" | "state" | "alive"> {
  /** Null: it ended, and no more is known than what it was. */
  readonly data: PlainDataByKind[K] | null;
}

/** Tells an object from a mere reference, and from any other value. */
export function isObject(value: unknown): value is EngineObject {
  return typeof value === "object" && value !== null && "alive" in value && "ref" in value;
}
