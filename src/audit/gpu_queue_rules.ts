// The fence of a paging queue: used after the queue ended (V-25), destroyed by hand (V-26).
// Decisions where the documents leave room: any call that names the fence uses it, refused or not; a wait that was under
// way when the queue ended is none. Destroying the fence of a queue that ended is a use of it.

import { isArray, isRef, type ObjectKind, printObject, type Ref, type Value } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { createdBy } from "./gpu_call_values.ts";
import { Newest } from "./newest.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { placeText } from "./wording.ts";

/** Fences of queues that ended, as many as are remembered. */
const DEAD_KEPT = 4096;

/** A detector of the rules about paging queues' fences. */
export function gpuQueueDetector(): Detector {
  return new GpuQueueDetector();
}

interface QueueFence {
  readonly queue: Ref;
  readonly fence: Ref;
  readonly created: Evidence;
  readonly ended: Evidence | null;
}

class GpuQueueDetector implements Detector {
  /** Live ones, by sync object. */
  readonly #live = new Map<number, QueueFence>();
  /** Those of queues that ended, by sync object, and by handle as long as nothing else has it. */
  readonly #dead = new Newest<number, QueueFence>(DEAD_KEPT);
  readonly #handles = new Newest<number, QueueFence | null>(DEAD_KEPT);

  hears(shape: PlanShape): boolean {
    return shape.names("syncObject");
  }

  called(call: CallView, context: AuditContext): void {
    const place = call.shape.object("syncObject");
    if (place < 0) return;
    const value = call.ins[place] ?? null;
    for (const each of isArray(value) ? value : [value]) this.#judge(call, each, context);
  }

  returned(call: CallView, context: AuditContext): void {
    if (!call.succeeded) return;
    const made = createdBy(call);
    const fence = made.find(({ kind }) => kind === "syncObject");
    if (fence === undefined) return;
    if (this.#handles.get(fence.handle) !== undefined) this.#handles.set(fence.handle, null);
    const queue = made.find(({ kind }) => kind === "pagingQueue");
    if (queue === undefined) return;
    this.#live.set(fence.number, { queue, fence, created: context.evidence(call, "created"), ended: null });
  }

  hearsEnd(kind: ObjectKind): boolean {
    return kind === "syncObject";
  }

  ended(objects: readonly Ended[], context: AuditContext, call: CallView): void {
    for (const { ref } of objects) {
      const known = ref.kind === "syncObject" ? this.#live.get(ref.number) : undefined;
      if (known === undefined) continue;
      this.#live.delete(ref.number);
      const ended = context.evidence(call, "ended");
      this.#dead.set(ref.number, { ...known, ended });
      this.#handles.set(ref.handle, { ...known, ended });
    }
  }

  #judge(call: CallView, value: Value, context: AuditContext): void {
    if (isRef(value) && this.#live.has(value.number)) return this.#judgeLive(call, value, context);
    const dead = isRef(value)
      ? this.#dead.get(value.number)
      : typeof value === "number"
      ? this.#handles.get(value)
      : undefined;
    if (dead === undefined || dead === null) return;
    const { queue, fence, created, ended } = dead;
    context.report({
      rule: "paging-queue-use-after-destroy",
      message: `${call.plan.name} used ${printObject(fence)}, the fence of ${printObject(queue)}, which ended ` +
        (ended === null ? "before" : placeText(ended)),
      event: call.event,
      object: fence,
      evidence: [created, ...(ended === null ? [] : [ended]), context.evidence(call, "used")],
      shape: call.plan.name,
    });
  }

  #judgeLive(call: CallView, { number }: Ref, context: AuditContext): void {
    const known = this.#live.get(number);
    if (known === undefined || call.shape.verbOn("syncObject") !== "destroy") return;
    const { queue, fence, created } = known;
    context.report({
      rule: "paging-fence-destroyed",
      message: `${printObject(fence)} is the fence of ${
        printObject(queue)
      }, and goes with it: it was destroyed by hand`,
      event: call.event,
      object: fence,
      evidence: [created, context.evidence(call, "destroyed")],
    });
  }
}
