// V-20 among the operations of one update: they take effect in order (gpuva.md 3.3, 4.6 U3), so that one may conflict with
// what another of the same call maps. It must not know what pages were before the call.

import { gaps } from "./gpu_page_table.ts";
import type { Operation } from "./gpu_update_operations.ts";
import type { PageSpan } from "./gpu_va_fold.ts";
import { isUnique } from "./gpu_va_map.ts";

/** A mapping that an operation of the call asks for, and how many operations of it have changed pages by then. */
export interface AskedMapping {
  readonly operation: Operation;
  readonly driverProtection: bigint;
  readonly span: PageSpan;
  readonly changed: number;
}

/** Null: no operation before it in the same call has left a mapping of the same pages with another unique value. */
export function conflictInside(
  { operation, driverProtection, span }: AskedMapping,
  { asked, changed }: { readonly asked: readonly AskedMapping[]; readonly changed: readonly PageSpan[] },
): string | null {
  for (const earlier of asked) {
    if (earlier.driverProtection === driverProtection || !isSamePages(earlier.operation, operation)) continue;
    if (!isUnique(earlier.driverProtection) && !isUnique(driverProtection)) continue;
    const left = gaps(earlier.span, changed.slice(earlier.changed + 1));
    const isReplaced = gaps(earlier.span, [...changed.slice(earlier.changed + 1), span]).length === 0;
    if (left.length === 0 || (isReplaced && !isUnique(earlier.driverProtection))) continue;
    return `operations ${earlier.operation.place} and ${operation.place} map the same pages of an allocation with driver ` +
      "protections of which one is unique, and a unique value must be the same";
  }
  return null;
}

function isSamePages(one: Operation, other: Operation): boolean {
  return one.allocation?.number === other.allocation?.number &&
    one.firstPage < other.firstPage + other.repeatPages && other.firstPage < one.firstPage + one.repeatPages;
}
