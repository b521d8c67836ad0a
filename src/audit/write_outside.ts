// Writes of the server through a GPADL's mapping that leave the bytes that the GPADL describes: pages are mapped
// whole, so what lies behind the last byte is in reach, and is somebody else's.
// Decisions: a write that begins inside and runs out is one as well; one that leaves the mapped pages is refused, and none;
// where the bytes are not known, there is none.

import { printObject } from "../api/mod.ts";
import type { CallView, FindingDraft } from "./detector.ts";
import { about } from "./gpadl_drafts.ts";
import type { Mapping } from "./gpadl_states.ts";
import { evidenceOf } from "./join.ts";
import { countText } from "./wording.ts";

/** What a call breaks that writes through a mapping's MDL, or null. */
export function writeOutside(call: CallView, mapping: Mapping): FindingDraft | null {
  const data = call.in("bytes");
  if (!call.succeeded || !(data instanceof Uint8Array)) return null;
  const { gpadl, mapped } = mapping;
  const { byteCount: describedBytes } = gpadl;
  const from = call.numberAt(call.shape.at.byteOffset);
  const end = from + data.length;
  if (data.length === 0 || describedBytes === 0 || end <= describedBytes) return null;
  const outside = Math.min(data.length, end - describedBytes);
  const text = `${countText(outside, "byte")} of a write at byte ${from} lie behind the ${describedBytes} bytes that ` +
    `${printObject(gpadl.ref)} describes`;
  const draft = about(gpadl, "write-outside-range", { call, role: "written", text });
  return { ...draft, evidence: [gpadl.created, mapped, evidenceOf(call, "written")], sizeBytes: outside };
}
