// What stands between a run and the writer of its trace: nothing where nothing is wanted, else one step for each thing
// that is. An event passes here millions of times, so that what is asked rarely is counted, not asked.

import type { EventSink, Site, TraceEvent } from "../trace/mod.ts";
import type { FlushWatch } from "./flush.ts";

/** What is wanted of a run's events on their way. */
export interface SinkOptions {
  /** Only events of these numbers keep their sites. */
  readonly siteEvents?: ReadonlySet<number>;
  /** Only these events are written; asked of each, in order. */
  readonly selects?: (event: TraceEvent) => boolean;
  readonly watch: FlushWatch | null;
  /** Told the number of events every 4096. */
  readonly onEvents?: (events: number) => void;
}

/** The sink for a run's events that ends in the writer. */
export function sinkFor(writer: EventSink, { siteEvents, selects, watch, onEvents }: SinkOptions): EventSink {
  const sited = siteEvents === undefined ? writer : new SitesSink(writer, siteEvents);
  const selected = selects === undefined ? sited : new SelectingSink(sited, selects);
  return watch === null && onEvents === undefined ? selected : new WatchingSink(selected, { watch, onEvents });
}

/** Events between two calls of `onEvents`. */
const PROGRESS_EVENTS = 4096;

/** Counts events, and looks at clock and progress once in a while. */
class WatchingSink implements EventSink {
  readonly #next: EventSink;
  readonly #watch: FlushWatch | null;
  readonly #onEvents: ((events: number) => void) | undefined;
  #left = 1;

  constructor(next: EventSink, { watch, onEvents }: {
    readonly watch: FlushWatch | null;
    readonly onEvents: ((events: number) => void) | undefined;
  }) {
    this.#next = next;
    this.#watch = watch;
    this.#onEvents = onEvents;
  }

  event(event: TraceEvent): void {
    this.#next.event(event);
    this.#left -= 1;
    if (this.#left === 0) this.#look(event.event);
  }

  #look(events: number): void {
    const stride = this.#watch?.stride() ?? PROGRESS_EVENTS;
    this.#left = Math.min(stride, PROGRESS_EVENTS - events % PROGRESS_EVENTS);
    if (events % PROGRESS_EVENTS === 0) this.#onEvents?.(events);
  }
}

/** Passes on what is selected. */
class SelectingSink implements EventSink {
  readonly #next: EventSink;
  readonly #selects: (event: TraceEvent) => boolean;

  constructor(next: EventSink, selects: (event: TraceEvent) => boolean) {
    this.#next = next;
    this.#selects = selects;
  }

  event(event: TraceEvent): void {
    if (this.#selects(event)) this.#next.event(event);
  }
}

/** Passes on sites where they are wanted. */
class SitesSink implements EventSink {
  readonly #next: EventSink;
  readonly #siteEvents: ReadonlySet<number>;

  constructor(next: EventSink, siteEvents: ReadonlySet<number>) {
    this.#next = next;
    this.#siteEvents = siteEvents;
  }

  event(event: TraceEvent): void {
    const site: Site | null = this.#siteEvents.has(event.event) ? event.site : null;
    this.#next.event(site === event.site ? event : { ...event, site });
  }
}
