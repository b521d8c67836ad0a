// Pieces of the sentences that findings say: sizes, positions, sites, objects. No rule is known here.

import type { Ref, Value } from "../api/mod.ts";
import { isRef } from "../api/mod.ts";
import type { Evidence } from "./finding.ts";

const UNITS = ["bytes", "KB", "MB", "GB"] as const;

/** `64 KB`, `12.5 KB`, `100 bytes`. */
export function sizeText(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const rounded = Math.round(amount * 10) / 10;
  return `${rounded} ${bytes === 1 ? "byte" : UNITS[unit]}`;
}

/** `1 page`, `16 pages`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `gpadl#7`. */
export function nameOf({ kind, number }: Ref): string {
  return `${kind}#${number}`;
}

/** What a handle parameter held: the object's name, the raw value, or null. */
export function handleText(value: Value | undefined): string {
  if (value === undefined || value === null) return "null";
  if (isRef(value)) return nameOf(value);
  return typeof value === "number" ? `handle 0x${value.toString(16)}` : String(value);
}

/** `@120 at gpu_pv.ts:88 (shareBuffer)`. */
export function placeText({ event, site }: Pick<Evidence, "event" | "site">): string {
  if (site === null) return `@${event}`;
  const inside = site.function === "" ? "" : ` (${site.function})`;
  return `@${event} at ${site.file}:${site.line}${inside}`;
}
