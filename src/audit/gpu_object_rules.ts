// GPU objects: owners that end with children alive (V-31), allocations (V-39), adapters that were
// enumerated (V-37) and other objects (V-40) never closed.
// It must not know addresses.

import { findPlan, type ObjectKind, OBJECTS, printObject, type Ref } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import { destroyedBy, GPU_KINDS, isGpuKind, isOfGpu, PAGE, pagesText } from "./gpu_call_values.ts";
import { GpuHandles } from "./gpu_handles.ts";
import { creationOf, type Ended, type Tracked } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { countText, placeText } from "./wording.ts";

/** A detector of the V rules about objects. */
export function gpuObjectDetector(): Detector {
  return new GpuObjectDetector();
}

/** Owners whose documented end takes children along, or leaves them behind. */
const OWNERS: readonly ObjectKind[] = ["adapter", "device"];

class GpuObjectDetector implements Detector {
  /** Sizes of allocations. */
  readonly #handles = new GpuHandles();

  /** What calls that wait are going to end, by their events. */
  readonly #ending = new Map<number, readonly Ref[]>();

  hears(shape: PlanShape): boolean {
    return shape.creates.length + shape.destroys.length > 0 && isOfGpu(shape);
  }

  called(call: CallView): void {
    if (call.plan.declaration.blocks === true) this.#ending.set(call.event, destroyedBy(call));
  }

  returned(call: CallView, context: AuditContext): void {
    if (call.plan.declaration.blocks === true) this.#ending.delete(call.event);
    if (!call.succeeded) return;
    reportChildren(call, context);
    this.#handles.take(call);
  }

  hearsEnd(kind: ObjectKind): boolean {
    return isGpuKind(kind);
  }

  ended(objects: readonly Ended[]): void {
    for (const { ref } of objects) if (isGpuKind(ref.kind)) this.#handles.end([ref]);
  }

  /** Who waits for the end of an object has not forgotten it. */
  end(context: AuditContext): void {
    const ending = new Set([...this.#ending.values()].flat().map(printObject));
    const isEnding = ({ ref, owner }: Tracked) =>
      ending.has(printObject(ref)) || (owner !== null && ending.has(printObject(owner)));
    for (const kind of GPU_KINDS) {
      for (const object of context.objects.all(kind)) {
        if (isEnding(object)) continue;
        if (kind === "allocation") this.#reportAllocation(object, context);
        else if (isEnumerated(object)) reportEnumerated(object, context);
        else if (isOutermost(object, context)) reportObject(object, context);
      }
    }
  }

  /** One under a device that leaks too is told all the same: what it holds leaks, and closing the device is one way only. */
  #reportAllocation(object: Tracked, context: AuditContext): void {
    const created = creationOf(object);
    const pages = this.#handles.pagesOf(object.ref);
    const size = pages === undefined ? "" : ` (${pagesText(pages)})`;
    context.report({
      rule: "allocation-leak",
      message: `${printObject(object.ref)}${size}, created ${
        placeText(created)
      }, was never destroyed, nor was its device`,
      event: object.createdAt,
      object: object.ref,
      evidence: [created],
      verdict: context.leakVerdict(),
      ...(pages === undefined ? {} : { sizeBytes: Number(pages * PAGE), shape: pagesText(pages) }),
    });
  }
}

/** Whether an adapter was opened by an enumeration: nobody asked for it by its LUID. */
function isEnumerated({ ref, createdBy }: Tracked): boolean {
  return ref.kind === "adapter" && findPlan(createdBy.name)?.ins.every(({ word }) => word !== "luid") === true;
}

/** V-37, in place of V-40. */
function reportEnumerated(object: Tracked, context: AuditContext): void {
  const created = creationOf(object);
  context.report({
    rule: "adapter-handle-leak",
    message: `${printObject(object.ref)}, which the enumeration ${placeText(created)} opened, was never closed`,
    event: object.createdAt,
    object: object.ref,
    evidence: [created],
    verdict: context.leakVerdict(),
  });
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
  const created = creationOf(object);
  const held = kindsText(heldBy(object, context));
  context.report({
    rule: "gpu-object-leak",
    message: `${printObject(ref)}, created ${placeText(created)}, was never closed` +
      (held === "" ? "" : `; it holds ${held}`),
    event: createdAt,
    object: ref,
    evidence: [created],
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
    const children = owner === undefined ? [] : childrenIn(owner, context);
    if (owner === undefined || children.length === 0) continue;
    const counts = kindsText(children);
    context.report({
      rule: "device-children-alive",
      message: `${printObject(ref)} ended while ${counts} lived`,
      event: call.event,
      object: ref,
      evidence: [
        ...children.slice(0, EVIDENCE_LIMIT).map((child) => creationOf(child)),
        context.evidence(call, "ended"),
      ],
      shape: `${ref.kind} ${counts}`,
    });
  }
}

/** What an owner holds, a resource's allocations too; a queue's fence goes without saying. */
function childrenIn(owner: Tracked, context: AuditContext): readonly Tracked[] {
  return context.objects.childrenOf(owner).flatMap((child) =>
    child.ref.kind === "resource" ? [child, ...context.objects.childrenOf(child)] : [child]
  );
}

/** Children that become evidence. */
const EVIDENCE_LIMIT = 8;

/** `2 contexts, 1 pagingQueue`, in the order of the kinds' table. */
function kindsText(objects: readonly Tracked[]): string {
  const counts = GPU_KINDS.map((kind) => ({ kind, count: objects.filter(({ ref }) => ref.kind === kind).length }));
  return counts.filter(({ count }) => count > 0).map(({ kind, count }) => countText(count, kind)).join(", ");
}
