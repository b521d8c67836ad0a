// A ring buffer of VMBus in memory: a control page, then packets one after the other, around and around (kmcl.md 6.3).
// It must not know channels, packet objects or who is called: it moves bytes, and says where they make no sense.

/** Where a ring's bytes are: offset 0 is the start of its control page. */
export interface RingMemory {
  /** The 32-bit number at an offset that is a multiple of 4: indexes are read with every move. */
  word(offset: number): number;
  /** A copy, or a view that later writes may change. */
  read(offset: number, length: number): Uint8Array;
  /** Keeps the bytes: they must not change afterwards. */
  write(offset: number, bytes: Uint8Array): void;
}

/** A ring: its memory, and how many bytes of it hold packets. */
export interface Ring {
  readonly memory: RingMemory;
  /** A multiple of 4096, behind the control page. */
  readonly dataBytes: number;
}

/** What a packet in a ring is: plain data, data with guest pages, the answer to one of these. */
export const RING_PACKET_TYPES = { inBand: 6, gpaDirect: 9, completion: 11 } as const;

/** Guest pages that a packet describes: bytes from an offset into the first page on. */
export interface GpaRange {
  readonly byteCount: number;
  /** Below 4096. */
  readonly byteOffset: number;
  readonly pages: readonly number[];
}

/** A packet as it stands in a ring. */
export interface RingPacket {
  readonly type: (typeof RING_PACKET_TYPES)[keyof typeof RING_PACKET_TYPES];
  readonly wantsCompletion: boolean;
  readonly transactionId: bigint;
  /** Empty but for `gpaDirect`. */
  readonly ranges: readonly GpaRange[];
  /** What was sent; read back it is filled up with zeros to a multiple of 8. */
  readonly payload: Uint8Array;
}

/** A ring whose bytes make no sense: its indexes, or a packet in it. */
export class RingError extends Error {
  override readonly name = "RingError";
}

/** Bytes of a ring's control page. */
export const CONTROL_BYTES = 4096;
const PAGE_BYTES = 4096;
const DESCRIPTOR_BYTES = 16;
const TRAILER_BYTES = 8;
const RANGES_HEADER_BYTES = 8;
/** The longest packet of any ring. */
export const MAX_PACKET_BYTES = 8 * 0xffff + TRAILER_BYTES;
/** A ring never fills: where both indexes are equal it is empty. */
const GAP_BYTES = 8;
const COMPLETION_FLAG = 1;
/** Offsets in the control page. */
const CONTROL = { in: 0, out: 4, interruptMask: 8, pendingSendSize: 12, features: 64 } as const;
const PENDING_SEND_SIZE_FEATURE = 1;

/** Makes memory an empty ring whose writer says when it waits for room. */
export function initRing({ memory }: Ring): void {
  const control = new Uint8Array(CONTROL.features + 4);
  control[CONTROL.features] = PENDING_SEND_SIZE_FEATURE;
  memory.write(0, control);
}

/** The bytes that a packet takes, descriptor and trailer included. */
export function packetBytes(
  { ranges, payload, type }: Pick<RingPacket, "ranges" | "type"> & { readonly payload: { readonly length: number } },
): number {
  return DESCRIPTOR_BYTES + rangesBytes(type, ranges) + roundUp(payload.length) + TRAILER_BYTES;
}

/** The longest packet that a ring can ever take; 16 bits say how many units of 8 bytes it has before its trailer. */
export function maxPacketBytes({ dataBytes }: Pick<Ring, "dataBytes">): number {
  return Math.min(dataBytes - 2 * GAP_BYTES, MAX_PACKET_BYTES);
}

/** Bytes that may be written now. `RingError` where the indexes make no sense. */
export function freeBytes(ring: Ring): number {
  return ring.dataBytes - usedBytes(ring) - GAP_BYTES;
}

/** Bytes of packets that nobody has read. */
export function usedBytes(ring: Ring): number {
  return (inIndexOf(ring) - outIndexOf(ring) + ring.dataBytes) % ring.dataBytes;
}

