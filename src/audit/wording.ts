// Pieces of the sentences that findings say: counts, positions, sites, handles. No rule is known here.

import { isRef, printObject, printSite, type Value } from "../api/mod.ts";
import type { Evidence } from "./finding.ts";

/** `0x1000`. */
export function hexText(value: number | bigint): string {
  if (typeof value === "bigint" || value < WORD || !Number.isSafeInteger(value)) return `0x${value.toString(16)}`;
  // Numbers above 32 bits are dear to write out in one.
  return `0x${Math.floor(value / WORD).toString(16)}${(value % WORD).toString(16).padStart(8, "0")}`;
}

const WORD = 2 ** 32;

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
