// Memory for the numbers of columns, used again for one chunk after the other: new memory for each costs more than filling
// it, and waits for a collection that comes late. It must not know what the numbers mean.

/** Below this many numbers new memory is as good. */
const LEAST_NUMBERS = 256;
/** Bytes that are kept: a chunk of usual size has a tenth, and a forged one must not hold more for ever. */
const MOST_KEPT_BYTES = 16 * 2 ** 20;

/** Buffers that are handed out in turn, and all taken back at once. */
export class ColumnBuffers {
  readonly #buffers: ArrayBuffer[] = [];
  #taken = 0;

  /** So many zeros; the caller's until `reuse`. */
  words(count: number): Uint32Array<ArrayBuffer> {
    return count < LEAST_NUMBERS ? new Uint32Array(count) : new Uint32Array(this.#take(4 * count), 0, count).fill(0);
  }

  /** So many zeros of 64 bits; the caller's until `reuse`. */
  wholes(count: number): BigUint64Array<ArrayBuffer> {
    return count < LEAST_NUMBERS
      ? new BigUint64Array(count)
      : new BigUint64Array(this.#take(8 * count), 0, count).fill(0n);
  }

  /** Takes back everything: nobody may look at it any more. */
  reuse(): void {
    this.#taken = 0;
    const bytes = this.#buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    if (bytes > MOST_KEPT_BYTES) this.#buffers.length = 0;
  }

  /** The next buffer; one that is too small makes room for a larger one. */
  #take(bytes: number): ArrayBuffer {
    const turn = this.#taken;
    this.#taken += 1;
    const kept = this.#buffers[turn];
    if (kept !== undefined && kept.byteLength >= bytes) return kept;
    const buffer = new ArrayBuffer(2 ** Math.ceil(Math.log2(bytes)));
    this.#buffers[turn] = buffer;
    return buffer;
  }
}
