// What is wrong or worth knowing about a map, by what the space holds: rules V-03, V-04, V-14 and V-20.

import { pagesText, spanText } from "./gpu_call_values.ts";
import type { FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import type { Breach } from "./gpu_va_arguments.ts";
import { gaps } from "./gpu_page_table.ts";
import type { GpuVaSpace, PageSpan, PlacedMapping } from "./gpu_va_fold.ts";
import { hexText } from "./wording.ts";

/** Bit 63: every mapping of the same allocation pages must have this very value (gpuva.md 3.3). */
export const UNIQUE_DRIVER_PROTECTION = 1n << 63n;

/** Places of one allocation that a new one is compared with for V-04, a note; the rest is not looked at. */
const PLACES_COMPARED = 256;

/** A map, judged before it takes effect. */
export interface MapQuestion {
  readonly space: GpuVaSpace;
  readonly gpu: number;
  /** Where: as answered, or as asked for; null: refused, and it would have been anywhere. */
  readonly span: PageSpan | null;
  readonly pageCount: number;
  /** The allocation's number, 0: Zero or NoAccess. */
  readonly allocation: number;
  readonly firstPage: number;
  readonly driverProtection: bigint;
  /** The allocation was mapped with a unique driver protection before. */
  readonly hasUnique: boolean;
  readonly hasSucceeded: boolean;
  /** No page of the span is obtained. */
  readonly isFresh: boolean;
  /** Pages of this GPU that the same call has changed by then; nothing: none. */
  readonly changed?: readonly PageSpan[];
}

/** A breach, with the mapping or range that it is about. */
export interface MapBreach extends Omit<Breach, "message"> {
  readonly message: FindingDraft["message"];
  /** Most notes are counted, and nobody asks. */
  readonly evidence: () => readonly Evidence[];
}

/** Judges a map. Remapping and aliases are legal, so a refused map makes neither. */
export function judgeMap(question: MapQuestion): readonly MapBreach[] {
  const { allocation, hasSucceeded, isFresh } = question;
  if (allocation === 0) return listed(zeroOverMap(question));
  const conflict = protectionConflict(question);
  if (!hasSucceeded) return listed(conflict);
  const over = isFresh ? null : doubleMap(question);
  const other = alias(question);
  return conflict === null && over === null ? listed(other) : [...listed(conflict), ...listed(over), ...listed(other)];
}

const NONE: readonly MapBreach[] = [];

function listed(breach: MapBreach | null): readonly MapBreach[] {
  return breach === null ? NONE : [breach];
}

function zeroOverMap({ space, span }: MapQuestion): MapBreach | null {
  const over = span === null ? undefined : space.rangesIn(span).find(({ value }) => value.kind === "mapped");
  if (over === undefined || span === null) return null;
  const message = `Zero or NoAccess over ${spanText(span)}, of which Map obtained ${spanText(over)}`;
  return { rule: "gpuva-zero-over-map", message, evidence: () => [over.value.obtained] };
}

/** Page tables are the GPU's own: the same addresses mapped for another GPU are no remap. */
function doubleMap({ space, gpu, span }: MapQuestion): MapBreach | null {
  const over = span === null ? [] : space.mappingsIn(span, gpu).filter(({ value }) => value.allocation !== 0);
  const [first] = over;
  if (first === undefined || span === null) return null;
  const pages = over.reduce((sum, { start, end }) => sum + end - start, 0);
  const message = () =>
    `map of ${spanText(span)} replaces ${pagesText(pages)} that allocation#${first.value.allocation} ` +
    `was mapped at since @${first.value.mapped.event}`;
  const shape = `${pages} of ${span.end - span.start}`;
  return { rule: "gpuva-double-map", message, evidence: () => [first.value.mapped], shape };
}

/** Where else pages of an allocation are mapped that a map shows at a span; null: nowhere that is looked at. */
export function otherPlace(
  space: GpuVaSpace,
  span: PageSpan,
  { gpu, allocation, firstPage, pageCount }: Pick<MapQuestion, "gpu" | "allocation" | "firstPage" | "pageCount">,
): PlacedMapping | null {
  const origin = span.start - firstPage;
  const isAlias = (start: number, end: number, other: number, on: number): boolean =>
    other !== origin && start - other < firstPage + pageCount && firstPage < end - other &&
    !(on === gpu && span.start <= start && end <= span.end);
  return space.findMapping(allocation, isAlias, { limit: PLACES_COMPARED });
}

function alias(question: MapQuestion): MapBreach | null {
  const { space, allocation, span } = question;
  const other = span === null ? null : otherPlace(space, span, question);
  if (other === null || span === null) return null;
  const message = () =>
    `allocation#${allocation} is mapped at ${spanText(span)} and, at least in part, at ${spanText(other)} too`;
  return { rule: "gpuva-alias", message, evidence: () => [other.value.mapped] };
}

/**
 * A unique value differs from another mapping's of the same allocation pages. A mapping that is wholly replaced does not
 * count, unless its own value is unique: that one can be changed only through NoAccess (gpuva.md 3.3).
 */
function protectionConflict(question: MapQuestion): MapBreach | null {
  const { driverProtection, gpu, span, firstPage, pageCount } = question;
  if (!question.hasUnique && !isUnique(driverProtection)) return null;
  for (const other of question.space.mappingsOf(question.allocation)) {
    const { value } = other;
    if (value.driverProtection === driverProtection || !isShared(other, question)) continue;
    const first = Math.max(other.start, firstPage + value.origin);
    const last = Math.min(other.end, firstPage + pageCount + value.origin);
    if (other.gpu === gpu && gaps({ start: first, end: last }, question.changed ?? []).length === 0) continue;
    const isReplaced = span !== null && other.gpu === gpu && isInside({ start: first, end: last }, span);
    if (!isUnique(value.driverProtection) && (isReplaced || !isUnique(driverProtection))) continue;
    const message =
      `map of allocation#${question.allocation} with driver protection ${hexText(driverProtection)}: its ` +
      `mapping at ${spanText(other)} has ${hexText(value.driverProtection)}, and a unique value must be the same`;
    return { rule: "gpuva-driver-protection-conflict", message, evidence: () => [value.mapped] };
  }
  return null;
}

/** Whether a mapping of the allocation shares one of its pages with the new one. */
function isShared({ start, end, value }: PlacedMapping, { firstPage, pageCount }: MapQuestion): boolean {
  return start - value.origin < firstPage + pageCount && firstPage < end - value.origin;
}

function isInside(inner: PageSpan, outer: PageSpan): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** Whether a driver protection is unique. */
export function isUnique(driverProtection: bigint): boolean {
  return (driverProtection & UNIQUE_DRIVER_PROTECTION) !== 0n;
}
