// What an address space is asked to do to pages: ranges to set aside, to point somewhere, to change when an update runs.
// It must not know how a space keeps them.

import type { Range } from "../range/mod.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";
import type { CopySource, QueuePosition } from "./paging_operations.ts";
import type { Keeper } from "./vad.ts";

/** The queued operation that a change waits for; null: the change is made at once. */
export type When = QueuePosition | null;

/** A range to set aside. */
export interface Reservation extends PageSpan {
  readonly vad: number;
  readonly baseState: "invalid" | "zero";
  readonly driverProtection: bigint;
  /** The process, where it is left out. */
  readonly keeper?: Keeper;
}

/** Pages of a reservation to change on one GPU when an update runs. */
export interface PageUpdate extends PageSpan {
  readonly gpu: number;
  /** What becomes of them; what a copy would give them now. */
  readonly pieces: readonly Range<PageEntry>[];
  readonly source: CopySource | null;
}

/** A range to point somewhere, in the page tables of one GPU. */
export interface Mapping extends PageSpan {
  readonly gpu: number;
  readonly entry: PageEntry;
  /** The VAD that gets the pages that are free; 0 where there are none. */
  readonly vad: number;
  /** All pages are known to be free: `place` gave them. */
  readonly isFree?: boolean;
}
