// What a free leaves behind: work that still uses the addresses (V-11), and a gap before they are reserved again (V-34).
// Decisions where the documents leave room:
// - V-11: a submission that has not run uses what its accesses say. An update that has not run is dropped where its pages
//   are freed (gpuva.md 4.6, U11), so that is a warning.
// - V-34 is a way to unmap and keep the addresses: a free of a reservation with something mapped inside, then a reserve
//   that names its base. A free of what was empty gives addresses up; they may be had again. The newest frees are known.

import type { AuditContext, CallView } from "./detector.ts";
import { pagesText, spanText } from "./gpu_call_values.ts";
import type { GpuVaSpace, PageSpan } from "./gpu_va_fold.ts";
import { isAligned, type RangeRequest } from "./gpu_va_arguments.ts";
import type { GpuWorld } from "./gpu_world.ts";
import type { Evidence } from "./finding.ts";
import type { NewestFrees } from "./newest_frees.ts";
import { placeText } from "./wording.ts";
import { PAGE_BYTES } from "../api/mod.ts";

/** A free, before it takes effect. */
export interface FreeOfPages {
  readonly world: GpuWorld;
  readonly space: GpuVaSpace;
  readonly span: PageSpan;
  readonly context: AuditContext;
}

/** V-11: work that has not run uses the addresses that a call frees. */
export function reportFreeInUse(call: CallView, free: FreeOfPages): void {
  const user = submissionIn(free) ?? updateIn(free);
  if (user === null) return;
  const { span, context } = free;
  const { begun, isUpdate } = user;
  const what = isUpdate ? "the update" : "the submission";
  const message =
    `free of ${spanText(span)}: ${what} made ${placeText(begun)} uses ${spanText(user.span)} and has not run` +
    (isUpdate ? "; it is dropped there" : "");
  context.report({
    rule: "gpuva-free-in-use",
    message,
    event: call.event,
    object: call.object("adapter"),
    evidence: [begun, context.evidence(call, "freed")],
    shape: `${isUpdate ? "update" : "submission"} ${pagesText(span.end - span.start)}`,
    ...(isUpdate ? { severity: "warning" as const } : {}),
    ...(context.header.maker === "engine" ? {} : { verdict: "unproven" as const }),
  });
}

interface User {
  readonly begun: Evidence;
  readonly span: PageSpan;
  readonly isUpdate: boolean;
}

function submissionIn({ world, space, span }: FreeOfPages): User | null {
  for (const work of world.work.submissions()) {
    const used = overlapping(work.spans, span);
    if (used !== null && world.spaces.get(work.space) === space) {
      return { begun: work.submitted, span: used, isUpdate: false };
    }
  }
  return null;
}

function updateIn({ world, space, span }: FreeOfPages): User | null {
  for (const update of world.work.updates()) {
    const used = overlapping(update.spans, span);
    if (used !== null && world.spaces.get(update.space) === space) {
      return { begun: update.queued, span: used, isUpdate: true };
    }
  }
  return null;
}

function overlapping(spans: readonly PageSpan[], { start, end }: PageSpan): PageSpan | null {
  return spans.find((each) => each.start < end && start < each.end) ?? null;
}

/** Whether a free unmaps: something is mapped in a reservation there. */
export function isUnmapping(space: GpuVaSpace, span: PageSpan): boolean {
  return space.rangesIn(span).some(({ value }) => value.kind === "reserved") && space.mappedPages(span) > 0;
}

/** V-34: addresses were freed and are reserved again at the same base; in between they were anybody's. */
export function reportGap(
  call: CallView,
  { request, space, frees, context }: {
    readonly request: RangeRequest;
    readonly space: GpuVaSpace | undefined;
    readonly frees: NewestFrees;
    readonly context: AuditContext;
  },
): void {
  if (space === undefined || request.base === 0n || !isAligned(request)) return;
  const start = Number(request.base) / PAGE_BYTES;
  const released = frees.find(space, start);
  if (released === null) return;
  frees.forget(space, start);
  const message = `reserve at the base that was freed ${placeText(released)}: in between the addresses were anybody's`;
  context.report({
    rule: "gpuva-free-then-reserve",
    message,
    event: call.event,
    object: call.object("pagingQueue") ?? call.object("adapter"),
    evidence: [released, context.evidence(call, "reserved")],
  });
}
