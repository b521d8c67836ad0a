// The audit: one pass that joins calls, keeps the table of objects and asks every detector; then, where something was
// found, a second one for evidence. It knows no rule: detectors do. Memory is bound to what lives.

import { type ObjectKind, OBJECTS, operandRefs, type Ref } from "../api/mod.ts";
import type { Trace, TraceEvent } from "../trace/mod.ts";
import { channelDetector } from "./channel_rules.ts";
import { ChannelStates } from "./channel_states.ts";
import { Context } from "./context.ts";
import type { Detector, FindingDraft } from "./detector.ts";
import { EVIDENCE_LIMIT, withEvidence } from "./evidence.ts";
import { Fingerprints } from "./fingerprint.ts";
import type { AuditResult, Finding, Verdict } from "./finding.ts";
import { gpadlDetector } from "./gpadl_rules.ts";
import { Gpadls } from "./gpadl_states.ts";
import { GuestPages } from "./guest_pages.ts";
import { exitedSide, isProcessExit } from "./gpu_call_values.ts";
import { gpuObjectDetector } from "./gpu_object_rules.ts";
import { gpuVaDetector } from "./gpu_va_rules.ts";
import { type JoinedCall, walk, type Walker } from "./join.ts";
import { memoryDetector } from "./memory_rules.ts";
import { type ObjectTable, type Tracked } from "./object_table.ts";
import { observationDetector, observationLimits } from "./observation_rules.ts";
import type { PlanShape } from "./plan_shape.ts";
import { type RuleName, RULES, SEVERITIES } from "./rules.ts";

/** What an audit looks for, and what it does on the way. */
export interface AuditOptions {
  /** A map over a mapping is a warning; default: a note. */
  readonly strictRemap?: boolean;
  /** Rules that are looked for; default: all. */
  readonly rules?: (name: RuleName) => boolean;
  /** Told now and then how many events were read, in the first pass. */
  readonly onProgress?: (events: number) => void;
  /** How many findings, from the first, get the evidence of a second pass; 0: none. Default 256. */
  readonly evidenceLimit?: number;
}

/** Finds what is wrong in a trace. Same trace, same findings, in the same order: by severity, then by event. */
export function audit(trace: Trace, options: AuditOptions = {}): AuditResult {
  const { onProgress, evidenceLimit = EVIDENCE_LIMIT } = options;
  if (!Number.isSafeInteger(evidenceLimit) || evidenceLimit < 0) {
    throw new RangeError(`Cannot audit with evidenceLimit ${evidenceLimit}: wanted a whole number from 0 on`);
  }
  const rules = options.rules ?? (() => true);
  const context = new Context(trace, { strictRemap: options.strictRemap === true, rules });
  const first = new FirstPass(context, detectorsFor(trace));
  walk(trace, first, onProgress === undefined ? {} : { onProgress });
  first.end();
  const fingerprints = new Fingerprints();
  const made = context.drafts.map((draft) => toFinding(draft, { objects: context.objects, fingerprints }));
  const findings = made.sort(bySeverity);
  return {
    events: trace.eventCount,
    complete: trace.complete,
    findings: withEvidence(trace, findings, { limit: evidenceLimit, hasWrites: first.hasWrites }),
    pairing: context.pairing.toRecord(),
    off: rulesOff(trace).filter(({ rule }) => rules(rule)),
  };
}

/** Every detector, in the order that they are asked: those that keep states stand before those that ask for them. */
function detectorsFor(trace: Trace): readonly Detector[] {
  const channels = new ChannelStates(trace.header);
  const gpadls = new Gpadls();
  const pages = new GuestPages();
  return [
    channelDetector(channels),
    gpadlDetector({ channels, gpadls, pages }),
    memoryDetector(gpadls, pages),
    gpuVaDetector(),
    gpuObjectDetector(),
    observationDetector(),
  ];
}

/** Rules that need what only the model promises. */
function rulesOff(trace: Trace): AuditResult["off"] {
  if (trace.header.maker === "engine") return [];
  const reason = "which pages are given out again is known of the model's memory only";
  return [{ rule: "guest-page-reused-while-shared", reason }, ...observationLimits(trace.header)];
}

/** Whether a detector counts the starts and ends of this kind itself: GPADLs, and what the GPU's rules are about. */
function isCountedElsewhere(kind: ObjectKind): boolean {
  return kind === "gpadl" || OBJECTS[kind].handles === "d3dkmt";
}

/** Kinds as `pairing` names them: `kernel-handle`. */
const THINGS: ReadonlyMap<string, string> = new Map(
  Object.keys(OBJECTS).map((kind) => [kind, kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)]),
);

function thingOf(kind: ObjectKind): string {
  return THINGS.get(kind) ?? kind;
}

class FirstPass implements Walker {
  readonly #context: Context;
  readonly #detectors: readonly Detector[];
  /** Who hears calls of a shape: most calls matter to few families. */
  readonly #hearers = new WeakMap<PlanShape, readonly Detector[]>();

