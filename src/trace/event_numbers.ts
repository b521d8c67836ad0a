// The numbers of a chunk's events, where some numbers may have been left out. It must not know events.

/** Event numbers by row, and rows by number. */
export class EventNumbers {
  readonly #first: number;
  readonly #events: number;
  /** How many numbers were left out up to each row; null: none. */
  readonly #leftOut: Uint32Array | null;

  /** `leftOut`: how many numbers were left out up to each row; null: none. */
  constructor(first: number, { events, leftOut }: { readonly events: number; readonly leftOut: Uint32Array | null }) {
    this.#first = first;
    this.#events = events;
    this.#leftOut = leftOut;
  }

  /** A row's event. */
  of(row: number): number {
    return this.#first + row + this.gapsBefore(row);
  }

  /** How many numbers were left out up to a row. */
  gapsBefore(row: number): number {
    return this.#leftOut === null ? 0 : this.#leftOut[row] ?? 0;
  }

  /** The first row whose event has this number or a higher one; the end where none has. */
  rowFrom(event: number): number {
    let [low, high] = [0, Math.max(0, Math.min(this.#events, event - this.#first))];
    if (this.#leftOut === null) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.of(middle) < event) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
