// When a keyframe is worth its bytes: when the trace since the last one is many times as large as the keyframe itself.
// It must not know what a state is.

/** The trace grows by so many sizes of a keyframe before the next one. */
const FACTOR = 15;
/** What a state shrinks to when it is stored, roughly. */
const STORED_SHARE = 0.5;
/** The least growth between keyframes, in bytes. */
const MIN_GROWTH_BYTES = 1 << 20;

/** Asked before each input; a state is only made when it may be worth it. */
export class KeyframePolicy {
  readonly #everyEvents: number | null;
  #lastEvent = 0;
  #lastBytes = 0;
  #nextBytes = MIN_GROWTH_BYTES;

  /** `everyEvents`: a keyframe after so many events, whatever it costs; null: by its size. */
  constructor(everyEvents: number | null) {
    this.#everyEvents = everyEvents;
  }

  /** Whether to make a state now, after `event`, in a trace of `bytes`. */
  isDue(event: number, bytes: number): boolean {
    if (this.#everyEvents !== null) return event >= this.#lastEvent + this.#everyEvents;
    return bytes >= this.#nextBytes && event > this.#lastEvent;
  }

  /** Whether a state of this size is worth writing; if not, it is asked for again when the trace has grown enough. */
  accepts({ event, bytes }: { readonly event: number; readonly bytes: number }, stateBytes: number): boolean {
    const growth = Math.max(MIN_GROWTH_BYTES, FACTOR * STORED_SHARE * stateBytes);
    const isWorthIt = this.#everyEvents !== null || bytes - this.#lastBytes >= growth;
    if (isWorthIt) {
      this.#lastEvent = event;
      this.#lastBytes = bytes;
    }
    this.#nextBytes = this.#lastBytes + growth;
    return isWorthIt;
  }
}
