// Pieces of the sentences that findings say: counts, positions, sites, handles. No rule is known here.

import { isRef, printObject, printSite, type Value } from "../api/mod.ts";
import type { Evidence } from "./finding.ts";

/** `0x1000`. */
export function hexText(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** `1 page`, `16 pages`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What a handle parameter held: the object's name, the raw value, or null. */
export function handleText(value: Value | undefined): string {
  if (value === undefined || value === null) return "null";
  if (isRef(value)) return printObject(value);
  return typeof value === "number" ? `handle ${hexText(value)}` : String(value);
}

/** `@120 at gpu_pv.ts:88 (shareBuffer)`. */
export function placeText({ event, site }: Pick<Evidence, "event" | "site">): string {
  if (site === null) return `@${event}`;
  return `@${event} at ${printSite(site)}`;
}
