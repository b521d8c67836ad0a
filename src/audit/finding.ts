// What an audit finds, as data: names, positions, sites, and how sure it is. No text layout, no colour.

import type { Ref } from "../api/mod.ts";
import type { Site } from "../trace/mod.ts";
import type { RuleName, Severity } from "./rules.ts";

/** How much the trace can prove. */
export type Verdict = "certain" | "unproven" | "pre-existing" | "live-at-end";

/** An event that belongs to a finding. */
export interface Evidence {
  readonly event: number;
  /** `created`, `mapped`, `unmapped`, `deleted`, `freed`, `last-written`, `blocked`, `holder`, … */
  readonly role: string;
  readonly site: Site | null;
  /** The call made there; empty for memory. */
  readonly call: string;
  readonly side: string;
}

/** Others of the same birthplace: who was released shows that the code can. */
export interface Siblings {
  readonly created: number;
  readonly released: number;
  /** One that was released, and the event that did it; null: none was. */
  readonly example: { readonly object: Ref; readonly event: number } | null;
}

/** One finding. */
export interface Finding {
  readonly rule: RuleName;
  readonly code: string;
  readonly severity: Severity;
  readonly verdict: Verdict;
  readonly message: string;
  /** Where it is: the event that broke the rule, or that made what leaked. */
  readonly event: number;
  readonly object: Ref | null;
  /** The same for the same defect in another run: rule, call sites and shapes only. */
  readonly fingerprint: string;
  readonly evidence: readonly Evidence[];
  readonly siblings: Siblings | null;
  /** Bytes concerned, 0: does not apply. */
  readonly sizeBytes: number;
  /** Why the trace cannot prove it, in words; left out for any verdict but `unproven`. */
  readonly doubt?: string;
  /**
   * Notes of the same fingerprint that are counted and not listed, told with the first that is; left out where
   * there are none, and for whatever is no note.
   */
  readonly repeated?: number;
}

/** What was seen of a kind of thing that starts and ends. */
export interface PairingCount {
  readonly starts: number;
  readonly ends: number;
  readonly pairs: number;
  readonly preExisting: number;
  readonly liveAtEnd: number;
  readonly leaked: number;
}

/** What an audit gives. */
export interface AuditResult {
  readonly events: number;
  readonly complete: boolean;
  readonly findings: readonly Finding[];
  readonly pairing: Readonly<Record<string, PairingCount>>;
  /** Rules that were off because the trace lacks what they need, with the reason. */
  readonly off: readonly { readonly rule: RuleName; readonly reason: string }[];
}
