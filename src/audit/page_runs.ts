// Runs of page numbers: an allocator that gives out the lowest first, slices, and an index of who uses which pages.
// It must not know what a page holds.

import { Grouped } from "./grouped.ts";

/** Pages [start, end). */
export interface PageRun {
  readonly start: number;
  readonly end: number;
}

/** Gives out pages, the lowest free ones first. */
export class PageAllocator {
  #next: number;
  /** Free runs below `#next`, ascending, not touching. */
  #free: PageRun[] = [];

  constructor(first: number) {
    this.#next = first;
  }

  /** Takes `count` pages. */
  allocate(count: number): PageRun[] {
    const runs: PageRun[] = [];
    let left = count;
    let used = 0;
    for (const { start, end } of this.#free) {
      if (left === 0) break;
      const taken = Math.min(left, end - start);
      runs.push({ start, end: start + taken });
      left -= taken;
      if (taken === end - start) used += 1;
    }
    this.#drop(used, runs.at(-1));
    if (left > 0) {
      runs.push({ start: this.#next, end: this.#next + left });
      this.#next += left;
    }
    return joined(runs);
  }

  /** Gives pages back. */
  free(runs: readonly PageRun[]): void {
    this.#free = joined([...this.#free, ...runs].sort((left, right) => left.start - right.start));
  }

  /** Removes what was taken: whole runs from the front, and the beginning of the next one. */
  #drop(whole: number, last: PageRun | undefined): void {
    this.#free.splice(0, whole);
    const [first] = this.#free;
    if (first !== undefined && last !== undefined && last.end > first.start && last.end < first.end) {
      this.#free[0] = { start: last.end, end: first.end };
    }
  }
}

/** Joins runs that follow each other without a gap; order is kept. */
function joined(runs: readonly PageRun[]): PageRun[] {
  const result: PageRun[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.end === run.start) result[result.length - 1] = { start: last.start, end: run.end };
    else result.push(run);
  }
  return result;
}

/** Pages first to first + count of a list of runs. */
export function sliceRuns(
  runs: readonly PageRun[],
  { first, count }: { readonly first: number; readonly count: number },
): PageRun[] {
  const part: PageRun[] = [];
  let skip = first;
  let left = count;
  for (const { start, end } of runs) {
    const size = end - start;
    const taken = Math.min(left, size - skip);
    if (taken > 0) part.push({ start: start + skip, end: start + skip + taken });
    left -= Math.max(0, taken);
    skip = Math.max(0, skip - size);
  }
  return part;
}

/** How many pages two lists share. */
export function sharedPages(left: readonly PageRun[], right: readonly PageRun[]): number {
  let sum = 0;
  for (const a of left) {
    for (const b of right) sum += Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
  }
  return sum;
}

/** Pages in one bucket of the index. */
const BUCKET_PAGES = 64;

/** One user's pages, and the buckets that they lie in. */
interface PageUser {
  readonly user: number;
  readonly runs: readonly PageRun[];
  readonly buckets: readonly number[];
  readonly isMarked: boolean;
}

/** Who uses which pages; users are numbers, pages may have many. Who asks for marked users pays for no others. */
export class PageUsers {
  /** By bucket: all, and the marked ones apart too. */
  readonly #all = new Grouped<PageUser>();
  readonly #marked = new Grouped<PageUser>();
  readonly #users = new Map<number, PageUser>();

  /** Adds a user and its pages; those that it had are forgotten. */
  add(user: number, runs: readonly PageRun[], { isMarked = false }: { readonly isMarked?: boolean } = {}): void {
    this.remove(user);
    const buckets = bucketsOf(runs);
    const added: PageUser = { user, runs, buckets, isMarked };
    this.#users.set(user, added);
    for (const bucket of buckets) {
      this.#all.add(bucket, added);
      if (isMarked) this.#marked.add(bucket, added);
    }
  }

  /** How many users there are. */
  get size(): number {
    return this.#users.size;
  }

  /** Removes a user. */
  remove(user: number): void {
    const removed = this.#users.get(user);
    if (removed === undefined) return;
    this.#users.delete(user);
    for (const bucket of removed.buckets) {
      this.#all.delete(bucket, removed);
      if (removed.isMarked) this.#marked.delete(bucket, removed);
    }
  }

  /** Users of any of these pages with how many they share: by page, those that came first first. */
  *sharing(
    runs: readonly PageRun[],
    { isMarked = false }: { readonly isMarked?: boolean } = {},
  ): IterableIterator<{ readonly user: number; readonly pages: number }> {
    if (this.#users.size === 0) return;
    const seen = new Set<PageUser>();
    const users = isMarked ? this.#marked : this.#all;
    for (const bucket of bucketsOf(runs)) {
      for (const each of users.of(bucket)) {
        if (seen.has(each)) continue;
        seen.add(each);
        const pages = sharedPages(each.runs, runs);
        if (pages > 0) yield { user: each.user, pages };
      }
    }
  }

  /** Whether anybody uses any of these pages. */
  isShared(runs: readonly PageRun[]): boolean {
    return this.sharing(runs).next().done !== true;
  }
}

/** Each bucket once, in the order of the pages. */
function bucketsOf(runs: readonly PageRun[]): readonly number[] {
  const buckets: number[] = [];
  for (const { start, end } of runs) {
    for (let bucket = Math.floor(start / BUCKET_PAGES); bucket * BUCKET_PAGES < end; bucket += 1) buckets.push(bucket);
  }
  return runs.length < 2 ? buckets : [...new Set(buckets)];
}
