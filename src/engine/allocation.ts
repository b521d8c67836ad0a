// Allocations and resources: create over new or existing memory, destroy with all addresses. Rules: gpuva.md 2.4, 4.5.
// It must not know address space rules.

import { type ModelOptions, PAGE_BYTES, SYMBOLS, type Value } from "../api/mod.ts";
import { type Behaviour, blocked, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { endLater, endNow, isDying } from "./allocation_end.ts";
import { deviceTrouble } from "./device_error.ts";
import { allocationsOf } from "./gpu_process.ts";
import { failTowards, isGuest } from "./guest_answers.ts";
import { oldestWork } from "./gpu_work.ts";
import type { AllocationData, EngineObject } from "./objects.ts";

/** The most allocations that one call can create. */
export const MAX_ALLOCATIONS = 1024;
/** The most video memory that one call can ask for, in bytes: 4 GiB. */
export const MAX_VIDEO_BYTES = 2 ** 32;

const FLAGS = SYMBOLS.allocationFlags;
const KNOWN_FLAGS = Object.values(FLAGS).reduce<number>((sum, flag) => sum | flag, 0);
/** SystemUseOnly is not a user-mode driver's to set. */
const KNOWN_DESTROY_FLAGS = SYMBOLS.destroyFlags.AssumeNotInUse | SYMBOLS.destroyFlags.SynchronousDestroy;

/** What nobody has asked for, locked or offered yet. */
const NEW = {
  residency: "unmanaged" as const,
  residentCount: 0,
  evictions: 0,
  evictedAfter: 0,
  isOffered: false,
  isDiscarded: false,
  lockCount: 0,
};

interface AllocationInfo {
  readonly pSystemMem: EngineObject<"buffer"> | null;
  readonly Size: bigint;
}

/**
 * Refusals in order: a device in error; flags; the resource; a standard allocation's flags (option `standard-allocation`);
 * in a guest what its graphics kernel refuses; how many; each allocation's memory and size; video memory in all.
 */
function createAllocation(
  scope: Scope,
  device: EngineObject<"device">,
  given: EngineObject<"resource"> | null,
  infos: readonly AllocationInfo[],
  flags: number,
): Reply {
  const trouble = deviceTrouble(scope.world, device);
  if (trouble !== null) return trouble;
  if ((flags & ~KNOWN_FLAGS) !== 0 || !fitsResource(device, given, flags)) return fail("STATUS_INVALID_PARAMETER");
  if (!isStandardRight(scope.world.options, flags)) return fail("STATUS_INVALID_PARAMETER");
  if (isGuest(scope) && !isGuestRight(infos, flags)) return fail("STATUS_INVALID_PARAMETER");
  if (infos.length === 0 || infos.length > MAX_ALLOCATIONS) return fail("STATUS_INVALID_PARAMETER");
  if (!infos.every(isSound)) return fail("STATUS_INVALID_PARAMETER");
  const videoBytes = infos.reduce((sum, { pSystemMem, Size }) => pSystemMem === null ? sum + Size : sum, 0n);
  if (videoBytes > BigInt(MAX_VIDEO_BYTES)) return failTowards(scope, "STATUS_GRAPHICS_NO_VIDEO_MEMORY");
  const isShared = (flags & FLAGS.CreateShared) !== 0;
  const makesResource = (flags & FLAGS.CreateResource) !== 0;
  const resource = makesResource ? scope.create("resource", { device: device.number, isShared }, device) : given;
  const made = infos.map((info): Value => {
    const data = { device: device.number, resource: resource?.number ?? 0, ...backing(scope, info), ...NEW };
    return { hAllocation: scope.create("allocation", data, resource ?? device).ref, GpuVirtualAddress: 0n };
  });
  return success(resource?.ref ?? null, made);
}

/** A resource is made, or one of the device's is added to, but not a shared one; what is shared needs one. */
function fitsResource(
  device: EngineObject<"device">,
  resource: EngineObject<"resource"> | null,
  flags: number,
): boolean {
  const makesResource = (flags & FLAGS.CreateResource) !== 0;
  if (resource === null) return makesResource || (flags & FLAGS.CreateShared) === 0;
  return !makesResource && resource.data.device === device.number && !resource.data.isShared;
}

/** What is standard is shared across adapters, where the option says so. */
function isStandardRight(options: ModelOptions, flags: number): boolean {
  if (options["standard-allocation"] === "any" || (flags & FLAGS.StandardAllocation) === 0) return true;
  const needed = FLAGS.CreateShared | FLAGS.CrossAdapter;
  return (flags & needed) === needed;
}

/**
 * What a guest's graphics kernel passes on (gpuva.md 5.7, step 1): no section and nothing protected; what is shared has a
 * resource and NT security; all allocations are over existing memory, or none.
 */
function isGuestRight(infos: readonly AllocationInfo[], flags: number): boolean {
  if ((flags & (FLAGS.ExistingSection | FLAGS.CreateProtected)) !== 0) return false;
  const needed = FLAGS.CreateShared | FLAGS.CreateResource | FLAGS.NtSecuritySharing;
  if ((flags & FLAGS.CreateShared) !== 0 && (flags & needed) !== needed) return false;
  return new Set(infos.map(({ pSystemMem }) => pSystemMem === null)).size <= 1;
}

/** Existing memory starts at a page and is whole pages, and so is the part used; new memory has a size. */
function isSound({ pSystemMem, Size }: AllocationInfo): boolean {
  if (pSystemMem === null) return Size > 0n;
  const { byteOffset, byteCount } = pSystemMem.data.pieces[0];
  return byteOffset === 0 && byteCount % PAGE_BYTES === 0 && Size % BigInt(PAGE_BYTES) === 0n &&
    Size <= BigInt(byteCount);
}

function backing(
  { world }: Scope,
  { pSystemMem, Size }: AllocationInfo,
): Pick<AllocationData, "partition" | "pages" | "buffer"> {
  const pageCount = Math.ceil(Number(Size) / PAGE_BYTES);
  if (pSystemMem === null) return { partition: "video", pages: world.memory.allocate("video", pageCount), buffer: 0 };
  const { partition, pieces: [piece] } = pSystemMem.data;
  const pages = Size === 0n ? piece.pages : piece.pages.slice(0, pageCount);
  return { partition, pages, buffer: pSystemMem.number };
}

/**
 * Ends the handles at once. The memory and its addresses end when the work that the device has queued is done, at once
 * with AssumeNotInUse; with SynchronousDestroy the call waits for that (gpuva.md 2.4).
 * Refusals in order: flags; resource or list, exactly one; another device's; twice the same, or of several resources.
 */
function destroyAllocation(
  scope: Scope,
  device: EngineObject<"device">,
  resource: EngineObject<"resource"> | null,
  list: readonly EngineObject<"allocation">[],
  flags: number,
): Reply {
  const { world, event } = scope;
  if (scope.retry) return isDying(world, event) ? blocked() : success();
  if ((flags & ~KNOWN_DESTROY_FLAGS) !== 0) return fail("STATUS_INVALID_PARAMETER");
  if ((resource === null) === (list.length === 0)) return fail("STATUS_INVALID_PARAMETER");
  const isOthers = [resource, ...list].some((object) => object !== null && object.data.device !== device.number);
  if (isOthers || !isOneSet(list)) return fail("STATUS_INVALID_PARAMETER");
  const isUnused = (flags & SYMBOLS.destroyFlags.AssumeNotInUse) !== 0 || oldestWork(world, device.number) === Infinity;
  for (const allocation of resource === null ? list : allocationsOf(world, resource)) {
    if (isUnused) endNow(world, allocation);
    else endLater(world, allocation, { after: device.data.submitted, event });
  }
  if (isUnused || (flags & SYMBOLS.destroyFlags.SynchronousDestroy) === 0) return success();
  for (const object of resource === null ? list : [resource]) world.destroy(object);
  return blocked();
}

function isOneSet(list: readonly EngineObject<"allocation">[]): boolean {
  return new Set(list).size === list.length && new Set(list.map(({ data }) => data.resource)).size <= 1;
}

/** Behaviours of allocations. */
export const ALLOCATION_BEHAVIOURS = {
  D3DKMTCreateAllocation2: createAllocation,
  D3DKMTDestroyAllocation2: destroyAllocation,
} as const satisfies Readonly<Record<string, Behaviour>>;
