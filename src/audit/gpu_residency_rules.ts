// Counts of allocations: resident (V-27, V-28) and locked (V-30).
//
// Decisions where the documents leave room:
// - Counts are kept from the first MakeResident, Evict or Lock2 on; an allocation that nobody ever made resident is
//   accessed legally, unless the option `never-resident` says that it faults: a trace may not show who made it so.
// - V-27: an Evict below 0, and a count above 0 where the allocation itself is destroyed. Its device's end takes all along.
// - V-28 looks at what pages will point to when all that is queued by then is done.
// - V-30: an unlock of what is not locked; a lock that was there when the allocation or its device ended, or the trace.
//   A process's end gives everything back.

import { heldRefs, type ObjectKind, printObject, type Ref } from "../api/mod.ts";
import type { CallName } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import type { Evidence, Verdict } from "./finding.ts";
import { accessesOf, addressText, destroyedBy, isProcessExit, pagesTouched } from "./gpu_call_values.ts";
import type { GpuWorld } from "./gpu_world.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { countText, placeText } from "./wording.ts";

type Role = "resident" | "evict" | "lock" | "unlock";

const COUNTING_CALLS: Readonly<Partial<Record<CallName, Role>>> = {
  D3DKMTMakeResident: "resident",
  D3DKMTEvict: "evict",
  D3DKMTLock2: "lock",
  D3DKMTUnlock2: "unlock",
};
const ROLES: ReadonlyMap<string, Role> = new Map(Object.entries(COUNTING_CALLS));

/** A detector of the rules about counts. It stands after the detector of addresses. */
export function gpuResidencyDetector(world: GpuWorld): Detector {
  return new GpuResidencyDetector(world);
}

interface Counts {
  readonly ref: Ref;
  resident: number;
  /** The newest call that raised the count, and the one that brought it to 0. */
  madeResident: Evidence | null;
  evicted: Evidence | null;
  /** Locks that were not given back, oldest first. */
  readonly locks: Evidence[];
}

class GpuResidencyDetector implements Detector {
  readonly #world: GpuWorld;
  readonly #counts = new Map<number, Counts>();

  constructor(world: GpuWorld) {
    this.#world = world;
  }

  hears(shape: PlanShape): boolean {
    return ROLES.has(shape.plan.name) || shape.object("context") >= 0;
  }

  returned(call: CallView, context: AuditContext): void {
    const role = ROLES.get(call.plan.name);
    if (role !== undefined) return this.#count(call, role, context);
    if (call.shape.object("context") >= 0) this.#judgeAccesses(call, context);
  }

  hearsEnd(kind: ObjectKind): boolean {
    return kind === "allocation";
  }

  ended(objects: readonly Ended[], context: AuditContext, call: CallView): void {
    for (const { ref } of objects) {
      const counts = ref.kind === "allocation" ? this.#counts.get(ref.number) : undefined;
      if (counts === undefined) continue;
      this.#counts.delete(ref.number);
      if (isProcessExit(call.plan)) continue;
      const isOwn = destroyedBy(call).some(({ kind }) => kind === "allocation" || kind === "resource");
      if (isOwn && counts.resident > 0) reportStillResident(call, counts, context);
      if (counts.locks.length > 0) reportLocked(counts, context, { ended: context.evidence(call, "ended") });
    }
  }

  end(context: AuditContext): void {
    for (const counts of this.#counts.values()) {
      if (counts.locks.length > 0) reportLocked(counts, context, { verdict: context.leakVerdict() });
    }
  }

  #count(call: CallView, role: Role, context: AuditContext): void {
    const listed = heldRefs(call.in("allocation"));
    const below = role === "evict" ? belowZero(listed, (ref) => this.#counts.get(ref.number)?.resident ?? 0) : null;
    if (below !== null) reportBelowZero(call, below, context);
    for (const ref of listed) {
      const locks = this.#counts.get(ref.number)?.locks.length ?? 0;
      if (role === "unlock" && locks === 0) reportUnlocked(call, ref, context);
      if (call.succeeded) this.#change(this.#countsOf(ref), role, context.evidence(call, role));
    }
  }

