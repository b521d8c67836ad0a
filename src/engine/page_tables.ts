// The page tables of one physical GPU in one address space: what its pages point to now, and what queued paging
// operations will make of them. It must not know address space rules, objects or calls.

import { type Range, RangeMap } from "../range/mod.ts";
import { EntryRows } from "./entry_rows.ts";
import type { TapeReader, TapeValue } from "./number_tape.ts";

/** A half-open range of page numbers; a page is 4096 bytes. */
export interface PageSpan {
  readonly start: number;
  readonly end: number;
}

/** What a page points to (gpuva.md 1.7). */
export interface PageEntry {
  readonly state: "invalid" | "zero" | "mapped";
  /** The allocation's number, 0 unless mapped. */
  readonly allocation: number;
  /** The virtual page at which page 0 of the allocation would lie; may be negative. 0 unless mapped. */
  readonly origin: number;
  /** Write and Execute bits of `SYMBOLS.protection`; reading is always allowed. */
  readonly protection: number;
  readonly driverProtection: bigint;
}

interface PendingEntry {
  readonly operation: number;
  /** What the operation will make of the page; of a copy: what it would make now. */
  readonly entry: PageEntry;
  /** What is copied is what the source has when it runs. */
  readonly isCopy: boolean;
}

const NOTHING_PENDING: readonly PendingEntry[] = [];

/** Entries that stand elsewhere. */
interface OtherEntries {
  readonly count: number;
  readonly each: Iterator<PageSpan & { readonly entry: PageEntry }>;
}

/** Pieces of one GPU's page tables: a committed layer, and above it the pending entries of each page in order of issue. */
export class PageTables {
  readonly #committed = new RangeMap<PageEntry>(() => new EntryRows());
  readonly #pending = new RangeMap<readonly PendingEntry[]>();

  /** Points pages to an entry, at once; returns what it replaced of other allocations. */
  commit({ start, end }: PageSpan, entry: PageEntry): Range<PageEntry>[] {
    const { allocation } = entry;
    const replaced = this.#committed.carve(start, end);
    this.#committed.insert({ start, end, value: entry });
    return replaced.filter(({ value }) => value.allocation > 0 && value.allocation !== allocation);
  }

  /** Points pages to an entry, at once; they have none, committed or pending. */
  commitFresh({ start, end }: PageSpan, entry: PageEntry): void {
    this.#committed.insert({ start, end, value: entry });
  }