/** Writes a packet; false, and nothing but the size that is waited for was written, where there is no room now. */
export function writePacket(ring: Ring, packet: RingPacket): boolean {
  const inIndex = inIndexOf(ring);
  const length = packetBytes(packet);
  if (length > maxPacketBytes(ring)) {
    throw new RangeError(`Cannot write packet of ${length} bytes: the ring takes ${maxPacketBytes(ring)}`);
  }
  const hasRoom = length <= freeBytes(ring);
  const waitedFor = hasRoom ? 0 : length;
  if (ring.memory.word(CONTROL.pendingSendSize) !== waitedFor) writeWord(ring, CONTROL.pendingSendSize, waitedFor);
  if (!hasRoom) return false;
  writeAround(ring, inIndex, encodePacket(packet, inIndex));
  writeWord(ring, CONTROL.in, (inIndex + length) % ring.dataBytes);
  return true;
}

/** The type number of the oldest packet, which stays; null where there is none. `RingError` where the indexes make no sense. */
export function peekType(ring: Ring): number | null {
  const inIndex = inIndexOf(ring);
  const outIndex = outIndexOf(ring);
  return inIndex === outIndex ? null : ring.memory.word(CONTROL_BYTES + outIndex) & 0xffff;
}

/** Takes the oldest packet out; null where there is none. `RingError` where it makes no sense; then nothing was taken. */
export function readPacket(ring: Ring): RingPacket | null {
  const used = usedBytes(ring);
  if (used === 0) return null;
  if (used < DESCRIPTOR_BYTES + TRAILER_BYTES) throw new RingError(`Cannot read packet: ${used} bytes are none`);
  const outIndex = outIndexOf(ring);
  const dataOffset = 8 * (ring.memory.word(CONTROL_BYTES + outIndex) >>> 16);
  const length = 8 * (ring.memory.word(CONTROL_BYTES + outIndex + 4) & 0xffff);
  if (dataOffset < DESCRIPTOR_BYTES || dataOffset > length || length + TRAILER_BYTES > used) {
    throw new RingError(
      `Cannot read packet at ${outIndex}: data at ${dataOffset} of ${length} bytes, ${used} are in the ring`,
    );
  }
  const packet = decodePacket(readAround(ring, outIndex, length), dataOffset);
  writeWord(ring, CONTROL.out, (outIndex + length + TRAILER_BYTES) % ring.dataBytes);
  return packet;
}

function encodePacket(
  { type, wantsCompletion, transactionId, ranges, payload }: RingPacket,
  start: number,
): Uint8Array {
  const dataOffset = DESCRIPTOR_BYTES + rangesBytes(type, ranges);
  const length = dataOffset + roundUp(payload.length);
  const bytes = new Uint8Array(length + TRAILER_BYTES);
  const view = viewOf(bytes);
  view.setUint16(0, type, true);
  view.setUint16(2, dataOffset / 8, true);
  view.setUint16(4, length / 8, true);
  view.setUint16(6, wantsCompletion ? COMPLETION_FLAG : 0, true);
  view.setBigUint64(8, transactionId, true);
  if (type === RING_PACKET_TYPES.gpaDirect) writeRanges(view, ranges);
  bytes.set(payload, dataOffset);
  view.setUint32(length + 4, start, true);
  return bytes;
}

function writeRanges(view: DataView, ranges: readonly GpaRange[]): void {
  view.setUint32(DESCRIPTOR_BYTES + 4, ranges.length, true);
  let at = DESCRIPTOR_BYTES + RANGES_HEADER_BYTES;
  for (const { byteCount, byteOffset, pages } of ranges) {
    view.setUint32(at, byteCount, true);
    view.setUint32(at + 4, byteOffset, true);
    at += 8;
    for (const page of pages) {
      view.setBigUint64(at, BigInt(page), true);
      at += 8;
    }
  }
}

