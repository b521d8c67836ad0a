// Judges what a reader makes of mutated bytes: a refusal, or what was written with every loss stated. Forged bytes may
// say anything that an event can be. It must not know how the bytes were mutated.

import { equalValues, type Value } from "../../src/api/mod.ts";
import { sameBytes } from "../../src/wire/mod.ts";
import {
  type ByteSource,
  decodeKeyframe,
  openTrace,
  type TraceEvent,
  type TraceFile,
  TraceFormatError,
  validate,
} from "../../src/trace/mod.ts";
import { WireError } from "../../src/wire/mod.ts";
import type { Subject } from "./subjects.ts";

/** Bytes to judge. */
export interface Attempt {
  readonly bytes: Uint8Array;
  /** What they were. */
  readonly subject: Subject;
  /** The trace that blocks may have been taken from. */
  readonly donor: Subject;
  /** Whether checksums were made right again. */
  readonly isForged: boolean;
  /** Whether the summary is asked for before the events are walked. */
  readonly isSummaryFirst: boolean;
}

/** What became of an attempt. */
export interface Verdict {
  readonly outcome: "refused" | "complete" | "incomplete" | "wrong";
  /** What is wrong; empty: nothing. */
  readonly what: string;
  /** Events that were read. */
  readonly events: number;
}

const PREFIX_BYTES = 63;
const MOST_CHUNK_EVENTS = 2 ** 17;
/** Reads of one block or place that a reader may need, generously. */
const READS_EACH = 12;

/** Says what became of the bytes; anything that a reader must not do is `wrong`. */
export function judge(attempt: Attempt): Verdict {
  let events = 0;
  try {
    const trace = openTrace(new WatchedSource(attempt.bytes));
    if (attempt.isSummaryFirst) summaryOf(trace);
    const read = readEvents(trace, attempt.bytes.length);
    events = read.length;
    if (!attempt.isSummaryFirst) summaryOf(trace);
    checkLosses(trace);
    checkKeyframes(trace, attempt);
    checkValid(trace, read);
    if (!attempt.isForged) checkAgainst(attempt, trace, read);
    return { outcome: trace.complete ? "complete" : "incomplete", what: "", events };
  } catch (error) {
    if (error instanceof TraceFormatError) return { outcome: "refused", what: "", events };
    return { outcome: "wrong", what: error instanceof Error ? error.stack ?? error.message : String(error), events };
  }
}

/** A source that counts: a reader that reads without end is stopped, and one that reads past the file is found. */
class WatchedSource implements ByteSource {
  readonly size: number;
  readonly #bytes: Uint8Array;
  #left: number;

  constructor(bytes: Uint8Array) {
    this.size = bytes.length;
    this.#bytes = bytes;
    this.#left = 200 + READS_EACH * Math.ceil(bytes.length / PREFIX_BYTES);
  }