  /** Queues an entry for pages. */
  queue(span: PageSpan, pending: PendingEntry): void {
    if (!this.#pending.overlaps(span.start, span.end)) return this.#stack(span, [pending]);
    this.#restack(span, (stack) => [...stack, pending]);
  }

  /** Runs a queued operation on those of its pages where it was not cancelled; returns what that replaced, as `commit`. */
  complete(span: PageSpan, operation: number): Range<PageEntry>[] {
    const replaced: Range<PageEntry>[] = [];
    for (const piece of this.#pending.carve(span.start, span.end)) {
      const finished = piece.value.find((each) => each.operation === operation);
      if (piece.value.length > 1 || finished === undefined) {
        this.#stack(piece, piece.value.filter((each) => each !== finished));
      }
      if (finished !== undefined) replaced.push(...this.commit(piece, finished.entry));
    }
    return replaced;
  }

  /** Whether any pending entry within the span points to an allocation. */
  awaits({ start, end }: PageSpan, allocation: number): boolean {
    if (this.#pending.size === 0) return false;
    const isTo = ({ entry }: PendingEntry) => entry.allocation === allocation;
    return this.#pending.overlapping(start, end).some(({ value }) => value.some(isTo));
  }

  /** Whether any entry within the span, committed or pending, points to an allocation. */
  mentions({ start, end }: PageSpan, allocation: number): boolean {
    return this.awaits({ start, end }, allocation) ||
      this.#committed.overlapping(start, end).some(({ value }) => value.allocation === allocation);
  }

  /** Takes a queued operation out of those of its pages where it was not cancelled; returns where that was. */
  cancel(span: PageSpan, operation: number): PageSpan[] {
    const taken: PageSpan[] = [];
    for (const piece of this.#pending.carve(span.start, span.end)) {
      const others = piece.value.filter((each) => each.operation !== operation);
      if (others.length < piece.value.length) taken.push({ start: piece.start, end: piece.end });
      this.#stack(piece, others);
    }
    return taken;
  }

  /** Empties pages, of pending entries too; returns the numbers of the allocations that they pointed to, some maybe twice. */
  release({ start, end }: PageSpan): number[] {
    const allocations: number[] = [];
    for (const { value } of this.#committed.carve(start, end)) addNumber(allocations, value.allocation);
    if (this.#pending.size === 0) return allocations;
    for (const { value } of this.#pending.carve(start, end)) {
      for (const { entry } of value) addNumber(allocations, entry.allocation);
    }
    return allocations;
  }

  /** Takes an allocation's entries out of pages, pending ones too; returns where there were any. */
  releaseAllocation(span: PageSpan, allocation: number): PageSpan[] {
    const touched: PageSpan[] = [];
    for (const { start, end, value } of this.#committed.overlapping(span.start, span.end)) {
      if (value.allocation !== allocation) continue;
      this.#committed.carve(start, end);
      touched.push({ start, end });
    }
    for (const piece of this.#pending.overlapping(span.start, span.end)) {
      if (piece.value.every(({ entry }) => entry.allocation !== allocation)) continue;
      this.#restack(
        piece,
        (stack) => stack.flatMap((each) => each.entry.allocation === allocation ? without(each) : each),
      );
      touched.push({ start: piece.start, end: piece.end });
    }
    return touched;
  }

  /** What the GPU sees, in pieces clipped to the span; pages without an entry are left out. */
  committedIn(span: PageSpan): Range<PageEntry>[] {
    return clipped(span, this.#committed.overlapping(span.start, span.end));
  }

  /** What pages will point to once all that is queued has run in order of issue, in clipped pieces. */
  newestIn(span: PageSpan): Range<PageEntry>[] {
    const committed = this.committedIn(span);
    if (this.#pending.size === 0) return committed;
    const pending = clipped(span, this.#pending.overlapping(span.start, span.end));
    return pending.length === 0 ? committed : overlaid(committed, pending);
  }

  /** All committed and pending entries that touch the span, clipped, committed ones first. */
  entriesIn(span: PageSpan): Range<PageEntry>[] {
    const pending = clipped(span, this.#pending.overlapping(span.start, span.end));
    return [
      ...this.committedIn(span),
      ...pending.flatMap(({ start, end, value }) => value.map(({ entry }) => ({ start, end, value: entry }))),
    ];
  }

  /** The operations that still have something to do, with where. */
  pendingOperations(): (PageSpan & { readonly operation: number })[] {
    return this.#pending.toArray().flatMap(({ start, end, value }) =>
      value.map(({ operation }) => ({ start, end, operation }))
    );
  }

  /** Appends everything to a tape, as if others, ascending and of pages without an entry, were committed too. */
  write(tape: TapeValue[], { count, each }: OtherEntries): void {
    tape.push(this.#committed.size + count);
    let other = each.next();
    const writeBefore = (end: number) => {
      for (; other.done !== true && other.value.start < end; other = each.next()) {
        tape.push(other.value.start, other.value.end, ...entryNumbers(other.value.entry));
      }
    };
    for (const { start, end, value } of this.#committed) {
      writeBefore(start);
      tape.push(start, end, ...entryNumbers(value));
    }
    writeBefore(Infinity);
    tape.push(this.#pending.size);
    for (const { start, end, value } of this.#pending) {
      tape.push(start, end, value.length);
      for (const { operation, entry, isCopy } of value) tape.push(operation, Number(isCopy), ...entryNumbers(entry));
    }
  }

  /** Takes what `write` appended. */
  static read(tape: TapeReader): PageTables {
    const tables = new PageTables();
    const committed = tape.list(() => ({ start: tape.number(), end: tape.number(), value: readEntry(tape) }));
    for (const range of committed) tables.#committed.insert(range);
    const pending = tape.list(() => ({
      start: tape.number(),
      end: tape.number(),
      value: tape.list(() => ({ operation: tape.number(), isCopy: tape.number() === 1, entry: readEntry(tape) })),
    }));
    for (const range of pending) tables.#pending.insert(range);
    return tables;
  }

  /** Throws if a tree is broken or an entry makes no sense; takes O(n), for tests. */
  checkInvariants(): void {
    this.#committed.checkInvariants();
    this.#pending.checkInvariants();
    for (const { start, end, value } of this.entriesIn({ start: 0, end: Number.MAX_SAFE_INTEGER })) {
      const isMapped = value.state === "mapped";
      if (isMapped !== value.allocation > 0 || (isMapped && start < value.origin)) {
        throw new Error(`pages [${start}, ${end}): a ${value.state} entry of allocation ${value.allocation}`);
      }
    }
    for (const { start, end, value } of this.#pending) {
      if (value.length === 0) throw new Error(`pages [${start}, ${end}): an empty list of pending entries`);
    }
  }

  #restack(span: PageSpan, change: (stack: readonly PendingEntry[]) => readonly PendingEntry[]): void {
    for (const tile of [...tiles(span, this.#pending.carve(span.start, span.end))]) {
      this.#stack(tile, change(tile.value ?? NOTHING_PENDING));
    }
  }

  #stack({ start, end }: PageSpan, value: readonly PendingEntry[]): void {
    if (value.length > 0) this.#pending.insert({ start, end, value });
  }
}

/** Committed pieces, and in front of them what is pending last; both ascending. */
function overlaid(
  committed: readonly Range<PageEntry>[],
  pending: readonly Range<readonly PendingEntry[]>[],
): Range<PageEntry>[] {
  const pieces: Range<PageEntry>[] = [];
  let from = 0;
  let next = 0;
  for (const { start, end, value } of [...pending, BEYOND]) {
    for (; next < committed.length; next += 1) {
      const piece = committed[next];
      if (piece === undefined || piece.start >= end) break;
      const [first, last] = [Math.max(piece.start, from), Math.min(piece.end, start)];
      if (first < last) pieces.push({ start: first, end: last, value: piece.value });
      if (piece.end > end) break;
    }
    const top = value.at(-1);
    if (top !== undefined) pieces.push({ start, end, value: top.entry });
    from = end;
  }
  return pieces;
}

const BEYOND: Range<readonly PendingEntry[]> = { start: Infinity, end: Infinity, value: NOTHING_PENDING };

/** What is left of a pending entry whose allocation ended: a copy will find zero pages in its source. */
function without({ operation, entry: { driverProtection }, isCopy }: PendingEntry): readonly PendingEntry[] {
  const entry = { state: "zero", allocation: 0, origin: 0, protection: 0, driverProtection } as const;
  return isCopy ? [{ operation, entry, isCopy }] : [];
}

/** Pieces of one allocation often follow each other. */
function addNumber(allocations: number[], allocation: number): void {
  if (allocation > 0 && allocations.at(-1) !== allocation) allocations.push(allocation);
}

/** The span in order: ascending ranges clipped to it, and between them the gaps, whose value is undefined. */
export function* tiles<V>(
  span: PageSpan,
  ranges: readonly Range<V>[],
): IterableIterator<PageSpan & { readonly value: V | undefined }> {
  let from = span.start;
  for (const { start, end, value } of clipped(span, ranges)) {
    if (from < start) yield { start: from, end: start, value: undefined };
    yield { start, end, value };
    from = end;
  }
  if (from < span.end) yield { start: from, end: span.end, value: undefined };
}

function clipped<V>(span: PageSpan, ranges: readonly Range<V>[]): Range<V>[] {
  return ranges.map(({ start, end, value }) => ({
    start: Math.max(start, span.start),
    end: Math.min(end, span.end),
    value,
  })).filter(({ start, end }) => start < end);
}

/** An entry as it stands for a page further up by `shift`: it points to the same page of its allocation. */
export function moved(entry: PageEntry, shift: number): PageEntry {
  return entry.state === "mapped" ? { ...entry, origin: entry.origin + shift } : entry;
}

const ENTRY_STATES = ["invalid", "zero", "mapped"] as const;

function entryNumbers({ state, allocation, origin, protection, driverProtection }: PageEntry): TapeValue[] {
  return [ENTRY_STATES.indexOf(state), allocation, origin, protection, driverProtection];
}

function readEntry(tape: TapeReader): PageEntry {
  const state = ENTRY_STATES[tape.number()];
  if (state === undefined) throw new RangeError("Cannot read page entry: it has no such state");
  const [allocation, origin, protection] = [tape.number(), tape.number(), tape.number()];
  if ((protection | 0) !== protection) throw new RangeError(`Cannot read page entry: its protection is ${protection}`);
  return { state, allocation, origin, protection, driverProtection: tape.bigint() };
}
