// GPU virtual addresses: the V rules about maps, reservations, frees, accesses and what is left of them at the end.
// One fold per process and adapter; each call is judged by its arguments and by what was before it, refused or not.
// It must not know why a call failed.

import { canonicalSide, heldRefs, type ObjectKind, PAGE_BYTES, type Ref, SYMBOLS } from "../api/mod.ts";
import type { TraceHeader } from "../trace/mod.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import {
  accessesOf,
  addressText,
  bigintOf,
  createdBy,
  destroyedBy,
  exitedSide,
  isGpuKind,
  isOfGpu,
  isProcessExit,
  PAGE,
  pagesText,
  pagesTouched,
  spanText,
  u64In,
} from "./gpu_call_values.ts";
import { isUnmapping, reportFreeInUse, reportGap } from "./gpu_free_gaps.ts";
import type { GpuHandles } from "./gpu_handles.ts";
import type { PagingFences } from "./gpu_paging_fences.ts";
import {
  breachesOf,
  isAligned,
  isZeroReserve,
  type RangeRequest,
  type RequestFacts,
  requestOf,
  reservedBits,
} from "./gpu_va_arguments.ts";
import type { GpuVaSpace, ObtainedRange, PageSpan, PagingPoint } from "./gpu_va_fold.ts";
import { judgeFree } from "./gpu_va_free.ts";
import { isUnique, judgeMap, type MapQuestion } from "./gpu_va_map.ts";
import { GpuWorld } from "./gpu_world.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { placeText } from "./wording.ts";

/** A detector of the V rules about addresses. */
export function gpuVaDetector(world: GpuWorld = new GpuWorld()): Detector {
  return new GpuVaDetector(world);
}

/** Things of `pairing`, by kind of range. */
const THINGS = { mapped: "gpuva-mapping", reserved: "gpuva-range" } as const;

