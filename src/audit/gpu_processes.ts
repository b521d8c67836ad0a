// Which address space a kernel driver means by a process: that of the process whose first use of an adapter made it.
// It judges nothing.

import { canonicalSide, isRef } from "../api/mod.ts";
import type { CallPlan } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import type { CallView, Detector } from "./detector.ts";
import type { GpuWorld } from "./gpu_world.ts";
import type { PlanShape } from "./plan_shape.ts";

/** Notes address spaces of processes. It must stand before the detector of addresses. */
export function gpuProcesses(world: GpuWorld): Detector {
  return new GpuProcesses(world);
}

class GpuProcesses implements Detector {
  readonly #world: GpuWorld;
  /** Calls under way that open an adapter, by event: the address space that they are about. */
  readonly #opening = new Map<number, string>();

  constructor(world: GpuWorld) {
    this.#world = world;
  }

  hears(shape: PlanShape): boolean {
    return shape.verbOn("adapter") === "create" && shape.in("luid") >= 0;
  }

  hearsCallback(plan: CallPlan): boolean {
    return plan.ins.some(({ kind }) => kind === "process");
  }

  called(call: CallView): void {
    if (call.returnedAt === 0) this.#opening.set(call.event, `${canonicalSide(call.side)} on ${call.in("luid")}`);
  }

  returned(call: CallView): void {
    this.#opening.delete(call.event);
  }

  callback({ ins, cause }: TraceEvent): void {
    const space = this.#opening.get(cause);
    const process = ins.find((value) => isRef(value) && value.kind === "process");
    if (space !== undefined && process !== undefined && isRef(process)) {
      this.#world.processes.set(process.number, space);
    }
  }

  callbackReturned({ ins, cause }: TraceEvent): void {
    if (this.#opening.has(cause)) return;
    for (const value of ins) if (isRef(value) && value.kind === "process") this.#world.processes.delete(value.number);
  }
}
