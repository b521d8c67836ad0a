// Values of calls about pages, read the slow way. It must not know calls.

import { isArray, isRef, isStruct, PAGE_BYTES, type Value } from "../../src/api/mod.ts";
import type { Span } from "./gpu_page_oracle.ts";

/** The number of an object, 0: it is none. */
export function numberOf(value: Value): number {
  return isRef(value) ? value.number : 0;
}

/** An address or a size in pages; of 64 bits not exact, `isPages` is. */
export function pageOf(address: Value): number {
  return Number(address) / PAGE_BYTES;
}

/** The pages of a range in bytes. */
export function spanOf(address: Value, size: Value): Span {
  const start = pageOf(address);
  return { start, end: start + pageOf(size) };
}

/** The structures of an array. */
export function structsIn(value: Value): Readonly<Record<string, Value>>[] {
  return isArray(value) ? value.flatMap((each) => isStruct(each) ? [each] : []) : [];
}

/** Whether an address or a size is whole pages. */
export function isPages(value: Value): boolean {
  return typeof value === "bigint" && value % BigInt(PAGE_BYTES) === 0n;
}
