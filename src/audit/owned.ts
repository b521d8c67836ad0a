// Which objects of a kind an object owns: a list through their rows, so that noting and forgetting one allocates nothing and
// looks nothing up but rows. It must not know kinds.

import type { ObjectRows, RowShare } from "./object_rows.ts";

/** Links of an owned object: numbers plus one, 0: none. Each has one owner. */
const LINK = { before: 0, behind: 1 } as const;

function isOwner(cells: Float64Array, row: number): boolean {
  return cells[row] !== 0;
}

/** Takes the columns that lists of objects of a kind want, whoever owns them. */
export function linksOf(rows: Pick<ObjectRows, "share">): RowShare {
  return rows.share(2, () => false);
}

/** What objects of one kind own of another; the rows of both stay meanwhile. */
export class Owned {
  readonly #firsts: RowShare;
  readonly #links: RowShare;

  /** Takes a column in the owners' rows. */
  constructor(owners: Pick<ObjectRows, "share">, links: RowShare) {
    this.#firsts = owners.share(1, isOwner);
    this.#links = links;
  }

  /** Whether an object owns any. */
  has(owner: number): boolean {
    return this.#first(owner) !== 0;
  }

  /** Those that an object owns, the newest first. */
  of(owner: number): readonly number[] {
    const owned: number[] = [];
    for (let link = this.#first(owner); link !== 0; link = this.#link(link, LINK.behind)) owned.push(link - 1);
    return owned;
  }

  /** Adds one that has no owner yet, and has a row. */
  add(owner: number, owned: number): void {
    const row = this.#firsts.add(owner);
    const first = this.#firsts.cells[row] ?? 0;
    this.#firsts.cells[row] = owned + 1;
    this.#put(owned + 1, LINK.before, 0);
    this.#put(owned + 1, LINK.behind, first);
    if (first !== 0) this.#put(first, LINK.before, owned + 1);
  }

  /** Takes one out that is its owner's. */
  delete(owner: number, owned: number): void {
    const before = this.#link(owned + 1, LINK.before);
    const behind = this.#link(owned + 1, LINK.behind);
    if (behind !== 0) this.#put(behind, LINK.before, before);
    if (before !== 0) this.#put(before, LINK.behind, behind);
    else if (this.#first(owner) === owned + 1) {
      this.#firsts.cells[this.#firsts.find(owner)] = behind;
      if (behind === 0) this.#firsts.settle(owner);
    }
  }

  #first(owner: number): number {
    const row = this.#firsts.find(owner);
    return row < 0 ? 0 : this.#firsts.cells[row] ?? 0;
  }

  #link(link: number, side: number): number {
    const row = this.#links.find(link - 1);
    return row < 0 ? 0 : this.#links.cells[row + side] ?? 0;
  }

  #put(link: number, side: number, value: number): void {
    const row = this.#links.find(link - 1);
    if (row >= 0) this.#links.cells[row + side] = value;
  }
}
