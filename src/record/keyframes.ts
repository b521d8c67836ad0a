// When a keyframe is worth its bytes: when the trace since the last one is many times as large as the keyframe itself.
// It must not know what a state is.

/** The trace grows by so many sizes of a keyframe before the next one. */
const FACTOR = 15;
/** What a state shrinks to when it is stored, roughly. */
const STORED_SHARE = 0.5;
/** The least growth between keyframes, in bytes. */
const MIN_GROWTH_BYTES = 1 << 20;

/** An object of a state has about so many bytes, and most have more. */
const LEAST_OBJECT_BYTES = 128;

/** How much a trace grows until a state of this size is worth it. */
function growthFor(stateBytes: number): number {
  return Math.max(MIN_GROWTH_BYTES, FACTOR * STORED_SHARE * stateBytes);
}

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

  /**
   * Whether to make a state now, after `event`, in a trace of `bytes`; `objects` says how many things it holds, asked where
   * it matters: making a large state that is not worth it costs more than a second of recording.
   */
  isDue(event: number, bytes: number, objects: () => number): boolean {
    if (this.#everyEvents !== null) return event >= this.#lastEvent + this.#everyEvents;
    if (bytes < this.#nextBytes || event <= this.#lastEvent) return false;
    this.#nextBytes = Math.max(this.#nextBytes, this.#lastBytes + growthFor(LEAST_OBJECT_BYTES * objects()));
    return bytes >= this.#nextBytes;
  }

  /** Whether a state of this size is worth writing; if not, it is asked for again when the trace has grown enough. */
  accepts({ event, bytes }: { readonly event: number; readonly bytes: number }, stateBytes: number): boolean {
    const growth = growthFor(stateBytes);
    const isWorthIt = this.#everyEvents !== null || bytes - this.#lastBytes >= growth;
    if (isWorthIt) {
      this.#lastEvent = event;
      this.#lastBytes = bytes;
    }
    this.#nextBytes = this.#lastBytes + growth;
    return isWorthIt;
  }
}
