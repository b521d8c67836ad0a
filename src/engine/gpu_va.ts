// GPU virtual addresses: map, reserve, free. What no table says of them: the range rules, in a fixed order of refusals.
// Rules: gpuva.md 2.1, 3, 4; each [policy] is an option. How a space keeps its pages is `address_space.ts`.

import { PAGE_BYTES, STATUS, SYMBOLS } from "../api/mod.ts";
import type { AddressSpace, PageSpan, When } from "./address_space.ts";
import { answer, type Behaviour, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { endVads, spaceBehind, spaceOnAdapter } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";

/** The unit of reservations, in bytes: address, limits and size are multiples of it. */
export const RESERVATION_UNIT = 0x10000;

const PAGE = BigInt(PAGE_BYTES);
const UNIT = BigInt(RESERVATION_UNIT);
const { Write, Execute, Zero, NoAccess } = SYMBOLS.protection;
const PLANNED_PROTECTION = Write | Execute | Zero | NoAccess;

interface Place {
  /** 0: anywhere in [minimum, maximum). */
  readonly base: bigint;
  readonly minimum: bigint;
  /** 0: no limit. */
  readonly maximum: bigint;
}

interface MapRequest extends Place {
  readonly queue: EngineObject<"pagingQueue">;
  /** Null where Zero or NoAccess was accepted with one (va-rules=lenient): it is not used. */
  readonly allocation: EngineObject<"allocation"> | null;
  readonly offset: bigint;
  /** In pages. */
  readonly size: bigint;
  readonly protection: bigint;
  readonly driverProtection: bigint;
}

interface Target {
  readonly name: string;
  readonly space: AddressSpace;
}

/**
 * Maps, in this order of refusals: a queue that is ending; reserved fields; protection (unknown bits and SystemUseOnly,
 * Zero with NoAccess, Zero or NoAccess with an allocation, neither without one); an allocation on another adapter;
 * alignment; size 0; the end of the allocation; the end of the space; the range rule; Zero or NoAccess over a mapped
 * range; unique driver protection; and, last, STATUS_NO_MEMORY where no place is free.
 * Answers STATUS_PENDING with the fence value to wait for, or STATUS_SUCCESS with 0 (option `paging`).
 */
function map(
  scope: Scope,
  queue: EngineObject<"pagingQueue">,
  base: bigint,
  minimum: bigint,
  maximum: bigint,
  allocation: EngineObject<"allocation"> | null,
  offset: bigint,
  size: bigint,
  protection: bigint,
  driverProtection: bigint,
  reserved0: bigint,
  reserved1: bigint,
): Reply {
  const target = spaceBehind(scope.world, queue);
  if (target === null || queue.data.isEnding || reserved0 !== 0n || reserved1 !== 0n) return invalid();
  const isLenient = scope.world.options["va-rules"] === "lenient";
  if (!isProtectionSound({ protection, hasAllocation: allocation !== null, isLenient })) return invalid();
  const used = isUnbacked(protection) ? null : allocation;
  if (used !== null && spaceBehind(scope.world, used)?.space !== target.space) return invalid();
  const request = { queue, base, minimum, maximum, allocation: used, offset, size, protection, driverProtection };
  if (!isAligned(request, PAGE)) return invalid();
  const pageCount = mappedPages(scope, request);
  if (pageCount === 0n || !fits(target.space, request, pageCount)) return invalid();
  return mapPages(scope, target, request, Number(pageCount));
}

function isProtectionSound(
  { protection, hasAllocation, isLenient }: {
    readonly protection: bigint;
    readonly hasAllocation: boolean;
    readonly isLenient: boolean;
  },
): boolean {
  if ((protection & ~PLANNED_PROTECTION) !== 0n) return false;
  if ((protection & Zero) !== 0n && (protection & NoAccess) !== 0n) return false;
  return isUnbacked(protection) ? !hasAllocation || isLenient : hasAllocation;
}

function isUnbacked(protection: bigint): boolean {
  return (protection & (Zero | NoAccess)) !== 0n;
}

/** Limits count only where there is no base; with one they are ignored, aligned or not. */
function isAligned({ base, minimum, maximum }: Place, unit: bigint): boolean {
  return base % unit === 0n && (base !== 0n || (minimum % unit === 0n && maximum % unit === 0n));
}

/** The pages to map, 0 where the size is wrong. A size of 0 is the rest of the allocation, where that is allowed. */
function mappedPages({ world }: Scope, { allocation, offset, size }: MapRequest): bigint {
  if (allocation === null) return size;
  const total = BigInt(allocation.data.pages.length);
  if (size === 0n && world.options["map-size-zero"] === "allow") return offset < total ? total - offset : 0n;
  return offset + size <= total ? size : 0n;
}

/** With a base the range must lie in the space; without one there is only no place for it. */
function fits(space: AddressSpace, { base }: Place, pageCount: bigint): boolean {
  return base === 0n || base / PAGE + pageCount <= BigInt(space.pageLimit);
}

function mapPages(scope: Scope, target: Target, request: MapRequest, pageCount: number): Reply {
  const { space } = target;
  const { queue, allocation, driverProtection } = request;
  const firstPage = Number(request.offset);
  const over = request.base === 0n ? null : spanAt(request.base, pageCount);
  if (over !== null && !isMappable(scope, space, { span: over, isUnbacked: allocation === null })) return invalid();
  const gpu = queue.data.physicalAdapter;
  const number = allocation?.number ?? 0;
  const candidate = { gpu, allocation: number, firstPage, pageCount, driverProtection, over };
  if (number > 0 && space.conflicts(candidate)) return invalid();
  const span = over ?? place(space, request, { pageCount, alignment: 1 });
  if (span === null) return fail("STATUS_NO_MEMORY");
  const when = issue(scope, queue);
  const vad = over !== null && space.isObtained(over) ? 0 : obtain(scope, target);
  space.map({ start: span.start, end: span.end, gpu, entry: entryOf(request, span), vad, isFree: over === null }, when);
  const status = when === null ? STATUS.STATUS_SUCCESS : STATUS.STATUS_PENDING;
  return answer(status, BigInt(span.start) * PAGE, when?.fence ?? 0n);
}

/** The range rule (gpuva.md 4.2): wholly free, or inside one obtained range; and Zero or NoAccess not over a mapped one. */
function isMappable(
  { world }: Scope,
  space: AddressSpace,
  { span, isUnbacked }: { readonly span: PageSpan; readonly isUnbacked: boolean },
): boolean {
  const vads = space.vadsIn(span);
  const isOneRange = vads.length === 0 || (vads.length === 1 && space.isObtained(span));
  if (!isOneRange && world.options["map-two-ranges"] !== "allow") return false;
  return !isUnbacked || vads.every(({ value }) => value.kind !== "mapped");
}

function entryOf({ allocation, offset, protection, driverProtection }: MapRequest, span: PageSpan) {
  if (allocation === null) {
    const state = (protection & Zero) !== 0n ? "zero" as const : "invalid" as const;
    return { state, allocation: 0, origin: 0, protection: 0, driverProtection };
  }
  const origin = span.start - Number(offset);
  const rights = Number(protection & (Write | Execute));
  return { state: "mapped" as const, allocation: allocation.number, origin, protection: rights, driverProtection };
}

/** A new range's object. */
function obtain(scope: Scope, { name }: Target): number {
  const vad = scope.create("vad", { space: name });
  vad.state = "mapped";
  return vad.number;
}

/** Takes the queue's next fence value, or none where paging is immediate. */
function issue({ world }: Scope, queue: EngineObject<"pagingQueue">): When {
  if (world.options.paging === "immediate") return null;
  queue.data.lastFence += 1n;
  return { queue: queue.number, fence: queue.data.lastFence };
}

/**
 * Reserves, in this order of refusals: both or neither of queue and adapter, or a queue that is ending; a type that is
 * none or the system's; alignment; size; the end of the space; an overlap; and, last, STATUS_NO_MEMORY.
 * Answers STATUS_SUCCESS, with a queue too (a client takes nothing else for success, gpuva.md 2.1); through an adapter
 * it is done at once.
 */
function reserve(
  scope: Scope,
  queue: EngineObject<"pagingQueue"> | null,
  adapter: EngineObject<"adapter"> | null,
  base: bigint,
  minimum: bigint,
  maximum: bigint,
  size: bigint,
  type: number,
  driverProtection: bigint,
): Reply {
  const target = reservationTarget(scope, queue, adapter);
  if (target === null) return invalid();
  const { ZERO, NO_ACCESS } = SYMBOLS.reservationType;
  if (type !== ZERO && type !== NO_ACCESS) return invalid();
  const range = { base, minimum, maximum };
  if (!isAligned(range, UNIT) || size === 0n || size % UNIT !== 0n) return invalid();
  const { name, space } = target;
  if (!fits(space, range, size / PAGE)) return invalid();
  const pageCount = Number(size / PAGE);
  const wanted = base === 0n ? null : spanAt(base, pageCount);
  if (wanted !== null && space.vadsIn(wanted).length > 0) return invalid();
  const span = wanted ?? place(space, range, { pageCount, alignment: RESERVATION_UNIT / PAGE_BYTES });
  if (span === null) return fail("STATUS_NO_MEMORY");
  const when = queue === null ? null : issue(scope, queue);
  const vad = scope.create("vad", { space: name }).number;
  space.reserve({ ...span, vad, baseState: type === ZERO ? "zero" : "invalid", driverProtection }, when);
  return success(BigInt(span.start) * PAGE, when?.fence ?? 0n);
}

function reservationTarget(
  { world, side }: Scope,
  queue: EngineObject<"pagingQueue"> | null,
  adapter: EngineObject<"adapter"> | null,
): Target | null {
  if (adapter !== null) return queue === null ? spaceOnAdapter(world, { side, luid: adapter.data.luid }) : null;
  return queue === null || queue.data.isEnding ? null : spaceBehind(world, queue);
}

/**
 * Frees at once, cancelling what is queued for the pages. Refusals in order: alignment; size 0; a range that is not
 * wholly inside one obtained range (free pages, or two ranges); a part of one, where option `partial-free` refuses it.
 */
function free({ world, side }: Scope, adapter: EngineObject<"adapter">, base: bigint, size: bigint): Reply {
  if (base % PAGE !== 0n || size % PAGE !== 0n || size === 0n) return invalid();
  const { space } = spaceOnAdapter(world, { side, luid: adapter.data.luid });
  if ((base + size) / PAGE > BigInt(space.pageLimit)) return invalid();
  const span = spanAt(base, Number(size / PAGE));
  const pieces = space.vadsIn(span);
  const piece = pieces[0];
  if (piece === undefined || pieces.length > 1 || span.start < piece.start || piece.end < span.end) return invalid();
  const isPart = piece.start < span.start || span.end < piece.end;
  if (isPart && world.options["partial-free"] === "refuse") return invalid();
  endVads(world, space.free(span));
  return success();
}

function place(
  space: AddressSpace,
  { minimum, maximum }: Place,
  { pageCount, alignment }: { readonly pageCount: number; readonly alignment: number },
): PageSpan | null {
  const within = { start: Number(minimum / PAGE), end: maximum === 0n ? space.pageLimit : Number(maximum / PAGE) };
  const start = pageCount > space.pageLimit ? undefined : space.place(pageCount, within, { alignment });
  return start === undefined ? null : { start, end: start + pageCount };
}

function spanAt(base: bigint, pageCount: number): PageSpan {
  const start = Number(base / PAGE);
  return { start, end: start + pageCount };
}

function invalid(): Reply {
  return fail("STATUS_INVALID_PARAMETER");
}

/** Behaviours of GPU virtual addresses. */
export const GPU_VA_BEHAVIOURS = {
  D3DKMTMapGpuVirtualAddress: map,
  D3DKMTReserveGpuVirtualAddress: reserve,
  D3DKMTFreeGpuVirtualAddress: free,
} as const satisfies Readonly<Record<string, Behaviour>>;
