// zstd and crc32 from the platform, with limits. It must not know what the bytes are for.

import { constants, crc32 as platformCrc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { WireError } from "./wire_error.ts";

const LEVEL = { [constants.ZSTD_c_compressionLevel]: 1 };
/** A window of 32 KiB: a zstd block is no longer than its window, so that each so many bytes have entropy tables of their own. */
const NEAR_LEVEL = { ...LEVEL, [constants.ZSTD_c_windowLog]: 15 };
/** Room for a frame is made in steps of so many bytes, and of no more than one frame takes. */
const MOST_ROOM = 2 ** 16;
/** Below this a frame's own header and the call cost more than compression gains. */
const WORTH_BYTES = 64;
/** Bytes that are decompressed in one step, at least. */
const LEAST_STEP = 64;
/** Memory that is worth giving back at once. */
const LARGE_BYTES = 2 ** 20;

/** Up to so many bytes a look into a table for each costs less than the way to the platform. */
const SHORT_BYTES = 24;
/** The polynomial of IEEE, and those below it as bits of a number: the highest bit is 1, the next one x. */
const CRC_POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
const X_TO_8 = ONE >>> 8;

function timesX(polynomial: number): number {
  return (polynomial & 1) === 0 ? polynomial >>> 1 : (polynomial >>> 1) ^ CRC_POLYNOMIAL;
}

/** What a byte does to a crc32. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = timesX(rest);
  return rest;
});

/** crc32 (IEEE) of the bytes, going on from `start`. */
export function crc32(bytes: Uint8Array, start = 0): number {
  if (bytes.length > SHORT_BYTES) return platformCrc32(bytes, start);
  let crc = ~start;
  for (let index = 0; index < bytes.length; index += 1) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}

/** The crc32 of bytes and `length` others after them, of which each has this crc32: zeros behind the first, then a sum. */
export function crcOfBoth(first: number, second: number, length: number): number {
  let crc = first;
  let step = X_TO_8;
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) crc = product(crc, step);
    step = product(step, step);
  }
  return (crc ^ second) >>> 0;
}

/** The product of two polynomials, modulo the one of IEEE. */
function product(one: number, other: number): number {
  let sum = 0;
  let shifted = other;
  for (let bits = one | 0; bits !== 0; bits <<= 1) {
    if (bits < 0) sum ^= shifted;
    shifted = timesX(shifted);
  }
  return sum;
}

/**
 * One zstd frame of the bytes, or the bytes themselves where that is not smaller. `isNear`: what repeats, repeats
 * within 32 KiB, and what is far apart differs in which bytes are frequent.
 */
export function shrink(bytes: Uint8Array, isNear = false): Uint8Array {
  if (bytes.length < WORTH_BYTES) return bytes;
  const chunkSize = Math.min(MOST_ROOM, bytes.length + (bytes.length >>> 8) + WORTH_BYTES);
  const frame = zstdCompressSync(bytes, { params: isNear ? NEAR_LEVEL : LEVEL, chunkSize });
  return frame.length < bytes.length ? frame : bytes;
}

/** Undoes `shrink`: stored bytes that are as many as `size` are the bytes. `WireError` unless exactly `size` come out. */
export function unshrink(stored: Uint8Array, size: number): Uint8Array {
  if (stored.length === size) return stored;
  const bytes = decompress(stored, size);
  if (bytes.length !== size) throw new WireError(`Cannot decompress: ${bytes.length} bytes, wanted ${size}`, 0);
  return bytes;
}

function decompress(stored: Uint8Array, size: number): Uint8Array {
  try {
    // All that is expected in one step, and one more, which says that none is left: pieces would be there twice when they
    // are joined. Memory that nothing is written to is not taken, so that a lie costs none.
    const options = { maxOutputLength: Math.max(1, size), chunkSize: Math.max(size + 1, LEAST_STEP) };
    const { buffer, byteOffset, byteLength } = zstdDecompressSync(stored, options);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw new WireError(`Cannot decompress: ${error instanceof Error ? error.message : String(error)}`, 0);
  }
}

/**
 * Gives back what `unshrink` decompressed, which is of no use after all: the collector would see to it late, and a file
 * of many such blocks would take memory for all of them. Nobody may hold a view of it. Bytes that were stored as they are
 * belong to the file's block, do not begin their buffer, and stay.
 */
export function release(bytes: Uint8Array): void {
  const { buffer, byteOffset } = bytes;
  if (byteOffset === 0 && buffer.byteLength >= LARGE_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