function decodePacket(bytes: Uint8Array, dataOffset: number): RingPacket {
  const descriptor = viewOf(bytes);
  const type = Object.values(RING_PACKET_TYPES).find((each) => each === descriptor.getUint16(0, true));
  const flags = descriptor.getUint16(6, true);
  if (type === undefined) throw new RingError(`Cannot read packet: type ${descriptor.getUint16(0, true)} is not known`);
  if ((flags & ~COMPLETION_FLAG) !== 0) throw new RingError(`Cannot read packet: flags 0x${flags.toString(16)}`);
  return {
    type,
    wantsCompletion: (flags & COMPLETION_FLAG) !== 0,
    transactionId: descriptor.getBigUint64(8, true),
    ranges: type === RING_PACKET_TYPES.gpaDirect ? readRanges(viewOf(bytes.subarray(0, dataOffset))) : [],
    payload: bytes.slice(dataOffset),
  };
}

function readRanges(view: DataView): readonly GpaRange[] {
  const end = view.byteLength;
  const count = end < DESCRIPTOR_BYTES + RANGES_HEADER_BYTES ? 0 : view.getUint32(DESCRIPTOR_BYTES + 4, true);
  if (count === 0) throw new RingError("Cannot read packet: it describes no range");
  const ranges: GpaRange[] = [];
  let at = DESCRIPTOR_BYTES + RANGES_HEADER_BYTES;
  for (let range = 0; range < count; range += 1) {
    if (at + 8 > end) throw new RingError(`Cannot read packet: range ${range + 1} of ${count} is cut`);
    const byteCount = view.getUint32(at, true);
    const byteOffset = view.getUint32(at + 4, true);
    const pages = Math.ceil((byteOffset + byteCount) / PAGE_BYTES);
    at += 8;
    if (byteCount === 0 || byteOffset >= PAGE_BYTES || at + 8 * pages > end) {
      throw new RingError(`Cannot read packet: range ${range + 1} of ${byteCount} bytes at ${byteOffset} does not fit`);
    }
    const start = at;
    ranges.push({
      byteCount,
      byteOffset,
      pages: Array.from({ length: pages }, (_, page) => Number(view.getBigUint64(start + 8 * page, true))),
    });
    at += 8 * pages;
  }
  return ranges;
}

function rangesBytes(type: RingPacket["type"], ranges: readonly GpaRange[]): number {
  if (type !== RING_PACKET_TYPES.gpaDirect) return 0;
  return ranges.reduce((sum, { pages }) => sum + 8 + 8 * pages.length, RANGES_HEADER_BYTES);
}

function inIndexOf({ memory, dataBytes }: Ring): number {
  return checkedIndex(memory.word(CONTROL.in), dataBytes);
}

function outIndexOf({ memory, dataBytes }: Ring): number {
  return checkedIndex(memory.word(CONTROL.out), dataBytes);
}

function checkedIndex(index: number, dataBytes: number): number {
  if (index % 8 === 0 && index < dataBytes) return index;
  throw new RingError(`Cannot use ring: an index is ${index}, wanted a multiple of 8 below ${dataBytes}`);
}

function readAround({ memory, dataBytes }: Ring, at: number, length: number): Uint8Array {
  const first = Math.min(length, dataBytes - at);
  if (first === length) return memory.read(CONTROL_BYTES + at, length);
  const bytes = new Uint8Array(length);
  bytes.set(memory.read(CONTROL_BYTES + at, first));
  bytes.set(memory.read(CONTROL_BYTES, length - first), first);
  return bytes;
}

function writeAround({ memory, dataBytes }: Ring, at: number, bytes: Uint8Array): void {
  const first = Math.min(bytes.length, dataBytes - at);
  memory.write(CONTROL_BYTES + at, bytes.subarray(0, first));
  if (first < bytes.length) memory.write(CONTROL_BYTES, bytes.subarray(first));
}

function writeWord({ memory }: Ring, offset: number, value: number): void {
  memory.write(offset, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
