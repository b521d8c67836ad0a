// JSON lines as a source of a trace: what `dump --json` writes, or what somebody's converter writes in that form.
// Parsing is trace's; here is only what makes it an import: an end, a report. Tried with maptrail.trace/1 and
// with lines that have no header. It drops members of a line that nobody declared, and counts them; arguments that nobody
// declared are refused. It must not know files.

import { BrokenLineError, JsonLinesError, parseJsonLines, pointerCheck } from "../trace/mod.ts";
import type { IgnoredMembers, JsonLinesOptions, Loss, ParsedJsonLines, TraceEvent } from "../trace/mod.ts";
import type { Imported, ImportReport } from "./imported.ts";

/** An imported trace, and the members that were dropped. */
export interface ImportedJsonLines extends Imported {
  readonly ignored: IgnoredMembers;
}

/**
 * Reads lines without their line ends, once now and again for each walk of `events`: `lines` must give the same each
 * time. A header is kept as it is, so that a dump comes back as the trace it was, but for losses where the lines end before
 * the run that it tells of and where lines are no JSON; lines without one, or that do not say how the recording ended, end as
 * imported. Throws `JsonLinesError` for the first line that is JSON and wrong, or where none is right. Holds two numbers for each
 * event.
 */
export function importJsonLines(lines: Iterable<string>, options: JsonLinesOptions = {}): ImportedJsonLines {
  if (Object.is(lines[Symbol.iterator](), lines)) {
    throw new TypeError(
      "Cannot import from an iterator that can be walked once: give an array, or an object that starts anew",
    );
  }
  const broken = new BrokenLines();
  const skipping = { ...options, onBroken: (): void => {} };
  const parsed = parseJsonLines(lines, { ...options, onBroken: (error) => broken.add(error) });
  const index = indexEvents(parsed, broken);
  if (broken.first !== null && index.events.length === 0 && !parsed.hasHeader) throw broken.first;
  return {
    header: { ...parsed.header, losses: [...parsed.header.losses, ...index.losses, ...lossesAtEnd(parsed, index)] },
    events: { [Symbol.iterator]: (): Iterator<TraceEvent> => parseJsonLines(lines, skipping).events },
    end: parsed.end ?? { reason: "imported", message: "", events: index.events.length },
    report: reportOf(index, { broken, ignored: parsed.ignored() }),
    ignored: parsed.ignored(),
  };
}

/** What the lines lack at their end, where they say how far the run went; what a filter left out there is no loss. */
function lossesAtEnd({ header, end, isCut }: ParsedJsonLines, { events }: EventIndex): readonly Loss[] {
  const unknown = { firstEvent: 0, lastEvent: 0, offsetBytes: -1 };
  if (isCut) return [{ what: "the recording never said how it ended", ...unknown }];
  const firstEvent = (events.at(-1) ?? header.startsAfter) + 1;
  const lastEvent = end?.events ?? 0;
  if (lastEvent < firstEvent || header.leftOut.length > 0) return [];
  const what = `events ${firstEvent} to ${lastEvent} are not in the log: it was cut`;
  return [{ what, firstEvent, lastEvent, offsetBytes: -1 }];
}

/** What the first walk found: each event's number and line, and how often each call occurred. */
interface EventIndex {
  readonly events: readonly number[];
  readonly lines: readonly number[];
  readonly counts: ReadonlyMap<string, number>;
  /** What broken lines cost. */
  readonly losses: readonly Loss[];
}

/** Lines that are no JSON; some of them are still untold. */
class BrokenLines {
  first: BrokenLineError | null = null;
  count = 0;
  #untold: { readonly from: number; to: number; count: number } | null = null;

  add(error: BrokenLineError): void {
    this.first ??= error;
    this.count += 1;
    this.#untold ??= { from: error.line, to: error.line, count: 0 };
    this.#untold.to = error.line;
    this.#untold.count += 1;
  }

  /** What the untold ones cost: the events between those around them, where numbers say which; null: there are none. */
  tell(between: Pick<Loss, "firstEvent" | "lastEvent"> | null): Loss | null {
    if (this.#untold === null) return null;
    const { from, to, count } = this.#untold;
    this.#untold = null;
    const lines = from === to ? `line ${from} is` : `${count} of the lines ${from} to ${to} are`;
    const isKnown = between !== null && between.firstEvent <= between.lastEvent;
    const events = isKnown ? `: events ${between.firstEvent} to ${between.lastEvent} are lost` : "";
    const range = isKnown ? between : { firstEvent: 0, lastEvent: 0 };
    return { what: `${lines} no JSON${events}`, ...range, offsetBytes: -1 };
  }
}

/** A header names this many places at most; what follows is told as one. */
const MAX_LOSSES = 256;

function both(one: Loss, other: Loss): Loss {
  const firstEvent = one.firstEvent === 0 ? other.firstEvent : one.firstEvent;
  const lastEvent = Math.max(one.lastEvent, other.lastEvent);
  const what = `more lines are no JSON: of the events ${firstEvent} to ${lastEvent} some are lost`;
  return { what, firstEvent, lastEvent, offsetBytes: -1 };
}

/** `broken` grows while the events are walked. */
function indexEvents(parsed: ParsedJsonLines, broken: BrokenLines): EventIndex {
  const events: number[] = [];
  const lines: number[] = [];
  const counts = new Map<string, number>();
  const losses: Loss[] = [];
  const troubleOf = pointerCheck();
  const isWhole = parsed.header.leftOut.length === 0;
  const tell = (lastEvent: number): void => {
    const firstEvent = (events.at(-1) ?? parsed.header.startsAfter) + 1;
    const loss = broken.tell(isWhole ? { firstEvent, lastEvent } : null);
    if (loss === null) return;
    const newest = losses.length < MAX_LOSSES ? undefined : losses.pop();
    losses.push(newest === undefined ? loss : both(newest, loss));
  };
  for (const each of parsed.events) {
    const trouble = troubleOf(each);
    if (trouble !== null) throw new JsonLinesError(parsed.lineNumber(), "of", trouble);
    const { event, kind, plan } = each;
    tell(event - 1);
    events.push(event);
    lines.push(parsed.lineNumber());
    const name = plan?.name ?? kind;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  tell(0);
  return { events, lines, counts, losses };
}

interface Unused {
  readonly broken: BrokenLines;
  readonly ignored: IgnoredMembers;
}

function reportOf({ events, lines, counts }: EventIndex, { broken, ignored }: Unused): ImportReport {
  const { first, count } = broken;
  return {
    notes: Array.from(
      ignored.byPath,
      ([path, { count, firstLine }]) =>
        `${count} × member ${path}, first on line ${firstLine}, which nobody declared, was ignored`,
    ),
    imported: [...counts].map(([name, count]) => ({ id: null, name, count })),
    skipped: [],
    unknown: [],
    undecodable: first === null
      ? []
      : [{ id: null, name: "line", count, message: first.what, firstOffset: first.line }],
    otherRecords: 0,
    missing: [],
    clock: { source: "timeNs", ticksPerSecond: 1_000_000_000n, zeroAtNs: null },
    offsetUnit: "line",
    offsetOf(event: number): number {
      const line = lines[positionOf(events, event)];
      if (line === undefined) throw new RangeError(`Cannot find the line of @${event}: there is no such event`);
      return line;
    },
  };
}

/** Where a number stands in a rising list, -1 where it does not. */
function positionOf(numbers: readonly number[], wanted: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return numbers[low] === wanted ? low : -1;
}
