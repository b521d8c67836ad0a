// What is left of GPU addresses at the end of a trace: rules V-01 and V-02. It must not know calls.

import { PAGE_BYTES, type Ref } from "../api/mod.ts";
import type { AuditContext } from "./detector.ts";
import { pagesText, spanText } from "./gpu_call_values.ts";
import type { GpuVaSpace, PageSpan } from "./gpu_va_fold.ts";
import { placeText } from "./wording.ts";

/** Things of `pairing`, by kind of range. */
export const THINGS = { mapped: "gpuva-mapping", reserved: "gpuva-range" } as const;

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
  const seen = new Map<number, { readonly first: PageSpan; pieces: number; mappedPages: number }>();
  for (const { start, end, value } of space.pieces()) {
    const entry = seen.get(value.number) ?? { first: { start, end }, pieces: 0, mappedPages: 0 };
    entry.pieces += 1;
    if (value.kind === "reserved") entry.mappedPages += space.mappedPages({ start, end });
    seen.set(value.number, entry);
  }
  for (const range of space.ranges()) {
    const entry = seen.get(range.number);
    if (entry === undefined) continue;
    const { kind, number, obtained, pageCount } = range;
    const isDrivers = driverRanges.has(number);
    context.pairing.left(THINGS[kind], verdict === "certain" && !isDrivers);
    if (isDrivers) continue;
    const where = `${spanText(entry.first)}${entry.pieces > 1 ? ` and ${entry.pieces - 1} more` : ""}`;
    const size = pagesText(pageCount);
    const inside = entry.mappedPages === 0 ? "" : `, with ${pagesText(entry.mappedPages)} mapped inside`;
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
