// The newest frees of address ranges: whoever reserves one of these places next left a gap between (V-34).
// It must not know calls or rules. A free is a hot call: noting one allocates nothing.

import type { Evidence } from "./finding.ts";
import type { GpuVaSpace } from "./gpu_va_fold.ts";

/** Frees that are remembered. */
const FREES_KEPT = 16;

interface Freed {
  space: GpuVaSpace | null;
  start: number;
  released: Evidence | null;
}

/** A ring of frees. */
export class NewestFrees {
  readonly #ring: Freed[] = Array.from({ length: FREES_KEPT }, () => ({ space: null, start: 0, released: null }));
  #next = 0;

  /** A free succeeded; `start` is its first page. */
  add(space: GpuVaSpace, start: number, released: Evidence): void {
    const slot = this.#ring[this.#next];
    this.#next = (this.#next + 1) % FREES_KEPT;
    if (slot === undefined) return;
    slot.space = space;
    slot.start = start;
    slot.released = released;
  }

  /** The newest free that began at a page, or null. */
  find(space: GpuVaSpace, start: number): Evidence | null {
    for (let age = 1; age <= FREES_KEPT; age += 1) {
      const slot = this.#ring[(this.#next - age + FREES_KEPT) % FREES_KEPT];
      if (slot !== undefined && slot.space === space && slot.start === start) return slot.released;
    }
    return null;
  }

  /** Forgets frees that began at a page. */
  forget(space: GpuVaSpace, start: number): void {
    for (const slot of this.#ring) if (slot.space === space && slot.start === start) slot.space = null;
  }
}
