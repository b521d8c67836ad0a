// STATUS_PENDING taken for a failure (V-35): it is success that is not finished (gpuva.md 1.5).
// Decision: a program shows so where the next call of its process, after one that answered STATUS_PENDING, is the same
// call with the same arguments; a free, an evict or a wait in between is none, as what is pending may be
// given up; nor is MakeResident, which counts.

import { isArray, isRef, isStruct, type Outcome, STATUS, type Value } from "../api/mod.ts";
import type { AuditContext, CallView, Detector, Listener } from "./detector.ts";
import { GPU_KINDS } from "./gpu_call_values.ts";
import type { PlanShape } from "./plan_shape.ts";
import { placeText } from "./wording.ts";

/** A detector of retries after STATUS_PENDING. A map is a hot call: it allocates nothing unless something is found. */
export function gpuPendingDetector(): Detector {
  return new GpuPendingDetector();
}

class GpuPendingDetector implements Detector {
  /** The newest call that answered STATUS_PENDING, until its process calls again. */
  #pending: CallView | null = null;

  listen(shape: PlanShape): Listener | null {
    if (!GPU_KINDS.some((kind) => shape.object(kind) >= 0)) return null;
    return {
      returned: (call, context) => this.#returned(call, context),
      isIdle: ({ outcome }) => this.#pending === null && !isPending(outcome),
    };
  }

  #returned(call: CallView, context: AuditContext): void {
    const pending = this.#pending;
    if (pending !== null && pending.side === call.side) {
      this.#pending = null;
      if (pending.plan === call.plan && isSameList(pending.ins, call.ins) && isOnceEnough(call)) {
        report(call, pending, context);
      }
    }
    if (isPending(call.outcome)) this.#pending = call.keep();
  }
}

/** MakeResident counts: to call it again is to want it once more. */
function isOnceEnough({ shape }: CallView): boolean {
  return shape.in("makeResidentFlags") < 0;
}

function isPending(outcome: Outcome | null): boolean {
  return outcome !== null && outcome.form === "status" && outcome.status === STATUS.STATUS_PENDING;
}

function report(call: CallView, pending: CallView, context: AuditContext): void {
  const answered = context.evidence(pending, "pending");
  context.report({
    rule: "pending-treated-as-failure",
    message: `${call.plan.name} was called again with the same arguments right after STATUS_PENDING, answered ` +
      `${placeText(answered)}: that is success, not finished yet`,
    event: call.event,
    object: call.object("allocation") ?? call.object("pagingQueue"),
    evidence: [answered, context.evidence(call, "repeated")],
    shape: call.plan.name,
  });
}

function isSameList(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((value, index) => isSame(value, right[index] ?? null));
}

function isSame(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (left === null || right === null) return false;
  if (isRef(left)) return isRef(right) && left.kind === right.kind && left.number === right.number;
  if (isArray(left)) return isArray(right) && isSameList(left, right);
  if (!isStruct(left) || !isStruct(right)) return false;
  return Object.entries(left).every(([name, value]) => isSame(value, right[name] ?? null));
}
