// A slow, obvious address space: one record a page, and a list of what is queued for it. It must not know ranges, trees or
// how the engine keeps them; `gpu_pages.ts` tells it what calls asked for, and compares.

/** A half-open range of page numbers. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What a GPU sees of a page, in words: `3:7 w1 d0` is page 7 of allocation#3, writable. */
export type Content = string;

/** An obtained range, as long as a page of it is left. */
export interface Obtained {
  readonly kind: "reserved" | "mapped";
  readonly keeper: "process" | "driver" | "shared";
  readonly isZero: boolean;
  readonly driverProtection: bigint;
  /** The reservation was done. */
  isDone: boolean;
  /** The call that obtained it. */
  readonly event: number;
  /** Some of its pages had been released by an allocation's end, and by nothing since. */
  isRecycled: boolean;
}

/** How a page became free. */
interface Release {
  readonly isByAllocation: boolean;
  /** What was freed had been recycled. */
  readonly isOfStranger: boolean;
}

interface Pending {
  readonly operation: Operation;
  /** Of a copy: what it would give now. */
  content: Content;
}

/** One change that is queued for pages of one GPU. */
export interface Operation {
  readonly gpu: number;
  /** Where a copy reads; null: it does not copy. */
  readonly source: { readonly shift: number; readonly of: Obtained } | null;
}

interface Page {
  readonly obtained: Obtained;
  /** By GPU; left out: nothing but the range's own state. */
  readonly committed: Map<number, Content>;
  pending: Pending[];
}

/** A content that maps. */
export function mapped(
  allocation: number,
  { page, rights, driverProtection }: {
    readonly page: number;
    readonly rights: number;
    readonly driverProtection: bigint;
  },
): Content {
  return `${allocation}:${page} w${rights} d${driverProtection}`;
}

/** A content without memory. */
export function unbacked(state: "zero" | "invalid", driverProtection: bigint): Content {
  return `${state} d${driverProtection}`;
}

/** The driver protection of a content. */
export function protectionOf(content: Content): bigint {
  return BigInt(content.slice(content.lastIndexOf("d") + 1));
}

function isOf(content: Content, allocation: number): boolean {
  return content.startsWith(`${allocation}:`);
}

/** The pages of one address space. */
export class PageOracle {
  readonly pages = new Map<number, Page>();
  /** How pages that are free now became so. */
  readonly #released = new Map<number, Release>();

  /** The range that a page belongs to; undefined: it is free. */
  at(page: number): Obtained | undefined {
    return this.pages.get(page)?.obtained;
  }

  obtain(span: Span, obtained: Obtained): void {
    for (const page of numbers(span)) {
      if (this.pages.has(page)) continue;
      if (this.#released.get(page)?.isByAllocation === true) obtained.isRecycled = true;
      this.#released.delete(page);
      this.pages.set(page, { obtained, committed: new Map(), pending: [] });
    }
  }

  /** Points pages of a GPU somewhere at once. */
  commit(span: Span, gpu: number, content: (page: number) => Content): void {
    for (const page of numbers(span)) this.pages.get(page)?.committed.set(gpu, content(page));
  }

  queue(span: Span, operation: Operation, content: (page: number) => Content): void {
    const made = numbers(span).map((page) => content(page));
    for (const [index, page] of numbers(span).entries()) {
      this.pages.get(page)?.pending.push({ operation, content: made[index] ?? "" });
    }
  }

  /** Runs an operation on the pages where it still is; a copy reads all of its sources first. */
  run(operation: Operation): void {
    const { gpu, source } = operation;
    const due = [...this.pages].flatMap(([number, page]) => {
      const found = page.pending.find((each) => each.operation === operation);
      return found === undefined ? [] : [{ number, page, made: found.content }];
    });
    const read = due.map(({ number, made }) => {
      if (source === null) return made;
      const from = this.pages.get(number - source.shift);
      return from?.obtained === source.of ? seen(from, gpu) : null;
    });
    for (const [index, { page }] of due.entries()) {
      const content = read[index] ?? null;
      if (content !== null) page.committed.set(gpu, content);
    }
    this.cancel(operation);
  }

  cancel(operation: Operation): void {
    for (const page of this.pages.values()) page.pending = page.pending.filter((each) => each.operation !== operation);
  }

  /** Where an operation is still queued. */
  placesOf(operation: Operation): number[] {
    return [...this.pages].flatMap(([number, { pending }]) =>
      pending.some((each) => each.operation === operation) ? [number] : []
    );
  }

  free(span: Span): void {
    for (const page of numbers(span)) this.#end(page, { isByAllocation: false });
  }

  #end(number: number, { isByAllocation }: { readonly isByAllocation: boolean }): void {
    const page = this.pages.get(number);
    if (page === undefined) return;
    this.#released.set(number, { isByAllocation, isOfStranger: !isByAllocation && page.obtained.isRecycled });
    this.pages.delete(number);
  }

