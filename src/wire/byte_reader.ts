// Reads bytes one after the other, never past their end. It must not know what they mean.

import { WireError } from "./wire_error.ts";

/** A cursor over bytes that throws `WireError` instead of reading past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#bytes.length - this.#position;
  }

  /** One byte. */
  u8(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) throw this.error("1 byte more was wanted, 0 are left");
    this.#position += 1;
    return byte;
  }

  /** A varint: 0 to 2^64 - 1. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (value >> 64n !== 0n) break;
        return value;
      }
    }
    throw this.error("a varint is longer than 64 bits");
  }

  /** The next bytes; a view. */
  bytes(count: number): Uint8Array {
    if (!Number.isSafeInteger(count) || count < 0 || count > this.left) {
      throw this.error(`${count} bytes more were wanted, ${this.left} are left`);
    }
    this.#position += count;
    return this.#bytes.subarray(this.#position - count, this.#position);
  }

  /** Throws unless every byte was read. */
  expectEnd(): void {
    if (this.left !== 0) throw this.error(`${this.left} bytes are left over`);
  }

  /** An error that says where the cursor is. */
  error(message: string): WireError {
    return new WireError(`Cannot read on at byte ${this.#position}: ${message}`, this.#position);
  }
}
