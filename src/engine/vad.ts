// An obtained range of an address space, as the space keeps it beside its object (gpuva.md 1.6).
// It must not know where a range lies, nor which calls make and end one.

import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";

/** An obtained range: what a Reserve or a Map gave, less what was freed since; it may lie in several pieces. */
export interface Vad {
  /** Its object's number. */
  readonly number: number;
  readonly kind: "reserved" | "mapped";
  /** What pages of a reservation are where nothing is mapped; a mapped range's are invalid there. */
  readonly baseState: "invalid" | "zero";
  readonly driverProtection: bigint;
  readonly keeper: Keeper;
  /** The reservation's operation ran; before, its pages are invalid. */
  isCommitted: boolean;
  /** Pages that are not freed yet. */
  pageCount: number;
  /** The mapping that made it, as long as no page table needs to know of it. */
  fresh: FreshMapping | null;
}

/** Who made a range: the process; or the kernel driver, for itself or for the process to map in as well. */
export type Keeper = (typeof KEEPERS)[number];
/** Every keeper; a tape holds its place in here. */
export const KEEPERS = ["process", "driver", "shared"] as const;

/** A mapping that made a range of its own, at once, and is all there is of that range. */
export interface FreshMapping extends PageSpan {
  readonly gpu: number;
  readonly entry: PageEntry;
  /** Where it stands in the list of all such ranges. */
  place: number;
}

/** What the pages of an obtained range are where nothing is mapped. */
export function baseEntry({ baseState, driverProtection, isCommitted }: Vad): PageEntry {
  return { state: isCommitted ? baseState : "invalid", allocation: 0, origin: 0, protection: 0, driverProtection };
}

/** What is true of a range as long as it lives. */
export type VadFacts = Pick<Vad, "number" | "kind" | "baseState" | "driverProtection" | "keeper">;

/** A range without pages yet. */
export function newVad({ number, kind, baseState, driverProtection, keeper }: VadFacts, isCommitted: boolean): Vad {
  return { number, kind, baseState, driverProtection, keeper, isCommitted, pageCount: 0, fresh: null };
}

/** A range that a map makes. */
export function mappedVad(number: number): VadFacts {
  return { number, kind: "mapped", baseState: "invalid", driverProtection: 0n, keeper: "process" };
}

/** What a tape holds of a range. */
export function vadNumbers({ number, kind, baseState, driverProtection, keeper, isCommitted }: Vad): TapeValue[] {
  const place = KEEPERS.indexOf(keeper);
  return [
    number,
    Number(kind === "mapped"),
    Number(baseState === "zero"),
    driverProtection,
    place,
    Number(isCommitted),
  ];
}

/** Takes an obtained range off a tape; it has no pages yet. */
export function readVad(tape: TapeReader): Vad {
  return {
    number: tape.number(),
    kind: tape.number() === 1 ? "mapped" : "reserved",
    baseState: tape.number() === 1 ? "zero" : "invalid",
    driverProtection: tape.bigint(),
    keeper: KEEPERS[tape.number()] ?? "process",
    isCommitted: tape.number() === 1,
    pageCount: 0,
    fresh: null,
  };
}
