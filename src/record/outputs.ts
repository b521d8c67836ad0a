// Keeps failures of the output away from the program that runs: the first is kept, the run is ended, and what would be
// written later is dropped, but for the end of what is there. It must not know what is written.

import type { ByteSink } from "../trace/mod.ts";
import type { RingSegments } from "./ring.ts";

const NOWHERE: ByteSink = { write: () => false };

/** Everything that bytes go to, in one recording. */
export class Outputs {
  /** Told when something fails, once. */
  onFailure: () => void = () => {};
  #failure: { readonly error: unknown } | null = null;
  #isClosing = false;

  /** A sink that passes bytes on until something fails. */
  sink(output: ByteSink): ByteSink {
    return { write: (bytes) => this.#attempt(() => output.write(bytes), false) };
  }

  /** Segments likewise; what cannot be read any more is an error of its own. */
  segments(segments: RingSegments): RingSegments {
    return {
      begin: (number) => this.sink(this.#attempt(() => segments.begin(number), NOWHERE)),
      read: (number) => segments.read(number),
      drop: (number) => this.#attempt(() => segments.drop(number), undefined),
      end: () => this.#attempt(() => segments.end(), undefined),
    };
  }

  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Where something failed, lets one more write be tried: an end is small, and often fits where a chunk did not. */
  closeFailed(act: (error: unknown) => void): void {
    if (this.#failure === null) return;
    this.#isClosing = true;
    try {
      act(this.#failure.error);
    } catch {
      // What was written stays as it is: readable, without an end.
    }
  }

  #attempt<T>(act: () => T, otherwise: T): T {
    if (this.#failure !== null && !this.#isClosing) return otherwise;
    try {
      return act();
    } catch (error) {
      if (this.#isClosing) throw error;
      this.#failure = { error };
      this.onFailure();
      return otherwise;
    }
  }
}
