// What GPU handles stand for, kept as long as they live: the address space behind an adapter, device, queue or context,
// a queue's GPU and fence, an allocation's size. It must not know rules or ranges.

import { canonicalSide, firstPhysicalAdapter, isArray, isRef, type Ref, type Value } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import { createdBy, destroyedBy, madeAllocations, memberOf, PAGE, u64In } from "./gpu_call_values.ts";

/** A paging queue. */
export interface QueueFacts {
  /** The name of its address space. */
  readonly space: string;
  readonly gpu: number;
  /** Its fence's sync object number, 0: unknown. */
  readonly syncObject: number;
  /** Its device's number, 0: unknown. */
  readonly device: number;
  readonly priority: number;
}

interface ContextFacts {
  readonly space: string;
  readonly gpu: number;
}

/** Facts of live handles. An address space's name is `SIDE on LUID`. */
export class GpuHandles {
  readonly #adapters = new Map<number, string>();
  readonly #devices = new Map<number, string>();
  readonly #queues = new Map<number, QueueFacts>();
  readonly #contexts = new Map<number, ContextFacts>();
  readonly #allocations = new Map<number, bigint>();
  readonly #buffers = new Map<number, bigint>();
  /** Counts up where a handle that leads to an address space comes or goes: what was known of one before may be over. */
  changes = 0;

  /** The address space that a call through this handle is about, or undefined. */
  spaceOf({ kind, number }: Ref): string | undefined {
    if (kind === "adapter") return this.#adapters.get(number);
    if (kind === "pagingQueue") return this.#queues.get(number)?.space;
    return kind === "context" ? this.#contexts.get(number)?.space : this.#devices.get(number);
  }

  /** The physical GPU whose page tables a context's work uses: its lowest affinity bit, none set is the first (gpuva.md 2.2). */
  gpuOf({ number }: Ref): number {
    return this.#contexts.get(number)?.gpu ?? 0;
  }

  queue({ number }: Ref): QueueFacts | undefined {
    return this.#queues.get(number);
  }

  /** The same by number. */
  queueNumbered(number: number): QueueFacts | undefined {
    return this.#queues.get(number);
  }

  /** The size of an allocation in pages as a number, Infinity where that would not be exact; undefined: not known. */
  pageCountOf(allocation: number): number | undefined {
    const pages = this.#allocations.get(allocation);
    return pages === undefined ? undefined : Number(pages);
  }

  /** The size of an allocation in pages, or undefined where the trace does not say. */
  pagesOf({ number }: Ref): bigint | undefined {
    return this.#allocations.get(number);
  }

  /** Takes note of what a call that succeeded made, and of a freed buffer. */
  take(call: CallView): void {
    const made = createdBy(call);
    for (const ref of made) this.#add(call, ref, made);
    if (made.some(({ kind }) => kind === "allocation")) this.#takeSizes(call);
    for (const { kind, number } of destroyedBy(call)) if (kind === "buffer") this.#buffers.delete(number);
  }

  /** Forgets handles. */
  end(refs: readonly Ref[]): void {
    for (const { kind, number } of refs) {
      if (kind !== "allocation") this.changes += 1;
      if (kind === "adapter") this.#adapters.delete(number);
      if (kind === "device") this.#devices.delete(number);
      if (kind === "pagingQueue") this.#queues.delete(number);
      if (kind === "context") this.#contexts.delete(number);
      if (kind === "allocation") this.#allocations.delete(number);
    }
  }

  #add(call: CallView, { kind, number }: Ref, made: readonly Ref[]): void {
    if (kind !== "allocation" && kind !== "buffer") this.changes += 1;
    const luid = kind === "adapter" ? luidOf(call, number) : undefined;
    const side = canonicalSide(call.side);
    if (kind === "adapter") this.#adapters.set(number, `${side} on ${luid === undefined ? `adapter#${number}` : luid}`);
    if (kind === "buffer") this.#buffers.set(number, u64In(call, "byteCount"));
    const device = call.object("device");
    const adapter = call.object("adapter");
    const owner = kind === "device" ? adapter : device;
    const space = owner === null ? undefined : this.spaceOf(owner);
    if (space === undefined) return;
    if (kind === "device") this.#devices.set(number, space);
    if (kind === "context") {
      this.#contexts.set(number, { space, gpu: firstPhysicalAdapter(Number(u64In(call, "engineAffinity"))) });
    }
    if (kind === "pagingQueue") {
      const syncObject = made.find((other) => other.kind === "syncObject")?.number ?? 0;
      const gpu = Number(u64In(call, "physicalAdapterIndex"));
      const priority = call.numberAt(call.shape.in("i32"));
      this.#queues.set(number, { space, gpu, syncObject, device: device?.number ?? 0, priority });
    }
  }

  #takeSizes(call: CallView): void {
    for (const { ref, buffer, sizeBytes } of madeAllocations(call)) {
      const whole = buffer === null ? undefined : this.#buffers.get(buffer.number);
      const bytes = sizeBytes === 0n ? whole ?? 0n : sizeBytes;
      if (bytes > 0n) this.#allocations.set(ref.number, (bytes + PAGE - 1n) / PAGE);
    }
  }
}

/** The LUID that an adapter was opened by, or that stands beside it in the list that an enumeration answered. */
function luidOf(call: CallView, adapter: number): Value | undefined {
  const asked = call.in("luid");
  if (asked !== undefined) return asked;
  for (const [index, param] of call.plan.outs.entries()) {
    const listed = call.outs[index];
    if (listed === undefined || !isArray(listed)) continue;
    const found = listed.find((each) => {
      const ref = memberOf(param, each, "adapter");
      return ref !== undefined && isRef(ref) && ref.number === adapter;
    });
    const luid = memberOf(param, found, "luid");
    if (luid !== undefined) return luid;
  }
  return undefined;
}
