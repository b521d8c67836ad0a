// Which notes are listed: a program that does something legal a million times makes a million notes, and a thousand of a
// defect tell what there is to tell. What is not listed is counted. Nothing but notes is ever left out: that is for the
// caller to see to. It must not know rules.

/** Notes of one defect that are listed. */
export const NOTES_LISTED = 1000;
/** Notes of one rule that are listed; beyond it only the first of each further defect is. */
const RULE_NOTES_LISTED = 16_384;
/** Defects that are told apart; the notes of further ones are counted with the last. */
const DEFECTS_KEPT = 65_536;

/** A defect's notes. */
export interface Repeats {
  listed: number;
  /** Notes that were not listed, and the last event of one. */
  repeated: number;
  lastEvent: number;
}

/** Counts the notes of one audit. */
export class NoteBook {
  readonly #defects = new Map<string, Repeats>();
  readonly #listed = new Map<string, number>();
  #last: Repeats = { listed: 0, repeated: 0, lastEvent: 0 };

  /** Takes a note of a defect, a text that is the same for the same one; says whether it is listed. */
  take(rule: string, { defect, event }: { readonly defect: string; readonly event: number }): boolean {
    const repeats = this.#of(defect);
    if (repeats.listed < this.#limitOf(rule)) {
      repeats.listed += 1;
      this.#listed.set(rule, (this.#listed.get(rule) ?? 0) + 1);
      return true;
    }
    repeats.repeated += 1;
    repeats.lastEvent = event;
    return false;
  }

  /** Counts a note of a defect that has as many listed as there may be; false, and nothing counted, where it is to be taken. */
  count(rule: string, { defect, event }: { readonly defect: string; readonly event: number }): boolean {
    const repeats = this.#defects.get(defect);
    if (repeats === undefined || repeats.listed < this.#limitOf(rule)) return false;
    repeats.repeated += 1;
    repeats.lastEvent = event;
    return true;
  }

  #limitOf(rule: string): number {
    return (this.#listed.get(rule) ?? 0) < RULE_NOTES_LISTED ? NOTES_LISTED : 1;
  }

  /** What is known of a defect; undefined where it had no note. */
  find(defect: string): Repeats | undefined {
    return this.#defects.get(defect);
  }

  #of(defect: string): Repeats {
    const known = this.#defects.get(defect);
    if (known !== undefined) return known;
    if (this.#defects.size >= DEFECTS_KEPT) return this.#last;
    this.#last = { listed: 0, repeated: 0, lastEvent: 0 };
    this.#defects.set(defect, this.#last);
    return this.#last;
  }
}
