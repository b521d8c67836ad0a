// Arguments that belong together: a range that is free or obtained, a part of an allocation, a queue's next value.
// By call and parameter; what is not chosen here follows from the declaration's words.

import { PAGE_BYTES, SYMBOLS, type Value } from "../../src/api/mod.ts";
import type { AddressSpace, EngineObject } from "../../src/engine/mod.ts";
import { type GpuScene, pickObject } from "./gpu_va_words.ts";

type Chosen = Readonly<Record<string, Value>>;
/** Null: what the call needs is not there. */
type Related = (scene: GpuScene) => Chosen | null;

/** The window in which ranges are asked for, in pages; it begins where placement does. */
const WINDOW = { start: 16, pageCount: 192 } as const;
const UNIT_PAGES = 16;
const { Write, Execute, Zero, NoAccess } = SYMBOLS.protection;
const UNIQUE = 1n << 63n;
const { MAP, UNMAP, COPY, MAP_PROTECT } = SYMBOLS.updateOperation;
const MONITORED_FENCE = 5;
/** Of so many updates one is long: together they fill a queue. */
const LONG_UPDATES = 30;

interface Span {
  readonly start: number;
  readonly pageCount: number;
}

function bytes(pages: number): bigint {
  return BigInt(pages) * BigInt(PAGE_BYTES);
}

/** The address space of an object of a device, or of an adapter. */
function spaceOf({ world }: GpuScene, object: EngineObject): AddressSpace | null {
  const { data } = object;
  const device = "device" in data && typeof data.device === "number" ? world.find("device", data.device) : null;
  const adapter = object.kind === "adapter"
    ? object.number
    : "adapter" in data && typeof data.adapter === "number"
    ? data.adapter
    : device?.data.adapter ?? 0;
  return [...world.spaces.values()].find(({ adapters }) => adapters.has(adapter)) ?? null;
}

/** The pieces of obtained ranges of a space. */
function piecesOf(space: AddressSpace) {
  return space.vadsIn({ start: 0, end: space.pageLimit });
}

function inside({ start, end }: { readonly start: number; readonly end: number }, { random }: GpuScene): Span {
  const from = start + (random.below(3) === 0 ? 0 : random.below(end - start));
  return { start: from, pageCount: end - from };
}

function anywhere({ random }: GpuScene): Span {
  const at = random.below(WINDOW.pageCount);
  return { start: WINDOW.start + at, pageCount: WINDOW.pageCount - at };
}

/** Where a map goes: anywhere (start 0), into a reservation, over a mapping, or to a place of its own. */
function mapPlace(space: AddressSpace, scene: GpuScene): Span {
  const { random } = scene;
  const way = random.below(6);
  const kind = way < 3 ? "reserved" : "mapped";
  const pieces = piecesOf(space).filter(({ value }) => value.kind === kind);
  if (way === 0 || way === 5) return { start: 0, pageCount: 8 };
  if (way < 4 && pieces.length > 0) return inside(random.pick(pieces), scene);
  return anywhere(scene);
}

function map(scene: GpuScene): Chosen | null {
  const { random } = scene;
  const queue = pickObject(scene, "pagingQueue");
  const space = queue === null ? null : spaceOf(scene, queue);
  if (queue === null || space === null) return null;
  const place = mapPlace(space, scene);
  const allocation = random.below(5) === 0 ? null : pickObject(scene, "allocation");
  const total = allocation?.data.pages.length ?? 6;
  const offset = allocation === null ? 0 : random.below(Math.min(total, 4));
  const most = Math.max(1, Math.min(place.pageCount, total - offset, 12));
  const isWhole = random.below(3) === 0 && most === total;
  return {
    hPagingQueue: queue.ref,
    BaseAddress: bytes(place.start),
    MinimumAddress: place.start === 0 && random.below(4) === 0 ? bytes(anywhere(scene).start) : 0n,
    MaximumAddress: place.start === 0 && random.below(6) === 0 ? bytes(WINDOW.start + WINDOW.pageCount) : 0n,
    hAllocation: allocation?.ref ?? null,
    OffsetInPages: BigInt(offset),
    SizeInPages: BigInt(isWhole ? total : 1 + random.below(most)),
    Protection: allocation === null ? random.pick([Zero, NoAccess]) : random.pick([0n, Write, Write, Write | Execute]),
    DriverProtection: random.below(20) === 0 ? UNIQUE | 1n : random.pick([0n, 0n, 0n, 5n]),
  };
}

