// GPU virtual addresses: map, reserve, free. What no table says of them: the range rules, in a fixed order of refusals.
// Rules: gpuva.md 2.1, 3, 4; each [policy] is an option. How a space keeps its pages is `address_space.ts`.

import { hasSucceeded, PAGE_BYTES, STATUS, SYMBOLS } from "../api/mod.ts";
import type { AddressSpace, PageSpan } from "./address_space.ts";
import { answer, type Behaviour, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { isGuest } from "./guest_answers.ts";
import { endVads, type NamedSpace, spaceBehind, spaceThrough } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";
import { issuePaging } from "./paging.ts";
import { placeRange } from "./placement.ts";

/** The unit of reservations, in bytes: address, limits and size are multiples of it. */
export const RESERVATION_UNIT = 0x10000;

const PAGE = BigInt(PAGE_BYTES);
const PAGES_PER_UNIT = RESERVATION_UNIT / PAGE_BYTES;
const WRITE = Number(SYMBOLS.protection.Write);
const EXECUTE = Number(SYMBOLS.protection.Execute);
const ZERO = Number(SYMBOLS.protection.Zero);
const NO_ACCESS = Number(SYMBOLS.protection.NoAccess);
const PLANNED_PROTECTION = WRITE | EXECUTE | ZERO | NO_ACCESS;
const LAST_PROTECTION = BigInt(PLANNED_PROTECTION);

/** In pages; -1: it was not given in whole pages. */
interface Place {
  /** 0: anywhere in [minimum, maximum). */
  readonly base: number;
  readonly minimum: number;
  /** 0: no limit. */
  readonly maximum: number;
}

interface MapRequest extends Place {
  readonly queue: EngineObject<"pagingQueue">;
  /** Null where Zero or NoAccess was accepted with one (va-rules=lenient): it is not used. */
  readonly allocation: EngineObject<"allocation"> | null;
  /** In pages; beyond 2^53 roughly, which is beyond any allocation. */
  readonly offset: number;
  readonly size: number;
  readonly protection: number;
  readonly driverProtection: bigint;
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
  const rights = protection > LAST_PROTECTION ? -1 : Number(protection);
  const isLenient = scope.world.options["va-rules"] === "lenient";
  if (!isProtectionSound(rights, { hasAllocation: allocation !== null, isLenient })) return invalid();
  const used = isUnbacked(rights) ? null : allocation;
  if (used !== null && spaceBehind(scope.world, used)?.space !== target.space) return invalid();
  const request: MapRequest = {
    queue,
    base: pagesIn(base),
    minimum: pagesIn(minimum),
    maximum: pagesIn(maximum),
    allocation: used,
    offset: small(Number(offset)),
    size: small(Number(size)),
    protection: rights,
    driverProtection,
  };
  if (!isAligned(request, 1)) return invalid();
  const pageCount = mappedPages(scope, request);
  if (pageCount === 0 || !fits(target.space, request, pageCount)) return invalid();
  return mapPages(scope, target, request, pageCount);
}

/** `protection` is -1 where a bit is set that no known one is above. */
function isProtectionSound(
  protection: number,
  { hasAllocation, isLenient }: { readonly hasAllocation: boolean; readonly isLenient: boolean },
): boolean {
  if (protection === -1 || (protection & (ZERO | NO_ACCESS)) === (ZERO | NO_ACCESS)) return false;
  return isUnbacked(protection) ? !hasAllocation || isLenient : hasAllocation;
}

function isUnbacked(protection: number): boolean {
  return (protection & (ZERO | NO_ACCESS)) !== 0;
}

/** Whole pages in bytes, or -1: every number of bytes of 64 bits that is a multiple of a page is exact in 53. */
export function pagesIn(bytes: bigint): number {
  const pages = Number(bytes) / PAGE_BYTES;
  const isWhole = pages < Number.MAX_SAFE_INTEGER / PAGE_BYTES ? Math.floor(pages) === pages : bytes % PAGE === 0n;
  return isWhole ? small(pages) : -1;
}

/** The same number; one of 31 bits is then no fraction to the compiler, and what holds it needs no box for it. */
function small(pages: number): number {
  const cut = pages | 0;
  return cut === pages ? cut : pages;
}

/** Limits count only where there is no base; with one they are ignored, aligned or not. `unit` is in pages. */
function isAligned({ base, minimum, maximum }: Place, unit: number): boolean {
  return isMultiple(base, unit) && (base !== 0 || (isMultiple(minimum, unit) && isMultiple(maximum, unit)));
}

function isMultiple(pages: number, unit: number): boolean {
  return pages === 0 || (pages > 0 && (unit === 1 || pages % unit === 0));
}

/** The pages to map, 0 where the size is wrong. A size of 0 is the rest of the allocation, where that is allowed. */
function mappedPages({ world }: Scope, { allocation, offset, size }: MapRequest): number {
  if (allocation === null) return size;
  const total = allocation.data.pages.length;
  if (size === 0 && world.options["map-size-zero"] === "allow") return offset < total ? total - offset : 0;
  return offset + size <= total ? size : 0;
}

/** With a base the range must lie in the space; without one there is only no place for it. */
function fits(space: AddressSpace, { base }: Place, pageCount: number): boolean {
  return base === 0 || base + pageCount <= space.pageLimit;
}

function mapPages(scope: Scope, target: NamedSpace, request: MapRequest, pageCount: number): Reply {
  const { space } = target;
  const { queue, allocation, driverProtection } = request;
  const firstPage = request.offset;
  const over = request.base === 0 ? null : spanAt(request.base, pageCount);
  if (over !== null && !isMappable(scope, space, { span: over, isUnbacked: allocation === null })) return invalid();
  const gpu = queue.data.physicalAdapter;
  const number = allocation?.number ?? 0;
  const candidate = { gpu, allocation: number, firstPage, pageCount, driverProtection, over };
  if (number > 0 && space.conflicts(candidate)) return invalid();
  const span = over ?? placeRange(scope, space, { pageCount, alignment: 1, within: within(space, request) });
  if (span === null) return fail("STATUS_NO_MEMORY");
  const when = issuePaging(scope, queue);
  const vad = over !== null && space.isObtained(over) ? 0 : obtain(scope, target);
  space.map({ start: span.start, end: span.end, gpu, entry: entryOf(request, span), vad, isFree: over === null }, when);
  const status = when === null ? STATUS.STATUS_SUCCESS : STATUS.STATUS_PENDING;
  return answer(status, addressOf(span), when?.fence ?? 0n);
}

/**
 * The range rule (gpuva.md 4.2): wholly free, or inside one obtained range; Zero or NoAccess not over a mapped one; and what
 * the kernel driver reserved only where it lets user mode map.
 */
function isMappable(
  { world }: Scope,
  space: AddressSpace,
  { span, isUnbacked }: { readonly span: PageSpan; readonly isUnbacked: boolean },
): boolean {
  const sole = space.vadOver(span);
  if (sole !== null) return sole.keeper !== "driver" && (!isUnbacked || sole.kind !== "mapped");
  const vads = space.vadsIn(span);
  if (vads.length > 0 && world.options["map-two-ranges"] !== "allow") return false;
  if (vads.some(({ value }) => value.keeper === "driver")) return false;
  return !isUnbacked || vads.every(({ value }) => value.kind !== "mapped");
}

function entryOf({ allocation, offset, protection, driverProtection }: MapRequest, span: PageSpan) {
  if (allocation === null) {
    const state = (protection & ZERO) !== 0 ? "zero" as const : "invalid" as const;
    return { state, allocation: 0, origin: 0, protection: 0, driverProtection };
  }
  const origin = span.start - offset;
  const rights = protection & (WRITE | EXECUTE);
  return { state: "mapped" as const, allocation: allocation.number, origin, protection: rights, driverProtection };
}

/** A new range's object. */
function obtain(scope: Scope, { vadData }: NamedSpace): number {
  const vad = scope.create("vad", vadData);
  vad.state = "mapped";
  return vad.number;
}

/**
 * Reserves, in this order of refusals: both or neither of queue and adapter, or a queue that is ending; a type that is
 * none or the system's; alignment; size; the end of the space; an overlap; and, last, STATUS_NO_MEMORY.
 * Answers STATUS_SUCCESS, with a queue too (a client takes nothing else for success, gpuva.md 2.1); through an adapter
 * it is done at once. What a guest is told of it: `towardsGuest`.
 */
function reserve(
  scope: Scope,
  queue: EngineObject<"pagingQueue"> | null,
  adapter: EngineObject<"adapter"> | null,
  ...wanted: Reservation
): Reply {
  const target = reservationTarget(scope, queue, adapter);
  if (target === null) return invalid();
  const reply = reserveIn(scope, { target, queue }, wanted);
  return isGuest(scope) ? towardsGuest(reply) : reply;
}

/**
 * The host's reply has no status: its refusal reaches a guest as success and address 0; and the fence value is not passed
 * on (gpuva.md 5.6).
 */
function towardsGuest(reply: Reply): Reply {
  if (reply.blocked) return reply;
  const [address = 0n] = reply.outs;
  return success(hasSucceeded(reply.outcome) ? address : 0n, 0n);
}

/** What is asked for: addresses and size in bytes. */
type Reservation = [
  base: bigint,
  minimum: bigint,
  maximum: bigint,
  size: bigint,
  type: number,
  driverProtection: bigint,
];

function reserveIn(
  scope: Scope,
  { target, queue }: { readonly target: NamedSpace; readonly queue: EngineObject<"pagingQueue"> | null },
  [base, minimum, maximum, size, type, driverProtection]: Reservation,
): Reply {
  const { reservationType } = SYMBOLS;
  const isForSystem = type === reservationType.NO_COMMIT && scope.world.options["reserve-no-commit"] === "refuse";
  if (type > reservationType.NO_COMMIT || isForSystem) return invalid();
  const range = { base: pagesIn(base), minimum: pagesIn(minimum), maximum: pagesIn(maximum) };
  const pageCount = pagesIn(size);
  if (!isAligned(range, PAGES_PER_UNIT) || size === 0n || !isMultiple(pageCount, PAGES_PER_UNIT)) return invalid();
  const { space, vadData } = target;
  if (!fits(space, range, pageCount)) return invalid();
  const wanted = base === 0n ? null : spanAt(range.base, pageCount);
  if (wanted !== null && space.isAnyObtained(wanted)) return invalid();
  const span = wanted ??
    placeRange(scope, space, { pageCount, alignment: PAGES_PER_UNIT, within: within(space, range) });
  if (span === null) return fail("STATUS_NO_MEMORY");
  const when = queue === null ? null : issuePaging(scope, queue);
  const vad = scope.create("vad", vadData).number;
  space.reserve(
    { ...span, vad, baseState: type === reservationType.ZERO ? "zero" : "invalid", driverProtection },
    when,
  );
  return success(addressOf(span), when?.fence ?? 0n);
}

function reservationTarget(
  { world, side }: Scope,
  queue: EngineObject<"pagingQueue"> | null,
  adapter: EngineObject<"adapter"> | null,
): NamedSpace | null {
  if (adapter !== null) return queue === null ? spaceThrough(world, adapter, side) : null;
  return queue === null || queue.data.isEnding ? null : spaceBehind(world, queue);
}

/**
 * Frees at once, cancelling what is queued for the pages. Refusals in order: alignment; size 0; a range that is not
 * wholly inside one obtained range (free pages, or two ranges); a part of one, where option `partial-free` refuses it;
 * the kernel driver's, where option `driver-range-free` does.
 */
function free({ world, side }: Scope, adapter: EngineObject<"adapter">, base: bigint, size: bigint): Reply {
  const firstPage = pagesIn(base);
  const pageCount = pagesIn(size);
  if (firstPage < 0 || pageCount <= 0) return invalid();
  const { space } = spaceThrough(world, adapter, side);
  if (firstPage + pageCount > space.pageLimit) return invalid();
  const span = spanAt(firstPage, pageCount);
  const piece = space.pieceAt(span.start);
  if (piece === undefined || piece.end < span.end) return invalid();
  const isPart = piece.start < span.start || span.end < piece.end;
  if (isPart && world.options["partial-free"] === "refuse") return invalid();
  if (piece.keeper !== "process" && world.options["driver-range-free"] === "refuse") return invalid();
  endVads(world, space.free(span));
  return success();
}

/** Where a place is looked for; the limits of one that is given do not count. */
function within(space: AddressSpace, { minimum, maximum }: Place): PageSpan {
  return { start: minimum, end: maximum === 0 ? space.pageLimit : maximum };
}

function spanAt(start: number, pageCount: number): PageSpan {
  return { start, end: start + pageCount };
}

/** In bytes; the highest is below 2^48. */
function addressOf({ start }: PageSpan): bigint {
  return BigInt(start * PAGE_BYTES);
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
