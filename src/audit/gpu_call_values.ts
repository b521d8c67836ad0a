// Reads GPU calls by type word and effect: what they create, destroy and ask for. Shared by the GPU rules.
// It must not know rules, nor a parameter's name.

import {
  type CallPlan,
  canonicalSide,
  type EffectPlan,
  isArray,
  isRef,
  isStruct,
  type ObjectKind,
  objectKind,
  OBJECTS,
  operandRefs,
  PAGE_BYTES,
  type ParamPlan,
  planOf,
  type Ref,
  SYMBOLS,
  type Value,
} from "../api/mod.ts";
import { RANGE_LIMIT } from "../range/mod.ts";
import type { CallView } from "./detector.ts";
import type { PageSpan } from "./gpu_va_fold.ts";
import type { PlanShape } from "./plan_shape.ts";
import { hexText } from "./wording.ts";

/** Bytes of a page, for addresses. */
export const PAGE = BigInt(PAGE_BYTES);

/** Kinds of objects that a user-mode graphics driver holds. */
export const GPU_KINDS: readonly ObjectKind[] = Object.keys(OBJECTS).flatMap((name) => {
  const kind = objectKind(name);
  return kind !== null && kind !== "vad" && OBJECTS[kind].handles === "d3dkmt" ? [kind] : [];
});

const GPU: ReadonlySet<string> = new Set(GPU_KINDS);

/** Whether an object is one that a user-mode graphics driver holds. */
export function isGpuKind(kind: ObjectKind): boolean {
  return GPU.has(kind);
}

/** Whether calls of a shape can matter to what is known of the GPU's objects: they name one, or make or free memory. */
export function isOfGpu(shape: PlanShape): boolean {
  if (GPU_KINDS.some((kind) => shape.names(kind))) return true;
  return [...shape.creates, ...shape.destroys].some(({ param }) => param.kind === "buffer");
}

/** A 64-bit argument, 0 where the call has none of the type. */
export function u64In(call: CallView, word: string): bigint {
  return bigintOf(call.in(word));
}

/** A value as bigint, 0 where it is no number. */
export function bigintOf(value: Value | undefined): bigint {
  if (typeof value === "bigint") return value;
  return typeof value === "number" ? BigInt(value) : 0n;
}

/** The objects that a call made; a resource that it was given and answers again is none. */
export function createdBy(call: CallView): readonly Ref[] {
  const { creates } = call.shape;
  return creates.length === 0 ? NONE : effectRefs(call, creates).filter((ref) => !isGiven(call.ins, ref));
}

/** The objects that a call names to destroy. */
export function destroyedBy(call: CallView): readonly Ref[] {
  const { destroys } = call.shape;
  return destroys.length === 0 ? NONE : effectRefs(call, destroys);
}

const NONE: readonly Ref[] = [];

function effectRefs(call: CallView, effects: readonly EffectPlan[]): readonly Ref[] {
  const [only] = effects;
  if (only !== undefined && effects.length === 1) return operandRefs(call, only.subject);
  return effects.flatMap(({ subject }) => operandRefs(call, subject));
}

function isGiven(values: readonly Value[], { kind, number, handle }: Ref): boolean {
  return values.some((value) =>
    isRef(value) && value.kind === kind && value.number === number && value.handle === handle
  );
}

/** What a call does to address ranges: `map`, `reserve` or `free`; null: nothing. */
export function rangeVerb({ range }: PlanShape): "map" | "reserve" | "free" | null {
  const verb = range?.verb;
  return verb === "map" || verb === "reserve" || verb === "free" ? verb : null;
}

/** The pages that bytes [start, start+size) touch, cut off at the end of all addresses; null where there are none. */
export function pagesTouched(start: bigint, sizeBytes: bigint): PageSpan | null {
  const [from, size] = [Number(start), Number(sizeBytes)];
  if (from + size < Number.MAX_SAFE_INTEGER - PAGE_BYTES) {
    return size > 0 ? { start: Math.floor(from / PAGE_BYTES), end: Math.ceil((from + size) / PAGE_BYTES) } : null;
  }
  const limit = BigInt(RANGE_LIMIT);
  const end = (start + sizeBytes + PAGE - 1n) / PAGE;
  const span = { start: Number(start / PAGE), end: Number(end < limit ? end : limit) };
  return sizeBytes > 0n && span.start < span.end ? span : null;
}

