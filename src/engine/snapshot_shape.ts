// What a snapshot looks like, checked: a keyframe comes out of a file, so nothing of it is believed.
// The tables are typed by what they describe, so that a member without a check does not compile.
// Places, ranges and page tables are checked where they are put to use: `World.restoreObjects`, `AddressSpace.fromPlain`.

import {
  HANDLE_SPACES,
  type ObjectKind,
  OBJECTS,
  OPTIONS,
  type Outcome,
  PAGE_BYTES,
  type Ref,
  type Value,
} from "../api/mod.ts";
import { type PartitionState } from "./memory.ts";
import type { ObjectDataByKind, ObjectState, Piece } from "./objects.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Output, PendingCallback } from "./world.ts";

type Check<T> = (value: unknown) => value is T;
type Shape<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/** Whether plain data is the state of an engine of this version. */
export function isSnapshot(value: unknown): value is Snapshot {
  return SNAPSHOT(value);
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map) &&
    !(value instanceof Set) && !ArrayBuffer.isView(value);
}

function members<T>(shape: Shape<T>): Check<T> {
  const checks = Object.entries<Check<unknown>>(shape);
  return (value: unknown): value is T => isPlainObject(value) && checks.every(([name, check]) => check(value[name]));
}

function list<T>(check: Check<T>): Check<T[]> {
  return (value: unknown): value is T[] => Array.isArray(value) && value.every(check);
}

function mapOf<K, V>(key: Check<K>, each: Check<V>): Check<Map<K, V>> {
  return (value: unknown): value is Map<K, V> =>
    value instanceof Map && [...value].every(([name, member]) => key(name) && each(member));
}

function setOf<T>(check: Check<T>): Check<Set<T>> {
  return (value: unknown): value is Set<T> => value instanceof Set && [...value].every(check);
}

function oneOf<T extends string>(...names: readonly T[]): Check<T> {
  return (value: unknown): value is T => names.some((name) => name === value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

function isBigint(value: unknown): value is bigint {
  return typeof value === "bigint";
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function isPage(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === PAGE_BYTES;
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
  return MEMORY_OUTPUT(value) || LEAVE_OUTPUT(value);
}

function isObjectState(value: unknown): value is ObjectState {
  return OBJECT(value) && DATA[value.kind](value.data);
}

function isPair(value: unknown): value is readonly [child: number, owner: number] {
  return Array.isArray(value) && value.length === 2 && value.every(isCount);
}

/** Every option is text; which text each takes, `parseOption` said when it was set. */
function isOptions(value: unknown): value is Snapshot["options"] {
  return isPlainObject(value) && kindsOf(OPTIONS).every((name) => isText(value[name]));
}

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

function kindsOf<K extends string>(table: Readonly<Record<K, unknown>>): K[] {
  const names: K[] = [];
  for (const name in table) names.push(name);
  return names;
}

const PIECE = members<Piece>({ pages: list(isCount), byteOffset: isCount, byteCount: isCount });
const NOTHING = members<Record<never, never>>({});

const DATA: { readonly [K in ObjectKind]: Check<ObjectDataByKind[K]> } = {
  vmbus: NOTHING,
  kernelHandle: NOTHING,
  interface: NOTHING,
  packet: NOTHING,
  completion: NOTHING,
  process: NOTHING,
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
    callbacks: setOf(isText),
  }),
  gpadl: members<ObjectDataByKind["gpadl"]>({
    channel: isCount,
    server: isCount,
    connection: isCount,
    readOnly: isFlag,
    pieces: list(PIECE),
    byteCount: isCount,
    mappings: list(isCount),
    isDeleting: isFlag,
  }),
  mdl: members<ObjectDataByKind["mdl"]>({
    partition: PARTITION,
    pieces: list(PIECE),
    byteCount: isCount,
    next: isCount,
    gpadl: isCount,
    buffer: isCount,
  }),
  buffer: members<ObjectDataByKind["buffer"]>({ partition: PARTITION, piece: PIECE }),
  adapter: members<ObjectDataByKind["adapter"]>({ luid: isBigint }),
  device: members<ObjectDataByKind["device"]>({ adapter: isCount }),
  context: members<ObjectDataByKind["context"]>({
    device: isCount,
    physicalAdapter: isCount,
    waits: mapOf(isCount, isBigint),
  }),
  pagingQueue: members<ObjectDataByKind["pagingQueue"]>({
    device: isCount,
    physicalAdapter: isCount,
    priority: isNumber,
    syncObject: isCount,
    lastFence: isBigint,
    completedFence: isBigint,
    isEnding: isFlag,
  }),
  resource: members<ObjectDataByKind["resource"]>({ device: isCount, isShared: isFlag }),
  allocation: members<ObjectDataByKind["allocation"]>({
    device: isCount,
    resource: isCount,
    partition: PARTITION,
    pages: list(isCount),
    buffer: isCount,
  }),
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

const SNAPSHOT = members<Snapshot>({
  options: isOptions,
  timeNs: isBigint,
  memory: members<Snapshot["memory"]>({ guest: PARTITION_STATE, host: PARTITION_STATE, video: PARTITION_STATE }),
  spaces: mapOf(isText, list(isTapeValue)),
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
