// What a snapshot looks like, checked: a keyframe comes out of a file, so nothing of it is believed.
// The tables are typed by what they describe, so that a member without a check does not compile.
// Places, ranges and page tables are checked where they are put to use: `World.restoreObjects`, `AddressSpace.fromPlain`.

import {
  defaultOptions,
  HANDLE_SPACES,
  type ImagePosition,
  type ObjectKind,
  OBJECTS,
  OPTIONS,
  type Outcome,
  parseOption,
  type Ref,
  type SavedConnection,
  type SavedGpadl,
  type SavedPacket,
  type SavedResponse,
  type Value,
  WIRE,
} from "../api/mod.ts";
import { type PartitionState } from "./memory.ts";
import type { AllocationData, ObjectDataByKind, ObjectState, PageIn, Piece, RestoreData, SaveData } from "./objects.ts";
import type { DyingAllocation } from "./allocation_end.ts";
import type { FenceTarget, GpuAccess, GpuCommand, GpuQueue } from "./gpu_work.ts";
import { COMPLETION, PACKET, TRANSPORT } from "./packet_shape.ts";
import type { PlainDataByKind } from "./plain_data.ts";
import {
  type Check,
  isBigint,
  isBytes,
  isCount,
  isFlag,
  isNumber,
  isPage,
  isPlainObject,
  isText,
  isTextOrNull,
  kindsOf,
  list,
  mapOf,
  members,
  oneOf,
  orNull,
  setOf,
  type Shape,
} from "./shape.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Companion, QueuedUpdate } from "./update_queue.ts";
import type { HeldOffer, Link, WireState } from "./wire_state.ts";
import type { Output, PendingCallback } from "./world.ts";

/** Whether plain data is the state of an engine of this version. */
export function isSnapshot(value: unknown): value is Snapshot {
  return SNAPSHOT(value);
}

function isTapeValue(value: unknown): value is number | bigint {
  return isNumber(value) || isBigint(value);
}

function isValue(value: unknown): value is Value {
  if (value === null || isNumber(value) || isBigint(value) || isText(value) || isFlag(value) || isBytes(value)) {
    return true;
  }
  if (Array.isArray(value)) return value.every(isValue);
  if (!isPlainObject(value)) return false;
  return "handle" in value && "number" in value && "kind" in value
    ? REF(value)
    : Object.values(value).every((each) => isValue(each));
}

function isOutcome(value: unknown): value is Outcome {
  if (!isPlainObject(value)) return false;
  if (value.form === "status") return isCount(value.status);
  if (value.form === "value") return isValue(value.value);
  return value.form === "void" || (value.form === "refused" && isText(value.reason));
}

function isOutput(value: unknown): value is Output {
  return MEMORY_OUTPUT(value) || LEAVE_OUTPUT(value) || MESSAGE_OUTPUT(value);
}

function isObjectState(value: unknown): value is ObjectState {
  return OBJECT(value) && (value.data === null ? !value.alive : DATA[value.kind](value.data));
}

function isPair(value: unknown): value is readonly [child: number, owner: number] {
  return Array.isArray(value) && value.length === 2 && value.every(isCount);
}

/** Every option has one of the values that it takes. */
function isOptions(value: unknown): value is Snapshot["options"] {
  return isPlainObject(value) && kindsOf(OPTIONS).every((name) => takes(name, value[name]));
}

