// What the arguments of a GPU address call, and the address that it answered, break by themselves: no history.
// Rules V-13, V-15 to V-19, V-21 and V-36 of gpuva.md 7. It must not know address spaces.

import { baseSide, SYMBOLS } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import { bigintOf, PAGE, pagesText, rangeVerb, u64In } from "./gpu_call_values.ts";
import type { RuleName, Severity } from "./rules.ts";
import { hexText } from "./wording.ts";

/** Bytes of the unit of reservations. */
export const RESERVATION_BYTES = 65536n;

const { Zero, NoAccess } = SYMBOLS.protection;

/** A rule that a call breaks. */
export interface Breach {
  readonly rule: RuleName;
  readonly message: string;
  readonly severity?: Severity;
  readonly shape?: string;
}

/** A range that a call is about, as it was asked for. */
export interface RangeRequest {
  readonly verb: "map" | "reserve" | "free";
  /** Bytes that base, limits and size are multiples of. */
  readonly unit: bigint;
  /** In bytes; 0: anywhere in [minimum, maximum). */
  readonly base: bigint;
  readonly minimum: bigint;
  /** 0: no limit. */
  readonly maximum: bigint;
  /** A map's size 0 is resolved to the allocation's, where that is allowed. */
  readonly sizeBytes: bigint;
  /** The address that the call answered, or null. */
  readonly answered: bigint | null;
  /** Zero or NoAccess: nothing is behind it. */
  readonly isUnbacked: boolean;
  /** An allocation was given, alive or not. */
  readonly hasAllocation: boolean;
  readonly offsetInPages: bigint;
  readonly driverProtection: bigint;
}

/** What the rules need beside the call. */
export interface RequestFacts {
  /** The allocation's size in pages, where known. */
  readonly allocationPages: bigint | undefined;
  /** Option `map-size-zero=allow`: size 0 is the rest of the allocation. */
  readonly isSizeZeroWhole: boolean;
  readonly vaBits: number;
  /** In bytes: 2^vaBits. */
  readonly limit: bigint;
  readonly isLenient: boolean;
  /** The unit of a kernel driver's reservations, in bytes. */
  readonly driverUnit: bigint;
}

/** The range that a call asks for, or null where it is about none. */
export function requestOf(call: CallView, facts: RequestFacts): RangeRequest | null {
  const verb = rangeVerb(call.shape);
  if (verb === null) return null;
  const allocation = call.in("allocation");
  const isUnbacked = (u64In(call, "protection") & (Zero | NoAccess)) !== 0n;
  const offsetInPages = u64In(call, "pageOffset");
  const answered = verb === "free" || !call.succeeded ? undefined : call.out("gpuVa");
  return {
    verb,
    unit: verb !== "reserve" ? PAGE : call.shape.object("process") < 0 ? RESERVATION_BYTES : facts.driverUnit,
    base: u64In(call, "gpuVaBase"),
    minimum: u64In(call, "gpuVaMinimum"),
    maximum: u64In(call, "gpuVaMaximum"),
    sizeBytes: verb === "map" ? mappedPages(call, facts) * PAGE : u64In(call, "byteSize"),
    answered: answered === undefined ? null : bigintOf(answered),
    isUnbacked,
    hasAllocation: allocation !== undefined && allocation !== null,
    offsetInPages,
    driverProtection: u64In(call, "driverProtection"),
  };
}

function mappedPages(call: CallView, { allocationPages, isSizeZeroWhole }: RequestFacts): bigint {
  const pages = u64In(call, "pageCount");
  if (pages !== 0n || !isSizeZeroWhole || allocationPages === undefined) return pages;
  const offset = u64In(call, "pageOffset");
  return offset < allocationPages ? allocationPages - offset : 0n;
}

/** Everything that is wrong with a call about a range, by its arguments and its answer. */
export function breachesOf(call: CallView, request: RangeRequest, facts: RequestFacts): readonly Breach[] {
  const breaches: Breach[] = [];
  for (const judge of JUDGES) {
    const breach = judge(request, facts);
    if (breach !== null) breaches.push(breach);
  }
  breaches.push(...wrongAlignment(call, request), ...reservedBits(call));
  return breaches;
}

/** In the order in which findings tell of them. */
const JUDGES = [
  zeroWithAllocation,
  misaligned,
  outsideSpace,
  deadConstraint,
  resultOutside,
  reservedNowhere,
  outsideAllocation,
] as const;

/** Whether base and size are multiples of the call's unit, so that it can be judged by pages. */
export function isAligned({ unit, base, sizeBytes }: RangeRequest): boolean {
  return base % unit === 0n && sizeBytes % unit === 0n;
}

function zeroWithAllocation({ isUnbacked, hasAllocation }: RangeRequest, { isLenient }: RequestFacts): Breach | null {
  if (!isUnbacked || !hasAllocation) return null;
  const message = "Zero or NoAccess was asked for together with an allocation: there it must be null";
  return { rule: "gpuva-zero-with-allocation", message, ...(isLenient ? { severity: "warning" as const } : {}) };
}

