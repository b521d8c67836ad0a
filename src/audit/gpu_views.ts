// Which allocations over existing memory are behind GPU addresses now: a light fold of map and free per address space.
// It knows obtained ranges only as "mapped here or not"; the rules of addresses are V's.

import { RANGE_LIMIT, RangeMap } from "../range/mod.ts";
import type { Operand, Ref } from "../api/mod.ts";
import type { AuditContext, CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { PAGE_SIZE } from "./page_runs.ts";

/** An allocation that the GPU reaches, or did. */
export interface GpuView {
  readonly allocation: Ref;
  /** Its newest map. */
  mapped: Evidence | null;
  /** Bytes of addresses that point to it now. */
  mappedBytes: number;
  readonly spans: { readonly space: string; readonly start: number; readonly end: number }[];
}

/** The address spaces of all processes, as far as followed allocations are in them. */
export class GpuViews {
  readonly #views = new Map<number, GpuView>();
  readonly #spaces = new Map<string, RangeMap<number>>();
  readonly #luids = new Map<number, string>();

  /** Follows an allocation from its creation on. */
  add(allocation: Ref): void {
    this.#views.set(allocation.number, { allocation, mapped: null, mappedBytes: 0, spans: [] });
  }

  /** The view of an allocation, if it is followed. */
  find(number: number): GpuView | undefined {
    return this.#views.get(number);
  }

  /** Takes a call that succeeded; returns the view that it gave addresses to for the first time since it had none. */
  returned(call: CallView, context: AuditContext): GpuView | null {
    this.#open(call);
    const effect = call.plan.effects.find(({ verb, size }) => size !== null && (verb === "map" || verb === "free"));
    if (effect === undefined || effect.size === null || this.#views.size === 0) return null;
    const start = numberAt(call, effect.subject);
    const unit = call.plan.ins[effect.size.index]?.word === "pageCount" ? PAGE_SIZE : 1;
    const end = start + numberAt(call, effect.size) * unit;
    if (!(start < end && end <= RANGE_LIMIT)) return null;
    const space = this.#spaceOf(call, context);
    this.#carve(space, start, end);
    const allocation = effect.verb === "map" ? call.object("allocation") : null;
    const view = allocation === null ? undefined : this.#views.get(allocation.number);
    if (view === undefined) return null;
    const isNew = view.mappedBytes === 0;
    this.#spaceNamed(space).insert({ start, end, value: view.allocation.number });
    view.spans.push({ space, start, end });
    view.mappedBytes += end - start;
    view.mapped = evidenceOf(call, "mapped");
    return isNew ? view : null;
  }

  /** Forgets an allocation that ended: its addresses are released with it. */
  ended(allocation: Ref): void {
    const view = this.#views.get(allocation.number);
    this.#views.delete(allocation.number);
    for (const { space, start, end } of view?.spans ?? []) {
      const ranges = this.#spaceNamed(space);
      for (const range of ranges.overlapping(start, end)) {
        if (range.value === allocation.number) ranges.remove(range.start);
      }
    }
  }

  #carve(space: string, start: number, end: number): void {
    for (const piece of this.#spaceNamed(space).carve(start, end)) {
      const view = this.#views.get(piece.value);
      if (view === undefined) continue;
      view.mappedBytes -= piece.end - piece.start;
      if (view.mappedBytes === 0) view.spans.length = 0;
    }
  }

  /** All handles of one adapter share the process's addresses: an adapter is known by its LUID. */
  #open(call: CallView): void {
    const luid = call.in("luid");
    const made = call.plan.effects.find(({ verb, param }) => verb === "create" && param.kind === "adapter");
    const adapter = made === undefined ? null : call.outs[made.subject.index];
    if (luid === undefined || adapter === null || typeof adapter !== "object" || !("number" in adapter)) return;
    if (typeof adapter.number === "number") this.#luids.set(adapter.number, String(luid));
  }

  #spaceOf(call: CallView, { objects }: AuditContext): string {
    let ref: Ref | null = call.object("pagingQueue") ?? call.object("adapter");
    while (ref !== null && ref.kind !== "adapter") ref = objects.find(ref)?.owner ?? null;
    return `${call.side} ${ref === null ? "" : this.#luids.get(ref.number) ?? ""}`;
  }

  #spaceNamed(name: string): RangeMap<number> {
    const found = this.#spaces.get(name);
    if (found !== undefined) return found;
    const made = new RangeMap<number>();
    this.#spaces.set(name, made);
    return made;
  }
}

function numberAt(call: CallView, { from, index }: Operand): number {
  const value = from === "in" ? call.ins[index] : from === "out" ? call.outs[index] : undefined;
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
}
