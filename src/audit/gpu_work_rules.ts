// Folds what contexts have to do (submissions, waits, signals) and finds an allocation that is destroyed at once while
// work uses it (V-29). It tells the page tables which updates have run.
// Decision: only work that has not run as far as the trace tells counts; where nothing tells how far the GPU is, unproven.

import { heldRefs, type ObjectKind, printObject, type Ref, STATUS, SYMBOLS } from "../api/mod.ts";
import type { CallName } from "../api/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import { accessesOf, bigintOf, createdBy, destroyedBy, isGpuKind, pagesTouched, u64In } from "./gpu_call_values.ts";
import { pairsOf, reachedPairs } from "./gpu_paging_fences.ts";
import type { SubmittedWork, WorkRules } from "./gpu_work_states.ts";
import type { GpuWorld } from "./gpu_world.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { placeText } from "./wording.ts";

const { AssumeNotInUse } = SYMBOLS.destroyFlags;

type Role = "submit" | "wait" | "signal" | "grant" | "set" | "met" | "state";

/** What a call says of work. */
const WORK_CALLS: Readonly<Partial<Record<CallName, Role>>> = {
  D3DKMTSubmitCommand: "submit",
  D3DKMTWaitForSynchronizationObjectFromGpu: "wait",
  D3DKMTSignalSynchronizationObjectFromGpu: "signal",
  CompleteGpuWork: "grant",
  SignalFence: "set",
  D3DKMTSignalSynchronizationObjectFromCpu: "set",
  D3DKMTWaitForSynchronizationObjectFromCpu: "met",
  D3DKMTGetDeviceState: "state",
};
const ROLES: ReadonlyMap<string, Role> = new Map(Object.entries(WORK_CALLS));

/** A detector of the rules about work. It stands after those of addresses and of updates. */
export function gpuWorkDetector(world: GpuWorld): Detector {
  return new GpuWorkDetector(world);
}

class GpuWorkDetector implements Detector {
  readonly #world: GpuWorld;
  #rules: WorkRules | null = null;

  constructor(world: GpuWorld) {
    this.#world = world;
  }

  hears(shape: PlanShape): boolean {
    return ["context", "syncObject", "device", "pagingQueue"].some((kind) =>
      (kind === "pagingQueue" ? shape.range === null : true) && shape.object(kind) >= 0
    ) || shape.creates.some(({ param }) => param.kind === "syncObject");
  }

  returned(call: CallView, context: AuditContext): void {
    if (call.in("destroyFlags") !== undefined) this.#judgeDestroy(call, context);
    if (!call.succeeded) return this.#refused(call);
    this.#create(call);
    const { work, fences } = this.#world;
    const role = ROLES.get(call.plan.name);
    if (role !== undefined) this.#take(call, role, context);
    for (const ref of destroyedBy(call)) if (ref.kind === "pagingQueue") fences.finish(ref);
    if (!work.isIdle) this.#settle(context);
  }

  hearsEnd(kind: ObjectKind): boolean {
    return isGpuKind(kind);
  }

  ended(objects: readonly Ended[], context: AuditContext): void {
    const { work } = this.#world;
    for (const { ref: { kind, number } } of objects) {
      if (kind === "context") work.endContext(number);
      if (kind === "syncObject") work.endFence(number);
    }
    if (!work.isIdle) this.#settle(context);
  }

  #create(call: CallView): void {
    const { work } = this.#world;
    for (const { kind, number } of createdBy(call)) {
      if (kind === "context") work.addContext(number, call.object("device")?.number ?? 0);
      if (kind === "syncObject") work.setFence({ syncObject: number, value: u64In(call, "fenceValue") });
    }
  }

  #take(call: CallView, role: Role, context: AuditContext): void {
    const { work } = this.#world;
    const number = call.object("context")?.number ?? 0;
    if (role === "submit") return this.#submit(call, context);
    if (role === "grant") return work.grant(number, u64In(call, "fenceValue"));
    if (role === "wait" || role === "signal") return work.queueFences(number, role, fenceValues(pairsOf(call)));
    if (role === "state") return this.#learnState(call);
    for (const target of fenceValues(reachedPairs(call))) {
      if (role === "set") work.setFence(target);
      else work.reach(target);
    }
  }

  #submit(call: CallView, context: AuditContext): void {
    const { handles, work } = this.#world;
    const spans = accessesOf(call).flatMap(({ start, sizeBytes }) => pagesTouched(start, sizeBytes) ?? []);
    const submitted = context.evidence(call, "submitted");
    for (const ref of heldRefs(call.in("context"))) {
      const space = handles.spaceOf(ref) ?? "";
      const gpu = handles.gpuOf(ref);
      const tables = this.#world.spaces.get(space);
      const mapped = spans.flatMap((span) => tables?.mappingsIn(span, gpu) ?? []);
      const allocations = new Set(mapped.map(({ value }) => value.allocation));
      work.submit({ form: "work", context: ref.number, space, spans, allocations, submitted });
    }
  }

  /** A device in error has dropped its work; the program knows when it asks, or when a call says so. */
  #learnState(call: CallView): void {
    const state = Number(bigintOf(call.out("executionState")));
    const device = call.object("device");
    if (device !== null && state !== SYMBOLS.executionState.ACTIVE) this.#drop(device);
  }

  #refused(call: CallView): void {
    const { outcome } = call;
    const device = call.object("device");
    if (outcome?.form !== "status" || outcome.status !== STATUS.STATUS_DEVICE_REMOVED || device === null) return;
    this.#drop(device);
  }

  #drop({ number }: Ref): void {
    for (const context of this.#world.work.dropDevice(number)) this.#world.cancelUpdates(context);
  }

  #settle({ header: { options } }: AuditContext): void {
    this.#rules ??= {
      isImmediate: options["gpu-work"] === "immediate",
      endsWaits: options["fence-destroy"] === "ends-waits",
    };
    for (const point of this.#world.work.settle(this.#rules)) {
      for (const space of this.#world.spaces.values()) space.complete(point);
    }
  }

  /** V-29. */
  #judgeDestroy(call: CallView, context: AuditContext): void {
    if ((Number(u64In(call, "destroyFlags")) & AssumeNotInUse) === 0 || this.#world.work.isIdle) return;
    for (const ref of allocationsOf(call, context)) {
      const user = this.#userOf(ref);
      if (user === null) continue;
      context.report({
        rule: "allocation-destroyed-in-use",
        message: `${printObject(ref)} was destroyed with AssumeNotInUse, and the submission made ` +
          `${placeText(user.submitted)} uses it and has not run`,
        event: call.event,
        object: ref,
        evidence: [user.submitted, context.evidence(call, "destroyed")],
        ...(context.header.maker === "engine" ? {} : { verdict: "unproven" as const }),
      });
    }
  }

  #userOf({ number }: Ref): SubmittedWork | null {
    for (const work of this.#world.work.submissions()) if (work.allocations.has(number)) return work;
    return null;
  }
}

function fenceValues(pairs: ReturnType<typeof pairsOf>) {
  return pairs.map(({ object, value }) => ({ syncObject: object.number, value }));
}

/** The allocations that a call names to destroy, and those of a resource. */
export function allocationsOf(call: CallView, { objects }: AuditContext): readonly Ref[] {
  return destroyedBy(call).flatMap((ref) => {
    if (ref.kind === "allocation") return [ref];
    if (ref.kind !== "resource") return [];
    return objects.childrenOf({ ref }).flatMap((child) => child.ref.kind === "allocation" ? [child.ref] : []);
  });
}
