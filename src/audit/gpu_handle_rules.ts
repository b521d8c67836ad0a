// Handle values of GPU objects that named another object before (V-38). A note: whoever kept the old value names the new
// object by it. Decisions: handles are a process's own; the newest dead are remembered.

import { canonicalSide, type ObjectKind, printObject, type Ref } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import { createdBy, GPU_KINDS, isGpuKind } from "./gpu_call_values.ts";
import { Newest } from "./newest.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";

/** Handles of dead objects that are remembered. */
const DEAD_KEPT = 65536;

/** A detector of handle values that are given out again. */
export function gpuHandleDetector(): Detector {
  return new GpuHandleDetector();
}

interface Former {
  readonly ref: Ref;
  readonly side: string;
  readonly endedAt: number;
}

class GpuHandleDetector implements Detector {
  readonly #dead = new Newest<number, Former>(DEAD_KEPT);

  hears(shape: PlanShape): boolean {
    return shape.creates.some(({ param }) => GPU_KINDS.some((kind) => param.kind === kind || param.members.length > 0));
  }

  returned(call: CallView, context: AuditContext): void {
    if (!call.succeeded) return;
    for (const ref of createdBy(call)) {
      const former = isGpuKind(ref.kind) && ref.handle !== 0 ? this.#dead.get(ref.handle) : undefined;
      const isSame = former?.ref.kind === ref.kind && former.ref.number === ref.number;
      if (former === undefined || isSame || former.side !== canonicalSide(call.side)) continue;
      context.report({
        rule: "handle-reused",
        message: () =>
          `${printObject(ref)} has the handle that ${printObject(former.ref)} had until @${former.endedAt}`,
        event: call.event,
        object: ref,
        evidence: [context.evidence(call, "created")],
        shape: `${former.ref.kind} ${ref.kind}`,
      });
    }
  }

  hearsEnd(kind: ObjectKind): boolean {
    return isGpuKind(kind);
  }

  ended(objects: readonly Ended[], context: AuditContext): void {
    for (const { ref, endedAt } of objects) {
      if (!isGpuKind(ref.kind) || ref.handle === 0) continue;
      const side = canonicalSide(context.objects.find(ref)?.side ?? "umd");
      this.#dead.set(ref.handle, { ref, side, endedAt });
    }
  }
}
