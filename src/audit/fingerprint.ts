// The fingerprint of a finding: the same for the same defect in another run. Rule, calls, call sites and shapes go in;
// addresses, handles, object numbers, event numbers and times never do.

import type { FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";

/** Texts whose hash is remembered; a thousand findings of one defect say the same. */
const TEXTS_KEPT = 4096;

/** What of evidence goes in. */
type SomePlace = Pick<Evidence, "call" | "site">;

/** What a fingerprint is made of. */
interface Parts {
  readonly created: Evidence | undefined;
  readonly offending: Evidence | undefined;
  readonly shape: string;
  readonly made: string;
}

/** Fingerprints of one audit: 16 hexadecimal digits, 64-bit FNV-1a over rule, birthplace, offending call and shape. */
export class Fingerprints {
  readonly #known = new Map<string, string>();
  /** The newest of each rule: one defect is found again and again. */
  readonly #newest = new Map<string, Parts>();

  of(draft: FindingDraft): string {
    const { rule, shape = "" } = draft;
    const [created, offending] = placesOf(draft);
    const newest = this.#newest.get(rule);
    if (
      newest !== undefined && newest.shape === shape && isSamePlace(newest.created, created) &&
      isSamePlace(newest.offending, offending)
    ) return newest.made;
    const made = this.#of(`${rule}\n${placeOf(created)}\n${placeOf(offending)}\n${shape}`);
    this.#newest.set(rule, { created, offending, shape, made });
    return made;
  }

  /** The same of a rule that a call broke, where no birthplace is told. */
  ofCall(rule: string, shape: string, offending: Pick<Evidence, "call" | "site">): string {
    const newest = this.#newest.get(rule);
    const isSame = newest !== undefined && newest.shape === shape && newest.created === undefined &&
      isSamePlace(newest.offending, offending);
    return isSame ? newest.made : this.#of(`${rule}\n\n${placeOf(offending)}\n${shape}`);
  }

  #of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= TEXTS_KEPT) this.#known.clear();
    const made = hash(text);
    this.#known.set(text, made);
    return made;
  }
}

/** Where the object was made, and where the rule was broken. */
function placesOf({ event, evidence }: FindingDraft): readonly [Evidence | undefined, Evidence | undefined] {
  let created: Evidence | undefined;
  let offending: Evidence | undefined;
  for (const each of evidence) {
    if (created === undefined && each.role === "created") created = each;
    if (offending === undefined && each.event === event) offending = each;
  }
  return [created, offending];
}

function isSamePlace(left: SomePlace | undefined, right: SomePlace | undefined): boolean {
  return left === right ||
    (left !== undefined && right !== undefined && left.call === right.call && left.site === right.site);
}

function placeOf(evidence: SomePlace | undefined): string {
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
