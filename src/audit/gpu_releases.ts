// How pages of an address space that are free now were released: the newest releases, and for who asks, by page.
// It must not know calls or rules.
//
// Nobody asks as long as every free is one of what was obtained, and no allocation's end took a range along. Till then
// releases are rows of numbers; the first question makes a map of them, which is kept from then on.

import { type Range, RangeMap } from "../range/mod.ts";
import type { Evidence } from "./finding.ts";
import type { PageSpan } from "./gpu_page_table.ts";
import type { RangeRows } from "./gpu_range_rows.ts";
import type { Places } from "./places.ts";

/** An allocation's end that took a range along. */
export interface AutoRelease {
  readonly released: Evidence;
  /** The allocation's number. */
  readonly allocation: number;
}

/** How pages became free. Flat, so that no history hangs on it. */
export interface Release {
  readonly reason: "freed" | "auto";
  readonly released: Evidence;
  /** The allocation that ended, 0 where a free did it. */
  readonly allocation: number;
  /** The range they belonged to, who had obtained it, and how. */
  readonly range: number;
  readonly kind: "reserved" | "mapped";
  readonly obtained: Evidence;
  readonly recycled: AutoRelease | null;
}

/** Columns of a free. */
const FREED = { start: 0, end: 1, range: 2, isMapped: 3, released: 4, obtained: 6 } as const;
const FREED_COLUMNS = 8;
const FIRST_ROWS = 256;

/** Releases of one space. */
export class Releases {
  readonly #kept: number;
  readonly #places: Places;
  /** While nobody asked the newest frees, a ring of rows: the oldest makes room. */
  #rows: Float64Array | null = new Float64Array(FIRST_ROWS * FREED_COLUMNS);
  #count = 0;
  readonly #byPage = new RangeMap<Release>();
  /** The newest, a ring: the oldest makes room. */
  readonly #ring: Range<Release>[] = [];
  #oldest = 0;

  constructor(kept: number, places: Places) {
    this.#kept = kept;
    this.#places = places;
  }

  /** Whether somebody asked, so that pages that are obtained must be told. */
  get isAsked(): boolean {
    return this.#rows === null;
  }

  /** Pages of a range were released; `obtained` are all pieces that are obtained now. */
  note(
    span: PageSpan,
    { rows, row, how, obtained: pieces }: {
      readonly rows: RangeRows;
      readonly row: number;
      readonly how: Pick<Release, "reason" | "released" | "allocation">;
      readonly obtained: Iterable<PageSpan>;
    },
  ): void {
    if (how.reason === "freed" && !this.isAsked && rows.isPlain(row)) {
      const { event } = how.released;
      return this.addFreed(span, rows, { range: row, event, place: this.#places.numberOf(how.released) });
    }
    const { number, kind, obtained, recycled } = rows.at(row);
    this.#add(span, { ...how, range: number, kind, obtained, recycled }, pieces);
  }

  /** Pages were released that were obtained before; `obtained` are all pieces that are obtained now. */
  #add(span: PageSpan, release: Release, obtained: Iterable<PageSpan>): void {
    this.#ask(obtained);
    // An older release of these pages may have come back with the first question.
    this.#byPage.carve(span.start, span.end);
    this.#remember(span, release);
  }

  /** Pages of a range were freed of which its row says all, while nobody asked; `place` is the number of the place of that call. */
  addFreed(
    { start, end }: PageSpan,
    ranges: RangeRows,
    { range, event, place }: { readonly range: number; readonly event: number; readonly place: number },
  ): void {
    if (this.#rows === null) return;
    const row = (this.#count % this.#kept) * FREED_COLUMNS;
    this.#count += 1;
    if (row >= this.#rows.length) this.#rows = larger(this.#rows);
    const rows = this.#rows;
    rows[row + FREED.start] = start;
    rows[row + FREED.end] = end;
    rows[row + FREED.range] = ranges.number(range);
    rows[row + FREED.isMapped] = ranges.kind(range) === "mapped" ? 1 : 0;
    rows[row + FREED.released] = event;
    rows[row + FREED.released + 1] = place;
    rows[row + FREED.obtained] = ranges.event(range);
    rows[row + FREED.obtained + 1] = ranges.place(range);
  }

  /** How the free pages of a span were released, the newest release of each page. */
  in({ start, end }: PageSpan, obtained: Iterable<PageSpan>): readonly Release[] {
    this.#ask(obtained);
    return this.#byPage.overlapping(start, end).map(({ value }) => value);
  }

  #take({ start, end }: PageSpan): readonly Range<Release>[] {
    return this.#rows === null ? this.#byPage.carve(start, end) : NONE;
  }

  /** Pages are obtained again: the allocation's end that had released some of them, where that was asked for before; null: none had. */
  recycledIn(free: readonly PageSpan[]): AutoRelease | null {
    const auto = free.flatMap((span) => this.#take(span)).find(({ value }) => value.reason === "auto")?.value;
    return auto === undefined ? null : { released: auto.released, allocation: auto.allocation };
  }

  /** Pages that were released and not obtained since, once somebody asked. */
  pieces(): Iterable<PageSpan> {
    return this.#byPage;
  }

  /** Makes the map: the newest release of a page stands above older ones, and what is obtained now is not released. */
  #ask(obtained: Iterable<PageSpan>): void {
    const rows = this.#rows;
    if (rows === null) return;
    this.#rows = null;
    for (let each = Math.max(0, this.#count - this.#kept); each < this.#count; each += 1) {
      const row = (each % this.#kept) * FREED_COLUMNS;
      const span = { start: rows[row + FREED.start] ?? 0, end: rows[row + FREED.end] ?? 0 };
      this.#byPage.carve(span.start, span.end);
      this.#remember(span, this.#freed(rows, row));
    }
    for (const { start, end } of obtained) this.#byPage.carve(start, end);
  }

  #freed(rows: Float64Array, row: number): Release {
    const kind = rows[row + FREED.isMapped] === 1 ? "mapped" : "reserved";
    return {
      reason: "freed",
      released: this.#moment(rows, row + FREED.released, "freed"),
      allocation: 0,
      range: rows[row + FREED.range] ?? 0,
      kind,
      obtained: this.#moment(rows, row + FREED.obtained, kind),
      recycled: null,
    };
  }

  #moment(rows: Float64Array, cell: number, role: string): Evidence {
    const { call, site, side } = this.#places.at(rows[cell + 1] ?? 0);
    return { event: rows[cell] ?? 0, role, site, call, side };
  }

  #remember({ start, end }: PageSpan, release: Release): void {
    const made = { start, end, value: release };
    this.#byPage.insert(made);
    if (this.#ring.length < this.#kept) {
      this.#ring.push(made);
      return;
    }
    const oldest = this.#ring[this.#oldest] ?? made;
    this.#ring[this.#oldest] = made;
    this.#oldest = (this.#oldest + 1) % this.#kept;
    for (const piece of this.#byPage.overlapping(oldest.start, oldest.end)) {
      if (piece.value === oldest.value) this.#byPage.remove(piece.start);
    }
  }
}

const NONE: readonly Range<Release>[] = [];

function larger(rows: Float64Array): Float64Array {
  const made = new Float64Array(2 * rows.length);
  made.set(rows);
  return made;
}
