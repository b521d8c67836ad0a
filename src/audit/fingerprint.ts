// The fingerprint of a finding: the same for the same defect in another run. Rule, calls, call sites and shapes go in;
// addresses, handles, object numbers, event numbers and times never do.

import type { FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";

/** Texts whose hash is remembered; a thousand findings of one defect say the same. */
const TEXTS_KEPT = 4096;

/** Fingerprints of one audit: 16 hexadecimal digits, 64-bit FNV-1a over rule, birthplace, offending call and shape. */
export class Fingerprints {
  readonly #known = new Map<string, string>();

  of({ rule, event, evidence, shape = "" }: FindingDraft): string {
    const offending = evidence.find((each) => each.event === event);
    const created = evidence.find((each) => each.role === "created");
    const text = `${rule}\n${placeOf(created)}\n${placeOf(offending)}\n${shape}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= TEXTS_KEPT) this.#known.clear();
    const made = hash(text);
    this.#known.set(text, made);
    return made;
  }
}

function placeOf(evidence: Evidence | undefined): string {
  if (evidence === undefined) return "";
  const { call, site } = evidence;
  return site === null ? call : `${call} ${site.file}:${site.line}:${site.function}`;
}

/** The offset basis in halves. The prime is 2^40 + 0x1b3, so a product is a shift of the low half and a small product. */
const BASIS = { high: 0xcbf29ce4, low: 0x84222325 } as const;
const SMALL_PRIME = 0x1b3;
const WORD = 2 ** 32;

/** In two halves of 32 bits: every product stays below 2^53, and nothing is allocated per byte. */
function hash(text: string): string {
  let { high, low }: { high: number; low: number } = BASIS;
  const bytes = new TextEncoder().encode(text);
  for (let index = 0; index < bytes.length; index += 1) {
    const mixed = (low ^ (bytes[index] ?? 0)) >>> 0;
    const product = mixed * SMALL_PRIME;
    high = (high * SMALL_PRIME + Math.floor(product / WORD) + ((mixed << 8) >>> 0)) % WORD;
    low = product >>> 0;
  }
  return hexOf(high) + hexOf(low);
}

function hexOf(word: number): string {
  return word.toString(16).padStart(8, "0");
}
