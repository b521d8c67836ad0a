// What an address space checks: its limits when it is made, and for tests that its parts fit each other.
// It must not know the parts.

import type { PageSpan } from "./page_tables.ts";

/** `RangeError` for a number outside of its limits. */
export function requireWithin(
  name: string,
  value: number,
  { low, high }: { readonly low: number; readonly high: number },
): void {
  if (Number.isSafeInteger(value) && low <= value && value <= high) return;
  throw new RangeError(`Cannot make an address space with ${name}=${value}: it must be ${low} to ${high}`);
}

/** A span in words. */
export function pages({ start, end }: PageSpan): string {
  return `pages [${start}, ${end})`;
}

/** Throws where a condition does not hold. */
export function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Address space is broken: ${message}`);
}
