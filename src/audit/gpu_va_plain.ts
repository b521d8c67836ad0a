// Maps and frees that break nothing by their arguments and their answer, told by numbers alone: nearly all of them. What is
// odd in any way, and every reservation, is left to `gpu_va_arguments.ts`, which says what is wrong and knows 64 bits.
// It must not know address spaces. It must not allocate but what it returns.

import { PAGE_BYTES, SYMBOLS } from "../api/mod.ts";
import type { CallView } from "./detector.ts";

/** A map with an allocation, or a free, in pages. */
export interface PlainRange {
  readonly verb: "map" | "free";
  /** Where: as answered, or as asked for; -1: refused, and it would have been anywhere. */
  readonly start: number;
  readonly pageCount: number;
  /** Of the allocation. */
  readonly firstPage: number;
  readonly driverProtection: number;
  readonly isAnswered: boolean;
}

const { Zero, NoAccess } = SYMBOLS.protection;
const LOW_BITS = 0x7fffffff;
/** Above these, sums of bytes and pages are not all exact. */
const MOST_BYTES = Number.MAX_SAFE_INTEGER - 2 * PAGE_BYTES;
const UNBACKED = Number(Zero | NoAccess);

/** The range of a call; null where it has to be looked at closely. `limit` is the first byte behind the address space. */
export function plainRange(
  call: CallView,
  { limit, pagesOf }: { readonly limit: number; pagesOf(allocation: number): number | undefined },
): PlainRange | null {
  const { range, at, strayBits, creates, destroys } = call.shape;
  if (range === null || creates.length + destroys.length > 0) return null;
  for (const { index, allowedLow } of strayBits) {
    const bits = call.numberAt(index);
    if (bits > LOW_BITS || (bits & ~allowedLow) !== 0) return null;
  }
  const base = call.numberAt(at.gpuVaBase);
  if (!isPaged(base)) return null;
  if (range.verb === "free") {
    const bytes = call.numberAt(at.byteSize);
    if (bytes === 0 || !isPaged(base + bytes) || !isPaged(bytes) || hasLimits(call)) return null;
    const pageCount = bytes / PAGE_BYTES;
    return { verb: "free", start: base / PAGE_BYTES, pageCount, firstPage: 0, driverProtection: 0, isAnswered: false };
  }
  if (range.verb !== "map") return null;
  const pageCount = call.numberAt(at.pageCount);
  const firstPage = call.numberAt(at.pageOffset);
  const bytes = pageCount * PAGE_BYTES;
  if (pageCount === 0 || !isPaged(base + bytes) || !fitsAllocation(call, firstPage + pageCount, pagesOf)) return null;
  if (base !== 0 && (base + bytes > limit || hasLimits(call))) return null;
  const driverProtection = call.numberAt(at.driverProtection);
  if (!Number.isSafeInteger(driverProtection)) return null;
  if (!call.succeeded) {
    const start = base === 0 ? -1 : base / PAGE_BYTES;
    return hasLimits(call) ? null : { verb: "map", start, pageCount, firstPage, driverProtection, isAnswered: false };
  }
  const answered = call.answerAt(at.madeGpuVa);
  if (at.madeGpuVa < 0 || !isPlaced(call, { base, answered, bytes })) return null;
  return { verb: "map", start: answered / PAGE_BYTES, pageCount, firstPage, driverProtection, isAnswered: true };
}

/** A whole number of pages that a number holds exactly; a quotient by a power of two is exact, and a remainder of large numbers dear. */
function isPaged(bytes: number): boolean {
  const pages = bytes / PAGE_BYTES;
  return pages === Math.floor(pages) && bytes <= MOST_BYTES;
}

function hasLimits(call: CallView): boolean {
  const { at } = call.shape;
  return call.numberAt(at.gpuVaMinimum) !== 0 || call.numberAt(at.gpuVaMaximum) !== 0;
}

/** Backed by an allocation of which it asks for pages that are there, as far as that is known. */
function fitsAllocation(call: CallView, end: number, pagesOf: (allocation: number) => number | undefined): boolean {
  const { at } = call.shape;
  const protection = call.numberAt(at.protection);
  if (protection > LOW_BITS || (protection & UNBACKED) !== 0) return false;
  const allocation = call.objectNumberAt(at.allocation);
  return allocation > 0 && end <= (pagesOf(allocation) ?? Number.MAX_SAFE_INTEGER);
}

/** An answer within what was asked for. */
function isPlaced(
  call: CallView,
  { base, answered, bytes }: { readonly base: number; readonly answered: number; readonly bytes: number },
): boolean {
  if (base !== 0) return answered === base;
  const { at } = call.shape;
  const minimum = call.numberAt(at.gpuVaMinimum);
  const maximum = call.numberAt(at.gpuVaMaximum);
  if (!isPaged(answered + bytes) || !isPaged(answered) || !isPaged(minimum) || !isPaged(maximum)) return false;
  return answered >= minimum && (maximum === 0 || answered + bytes <= maximum);
}
