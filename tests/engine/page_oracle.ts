// A slow, obvious address space: one record per page, one list of what is queued for it. For comparing with the engine.

/** Pages that the oracle knows: numbers from FIRST on. */
export const FIRST = 16;
export const PAGES = 48;
export const GPUS = 2;

/** What one GPU sees of a page. */
export type Content = string;

interface Page {
  vad: number;
  isReserved: boolean;
  zero: boolean;
  committed: Content[];
  pending: { readonly operation: number; readonly gpu: number; readonly content: Content }[];
}

interface Operation {
  readonly number: number;
  readonly queue: number;
  readonly reservation: number;
}

/** Where a call is to go, in pages. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The oracle; every method answers whether the call is accepted. */
export class PageOracle {
  readonly pages = new Map<number, Page>();
  readonly #done = new Set<number>();
  #operations: Operation[] = [];
  #nextOperation = 1;
  #nextVad = 1;

  map({ start, end }: Span, { gpu, allocation, offset }: { gpu: number; allocation: number; offset: number }): boolean {
    const vads = new Set(numbers({ start, end }).map((page) => this.pages.get(page)?.vad ?? 0));
    if (vads.size !== 1) return false;
    const isNew = vads.has(0);
    if (allocation === 0 && !isNew && !this.#at(start).isReserved) return false;
    const operation = this.#issue(gpu, 0);
    for (const page of numbers({ start, end })) {
      if (isNew) this.pages.set(page, emptyPage({ vad: this.#nextVad, isReserved: false, zero: false }));
      const content = allocation === 0 ? "zero" : `${allocation}:${offset + page - start}`;
      this.#at(page).pending.push({ operation, gpu, content });
    }
    if (isNew) this.#nextVad += 1;
    return true;
  }

  reserve({ start, end }: Span, { queue, zero }: { queue: number | null; zero: boolean }): boolean {
    if (numbers({ start, end }).some((page) => this.pages.has(page))) return false;
    const vad = this.#nextVad++;
    if (queue === null) this.#done.add(vad);
    else this.#issue(queue, vad);
    for (const page of numbers({ start, end })) this.pages.set(page, emptyPage({ vad, isReserved: true, zero }));
    return true;
  }

  free({ start, end }: Span): boolean {
    const vads = new Set(numbers({ start, end }).map((page) => this.pages.get(page)?.vad ?? 0));
    if (vads.size !== 1 || vads.has(0)) return false;
    for (const page of numbers({ start, end })) this.pages.delete(page);
    return true;
  }

  destroy(allocation: number): void {
    const isOf = (content: Content) => content.startsWith(`${allocation}:`);
    for (const [number, page] of this.pages) {
      if (![...page.committed, ...page.pending.map(({ content }) => content)].some(isOf)) continue;
      page.committed = page.committed.map((content) => isOf(content) ? "" : content);
      page.pending = page.pending.filter(({ content }) => !isOf(content));
      const isEmpty = page.committed.every((content) => content === "") && page.pending.length === 0;
      if (isEmpty && !page.isReserved) this.pages.delete(number);
    }
  }

  /** Runs a queue's oldest operations. */
  complete(queue: number, count: number): void {
    const run = this.#operations.filter((operation) => operation.queue === queue).slice(0, count);
    this.#operations = this.#operations.filter((operation) => !run.includes(operation));
    for (const { number, reservation } of run) {
      this.#done.add(reservation);
      for (const page of this.pages.values()) {
        for (const pending of page.pending) {
          if (pending.operation === number) page.committed[pending.gpu] = pending.content;
        }
        page.pending = page.pending.filter(({ operation }) => operation !== number);
      }
    }
  }

  /** What a GPU sees of each page, in order. */
  contents(gpu: number): Content[] {
    return numbers({ start: FIRST, end: FIRST + PAGES }).map((number) => {
      const page = this.pages.get(number);
      if (page === undefined) return "free";
      const own = page.committed[gpu] ?? "";
      return own !== "" ? own : page.isReserved && page.zero && this.#done.has(page.vad) ? "zero" : "invalid";
    });
  }

  /** The obtained ranges that still have a page, by number. */
  vads(): string[] {
    const states = new Map([...this.pages.values()].map(({ vad, isReserved }) => [vad, isReserved] as const));
    return [...states].sort(([left], [right]) => left - right).map(([vad, isReserved]) =>
      `vad#${vad} ${isReserved ? "reserved" : "mapped"}`
    );
  }

  #issue(queue: number, reservation: number): number {
    const number = this.#nextOperation++;
    this.#operations.push({ number, queue, reservation });
    return number;
  }

  #at(number: number): Page {
    const page = this.pages.get(number);
    if (page === undefined) throw new Error(`page ${number} is free`);
    return page;
  }
}

function emptyPage(page: Pick<Page, "vad" | "isReserved" | "zero">): Page {
  return { ...page, committed: Array(GPUS).fill(""), pending: [] };
}

/** The whole numbers of a span. */
export function numbers({ start, end }: Span): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
