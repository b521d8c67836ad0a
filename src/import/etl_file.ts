// Reads a raw Event Tracing for Windows log (.etl): the buffers, the records in them, and what is damaged. It must
// not know what any provider's payload means.
//
// A log is a sequence of buffers, each with a 72-byte header that tells its own size; full buffers, flushed ones and
// the ends of circular logs differ in size. Buffers are filled per processor and written as they fill, so only
// sorting by time restores the order. Layouts: WMI_BUFFER_HEADER, EVENT_HEADER and TRACE_LOGFILE_HEADER of the
// Windows SDK. Tried on a log of Windows 10 1803. Dropped: records of other kinds than EVENT_HEADER (the kernel's
// own, classic and message events), extended items (stacks, SIDs), activity ids, levels and tasks.

import { type EtlHeader, readEtlHeader } from "./etl_header.ts";
import {
  align,
  ALIGNMENT_BYTES,
  type EtlEvent,
  type EtlRecord,
  readEvent,
  recordKind,
  recordProvider,
  recordSize,
} from "./etl_record.ts";
import { ForeignFormatError } from "./foreign_format_error.ts";

export type { EtlEvent, EtlHeader };

/** Something in the file that is lost or could not be used. */
export interface EtlNote {
  /**
   * `cut`: the file ends inside a buffer. `bad-buffer`: a buffer's header, or bytes between buffers, make no sense.
   * `bad-event`: a record makes no sense. `compressed-buffer`: skipped. `session-loss`: the recording session itself
   * lost events. `missing-buffers`: the file's header counts more buffers than there are.
   */
  readonly kind: "cut" | "bad-buffer" | "bad-event" | "compressed-buffer" | "session-loss" | "missing-buffers";
  readonly offsetBytes: number;
  /** How many bytes went unread for this, at most; 0 where none did or it cannot be said. */
  readonly lostBytes: number;
  /** For people: what was done, what is, what was wanted. */
  readonly message: string;
}

/** A log, read. */
export interface EtlFile {
  readonly header: EtlHeader;
  /** Sorted by timestamp, then by place in the file. */
  readonly events: readonly EtlEvent[];
  /** In file order. Empty for a whole log. */
  readonly notes: readonly EtlNote[];
  /** Buffers of which the records were read, wholly or in part. */
  readonly bufferCount: number;
  /** Buffers skipped as a whole. */
  readonly skippedBufferCount: number;
  /** Well-formed records of other kinds than EVENT_HEADER, or of other providers than the wanted one. */
  readonly otherRecordCount: number;
}

/** What to take from a log. */
export interface EtlOptions {
  /** Only events of this provider: a GUID, with or without braces. Default: all. */
  readonly provider?: string;
}

/** Sizes in bytes. */
const BUFFER_HEADER_BYTES = 72;
/** The largest buffer a session may have: 16 MiB. */
const MAX_BUFFER_BYTES = 16 * 1024 * 1024;

const STATE_COMPRESSED = 5;
const FLAG_EVENTS_LOST = 0x2;
const FLAG_BUFFER_LOST = 0x4;
const FLAG_PROCESSOR_INDEX = 0x20;
const FLAG_COMPRESSED = 0x40;

/** All state of one reading. */
interface Walk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly wantedProvider: string | undefined;
  readonly events: EtlEvent[];
  readonly notes: EtlNote[];
  bufferCount: number;
  skippedBufferCount: number;
  otherRecordCount: number;
}

/** A buffer's header, as far as it can be believed. */
interface Buffer {
  readonly position: number;
  /** `undefined` where the size in the header makes no sense. */
  readonly sizeInBytes: number | undefined;
  /** Bytes used by header and records. */
  readonly filledBytes: number;
  /** Whether both places that tell the filled bytes agree; where one of them is 0, it just does not tell. */
  readonly agreed: boolean;
  readonly differ: boolean;
  readonly cpu: number;
  readonly flags: number;
  readonly compressed: boolean;
}

/**
 * Reads a raw, uncompressed log. Damage is skipped and noted; memory and time are bounded by the file's length.
 * Throws `ForeignFormatError` where the file is no such log, is compressed, or its header is cut or senseless.
 */
export function readEtlFile(bytes: Uint8Array, options: EtlOptions = {}): EtlFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wantedProvider = options.provider === undefined ? undefined : plainGuid(options.provider);
  refuseCompressed(view);
  const header = readEtlHeader(view, BUFFER_HEADER_BYTES);
  const counts = { bufferCount: 0, skippedBufferCount: 0, otherRecordCount: 0 };
  const walk: Walk = { bytes, view, wantedProvider, events: [], notes: [], ...counts };
  let position = 0;
  while (position < bytes.length) {
    const next = walkBuffer(walk, position);
    if (next <= position) throw new Error(`Assertion failed: the reader stands still at byte ${position}`);
    position = next;
  }
  noteMissingBuffers(walk, header);
  walk.events.sort(byTime);
  const { events, notes, bufferCount, skippedBufferCount, otherRecordCount } = walk;
  return { header, events, notes, bufferCount, skippedBufferCount, otherRecordCount };
}

