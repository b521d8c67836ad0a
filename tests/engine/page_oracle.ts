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
  pending: Pending[];
}

interface Pending {
  readonly operation: number;
  readonly gpu: number;
  content: Content;
  readonly isCopy?: boolean;
}

/** One operation of an update: what each page gets, or the page that it copies. */
export interface UpdateOperation {
  readonly span: Span;
  /** By page: `1:0`, `zero`, `invalid`; null: a copy. */
  readonly content: ((page: number) => Content) | null;
  /** The first page to copy. */
  readonly source: number;
}

interface QueuedUpdate {
  readonly waits: boolean;
  readonly gpu: number;
  readonly operations: readonly (UpdateOperation & { readonly number: number; readonly sourceVad: number })[];
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
  /** By context: updates that have not run. */
  readonly updates: QueuedUpdate[][] = [[], []];
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
      for (const pending of page.pending) if (pending.isCopy && isOf(pending.content)) pending.content = "zero";
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

  /** Queues an update on a context, which has the GPU of its number. */
  update(context: number, operations: readonly UpdateOperation[], waits: boolean): boolean {
    const targets = new Set(operations.flatMap(({ span }) => numbers(span).map((page) => this.#zeroVad(page))));
    const sources = new Set(
      operations.filter(({ content }) => content === null).flatMap(({ span, source }) =>
        numbers(span).map((page) => this.#zeroVad(page - span.start + source))
      ),
    );
    if (targets.size > 1 || sources.size > 1 || targets.has(0) || sources.has(0)) return false;
    const before = structuredClone([...this.pages]);
    const numbered = operations.map((operation) => ({
      ...operation,
      number: this.#nextOperation++,
      sourceVad: [...sources][0] ?? 0,
    }));
    for (const operation of numbered) {
      if (this.#predict(operation, context)) continue;
      this.pages.clear();
      for (const [number, page] of before) this.pages.set(number, page);
      return false;
    }
    this.updates[context]?.push({ waits, gpu: context, operations: numbered });
    return true;
  }

  /** Runs what is due: behind `released` updates that wait, the one that stands first stops. */
  runUpdates(context: number, released: number): void {
    const queue = this.updates[context] ?? [];
    let left = released;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      if (next.waits && left === 0) return;
      if (next.waits) left -= 1;
      queue.shift();
      for (const operation of next.operations) this.#run(operation, next.gpu);
    }
  }

  #predict({ span, content, source, number: operation }: UpdateOperation & { readonly number: number }, gpu: number) {
    const made = numbers(span).map((page) => {
      if (content === null) return this.#newest(page - span.start + source, gpu);
      return content(page);
    });
    const maps = content !== null && made.every((each) => each.includes(":"));
    if (maps && numbers(span).some((page) => this.#newest(page, gpu) === "invalid")) return false;
    for (const [index, page] of numbers(span).entries()) {
      this.#at(page).pending.push({ operation, gpu, content: made[index] ?? "", isCopy: content === null });
    }
    return true;
  }

  #run(
    { span, content, source, number: operation, sourceVad }: QueuedUpdate["operations"][number],
    gpu: number,
  ): void {
    const found = numbers(span).map((page) => {
      const from = this.pages.get(page - span.start + source);
      return from?.vad === sourceVad ? this.#seen(from, gpu) : null;
    });
    for (const [index, number] of numbers(span).entries()) {
      const page = this.pages.get(number);
      const pending = page?.pending.find((each) => each.operation === operation);
      if (page === undefined || pending === undefined) continue;
      page.pending = page.pending.filter((each) => each !== pending);
      const made = content === null ? found[index] ?? null : pending.content;
      if (made !== null) page.committed[gpu] = made;
    }
  }

  #zeroVad(number: number): number {
    const page = this.pages.get(number);
    return page !== undefined && page.isReserved && page.zero ? page.vad : 0;
  }

  #newest(number: number, gpu: number): Content {
    const page = this.#at(number);
    const own = page.pending.findLast((pending) => pending.gpu === gpu)?.content ?? page.committed[gpu] ?? "";
    return own !== "" ? own : page.zero ? "zero" : "invalid";
  }

  #seen(page: Page, gpu: number): Content {
    const own = page.committed[gpu] ?? "";
    return own !== "" ? own : page.isReserved && page.zero && this.#done.has(page.vad) ? "zero" : "invalid";
  }

  /** What a GPU sees of each page, in order. */
  contents(gpu: number): Content[] {
    return numbers({ start: FIRST, end: FIRST + PAGES }).map((number) => {
      const page = this.pages.get(number);
      return page === undefined ? "free" : this.#seen(page, gpu);
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