/** Limits count only without a base; with one they are ignored, aligned or not. */
function misaligned({ verb, unit, base, minimum, maximum, sizeBytes }: RangeRequest): Breach | null {
  const isFree = base === 0n && (minimum !== 0n || maximum !== 0n);
  if (!isFree && base % unit === 0n && sizeBytes % unit === 0n) return null;
  const limits = base === 0n ? [["minimum", minimum], ["maximum", maximum]] as const : [];
  const wrong = ([["base", base], ...limits, ["size", sizeBytes]] as const).filter(([, value]) => value % unit !== 0n);
  if (wrong.length === 0) return null;
  const named = wrong.map(([name, value]) => `${name} ${hexText(value)}`).join(" and ");
  const shape = wrong.map(([name]) => name).join(" ");
  return { rule: "gpuva-misaligned", message: `${verb} of ${named}: wanted multiples of ${unit} bytes`, shape };
}

/** The alignment that a kernel driver asks for is itself one that the page tables allow (gpuva.md 2.1). */
function wrongAlignment(call: CallView, { verb, unit }: RangeRequest): readonly Breach[] {
  if (call.shape.in("gpuVaAlignment") < 0) return NONE;
  const alignment = u64In(call, "gpuVaAlignment");
  if (alignment > 0n && alignment % unit === 0n && (alignment & (alignment - 1n)) === 0n) return NONE;
  const message = `${verb} with alignment ${hexText(alignment)}: wanted a power of two and a multiple of ${unit} bytes`;
  return [{ rule: "gpuva-misaligned", message, shape: "alignment" }];
}

/** A free beyond the space is one of addresses that nobody obtained (V-05), not this. */
function outsideSpace({ verb, base, sizeBytes }: RangeRequest, { vaBits, limit }: RequestFacts): Breach | null {
  if (verb === "free" || base === 0n || base + sizeBytes <= limit) return null;
  const message = `${verb} of ${hexText(sizeBytes)} bytes at ${
    hexText(base)
  }: the address space of ${vaBits} bits ends at ${hexText(limit)}`;
  return { rule: "gpuva-outside-space", message };
}

function deadConstraint({ verb, base, minimum, maximum }: RangeRequest): Breach | null {
  if (base === 0n || (minimum === 0n && maximum === 0n)) return null;
  const message = `${verb} with base ${hexText(base)}: minimum ${hexText(minimum)} and maximum ${
    hexText(maximum)
  } are ignored`;
  return { rule: "gpuva-dead-constraint", message };
}

function resultOutside(request: RangeRequest): Breach | null {
  const { verb, unit, base, minimum, maximum, sizeBytes, answered } = request;
  if (answered === null || isZeroReserve(request)) return null;
  const wrong = base !== 0n
    ? answered !== base && `not at its base ${hexText(base)}`
    : answered < minimum
    ? `below the minimum ${hexText(minimum)}`
    : maximum !== 0n && answered + sizeBytes > maximum
    ? `beyond the maximum ${hexText(maximum)}`
    : answered % unit !== 0n && `no multiple of ${unit} bytes`;
  if (wrong === false) return null;
  const message = `${verb} of ${hexText(sizeBytes)} bytes was given ${hexText(answered)}: ${wrong}`;
  return { rule: "gpuva-result-outside-constraint", message };
}

/** A reserve that was answered with success and address 0: a guest's driver does so for what failed (gpuva.md 5.6). */
export function isZeroReserve({ verb, answered }: RangeRequest): boolean {
  return verb === "reserve" && answered === 0n;
}

function reservedNowhere(request: RangeRequest): Breach | null {
  if (!isZeroReserve(request)) return null;
  const message = `reserve of ${hexText(request.sizeBytes)} bytes was answered with success and address 0: no range`;
  return { rule: "wsl-reserve-zero", message };
}

function outsideAllocation(request: RangeRequest, { allocationPages }: RequestFacts): Breach | null {
  const { hasAllocation, isUnbacked, offsetInPages, sizeBytes } = request;
  if (!hasAllocation || isUnbacked || allocationPages === undefined) return null;
  const pages = sizeBytes / PAGE;
  if (offsetInPages + pages <= allocationPages && offsetInPages < allocationPages) return null;
  const message = `map of ${pagesText(pages)} from page ${offsetInPages} on: the allocation has ${
    pagesText(allocationPages)
  }`;
  return { rule: "gpuva-outside-allocation", message, shape: `${offsetInPages}+${pages} of ${allocationPages}` };
}

/**
 * Reserved fields, and bits that are unknown or the system's in flags that have a bit for the system: of any GPU call
 * of a user-mode driver.
 */
export function reservedBits(call: CallView): readonly Breach[] {
  if (!hasStrayBits(call)) return NONE;
  const side = baseSide(call.side);
  if (side !== "umd" && side !== "guest-umd") return NONE;
  return call.shape.strayBits.flatMap(({ index, name, allowed }) => {
    const bits = bigintOf(call.ins[index]) & ~allowed;
    if (bits === 0n) return NONE;
    const message = `${name} has ${hexText(bits)} set: reserved, must be 0`;
    return [{ rule: "gpuva-reserved-bits", message, shape: name }];
  });
}

const NONE: readonly Breach[] = [];

function hasStrayBits({ shape, ins }: CallView): boolean {
  for (const { index, allowed } of shape.strayBits) {
    const value = ins[index];
    if (value !== 0 && value !== 0n && (bigintOf(value) & ~allowed) !== 0n) return true;
  }
  return false;
}
