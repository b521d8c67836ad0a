// Values as events hold them: one canonical form per declared type, so that equal calls have equal values.
// It must not know any particular call.

import type { ObjectKind } from "./grammar.ts";
import { sameBytes } from "../wire/mod.ts";
import { ntSuccess } from "./symbols.ts";

/** An object as a trace names it: its kind, its number of that kind from 1, and the handle value the driver saw. */
export interface Ref {
  readonly kind: ObjectKind;
  readonly number: number;
  readonly handle: number;
}

/** The members of a structure, by name. */
export interface StructValue {
  readonly [member: string]: Value;
}

/**
 * A value: numbers up to 32 bits as number, 64 bits as bigint, a GUID or text as string, bytes, an object as `Ref`
 * (null: none; a plain number where an object is wanted: a raw handle value that named nothing).
 */
export type Value = number | bigint | boolean | string | null | Uint8Array | Ref | StructValue | readonly Value[];

/** Whether a value is an object's reference. */
export function isRef(value: Value | undefined): value is Ref {
  return typeof value === "object" && value !== null && "kind" in value && "number" in value && "handle" in value;
}

/** Whether a value is an array of values. */
export function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is a structure: none of the other forms. */
export function isStruct(value: Value | undefined): value is StructValue {
  return typeof value === "object" && value !== null && !isArray(value) && !(value instanceof Uint8Array) &&
    !isRef(value);
}

/** Says whether two references are to one object. */
export type RefEquality = (left: Ref, right: Ref) => boolean;

/** Whether two values are equal, member by member; `Ref`s by kind, number and handle, where `sameRef` does not say. */
export function equalValues(left: Value, right: Value, sameRef: RefEquality = equalRefs): boolean {
  if (left === right) return true;
  if (left instanceof Uint8Array) return right instanceof Uint8Array && sameBytes(left, right);
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (right instanceof Uint8Array) return false;
  if (isArray(left) || isArray(right)) return isArray(left) && isArray(right) && equalArrays(left, right, sameRef);
  if (isRef(left) || isRef(right)) return isRef(left) && isRef(right) && sameRef(left, right);
  return equalMembers(Object.entries(left), right, sameRef);
}

function equalRefs(left: Ref, right: Ref): boolean {
  return sameObject(left, right) && left.handle === right.handle;
}

/** Whether two references are to the object of one kind and number, whatever its handle value was. */
export function sameObject(left: Ref, right: Ref): boolean {
  return left.kind === right.kind && left.number === right.number;
}

function equalArrays(left: readonly Value[], right: readonly Value[], sameRef: RefEquality): boolean {
  return left.length === right.length &&
    left.every((value, index) => equalValues(value, right[index] ?? null, sameRef));
}

function equalMembers(left: readonly (readonly [string, Value])[], right: object, sameRef: RefEquality): boolean {
  const others = new Map<string, Value>(Object.entries(right));
  return left.length === others.size && left.every(([name, value]) => {
    const other = others.get(name);
    return other !== undefined && equalValues(value, other, sameRef);
  });
}

/** What a call answered. `none`: nothing yet, the call is waiting. */
export type Outcome =
  | { readonly form: "status"; readonly status: number }
  | { readonly form: "void" }
  | { readonly form: "value"; readonly value: Value }
  | { readonly form: "refused"; readonly reason: string };

/** The outcome of a function that returns nothing. */
export const VOID: Outcome = Object.freeze({ form: "void" });

/** Whether a call did what it was called for: NT_SUCCESS of its status, or not refused; false while it waits (null). */
export function hasSucceeded(outcome: Outcome | null): boolean {
  if (outcome === null) return false;
  return outcome.form === "status" ? ntSuccess(outcome.status) : outcome.form !== "refused";
}
