// GPU virtual addresses: the V rules about maps, reservations, frees, accesses and what is left of them at the end.
// One fold per process and adapter; each call is judged by its arguments and by what was before it, refused or not.
// It must not know why a call failed.

import { heldRefs, type ObjectKind, type Ref, SYMBOLS } from "../api/mod.ts";
import { isModelled } from "./call_shapes.ts";
import type { AuditContext, CallView, Detector, FindingDraft, Listener } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import {
  accessesOf,
  addressText,
  createdBy,
  destroyedBy,
  exitedSide,
  isGpuKind,
  isOfGpu,
  isProcessExit,
  pagesTouched,
  u64In,
} from "./gpu_call_values.ts";
import { type Asked, type CloseLook, RangeCalls } from "./gpu_va_asked.ts";
import { isUnmapping, reportFreeInUse, reportGap } from "./gpu_free_gaps.ts";
import type { GpuHandles } from "./gpu_handles.ts";
import { issuedBy, type PagingFences } from "./gpu_paging_fences.ts";
import { breachesOf, isAligned, isZeroReserve, type RangeRequest, reservedBits } from "./gpu_va_arguments.ts";
import type { EndedRange, GpuVaSpace, ObtainedRange, PageSpan, PagingPoint } from "./gpu_va_fold.ts";
import { rangeRef, reportLeaks, THINGS } from "./gpu_va_leaks.ts";
import { judgeFree } from "./gpu_va_free.ts";
import { isUnique, judgeMap, otherPlace } from "./gpu_va_map.ts";
import { GpuWorld } from "./gpu_world.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";

/** A detector of the V rules about addresses. */
export function gpuVaDetector(world: GpuWorld = new GpuWorld()): Detector {
  return new GpuVaDetector(world);
}

const { NoAccess } = SYMBOLS.protection;

/** Above every fence value: a queue that ends has done all its work first (gpuva.md 2.3). */
const LAST_FENCE = 2n ** 64n;

class GpuVaDetector implements Detector {
  readonly #world: GpuWorld;
  readonly #handles: GpuHandles;
  readonly #fences: PagingFences;
  readonly #spaces: Map<string, GpuVaSpace>;
  /** Allocations that were mapped with a unique driver protection. */
  readonly #unique: Set<number>;
  #lastRange = 0;
  readonly #calls: RangeCalls;
  #paging: PagingPoint | null = null;

  constructor(world: GpuWorld) {
    this.#world = world;
    this.#calls = new RangeCalls(world);
    this.#handles = world.handles;
    this.#fences = world.fences;
    this.#spaces = world.spaces;
    this.#unique = world.unique;
  }