function reserve(scene: GpuScene): Chosen | null {
  const { random } = scene;
  const queue = random.below(2) === 0 ? pickObject(scene, "pagingQueue") : null;
  const adapter = queue === null ? pickObject(scene, "adapter") : null;
  if (queue === null && adapter === null) return null;
  const units = WINDOW.pageCount / UNIT_PAGES;
  return {
    hPagingQueue: queue?.ref ?? null,
    hAdapter: adapter?.ref ?? null,
    BaseAddress: random.below(2) === 0 ? 0n : bytes(WINDOW.start + UNIT_PAGES * random.below(units)),
    MinimumAddress: random.below(6) === 0 ? 0x20000n : 0n,
    MaximumAddress: 0n,
    Size: bytes(UNIT_PAGES * (1 + random.below(2))),
    ReservationType: random.pick([SYMBOLS.reservationType.ZERO, SYMBOLS.reservationType.ZERO, 0]),
    DriverProtection: random.pick([0n, 0n, 9n]),
  };
}

/** Mostly what was obtained, as it was; else a part of it, or more, or what is not there. */
function free(scene: GpuScene): Chosen | null {
  const { random } = scene;
  const adapter = pickObject(scene, "adapter");
  const space = adapter === null ? null : spaceOf(scene, adapter);
  if (adapter === null || space === null) return null;
  const pieces = piecesOf(space);
  const way = random.below(12);
  const whole = pieces.length === 0 || way === 0 ? null : random.pick(pieces);
  const place = whole === null ? anywhere(scene) : { start: whole.start, pageCount: whole.end - whole.start };
  const part = way < 3 && whole !== null ? inside(whole, scene) : place;
  const most = Math.min(part.pageCount, whole === null ? 24 : Infinity);
  const pageCount = way < 3 ? 1 + random.below(most) : way === 3 ? most + 1 : most;
  return { hAdapter: adapter.ref, BaseAddress: bytes(part.start), Size: bytes(pageCount) };
}

interface Target {
  readonly scene: GpuScene;
  /** Reservations of kind ZERO: what is changed lies in the first, what is copied in the second. */
  readonly target: { readonly start: number; readonly end: number };
  readonly source: { readonly start: number; readonly end: number };
}

function update(scene: GpuScene): Chosen | null {
  const { random, world } = scene;
  const context = pickObject(scene, "context");
  const device = context === null ? undefined : world.find("device", context.data.device);
  const fences = [...world.all("syncObject")].filter(({ data }) =>
    data.device === device?.number && data.pagingQueue === 0
  );
  const space = context === null ? null : spaceOf(scene, context);
  if (context === null || device === undefined || space === null || fences.length === 0) return null;
  const zero = piecesOf(space).filter(({ value }) => value.kind === "reserved" && value.baseState === "zero");
  if (zero.length === 0) return null;
  const fence = random.pick(fences);
  const count = random.below(LONG_UPDATES) === 0 ? 30 + random.below(60) : 1 + random.below(3);
  const where = { scene, target: random.pick(zero), source: random.pick(zero) };
  const ahead = random.pick([0n, 0n, 0n, 1n, 2n]);
  return {
    hDevice: device.ref,
    hContext: context.ref,
    hFenceObject: fence.ref,
    Operations: Array.from({ length: count }, () => operation(where)),
    Reserved0: 0n,
    Reserved1: 0n,
    FenceValue: fence.data.value >= 1n << 60n ? 0n : fence.data.value + ahead,
    Flags: random.pick([0, 0, 0, 1]),
  };
}

