// What detectors share while a trace is walked, and where their findings are collected.
// It judges nothing itself but how much the trace can prove.

import type { ObjectKind, Ref } from "../api/mod.ts";
import type { Trace, TraceEvent, TraceHeader } from "../trace/mod.ts";
import type { AuditContext, CallView, FindingDraft } from "./detector.ts";
import type { Evidence, Finding, Verdict } from "./finding.ts";
import { Fingerprints } from "./fingerprint.ts";
import { evidenceOf } from "./join.ts";
import { needsLeftOut } from "./left_out.ts";
import type { Counter } from "./kind_table.ts";
import { ObjectTable } from "./object_table.ts";
import { Pairing, thingOf } from "./pairing.ts";
import { NoteBook } from "./repeats.ts";
import { type RuleName, RULES, type Severity } from "./rules.ts";

/** How an audit looks at a trace. */
export interface ContextOptions {
  readonly strictRemap: boolean;
  /** Rules that are looked for. */
  readonly rules: (name: RuleName) => boolean;
}

/** What is the same for notes that say the same. */
export function defectOf(fingerprint: string, verdict: Verdict): string {
  return verdict === "certain" ? fingerprint : `${fingerprint} ${verdict}`;
}

/** A draft's severity: its own, or the rule's. */
export function severityOf({ rule, severity }: FindingDraft): Severity {
  return severity ?? RULES[rule].severity;
}

/** A finding as it is reported. */
interface Told extends Omit<Finding, "siblings" | "doubt"> {
  siblings: Finding["siblings"];
  doubt?: string;
}

/** The context of one audit. */
export class Context implements AuditContext {
  readonly header: TraceHeader;
  readonly pairing = new Pairing();
  readonly objects = new ObjectTable((kind) => this.#counterOf(kind));
  readonly strictRemap: boolean;
  /** What was reported so far and is listed; siblings are told when nothing more happens to objects. */
  readonly findings: Told[] = [];
  /** Whose siblings are worth telling, by the finding's place, where that is not its object. */
  readonly #born = new Map<number, Ref>();
  /** Which notes were listed. */
  readonly notes = new NoteBook();
  readonly running = new Map<number, TraceEvent>();
  /** The newest event that the walk has come to. */
  position = 0;
  readonly #rules: (name: RuleName) => boolean;
  /** The first event that is lost: what stands before it is proven. 0: the maker lost something, nobody knows where. A damaged index loses no event. */
  readonly #firstLost: number;
  readonly #endReason: string;
  readonly #fingerprints = new Fingerprints();

  constructor(trace: Trace, { strictRemap, rules }: ContextOptions) {
    this.header = trace.header;
    this.strictRemap = strictRemap;
    this.#rules = rules;
    this.#endReason = trace.end?.reason ?? "cut";
    this.#firstLost = firstLost(trace);
  }

  get isFromStart(): boolean {
    return this.header.maker === "engine" && this.header.startsAfter === 0;
  }

  runningCallback(event: number): TraceEvent | undefined {
    return this.running.get(event);
  }

  leakVerdict(): Verdict {
    if (this.#endReason !== "ended") return "live-at-end";
    if (this.header.leftOut.length > 0) return "unproven";
    return this.#firstLost === Infinity ? "certain" : "unproven";
  }

  historyVerdict(): Verdict {
    if (!this.isFromStart) return "pre-existing";
    if (this.header.leftOut.length > 0) return "unproven";
    return this.position < this.#firstLost ? "certain" : "unproven";
  }

  report(draft: FindingDraft): void {
    const { rule, event } = draft;
    if (!this.#rules(rule)) return;
    const { verdict = this.#isSure(rule) ? "certain" : "unproven" } = draft;
    const fingerprint = this.#fingerprints.of(draft);
    if (severityOf(draft) === "note" && !this.notes.take(rule, { defect: defectOf(fingerprint, verdict), event })) {
      return;
    }
    if (draft.born !== undefined) this.#born.set(this.findings.length, draft.born);
    // One thing for each: a trace may leak a hundred thousand ranges.
    const finding: Told = {
      rule,
      code: RULES[rule].code,
      severity: severityOf(draft),
      verdict,
      message: typeof draft.message === "string" ? draft.message : draft.message(),
      event,
      object: draft.object,
      fingerprint,
      evidence: draft.evidence,
      siblings: null,
      sizeBytes: draft.sizeBytes ?? 0,
    };
    if (verdict === "unproven") finding.doubt = this.#doubt();
    this.findings.push(finding);
  }

  /** The trace is over: findings tell what became of others. */
  tellSiblings(): void {
    for (const [index, finding] of this.findings.entries()) {
      finding.siblings = this.#siblingsAt(this.#born.get(index) ?? finding.object, finding.event);
    }
  }

  /** What became of others is worth telling where a finding stands at its object's birth: a leak. */
  #siblingsAt(ref: Ref | null, event: number): Finding["siblings"] {
    const object = ref === null ? undefined : this.objects.find(ref);
    return object !== undefined && object.createdAt === event ? this.objects.siblingsOf(object) : null;
  }

  isRepeated(rule: RuleName, call: CallView, shape: string): boolean {
    if (RULES[rule].severity !== "note") return false;
    if (!this.#rules(rule)) return true;
    const { event, plan, site } = call;
    const fingerprint = this.#fingerprints.ofCall(rule, shape, { call: plan.name, site });
    const verdict = this.#isSure(rule) ? "certain" : "unproven";
    return this.notes.count(rule, { defect: defectOf(fingerprint, verdict), event });
  }

  #counterOf(kind: ObjectKind): Counter | null {
    const thing = thingOf(kind);
    return thing === null ? null : this.pairing.counter(thing);
  }

  #isSure(rule: RuleName): boolean {
    return this.position < this.#firstLost && !needsLeftOut(this.header, rule);
  }

  /** What the trace lacks here: events that were lost, those that its recorder was told to leave out, or what its maker never shows. */
  #doubt(): string {
    const lacks = [
      ...(this.position < this.#firstLost ? [] : ["events were lost"]),
      ...(this.header.leftOut.length === 0 ? [] : ["events were left out when it was recorded"]),
    ];
    return lacks.length === 0 ? "it does not show all that took part" : lacks.join(", and ");
  }

  evidence(call: CallView, role: string): Evidence {
    return evidenceOf(call, role);
  }
}

function firstLost({ header, losses }: Trace): number {
  if (header.losses.length > 0) return 0;
  return losses.reduce((first, { firstEvent }) => firstEvent > 0 ? Math.min(first, firstEvent) : first, Infinity);
}
