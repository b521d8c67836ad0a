// What every importer hands back: a trace in parts, and a report of what became of each record of the foreign log.
// It must not know any format.

import type { TraceEnd, TraceEvent, TraceHeader } from "../trace/mod.ts";

/** A foreign log as a trace. The same bytes give the same, whatever the file is called. */
export interface Imported {
  readonly header: TraceHeader;
  /** Numbered from 1; can be walked any number of times. */
  readonly events: Iterable<TraceEvent>;
  readonly end: TraceEnd;
  readonly report: ImportReport;
}

/** What an importer did with a log. Every record of the log is counted in exactly one of the lists. */
export interface ImportReport {
  /** Records that became events. */
  readonly imported: readonly ImportCount[];
  /** Records that the importer knows and leaves out. */
  readonly skipped: readonly ImportCount[];
  /** Records of the importer's own source that it does not know. */
  readonly unknown: readonly ImportCount[];
  /** Records that it knows and cannot use; each of these lines is a loss of the trace too. */
  readonly undecodable: readonly ImportProblem[];
  /** Well-formed records of other sources. */
  readonly otherRecords: number;
  /** Classes of events that this importer could have found and that did not occur: audits that need them are off. */
  readonly missing: readonly string[];
  /** What else is worth knowing of the log, for people. */
  readonly notes: readonly string[];
  readonly clock: ImportClock;
  /** What `offsetOf` counts: bytes from the start of the file, or lines from 1. */
  readonly offsetUnit: "byte" | "line";
  /** Where in the foreign file an event of the trace stands; `RangeError` where there is no event of this number. */
  offsetOf(event: number): number;
}

/** How often a record occurred. */
export interface ImportCount {
  /** The source's own number of the record; null where it numbers none. */
  readonly id: number | null;
  /** The source's name of it; empty where only the number is known. */
  readonly name: string;
  readonly count: number;
}

/** Records that could not be used, alike in id and reason. */
export interface ImportProblem extends ImportCount {
  /** The first one's reason, for people. */
  readonly message: string;
  /** Where the first one stands, in `offsetUnit`. */
  readonly firstOffset: number;
}

/** Where times come from. */
export interface ImportClock {
  readonly source: string;
  /** 0 where the log holds no ticks. */
  readonly ticksPerSecond: bigint;
  /** How long after `header.startedAt` the trace's time 0 is, in nanoseconds; null where the log does not say. */
  readonly zeroAtNs: bigint | null;
}
