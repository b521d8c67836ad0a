// The ranges of an address space that have a fresh mapping, so that none has to be searched when they settle.
// It must not know page tables.

import { ensure } from "./address_space_checks.ts";
import type { FreshMapping, Vad } from "./vad.ts";

/** Ranges with a fresh mapping, in no order; each knows its place. */
export class FreshList {
  readonly #vads: Vad[] = [];

  /** How many there are. */
  get size(): number {
    return this.#vads.length;
  }

  /** Gives a range its fresh mapping. */
  add(vad: Vad, { start, end, gpu, entry }: Omit<FreshMapping, "place">): void {
    vad.fresh = { start, end, gpu, entry, place: this.#vads.length };
    this.#vads.push(vad);
  }

  /** Takes a range's fresh mapping, null where it has none. */
  take(vad: Vad): FreshMapping | null {
    const { fresh } = vad;
    if (fresh === null) return null;
    const last = this.#vads.pop();
    if (last !== undefined && last !== vad && last.fresh !== null) {
      this.#vads[fresh.place] = last;
      last.fresh.place = fresh.place;
    }
    vad.fresh = null;
    return fresh;
  }

  /** All of them, in order of their numbers. */
  inOrder(): readonly Vad[] {
    return this.#vads.toSorted((one, other) => one.number - other.number);
  }

  /** Throws where a range is listed that does not fit; for tests. */
  checkInvariants(): void {
    for (const [place, { number, pageCount, fresh }] of this.#vads.entries()) {
      const fits = fresh !== null && fresh.place === place && fresh.end - fresh.start === pageCount;
      ensure(fits, `VAD ${number} is listed as fresh, and has other pages`);
    }
  }
}
