// Where a range goes that was asked for without a base: a policy, as no document says what the memory manager picks
// (gpuva.md 4.1). It must not know who asks.

import { PAGE_BYTES } from "../api/mod.ts";
import type { AddressSpace, PageSpan } from "./address_space.ts";
import type { Scope } from "./behaviour.ts";

/** What is wanted, in pages. */
export interface PlaceQuery {
  readonly pageCount: number;
  readonly alignment: number;
  readonly within: PageSpan;
}

/**
 * A free place by option `placement`; null where there is none. In a replay `recorded` forces the address that the trace
 * has, which may lie where the model's own policies never go, as long as it is free; a call that was not recorded gets
 * the lowest place.
 */
export function placeRange({ world, recorded }: Scope, space: AddressSpace, query: PlaceQuery): PageSpan | null {
  const { pageCount, alignment, within } = query;
  if (pageCount > space.pageLimit) return null;
  const { placement } = world.options;
  const forced = placement === "recorded" && recorded !== null ? recordedPlace(space, recorded[0], pageCount) : null;
  if (forced !== null) return forced;
  const start = space.place(pageCount, within, { alignment, isTopDown: placement === "top-down" });
  return start === undefined ? null : spanAt(start, pageCount);
}

/** A tree's numbers may be fractions to the compiler; those of 31 bits are told not to be, so that a span needs no boxes. */
function spanAt(start: number, pageCount: number): PageSpan {
  const cut = start | 0;
  return cut === start ? { start: cut, end: cut + pageCount } : { start, end: start + pageCount };
}

/** The address is the first output of every call that places a range. */
function recordedPlace(space: AddressSpace, address: unknown, pageCount: number): PageSpan | null {
  if (typeof address !== "bigint" || address === 0n || address % BigInt(PAGE_BYTES) !== 0n) return null;
  const start = Number(address / BigInt(PAGE_BYTES));
  const span = { start, end: start + pageCount };
  return span.end <= space.pageLimit && !space.isAnyObtained(span) ? span : null;
}
