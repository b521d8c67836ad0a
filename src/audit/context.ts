// What detectors share while a trace is walked, and where their findings are collected.
// It judges nothing itself but how much the trace can prove.

import type { Trace, TraceEvent, TraceHeader } from "../trace/mod.ts";
import type { AuditContext, CallView, FindingDraft } from "./detector.ts";
import type { Evidence, Verdict } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { ObjectTable } from "./object_table.ts";
import { Pairing } from "./pairing.ts";
import type { RuleName } from "./rules.ts";

/** How an audit looks at a trace. */
export interface ContextOptions {
  readonly strictRemap: boolean;
  /** Rules that are looked for. */
  readonly rules: (name: RuleName) => boolean;
}

/** The context of one audit. */
export class Context implements AuditContext {
  readonly header: TraceHeader;
  readonly objects = new ObjectTable();
  readonly pairing = new Pairing();
  readonly strictRemap: boolean;
  /** What was reported so far, each with the default verdict in place. */
  readonly drafts: (FindingDraft & { readonly verdict: Verdict })[] = [];
  readonly running = new Map<number, TraceEvent>();
  /** The newest event that the walk has come to. */
  position = 0;
  readonly #rules: (name: RuleName) => boolean;
  /** The first event that is lost: what stands before it is proven. 0: the maker lost something, nobody knows where. A damaged index loses no event. */
  readonly #firstLost: number;
  readonly #endReason: string;

  constructor(trace: Trace, { strictRemap, rules }: ContextOptions) {
    this.header = trace.header;
    this.strictRemap = strictRemap;
    this.#rules = rules;
    this.#endReason = trace.end?.reason ?? "cut";
    this.#firstLost = firstLost(trace);
  }

  runningCallback(event: number): TraceEvent | undefined {
    return this.running.get(event);
  }

  leakVerdict(): Verdict {
    if (this.#endReason !== "ended") return "live-at-end";
    return this.#firstLost === Infinity ? "certain" : "unproven";
  }

  historyVerdict(): Verdict {
    if (this.header.maker !== "engine") return "pre-existing";
    return this.position < this.#firstLost ? "certain" : "unproven";
  }

  report(draft: FindingDraft): void {
    if (!this.#rules(draft.rule)) return;
    const { verdict = this.position < this.#firstLost ? "certain" : "unproven" } = draft;
    this.drafts.push({ ...draft, verdict });
  }

  evidence(call: CallView, role: string): Evidence {
    return evidenceOf(call, role);
  }
}

function firstLost({ header, losses }: Trace): number {
  if (header.losses.length > 0) return 0;
  return losses.reduce((first, { firstEvent }) => firstEvent > 0 ? Math.min(first, firstEvent) : first, Infinity);
}
