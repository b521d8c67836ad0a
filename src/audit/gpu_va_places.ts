// Where something of an address space lies: what is left of a range, and what an allocation is mapped at.
// It must not know how a space keeps them.

import type { Range } from "../range/mod.ts";
import type { PageMapping, PageSpan } from "./gpu_page_table.ts";
import type { ObtainedRange, RangeRows } from "./gpu_range_rows.ts";
import { NOTHING } from "./gpu_starts.ts";

/** What is left of a range, in pieces, ascending. */
export interface LeftRange {
  readonly range: ObtainedRange;
  readonly pieces: readonly PageSpan[];
}

/** A mapping of an allocation, and the physical GPU whose page tables hold it. */
export type PlacedMapping = Range<PageMapping> & { readonly gpu: number };

/** Where a range's own mapping lies; what it says is read when somebody asks, and before the range changes. */
export class OwnPlace implements PlacedMapping {
  readonly start: number;
  readonly end: number;
  readonly gpu: number;
  readonly #read: () => PageMapping;

  constructor(start: number, end: number, gpu: number, read: () => PageMapping) {
    this.start = start;
    this.end = end;
    this.gpu = gpu;
    this.#read = read;
  }

  get value(): PageMapping {
    return this.#read();
  }
}

/** What is left of each obtained range, of which these are the pieces by row, oldest first: put in order as numbers, and told one by one. */
export function* leftOf(
  ranges: Iterable<Range<number>> & { readonly size: number },
  rows: RangeRows,
): Iterable<LeftRange> {
  const count = ranges.size;
  const spans = new Float64Array(2 * count);
  const rowOf = new Int32Array(count);
  // By number, and by piece below that: sorted as numbers.
  const order = new Float64Array(count);
  const split = new Map<number, PageSpan[]>();
  let whole = 0;
  for (const { start, end, value: row } of ranges) {
    const pieces = split.get(row);
    if (pieces !== undefined) {
      pieces.push({ start, end });
      continue;
    }
    if (rows.pageCount(row) !== end - start) split.set(row, [{ start, end }]);
    spans[2 * whole] = start;
    spans[2 * whole + 1] = end;
    rowOf[whole] = row;
    order[whole] = rows.number(row) * count + whole;
    whole += 1;
  }
  for (const key of order.subarray(0, whole).sort()) {
    const at = key % count;
    const row = rowOf[at] ?? NOTHING;
    const piece = { start: spans[2 * at] ?? 0, end: spans[2 * at + 1] ?? 0 };
    yield { range: rows.at(row), pieces: split.get(row) ?? [piece] };
  }
}
