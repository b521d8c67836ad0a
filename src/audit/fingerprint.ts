// The fingerprint of a finding: the same for the same defect in another run. Rule, calls, call sites and shapes go in;
// addresses, handles, object numbers, event numbers and times never do.

import type { FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";

/** 16 hexadecimal digits: 64-bit FNV-1a over rule, birthplace, offending call and shape. */
export function fingerprintOf({ rule, event, evidence, shape }: FindingDraft): string {
  const offending = evidence.find((each) => each.event === event);
  const created = evidence.find((each) => each.role === "created");
  return hash([rule, placeOf(created), placeOf(offending), shape ?? ""].join("\n"));
}

function placeOf(evidence: Evidence | undefined): string {
  if (evidence === undefined) return "";
  const { call, site } = evidence;
  return site === null ? call : `${call} ${site.file}:${site.line}:${site.function}`;
}

const OFFSET_BASIS = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

function hash(text: string): string {
  let sum = OFFSET_BASIS;
  for (const byte of new TextEncoder().encode(text)) sum = BigInt.asUintN(64, (sum ^ BigInt(byte)) * PRIME);
  return sum.toString(16).padStart(16, "0");
}
