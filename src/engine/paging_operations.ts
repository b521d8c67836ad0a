// Paging operations that were queued and have not run, by queue, in the order in which they run (gpuva.md 1.5).
// It must not know what an operation does to pages.

import type { TapeReader, TapeValue } from "./number_tape.ts";
import type { PageSpan } from "./page_tables.ts";

/** The queue that an operation waits in, and its place there: the fence value that a paging queue will signal. */
export interface QueuePosition {
  /** A paging queue's number; a companion's (`companionQueue`) is below 0, and has several operations at one place. */
  readonly queue: number;
  readonly fence: bigint;
}

/** Where the pages come from that a copy gives to its own span. */
export interface CopySource {
  /** The first page. */
  readonly start: number;
  /** The reservation that they must still belong to. */
  readonly vad: number;
}

/** A queued operation: a mapping or a copy for one GPU, or a reservation. */
export interface PagingOperation extends PageSpan {
  /** Counts up over all queues of the space. */
  readonly number: number;
  readonly fence: bigint;
  /** The physical GPU, or -1 for a reservation. */
  readonly gpu: number;
  /** The reservation's VAD, else 0. */
  readonly vad: number;
  /** Null unless it copies. */
  readonly source: CopySource | null;
}

/** The queued operations of an address space. */
export class PagingOperations {
  readonly #queues = new Map<number, PagingOperation[]>();
  #next = 1;

  /** Queues an operation and returns its number. */
  add(operation: Omit<PagingOperation, "number" | "fence">, { queue, fence }: QueuePosition): number {
    const number = this.#next++;
    const { gpu, vad, start, end, source } = operation;
    const made = { number, fence, gpu, vad, start, end, source };
    const operations = this.#queues.get(queue);
    if (operations === undefined) this.#queues.set(queue, [made]);
    else operations.push(made);
    return number;
  }

  /** Takes a queue's operations up to a fence value, in order. */
  take({ queue, fence }: QueuePosition): PagingOperation[] {
    const operations = this.#queues.get(queue);
    if (operations === undefined) return [];
    const later = operations.findIndex((operation) => operation.fence > fence);
    if (later >= 0) return operations.splice(0, later);
    this.#queues.delete(queue);
    return operations;
  }

  /** Takes a queue's operations from a fence value on, which will not run. */
  drop({ queue, fence }: QueuePosition): PagingOperation[] {
    const operations = this.#queues.get(queue) ?? [];
    const first = operations.findIndex((operation) => operation.fence >= fence);
    const dropped = first < 0 ? [] : operations.splice(first);
    if (operations.length === 0) this.#queues.delete(queue);
    return dropped;
  }

  /** Every operation by its number. */
  all(): ReadonlyMap<number, PagingOperation> {
    return new Map([...this.#queues.values()].flat().map((operation) => [operation.number, operation]));
  }

  /** Appends everything to a tape. */
  write(tape: TapeValue[]): void {
    tape.push(this.#next, this.#queues.size);
    for (const [queue, operations] of this.#queues) {
      tape.push(queue, operations.length);
      for (const { number, fence, gpu, start, end, vad, source } of operations) {
        tape.push(number, fence, gpu, start, end, vad, source?.vad ?? 0, source?.start ?? 0);
      }
    }
  }

  /** Takes what `write` appended. */
  static read(tape: TapeReader): PagingOperations {
    const operations = new PagingOperations();
    operations.#next = tape.number();
    for (const [queue, list] of tape.list(() => [tape.number(), tape.list(() => readOperation(tape))] as const)) {
      operations.#queues.set(queue, list);
    }
    return operations;
  }

  /** Throws if a queue is not in the order of its fence values. */
  checkInvariants(): void {
    for (const [queue, operations] of this.#queues) {
      for (const [index, { fence }] of operations.entries()) {
        const before = operations[index - 1];
        if (before !== undefined && (queue > 0 ? before.fence >= fence : before.fence > fence)) {
          throw new Error(`Paging operations are broken: queue ${queue} has ${before.fence} before ${fence}`);
        }
      }
    }
  }
}

function readOperation(tape: TapeReader): PagingOperation {
  const operation = {
    number: tape.number(),
    fence: tape.bigint(),
    gpu: tape.number(),
    start: tape.number(),
    end: tape.number(),
    vad: tape.number(),
  };
  const vad = tape.number();
  const start = tape.number();
  return { ...operation, source: vad === 0 ? null : { vad, start } };
}
