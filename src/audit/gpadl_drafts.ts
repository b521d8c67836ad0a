// Findings about GPADLs in the making: what all of them say alike. It decides nothing but flag bits.

import { printObject } from "../api/mod.ts";
import { UNLOAD } from "./call_shapes.ts";
import type { CallView, FindingDraft } from "./detector.ts";
import { type GpadlRecord, historyOf, READ_ONLY } from "./gpadl_states.ts";
import { evidenceOf } from "./join.ts";
import type { RuleName } from "./rules.ts";
import { hexText, placeText } from "./wording.ts";
import { sizeText } from "../wire/mod.ts";

/** A finding about a known GPADL at a call. */
export function about(
  gpadl: GpadlRecord,
  rule: RuleName,
  { call, role, text }: { readonly call: CallView; readonly role: string; readonly text: string },
): FindingDraft {
  const past = historyOf(gpadl).filter(({ event }) => event !== call.event);
  return {
    rule,
    message: text,
    event: call.event,
    object: gpadl.ref,
    evidence: [...past, evidenceOf(call, role)],
    sizeBytes: gpadl.byteCount,
  };
}

/** What ends a GPADL: its delete, or the unload of the guest. */
export function endingText({ ref, deletion }: GpadlRecord): string {
  const name = printObject(ref);
  return deletion?.began.call === UNLOAD ? `The unload that ends ${name}` : `The delete of ${name}`;
}

/** Those that are findings, in order; most often none is. */
export function drafted(...drafts: readonly (FindingDraft | null)[]): readonly FindingDraft[] {
  for (const draft of drafts) if (draft !== null) return drafts.filter((each) => each !== null);
  return NONE;
}

const NONE: readonly FindingDraft[] = [];

/** Flag bits that do not exist (G-18), on a create or a map. */
export function badFlags(call: CallView, gpadl?: GpadlRecord): FindingDraft | null {
  const flags = call.numberAt(call.shape.at.gpadlFlags);
  if ((flags & ~READ_ONLY) === 0) return null;
  const text = `${call.plan.name} with flags ${hexText(flags)}; only READ_ONLY (0x1) exists`;
  if (gpadl !== undefined) return about(gpadl, "gpadl-bad-flags", { call, role: "used", text });
  return {
    rule: "gpadl-bad-flags",
    message: text,
    event: call.event,
    object: null,
    evidence: [evidenceOf(call, "used")],
  };
}

/** `gpadl#4 (64 KB), created @120 at x.ts:88 (share),`. */
export function sized(gpadl: GpadlRecord): string {
  return `${printObject(gpadl.ref)} (${sizeText(gpadl.byteCount)}), created ${placeText(gpadl.created)},`;
}
