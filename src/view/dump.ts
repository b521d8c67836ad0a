// A trace as call notation (spec: notation): text that a person reads and that records again to an equal trace.
// How a call is spelled is the notation's; what stands under what is dump_layout.ts's. It must not know the engine.

import {
  type CallPlan,
  defaultOptions,
  type ModelOptions,
  type Outcome,
  printCall,
  printOutcome,
  type Value,
} from "../api/mod.ts";
import type { MemoryDelta, TraceEvent, TraceHeader } from "../trace/mod.ts";
import { type CallbackLine, DumpLayout, type Item, type Statement } from "./dump_layout.ts";
import { escapeText } from "./escape.ts";

/** How calls and answers are spelled. */
export interface CallPrinter {
  /** `SIDE CALL(NAME=VALUE, …)`. */
  call(call: { readonly side: string; readonly plan: CallPlan; readonly ins: readonly Value[] }): string;
  /** `STATUS_SUCCESS {Mdl=mdl#3}`. */
  outcome(answer: {
    readonly plan: CallPlan;
    readonly outcome: Outcome;
    readonly outs: readonly Value[];
  }): string;
}

/** What is dumped: a `Trace`, or a header with events. */
export interface DumpSource {
  readonly header: TraceHeader;
  readonly events:
    | Iterable<TraceEvent>
    | ((range?: { readonly from?: number; readonly to?: number }) => Iterable<TraceEvent>);
}

/** How a dump is laid out. */
export interface DumpOptions {
  /** The notation's, where left out. */
  readonly print?: CallPrinter;
  /** Append each line's event number as a comment. */
  readonly positions?: boolean;
  /** Which events there are, before they are laid out; see `eventFilter`. */
  readonly filter?: (event: TraceEvent) => boolean;
  /** Event numbers, both included; a trace walks only the chunks it needs. */
  readonly range?: { readonly from?: number; readonly to?: number };
  /** How many events one outermost line may hold before it is printed. Default 65536. */
  readonly lookahead?: number;
}

/** How the dump of a trace begins that holds a part of a run: such a dump seldom records again. */
export const PART_COMMENT = "# a part of a run: what made the things that it uses, or used them, may be missing";

const DEFAULT_LOOKAHEAD = 1 << 16;
const NOTATION: CallPrinter = { call: printCall, outcome: printOutcome };

/**
 * The lines of a dump, without line ends. It holds the events of one outermost call and of what nests under it, at most
 * `lookahead`; a call or callback that is still open then is printed as blocked. A filtered dump need not record again.
 */
export function* dumpLines(source: DumpSource, options: DumpOptions = {}): IterableIterator<string> {
  const { startsAfter, leftOut } = source.header;
  if (startsAfter > 0 || leftOut.length > 0) yield PART_COMMENT;
  for (const line of optionLines(source.header)) yield escapeText(line);
  const layout = new DumpLayout(options.lookahead ?? DEFAULT_LOOKAHEAD);
  const writer = new LineWriter(options);
  for (const event of typeof source.events === "function" ? source.events(options.range) : source.events) {
    if (options.filter?.(event) === false) continue;
    const group = layout.add(event);
    if (group !== null) yield* writer.lines(group);
  }
  const last = layout.finish();
  if (last !== null) yield* writer.lines(last);
}

/** Options that differ from the defaults; a run's callbacks stand where they happened, unless a scenario's were drained. */
function optionLines({ options, program }: TraceHeader): string[] {
  const defaults = new Map<string, string>(Object.entries<string>(defaultOptions()));
  const inForce: ModelOptions = program.kind === "calls" ? options : { ...options, callbacks: "written" };
  return Object.entries<string>(inForce)
    .filter(([name, value]) => defaults.get(name) !== value)
    .map(([name, value]) => `!option ${name}=${value}`);
}

class LineWriter {
  readonly #print: CallPrinter;
  readonly #hasPositions: boolean;

  constructor({ print = NOTATION, positions = false }: DumpOptions) {
    this.#print = print;
    this.#hasPositions = positions;
  }

  lines(items: readonly Item[]): string[] {
    const lines: string[] = [];
    // A callback at the outermost level belongs to a line before the first event that was given.
    for (const item of items) this.#add(lines, item, item.form === "callback" ? 1 : 0);
    return lines;
  }

  #add(lines: string[], item: Item, depth: number): void {
    const hasPosition = this.#hasPositions && (item.form !== "comment" || item.event.plan !== null);
    const position = hasPosition ? `  # @${item.event.event}` : "";
    lines.push("  ".repeat(depth) + escapeText(this.#text(item)) + position);
    const inner = item.form === "callback" ? item.body : item.form === "comment" ? [] : item.under;
    for (const each of inner) this.#add(lines, each, depth + 1);
  }

  #text(item: Item): string {
    if (item.form === "comment") {
      return item.event.plan === null ? commentText(item.event) : `# wire ${this.#call(item.event)}`;
    }
    return item.form === "callback" ? this.#callbackText(item) : this.#statementText(item);
  }

  #statementText({ form, event, left }: Statement): string {
    if (form === "inside") return `inside ${label(event.cause)}`;
    if (form === "leave") return `leave ${label(event.of)} -> ${this.#answer(event)}`;
    if (form === "return") return `return ${label(event.of)}${this.#returned(event)}`;
    const call = this.#call(event);
    if (event.kind === "call") return `${call} -> ${this.#answer(event)}`;
    return left === null ? `${call} -> blocked ${label(event.event)}` : `${call} -> ${this.#answer(left)}`;
  }

  #callbackText({ event, returned }: CallbackLine): string {
    const call = `callback ${this.#call(event)}`;
    return returned === null ? `${call} blocked ${label(event.event)}` : call + this.#returned(returned);
  }

  #call({ event, side, plan, ins }: TraceEvent): string {
    if (plan === null) throw new TypeError(`Cannot print @${event}: a call without a declaration`);
    return this.#print.call({ side, plan, ins });
  }

  #answer({ event, plan, outcome, outs }: TraceEvent): string {
    if (plan === null || outcome === null) throw new TypeError(`Cannot print @${event}: it has no outcome`);
    return this.#print.outcome({ plan, outcome, outs });
  }

  /** What a driver returns from a callback; nothing is the default of one that returns nothing. */
  #returned(event: TraceEvent): string {
    return event.outcome?.form === "void" ? "" : ` -> ${this.#answer(event)}`;
  }
}

function label(event: number): string {
  return `@e${event}`;
}

function commentText(event: TraceEvent): string {
  return event.memory === null ? `# note: ${event.text}` : `# memory ${memoryText(event.memory)}`;
}

const SHOWN_BYTES = 32;

function memoryText({ partition, page, offset, length, digest, bytes }: MemoryDelta): string {
  const place = `${partition} page 0x${page.toString(16)} offset ${offset}, ${length} bytes`;
  if (bytes === null) return `${place}, digest 0x${digest.toString(16).padStart(8, "0")}`;
  const shown = Array.from(bytes.subarray(0, SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${place}: ${shown}${bytes.length > SHOWN_BYTES ? "…" : ""}`;
}
