// D3DKMTUpdateGpuVirtualAddress: a list of changes to the pages of a zero reservation, queued on the context's companion.
// Rules: gpuva.md 4.6, each with its number there; each [policy] is an option. When queued updates run is `update_queue.ts`.

import { SYMBOLS } from "../api/mod.ts";
import type { Range } from "../range/mod.ts";
import type { AddressSpace, PageEntry, PageSpan, PageUpdate } from "./address_space.ts";
import { type Behaviour, blocked, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { deviceTrouble } from "./device_error.ts";
import { type NamedSpace, spaceBehind } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";
import { moved } from "./page_tables.ts";
import { SYNC_FLAGS } from "./sync_object.ts";
import { type Companion, companionQueue, QUEUED_OPERATIONS, queuedOperations } from "./update_queue.ts";
import { type Operation, type Step, stepOf } from "./update_steps.ts";
import type { World } from "./world.ts";

/** Above it there is no value to signal. */
const LAST_FENCE_VALUE = 2n ** 64n - 1n;
const { DoNotWait } = SYMBOLS.updateFlags;

interface Request {
  readonly context: EngineObject<"context">;
  readonly syncObject: EngineObject<"syncObject">;
  readonly target: NamedSpace;
  readonly steps: readonly Step[];
  readonly fenceValue: bigint;
  readonly doesNotWait: boolean;
}

/** Objects may have ended while the call waited for room in the queue. */
type Maybe<K extends "device" | "context" | "syncObject"> = EngineObject<K> | null;

/**
 * Updates. Refusals in order: a device in error; context or fence of another device; reserved fields, unknown flags; how many operations;
 * a fence that must not be signalled, or waited for; a fence value without a next one; each operation by itself, in array
 * order; targets outside of one zero reservation, sources outside of one; and, as the operations are queued in array order,
 * pages that are neither zero nor mapped, and unique driver protection. A refused update has no effect.
 * Answers when the operations are queued, which may take until others ran: that they ran, the fence says.
 */
function update(
  scope: Scope,
  device: Maybe<"device">,
  context: Maybe<"context">,
  syncObject: Maybe<"syncObject">,
  operations: readonly Operation[],
  reserved0: bigint,
  reserved1: bigint,
  fenceValue: bigint,
  flags: number,
): Reply {
  const { world } = scope;
  if (!isLive(device) || !isLive(context) || !isLive(syncObject)) return giveUp(scope, context);
  const trouble = deviceTrouble(world, device);
  if (trouble !== null) return trouble;
  const isOthers = context.data.device !== device.number || syncObject.data.device !== device.number;
  const target = spaceBehind(world, context);
  if (isOthers || target === null || reserved0 !== 0n || reserved1 !== 0n || (flags & ~DoNotWait) !== 0) {
    return giveUp(scope, context);
  }
  if (!isCountRight(world, operations.length)) return giveUp(scope, context);
  const doesNotWait = (flags & DoNotWait) !== 0;
  const forbidden = SYNC_FLAGS.NoSignal | (doesNotWait ? 0 : SYNC_FLAGS.NoWait);
  if ((syncObject.data.flags & forbidden) !== 0) return fail("STATUS_ACCESS_DENIED");
  if (fenceValue === LAST_FENCE_VALUE) return giveUp(scope, context);
  const steps = operations.flatMap((operation) => stepOf(world, target.space, operation) ?? []);
  if (steps.length < operations.length || !hasOneTargetAndSource(target.space, steps)) return giveUp(scope, context);
  return enqueue(scope, { context, syncObject, target, steps, fenceValue, doesNotWait });
}

function isLive<K extends "device" | "context" | "syncObject">(object: Maybe<K>): object is EngineObject<K> {
  return object !== null && object.alive;
}

function isCountRight({ options }: World, count: number): boolean {
  return count <= Number(options["update-operations"]) && (count > 0 || options["update-empty"] === "allow");
}

/** U1 and U2: all that is changed lies in one zero reservation of the process, and all that is copied in one as well. */
function hasOneTargetAndSource(space: AddressSpace, steps: readonly Step[]): boolean {
  const targets = new Set(steps.map(({ span }) => zeroReservation(space, span)));
  const sources = new Set(steps.flatMap(({ source }) => source === null ? [] : zeroReservation(space, source)));
  return [targets, sources].every((vads) => vads.size <= 1 && !vads.has(0));
}

/** The number of the reservation that all of the span belongs to, 0 where it is not one, or not a zero one. */
function zeroReservation(space: AddressSpace, span: PageSpan): number {
  const vad = space.vadOver(span);
  if (vad === null) return 0;
  return vad.kind === "reserved" && vad.baseState === "zero" && vad.keeper === "process" ? vad.number : 0;
}

/** U8: where the queue has no room the call waits, behind those that wait already. An update longer than the queue goes alone. */
function enqueue(scope: Scope, request: Request): Reply {
  const { world, event } = scope;
  const { context, syncObject, target, steps, fenceValue, doesNotWait } = request;
  const companion = world.companions.get(context.number) ?? { space: target.name, queue: [], waiting: [] };
  world.companions.set(context.number, companion);
  if (mustWait(companion, event, steps.length)) {
    if (!companion.waiting.includes(event)) companion.waiting.push(event);
    return blocked();
  }
  if (!queueSteps(scope, request)) return giveUp(scope, context);
  stopWaiting(companion, event);
  companion.queue.push({ event, syncObject: syncObject.number, fenceValue, doesNotWait, operationCount: steps.length });
  return success();
}

function mustWait(companion: Companion, event: number, operationCount: number): boolean {
  const [first = event] = companion.waiting;
  const queued = queuedOperations(companion);
  return first !== event || (queued > 0 && queued + operationCount > QUEUED_OPERATIONS);
}

function stopWaiting({ waiting }: Companion, event: number): void {
  const place = waiting.indexOf(event);
  if (place >= 0) waiting.splice(place, 1);
}

/** A call that waited and has become impossible does not wait any more. */
function giveUp({ world, event }: Scope, context: Maybe<"context">): Reply {
  const companion = context === null ? undefined : world.companions.get(context.number);
  if (companion !== undefined) stopWaiting(companion, event);
  return fail("STATUS_INVALID_PARAMETER");
}

/** Queues the operations in array order (U3); false, and nothing queued, where one may not be. */
function queueSteps({ world, event }: Scope, { context, target: { space }, steps }: Request): boolean {
  const position = { queue: companionQueue(context.number), fence: BigInt(event) };
  const gpu = context.data.physicalAdapter;
  for (const step of steps) {
    const change = changeOf(world, space, { step, gpu });
    if (change === null) {
      space.cancel(position);
      return false;
    }
    space.update(change, position);
  }
  return true;
}

interface PlacedStep {
  readonly step: Step;
  readonly gpu: number;
}

/** What an operation makes of pages as they will be when it runs; null where it may not (U4, unique driver protection). */
function changeOf(world: World, space: AddressSpace, { step, gpu }: PlacedStep): PageUpdate | null {
  const { span, source } = step;
  if (source !== null) {
    const shift = span.start - source.start;
    const pieces = space.newestIn(gpu, source).map(({ start, end, value }) => ({
      start: start + shift,
      end: end + shift,
      value: moved(value, shift),
    }));
    return { ...span, gpu, pieces, source: { start: source.start, vad: zeroReservation(space, source) } };
  }
  const newest = space.newestIn(gpu, span);
  const isInvalid = newest.some(({ value }) => value.state === "invalid");
  if (step.allocation > 0 && isInvalid && world.options["va-rules"] === "strict") return null;
  const pieces: Range<PageEntry>[] = [];
  for (const run of protectedRuns(newest, step.driverProtection)) {
    const { allocation, firstPage, repeatPages: pageCount } = step;
    const candidate = { gpu, allocation, firstPage, pageCount, driverProtection: run.value, over: span };
    if (allocation > 0 && space.conflicts(candidate)) return null;
    addPieces(pieces, step, run);
  }
  return { ...span, gpu, pieces, source: null };
}

/** Runs of pages with one driver protection: the given one, or that which their addresses have. */
function protectedRuns(newest: readonly Range<PageEntry>[], driverProtection: bigint | null): Range<bigint>[] {
  const runs: Range<bigint>[] = [];
  for (const { start, end, value } of newest) {
    const wanted = driverProtection ?? value.driverProtection;
    const last = runs.at(-1);
    if (last !== undefined && last.value === wanted && last.end === start) {
      runs[runs.length - 1] = { ...last, end };
    } else runs.push({ start, end, value: wanted });
  }
  return runs;
}

/** U5: the allocation's pages again and again until the run is full. */
function addPieces(
  pieces: Range<PageEntry>[],
  { span, allocation, firstPage, repeatPages, state, protection }: Step,
  { start, end, value: driverProtection }: Range<bigint>,
): void {
  if (allocation === 0) {
    pieces.push({ start, end, value: { state, allocation, origin: 0, protection, driverProtection } });
    return;
  }
  for (let from = start; from < end;) {
    const repeatStart = from - (from - span.start) % repeatPages;
    const to = Math.min(end, repeatStart + repeatPages);
    const origin = repeatStart - firstPage;
    pieces.push({ start: from, end: to, value: { state, allocation, origin, protection, driverProtection } });
    from = to;
  }
}

/** Behaviours of updates. */
export const UPDATE_BEHAVIOURS = {
  D3DKMTUpdateGpuVirtualAddress: update,
} as const satisfies Readonly<Record<string, Behaviour>>;
