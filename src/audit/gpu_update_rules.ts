// Updates of GPU addresses: rules U1 to U5 (V-22), a fence value that never comes (V-23), a full queue (V-24); and what
// an update makes of pages, which other rules ask for. An update is judged when it is called, and counts when it is let in.
//
// Decisions where the documents leave room:
// - One finding per broken rule and call. U4 is none with `va-rules=lenient` (gpuva.md 3.2).
// - V-23 is told where the context ends, or the trace, while the update waits; not where its process dies or its device
//   is in error.
// - V-24: a call that waits, where the queue has no room as far as the trace tells.

import { type ObjectKind, printObject, type Ref, SYMBOLS } from "../api/mod.ts";
import { type Range, RANGE_LIMIT } from "../range/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import type { Verdict } from "./finding.ts";
import { bigintOf, isGpuKind, isProcessExit, spanText, u64In } from "./gpu_call_values.ts";
import { gaps } from "./gpu_page_table.ts";
import { isUpdate, type Operation, operationsOf } from "./gpu_update_operations.ts";
import { type AskedMapping, conflictInside } from "./gpu_update_protection.ts";
import type { GpuVaSpace, PageMapping, PageSpan } from "./gpu_va_fold.ts";
import { isUnique, judgeMap } from "./gpu_va_map.ts";
import { type QueuedUpdate, updateQueue } from "./gpu_work_states.ts";
import type { GpuWorld } from "./gpu_world.ts";
import type { Ended } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import { countText } from "./wording.ts";

/** Operations that a context's queue holds before a caller waits (gpuva.md 4.6, U8). */
const QUEUED_OPERATIONS = 128;
/** How often one operation is taken to repeat its allocation range. */
const REPEATS_KEPT = 65536;
const { DoNotWait } = SYMBOLS.updateFlags;

/** A detector of the rules about updates. It stands after the detector of addresses, and before that of work. */
export function gpuUpdateDetector(world: GpuWorld): Detector {
  return new GpuUpdateDetector(world);
}

/** An update as it is asked for. */
interface Update {
  readonly context: Ref;
  readonly space: GpuVaSpace | undefined;
  readonly gpu: number;
  readonly operations: readonly Operation[];
}

class GpuUpdateDetector implements Detector {
  readonly #world: GpuWorld;
  #isExit = false;

  constructor(world: GpuWorld) {
    this.#world = world;
  }

  hears({ plan, destroys }: PlanShape): boolean {
    return isUpdate(plan) || isProcessExit(plan) ||
      destroys.some(({ param: { kind } }) => kind === null || isGpuKind(kind));
  }

