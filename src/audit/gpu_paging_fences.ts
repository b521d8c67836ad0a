// How far paging queues are, as far as a trace shows it, and which of their fences GPU work waits for.
// It must not know addresses. A queue that ended has done all its work: its destroy waits for it (gpuva.md 2.3).

import { heldRefs, isArray, type Ref, STATUS, type Value } from "../api/mod.ts";
import type { CallName } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import { bigintOf, u64In } from "./gpu_call_values.ts";
import type { GpuHandles } from "./gpu_handles.ts";
import type { PagingPoint } from "./gpu_va_fold.ts";

/** What a call says of fences. */
const FENCE_CALLS: Readonly<Partial<Record<CallName, "complete" | "reached" | "awaited">>> = {
  CompletePaging: "complete",
  SignalFence: "reached",
  D3DKMTSignalSynchronizationObjectFromCpu: "reached",
  D3DKMTWaitForSynchronizationObjectFromCpu: "reached",
  D3DKMTWaitForSynchronizationObjectFromGpu: "awaited",
};
const ROLES: ReadonlyMap<string, "complete" | "reached" | "awaited"> = new Map(Object.entries(FENCE_CALLS));

interface QueueProgress {
  readonly queue: number;
  readonly syncObject: number;
  readonly device: number;
  readonly priority: number;
  /** The fence value of the newest operation seen. */
  issued: bigint;
  /** The fence's value, as far as known. */
  reached: bigint;
}

/** Progress of paging queues. */
export class PagingFences {
  readonly #queues = new Map<number, QueueProgress>();
  readonly #byFence = new Map<number, QueueProgress>();
  /** By context: highest value awaited, by sync object. */
  readonly #waits = new Map<number, Map<number, bigint>>();

  /** Takes a call that succeeded, after the handles took it; returns the queues that it showed to be further. */
  take(
    call: CallView,
    { handles, made, isHighestFirst }: {
      readonly handles: GpuHandles;
      readonly made: readonly Ref[];
      /** Queues of higher priority are served before the one that is told to go on (option `paging-priority`). */
      readonly isHighestFirst: boolean;
    },
  ): readonly PagingPoint[] {
    for (const ref of made) {
      const facts = ref.kind === "pagingQueue" ? handles.queue(ref) : undefined;
      if (facts === undefined) continue;
      const { syncObject, device, priority } = facts;
      const progress = { queue: ref.number, syncObject, device, priority, issued: 0n, reached: 0n };
      this.#queues.set(ref.number, progress);
      if (syncObject !== 0) this.#byFence.set(syncObject, progress);
    }
    this.issued(call);
    const progress = this.#queues.get(call.objectNumberAt(call.shape.at.pagingQueue));
    const role = ROLES.get(call.plan.name);
    if (role === "complete" && progress !== undefined) {
      const value = u64In(call, "fenceValue");
      const own = raise(progress, value < progress.issued ? value : progress.issued);
      return isHighestFirst ? [...this.#above(progress), ...own] : own;
    }
    if (role === "awaited") this.#await(call);
    return role === "reached" ? this.#reach(call) : [];
  }

  /** Queues of a higher priority on the same device do all that they have, the highest first. */
  #above({ device, priority }: QueueProgress): readonly PagingPoint[] {
    return [...this.#queues.values()]
      .filter((each) => each.device === device && each.priority > priority)
      .toSorted((one, other) => other.priority - one.priority || one.queue - other.queue)
      .flatMap((each) => raise(each, each.issued));
  }

  /** Takes the fence value of what a call queued. */
  issued(call: CallView): void {
    const fence = issuedBy(call);
    if (fence === 0n) return;
    const progress = this.#queues.get(call.objectNumberAt(call.shape.at.pagingQueue));
    if (progress !== undefined && fence > progress.issued) progress.issued = fence;
  }

  /** Forgets queues, fences and contexts that ended. */
  end(refs: readonly Ref[]): void {
    for (const { kind, number } of refs) {
      if (kind === "pagingQueue") this.#queues.delete(number);
      if (kind === "syncObject") this.#byFence.delete(number);
      if (kind === "context") this.#waits.delete(number);
    }
  }

  /** Whether an operation is done, or work of the context waits until it is. */
  isOrdered({ queue, fence }: PagingPoint, context: number): boolean {
    const progress = this.#queues.get(queue);
    if (fence === 0n || progress === undefined || progress.reached >= fence) return true;
    return (this.#waits.get(context)?.get(progress.syncObject) ?? 0n) >= fence;
  }

  /** The value that a sync object is known to have, undefined where it is no paging queue's fence. */
  valueOf(syncObject: number): bigint | undefined {
    return this.#byFence.get(syncObject)?.reached;
  }

  /** A queue ends: its destroy waited for all that it had to do. */
  finish({ number }: Ref): void {
    const progress = this.#queues.get(number);
    if (progress !== undefined) progress.reached = progress.issued;
  }

  /** The value that a queue's fence is known to have. */
  reachedBy({ queue }: PagingPoint): bigint {
    return this.#queues.get(queue)?.reached ?? 0n;
  }

  /** A signal sets the value; a wait that was met shows it. A wait for any of several shows nothing of each. */
  #reach(call: CallView): readonly PagingPoint[] {
    return reachedPairs(call).flatMap(({ object, value }) => {
      const progress = this.#byFence.get(object.number);
      return progress === undefined ? [] : raise(progress, value);
    });
  }

  #await(call: CallView): void {
    const context = call.object("context");
    if (context === null) return;
    const waits = this.#waits.get(context.number) ?? new Map<number, bigint>();
    for (const { object, value } of pairsOf(call)) {
      if (this.#byFence.has(object.number) && value > (waits.get(object.number) ?? 0n)) waits.set(object.number, value);
    }
    this.#waits.set(context.number, waits);
  }
}

/** The fence value of what a call queued, 0: it is done. */
export function issuedBy(call: CallView): bigint {
  const { madeFence } = call.shape.at;
  return madeFence >= 0 && call.answerAt(madeFence) === 0 ? 0n : bigintOf(call.out("pagingFenceValue"));
}

function raise(progress: QueueProgress, value: bigint): readonly PagingPoint[] {
  if (value <= progress.reached) return [];
  progress.reached = value;
  return [{ queue: progress.queue, fence: value }];
}

/** The values that a signal sets or a met wait shows; a wait for any of several shows nothing of each. */
export function reachedPairs(call: CallView): readonly { readonly object: Ref; readonly value: bigint }[] {
  const objects = heldRefs(call.in("syncObject"));
  const isTimeout = call.outcome?.form === "status" && call.outcome.status === STATUS.STATUS_TIMEOUT;
  return isTimeout || (call.in("bool") === true && objects.length > 1) ? [] : pairsOf(call);
}

/** Fences of a call with the values that it names. */
export function pairsOf(call: CallView): readonly { readonly object: Ref; readonly value: bigint }[] {
  const values = listOf(call.in("fenceValue"));
  return listOf(call.in("syncObject")).flatMap((each, index) =>
    heldRefs(each).map((object) => ({ object, value: bigintOf(values[index]) }))
  );
}

function listOf(value: Value | undefined): readonly Value[] {
  if (value === undefined) return [];
  return isArray(value) ? value : [value];
}