/** Bytes of an access: a first byte and a count. */
export interface ByteSpan {
  readonly start: bigint;
  readonly sizeBytes: bigint;
}

/** What a call says that the GPU touches in a context: its own address, and the accesses that it lists. */
export function accessesOf(call: CallView): readonly ByteSpan[] {
  if (call.shape.in("context") < 0 || (Number(u64In(call, "submitFlags")) & NullRendering) !== 0) return NO_BYTES;
  const listed = call.plan.ins.flatMap((param, index) => listedAccesses(param, call.ins[index] ?? null));
  if (call.in("gpuVa") === undefined || call.in("byteCount") === undefined) return listed;
  return [...listed, { start: u64In(call, "gpuVa"), sizeBytes: u64In(call, "byteCount") }];
}

const NO_BYTES: readonly ByteSpan[] = [];
/** Commands that are not executed. */
const { NullRendering } = SYMBOLS.submitFlags;

function listedAccesses(param: ParamPlan, value: Value): readonly ByteSpan[] {
  if (!param.isArray || !isArray(value) || !param.members.some(({ word }) => word === "access")) return [];
  return value.map((each) => ({
    start: bigintOf(memberOf(param, each, "gpuVa")),
    sizeBytes: bigintOf(memberOf(param, each, "byteCount")),
  }));
}

/** The first member of this type word. */
export function memberOf(param: ParamPlan, value: Value | undefined, word: string): Value | undefined {
  const member = param.members.find((each) => each.word === word);
  return member === undefined || !isStruct(value) ? undefined : value[member.name];
}

/** An allocation that a call made, and what it was asked to stand for. */
export interface MadeAllocation {
  readonly ref: Ref;
  /** Existing memory that it is over, or null. */
  readonly buffer: Ref | null;
  /** 0: the buffer's, or not said. */
  readonly sizeBytes: bigint;
}

/** The allocations that a call made: what came in stands at the places of what went out. */
export function madeAllocations(call: CallView): readonly MadeAllocation[] {
  return call.plan.outs.flatMap((param, index) => {
    const made = call.outs[index];
    if (!isArray(made) || !param.members.some(({ kind }) => kind === "allocation")) return [];
    const asked = call.ins[call.plan.ins.indexOf(param)];
    return made.flatMap((each, place) => {
      const ref = memberOf(param, each, "allocation");
      const given = isArray(asked) ? asked[place] : undefined;
      const buffer = memberOf(param, given, "buffer");
      const sizeBytes = bigintOf(memberOf(param, given, "byteSize"));
      return isRef(ref) ? [{ ref, buffer: isRef(buffer) ? buffer : null, sizeBytes }] : [];
    });
  });
}

/** The call by which a process dies. */
const PROCESS_EXIT = planOf("ExitProcess").name;

/** Whether a call ends a process. */
export function isProcessExit({ name }: CallPlan): boolean {
  return name === PROCESS_EXIT;
}

/** The side whose process a call ended, or null. */
export function exitedSide(call: CallView): string | null {
  const side = isProcessExit(call.plan) && call.succeeded ? call.in("sideName") : undefined;
  return typeof side === "string" ? canonicalSide(side) : null;
}

/** `[0x1000, 0x3000)`. */
export function spanText({ start, end }: PageSpan): string {
  return `[${addressText(start)}, ${addressText(end)})`;
}

/** A page's address, `0x1000`. */
export function addressText(page: number): string {
  const bytes = page * PAGE_BYTES;
  return hexText(Number.isSafeInteger(bytes) ? bytes : BigInt(page) * PAGE);
}

/** `1 page`, `2 pages`. */
export function pagesText(count: number | bigint): string {
  return BigInt(count) === 1n ? "1 page" : `${count} pages`;
}