  listen(shape: PlanShape): Listener | null {
    const isHeard = isOfGpu(shape) || shape.range !== null || shape.strayBits.length > 0 || isProcessExit(shape.plan);
    if (!isHeard) return null;
    const verb = isModelled(shape.plan) ? shape.range?.verb : undefined;
    return {
      returned: (call, context) => this.#returned(call, context),
      ...(verb === "map" && { take: (call, context) => this.#takeMap(call, context) }),
      ...(verb === "free" && shape.at.madeFence < 0 && { take: (call, context) => this.#takeFree(call, context) }),
    };
  }

  #returned(call: CallView, context: AuditContext): void {
    const asked = this.#calls.askedBy(call, context);
    if (isModelled(call.plan)) this.#judge(call, asked, context);
    if (call.succeeded) this.#fold(call, asked, context);
  }

  /** A map of free pages that is done at once, and of which at most a note is told that is counted by now. */
  #takeMap(call: CallView, context: AuditContext): boolean {
    const plain = this.#calls.plainOf(call, context);
    if (plain === null || !plain.isAnswered || plain.driverProtection !== 0 || issuedBy(call) !== 0n) return false;
    const { at } = call.shape;
    const space = this.#calls.spaceOf(call);
    const queue = call.objectNumberAt(at.pagingQueue);
    const gpu = this.#handles.queueNumbered(queue)?.gpu;
    const allocation = call.objectNumberAt(at.allocation);
    if (space === undefined || gpu === undefined || this.#unique.has(allocation)) return false;
    const { start, pageCount, firstPage } = plain;
    const span = { start, end: start + pageCount };
    if (!space.isPlain(gpu) || space.isAnyObtained(span)) return false;
    const other = otherPlace(space, span, { gpu, allocation, firstPage, pageCount });
    if (other !== null && !context.isRepeated("gpuva-alias", call, "")) return false;
    this.#lastRange += 1;
    const origin = start - firstPage;
    space.obtainMapped(span, { number: this.#lastRange, call, queue, gpu, allocation, origin });
    context.pairing.start(THINGS.mapped);
    return true;
  }

  /** A free of a whole range that a map obtained. */
  #takeFree(call: CallView, context: AuditContext): boolean {
    const plain = this.#world.work.isIdle ? this.#calls.plainOf(call, context) : null;
    const space = plain === null || plain.start < 0 ? undefined : this.#calls.spaceOf(call);
    if (plain === null || space === undefined) return false;
    if (!space.freeMapped({ start: plain.start, end: plain.start + plain.pageCount }, call)) return false;
    context.pairing.pair(THINGS.mapped);
    return true;
  }

  hearsEnd(kind: ObjectKind): boolean {
    return isGpuKind(kind);
  }

  ended(objects: readonly Ended[], context: AuditContext, call: CallView): void {
    const refs = objects.flatMap(({ ref }) => isGpuKind(ref.kind) ? [ref] : []);
    if (refs.length === 0) return;
    for (const { kind, number } of refs) {
      if (kind === "pagingQueue") this.#complete({ queue: number, fence: LAST_FENCE });
    }
    for (const ref of refs) if (ref.kind === "allocation") this.#releaseAllocation(ref, call, context);
    this.#fences.end(refs);
    this.#handles.end(refs);
  }

  end(context: AuditContext): void {
    for (const space of this.#spaces.values()) reportLeaks(space, context, this.#world.driverRanges);
  }

  #judge(call: CallView, asked: Asked | null, context: AuditContext): void {
    if (asked === null) {
      for (const breach of reservedBits(call)) context.report({ ...breach, ...about(call, context) });
      this.#judgeAccesses(call, context);
      return;
    }
    const { verb, closely, space } = asked;
    if (closely !== null) this.#judgeArguments(call, closely, context);
    if (verb === "map") this.#judgeMap(call, asked, context);
    if (verb === "free") this.#judgeFree(call, asked, context);
    if (closely !== null && verb === "reserve") {
      reportGap(call, { request: closely.request, space, frees: this.#world.frees, context });
    }
  }

  #judgeArguments(call: CallView, { request, facts }: CloseLook, context: AuditContext): void {
    for (const breach of breachesOf(call, request, facts)) context.report({ ...breach, ...about(call, context) });
  }

  #judgeMap(call: CallView, { question }: Asked, context: AuditContext): void {
    if (question === null) return;
    for (const { rule, message, evidence, shape } of judgeMap(question)) {
      const isWarning = rule === "gpuva-double-map" && context.strictRemap;
      // Remaps and aliases are legal, and a program may make a million: most are counted.
      if (!isWarning && context.isRepeated(rule, call, shape ?? "")) continue;
      const { event, object, evidence: own } = about(call, context);
      const draft = { rule, message, event, object, evidence: evidence().concat(own), shape: shape ?? "" };
      context.report(isWarning ? { ...draft, severity: "warning" } : draft);
    }
  }

  #judgeFree(call: CallView, { closely, span, space }: Asked, context: AuditContext): void {
    if (space === undefined || span === null || (closely !== null && !isAligned(closely.request))) return;
    if (!this.#world.work.isIdle) reportFreeInUse(call, { world: this.#world, space, span, context });
    const breach = judgeFree({ space, span, historyVerdict: context.historyVerdict() });
    if (breach === null) return;
    const { range, evidence, ...rest } = breach;
    const draft = about(call, context);
    const object = range === 0 ? null : rangeRef(range);
    context.report({ ...draft, ...rest, object, evidence: [...evidence, ...draft.evidence] });
  }

  #judgeAccesses(call: CallView, context: AuditContext): void {
    const accesses = accessesOf(call);
    if (accesses.length === 0) return;
    for (const gpuContext of heldRefs(call.in("context"))) {
      const space = this.#spaces.get(this.#handles.spaceOf(gpuContext) ?? "");
      for (const { start, sizeBytes } of accesses) {
        const span = pagesTouched(start, sizeBytes);
        const early = span === null || space === undefined ? null : this.#earlyPage(space, span, gpuContext);
        if (early === null) continue;
        this.#reportEarly(call, context, early);
        return;
      }
    }
  }

  #reportEarly(call: CallView, context: AuditContext, { page, paging, by, range }: EarlyPage): void {
    const draft = about(call, context);
    const reached = this.#fences.reachedBy(paging);
    const message = `the GPU used ${addressText(page)}, whose ${by.role === "mapped" ? "mapping" : "reservation"} is ` +
      `done at paging fence value ${paging.fence}: it is at ${reached}, and no wait for it is queued`;
    const object = range === undefined ? null : rangeRef(range.number);
    context.report({ ...draft, rule: "gpuva-use-before-fence", message, object, evidence: [by, ...draft.evidence] });
  }

  /** The first page whose operation, on the GPU that the context runs on, is neither done nor awaited. */
  #earlyPage(space: GpuVaSpace, span: PageSpan, context: Ref): EarlyPage | null {
    const gpuContext = context.number;
    const gpu = this.#handles.gpuOf(context);
    for (const page of space.edgesIn(span)) {
      const mapping = space.usedAt(page, gpu);
      const range = space.rangeAt(page);
      if (mapping !== undefined && this.#fences.isOrdered(mapping.paging, gpuContext)) continue;
      if (mapping !== undefined) return { page, paging: mapping.paging, by: mapping.mapped, range };
      if (range === undefined || this.#fences.isOrdered(range.paging, gpuContext)) continue;
      return { page, paging: range.paging, by: range.obtained, range };
    }
    return null;
  }

  #fold(call: CallView, asked: Asked | null, context: AuditContext): void {
    if (asked !== null) {
      this.#foldRange(call, asked, context);
      if (asked.closely === null) return this.#fences.issued(call);
    }
    for (const ref of destroyedBy(call)) if (ref.kind === "allocation") this.#releaseAllocation(ref, call, context);
    const side = exitedSide(call);
    if (side !== null) this.#exit(side, context);
    this.#handles.take(call);
    const isHighestFirst = context.header.options["paging-priority"] === "highest-first";
    const further = this.#fences.take(call, { handles: this.#handles, made: createdBy(call), isHighestFirst });
    for (const point of further) this.#complete(point);
  }

  #foldRange(call: CallView, asked: Asked, context: AuditContext): void {
    const { verb, closely, span, space, question } = asked;
    if (space === undefined || span === null || (closely !== null && isZeroReserve(closely.request))) return;
    if (verb === "free") {
      const isWhole = space.isWhole(span);
      const isObtained = isWhole || space.isAnyObtained(span);
      const released = context.evidence(call, "freed");
      const isUnmapped = !isWhole && isUnmapping(space, span);
      const ended = space.free(span, released);
      if (isUnmapped || (isWhole && ended[0]?.kind === "reserved")) this.#world.frees.add(space, span.start, released);
      this.#paired(ended, context);
      if (!isObtained) context.pairing.unmatchedEnd(THINGS.mapped, context.historyVerdict() === "pre-existing");
      return;
    }
    if (!asked.isAnswered) return;
    const kind = verb === "map" ? "mapped" as const : "reserved" as const;
    const obtained = context.evidence(call, kind);
    const paging = this.#pagingOf(Math.max(0, call.objectNumberAt(call.shape.at.pagingQueue)), issuedBy(call));
    const isFree = question !== null && question.isFresh;
    const made = space.obtain(span, { number: this.#lastRange + 1, kind, obtained, paging, isFree });
    if (made) {
      this.#lastRange += 1;
      context.pairing.start(THINGS[kind]);
      if (kind === "reserved" && closely !== null) this.#noteReservation(call, closely.request, this.#lastRange);
    }
    if (question === null) return;
    const { gpu, allocation, driverProtection } = question;
    if (allocation !== 0 && isUnique(driverProtection)) this.#unique.add(allocation);
    const origin = span.start - question.firstPage;
    const isNoAccess = closely !== null && closely.request.isUnbacked && (u64In(call, "protection") & NoAccess) !== 0n;
    space.map(span, { gpu, mapping: { allocation, origin, driverProtection, paging, mapped: obtained, isNoAccess } });
  }

  /** What is done at once on one queue is one thing, however often. */
  #pagingOf(queue: number, fence: bigint): PagingPoint {
    const newest = this.#paging;
    if (newest !== null && newest.queue === queue && newest.fence === fence) return newest;
    this.#paging = { queue, fence };
    return this.#paging;
  }

  /** What an update may change, and what ends with the process. */
  #noteReservation(call: CallView, { driverProtection }: RangeRequest, number: number): void {
    if (driverProtection !== 0n) this.#world.protections.set(number, driverProtection);
    if (call.in("reservationType") === SYMBOLS.reservationType.ZERO) this.#world.zeroRanges.add(number);
    if (call.object("process") !== null) this.#world.driverRanges.add(number);
  }

  #complete(point: PagingPoint): void {
    for (const space of this.#spaces.values()) space.complete(point);
  }

  #releaseAllocation(ref: Ref, call: CallView, context: AuditContext): void {
    const released = context.evidence(call, "released");
    for (const space of this.#spaces.values()) this.#paired(space.releaseAllocation(ref.number, released), context);
    this.#unique.delete(ref.number);
  }

  /** A process's end takes its address spaces along: nothing in them is a leak. */
  #exit(side: string, context: AuditContext): void {
    for (const [name, space] of this.#spaces) {
      if (!name.startsWith(`${side} on `)) continue;
      this.#paired([...space.left()].map(({ range }) => range), context);
      this.#spaces.delete(name);
      this.#handles.changes += 1;
    }
  }

  #paired(ranges: readonly EndedRange[], { pairing }: AuditContext): void {
    for (const { kind, number } of ranges) {
      pairing.pair(THINGS[kind]);
      if (kind === "mapped") continue;
      this.#world.zeroRanges.delete(number);
      this.#world.driverRanges.delete(number);
      this.#world.protections.delete(number);
    }
  }
}

interface EarlyPage {
  readonly page: number;
  readonly paging: PagingPoint;
  /** What made the page what it will be. */
  readonly by: Evidence;
  readonly range: ObtainedRange | undefined;
}

/** What every finding about a call says. */
function about(call: CallView, context: AuditContext): Pick<FindingDraft, "event" | "object" | "evidence"> {
  const object = call.object("allocation") ?? call.object("pagingQueue") ?? call.object("adapter");
  return { event: call.event, object, evidence: [context.evidence(call, "misused")] };
}
