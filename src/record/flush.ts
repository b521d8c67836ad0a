// When a recording writes the chunk that it has open, so that a process that is killed loses little. The clock is asked
// rarely: a reading costs as much as an event. It must not know files, nor whose clock it is.

import type { TraceWriter } from "../trace/mod.ts";

/** A writer whose open chunk can be written. */
export type Flushable = Pick<TraceWriter, "events" | "openEvents" | "flush">;

/** Milliseconds from any start, and after how many of them an event is to be written. */
export interface FlushTimer {
  readonly everyMs: number;
  readonly nowMs: () => number;
}

/** How far apart looks are: a share of the time, and so many events at most. */
const LOOK = { share: 1 / 4, mostEvents: 256 } as const;

/** Writes the open chunk before its first event is older than the time given, as long as it is asked to look. */
export class FlushWatch {
  readonly #writer: Flushable;
  readonly #timer: FlushTimer;
  /** Events in chunks that were written, at the last look: another number is another chunk. */
  #written = 0;
  #lookedAtMs: number;
  /** Nothing in the open chunk is older. */
  #openSinceMs: number;
  #stride = 1;

  constructor(writer: Flushable, timer: FlushTimer) {
    this.#writer = writer;
    this.#timer = timer;
    this.#lookedAtMs = timer.nowMs();
    this.#openSinceMs = this.#lookedAtMs;
  }

  /** Looks, and says after how many events to ask again: 1 where they come slowly, else up to 256. */
  stride(): number {
    const passedMs = this.look();
    const isSlow = passedMs > this.#timer.everyMs * LOOK.share / 2;
    this.#stride = isSlow ? Math.ceil(this.#stride / 4) : Math.min(LOOK.mostEvents, 2 * this.#stride);
    return this.#stride;
  }

  /** Looks at the clock and writes the open chunk where it is time; milliseconds since the last look. */
  look(): number {
    const writer = this.#writer;
    const nowMs = this.#timer.nowMs();
    const passedMs = nowMs - this.#lookedAtMs;
    const written = writer.events - writer.openEvents;
    if (written !== this.#written) this.#openSinceMs = this.#lookedAtMs;
    if (writer.openEvents > 0 && nowMs - this.#openSinceMs >= this.#timer.everyMs * (1 - LOOK.share)) writer.flush();
    if (writer.openEvents === 0) this.#openSinceMs = nowMs;
    this.#written = writer.events - writer.openEvents;
    this.#lookedAtMs = nowMs;
    return passedMs;
  }
}