  read(offset: number, length: number): Uint8Array {
    this.#left -= 1;
    expect(this.#left > 0, "it reads without end");
    const isInside = isCount(offset) && isCount(length) && offset <= this.size && length <= this.size + PREFIX_BYTES;
    expect(isInside, `it reads ${length} bytes at ${offset} of ${this.size}`);
    return this.#bytes.subarray(offset, offset + length);
  }
}

function readEvents(trace: TraceFile, sizeBytes: number): TraceEvent[] {
  const most = MOST_CHUNK_EVENTS * (1 + Math.floor(sizeBytes / PREFIX_BYTES));
  const read: TraceEvent[] = [];
  let last = 0;
  for (const event of trace.events()) {
    expect(event.event > last, `event ${event.event} follows event ${last}`);
    last = event.event;
    read.push(event);
    expect(read.length <= most, "it gives events without end");
  }
  expect(last <= trace.eventCount, `event ${last} of ${trace.eventCount}`);
  return read;
}

function summaryOf(trace: TraceFile): void {
  const { events, calls, kinds } = trace.summary();
  expect(isCount(events), `the summary counts ${events} events`);
  for (const count of [...calls.values(), ...kinds.values()]) expect(isCount(count), `the summary counts ${count}`);
}

function checkLosses(trace: TraceFile): void {
  for (const { what, firstEvent, lastEvent, offsetBytes } of trace.losses.slice(trace.header.losses.length)) {
    const isRange = isCount(firstEvent) && isCount(lastEvent) && firstEvent <= lastEvent;
    expect(isRange && isCount(offsetBytes), `loss of ${firstEvent} to ${lastEvent} at ${offsetBytes}: ${what}`);
  }
}

function checkKeyframes(trace: TraceFile, { subject, isForged, donor }: Attempt): void {
  const known = hasWholeHeader(trace) ? subject.keyframes : [...subject.keyframes, ...donor.keyframes];
  for (const { event, state } of trace.keyframes()) {
    if (!isForged) {
      const isWritten = known.some((each) => each.event === event && sameBytes(each.state, state));
      expect(isWritten, `the keyframe of event ${event} was never written`);
    } else decodes(state);
  }
}

function decodes(state: Uint8Array): void {
  try {
    decodeKeyframe(state);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
}

/** What was read may be less than was written, and with forged bytes another story, but never one that cannot be. */
function checkValid({ header, losses }: TraceFile, read: readonly TraceEvent[]): void {
  for (const { event, message } of validate({ header, losses, events: () => read.values() })) {
    expect(false, `event ${event} cannot be: ${message}`);
  }
}

function checkAgainst({ subject, donor }: Attempt, trace: TraceFile, read: readonly TraceEvent[]): void {
  const isWhole = hasWholeHeader(trace);
  for (const event of read) {
    const isWritten = isSame(event, subject.events.get(event.event)) ||
      (!isWhole && isSame(event, donor.events.get(event.event)));
    expect(isWritten, `event ${event.event} was never written`);
  }
  if (isWhole) {
    expect(JSON.stringify(trace.header) === JSON.stringify(subject.header), "the header is another");
    checkMissing(subject, trace, read);
  }
  const isAll = read.length === subject.events.size;
  expect(!trace.complete || isAll, `it seems complete with ${read.length} of ${subject.events.size} events`);
}

/** Every event is read, or stated as lost, or behind the last that is known of a trace without an end. */
function checkMissing(subject: Subject, trace: TraceFile, read: readonly TraceEvent[]): void {
  const numbers = new Set(read.map(({ event }) => event));
  const { losses, eventCount } = trace;
  for (const event of subject.events.keys()) {
    if (numbers.has(event)) continue;
    const isStated = losses.some(({ firstEvent, lastEvent }) => firstEvent <= event && event <= lastEvent);
    const isBehind = event > eventCount && trace.end === null && !trace.complete;
    expect(isStated || isBehind, `event ${event} is missing, and nothing says so`);
  }
}

function hasWholeHeader(trace: TraceFile): boolean {
  return !trace.losses.some(({ what }) => what.startsWith("the header is damaged"));
}

function isSame(left: TraceEvent, right: TraceEvent | undefined): boolean {
  return right !== undefined && left.event === right.event && left.kind === right.kind &&
    left.plan?.name === right.plan?.name && left.side === right.side && left.actor === right.actor &&
    left.level === right.level && left.cause === right.cause && left.of === right.of && left.timeNs === right.timeNs &&
    left.wallNs === right.wallNs && left.text === right.text && equalValues(left.ins, right.ins) &&
    equalValues(left.outs, right.outs) && equalValues(plainOf(left), plainOf(right));
}

/** Site, outcome and memory as one value. */
function plainOf({ site, outcome, memory }: TraceEvent): Value {
  return [
    site === null ? null : { ...site },
    outcome === null ? null : { ...outcome },
    memory === null ? null : { ...memory },
  ];
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
