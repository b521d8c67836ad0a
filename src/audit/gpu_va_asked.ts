// What a call about a range of GPU addresses asks for, of which address space, and what a map is judged by: worked out once
// for those that judge it and those that fold it. It judges nothing.

import type { TraceHeader } from "../trace/mod.ts";
import type { AuditContext, CallView } from "./detector.ts";
import { PAGE, pagesTouched } from "./gpu_call_values.ts";
import type { GpuHandles } from "./gpu_handles.ts";
import { isAligned, type RangeRequest, type RequestFacts, requestOf } from "./gpu_va_arguments.ts";
import type { GpuVaSpace, PageSpan } from "./gpu_va_fold.ts";
import type { MapQuestion } from "./gpu_va_map.ts";
import { type PlainRange, plainRange } from "./gpu_va_plain.ts";
import { type GpuWorld, isOfSide } from "./gpu_world.ts";

/** What a leaf page table covers: the unit of a kernel driver's reservations (gpuva.md 2.1). */
const LEAF_TABLE_BYTES = 0x200000n;

/** The arguments of a call about a range, exactly. */
export interface CloseLook {
  readonly request: RangeRequest;
  readonly facts: RequestFacts;
}

/** A call about a range. */
export interface Asked {
  readonly verb: RangeRequest["verb"];
  /** Null: it breaks nothing by itself. */
  readonly closely: CloseLook | null;
  /** Its pages: as answered, or as asked for; of a refused map that would have been anywhere none. */
  readonly span: PageSpan | null;
  /** It answered an address. */
  readonly isAnswered: boolean;
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

/** The space behind the newest handle of a kind, good until handles change. */
class NewestSpace {
  number = -1;
  side = "";
  changes = -1;
  space: GpuVaSpace | undefined = undefined;
}

/** Reads the calls of one trace. */
export class RangeCalls {
  readonly #world: GpuWorld;
  readonly #handles: GpuHandles;
  /** What the trace's options say, once they were asked for. */
  #limits: Omit<RequestFacts, "allocationPages"> | null = null;
  #plain: Parameters<typeof plainRange>[1] | null = null;
  /** The newest space by the kind of handle that led to it: one call after the other names the same. */
  readonly #byQueue = new NewestSpace();
  readonly #byAdapter = new NewestSpace();

  constructor(world: GpuWorld) {
    this.#world = world;
    this.#handles = world.handles;
  }

  /** What a call asks for, and of which space; worked out once for judge and fold. */
  askedBy(call: CallView, context: AuditContext): Asked | null {
    if (call.shape.range === null) return null;
    const plain = this.plainOf(call, context);
    if (plain !== null) return this.#plainly(call, plain);
    this.#limits ??= limitsOf(context.header);
    const facts = this.#factsOf(call, this.#limits);
    const request = requestOf(call, facts);
    if (request === null) return null;
    const space = this.spaceOf(call);
    const { verb, answered } = request;
    const span = pagesTouched(answered ?? request.base, request.sizeBytes);
    const question = verb === "map" ? this.#mapQuestion(call, request, space) : null;
    return { verb, closely: { request, facts }, span, isAnswered: answered !== null, space, question };
  }

  /** The range of a call that breaks nothing by itself; null: it has to be looked at closely. */
  plainOf(call: CallView, context: AuditContext): PlainRange | null {
    this.#limits ??= limitsOf(context.header);
    this.#plain ??= {
      limit: Math.min(Number.MAX_SAFE_INTEGER, Number(this.#limits.limit)),
      pagesOf: (allocation) => this.#handles.pageCountOf(allocation),
    };
    return plainRange(call, this.#plain);
  }

  #plainly(call: CallView, { verb, start, pageCount, firstPage, driverProtection, isAnswered }: PlainRange): Asked {
    const space = this.spaceOf(call);
    const span = start < 0 ? null : { start, end: start + pageCount };
    if (verb === "free") return { verb, closely: null, span, isAnswered, space, question: null };
    const gpu = this.#handles.queueNumbered(call.objectNumberAt(call.shape.at.pagingQueue))?.gpu;
    const allocation = call.objectNumberAt(call.shape.at.allocation);
    const question = space === undefined || gpu === undefined ? null : {
      space,
      gpu,
      span,
      pageCount,
      allocation,
      firstPage,
      driverProtection: driverProtection === 0 ? 0n : BigInt(driverProtection),
      hasUnique: this.#world.unique.has(allocation),
      hasSucceeded: call.succeeded,
      isFresh: span !== null && !space.isAnyObtained(span),
    };
    return { verb, closely: null, span, isAnswered, space, question };
  }

  #factsOf(
    call: CallView,
    { isSizeZeroWhole, limit, vaBits, isLenient, driverUnit }: Omit<RequestFacts, "allocationPages">,
  ): RequestFacts {
    const allocation = call.object("allocation");
    const allocationPages = allocation === null ? undefined : this.#handles.pagesOf(allocation);
    return { allocationPages, isSizeZeroWhole, limit, vaBits, isLenient, driverUnit };
  }

  /** The space that a call of a process is about; none for a handle that is not the process's own. */
  spaceOf(call: CallView): GpuVaSpace | undefined {
    const { at } = call.shape;
    const queue = call.objectNumberAt(at.pagingQueue);
    const number = queue >= 0 ? queue : call.objectNumberAt(at.adapter);
    const newest = queue >= 0 ? this.#byQueue : this.#byAdapter;
    const { changes } = this.#handles;
    if (newest.number === number && newest.side === call.side && newest.changes === changes) return newest.space;
    const handle = call.objectAt(at.pagingQueue) ?? call.objectAt(at.adapter);
    if (handle === null) return this.#spaceOfProcess(call);
    const name = this.#handles.spaceOf(handle);
    if (name === undefined || !isOfSide(name, call.side)) return undefined;
    newest.number = handle.number;
    newest.side = call.side;
    newest.changes = changes;
    newest.space = this.#world.space(name);
    return newest.space;
  }

  /** A kernel driver reserves in the space of a process that is being created. */
  #spaceOfProcess(call: CallView): GpuVaSpace | undefined {
    const process = call.object("process");
    const name = process === null ? undefined : this.#world.processes.get(process.number);
    return name === undefined ? undefined : this.#world.space(name);
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
      hasUnique: this.#world.unique.has(allocation),
      hasSucceeded: call.succeeded,
      isFresh,
    };
  }
}

function pageNumber(pages: bigint): number {
  return Number(pages < BigInt(Number.MAX_SAFE_INTEGER) ? pages : BigInt(Number.MAX_SAFE_INTEGER));
}
