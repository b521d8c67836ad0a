// Which allocations over existing memory are behind GPU addresses now: a light fold of map, update and free per address
// space. It knows obtained ranges only as "mapped here or not"; the rules of addresses are V's. An update counts from its
// acceptance on, as a map does: what is queued reaches its pages once it is done, and nobody may take them meanwhile.

import { type Range, RANGE_LIMIT, RangeMap } from "../range/mod.ts";
import {
  type EffectPlan,
  firstPhysicalAdapter,
  isRef,
  type Operand,
  PAGE_BYTES,
  type Ref,
  SYMBOLS,
} from "../api/mod.ts";
import type { AuditContext, CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { isUpdate, type Operation, operationsOf } from "./gpu_update_operations.ts";
import type { PageSpan } from "./gpu_va_fold.ts";
import { evidenceOf } from "./join.ts";

/** An allocation that the GPU reaches, or did. */
export interface GpuView {
  readonly allocation: Ref;
  readonly sizeInBytes: number;
  /** Its newest map. */
  mapped: Evidence | null;
  /** Bytes of addresses that point to it now. */
  mappedBytes: number;
  readonly spans: { readonly table: RangeMap<number>; readonly start: number; readonly end: number }[];
}

const { Zero, NoAccess } = SYMBOLS.protection;

/** The address spaces of all processes, as far as followed allocations are in them. */
export class GpuViews {
  readonly #views = new Map<number, GpuView>();
  /** Page tables by space, one for each physical GPU. */
  readonly #spaces = new Map<string, Map<number, RangeMap<number>>>();
  readonly #luids = new Map<number, string>();
  /** The physical GPUs of live paging queues and contexts. */
  readonly #gpus = { pagingQueue: new Map<number, number>(), context: new Map<number, number>() };

  /** Follows an allocation from its creation on. */
  add(allocation: Ref, sizeInBytes: number): void {
    this.#views.set(allocation.number, { allocation, sizeInBytes, mapped: null, mappedBytes: 0, spans: [] });
  }

  /** Whether none is followed. */
  get isEmpty(): boolean {
    return this.#views.size === 0;
  }

  /** The view of an allocation, if it is followed. */
  find(number: number): GpuView | undefined {
    return this.#views.get(number);
  }

  /** Takes a call that succeeded; returns the views that it gave addresses to for the first time since they had none. */
  returned(call: CallView, context: AuditContext): readonly GpuView[] {
    const { creates, range } = call.shape;
    if (creates.length > 0 && opens(call)) this.#open(call);
    if (this.#views.size === 0) return NO_VIEWS;
    if (isUpdate(call.plan)) return this.#updated(call, context);
    const view = range === null ? null : this.#ranged(call, range, context);
    return view === null ? NO_VIEWS : [view];
  }

  /** A map or a free. */
  #ranged(call: CallView, effect: EffectPlan, context: AuditContext): GpuView | null {
    if (effect.size === null || (effect.verb !== "map" && effect.verb !== "free")) return null;
    const view = effect.verb === "map" ? this.#viewOf(call) : undefined;
    const start = numberAt(call, effect.subject);
    const unit = call.plan.ins[effect.size.index]?.word === "pageCount" ? PAGE_BYTES : 1;
    const end = start + (numberAt(call, effect.size) * unit || restOf(call, view));
    if (!(start < end && end <= RANGE_LIMIT)) return null;
    const tables = this.#tablesOf(this.#spaceOf(call, context));
    if (effect.verb === "free") {
      for (const table of tables.values()) this.#carve(table, start, end);
      return null;
    }
    const table = tableOf(tables, this.#gpus.pagingQueue.get(call.object("pagingQueue")?.number ?? 0) ?? 0);
    this.#carve(table, start, end);
    return view !== undefined && this.#point({ view, call, table, start, end }) ? view : null;
  }

  /** Operations in array order; a copy takes along what its source points to. */
  #updated(call: CallView, context: AuditContext): readonly GpuView[] {
    const { operations } = operationsOf(call, { isLenient: true, pagesOf: () => undefined });
    const table = tableOf(
      this.#tablesOf(this.#spaceOf(call, context)),
      this.#gpus.context.get(call.object("context")?.number ?? 0) ?? 0,
    );
    return operations.flatMap(({ span, source, allocation }) => {
      if (span === null) return [];
      const pieces = source === null ? [] : table.overlapping(bytesOf(source.start), bytesOf(source.end));
      const shown = source === null ? pointed({ span, allocation }) : copied(pieces, { span, source });
      this.#carve(table, bytesOf(span.start), bytesOf(span.end));
      return shown.flatMap(({ start, end, value }) => {
        const view = this.#views.get(value);
        return view !== undefined && this.#point({ view, call, table, start, end }) ? [view] : [];
      });
    });
  }

  /** Points empty addresses to an allocation; whether it had none before. */
  #point({ view, call, table, start, end }: {
    readonly view: GpuView;
    readonly call: CallView;
    readonly table: RangeMap<number>;
    readonly start: number;
    readonly end: number;
  }): boolean {
    const isNew = view.mappedBytes === 0;
    table.insert({ start, end, value: view.allocation.number });
    view.spans.push({ table, start, end });
    view.mappedBytes += end - start;
    view.mapped = evidenceOf(call, "mapped");
    return isNew;
  }

  /** Forgets an allocation that ended, with which its addresses are released; or a paging queue. */
  ended({ kind, number }: Ref): void {
    if (kind === "pagingQueue" || kind === "context") this.#gpus[kind].delete(number);
    if (kind !== "allocation") return;
    const view = this.#views.get(number);
    this.#views.delete(number);
    for (const { table, start, end } of view?.spans ?? []) {
      for (const range of table.overlapping(start, end)) if (range.value === number) table.remove(range.start);
    }
  }

  /** The followed allocation that a map points to: none with Zero or NoAccess, where lenient rules let one be named. */
  #viewOf(call: CallView): GpuView | undefined {
    const protection = call.in("protection");
    const isUnbacked = typeof protection === "bigint" && (protection & (Zero | NoAccess)) !== 0n;
    const allocation = isUnbacked ? null : call.object("allocation");
    return allocation === null ? undefined : this.#views.get(allocation.number);
  }

  #carve(table: RangeMap<number>, start: number, end: number): void {
    for (const piece of table.carve(start, end)) {
      const view = this.#views.get(piece.value);
      if (view === undefined) continue;
      view.mappedBytes -= piece.end - piece.start;
      if (view.mappedBytes === 0) view.spans.length = 0;
    }
  }

  /** All handles of one adapter share the process's addresses: an adapter is known by its LUID. Queues and contexts have their GPU. */
  #open(call: CallView): void {
    const luid = call.in("luid");
    const gpu = call.in("physicalAdapterIndex");
    const affinity = call.in("engineAffinity");
    if (luid === undefined && typeof gpu !== "number" && typeof affinity !== "number") return;
    for (const { verb, subject } of call.plan.effects) {
      const made = verb === "create" ? call.outs[subject.index] ?? null : null;
      if (!isRef(made)) continue;
      if (made.kind === "adapter" && luid !== undefined) this.#luids.set(made.number, String(luid));
      if (made.kind === "pagingQueue" && typeof gpu === "number") this.#gpus.pagingQueue.set(made.number, gpu);
      if (made.kind === "context" && typeof affinity === "number") {
        this.#gpus.context.set(made.number, firstPhysicalAdapter(affinity));
      }
    }
  }

  #spaceOf(call: CallView, { objects }: AuditContext): string {
    let ref: Ref | null = call.object("pagingQueue") ?? call.object("adapter") ?? call.object("device");
    while (ref !== null && ref.kind !== "adapter") ref = objects.find(ref)?.owner ?? null;
    return `${call.side} ${ref === null ? "" : this.#luids.get(ref.number) ?? ""}`;
  }

  #tablesOf(space: string): Map<number, RangeMap<number>> {
    const found = this.#spaces.get(space);
    if (found !== undefined) return found;
    const made = new Map<number, RangeMap<number>>();
    this.#spaces.set(space, made);
    return made;
  }
}

