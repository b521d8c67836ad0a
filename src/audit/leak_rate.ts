// Kinds of objects that grow by a steady number with each cycle of another object: open and close, create and destroy
// (X-05). Decisions where the rule leaves room:
// - A cycle ends where a channel is disabled, or where a device, context, paging queue or adapter ends.
// - Steady: the same growth, above 0, in each of the last cycles, at least three of them, up to the trace's end.
// - Of several kinds of cycle that a kind grows with, the slowest is told: it is nearest to what was forgotten.
// - The newest object of the kind stands for all; its siblings tell whether others of its birthplace were released.

import type { ObjectKind } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import { creationOf, type Ended, type Tracked } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { countText } from "./wording.ts";

/** Cycles in a row that make a rate. */
const CYCLES_NEEDED = 3;
/** Kinds whose end ends a cycle; a channel's disable does as well. */
const CYCLES: readonly ObjectKind[] = ["device", "context", "pagingQueue", "adapter"];

/** A detector of steady growth. */
export function leakRateDetector(): Detector {
  return new LeakRate();
}

/** How a kind stood at the ends of cycles. */
interface Growth {
  count: number;
  step: number;
  /** Cycles in a row that grew by the step. */
  cycles: number;
}

class LeakRate implements Detector {
  /** By kind of cycle, then by kind of object. */
  readonly #growth = new Map<ObjectKind, Map<ObjectKind, Growth>>();

  hears(shape: PlanShape): boolean {
    return shape.channelVerb === "close";
  }

  returned(call: CallView, context: AuditContext): void {
    if (call.succeeded) this.#sample("channel", context);
  }

  hearsEnd(kind: ObjectKind): boolean {
    return CYCLES.includes(kind);
  }

  ended(objects: readonly Ended[], context: AuditContext): void {
    for (const kind of CYCLES) if (objects.some(({ ref }) => ref.kind === kind)) this.#sample(kind, context);
  }

  end(context: AuditContext): void {
    for (const kind of context.objects.kinds()) {
      const slowest = this.#slowest(kind);
      if (slowest !== null) report(kind, slowest, context);
    }
  }

  #sample(cycle: ObjectKind, context: AuditContext): void {
    const kinds = this.#growth.get(cycle) ?? new Map<ObjectKind, Growth>();
    this.#growth.set(cycle, kinds);
    for (const kind of context.objects.kinds()) {
      const count = context.objects.count(kind);
      const growth = kinds.get(kind);
      if (growth === undefined) kinds.set(kind, { count, step: count, cycles: 1 });
      else grow(growth, count);
    }
  }

  #slowest(kind: ObjectKind): Rate | null {
    let slowest: Rate | null = null;
    for (const [cycle, kinds] of this.#growth) {
      const { step, cycles } = kinds.get(kind) ?? { step: 0, cycles: 0 };
      if (step <= 0 || cycles < CYCLES_NEEDED) continue;
      if (slowest === null || cycles < slowest.cycles) slowest = { cycle, step, cycles };
    }
    return slowest;
  }
}

function grow(growth: Growth, count: number): void {
  const step = count - growth.count;
  growth.cycles = step === growth.step ? growth.cycles + 1 : 1;
  growth.step = step;
  growth.count = count;
}

interface Rate {
  readonly cycle: ObjectKind;
  readonly step: number;
  readonly cycles: number;
}

function report(kind: ObjectKind, { cycle, step, cycles }: Rate, context: AuditContext): void {
  let newest: Tracked | null = null;
  for (const object of context.objects.all(kind)) newest = object;
  if (newest === null) return;
  context.report({
    rule: "leak-rate",
    message: `${kind} objects grew by ${step} with each of the last ${countText(cycles, `${cycle} cycle`)}: ` +
      `${context.objects.count(kind)} are live`,
    event: newest.createdAt,
    object: newest.ref,
    evidence: [creationOf(newest)],
    shape: `${kind} ${step} per ${cycle}`,
    verdict: context.leakVerdict(),
  });
}