  called(call: CallView, context: AuditContext): void {
    if (!isUpdate(call.plan)) return;
    const isLenient = context.header.options["va-rules"] === "lenient";
    const facts = { isLenient, pagesOf: (allocation: Ref) => this.#world.handles.pagesOf(allocation) };
    const { breaches } = operationsOf(call, facts);
    const told = new Set<string>();
    for (const breach of breaches) {
      const key = `${breach.rule} ${breach.shape ?? ""}`;
      if (!told.has(key)) context.report({ ...breach, ...about(call, context) });
      told.add(key);
    }
    const update = this.#updateOf(call);
    if (update === null) return;
    this.#judgeRanges(call, update, { context, isLenient });
    this.#judgeProtection(call, update, context);
    if (call.returnedAt === 0) this.#judgeRoom(call, update, context);
  }

  returned(call: CallView, context: AuditContext): void {
    this.#isExit = isProcessExit(call.plan);
    if (!isUpdate(call.plan)) return;
    const update = this.#updateOf(call);
    if (update === null) return;
    this.#world.work.waitForRoom(update.context.number, call.event, null);
    if (call.succeeded) this.#fold(call, update, context);
  }

  hearsEnd(kind: ObjectKind): boolean {
    return kind === "context";
  }

  ended(objects: readonly Ended[], context: AuditContext): void {
    for (const { ref } of objects) {
      if (ref.kind !== "context") continue;
      const left = this.#world.work.endContext(ref.number);
      if (left.length > 0) this.#world.cancelUpdates(ref.number);
      if (!this.#isExit) { for (const update of left) reportNeverReached(update, context); }
    }
  }

  end(context: AuditContext): void {
    for (const update of this.#world.work.updates()) reportNeverReached(update, context, context.leakVerdict());
  }

  #updateOf(call: CallView): Update | null {
    const context = call.object("context");
    if (context === null) return null;
    const isLenient = true;
    const { operations } = operationsOf(call, { isLenient, pagesOf: () => undefined });
    const { handles } = this.#world;
    return { context, space: this.#world.spaceBehind(context), gpu: handles.gpuOf(context), operations };
  }

  /** U1, U2 and U4. */
  #judgeRanges(
    call: CallView,
    { space, gpu, operations }: Update,
    { context, isLenient }: { readonly context: AuditContext; readonly isLenient: boolean },
  ): void {
    if (space === undefined) return;
    const { zeroRanges } = this.#world;
    const targets = operations.flatMap(({ span }) => span ?? []);
    const sources = operations.flatMap(({ source }) => source ?? []);
    const messages = [
      ["U1", outsideOne(space, targets, { zeroRanges, what: "target" })],
      ["U2", outsideOne(space, sources, { zeroRanges, what: "source of a copy" })],
      ["U4", isLenient ? null : noAccess(space, operations, gpu)],
    ] as const;
    for (const [shape, message] of messages) {
      if (message === null) continue;
      context.report({
        rule: "gpuva-update-invalid",
        message: `${message} (${shape})`,
        ...about(call, context),
        shape,
      });
    }
  }

  /** V-20, once per call. */
  #judgeProtection(call: CallView, { space, gpu, operations }: Update, context: AuditContext): void {
    const changed: PageSpan[] = [];
    const asked: AskedMapping[] = [];
    const draft = about(call, context);
    for (const operation of operations) {
      const { allocation, span, firstPage, repeatPages: pageCount } = operation;
      if (space === undefined || span === null) continue;
      if (allocation !== null) {
        const driverProtection = this.#protectionAt(span.start, { space, gpu, operation, context });
        const hasUnique = this.#world.unique.has(allocation.number);
        const place = { space, gpu, span, pageCount, firstPage, driverProtection, hasUnique, changed };
        const [breach] = judgeMap({ ...place, allocation: allocation.number, hasSucceeded: false, isFresh: false });
        if (breach !== undefined) {
          return context.report({ ...breach, ...draft, evidence: [...breach.evidence(), ...draft.evidence] });
        }
        const mapping = { operation, driverProtection, span, changed: changed.length };
        const message = conflictInside(mapping, { asked, changed });
        if (message !== null) return context.report({ rule: "gpuva-driver-protection-conflict", message, ...draft });
        asked.push(mapping);
      }
      changed.push(span);
    }
  }

  /** What an operation says, or what the address has (gpuva.md 3.3). */
  #protectionAt(page: number, { space, gpu, operation, context }: {
    readonly space: GpuVaSpace;
    readonly gpu: number;
    readonly operation: Operation;
    readonly context: AuditContext;
  }): bigint {
    if (operation.driverProtection !== null) return operation.driverProtection;
    if (operation.verb === "map" && context.header.options["update-driver-protection"] === "zero") return 0n;
    const mapping = space.mappingAt(page, gpu);
    if (mapping !== undefined) return mapping.driverProtection;
    return this.#world.protections.get(space.rangeAt(page)?.number ?? 0) ?? 0n;
  }

  /** V-24. */
  #judgeRoom(call: CallView, { context: gpuContext, operations }: Update, context: AuditContext): void {
    const { work } = this.#world;
    const queued = work.queuedOperations(gpuContext.number);
    work.waitForRoom(gpuContext.number, call.event, operations.length);
    if (queued === 0 || queued + operations.length <= QUEUED_OPERATIONS) return;
    context.report({
      rule: "gpuva-update-queue-full",
      message:
        `the caller of an update of ${countText(operations.length, "operation")} waits: ${queued} are queued on ` +
        `${printObject(gpuContext)} or wait before it, and there is room for ${QUEUED_OPERATIONS}`,
      event: call.event,
      object: gpuContext,
      evidence: [context.evidence(call, "blocked")],
    });
  }

  #fold(call: CallView, { context: gpuContext, space, gpu, operations }: Update, context: AuditContext): void {
    const fence = call.object("syncObject");
    if (space === undefined || fence === null) return;
    const queued = context.evidence(call, "mapped");
    const { work, handles } = this.#world;
    const sequence = work.queueUpdate({
      context: gpuContext.number,
      syncObject: fence.number,
      value: u64In(call, "fenceValue"),
      doesNotWait: (bigintOf(call.in("updateFlags")) & BigInt(DoNotWait)) !== 0n,
      operationCount: operations.length,
      space: handles.spaceOf(gpuContext) ?? "",
      spans: operations.flatMap((
        { span, source },
      ) => [...(span === null ? [] : [span]), ...(source === null ? [] : [source])]),
      queued,
    });
    const paging = { queue: updateQueue(gpuContext.number), fence: BigInt(sequence) };
    for (const operation of operations) {
      const protectionAt = (page: number) => this.#protectionAt(page, { space, gpu, operation, context });
      for (const { start, end, value } of changesOf(space, operation, { gpu, protectionAt })) {
        const { allocation, driverProtection } = value;
        if (allocation !== 0 && isUnique(driverProtection)) this.#world.unique.add(allocation);
        space.map({ start, end }, { gpu, mapping: { ...value, paging, mapped: queued } });
      }
    }
  }
}

