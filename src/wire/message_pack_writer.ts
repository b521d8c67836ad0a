// MessagePack written value by value, for data that is too large to be laid out first: what `pack` makes of the same
// values, but that arrays and maps say their sizes ahead of their members. It must not know what the values mean.

import { ByteWriter } from "./byte_writer.ts";

const encoder = new TextEncoder();
const FIXED = new DataView(new ArrayBuffer(8));
const FIXED_BYTES = new Uint8Array(FIXED.buffer);

/** Appends MessagePack to a buffer that grows. */
export class MessagePackWriter {
  readonly #bytes = new ByteWriter();
  /** Texts that were written, encoded with their heads: names of members repeat. */
  readonly #texts = new Map<string, Uint8Array>();

  /** What was written; a view that the next write may change. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.view();
  }

  nil(): void {
    this.#bytes.u8(0xc0);
  }

  flag(value: boolean): void {
    this.#bytes.u8(value ? 0xc3 : 0xc2);
  }

  /** A finite number: whole ones of 32 bits in as few bytes as they need, all others as a double. */
  number(value: number): void {
    if (Number.isInteger(value) && value >= -0x80000000 && value <= 0xffffffff && !Object.is(value, -0)) {
      if (value >= 0) this.#unsigned(value);
      else this.#signed(value);
      return;
    }
    this.#bytes.u8(0xcb);
    FIXED.setFloat64(0, value);
    this.#bytes.bytes(FIXED_BYTES);
  }

  /** An integer of 64 bits, in nine bytes. */
  bigint(value: bigint): void {
    const isSigned = value < 1n << 63n;
    this.#bytes.u8(isSigned ? 0xd3 : 0xcf);
    if (isSigned) FIXED.setBigInt64(0, value);
    else FIXED.setBigUint64(0, value);
    this.#bytes.bytes(FIXED_BYTES);
  }

  text(text: string): void {
    let bytes = this.#texts.get(text);
    if (bytes === undefined) {
      bytes = encodedText(text);
      if (this.#texts.size < MOST_TEXTS) this.#texts.set(text, bytes);
    }
    this.#bytes.bytes(bytes);
  }

  binary(bytes: Uint8Array): void {
    this.#head(bytes.length, [0xc4, 0xc5, 0xc6]);
    this.#bytes.bytes(bytes);
  }

  /** Begins an array of so many values, which come next. */
  array(count: number): void {
    if (count < 16) this.#bytes.u8(0x90 | count);
    else this.#head(count, [null, 0xdc, 0xdd]);
  }

  /** Begins a map of so many entries: keys and values in turn come next. */
  map(count: number): void {
    if (count < 16) this.#bytes.u8(0x80 | count);
    else this.#head(count, [null, 0xde, 0xdf]);
  }

  #unsigned(value: number): void {
    if (value < 0x80) this.#bytes.u8(value);
    else this.#head(value, [0xcc, 0xcd, 0xce]);
  }

  #signed(value: number): void {
    if (value >= -0x20) this.#bytes.u8(value);
    else this.#wide(value, value >= -0x80 ? [0xd0, 1] : value >= -0x8000 ? [0xd1, 2] : [0xd2, 4]);
  }

  /** A first byte for 8, 16 or 32 bits, null: there is none, and the number in as many. */
  #head(value: number, [one, two, four]: readonly [number | null, number, number]): void {
    if (one !== null && value < 0x100) this.#wide(value, [one, 1]);
    else this.#wide(value, value < 0x10000 ? [two, 2] : [four, 4]);
  }

  #wide(value: number, [first, size]: readonly [number, number]): void {
    this.#bytes.u8(first);
    for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) this.#bytes.u8(value >> shift);
  }
}

/** Texts that a writer keeps. */
const MOST_TEXTS = 4096;

function encodedText(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  const { length } = bytes;
  const head = length < 32
    ? [0xa0 | length]
    : length < 0x100
    ? [0xd9, length]
    : length < 0x10000
    ? [0xda, length >> 8, length]
    : [0xdb, length >>> 24, length >> 16, length >> 8, length];
  const whole = new Uint8Array(head.length + length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}
