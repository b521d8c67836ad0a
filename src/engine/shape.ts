// Checks of plain data that came out of a file, put together from small ones. Typed by what they describe, so that a member
// without a check does not compile. It must not know what a snapshot holds.

import { PAGE_BYTES } from "../api/mod.ts";

/** Says whether a value of a file is of a type. */
export type Check<T> = (value: unknown) => value is T;
/** A check for each member of a type. */
export type Shape<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/** An object that is nothing else: no array, map, set or bytes. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map) &&
    !(value instanceof Set) && !ArrayBuffer.isView(value);
}

/** An object with these members; others are ignored. */
export function members<T>(shape: Shape<T>): Check<T> {
  const checks = Object.entries<Check<unknown>>(shape);
  return (value: unknown): value is T => isPlainObject(value) && checks.every(([name, check]) => check(value[name]));
}

/** An array of such values. */
export function list<T>(check: Check<T>): Check<T[]> {
  return (value: unknown): value is T[] => Array.isArray(value) && value.every(check);
}

/** A map of such keys and values. */
export function mapOf<K, V>(key: Check<K>, each: Check<V>): Check<Map<K, V>> {
  return (value: unknown): value is Map<K, V> =>
    value instanceof Map && [...value].every(([name, member]) => key(name) && each(member));
}

/** A set of such values. */
export function setOf<T>(check: Check<T>): Check<Set<T>> {
  return (value: unknown): value is Set<T> => value instanceof Set && [...value].every(check);
}

/** One of these texts. */
export function oneOf<T extends string>(...names: readonly T[]): Check<T> {
  return (value: unknown): value is T => names.some((name) => name === value);
}

/** Such a value, or null. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value: unknown): value is T | null => value === null || check(value);
}

/** A safe integer from 0 on. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** A safe integer. */
export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

/** A bigint. */
export function isBigint(value: unknown): value is bigint {
  return typeof value === "bigint";
}

/** A text. */
export function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** A text, or null. */
export function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

/** True or false. */
export function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

/** Bytes. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** The bytes of one page. */
export function isPage(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === PAGE_BYTES;
}

/** The names in a table, in its order. */
export function kindsOf<K extends string>(table: Readonly<Record<K, unknown>>): K[] {
  const names: K[] = [];
  for (const name in table) names.push(name);
  return names;
}
