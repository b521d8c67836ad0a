// What holds of the parts of an address space at any time, for tests. It must not change anything.

import type { Range } from "../range/mod.ts";
import type { RangeRows } from "./gpu_range_rows.ts";
import type { Releases } from "./gpu_releases.ts";

/** The parts of a space. */
export interface SpaceParts {
  /** Pieces of obtained ranges: the row of each. */
  readonly ranges: Iterable<Range<number>> & {
    checkInvariants(): void;
    overlaps(start: number, end: number): boolean;
  };
  readonly rows: RangeRows;
  /** By row, own mappings of ranges that are queued. */
  readonly waiting: ReadonlyMap<number, unknown>;
  readonly releases: Releases;
}

/** Throws where the parts do not fit each other. */
export function checkSpace({ ranges, rows, waiting, releases }: SpaceParts): void {
  ranges.checkInvariants();
  const counts = new Map<number, number>();
  for (const { start, end, value } of ranges) {
    counts.set(value, (counts.get(value) ?? 0) + end - start);
    const isFit = !rows.isOwn(value) || rows.pageCount(value) === end - start;
    if (!isFit) throw new Error(`range ${rows.number(value)} has a mapping of its own and lies in pieces`);
  }
  for (const [row, pages] of counts) {
    const { number, pageCount } = rows.at(row);
    if (pageCount !== pages) throw new Error(`range ${number} has ${pages} pages, says ${pageCount}`);
    const isWaiting = rows.isOwn(row) && !rows.isDone(row);
    if (isWaiting !== waiting.has(row)) throw new Error(`range ${number} waits for its mapping, or should`);
  }
  for (const row of waiting.keys()) if (!counts.has(row)) throw new Error(`row ${row} waits and is gone`);
  for (const { start, end } of releases.pieces()) {
    if (ranges.overlaps(start, end)) throw new Error(`pages [${start}, ${end}) are both released and obtained`);
  }
}