  /** What an audit must say of a free of whole pages; empty: nothing. */
  judgeFree({ start, end }: Span): string {
    const found = numbers({ start, end }).map((page) => this.at(page));
    const [first] = found;
    if (found.every((each) => each === undefined)) return this.#judgeNothing({ start, end });
    if (first === undefined || found.some((each) => each !== first)) return "gpuva-spanning-free";
    const isWhole = this.at(start - 1) !== first && this.at(end) !== first;
    return isWhole ? "" : "gpuva-partial-free";
  }

  #judgeNothing(span: Span): string {
    const releases = numbers(span).flatMap((page) => this.#released.get(page) ?? []);
    if (releases.some(({ isOfStranger }) => isOfStranger)) return "gpuva-stranger-free";
    if (releases.some(({ isByAllocation }) => isByAllocation)) return "gpuva-free-after-auto-release";
    return releases.length > 0 ? "gpuva-double-free" : "gpuva-unmatched-free";
  }

  /** An allocation ended: pages of reservations fall back, those that Map obtained are free where nothing else is there. */
  release(allocation: number): void {
    for (const [number, page] of this.pages) {
      if (!this.hasOf(page, allocation)) continue;
      for (const [gpu, content] of page.committed) if (isOf(content, allocation)) page.committed.delete(gpu);
      page.pending = page.pending.flatMap((each) => {
        if (!isOf(each.content, allocation)) return [each];
        const { operation, content } = each;
        return operation.source === null ? [] : [{ operation, content: unbacked("zero", protectionOf(content)) }];
      });
      const isEmpty = page.committed.size === 0 && page.pending.length === 0;
      if (isEmpty && page.obtained.kind === "mapped") this.#end(number, { isByAllocation: true });
    }
  }

  /** Pages that have something to do with an allocation. */
  pagesOf(allocation: number): number[] {
    return [...this.pages].flatMap(([number, page]) => this.hasOf(page, allocation) ? [number] : []);
  }

  /** Whether a page has changes that are still to come. */
  isQueued(page: number): boolean {
    return (this.pages.get(page)?.pending.length ?? 0) > 0;
  }

  hasOf({ committed, pending }: Page, allocation: number): boolean {
    return [...committed.values(), ...pending.map(({ content }) => content)].some((each) => isOf(each, allocation));
  }

  /** What a page will be once all that is queued has run in order of issue. */
  newest(number: number, gpu: number): Content {
    const page = this.pages.get(number);
    if (page === undefined) return "free";
    const last = page.pending.findLast(({ operation }) => operation.gpu === gpu)?.content ?? page.committed.get(gpu);
    return last ?? unbacked(page.obtained.isZero ? "zero" : "invalid", page.obtained.driverProtection);
  }

  /** What a GPU sees of a page now. */
  seen(number: number, gpu: number): Content {
    const page = this.pages.get(number);
    return page === undefined ? "free" : seen(page, gpu);
  }

  /**
   * Takes over what somebody else says of a page: what it is, and what it will be. Before its operation ran, a page of a zero
   * reservation is invalid whether or not it was made so: only what it will be tells, if nothing is queued for it.
   */
  adopt(number: number, gpu: number, { now, newest }: { readonly now: Content; readonly newest: Content }): void {
    const page = this.pages.get(number);
    if (page === undefined) return;
    const { isZero, isDone } = page.obtained;
    const isOwn = isZero && !isDone && page.pending.length === 0 && newest === now;
    if (now === "free") this.#end(number, { isByAllocation: true });
    else if (now === seen({ ...page, committed: new Map() }, gpu) && !isOwn) page.committed.delete(gpu);
    else page.committed.set(gpu, now);
  }
}

function seen({ committed, obtained }: Page, gpu: number): Content {
  const own = committed.get(gpu);
  const isZero = obtained.isZero && obtained.isDone;
  return own ?? unbacked(isZero ? "zero" : "invalid", obtained.driverProtection);
}

/** The whole numbers of a span. */
export function numbers({ start, end }: Span): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
