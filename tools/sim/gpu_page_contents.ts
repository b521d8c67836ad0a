// What the engine says of the pages of a space, in the words of the page oracle, and where the two differ.

import type { AddressSpace } from "../../src/engine/mod.ts";
import { type Content, mapped, numbers, type PageOracle, type Span, unbacked } from "./gpu_page_oracle.ts";

/** The first page of which they do not say the same. */
export function pageDifference(oracle: PageOracle, space: AddressSpace): string | null {
  const whole = { start: 0, end: space.pageLimit };
  const pieces = space.vadsIn(whole);
  const count = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
  if (count !== oracle.pages.size) return `${count} pages are obtained, ${oracle.pages.size} should be`;
  for (const piece of pieces) {
    for (const page of numbers(piece)) {
      const obtained = oracle.at(page);
      if (obtained?.kind !== piece.value.kind || obtained.keeper !== piece.value.keeper) {
        return `page ${page} is ${piece.value.keeper}'s ${piece.value.kind}, should be ${obtained?.kind ?? "free"}`;
      }
    }
    for (let gpu = 0; gpu < space.physicalAdapters; gpu += 1) {
      for (const [page, content] of contentsOf(space, gpu, piece)) {
        const wanted = oracle.seen(page, gpu);
        if (wanted !== content) return `page ${page} of GPU ${gpu} is ${content}, should be ${wanted}`;
      }
    }
  }
  return null;
}

/** What a GPU sees of each page of a span. */
export function* contentsOf(
  space: AddressSpace,
  gpu: number,
  span: Span,
): IterableIterator<[page: number, content: Content]> {
  for (const { start, end, value } of space.walk(gpu, span)) {
    for (const page of numbers({ start, end })) yield [page, value === undefined ? "free" : contentAt(page, value)];
  }
}

/** What a GPU will see of a page once all that is queued has run. */
export function newestOf(space: AddressSpace, gpu: number, page: number): Content {
  const [piece] = space.newestIn(gpu, { start: page, end: page + 1 });
  return piece === undefined ? "free" : contentAt(page, piece.value);
}

function contentAt(
  page: number,
  { state, allocation, origin, protection: rights, driverProtection }: ReturnType<AddressSpace["newestIn"]>[0]["value"],
): Content {
  if (state !== "mapped") return unbacked(state, driverProtection);
  return mapped(allocation, { page: page - origin, rights, driverProtection });
}