/** Whether a call can open a way to addresses. */
function opens({ shape }: CallView): boolean {
  return shape.in("luid") >= 0 || shape.in("physicalAdapterIndex") >= 0 || shape.in("engineAffinity") >= 0;
}

const NO_VIEWS: readonly GpuView[] = [];

function bytesOf(page: number): number {
  return page * PAGE_BYTES;
}

/** What a map or an unmap points its addresses to. */
function pointed(
  { span, allocation }: Pick<Operation, "allocation"> & { readonly span: PageSpan },
): readonly Range<number>[] {
  if (allocation === null) return [];
  return [{ start: bytesOf(span.start), end: bytesOf(span.end), value: allocation.number }];
}

/** What a copy points its target to: the source's pieces, as far as they lie inside, moved. */
function copied(
  pieces: readonly Range<number>[],
  { span, source }: { readonly span: PageSpan; readonly source: PageSpan },
): readonly Range<number>[] {
  const [first, last, move] = [bytesOf(source.start), bytesOf(source.end), bytesOf(span.start - source.start)];
  return pieces.map(({ start, end, value }) => ({
    start: Math.max(start, first) + move,
    end: Math.min(end, last) + move,
    value,
  }));
}

function tableOf(tables: Map<number, RangeMap<number>>, gpu: number): RangeMap<number> {
  const found = tables.get(gpu);
  if (found !== undefined) return found;
  const made = new RangeMap<number>();
  tables.set(gpu, made);
  return made;
}

/** A map of 0 pages that was accepted is one of the rest of the allocation (gpuva.md 4.7). */
function restOf(call: CallView, view: GpuView | undefined): number {
  const offset = call.in("pageOffset");
  return view === undefined || typeof offset !== "bigint" ? 0 : view.sizeInBytes - Number(offset) * PAGE_BYTES;
}

function numberAt(call: CallView, { from, index }: Operand): number {
  const value = from === "in" ? call.ins[index] : from === "out" ? call.outs[index] : undefined;
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
}