  #change(counts: Counts, role: Role, evidence: Evidence): void {
    if (role === "lock") counts.locks.push({ ...evidence, role: "locked" });
    else if (role === "unlock") counts.locks.pop();
    else if (role === "resident") {
      counts.resident += 1;
      counts.madeResident = evidence;
      counts.evicted = null;
    } else {
      counts.resident = Math.max(0, counts.resident - 1);
      if (counts.resident === 0) counts.evicted ??= { ...evidence, role: "evicted" };
    }
  }

  #countsOf(ref: Ref): Counts {
    const known = this.#counts.get(ref.number);
    if (known !== undefined) return known;
    const made: Counts = { ref, resident: 0, madeResident: null, evicted: null, locks: [] };
    this.#counts.set(ref.number, made);
    return made;
  }

  /** V-28, once per call. */
  #judgeAccesses(call: CallView, context: AuditContext): void {
    const faults = context.header.options["never-resident"] === "faults";
    if (!faults && this.#counts.size === 0) return;
    const accesses = accessesOf(call);
    for (const gpuContext of accesses.length === 0 ? [] : heldRefs(call.in("context"))) {
      const space = this.#world.spaceBehind(gpuContext);
      const gpu = this.#world.handles.gpuOf(gpuContext);
      for (const { start, sizeBytes } of accesses) {
        const span = pagesTouched(start, sizeBytes);
        for (const mapped of span === null ? [] : space?.mappingsIn(span, gpu) ?? []) {
          const { allocation } = mapped.value;
          const counts = this.#counts.get(allocation);
          const isOut = counts === undefined ? faults : counts.resident === 0 && (faults || counts.evicted !== null);
          if (allocation === 0 || !isOut) continue;
          return reportEvicted(call, { page: mapped.start, allocation, evicted: counts?.evicted ?? null }, context);
        }
      }
    }
  }
}

/** The first of a list that is evicted more often than it was made resident, or null. */
function belowZero(listed: readonly Ref[], residentCount: (ref: Ref) => number): Ref | null {
  const wanted = new Map<number, number>();
  for (const ref of listed) {
    const count = (wanted.get(ref.number) ?? 0) + 1;
    wanted.set(ref.number, count);
    if (count > residentCount(ref)) return ref;
  }
  return null;
}

function reportBelowZero(call: CallView, ref: Ref, context: AuditContext): void {
  const history = context.historyVerdict();
  context.report({
    rule: "residency-imbalance",
    message: `${printObject(ref)} was evicted more often than it was made resident`,
    event: call.event,
    object: ref,
    evidence: [context.evidence(call, "evicted")],
    shape: "below 0",
    ...(history === "pre-existing" ? { verdict: history } : {}),
  });
}

function reportStillResident(call: CallView, { ref, resident, madeResident }: Counts, context: AuditContext): void {
  context.report({
    rule: "residency-imbalance",
    message: `${printObject(ref)} was destroyed while ${countText(resident, "MakeResident")} had no Evict`,
    event: call.event,
    object: ref,
    evidence: [...(madeResident === null ? [] : [madeResident]), context.evidence(call, "destroyed")],
    shape: "at destroy",
  });
}

function reportEvicted(
  call: CallView,
  { page, allocation, evicted }: {
    readonly page: number;
    readonly allocation: number;
    readonly evicted: Evidence | null;
  },
  context: AuditContext,
): void {
  const since = evicted === null ? "nobody made it resident" : `evicted ${placeText(evicted)}`;
  context.report({
    rule: "residency-access-evicted",
    message: `the GPU is to use ${addressText(page)}, where allocation#${allocation} is mapped: ${since}`,
    event: call.event,
    object: { kind: "allocation", number: allocation, handle: 0 },
    evidence: [...(evicted === null ? [] : [evicted]), context.evidence(call, "used")],
  });
}

function reportUnlocked(call: CallView, ref: Ref, context: AuditContext): void {
  const history = context.historyVerdict();
  context.report({
    rule: "lock-imbalance",
    message: `${printObject(ref)} was unlocked and is not locked`,
    event: call.event,
    object: ref,
    evidence: [context.evidence(call, "unlocked")],
    shape: "unlock",
    ...(history === "pre-existing" ? { verdict: history } : {}),
  });
}

function reportLocked(
  { ref, locks }: Counts,
  context: AuditContext,
  { ended, verdict }: { readonly ended?: Evidence; readonly verdict?: Verdict },
): void {
  const [first] = locks;
  if (first === undefined) return;
  const when = ended === undefined ? "was never unlocked" : `ended ${placeText(ended)} while locked`;
  context.report({
    rule: "lock-imbalance",
    message: `${printObject(ref)}, locked ${placeText(first)}, ${when}: ${countText(locks.length, "lock")} left`,
    event: ended?.event ?? first.event,
    object: ref,
    evidence: [first, ...(ended === undefined ? [] : [ended])],
    shape: ended === undefined ? "never unlocked" : "ended",
    ...(verdict === undefined ? {} : { verdict }),
  });
}
