// Work of GPU contexts that has not run, as far as a trace shows it: commands that wait or are not granted yet, and
// updates of addresses that wait for their fence (gpuva.md 2.5, 4.6). Values of fences are followed for both.
// It must not know calls or rules.

import type { Evidence } from "./finding.ts";
import type { PageSpan, PagingPoint } from "./gpu_va_fold.ts";

/** A fence and a value of it. */
export interface FenceValue {
  /** The sync object's number. */
  readonly syncObject: number;
  readonly value: bigint;
}

/** A submission, and what its commands touch. */
export interface SubmittedWork {
  readonly form: "work";
  readonly context: number;
  /** The name of its address space. */
  readonly space: string;
  readonly spans: readonly PageSpan[];
  /** Allocations that were behind the spans when it was submitted. */
  readonly allocations: ReadonlySet<number>;
  readonly submitted: Evidence;
}

type Command = SubmittedWork | { readonly form: "wait" | "signal"; readonly targets: readonly FenceValue[] };

/** An update that has not run. */
export interface QueuedUpdate extends FenceValue {
  readonly context: number;
  /** Counts up in its context, from 1: the fence of its changes in the page tables. */
  readonly sequence: number;
  readonly doesNotWait: boolean;
  readonly operationCount: number;
  readonly space: string;
  readonly spans: readonly PageSpan[];
  readonly queued: Evidence;
}

interface ContextWork {
  readonly device: number;
  readonly commands: Command[];
  readonly updates: QueuedUpdate[];
  /** Calls of updates that wait for room, by their events. */
  readonly waiting: Map<number, number>;
  submitted: number;
  granted: number;
  /** Submissions that have run. */
  ran: number;
  updateCount: number;
}

/** How work runs. */
export interface WorkRules {
  /** Work runs as soon as the waits before it are met. */
  readonly isImmediate: boolean;
  /** A wait for a fence that ended is over. */
  readonly endsWaits: boolean;
}

/** The name of a context's updates among the paging queues of page tables. */
export function updateQueue(context: number): number {
  return -context;
}

/** All contexts of a trace. */
export class GpuWork {
  readonly #contexts = new Map<number, ContextWork>();
  readonly #fences = new Map<number, bigint>();
  readonly #pagingValue: (syncObject: number) => bigint | undefined;
  /** Commands and updates that have not run. */
  #pending = 0;

  constructor(pagingValue: (syncObject: number) => bigint | undefined) {
    this.#pagingValue = pagingValue;
  }

  /** Nothing is queued anywhere. */
  get isIdle(): boolean {
    return this.#pending === 0;
  }

  addContext(number: number, device: number): void {
    const counts = { submitted: 0, granted: 0, ran: 0, updateCount: 0 };
    this.#contexts.set(number, { device, commands: [], updates: [], waiting: new Map(), ...counts });
  }

  /** A fence has a value now, lower ones too. */
  setFence({ syncObject, value }: FenceValue): void {
    this.#fences.set(syncObject, value);
  }

  endFence(syncObject: number): void {
    this.#fences.delete(syncObject);
  }

  /** Takes a context's queue away; returns the updates that never ran. */
  endContext(number: number): readonly QueuedUpdate[] {
    const context = this.#contexts.get(number);
    if (context === undefined) return [];
    this.#contexts.delete(number);
    this.#pending -= context.commands.length + context.updates.length;
    return context.updates;
  }

  /** A device is in error: what its contexts had queued is dropped; returns them. */
  dropDevice(device: number): readonly number[] {
    const dropped: number[] = [];
    for (const [number, context] of this.#contexts) {
      if (context.device !== device) continue;
      dropped.push(number);
      this.#pending -= context.commands.length + context.updates.length;
      context.commands.length = 0;
      context.updates.length = 0;
      context.ran = context.submitted;
    }
    return dropped;
  }

  submit(work: SubmittedWork): void {
    const context = this.#contexts.get(work.context);
    if (context === undefined) return;
    context.submitted += 1;
    this.#push(context, work);
  }

  queueFences(number: number, form: "wait" | "signal", targets: readonly FenceValue[]): void {
    const context = this.#contexts.get(number);
    if (context !== undefined) this.#push(context, { form, targets });
  }

  /** Queues an update; returns its sequence in the context. */
  queueUpdate(update: Omit<QueuedUpdate, "sequence">): number {
    const context = this.#contexts.get(update.context);
    if (context === undefined) return 0;
    context.updateCount += 1;
    context.updates.push({ ...update, sequence: context.updateCount });
    this.#pending += 1;
    return context.updateCount;
  }

