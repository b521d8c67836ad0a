// What is true of every audit rule: its code, severity, text and source. It must not know any rule.

/** How bad a finding is, worst first. */
export const SEVERITIES = ["error", "hang", "warning", "note"] as const;
/** How bad a finding is. */
export type Severity = (typeof SEVERITIES)[number];

/** One rule. */
export interface Rule {
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong, in one line. */
  readonly doc: string;
  /** The documented clause. */
  readonly source: string;
  /** Why no run of the model can break it. */
  readonly unreachable?: string;
}
