// An obtained range of an address space, as the space keeps it beside its object (gpuva.md 1.6).
// It must not know where a range lies, nor which calls make and end one.

import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";

/** What is true of a range as long as it lives. */
export interface VadFacts {
  /** Its object's number. */
  readonly number: number;
  readonly kind: "reserved" | "mapped";
  /** What pages of a reservation are where nothing is mapped; a mapped range's are invalid there. */
  readonly baseState: "invalid" | "zero";
  readonly driverProtection: bigint;
  readonly keeper: Keeper;
}

/** A mapping that made a range of its own, at once, and is all there is of that range. */
export interface FreshMapping extends PageSpan {
  readonly gpu: number;
  readonly entry: PageEntry;
}

/**
 * An obtained range: what a Reserve or a Map gave, less what was freed since; it may lie in several pieces. One that ended
 * serves again. Its mapping stands in it as long as no page table needs to know of it.
 */
export class Vad implements VadFacts {
  number = 0;
  kind: VadFacts["kind"] = "reserved";
  baseState: VadFacts["baseState"] = "invalid";
  driverProtection = 0n;
  keeper: Keeper = "process";
  /** The reservation's operation ran; before, its pages are invalid. */
  isCommitted = false;
  /** Pages that are not freed yet. */
  pageCount = 0;
  /** Where it stands in the list of ranges with a fresh mapping, -1: it has none. */
  place = -1;
  #start = 0;
  #end = 0;
  #gpu = 0;
  #state: PageEntry["state"] = "invalid";
  #allocation = 0;
  #origin = 0;
  #protection = 0;
  #entryProtection = 0n;

  /** Begins as a range without pages. */
  begin({ number, kind, baseState, driverProtection, keeper }: VadFacts, isCommitted: boolean): void {
    this.number = number;
    this.kind = kind;
    this.baseState = baseState;
    this.driverProtection = kept(driverProtection);
    this.keeper = keeper;
    this.isCommitted = isCommitted;
    this.pageCount = 0;
    this.place = -1;
  }

  /** The mapping that made it, if its place says that there is one. */
  get fresh(): FreshMapping {
    const entry = {
      state: this.#state,
      allocation: this.#allocation,
      origin: this.#origin,
      protection: this.#protection,
      driverProtection: this.#entryProtection,
    };
    return { start: this.#start, end: this.#end, gpu: this.#gpu, entry };
  }

  /** Takes the mapping that made it. */
  setFresh({ start, end, gpu, entry }: FreshMapping): void {
    this.#start = start;
    this.#end = end;
    this.#gpu = gpu;
    this.#state = entry.state;
    this.#allocation = entry.allocation;
    this.#origin = entry.origin;
    this.#protection = entry.protection;
    this.#entryProtection = kept(entry.driverProtection);
  }
}

/** Most are 0, each another one: the same one for all is not an object to keep. */
function kept(driverProtection: bigint): bigint {
  return driverProtection === 0n ? 0n : driverProtection;
}

/** Who made a range: the process; or the kernel driver, for itself or for the process to map in as well. */
export type Keeper = (typeof KEEPERS)[number];
/** Every keeper; a tape holds its place in here. */
export const KEEPERS = ["process", "driver", "shared"] as const;

/** What the pages of an obtained range are where nothing is mapped. */
export function baseEntry(
  { baseState, driverProtection, isCommitted }: Pick<Vad, "baseState" | "driverProtection" | "isCommitted">,
): PageEntry {
  return { state: isCommitted ? baseState : "invalid", allocation: 0, origin: 0, protection: 0, driverProtection };
}

/** A range that a map makes. */
export function mappedVad(number: number): VadFacts {
  return { number, kind: "mapped", baseState: "invalid", driverProtection: 0n, keeper: "process" };
}

/** What a tape holds of a range. */
export function vadNumbers(
  { number, kind, baseState, driverProtection, keeper, isCommitted }: Readonly<Vad>,
): TapeValue[] {
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
  const facts: VadFacts = {
    number: tape.number(),
    kind: tape.number() === 1 ? "mapped" : "reserved",
    baseState: tape.number() === 1 ? "zero" : "invalid",
    driverProtection: tape.bigint(),
    keeper: KEEPERS[tape.number()] ?? "process",
  };
  const vad = new Vad();
  vad.begin(facts, tape.number() === 1);
  return vad;
}