function operation({ scene, target, source }: Target): Value {
  const { random } = scene;
  const allocation = pickObject(scene, "allocation");
  const type = random.pick(allocation === null ? [UNMAP, COPY] : [MAP, MAP, MAP_PROTECT, UNMAP, COPY]);
  const place = inside(target, scene);
  const from = inside(source, scene);
  const total = allocation?.data.pages.length ?? 1;
  const offset = random.below(Math.min(3, total));
  const repeated = 1 + random.below(Math.min(2, total - offset));
  const repeats = random.below(3);
  const wanted = type === COPY ? from.pageCount : repeats > 0 ? repeats * repeated : total - offset;
  const pageCount = Math.max(1, Math.min(place.pageCount, wanted, 6));
  const isRepeated = (type === MAP || type === MAP_PROTECT) && pageCount % repeated === 0 && repeats > 0;
  const rights = type === UNMAP ? random.pick([Zero, Zero, Zero, NoAccess]) : random.pick([0n, Write, Execute]);
  return {
    OperationType: type,
    BaseAddress: bytes(place.start),
    SizeInBytes: bytes(pageCount),
    hAllocation: type === COPY || type === UNMAP ? null : allocation?.ref ?? null,
    AllocationOffsetInBytes: bytes(offset),
    AllocationSizeInBytes: isRepeated ? bytes(repeated) : 0n,
    Protection: rights,
    DriverProtection: random.pick([0n, 0n, 3n]),
    SourceAddress: bytes(from.start),
    DestAddress: bytes(place.start),
  };
}

function accessPlace(scene: GpuScene, space: AddressSpace): bigint {
  const { random } = scene;
  const pieces = piecesOf(space);
  const place = pieces.length === 0 || random.below(12) === 0 ? anywhere(scene) : inside(random.pick(pieces), scene);
  return bytes(place.start) + BigInt(random.pick([0, 0, 0, 16, 4000]));
}

function submit(scene: GpuScene): Chosen | null {
  const { random } = scene;
  const context = pickObject(scene, "context");
  const space = context === null ? null : spaceOf(scene, context);
  if (context === null || space === null) return null;
  const accesses = Array.from({ length: random.below(3) }, () => ({
    VirtualAddress: accessPlace(scene, space),
    ByteCount: random.pick([16, 96, 4096]),
    Access: random.pick([0, 0, 1]),
  }));
  return {
    BroadcastContext: [context.ref],
    Commands: accesses.length === 0 ? 0n : accessPlace(scene, space),
    CommandLength: random.pick([0, 0, 64]),
    Flags: 0,
    Accesses: accesses,
  };
}

function access(scene: GpuScene): Chosen | null {
  const context = pickObject(scene, "context");
  const space = context === null ? null : spaceOf(scene, context);
  return context === null || space === null ? null : {
    hContext: context.ref,
    VirtualAddress: accessPlace(scene, space),
    ByteCount: scene.random.pick([16, 4096, 5000]),
  };
}

function complete(scene: GpuScene): Chosen | null {
  const queue = pickObject(scene, "pagingQueue");
  if (queue === null) return null;
  const { lastFence, completedFence } = queue.data;
  const left = Number(lastFence - completedFence);
  return { hPagingQueue: queue.ref, FenceValue: completedFence + BigInt(scene.random.below(left + 2)) };
}

function completeWork(scene: GpuScene): Chosen | null {
  const context = pickObject(scene, "context");
  if (context === null) return null;
  return { hContext: context.ref, FenceValue: BigInt(scene.random.below(context.data.submitted + 2)) };
}

/** Fences with values a little above what they have. */
function fences(scene: GpuScene): Chosen | null {
  const { random } = scene;
  const list = Array.from({ length: random.pick([1, 1, 2, 3]) }, () => pickObject(scene, "syncObject"));
  const mayBePaging = scene.plan.name.startsWith("D3DKMTWait") || random.below(12) === 0;
  const found = [
    ...new Set(list.flatMap((each) => each === null || (each.data.pagingQueue > 0 && !mayBePaging) ? [] : each)),
  ];
  if (found.length === 0) return null;
  const near = ({ data }: EngineObject<"syncObject">) =>
    data.value >= 1n << 60n ? data.value : data.value + BigInt(random.below(4));
  return {
    ObjectHandleArray: found.map(({ ref }) => ref),
    FenceValueArray: found.map(near),
    hSyncObject: found[0]?.ref ?? null,
    Value: found[0] === undefined ? 0n : near(found[0]),
  };
}

