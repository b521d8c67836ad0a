// What earlier events were, as far as it matters to those that point back to them: half a byte an event, and nothing for
// chunks of calls only. It must not know how events are kept.

import type { EventKind } from "./event.ts";

/** What an event is to those that point to it; 0 is not known. */
export const MARK = { unknown: 0, other: 1, enter: 2, callback: 3, effect: 4 } as const;

/** The mark of each kind; memory deltas and notes make nothing happen. */
export const MARK_OF: Readonly<Record<EventKind, number>> = {
  call: MARK.other,
  enter: MARK.enter,
  leave: MARK.other,
  callback: MARK.callback,
  return: MARK.other,
  memory: MARK.effect,
  note: MARK.effect,
};

/** Bytes of marks that are kept: of later events nothing is known. */
const MAX_BYTES = 2 ** 25;

/** The marks of a chunk's events. */
interface MarkedChunk {
  readonly first: number;
  readonly end: number;
  /** Two events a byte, the first in the low half; null: all are `other`. */
  readonly marks: Uint8Array | null;
}

/** The marks of the chunks that a walk has come through. */
export class KindHistory {
  readonly #chunks: MarkedChunk[] = [];
  #bytes = 0;

  /** Adds a chunk that stands behind all others. */
  add(chunk: MarkedChunk): void {
    this.#bytes += chunk.marks?.length ?? 0;
    if (this.#bytes > MAX_BYTES) return;
    const before = this.#chunks.at(-1);
    const goesOn = before !== undefined && before.end === chunk.first && before.marks === null && chunk.marks === null;
    if (goesOn) this.#chunks[this.#chunks.length - 1] = { ...before, end: chunk.end };
    else this.#chunks.push(chunk);
  }

  /** The mark of an event. */
  markOf(event: number): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.end ?? 0) > event) high = middle;
      else low = middle + 1;
    }
    const chunk = this.#chunks[low];
    if (chunk === undefined || event < chunk.first) return MARK.unknown;
    const at = event - chunk.first;
    return chunk.marks === null ? MARK.other : ((chunk.marks[at >> 1] ?? 0) >> (4 * (at & 1))) & 15;
  }
}