/** Array sorting is stable, and events stand in file order before it. */
function byTime(left: EtlEvent, right: EtlEvent): number {
  return left.timestamp < right.timestamp ? -1 : left.timestamp > right.timestamp ? 1 : 0;
}

function refuseCompressed(view: DataView): void {
  if (view.byteLength < BUFFER_HEADER_BYTES || !looksLikeBuffer(view, 0)) return;
  if (readBuffer(view, 0)?.compressed !== true) return;
  throw new ForeignFormatError(
    "Cannot read event log at byte 44: its first buffer is compressed; record it again without compression",
    44,
  );
}

/** Reads what `position` holds and returns where the next buffer starts, or the file's length. */
function walkBuffer(walk: Walk, position: number): number {
  const left = walk.bytes.length - position;
  if (left < BUFFER_HEADER_BYTES) {
    note(walk, "cut", position, left, `${left} bytes stand where a buffer header of ${BUFFER_HEADER_BYTES} is wanted`);
    return walk.bytes.length;
  }
  const buffer = readBuffer(walk.view, position);
  if (buffer === undefined) {
    walk.skippedBufferCount++;
    return skipTo(walk, position, position + ALIGNMENT_BYTES);
  }
  noteBuffer(walk, buffer);
  if (buffer.compressed) walk.skippedBufferCount++;
  else walkRecords(walk, buffer);
  return nextBuffer(walk, buffer);
}

/** The header at `position`, of which 72 bytes must be there; `undefined` where no trust can be put in it. */
function readBuffer(view: DataView, position: number): Buffer | undefined {
  const size = view.getUint32(position, true);
  const saved = view.getUint32(position + 0x04, true);
  const offset = view.getUint32(position + 0x30, true);
  const sizeIsPossible = size >= BUFFER_HEADER_BYTES && size <= MAX_BUFFER_BYTES;
  const agreed = saved === offset && (saved === 0 || saved >= BUFFER_HEADER_BYTES);
  const limit = agreed || !sizeIsPossible ? MAX_BUFFER_BYTES : size;
  const filledBytes = largestWithin(saved, offset, limit);
  // Two of the three numbers have to fit each other; of an empty buffer only the size is a number.
  if (filledBytes === undefined || (!agreed && !sizeIsPossible)) return undefined;
  if (saved === 0 && (!sizeIsPossible || !hasSmallNumbers(view, position))) return undefined;
  const flags = view.getUint16(position + 0x34, true);
  const wideCpu = (flags & FLAG_PROCESSOR_INDEX) !== 0;
  return {
    position,
    sizeInBytes: sizeIsPossible && size >= filledBytes ? size : undefined,
    filledBytes,
    agreed,
    differ: saved !== offset && saved !== 0 && offset !== 0,
    cpu: wideCpu ? view.getUint16(position + 0x28, true) : view.getUint8(position + 0x28),
    flags,
    compressed: (flags & FLAG_COMPRESSED) !== 0 || view.getUint32(position + 0x2c, true) === STATE_COMPRESSED,
  };
}

/** A buffer of 0 filled bytes is an empty one: nothing but its header. */
function largestWithin(left: number, right: number, limit: number): number | undefined {
  if (left === 0 && right === 0) return BUFFER_HEADER_BYTES;
  const largest = Math.max(left <= limit ? left : 0, right <= limit ? right : 0);
  return largest >= BUFFER_HEADER_BYTES ? largest : undefined;
}

function noteBuffer(walk: Walk, buffer: Buffer): void {
  const { position, filledBytes } = buffer;
  const left = walk.bytes.length - position;
  if (buffer.differ) {
    const message = `the two counts of its filled bytes differ; the larger possible one, ${filledBytes}, is used`;
    note(walk, "bad-buffer", position, 0, message);
  }
  if ((buffer.flags & (FLAG_EVENTS_LOST | FLAG_BUFFER_LOST)) !== 0) {
    note(walk, "session-loss", position, 0, "the recording session lost events before this buffer");
  }
  if (buffer.compressed) {
    note(walk, "compressed-buffer", position, filledBytes, "the buffer is compressed, and is skipped");
  }
  if (left < filledBytes) {
    const message = `the file ends after ${left} of the buffer's ${filledBytes} filled bytes`;
    note(walk, "cut", position, filledBytes - left, message);
  } else if (buffer.sizeInBytes === undefined) {
    const size = walk.view.getUint32(position, true);
    note(walk, "bad-buffer", position, 0, `a buffer size of ${size} bytes cannot hold its ${filledBytes} filled bytes`);
  }
}

/**
 * The next buffer should start where this one ends. A header found before that place says that the size was too
 * large; no header at that place, that it was wrong or that bytes are damaged: then the next good header is taken.
 */