/** What a leaf page table covers: the unit of a kernel driver's reservations (gpuva.md 2.1). */
const LEAF_TABLE_BYTES = 0x200000n;
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
  /** What the trace's options say, once they were asked for. */
  #limits: Omit<RequestFacts, "allocationPages"> | null = null;

  constructor(world: GpuWorld) {
    this.#world = world;
    this.#handles = world.handles;
    this.#fences = world.fences;
    this.#spaces = world.spaces;
    this.#unique = world.unique;
  }

  hears(shape: PlanShape): boolean {
    return isOfGpu(shape) || shape.range !== null || shape.strayBits.length > 0 || isProcessExit(shape.plan);
  }

  returned(call: CallView, context: AuditContext): void {
    const asked = this.#askedBy(call, context);
    if (call.plan.declaration.modelled !== false) this.#judge(call, asked, context);
    if (call.succeeded) this.#fold(call, asked, context);
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
    const { request, facts } = asked;
    for (const breach of breachesOf(call, request, facts)) {
      context.report({ ...breach, ...about(call, context) });
    }
    if (request.verb === "map") this.#judgeMap(call, asked, context);
    if (request.verb === "free") this.#judgeFree(call, asked, context);
    if (request.verb === "reserve") reportGap(call, { request, space: asked.space, frees: this.#world.frees, context });
  }

  #judgeMap(call: CallView, { question }: Asked, context: AuditContext): void {
    if (question === null) return;
    for (const { rule, message, evidence, shape } of judgeMap(question)) {
      const { event, object, evidence: own } = about(call, context);
      const draft = { rule, message, event, object, evidence: evidence.concat(own), shape: shape ?? "" };
      const isWarning = rule === "gpuva-double-map" && context.strictRemap;
      context.report(isWarning ? { ...draft, severity: "warning" } : draft);
    }
  }

  #mapQuestion(call: CallView, request: RangeRequest, space: GpuVaSpace | undefined): MapQuestion | null {
    const queue = call.object("pagingQueue");
    const facts = queue === null ? undefined : this.#handles.queue(queue);
    if (space === undefined || facts === undefined) return null;
    const place = request.answered ?? (request.base === 0n ? null : request.base);
    const isPlaced = place !== null && isAligned(request) && place % PAGE === 0n;
    const span = isPlaced ? pagesTouched(place, request.sizeBytes) : null;
    const allocation = request.isUnbacked ? 0 : call.object("allocation")?.number ?? 0;
    if (allocation === 0 && !request.isUnbacked) return null;
    const isFresh = span !== null && !space.isAnyObtained(span);
    return {
      space,
      gpu: facts.gpu,
      span,
      pageCount: pageNumber(request.sizeBytes / PAGE),
      allocation,
      firstPage: pageNumber(request.offsetInPages),
      driverProtection: request.driverProtection,
      hasUnique: this.#unique.has(allocation),
      hasSucceeded: call.succeeded,
      isFresh,
    };
  }

  #judgeFree(call: CallView, { request, space }: Asked, context: AuditContext): void {
    const span = isAligned(request) ? pagesTouched(request.base, request.sizeBytes) : null;
    if (space === undefined || span === null) return;
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
    if (asked !== null) this.#foldRange(call, asked, context);
    for (const ref of destroyedBy(call)) if (ref.kind === "allocation") this.#releaseAllocation(ref, call, context);
    const side = exitedSide(call);
    if (side !== null) this.#exit(side, context);
    this.#handles.take(call);
    const further = this.#fences.take(call, { handles: this.#handles, made: createdBy(call) });
    for (const point of further) this.#complete(point);
  }

  #foldRange(call: CallView, { request, space, question }: Asked, context: AuditContext): void {
    const span = pagesTouched(request.answered ?? request.base, request.sizeBytes);
    if (space === undefined || span === null || isZeroReserve(request)) return;
    if (request.verb === "free") {
      const isObtained = space.isAnyObtained(span);
      const released = context.evidence(call, "freed");
      const isWhole = space.isWhole(span);
      const isUnmapped = !isWhole && isUnmapping(space, span);
      const ended = space.free(span, released);
      if (isUnmapped || (isWhole && ended[0]?.kind === "reserved")) this.#world.frees.add(space, span.start, released);
      this.#paired(ended, context);
      if (!isObtained) context.pairing.unmatchedEnd(THINGS.mapped, context.historyVerdict() === "pre-existing");
      return;
    }
    if (request.answered === null) return;
    const kind = request.verb === "map" ? "mapped" as const : "reserved" as const;
    const obtained = context.evidence(call, kind);
    const queue = call.object("pagingQueue");
    const paging = { queue: queue?.number ?? 0, fence: bigintOf(call.out("pagingFenceValue")) };
    const made = space.obtain(span, { number: this.#lastRange + 1, kind, obtained, paging });
    if (made !== null) {
      this.#lastRange += 1;
      context.pairing.start(THINGS[kind]);
      if (kind === "reserved") this.#noteReservation(call, request, made.number);
    }
    if (question === null) return;
    const { gpu, allocation, driverProtection } = question;
    if (allocation !== 0 && isUnique(driverProtection)) this.#unique.add(allocation);
    const origin = span.start - question.firstPage;
    const isNoAccess = request.isUnbacked && (u64In(call, "protection") & NoAccess) !== 0n;
    space.map(span, { gpu, mapping: { allocation, origin, driverProtection, paging, mapped: obtained, isNoAccess } });
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
      this.#paired([...space.ranges()], context);
      this.#spaces.delete(name);
    }
  }

  #paired(ranges: readonly ObtainedRange[], { pairing }: AuditContext): void {
    for (const { kind, number } of ranges) {
      pairing.pair(THINGS[kind]);
      if (kind === "mapped") continue;
      this.#world.zeroRanges.delete(number);
      this.#world.driverRanges.delete(number);
      this.#world.protections.delete(number);
    }
  }

  /** What a call asks for, and of which space; worked out once for judge and fold. */
  #askedBy(call: CallView, context: AuditContext): Asked | null {
    if (call.shape.range === null) return null;
    const facts = this.#factsOf(call, context);
    const request = requestOf(call, facts);
    if (request === null) return null;
    const space = this.#spaceOf(call);
    return { request, facts, space, question: request.verb === "map" ? this.#mapQuestion(call, request, space) : null };
  }

  #factsOf(call: CallView, { header }: AuditContext): RequestFacts {
    const allocation = call.object("allocation");
    this.#limits ??= limitsOf(header);
    const { isSizeZeroWhole, limit, vaBits, isLenient, driverUnit } = this.#limits;
    const allocationPages = allocation === null ? undefined : this.#handles.pagesOf(allocation);
    return { allocationPages, isSizeZeroWhole, limit, vaBits, isLenient, driverUnit };
  }

  /** The space that a call of a process is about; none for a handle that is not the process's own. */
  #spaceOf(call: CallView): GpuVaSpace | undefined {
    const handle = call.object("pagingQueue") ?? call.object("adapter");
    if (handle === null) return this.#spaceOfProcess(call);
    const name = this.#handles.spaceOf(handle);
    if (name === undefined || !name.startsWith(`${canonicalSide(call.side)} on `)) return undefined;
    return this.#world.space(name);
  }

  /** A kernel driver reserves in the space of a process that is being created. */
  #spaceOfProcess(call: CallView): GpuVaSpace | undefined {
    const process = call.object("process");
    const name = process === null ? undefined : this.#world.processes.get(process.number);
    return name === undefined ? undefined : this.#world.space(name);
  }
}

