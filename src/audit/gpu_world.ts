// What detectors of GPU calls share: live handles, fences, address spaces, and the work of contexts that has not run.
// It judges nothing: detectors fold calls into it, each its own.

import { canonicalSide, type Ref } from "../api/mod.ts";
import { GpuHandles } from "./gpu_handles.ts";
import { PagingFences } from "./gpu_paging_fences.ts";
import { GpuVaSpace } from "./gpu_va_fold.ts";
import { GpuWork, updateQueue } from "./gpu_work_states.ts";
import { NewestFrees } from "./newest_frees.ts";

/** The GPU's side of one trace. */
export class GpuWorld {
  readonly handles = new GpuHandles();
  readonly fences = new PagingFences();
  /** By name, `SIDE on LUID`. */
  readonly spaces = new Map<string, GpuVaSpace>();
  /** Allocations that were mapped with a unique driver protection. */
  readonly unique = new Set<number>();
  /** Numbers of obtained ranges that are zero reservations, and of those that a kernel driver reserved. */
  readonly zeroRanges = new Set<number>();
  readonly driverRanges = new Set<number>();
  /** Driver protections that reservations were made with, by range, 0 left out. */
  readonly protections = new Map<number, bigint>();
  /** The address space of a process as a kernel driver knows it, by its number. */
  readonly processes = new Map<number, string>();
  readonly work = new GpuWork((syncObject) => this.fences.valueOf(syncObject));
  readonly frees = new NewestFrees();

  /** An address space, made where there is none yet. */
  space(name: string): GpuVaSpace {
    const known = this.spaces.get(name);
    if (known !== undefined) return known;
    const made = new GpuVaSpace();
    this.spaces.set(name, made);
    return made;
  }

  /** A context's updates that have not run never will. */
  cancelUpdates(context: number): void {
    for (const space of this.spaces.values()) space.cancel(updateQueue(context));
  }

  /** The address space behind a handle, if anything happened in it. */
  spaceBehind(handle: Ref): GpuVaSpace | undefined {
    return this.spaces.get(this.handles.spaceOf(handle) ?? "");
  }
}

/** Whether an address space is one of a side's process. */
export function isOfSide(name: string, side: string): boolean {
  if (name.startsWith(side) && name.startsWith(" on ", side.length) && canonicalSide(side) === side) return true;
  return name.startsWith(`${canonicalSide(side)} on `);
}
