// A block: a MessagePack array whose first members have one width each, so that what comes before the body has one
// size, is checked by a checksum of its own before any length in it is believed, and can be found again after damage.
// The body is parts, each compressed on its own. Normative in trace/FORMAT.md. It must not know what blocks are for.

import { ByteReader } from "./byte_reader.ts";
import { crc32, release, shrink, unshrink } from "./compress.ts";
import { WireError } from "./wire_error.ts";

/** Bytes of every block before its body. */
export const PREFIX_BYTES = 63;
/** Largest body, stored or decoded. */
export const MAX_BODY_BYTES = 64 * 2 ** 20;
/** Most parts of a body. */
export const MAX_PARTS = 15;
/** Letters of a tag; all tags start alike, which is what a search after damage looks for. */
export const TAG_LETTERS = 8;
/** The letter m. */
const TAG_START = 0x6d;
const TAG_PATTERN = /^mt\.[a-z]{5}$/;

/** What a block says before its body. */
export interface BlockPrefix {
  /** `mt.` and five letters a to z. */
  readonly tag: string;
  /** Says which file the block belongs to. */
  readonly file: number;
  /** Number of the first thing in it; with `count` below 2^53. */
  readonly first: number;
  /** How many things. */
  readonly count: number;
  /** When the first was, 64 bits. */
  readonly start: bigint;
  readonly decodedBytes: number;
  readonly decodedCrc: number;
  readonly storedCrc: number;
  readonly bodyBytes: number;
}

/** What a block is made of; parts that `compress` does not name are stored as they are. */
export interface BlockContent extends Pick<BlockPrefix, "tag" | "file" | "first" | "count" | "start"> {
  readonly parts: readonly Uint8Array[];
  /** Whether the part of this number is worth a compressor; all where left out. */
  readonly compress?: (part: number) => boolean;
  /** Whether what repeats in the part of this number lies near, as `shrink` has it; none where left out. */
  readonly isNear?: (part: number) => boolean;
  /** Where the block may be put, if it fits: memory that was used before costs less than new. */
  readonly room?: Uint8Array<ArrayBuffer>;
}

/** The offsets of the fixed-width members and the bytes that introduce them. */
const AT = { tag: 2, file: 11, first: 16, count: 25, start: 30, decoded: 39, decodedCrc: 44, storedCrc: 49, crc: 54 };
const MARKS: readonly (readonly [offset: number, byte: number])[] = [
  [0, 0x9a],
  [1, 0xa0 | TAG_LETTERS],
  [10, 0xce],
  [15, 0xcf],
  [24, 0xce],
  [29, 0xcf],
  [38, 0xce],
  [43, 0xce],
  [48, 0xce],
  [53, 0xce],
  [58, 0xc6],
];
const BODY_LENGTH_AT = 59;

/** The bytes of a block, in `room` where that is large enough. `RangeError` for a body above `MAX_BODY_BYTES`. */
export function writeBlock(content: BlockContent): Uint8Array<ArrayBuffer> {
  const { parts, compress, isNear, room } = content;
  const stored = parts.map((part, index) => compress?.(index) === false ? part : shrink(part, isNear?.(index)));
  const bodyBytes = 1 + stored.reduce((sum, part) => sum + 11 + part.length, 0);
  const decodedBytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (parts.length > MAX_PARTS || bodyBytes > MAX_BODY_BYTES || decodedBytes > MAX_BODY_BYTES) {
    throw new RangeError(
      `Cannot write block of ${parts.length} parts and ${decodedBytes} bytes: limit ${MAX_BODY_BYTES}`,
    );
  }
  const size = PREFIX_BYTES + bodyBytes;
  const bytes = room !== undefined && room.length >= size ? room.subarray(0, size) : new Uint8Array(size);
  writeBody(bytes.subarray(PREFIX_BYTES), stored, parts);
  writePrefix(bytes, {
    ...content,
    decodedBytes,
    decodedCrc: parts.reduce((crc, part) => crc32(part, crc), 0),
    storedCrc: crc32(bytes.subarray(PREFIX_BYTES)),
    bodyBytes,
  });
  return bytes;
}

function writeBody(body: Uint8Array, stored: readonly Uint8Array[], parts: readonly Uint8Array[]): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  body[0] = 0x90 | parts.length;
  let position = 1;
  for (const [index, part] of stored.entries()) {
    view.setUint8(position, 0x92);
    view.setUint8(position + 1, 0xce);
    view.setUint32(position + 2, parts[index]?.length ?? 0);
    view.setUint8(position + 6, 0xc6);
    view.setUint32(position + 7, part.length);
    body.set(part, position + 11);
    position += 11 + part.length;
  }
}