function createAllocation(scene: GpuScene): Chosen | null {
  const { random } = scene;
  const device = pickObject(scene, "device");
  if (device === null) return null;
  const infos = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => {
    const buffer = random.below(4) === 0 ? pickObject(scene, "buffer") : null;
    const most = buffer === null ? 12 : Math.floor(buffer.data.pieces[0].byteCount / PAGE_BYTES);
    const isUsable = buffer !== null && most > 0;
    return {
      pSystemMem: isUsable ? buffer.ref : null,
      Size: bytes(1 + random.below(Math.max(1, most))),
      Flags: 0,
    };
  });
  return { hDevice: device.ref, pAllocationInfo2: infos };
}

/** A list of one device's allocations that belong to no resource, or a resource. */
function destroyAllocation(scene: GpuScene): Chosen | null {
  const { random, world } = scene;
  const resource = random.below(3) === 0 ? pickObject(scene, "resource") : null;
  const first = resource === null ? pickObject(scene, "allocation") : null;
  const device = world.find("device", scene.device);
  if (device === undefined || (resource === null && first === null)) return null;
  const others = [...world.all("allocation")].filter(({ data }) =>
    first !== null && data.device === first.data.device && data.resource === first.data.resource
  );
  const list = others.filter((each) => each === first || random.below(4) === 0);
  return {
    hDevice: device.ref,
    hResource: resource?.ref ?? null,
    phAllocationList: list.map(({ ref }) => ref),
    Flags: random.pick([0, 0, 0, SYMBOLS.destroyFlags.AssumeNotInUse, SYMBOLS.destroyFlags.SynchronousDestroy]),
  };
}

function reserveForDriver({ random }: GpuScene): Chosen {
  return {
    SizeInBytes: 0x200000n * BigInt(1 + random.below(2)),
    Alignment: 0x200000n,
    BaseAddress: 0n,
  };
}

/** What is chosen for a call's parameters, by the call's name. */
export const GPU_VA_RELATED: Readonly<Record<string, Related>> = {
  D3DKMTMapGpuVirtualAddress: map,
  D3DKMTReserveGpuVirtualAddress: reserve,
  D3DKMTFreeGpuVirtualAddress: free,
  D3DKMTUpdateGpuVirtualAddress: update,
  D3DKMTSubmitCommand: submit,
  GpuAccess: access,
  CompletePaging: complete,
  CompleteGpuWork: completeWork,
  D3DKMTWaitForSynchronizationObjectFromCpu: fences,
  D3DKMTSignalSynchronizationObjectFromCpu: fences,
  D3DKMTWaitForSynchronizationObjectFromGpu: fences,
  D3DKMTSignalSynchronizationObjectFromGpu: fences,
  SignalFence: fences,
  D3DKMTCreateSynchronizationObject2: ({ random }) => ({
    Type: MONITORED_FENCE,
    Flags: random.pick([0, 0, 0, 0, 0x40, 0x10, 0x20]),
    InitialFenceValue: 0n,
  }),
  D3DKMTEnumAdapters2: ({ random }) => ({ NumAdapters: random.pick([0, 1, 2, 4]) }),
  D3DKMTCreateAllocation2: createAllocation,
  D3DKMTDestroyAllocation2: destroyAllocation,
  D3DKMTLock2: () => ({ Flags: 0 }),
  D3DKMTCreateDevice: () => ({ Flags: 0 }),
  AllocateBuffer: ({ random }) => ({ ByteCount: PAGE_BYTES * (1 + random.below(4)), ByteOffset: 0 }),
  ReadBuffer: () => ({ Offset: 0, ByteCount: 64 }),
  DxgkCbReserveGpuVirtualAddressRange: reserveForDriver,
};