function takes(option: string, value: unknown): boolean {
  if (!isText(value)) return false;
  try {
    parseOption(DEFAULTS, option, value);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const DEFAULTS = defaultOptions();

const KIND = oneOf(...kindsOf(OBJECTS));
const SPACE = oneOf(...kindsOf(HANDLE_SPACES));
const PARTITION = oneOf("guest", "host", "video");
const REF = members<Ref>({ kind: KIND, number: isCount, handle: isCount });
const MEMORY_OUTPUT = members<Extract<Output, { form: "memory" }>>({
  form: oneOf("memory"),
  partition: PARTITION,
  page: isCount,
  offset: isCount,
  bytes: isBytes,
});
const LEAVE_OUTPUT = members<Extract<Output, { form: "leave" }>>({
  form: oneOf("leave"),
  event: isCount,
  outcome: isOutcome,
  outs: list(isValue),
});
const MESSAGE_OUTPUT = members<Extract<Output, { form: "message" }>>({
  form: oneOf("message"),
  name: oneOf(...kindsOf(WIRE)),
  side: isText,
  ins: list(isValue),
});

const PIECE = members<Piece>({ pages: list(isCount), byteOffset: isCount, byteCount: isCount });
const NOTHING = members<Record<never, never>>({});

const ALLOCATION = members<AllocationData>({
  device: isCount,
  resource: isCount,
  partition: PARTITION,
  pages: list(isCount),
  buffer: isCount,
  residency: oneOf("unmanaged", "pending", "resident", "lingering", "evicted"),
  residentCount: isCount,
  evictions: isCount,
  evictedAfter: isCount,
  isOffered: isFlag,
  isDiscarded: isFlag,
  lockCount: isCount,
});

const POSITION = members<ImagePosition>({ sequence: isCount, checksum: isCount });
const SAVE = members<SaveData>({
  packets: list(isCount),
  chunks: list(isBytes),
  position: POSITION,
  isWhole: isFlag,
  continuing: isCount,
  askedBytes: orNull(isCount),
  failure: orNull(isCount),
});
const RESTORE = members<RestoreData>({
  position: POSITION,
  isWhole: isFlag,
  gpadls: list(members<SavedGpadl>({
    handle: isCount,
    isReadOnly: isFlag,
    isDeleting: isFlag,
    isMapped: isFlag,
    pieces: list(PIECE),
  })),
  connection: orNull(members<SavedConnection>({
    number: isCount,
    toServer: list(isCount),
    toClient: list(isCount),
    responses: list(members<SavedResponse>({ transaction: isCount, payload: isBytes })),
  })),
  packets: list(members<SavedPacket>({ context: isBytes, driverBytes: isBytes })),
  restoring: isCount,
  isAsking: isFlag,
  failure: orNull(isCount),
});

const DATA: { readonly [K in ObjectKind]: Check<PlainDataByKind[K]> } = {
  vmbus: NOTHING,
  kernelHandle: NOTHING,
  interface: NOTHING,
  packet: PACKET,
  completion: COMPLETION,
  process: members<ObjectDataByKind["process"]>({
    space: isText,
    openedBy: isCount,
    status: isCount,
    isExiting: isFlag,
  }),
  channel: members<ObjectDataByKind["channel"]>({
    isServer: isFlag,
    peer: isCount,
    connection: isCount,
    isActive: isFlag,
    isAutoPaused: isFlag,
    phase: oneOf("unopened", "opening", "stopped", "starting", "running"),
    awaited: isText,
    isClosing: isFlag,
    isDisabling: isFlag,
    isRescinded: isFlag,
    pauses: list(isCount),
    disables: list(members<ObjectDataByKind["channel"]["disables"][number]>({
      event: isCount,
      connection: isCount,
      peer: isCount,
    })),
    interfaceType: isTextOrNull,
    interfaceInstance: isTextOrNull,
    pointer: isBigint,
    latency: isCount,
    mmioMegabytes: isCount,
    targetVtl: isCount,
    callbacks: setOf(isText),
    forcesNewChannel: isFlag,
    save: orNull(SAVE),
    restore: orNull(RESTORE),
    transport: TRANSPORT,
  }),
  gpadl: members<PlainDataByKind["gpadl"]>({
    channel: isCount,
    server: isCount,
    connection: isCount,
    readOnly: isFlag,
    pieces: list(PIECE),
    byteCount: isCount,
    mappings: list(isCount),
    isDeleting: isFlag,
    wasUnmapped: isFlag,
  }),
  mdl: members<PlainDataByKind["mdl"]>({
    partition: PARTITION,
    pieces: list(PIECE),
    byteCount: isCount,
    next: isCount,
    gpadl: isCount,
    buffer: isCount,
    completion: isCount,
  }),
  buffer: members<PlainDataByKind["buffer"]>({ partition: PARTITION, piece: PIECE }),
  adapter: members<ObjectDataByKind["adapter"]>({ luid: isBigint }),
  device: members<ObjectDataByKind["device"]>({
    adapter: isCount,
    execution: isCount,
    faultedAddress: isBigint,
    faultFlags: isCount,
    submitted: isCount,
  }),
  context: members<ObjectDataByKind["context"]>({
    device: isCount,
    physicalAdapter: isCount,
    flags: isCount,
    submitted: isCount,
    granted: isCount,
  }),
  pagingQueue: members<ObjectDataByKind["pagingQueue"]>({
    device: isCount,
    physicalAdapter: isCount,
    priority: isNumber,
    syncObject: isCount,
    lastFence: isBigint,
    completedFence: isBigint,
    isEnding: isFlag,
    pageIns: list(members<PageIn>({ fence: isBigint, allocation: isCount, evictions: isCount })),
  }),
  resource: members<ObjectDataByKind["resource"]>({ device: isCount, isShared: isFlag }),
  allocation: ALLOCATION,
  syncObject: members<ObjectDataByKind["syncObject"]>({
    device: isCount,
    pagingQueue: isCount,
    flags: isCount,
    value: isBigint,
  }),
  vad: members<ObjectDataByKind["vad"]>({ space: isText }),
};

const OBJECT = members<Omit<ObjectState, "data"> & { readonly data: unknown }>({
  kind: KIND,
  number: isCount,
  handle: isCount,
  side: isText,
  state: isText,
  alive: isFlag,
  data: (value: unknown): value is unknown => value !== undefined,
});

const PARTITION_STATE = members<PartitionState>({
  next: isCount,
  free: list(isCount),
  contents: mapOf(isCount, isPage),
});

const CALLBACK: Shape<PendingCallback> = {
  id: isCount,
  name: isText,
  channel: isCount,
  side: isText,
  ins: list(isValue),
  cause: isCount,
};

const COMPANION = members<Companion>({
  space: isText,
  queue: list(members<QueuedUpdate>({
    event: isCount,
    syncObject: isCount,
    fenceValue: isBigint,
    doesNotWait: isFlag,
    operationCount: isCount,
  })),
  waiting: list(isCount),
});

const ACCESSES = list(members<GpuAccess>({ address: isBigint, byteCount: isCount, access: isCount }));
const TARGETS = list(members<FenceTarget>({ syncObject: isCount, value: isBigint }));
const GPU_QUEUE = members<GpuQueue>({ device: isCount, commands: list(isGpuCommand) });
const DYING = members<DyingAllocation>({ space: isText, data: ALLOCATION, after: isCount, event: isCount });

function isGpuCommand(value: unknown): value is GpuCommand {
  return WORK(value) || FENCES(value);
}

const WORK = members<Extract<GpuCommand, { form: "work" }>>({
  form: oneOf("work"),
  sequence: isCount,
  submission: isCount,
  accesses: ACCESSES,
});
const FENCES = members<Extract<GpuCommand, { form: "wait" | "signal" }>>({
  form: oneOf("wait", "signal"),
  targets: TARGETS,
});

const HELD: Shape<HeldOffer> = { channelId: isCount, server: isCount };
const WIRE_STATE = members<WireState>({
  nextChannelId: isCount,
  nextHandle: isCount,
  offers: mapOf(isCount, isCount),
  held: mapOf(isCount, members<HeldOffer>(HELD)),
  links: mapOf(
    isCount,
    members<Link>({
      ...HELD,
      connection: isCount,
      ringGpadl: isCount,
      result: orNull(isCount),
      isClosing: isFlag,
      isClientDown: isFlag,
      isServerDown: isFlag,
      isClosed: isFlag,
      isTornDown: isFlag,
    }),
  ),
  gpadls: mapOf(isCount, isCount),
  unload: oneOf("none", "closing", "sent"),
  isVmSaved: isFlag,
  postponed: mapOf(isCount, isCount),
});

const SNAPSHOT = members<Snapshot>({
  options: isOptions,
  timeNs: isBigint,
  irqls: mapOf(isText, isCount),
  memory: members<Snapshot["memory"]>({ guest: PARTITION_STATE, host: PARTITION_STATE, video: PARTITION_STATE }),
  spaces: mapOf(isText, list(isTapeValue)),
  companions: mapOf(isCount, COMPANION),
  gpuQueues: mapOf(isCount, GPU_QUEUE),
  dying: mapOf(isCount, DYING),
  kernelDriver: setOf(isText),
  pending: list(members<PendingCallback>(CALLBACK)),
  running: list(members<Snapshot["running"][number]>({ ...CALLBACK, event: isCount })),
  parked: list(members<Snapshot["parked"][number]>({
    event: isCount,
    name: isText,
    side: isText,
    ins: list(isValue),
  })),
  faults: list(members<Snapshot["faults"][number]>({ call: isText, status: isCount, skip: isCount })),
  outputs: list(isOutput),
  nextCallbackId: isCount,
  nextConnection: isCount,
  wire: WIRE_STATE,
  objects: members<Snapshot["objects"]>({
    objects: list(isObjectState),
    counts: mapOf(KIND, isCount),
    nextHandles: mapOf(SPACE, isCount),
    freedHandles: mapOf(SPACE, mapOf(isCount, isCount)),
    named: list(isCount),
    dead: mapOf(SPACE, list(isCount)),
    owners: list(isPair),
  }),
});
