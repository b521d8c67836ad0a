// What is left of GPU addresses at the end of a trace: rules V-01 and V-02. It must not know calls.

import { PAGE_BYTES, type Ref } from "../api/mod.ts";
import type { AuditContext } from "./detector.ts";
import { pagesText, spanText } from "./gpu_call_values.ts";
import type { GpuVaSpace, PageSpan } from "./gpu_va_fold.ts";
import { placeText } from "./wording.ts";

/** Things of `pairing`, by kind of range. */
export const THINGS = { mapped: "gpuva-mapping", reserved: "gpuva-range" } as const;

const NOWHERE: PageSpan = { start: 0, end: 0 };

/** An obtained range as an object: ranges are numbered in order, as the model numbers them; no call names one. */
export function rangeRef(number: number): Ref {
  return { kind: "vad", number, handle: 0 };
}

/**
 * A range that Map obtained is V-01; a reservation is V-02, and what is mapped inside is told with it, once (rules.md).
 * What a kernel driver reserved ends with the process.
 */
export function reportLeaks(space: GpuVaSpace, context: AuditContext, driverRanges: ReadonlySet<number>): void {
  const verdict = context.leakVerdict();
  for (const { range, pieces } of space.left()) {
    const { kind, number, obtained, pageCount } = range;
    const isDrivers = driverRanges.has(number);
    context.pairing.left(THINGS[kind], verdict === "certain" && !isDrivers);
    if (isDrivers) continue;
    const [first = NOWHERE] = pieces;
    const where = pieces.length === 1 ? spanText(first) : `${spanText(first)} and ${pieces.length - 1} more`;
    const mapped = kind === "mapped" ? 0 : pieces.reduce((sum, piece) => sum + space.mappedPages(piece), 0);
    const size = pagesText(pageCount);
    const inside = mapped === 0 ? "" : `, with ${pagesText(mapped)} mapped inside`;
    context.report({
      rule: kind === "mapped" ? "gpuva-leak" : "gpuva-reservation-leak",
      message: flatText([where, ", ", kind, " ", placeText(obtained), ", was never released: ", size, inside]),
      event: obtained.event,
      object: rangeRef(number),
      evidence: [obtained],
      verdict,
      shape: size,
      sizeBytes: pageCount * PAGE_BYTES,
    });
  }
}

/** One text of several, whole: what `+` makes is a tree of parts, which a leak of a hundred thousand ranges would keep. */
function flatText(parts: readonly string[]): string {
  return parts.join("");
}
