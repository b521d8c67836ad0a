// The rules that an audit could not look for, in words: those with one reason together. It must not know why.

import type { AuditResult } from "../audit/mod.ts";
import { escapeText } from "./escape.ts";

/** How many are named of those that have one reason. */
const NAMED = 3;

/** A text for each reason: `gpadl-leak is off: …`, `gpadl-leak, gpadl-double-map, channel-leak and 40 more are off: …`. */
export function rulesOffTexts(off: AuditResult["off"]): readonly string[] {
  const reasons = Map.groupBy(off, ({ reason }) => reason);
  return Array.from(reasons, ([reason, rules]) => {
    const named = rules.slice(0, NAMED).map(({ rule }) => rule).join(", ");
    const more = rules.length > NAMED ? ` and ${rules.length - NAMED} more` : "";
    const plural = rules.length === 1 ? "rule" : "rules";
    return `${plural} ${named}${more} ${rules.length === 1 ? "is" : "are"} off: ${escapeText(reason)}`;
  });
}
