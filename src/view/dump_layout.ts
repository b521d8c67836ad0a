// Which line of a dump stands under which: turns events in time order into lines that nest, and marks what does not nest.
// It must not know how a line is spelled.

import type { TraceEvent } from "../trace/mod.ts";

/** What stands in a body: at the outermost level, or inside a callback. */
export type Item = Statement | CallbackLine | Comment;

/** A line of its own, and what happened after it. */
export interface Statement {
  /** `inside`: calls that an interrupted callback makes now; `event` is the first of them. */
  readonly form: "call" | "leave" | "return" | "inside";
  readonly event: TraceEvent;
  /** Callbacks that happened after this line, or for `inside` the calls. */
  readonly under: Item[];
  /** The leave that makes an enter one line. */
  left: TraceEvent | null;
}

/** A callback, with the calls made inside it. */
export interface CallbackLine {
  readonly form: "callback";
  readonly event: TraceEvent;
  /** Null: something that is not inside it happened before it returned. */
  returned: TraceEvent | null;
  readonly body: Item[];
}

/** A memory delta, a message beneath the calls, or a note: nothing that a scenario could make. */
export interface Comment {
  readonly form: "comment";
  readonly event: TraceEvent;
}

/** A place where lines are added: the outermost level (callback 0), or an open callback. */
interface Frame {
  readonly callback: number;
  readonly line: CallbackLine | null;
  readonly items: Item[];
  /** The line that callbacks go under; leaves are not, since what woke them goes on. */
  current: Statement | null;
}

/** Callbacks nest at most this deep, which is 64 levels of indentation; what is deeper is marked as not nested. */
const MAX_DEPTH = 32;

/** Events in, groups of lines out: a group is one line at the outermost level with all that nests under it. */
export class DumpLayout {
  readonly #limit: number;
  /** Callbacks that have not returned and that no line can be put into any more. */
  readonly #interrupted = new Set<number>();
  #root: Frame = newFrame(0, null, []);
  #frames: Frame[] = [this.#root];
  #held = 0;

  /** Holds at most `limit` events of one group; what is still open then is marked as not nested. */
  constructor(limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new RangeError(`Cannot look ${limit} events ahead: give 1 or more`);
    }
    this.#limit = limit;
  }

  /** Adds an event; gives the group that it ended, or null. */
  add(event: TraceEvent): readonly Item[] | null {
    const full = this.#held >= this.#limit || this.#frames.length > MAX_DEPTH;
    const ended = full || this.#startsGroup(event) ? this.finish() : null;
    this.#held += 1;
    this.#place(event);
    return ended;
  }

  /** Ends the group. */
  finish(): readonly Item[] | null {
    const { items } = this.#root;
    this.#cut(1);
    this.#root = newFrame(0, null, []);
    this.#frames = [this.#root];
    this.#held = 0;
    return items.length === 0 ? null : items;
  }

  #startsGroup({ kind, plan, cause }: TraceEvent): boolean {
    if ((kind !== "call" && kind !== "enter") || plan?.level === "wire") return false;
    return this.#frameOf(cause) < 0 && !this.#interrupted.has(cause);
  }

  #place(event: TraceEvent): void {
    if (event.plan?.level === "wire") return this.#placeComment(event);
    switch (event.kind) {
      case "call":
      case "enter":
        return this.#placeCall(event);
      case "callback":
        return this.#placeCallback(event);
      case "return":
        return this.#placeReturn(event);
      case "leave":
        return this.#placeLeave(event);
      default:
        this.#placeComment(event);
    }
  }

  get #innermost(): Frame {
    return this.#frames.at(-1) ?? this.#root;
  }

  #placeCall(event: TraceEvent): void {
    const index = this.#frameOf(event.cause);
    if (index >= 0) this.#cut(index + 1);
    else if (this.#interrupted.has(event.cause)) this.#resume(event);
    this.#state("call", event);
  }

  /** Goes on inside a callback that was interrupted. */
  #resume(event: TraceEvent): void {
    const inside = this.#state("inside", event);
    this.#interrupted.delete(event.cause);
    this.#frames.push(newFrame(event.cause, null, inside.under));
  }

  #placeCallback(event: TraceEvent): void {
    while (this.#innermost.current === null && this.#frames.length > 1) this.#cut(this.#frames.length - 1);
    const line: CallbackLine = { form: "callback", event, returned: null, body: [] };
    (this.#innermost.current?.under ?? this.#innermost.items).push(line);
    this.#frames.push(newFrame(event.event, line, line.body));
  }

  #placeReturn(event: TraceEvent): void {
    const index = this.#frameOf(event.of);
    const line = this.#frames[index]?.line ?? null;
    if (index >= 0) this.#cut(index);
    this.#interrupted.delete(event.of);
    if (line === null) this.#state("return", event);
    else line.returned = event;
  }

  #placeComment(event: TraceEvent): void {
    const { items, current } = this.#innermost;
    const last = items.at(-1);
    const target = last?.form === "leave" ? last.under : current?.under ?? items;
    target.push({ form: "comment", event });
  }

  /** One line, where nothing that is not inside the call came between; else a line of its own. */
  #placeLeave(event: TraceEvent): void {
    const enter = this.#frames.find(({ current }) => current?.form === "call" && current.event.event === event.of);
    if (enter !== undefined && enter.current !== null) enter.current.left = event;
    else this.#innermost.items.push({ form: "leave", event, under: [], left: null });
  }

  #state(form: "call" | "return" | "inside", event: TraceEvent): Statement {
    const statement: Statement = { form, event, under: [], left: null };
    this.#innermost.items.push(statement);
    this.#innermost.current = form === "inside" ? null : statement;
    return statement;
  }

  /** The index of the open callback's frame, -1 where it has none. */
  #frameOf(callback: number): number {
    return callback === 0 ? -1 : this.#frames.findIndex((frame) => frame.callback === callback);
  }

  /** Interrupts the callbacks from `depth` on. */
  #cut(depth: number): void {
    for (const { callback } of this.#frames.splice(depth)) this.#interrupted.add(callback);
  }
}

function newFrame(callback: number, line: CallbackLine | null, items: Item[]): Frame {
  return { callback, line, items, current: null };
}