  /** The CPU wrote to memory, so that somebody can have written it last. */
  hasWrites = false;

  constructor(context: Context, detectors: readonly Detector[]) {
    this.#context = context;
    this.#detectors = detectors;
  }

  called(call: JoinedCall): void {
    this.#context.position = call.event;
    if (call.succeeded) this.#create(call);
    for (const detector of this.#hearersOf(call.shape)) detector.called?.(call, this.#context);
  }

  returned(call: JoinedCall): void {
    this.#context.position = call.returnedAt;
    const hasWaited = call.returnedAt !== call.event;
    if (hasWaited && call.succeeded) this.#create(call);
    for (const detector of this.#hearersOf(call.shape)) detector.returned?.(call, this.#context);
    if (!call.succeeded) return;
    if (call.shape.isWrite) this.hasWrites = true;
    if (call.shape.destroys.length > 0) {
      this.#countUnmatched(call);
      this.#ended(this.#context.objects.destroy(call));
    }
    if (isProcessExit(call.plan)) this.#exited(call);
  }

  callback(event: TraceEvent): void {
    this.#context.position = event.event;
    this.#context.running.set(event.event, event);
    for (const detector of this.#detectors) detector.callback?.(event, this.#context);
  }

  callbackReturned(callback: TraceEvent, returned: TraceEvent): void {
    this.#context.position = returned.event;
    this.#context.running.delete(callback.event);
    for (const detector of this.#detectors) detector.callbackReturned?.(callback, this.#context, returned);
  }

  memory(): void {}

  /** The trace is over. */
  end(): void {
    for (const detector of this.#detectors) detector.end?.(this.#context);
    const isCertain = this.#context.leakVerdict() === "certain";
    for (const kind of this.#context.objects.kinds()) {
      if (isCountedElsewhere(kind)) continue;
      const count = [...this.#context.objects.all(kind)].length;
      // Only a channel that is left breaks a rule; buffers and MDLs go with their partition.
      for (let left = 0; left < count; left += 1) {
        this.#context.pairing.left(thingOf(kind), isCertain && kind === "channel");
      }
    }
  }

  #hearersOf(shape: PlanShape): readonly Detector[] {
    const known = this.#hearers.get(shape);
    if (known !== undefined) return known;
    const made = this.#detectors.filter((detector) => detector.hears?.(shape) ?? true);
    this.#hearers.set(shape, made);
    return made;
  }

  #create(call: JoinedCall): void {
    if (call.shape.creates.length === 0) return;
    for (const { ref } of this.#context.objects.create(call)) this.#count(ref.kind, "start");
  }

  #count(kind: ObjectKind, edge: "start" | "pair"): void {
    if (!isCountedElsewhere(kind)) this.#context.pairing[edge](thingOf(kind));
  }

  #ended(objects: readonly Tracked[]): void {
    if (objects.length === 0) return;
    for (const { ref } of objects) this.#count(ref.kind, "pair");
    for (const detector of this.#detectors) detector.ended?.(objects, this.#context);
  }

  /** An end that succeeded, of an object that was never seen to begin. */
  #countUnmatched(call: JoinedCall): void {
    for (const { subject } of call.shape.destroys) {
      for (const ref of operandRefs(call, subject)) {
        if (isCountedElsewhere(ref.kind) || this.#context.objects.find(ref) !== undefined) continue;
        this.#context.pairing.unmatchedEnd(thingOf(ref.kind), this.#context.historyVerdict() !== "certain");
      }
    }
  }

  #exited(call: JoinedCall): void {
    const side = exitedSide(call);
    if (side !== null) this.#ended(this.#context.objects.endProcess(side, call.returnedAt));
  }
}

function toFinding(
  draft: FindingDraft & { readonly verdict: Verdict },
  { objects, fingerprints }: { readonly objects: ObjectTable; readonly fingerprints: Fingerprints },
): Finding {
  const { rule, message, event, object, evidence } = draft;
  return {
    rule,
    code: RULES[rule].code,
    severity: draft.severity ?? RULES[rule].severity,
    verdict: draft.verdict,
    message,
    event,
    object,
    fingerprint: fingerprints.of(draft),
    evidence,
    siblings: siblingsAt(draft.born ?? object, event, objects),
    sizeBytes: draft.sizeBytes ?? 0,
  };
}

/** What became of others is worth telling where a finding stands at its object's birth: a leak. */
function siblingsAt(ref: Ref | null, event: number, objects: ObjectTable): Finding["siblings"] {
  const object = ref === null ? undefined : objects.find(ref);
  return object !== undefined && object.createdAt === event ? objects.siblingsOf(object) : null;
}

const RANKS: ReadonlyMap<string, number> = new Map(SEVERITIES.map((severity, rank) => [severity, rank]));

function bySeverity(left: Finding, right: Finding): number {
  if (left.severity === right.severity) return left.event - right.event;
  return (RANKS.get(left.severity) ?? 0) - (RANKS.get(right.severity) ?? 0);
}
