// GPU objects: owners that end with children alive (V-31), allocations (V-39) and other objects (V-40) never closed.
// It must not know addresses.

import { type ObjectKind, OBJECTS, type Ref } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import { counted, createdBy, creationOf, destroyedBy, GPU_KINDS, PAGE_BYTES, pagesText } from "./gpu_call_values.ts";
import { exitedSide, GpuEnds } from "./gpu_ends.ts";
import { GpuHandles } from "./gpu_handles.ts";
import type { Tracked } from "./object_table.ts";

/** A detector of the V rules about objects. */
export function gpuObjectDetector(): Detector {
  return new GpuObjectDetector();
}

/** Owners whose documented end takes children along, or leaves them behind. */
const OWNERS: readonly ObjectKind[] = ["adapter", "device"];

class GpuObjectDetector implements Detector {
  readonly #ends = new GpuEnds();
  readonly #handles = new GpuHandles();
  /** What ended without an effect that says so: a resource's allocations, all of a process that died. */
  readonly #untold: { readonly ref: Ref; readonly event: number }[] = [];

  called(_call: CallView, context: AuditContext): void {
    this.#endUntold(context);
  }

  returned(call: CallView, context: AuditContext): void {
    if (!call.succeeded) return;
    reportChildren(call, context);
    for (const { kind } of createdBy(call)) if (GPU_KINDS.includes(kind)) context.pairing.start(thingOf(kind));
    const ended = this.#ends.endedBy(call, context.objects);
    for (const ref of ended) this.#count(ref, context);
    this.#ends.take(call, ended);
    this.#handles.take(call);
    this.#handles.end(ended);
    const isTold = (ref: Ref) => ref.kind !== "allocation" && exitedSide(call) === null;
    this.#untold.push(...ended.filter((ref) => !isTold(ref)).map((ref) => ({ ref, event: call.returnedAt })));
  }

  end(context: AuditContext): void {
    this.#endUntold(context);
    const isLeaked = context.leakVerdict() === "certain";
    for (const kind of GPU_KINDS) {
      for (const object of context.objects.all(kind)) {
        context.pairing.left(thingOf(kind), isLeaked);
        if (kind === "allocation") this.#reportAllocation(object, context);
        else if (isOutermost(object, context)) reportObject(object, context);
      }
    }
  }

  #count(ref: Ref, context: AuditContext): void {
    const { objects, pairing } = context;
    if (objects.live(ref) !== undefined) pairing.pair(thingOf(ref.kind));
    else pairing.unmatchedEnd(thingOf(ref.kind), context.historyVerdict() === "pre-existing");
  }

  /** Ends in the object table what no effect tells, once every detector has seen the call. */
  #endUntold({ objects }: AuditContext): void {
    for (const { ref, event } of this.#untold.splice(0)) objects.end(ref, event);
  }

  /** One under a device that leaks too is told all the same: what it holds leaks, and closing the device is one way only. */
  #reportAllocation(object: Tracked, context: AuditContext): void {
    const pages = this.#handles.pagesOf(object.ref);
    const size = pages === undefined ? "" : ` (${pagesText(pages)})`;
    context.report({
      rule: "allocation-leak",
      message: `allocation#${object.ref.number}${size}, created at @${object.createdAt}, was never destroyed, ` +
        `nor was its device`,
      event: object.createdAt,
      object: object.ref,
      evidence: [creationOf(object)],
      verdict: context.leakVerdict(),
      ...(pages === undefined ? {} : { sizeBytes: Number(pages * PAGE_BYTES), shape: pagesText(pages) }),
    });
  }
}

/**
 * Whether an object's leak is one of its own: closing its owner would not have released it. So a forgotten device is one
 * finding with what it holds, and a forgotten adapter is another, as CloseAdapter does not end devices.
 */
function isOutermost({ ref, owner }: Tracked, { objects }: AuditContext): boolean {
  return owner === null || objects.live(owner) === undefined || OBJECTS[ref.kind].ownerEnd !== "released";
}

function reportObject(object: Tracked, context: AuditContext): void {
  const { ref, createdAt } = object;
  const held = kindsText(heldBy(object, context));
  context.report({
    rule: "gpu-object-leak",
    message: `${ref.kind}#${ref.number}, created at @${createdAt}, was never closed` +
      (held === "" ? "" : `; it holds ${held}`),
    event: createdAt,
    object: ref,
    evidence: [creationOf(object)],
    verdict: context.leakVerdict(),
    shape: ref.kind,
  });
}

/** Live objects that would have ended with it. */
function heldBy(object: Tracked, context: AuditContext): readonly Tracked[] {
  return context.objects.childrenOf(object)
    .filter(({ ref }) => OBJECTS[ref.kind].ownerEnd === "released")
    .flatMap((child) => [child, ...heldBy(child, context)]);
}

/** V-31, once per call: a device takes its children along, an adapter leaves its devices behind; both documentedly. */
function reportChildren(call: CallView, context: AuditContext): void {
  for (const ref of destroyedBy(call)) {
    const owner = OWNERS.includes(ref.kind) ? context.objects.live(ref) : undefined;
    const children = owner === undefined ? [] : context.objects.childrenOf(owner);
    if (owner === undefined || children.length === 0) continue;
    const counts = kindsText(children);
    context.report({
      rule: "device-children-alive",
      message: `${ref.kind}#${ref.number} ended while ${counts} lived`,
      event: call.event,
      object: ref,
      evidence: [...children.slice(0, EVIDENCE_LIMIT).map(creationOf), context.evidence(call, "ended")],
      shape: `${ref.kind} ${counts}`,
    });
  }
}

/** Children that become evidence. */
const EVIDENCE_LIMIT = 8;

/** `2 contexts, 1 pagingQueue`, in the order of the kinds' table. */
function kindsText(objects: readonly Tracked[]): string {
  const counts = GPU_KINDS.map((kind) => ({ kind, count: objects.filter(({ ref }) => ref.kind === kind).length }));
  return counts.filter(({ count }) => count > 0).map(({ kind, count }) => counted(count, kind)).join(", ");
}

/** The kind as `pairing` names it: `paging-queue`. */
function thingOf(kind: ObjectKind): string {
  return kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
