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
  add(vad: Vad, mapping: FreshMapping): void {
    vad.setFresh(mapping);
    vad.place = this.#vads.length;
    this.#vads.push(vad);
  }

  /** Takes a range's fresh mapping from it; whether it had one, which its `fresh` still is. */
  take(vad: Vad): boolean {
    const { place } = vad;
    if (place < 0) return false;
    const last = this.#vads.pop();
    if (last !== undefined && last !== vad) {
      this.#vads[place] = last;
      last.place = place;
    }
    vad.place = -1;
    return true;
  }

  /** All of them, in order of their numbers. */
  inOrder(): readonly Vad[] {
    return this.#vads.toSorted((one, other) => one.number - other.number);
  }

  /** Throws where a range is listed that does not fit; for tests. */
  checkInvariants(): void {
    for (const [index, { number, pageCount, fresh, place }] of this.#vads.entries()) {
      const fits = place === index && fresh.end - fresh.start === pageCount;
      ensure(fits, `VAD ${number} is listed as fresh, and has other pages`);
    }
  }
}