/** A call about a range. */
interface Asked {
  readonly request: RangeRequest;
  readonly facts: RequestFacts;
  readonly space: GpuVaSpace | undefined;
  /** For a map whose queue and allocation are known. */
  readonly question: MapQuestion | null;
}

function limitsOf({ options }: TraceHeader): Omit<RequestFacts, "allocationPages"> {
  const vaBits = Number(options["va-bits"]);
  return {
    isSizeZeroWhole: options["map-size-zero"] === "allow",
    vaBits,
    limit: 1n << BigInt(vaBits),
    isLenient: options["va-rules"] === "lenient",
    driverUnit: options["driver-reservation-unit"] === "page-entry" ? PAGE : LEAF_TABLE_BYTES,
  };
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

/** An obtained range as an object: ranges are numbered in order, as the model numbers them; no call names one. */
function rangeRef(number: number): Ref {
  return { kind: "vad", number, handle: 0 };
}

function pageNumber(pages: bigint): number {
  return Number(pages < BigInt(Number.MAX_SAFE_INTEGER) ? pages : BigInt(Number.MAX_SAFE_INTEGER));
}

/**
 * A range that Map obtained is V-01; a reservation is V-02, and what is mapped inside is told with it, once (rules.md).
 * What a kernel driver reserved ends with the process.
 */
function reportLeaks(space: GpuVaSpace, context: AuditContext, driverRanges: ReadonlySet<number>): void {
  const verdict = context.leakVerdict();
  const seen = new Map<ObtainedRange, { readonly first: PageSpan; pieces: number; mappedPages: number }>();
  for (const { start, end, value } of space.pieces()) {
    const entry = seen.get(value) ?? { first: { start, end }, pieces: 0, mappedPages: 0 };
    entry.pieces += 1;
    if (value.kind === "reserved") entry.mappedPages += space.mappedPages({ start, end });
    seen.set(value, entry);
  }
  for (const range of space.ranges()) {
    const entry = seen.get(range);
    if (entry === undefined) continue;
    const { kind, number, obtained, pageCount } = range;
    const isDrivers = driverRanges.has(number);
    context.pairing.left(THINGS[kind], verdict === "certain" && !isDrivers);
    if (isDrivers) continue;
    const where = `${spanText(entry.first)}${entry.pieces > 1 ? ` and ${entry.pieces - 1} more` : ""}`;
    const inside = entry.mappedPages === 0 ? "" : `, with ${pagesText(entry.mappedPages)} mapped inside`;
    context.report({
      rule: kind === "mapped" ? "gpuva-leak" : "gpuva-reservation-leak",
      message: `${where}, ${kind} ${placeText(obtained)}, was never released: ${pagesText(pageCount)}${inside}`,
      event: obtained.event,
      object: rangeRef(number),
      evidence: [obtained],
      verdict,
      shape: pagesText(pageCount),
      sizeBytes: pageCount * PAGE_BYTES,
    });
  }
}
