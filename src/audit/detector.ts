// What a detector is given: calls joined from enter and leave, the shared object table, and a place to report.
// A detector asks a call for values by type word, never by a parameter's name, so that declarations stay the only place of names.

import type { CallPlan, ObjectKind, Outcome, Ref, Value } from "../api/mod.ts";
import type { Site, TraceEvent, TraceHeader } from "../trace/mod.ts";
import type { Evidence, Verdict } from "./finding.ts";
import type { Ended, ObjectTable } from "./object_table.ts";
import type { Pairing } from "./pairing.ts";
import type { PlanShape } from "./plan_shape.ts";
import type { RuleName, Severity } from "./rules.ts";

/** A call, whole or still waiting, while a hook looks at it: a whole one is gone afterwards unless it is kept. */
export interface CallView {
  /** Its call or enter event. */
  readonly event: number;
  /** Its call or leave event; 0 while it waits. */
  readonly returnedAt: number;
  readonly plan: CallPlan;
  /** What rules ask of the plan. */
  readonly shape: PlanShape;
  readonly side: string;
  /** The thread that made it, by name. */
  readonly actor: string;
  readonly site: Site | null;
  /** The callback event that it was made in, 0: none. */
  readonly insideCallback: number;
  readonly ins: readonly Value[];
  readonly outs: readonly Value[];
  /** Null while it waits. */
  readonly outcome: Outcome | null;
  /** NT_SUCCESS, or not refused; false while it waits. */
  readonly succeeded: boolean;
  /** The first in parameter of this type word (`pageCount`, `gpadl`), or undefined. */
  in(word: string): Value | undefined;
  /** The first out parameter of this type word, or the returned value; undefined where there is none. */
  out(word: string): Value | undefined;
  /** The object that the first in parameter of this kind names, or null (none, or a raw handle). */
  object(kind: string): Ref | null;
  /** The numbers of the channel and of the GPADL that it names first, -1: none. */
  readonly channel: number;
  readonly gpadl: number;
  /** The object at a place of `shape.at`, or null. */
  objectAt(place: number): Ref | null;
  /** The in value at a place of `shape.at` as a number, 0 where there is none; above 2^53 it is not exact. */
  numberAt(place: number): number;
  /** The number of the object at a place of `shape.at`, -1: none. */
  objectNumberAt(place: number): number;
  /** The number of the object at a place of the outs, -1: none; and the value of its handle. */
  madeNumberAt(place: number): number;
  madeHandleAt(place: number): number;
  /** The object at a place of the outs, or null. */
  madeAt(place: number): Ref | null;
  /** The out value at a place as `numberAt` gives it. */
  answerAt(place: number): number;
  /** The call as it is now, for later. */
  keep(): CallView;
}

/** A finding before codes, fingerprint and siblings are filled in. */
export interface FindingDraft {
  readonly rule: RuleName;
  /** A function where making the text is dear and the finding a note: of notes that repeat not all are listed. */
  readonly message: string | (() => string);
  readonly event: number;
  readonly object: Ref | null;
  readonly evidence: readonly Evidence[];
  /** Default: the rule's. */
  readonly severity?: Severity;
  /** Default `certain`, weakened by the context where events were lost. */
  readonly verdict?: Verdict;
  /** Adds shape to the fingerprint: counts and sizes, never addresses, handles or times. */
  readonly shape?: string;
  readonly sizeBytes?: number;
  /** Whose siblings are worth telling, where that is not `object`: the MDL of a mapping. */
  readonly born?: Ref;
}

/** What detectors share. */
export interface AuditContext {
  readonly header: TraceHeader;
  readonly objects: ObjectTable;
  readonly pairing: Pairing;
  readonly strictRemap: boolean;
  /** The callback event of this number while it runs, or undefined. */
  runningCallback(event: number): TraceEvent | undefined;
  /** Whether the trace began with the world: what it does not show to have been made was not there. */
  readonly isFromStart: boolean;
  /** What a leak at the trace's end is worth: certain only where the program ended and nothing was lost. */
  leakVerdict(): Verdict;
  /** What an end without a start is worth: certain only where the trace began with the world and nothing was lost. */
  historyVerdict(): Verdict;
  report(draft: FindingDraft): void;
  /** Whether a note about a call is one of many alike, of which enough are listed: then it is counted, and need not be made. */
  isRepeated(rule: RuleName, call: CallView, shape: string): boolean;
  /** Evidence of a call. */
  evidence(call: CallView, role: string): Evidence;
}

/** Told of a call: while it looks at it, the call is as `CallView` says. */
export type CallHook = (call: CallView, context: AuditContext) => void;

/** Says yes or no of a call. */
export type CallQuestion = (call: CallView, context: AuditContext) => boolean;

/** What is done at calls of one shape. */
export interface Listener {
  /** As `Detector.called` and `Detector.returned`. */
  readonly called?: CallHook;
  readonly returned?: CallHook;
  /** Only calls that wait matter to it: it is told of enters and leaves. Default: whole calls matter too. */
  readonly isOfWaits?: boolean;
  /** Whether a whole call that succeeded means nothing to it, but for what `take` of another notes. Left out: it has to be told of each. */
  readonly isIdle?: CallQuestion;
  /**
   * Takes a whole call that succeeded, to which all others that listen are idle, at once: all that it makes, changes and ends, in
   * place of all hooks. False where anything about it is out of the ordinary: then nothing is done yet, and all are told.
   */
  readonly take?: CallQuestion;
}

/** Watches a trace for the rules of one family. Every hook is optional; objects that a call creates are in the table already, those it destroys still are. */
export interface Detector {
  /**
   * What it does at calls of this shape, null: nothing; in place of `hears`, `called` and `returned`. Asked once per declaration, so
   * that what the declaration tells is worked out once: where an argument stands, and what such a call can do at all.
   */
  listen?(shape: PlanShape): Listener | null;
  /** Whether calls of this shape can matter to it; asked once per declaration. Left out: all do. */
  hears?(shape: PlanShape): boolean;
  /** Whether callbacks of this shape can matter to it, and who is inside one; asked once per declaration. Left out: all do. */
  hearsCallback?(plan: CallPlan): boolean;
  /** Whether the end of objects of this kind can matter to it. Left out: that of all does. */
  hearsEnd?(kind: ObjectKind): boolean;
  /** A call began: a whole call, or an enter. */
  called?(call: CallView, context: AuditContext): void;
  /** A call returned: the same view with its outcome (for a whole call, right after `called`). */
  returned?(call: CallView, context: AuditContext): void;
  callback?(event: TraceEvent, context: AuditContext): void;
  /** A callback returned; `returned` is the event with its outcome. */
  callbackReturned?(callback: TraceEvent, context: AuditContext, returned: TraceEvent): void;
  /** Objects that a call ended, and what went along, where one is heard: they are dead in the table. After `returned` of that call. */
  ended?(objects: readonly Ended[], context: AuditContext, call: CallView): void;
  /** The trace is over. */
  end?(context: AuditContext): void;
}

/** What a detector does at calls of a shape; null: nothing. */
export function listenerOf(detector: Detector, shape: PlanShape): Listener | null {
  if (detector.listen !== undefined) return detector.listen(shape);
  if (detector.hears?.(shape) === false) return null;
  return {
    ...(detector.called !== undefined && { called: (call, context) => detector.called?.(call, context) }),
    ...(detector.returned !== undefined && { returned: (call, context) => detector.returned?.(call, context) }),
  };
}
