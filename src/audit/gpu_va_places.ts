// Where something of an address space lies: what is left of a range, and what an allocation is mapped at.
// It must not know how a space keeps them.

import type { Range } from "../range/mod.ts";
import type { PageMapping, PageSpan } from "./gpu_page_table.ts";
import type { ObtainedRange } from "./gpu_range_rows.ts";

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
