// The Deno standard library's assertions, which reach us through npm without types: their types stand here, once.
import { assert as plainAssert } from "@std/assert/assert.js";
import { assertEquals as plainEquals } from "@std/assert/equals.js";
import { assertMatch as plainMatch } from "@std/assert/match.js";
import { assertNotEquals as plainNotEquals } from "@std/assert/not_equals.js";
import { assertRejects as plainRejects } from "@std/assert/rejects.js";
import { assertStringIncludes as plainIncludes } from "@std/assert/string_includes.js";
import { assertThrows as plainThrows } from "@std/assert/throws.js";

/** A class of errors, for the assertions that expect one. */
export type ErrorClass<E extends Error = Error> = new (...args: never[]) => E;

/** Fails unless `condition` holds. */
export function assert(condition: unknown, message?: string): asserts condition {
  plainAssert(condition, message);
}
/** Fails unless both are deeply equal. */
export const assertEquals: <T>(actual: T, expected: T, message?: string) => void = plainEquals;
/** Fails if both are deeply equal. */
export const assertNotEquals: <T>(actual: T, expected: T, message?: string) => void = plainNotEquals;
/** Fails unless `actual` contains `expected`. */
export const assertStringIncludes: (actual: string, expected: string, message?: string) => void = plainIncludes;
/** Fails unless `actual` matches `expected`. */
export const assertMatch: (actual: string, expected: RegExp, message?: string) => void = plainMatch;
/** Fails unless `body` throws an error of this class whose message includes the text; returns the error. */
export const assertThrows: <E extends Error>(
  body: () => unknown,
  errorClass?: ErrorClass<E>,
  includes?: string,
  message?: string,
) => E = plainThrows;
/** Fails unless `body` rejects with an error of this class whose message includes the text; returns the error. */
export const assertRejects: <E extends Error>(
  body: () => Promise<unknown>,
  errorClass?: ErrorClass<E>,
  includes?: string,
  message?: string,
) => Promise<E> = plainRejects;