function about(call: CallView, context: AuditContext) {
  return { event: call.event, object: call.object("context"), evidence: [context.evidence(call, "misused")] };
}

/** Null: the pages all lie in one zero reservation. */
function outsideOne(
  space: GpuVaSpace,
  spans: readonly PageSpan[],
  { zeroRanges, what }: { readonly zeroRanges: ReadonlySet<number>; readonly what: string },
): string | null {
  let one = 0;
  for (const span of spans) {
    const pieces = space.rangesIn(span);
    const wrong = pieces.find(({ value }) => !zeroRanges.has(value.number));
    if (wrong !== undefined || !space.isObtained(span)) {
      const why = wrong === undefined
        ? "not all of it is obtained"
        : `a range was ${wrong.value.kind} there that is none`;
      return `${what} ${spanText(span)} does not lie in a zero reservation: ${why}`;
    }
    for (const { value } of pieces) {
      if (one !== 0 && one !== value.number) {
        return `${what} ${spanText(span)} lies in another reservation than those before it`;
      }
      one = value.number;
    }
  }
  return null;
}

/** Null: what is mapped over is zero or mapped, also by operations before it (U3). */
function noAccess(space: GpuVaSpace, operations: readonly Operation[], gpu: number): string | null {
  for (const [place, { verb, span }] of operations.entries()) {
    if (verb !== "map" || span === null) continue;
    let open: readonly PageSpan[] = [span];
    for (const earlier of operations.slice(0, place).toReversed()) {
      const { span: changed } = earlier;
      if (changed === null || open.length === 0) continue;
      const isHit = open.some(({ start, end }) => start < changed.end && changed.start < end);
      if (isHit && earlier.verb === "unmap" && earlier.isNoAccess) return noAccessText(place, span);
      open = open.flatMap((part) => gaps(part, [changed]));
    }
    const isInvalid = open.some((part) => space.mappingsIn(part, gpu).some(({ value }) => value.isNoAccess === true));
    if (isInvalid) return noAccessText(place, span);
  }
  return null;
}

function noAccessText(place: number, span: PageSpan): string {
  return `operation ${place} maps ${spanText(span)}, of which pages are NoAccess: wanted zero or mapped ones`;
}

type Change = Omit<PageMapping, "paging" | "mapped">;

/** Where an operation takes effect. */
interface Place {
  readonly gpu: number;
  readonly protectionAt: (page: number) => bigint;
}

/** What an operation points pages at. */
function changesOf(space: GpuVaSpace, operation: Operation, place: Place): readonly Range<Change>[] {
  const { span, source, allocation, isNoAccess } = operation;
  if (span === null || span.end > RANGE_LIMIT) return [];
  if (source !== null) return copied(space, { span, source }, place);
  if (operation.verb === "map") return allocation === null ? [] : repeated(operation, { span, allocation }, place);
  const driverProtection = place.protectionAt(span.start);
  return [{ ...span, value: { allocation: 0, origin: 0, driverProtection, isNoAccess } }];
}

function copied(
  space: GpuVaSpace,
  { span, source }: { readonly span: PageSpan; readonly source: PageSpan },
  { gpu, protectionAt }: Place,
): readonly Range<Change>[] {
  const shift = span.start - source.start;
  const pieces = space.mappingsIn(source, gpu);
  const rest = gaps(source, pieces).map(({ start, end }) => ({
    start,
    end,
    value: { allocation: 0, origin: 0, driverProtection: protectionAt(start) },
  }));
  return [...pieces, ...rest].map(({ start, end, value }) => ({
    start: start + shift,
    end: end + shift,
    value: { ...value, origin: value.origin + shift },
  }));
}

/** The allocation's pages again and again. */
function repeated(
  { firstPage, repeatPages }: Operation,
  { span, allocation }: { readonly span: PageSpan; readonly allocation: Ref },
  { protectionAt }: Place,
): readonly Range<Change>[] {
  const changes: Range<Change>[] = [];
  const step = Math.max(1, repeatPages);
  for (let start = span.start; start < span.end && changes.length < REPEATS_KEPT; start += step) {
    const value = { allocation: allocation.number, origin: start - firstPage, driverProtection: protectionAt(start) };
    changes.push({ start, end: Math.min(span.end, start + step), value });
  }
  return changes;
}

/** V-23. */
function reportNeverReached(update: QueuedUpdate, context: AuditContext, verdict?: Verdict): void {
  const { context: number, syncObject, value, queued } = update;
  const fence: Ref = { kind: "syncObject", number: syncObject, handle: 0 };
  context.report({
    rule: "gpuva-update-fence-never-reached",
    message: `an update on context#${number} waited for ${printObject(fence)} to be at ${value}: it never ran`,
    event: queued.event,
    object: fence,
    evidence: [queued],
    ...(verdict === undefined ? {} : { verdict }),
  });
}