function nextBuffer(walk: Walk, buffer: Buffer): number {
  const length = walk.bytes.length;
  const from = align(buffer.position, buffer.position + buffer.filledBytes);
  const expected = buffer.position + (buffer.sizeInBytes ?? buffer.filledBytes);
  if (buffer.position + buffer.filledBytes > length) return length; // The cut is noted with its buffer.
  const inside = findBuffer(walk.view, from, Math.min(expected, length));
  if (inside !== undefined) {
    const message = `a buffer starts inside the ${expected - buffer.position} bytes that the one before it claims`;
    note(walk, "bad-buffer", inside, 0, message);
    return inside;
  }
  if (expected > length) {
    note(walk, "cut", buffer.position, 0, `the file ends inside a buffer of ${expected - buffer.position} bytes`);
    return length;
  }
  return buffer.sizeInBytes === undefined ? skipTo(walk, from, from) : expected;
}

/** Goes to the next good header at or after `from`; what lies between `position` and it is noted as lost. */
function skipTo(walk: Walk, position: number, from: number): number {
  const next = findBuffer(walk.view, from, walk.bytes.length) ?? walk.bytes.length;
  if (next === position) return next;
  const lost = next - position;
  note(walk, "bad-buffer", position, lost, `${lost} bytes are skipped: no buffer header stands where one is wanted`);
  return next;
}

/** The first place in `[from, end)` with a header that looks right in every respect. */
function findBuffer(view: DataView, from: number, end: number): number | undefined {
  const last = Math.min(end - 1, view.byteLength - BUFFER_HEADER_BYTES);
  for (let position = from; position <= last; position += ALIGNMENT_BYTES) {
    if (looksLikeBuffer(view, position)) return position;
  }
  return undefined;
}

/** Payloads are full of zeros and small numbers, so an empty buffer does not pass for one here. */
function looksLikeBuffer(view: DataView, position: number): boolean {
  if (view.getUint32(position, true) % ALIGNMENT_BYTES !== 0) return false;
  const buffer = readBuffer(view, position);
  if (buffer?.sizeInBytes === undefined || !buffer.agreed || !hasSmallNumbers(view, position)) return false;
  if (buffer.filledBytes === BUFFER_HEADER_BYTES) return false;
  const first = position + BUFFER_HEADER_BYTES;
  return buffer.compressed || first + 4 > view.byteLength || recordKind(view, first) !== undefined;
}

/** States, flags and buffer types are small numbers. */
function hasSmallNumbers(view: DataView, position: number): boolean {
  const state = view.getUint32(position + 0x2c, true);
  const flags = view.getUint16(position + 0x34, true);
  return state <= 7 && flags <= 0xff && view.getUint16(position + 0x36, true) <= 7;
}

function walkRecords(walk: Walk, buffer: Buffer): void {
  walk.bufferCount++;
  const filledEnd = buffer.position + buffer.filledBytes;
  const end = Math.min(filledEnd, walk.bytes.length);
  let position = buffer.position + BUFFER_HEADER_BYTES;
  while (position + 4 <= end && walk.view.getUint32(position, true) !== 0xffffffff) {
    const size = recordSize(walk.view, position, { end });
    if (size === undefined || position + size > filledEnd) {
      note(
        walk,
        "bad-event",
        position,
        end - position,
        "no record stands where one is wanted; the rest of the buffer is skipped",
      );
      return;
    }
    if (position + size > end) return; // The cut is noted with its buffer.
    walkRecord(walk, buffer.cpu, { position, size });
    position = align(buffer.position, position + size);
  }
}

function walkRecord(walk: Walk, cpu: number, record: EtlRecord): void {
  const provider = recordProvider(walk.view, record.position);
  if (provider === undefined || (walk.wantedProvider !== undefined && provider !== walk.wantedProvider)) {
    walk.otherRecordCount++;
    return;
  }
  const event = readEvent(walk.bytes, record, { view: walk.view, cpu, provider });
  if (event !== undefined) walk.events.push(event);
  else note(walk, "bad-event", record.position, record.size, "an event is skipped: its extended items do not fit it");
}

function noteMissingBuffers(walk: Walk, header: EtlHeader): void {
  const found = walk.bufferCount + walk.skippedBufferCount;
  if (found >= header.buffersWritten) return;
  note(
    walk,
    "missing-buffers",
    walk.bytes.length,
    0,
    `the file's header counts ${header.buffersWritten} buffers written, and ${found} are here`,
  );
}

function note(walk: Walk, kind: EtlNote["kind"], offsetBytes: number, lostBytes: number, what: string): void {
  walk.notes.push({ kind, offsetBytes, lostBytes, message: `Event log at byte ${offsetBytes}: ${what}` });
}

function plainGuid(text: string): string {
  const match = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/.exec(text.toLowerCase());
  if (match?.[1] !== undefined) return match[1];
  throw new TypeError(`Name the provider by its GUID, such as 802ec45a-1e99-4b83-9920-87c98277ba9d: "${text}" is none`);
}
