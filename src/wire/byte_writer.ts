// A growing buffer of bytes: single bytes, runs and varints (LEB128, least significant group first).
// It must not know what it holds.

import { isSameAt } from "./same_bytes.ts";

const FIRST_CAPACITY_BYTES = 256;

/** Bytes that grow as they are written; the buffer is kept between uses. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY_BYTES);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** Writes one byte; higher bits are dropped. */
  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  /** Writes a whole number from 0 to 2^64 - 1 in 1 to 10 bytes. */
  varint(value: bigint | number): void {
    let rest = BigInt(value);
    if (rest < 0n || rest >> 64n !== 0n) throw new RangeError(`Cannot write ${value}: a varint is 0 to 2^64 - 1`);
    while (rest > 127n) {
      this.u8(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.u8(Number(rest));
  }

  /** Writes a run of bytes. */
  bytes(source: Uint8Array): void {
    this.#room(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** Whether these bytes stand at this offset of what was written; makes no view, which would cost more than short bytes. */
  holds(offset: number, bytes: Uint8Array): boolean {
    return offset + bytes.length <= this.#length && isSameAt(this.#bytes, offset, bytes);
  }

  /** What was written; a view that the next write or `clear()` may change. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  /** Forgets what was written, keeps the buffer. */
  clear(): void {
    this.#length = 0;
  }

  #room(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.view());
    this.#bytes = grown;
  }
}
