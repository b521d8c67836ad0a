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

/** crc32 (IEEE) of the bytes, going on from `start`. */
export function crc32(bytes: Uint8Array, start = 0): number {
  return platformCrc32(bytes, start);
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
