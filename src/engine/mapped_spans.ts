// Where each allocation is mapped in an address space, so that its end need not search the page tables;
// and the rule of unique driver protection, which asks the same. It must not know page tables, objects or calls.

import { RangeMap } from "../range/mod.ts";
import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageEntry, PageSpan } from "./page_tables.ts";

/** Bit 63 of a driver protection: every mapping of the same allocation pages must have this very value (gpuva.md 3.3). */
export const UNIQUE_DRIVER_PROTECTION = 1n << 63n;

/** Pages of an allocation that are to be mapped. */
export interface MappingCandidate {
  readonly gpu: number;
  readonly allocation: number;
  readonly firstPage: number;
  readonly pageCount: number;
  readonly driverProtection: bigint;
  /** The virtual pages that it would replace; null: placed where nothing is. */
  readonly over: PageSpan | null;
}

/** A mapping that is there. */
export interface ExistingMapping extends PageEntry, PageSpan {
  readonly gpu: number;
}

interface Spans {
  readonly ranges: RangeMap<true>;
  hasUnique: boolean;
}

/** Virtual pages by allocation: all where it is mapped or will be, and maybe some where something else took its place. */
export class MappedSpans {
  readonly #spans = new Map<number, Spans>();

  /** Notes a mapping. */
  add({ start, end }: PageSpan, entry: PageEntry): void {
    const spans = this.#spans.get(entry.allocation) ?? this.#addSpans(entry.allocation);
    spans.ranges.carve(start, end);
    spans.ranges.insert({ start, end, value: true });
    spans.hasUnique ||= isUnique(entry);
  }

  /** Forgets freed pages of the allocations that were mapped there last. */
  free({ start, end }: PageSpan, allocations: readonly number[]): void {
    for (const allocation of allocations) {
      const ranges = this.#spans.get(allocation)?.ranges;
      ranges?.carve(start, end);
      if (ranges?.size === 0) this.#spans.delete(allocation);
    }
  }

  /** Forgets an allocation; returns where it may be mapped. */
  take(allocation: number): PageSpan[] {
    const spans = this.spansOf(allocation);
    this.#spans.delete(allocation);
    return spans;
  }

  /** Where an allocation may be mapped. */
  spansOf(allocation: number): PageSpan[] {
    return this.#spans.get(allocation)?.ranges.toArray() ?? [];
  }

  /** Whether all of the span is known as this allocation's. */
  covers({ start, end }: PageSpan, allocation: number): boolean {
    return this.#spans.get(allocation)?.ranges.covered(start, end) ?? false;
  }

  /** Whether a mapping is unique, or one that its allocation has or had. */
  isUniqueWith(entry: PageEntry): boolean {
    return isUnique(entry) || (this.#spans.size > 0 && this.#spans.get(entry.allocation)?.hasUnique === true);
  }

  /** Whether the mapping, or one that the allocation has or had, is unique: only then can there be a conflict. */
  mayConflict(candidate: MappingCandidate): boolean {
    const spans = this.#spans.get(candidate.allocation);
    return spans !== undefined && (spans.hasUnique || isUnique(candidate));
  }

  /** Appends everything to a tape, in order of the allocations' numbers: not of what happened to be noted first. */
  write(tape: TapeValue[]): void {
    tape.push(this.#spans.size);
    const inOrder = [...this.#spans].sort(([one], [other]) => one - other);
    for (const [allocation, { ranges, hasUnique }] of inOrder) {
      tape.push(allocation, Number(hasUnique), ranges.size);
      for (const { start, end } of ranges) tape.push(start, end);
    }
  }

  /** Takes what `write` appended. */
  static read(tape: TapeReader): MappedSpans {
    const mapped = new MappedSpans();
    const readRange = () => ({ start: tape.number(), end: tape.number(), value: true as const });
    for (
      const [allocation, spans] of tape.list(() => {
        const number = tape.number();
        const hasUnique = tape.number() === 1;
        return [number, { hasUnique, ranges: RangeMap.from<true>(tape.list(readRange)) }] as const;
      })
    ) mapped.#spans.set(allocation, spans);
    return mapped;
  }

  #addSpans(allocation: number): Spans {
    const spans: Spans = { ranges: new RangeMap<true>(), hasUnique: false };
    this.#spans.set(allocation, spans);
    return spans;
  }
}

/**
 * Whether a mapping breaks the unique driver protection of another of the same allocation pages, or that one its own.
 * A mapping that is not unique may be replaced by any; a unique one only by no access (wdd/driver-protection.md).
 */
export function breaksUnique(candidate: MappingCandidate, others: readonly ExistingMapping[]): boolean {
  const { gpu, allocation, firstPage, pageCount, driverProtection } = candidate;
  return others.some((other) => {
    const { start, end, origin } = other;
    if (other.allocation !== allocation || other.driverProtection === driverProtection) return false;
    if (start - origin >= firstPage + pageCount || end - origin <= firstPage) return false;
    if (isUnique(other)) return true;
    return isUnique(candidate) && !(other.gpu === gpu && isReplaced(other, candidate));
  });
}

/** Whether the allocation pages that both have in common all lose their old place to the new mapping. */
function isReplaced(
  { start, end, origin }: ExistingMapping,
  { firstPage, pageCount, over }: MappingCandidate,
): boolean {
  const first = Math.max(start, firstPage + origin);
  const last = Math.min(end, firstPage + pageCount + origin);
  return over !== null && over.start <= first && last <= over.end;
}

/** Whether a mapping has unique driver protection. */
export function isUnique({ driverProtection }: { readonly driverProtection: bigint }): boolean {
  return driverProtection >= UNIQUE_DRIVER_PROTECTION;
}