function writePrefix(bytes: Uint8Array, prefix: BlockPrefix): void {
  if (!TAG_PATTERN.test(prefix.tag)) {
    throw new RangeError(`Cannot write block "${prefix.tag}": a tag is mt. and 5 letters`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const [offset, byte] of MARKS) view.setUint8(offset, byte);
  for (let index = 0; index < TAG_LETTERS; index += 1) view.setUint8(AT.tag + index, prefix.tag.charCodeAt(index));
  view.setUint32(AT.file, prefix.file);
  view.setBigUint64(AT.first, BigInt(prefix.first));
  view.setUint32(AT.count, prefix.count);
  view.setBigUint64(AT.start, prefix.start);
  view.setUint32(AT.decoded, prefix.decodedBytes);
  view.setUint32(AT.decodedCrc, prefix.decodedCrc);
  view.setUint32(AT.storedCrc, prefix.storedCrc);
  view.setUint32(BODY_LENGTH_AT, prefix.bodyBytes);
  view.setUint32(AT.crc, 0);
  view.setUint32(AT.crc, crc32(bytes.subarray(0, PREFIX_BYTES)));
}

/** Makes a block, in place, one of another file: its body stays as it is. `TypeError` where the bytes start with no block. */
export function moveBlock(bytes: Uint8Array, file: number): void {
  if (readPrefix(bytes) === null) throw new TypeError("Cannot move block: the bytes start with none");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(AT.file, file);
  view.setUint32(AT.crc, 0);
  view.setUint32(AT.crc, crc32(bytes.subarray(0, PREFIX_BYTES)));
}

/** The prefix at the start of these bytes, or null where there is none or its checksum is wrong. */
export function readPrefix(bytes: Uint8Array): BlockPrefix | null {
  if (bytes.length < PREFIX_BYTES || MARKS.some(([offset, byte]) => bytes[offset] !== byte)) return null;
  const zeroed = bytes.slice(0, PREFIX_BYTES);
  zeroed.fill(0, AT.crc, AT.crc + 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(AT.crc) !== crc32(zeroed)) return null;
  const tag = String.fromCharCode(...bytes.subarray(AT.tag, AT.tag + TAG_LETTERS));
  const first = Number(view.getBigUint64(AT.first));
  const count = view.getUint32(AT.count);
  const decodedBytes = view.getUint32(AT.decoded);
  const bodyBytes = view.getUint32(BODY_LENGTH_AT);
  const fits = Math.max(decodedBytes, bodyBytes) <= MAX_BODY_BYTES && Number.isSafeInteger(first + count);
  if (!TAG_PATTERN.test(tag) || !fits) return null;
  return {
    tag,
    file: view.getUint32(AT.file),
    first,
    count,
    start: view.getBigUint64(AT.start),
    decodedBytes,
    decodedCrc: view.getUint32(AT.decodedCrc),
    storedCrc: view.getUint32(AT.storedCrc),
    bodyBytes,
  };
}

/** Where the next whole prefix starts in these bytes, from `from` on; -1: nowhere. */
export function findPrefix(bytes: Uint8Array, from: number): number {
  for (let start = bytes.indexOf(0x9a, from); start >= 0; start = bytes.indexOf(0x9a, start + 1)) {
    // Most are none: a look at the next bytes says so without a copy.
    if (bytes[start + 1] !== (0xa0 | TAG_LETTERS) || bytes[start + AT.tag] !== TAG_START) continue;
    if (readPrefix(bytes.subarray(start, start + PREFIX_BYTES)) !== null) return start;
  }
  return -1;
}

/** Throws `WireError` unless the body is the one that the prefix speaks of. */
export function checkBody(prefix: BlockPrefix, body: Uint8Array): void {
  if (body.length !== prefix.bodyBytes) {
    throw new WireError(`the body has ${body.length} bytes, wanted ${prefix.bodyBytes}`, 0);
  }
  const crc = crc32(body);
  if (crc !== prefix.storedCrc) {
    throw new WireError(`the stored bytes have checksum ${hex(crc)}, wanted ${hex(prefix.storedCrc)}`, 0);
  }
}

/** The decoded parts of a body; `WireError` where any check fails. */
export function readBody(prefix: BlockPrefix, body: Uint8Array): readonly Uint8Array[] {
  checkBody(prefix, body);
  const reader = new ByteReader(body);
  const count = reader.u8() - 0x90;
  if (count < 0 || count > MAX_PARTS) throw reader.error("the body is not an array of parts");
  const stored = Array.from({ length: count }, () => readPart(reader));
  reader.expectEnd();
  const size = stored.reduce((sum, part) => sum + part.size, 0);
  if (size !== prefix.decodedBytes) throw reader.error(`parts decode to ${size} bytes, wanted ${prefix.decodedBytes}`);
  const parts: Uint8Array[] = [];
  try {
    for (const part of stored) parts.push(unshrink(part.bytes, part.size));
    const crc = parts.reduce((sum, part) => crc32(part, sum), 0);
    if (crc === prefix.decodedCrc) return parts;
    throw reader.error(`the decoded bytes have checksum ${hex(crc)}, wanted ${hex(prefix.decodedCrc)}`);
  } catch (error) {
    for (const part of parts) release(part);
    throw error;
  }
}

function readPart(reader: ByteReader): { readonly size: number; readonly bytes: Uint8Array } {
  const head = reader.bytes(11);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint16(0) !== 0x92ce || view.getUint8(6) !== 0xc6) throw reader.error("a part is not [size, bytes]");
  return { size: view.getUint32(2), bytes: reader.bytes(view.getUint32(7)) };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
