// The rows of a trace: what one event is, what a header says, what was lost. The one model that every tool reads.
// It must not know bytes (reader and writer do) nor the engine.

import type { Viewer, VisitOptions, Visitor } from "./visit.ts";
import type { CallPlan, Level, ModelOptions, Outcome, Value } from "../api/mod.ts";

/** Every event kind, in the order of their numbers in the file. */
export const EVENT_KINDS = ["call", "enter", "leave", "callback", "return", "memory", "note"] as const;

/** Every level, in the order of their numbers in the file. */
export const LEVELS = ["machine", "kmcl", "d3dkmt", "wire"] as const satisfies readonly Level[];

/** Those of some words that name a level, in their order. */
export function levelsOf(words: readonly string[]): readonly Level[] {
  return words.flatMap((word) => LEVELS.filter((level) => level === word));
}

/** What an event is: a whole call; the enter and leave of a call that waited; a callback and its return; a memory delta; a note. */
export type EventKind = (typeof EVENT_KINDS)[number];

/** Where a call was made. Lines and columns from 1; 0: unknown. The file is relative to the program. */
export interface Site {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly function: string;
}

/** A change of memory: bytes [offset, offset+length) of one page of a partition. */
export interface MemoryDelta {
  readonly partition: Partition;
  /** Page frame number; pages are 4096 bytes. */
  readonly page: number;
  readonly offset: number;
  readonly length: number;
  /** crc32 of the bytes written. */
  readonly digest: number;
  /** The bytes written, null where the trace keeps digests only. */
  readonly bytes: Uint8Array | null;
}

/** Whose memory: the guest's, the host's, or the GPU's own. */
export type Partition = "guest" | "host" | "video";

/** One event. Positions (`event`, `cause`, `of`) are event numbers from 1; 0 means none. */
export interface TraceEvent {
  readonly event: number;
  readonly kind: EventKind;
  /** The declaration; null for memory and notes. A leave and a return carry that of their enter and callback. */
  readonly plan: CallPlan | null;
  readonly side: string;
  /** The thread that acted: an actor of the program, or a thread id of a captured system. */
  readonly actor: string;
  readonly level: Level;
  /** The event that made this one: a callback's call, a call's callback, a memory delta's call. */
  readonly cause: number;
  /** A leave's enter; a return's callback. */
  readonly of: number;
  /** Virtual time in nanoseconds (an import: time since the capture began). */
  readonly timeNs: bigint;
  /** Wall time in nanoseconds since the recording began, read rarely; 0 where off. */
  readonly wallNs: number;
  readonly site: Site | null;
  /** Values of `plan.ins`, for call, enter and callback; else empty. */
  readonly ins: readonly Value[];
  /** Values of `plan.outs`, for call and leave of a call that answered; else empty. */
  readonly outs: readonly Value[];
  /** For call, leave and return. */
  readonly outcome: Outcome | null;
  readonly memory: MemoryDelta | null;
  /** A note's text. */
  readonly text: string;
}

/** What takes events as they happen. */
export interface EventSink {
  event(event: TraceEvent): void;
}

/** How much of memory's changes a trace keeps. */
export type MemoryMode = "full" | "digest" | "none";
/** Which calls keep their sites. */
export type SitesMode = "all" | "creating" | "findings" | "off";

/** What a trace says of itself before its first event. */
export interface TraceHeader {
  readonly tool: string;
  readonly toolVersion: string;
  /** `engine`: recorded on the model; otherwise the importer that made it (`etl`, `json`). */
  readonly maker: string;
  readonly engineVersion: number;
  readonly options: ModelOptions;
  /** The program's name (a file's without its folder); `kind` says what ran. */
  readonly program: {
    readonly name: string;
    readonly kind: "builtin" | "module" | "calls" | "import";
    readonly args: readonly string[];
  };
  readonly seed: number;
  readonly sites: SitesMode;
  readonly memory: MemoryMode;
  readonly wallClock: boolean;
  /** ISO date when the recording began; empty where wall time is off. */
  readonly startedAt: string;
  /** Classes of events that the maker captured (an import); audits that need others are off. Empty: all. */
  readonly capabilities: readonly string[];
  /** What the maker knows that it lost. */
  readonly losses: readonly Loss[];
  /** Events up to this one were let go on purpose, to keep the last part of a run; a keyframe stands before the next. 0: none. */
  readonly startsAfter: number;
  /** What was kept out of the trace on purpose, in words, as `calls other than VmbChannel*`. Empty: nothing. */
  readonly leftOut: readonly string[];
  /** The choice behind `leftOut`; null where it is empty, or not the choice of a recorder's filters. */
  readonly selection: Selection | null;
}

/**
 * Which events a recorder kept: those that something in each list names that is not empty. Events keep the numbers that
 * they have in the whole run, so what points to one that was left out points into a gap.
 */
export interface Selection {
  /** Event numbers, both included; `to` null: to the end. Null: all. */
  readonly range: { readonly from: number; readonly to: number | null } | null;
  /** Globs over names of calls and callbacks. */
  readonly calls: readonly string[];
  /** Layers; memory goes with the input that made it. */
  readonly levels: readonly Level[];
  readonly sides: readonly string[];
  /** Objects as `gpadl#7`, or a kind, `gpadl`. */
  readonly objects: readonly string[];
}

/** Something lost: events of a capture, or a damaged part of the file. */
export interface Loss {
  readonly what: string;
  /** Missing event numbers, first to last; 0 where unknown. */
  readonly firstEvent: number;
  readonly lastEvent: number;
  /** Where in the file, -1 where it does not apply. */
  readonly offsetBytes: number;
}

/** How a recording ended. */
export interface TraceEnd {
  /** `ended`: ran to its end, so what is held is leaked; otherwise why it stopped early. */
  readonly reason: "ended" | "threw" | "interrupted" | "write-failed" | "imported";
  readonly message: string;
  readonly events: number;
}

/** The engine's state at an event: all that happened up to and with `event`. */
export interface Keyframe {
  readonly event: number;
  readonly state: Uint8Array;
  /** How many bytes it takes in the file: it may not claim much more than these can hold. */
  readonly storedBytes: number;
}

/** A trace, however it is kept; walking it holds one chunk at a time. */
export interface Trace {
  readonly header: TraceHeader;
  /** Null: the recording never said how it ended (cut). */
  readonly end: TraceEnd | null;
  /** The last event's number. */
  readonly eventCount: number;
  /** Whole and undamaged, nothing lost. */
  readonly complete: boolean;
  readonly losses: readonly Loss[];
  /** Events from..to, both included; all where left out. */
  events(range?: { readonly from?: number; readonly to?: number }): IterableIterator<TraceEvent>;
  /** As `visitEvents` does it, faster than by walking `events`; left out: there is no faster way. */
  visit?(visitor: Visitor, options: VisitOptions): void;
  /** As `viewEvents` does it, without making events that nobody keeps; left out: there is no faster way. */
  view?(viewer: Viewer, options: VisitOptions): void;
  keyframes(): IterableIterator<Keyframe>;
}