  /** Operations of a context's updates that have not run, and of calls that wait for room. */
  queuedOperations(number: number): number {
    const context = this.#contexts.get(number);
    if (context === undefined) return 0;
    let sum = 0;
    for (const { operationCount } of context.updates) sum += operationCount;
    for (const operationCount of context.waiting.values()) sum += operationCount;
    return sum;
  }

  /** An update's call waits for room (a count), or not any more (null). */
  waitForRoom(number: number, event: number, operationCount: number | null): void {
    const waiting = this.#contexts.get(number)?.waiting;
    if (operationCount === null) waiting?.delete(event);
    else waiting?.set(event, operationCount);
  }

  /** The GPU may run a context's submissions up to this one, counted from 1. */
  grant(number: number, submission: bigint): void {
    const context = this.#contexts.get(number);
    if (context === undefined) return;
    const most = submission < BigInt(context.submitted) ? Number(submission) : context.submitted;
    context.granted = Math.max(context.granted, most);
  }

  /** A wait was met: the fence has the value, so what signals it has run, where only one thing can have. */
  reach({ syncObject, value }: FenceValue): void {
    if (this.#valueOf(syncObject) >= value) return;
    const signals = [...this.#contexts.values()].flatMap((context) => {
      const place = context.commands.findIndex((command) =>
        command.form === "signal" &&
        command.targets.some((each) => each.syncObject === syncObject && each.value >= value)
      );
      return place < 0 ? [] : [{ context, place }];
    });
    const [only] = signals;
    this.#fences.set(syncObject, value);
    if (only === undefined || signals.length > 1) return;
    for (let left = only.place + 1; left > 0; left -= 1) this.#run(only.context);
  }

  /** Runs what is due; returns how far updates came. */
  settle(rules: WorkRules): readonly PagingPoint[] {
    if (this.#pending === 0) return [];
    const done: PagingPoint[] = [];
    for (let hasRun = true; hasRun;) {
      hasRun = false;
      for (const [number, context] of this.#contexts) {
        if (this.#runContext(context, rules)) hasRun = true;
        const sequence = this.#runUpdates(context);
        if (sequence === 0) continue;
        done.push({ queue: updateQueue(number), fence: BigInt(sequence) });
        hasRun = true;
      }
    }
    return done;
  }

  /** Submissions that have not run, oldest first in each context. */
  *submissions(): IterableIterator<SubmittedWork> {
    for (const { commands } of this.#contexts.values()) {
      for (const command of commands) if (command.form === "work") yield command;
    }
  }

  /** Updates that have not run, oldest first in each context. */
  *updates(): IterableIterator<QueuedUpdate> {
    for (const { updates } of this.#contexts.values()) yield* updates;
  }

  #push(context: ContextWork, command: Command): void {
    context.commands.push(command);
    this.#pending += 1;
  }

  /** Runs a context up to what holds it back; whether anything ran. */
  #runContext(context: ContextWork, rules: WorkRules): boolean {
    let hasRun = false;
    for (let next = context.commands[0]; next !== undefined; next = context.commands[0]) {
      const isHeld = next.form === "wait"
        ? !next.targets.every((target) => this.#isMet(target, rules))
        : next.form === "work" && !rules.isImmediate && context.ran >= context.granted;
      if (isHeld) return hasRun;
      this.#run(context);
      hasRun = true;
    }
    return hasRun;
  }

  #run(context: ContextWork): void {
    const command = context.commands.shift();
    if (command === undefined) return;
    this.#pending -= 1;
    if (command.form === "work") context.ran += 1;
    if (command.form === "signal") { for (const target of command.targets) this.setFence(target); }
  }

  /** Runs updates that are due, in order; returns the last one's sequence, 0: none. */
  #runUpdates({ updates }: ContextWork): number {
    let last = 0;
    for (let next = updates[0]; next !== undefined; next = updates[0]) {
      if (!next.doesNotWait && this.#valueOf(next.syncObject) < next.value) return last;
      updates.shift();
      this.#pending -= 1;
      this.#fences.set(next.syncObject, next.value + 1n);
      last = next.sequence;
    }
    return last;
  }

  #isMet({ syncObject, value }: FenceValue, { endsWaits }: WorkRules): boolean {
    if (!this.#fences.has(syncObject) && this.#pagingValue(syncObject) === undefined) return endsWaits;
    return this.#valueOf(syncObject) >= value;
  }

  /** A fence that was never seen, or ended, gets nowhere. */
  #valueOf(syncObject: number): bigint {
    return this.#pagingValue(syncObject) ?? this.#fences.get(syncObject) ?? -1n;
  }
}
