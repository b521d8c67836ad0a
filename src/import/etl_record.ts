// Reads the records inside a buffer of a raw Event Tracing for Windows log (.etl): their framing, and the header of
// those that are events. It must not know of buffers, nor of what a payload means.

/** One event of a manifest provider, as stored. */
export interface EtlEvent {
  /** Where the event starts, in bytes from the start of the file. */
  readonly offsetBytes: number;
  /** In ticks of the log's clock: `header.ticksPerSecond`. */
  readonly timestamp: bigint;
  readonly cpu: number;
  readonly pid: number;
  readonly tid: number;
  /** The provider's GUID, lower case, without braces. */
  readonly provider: string;
  readonly id: number;
  readonly version: number;
  readonly opcode: number;
  readonly keyword: bigint;
  /** Size in bytes of a pointer in this event, whatever the file's header says. */
  readonly pointerSize: 4 | 8;
  /** A view into the file's bytes, not a copy. */
  readonly payload: Uint8Array;
}

/** Where a record is, and its size in bytes, header included. */
export interface EtlRecord {
  readonly position: number;
  readonly size: number;
}

/** How a record says its size: where, and the size of its header in bytes. */
export interface EtlRecordKind {
  readonly sizeAt: 0 | 4;
  readonly headerBytes: number;
}

/** Records and extended items start at multiples of 8 bytes. */
export const ALIGNMENT_BYTES = 8;
const EVENT_HEADER_BYTES = 80;

const MARKER_TRACE = 0xc0;
const MARKER_MESSAGE = 0x90;
const HEADER_EVENT32 = 0x12;
const HEADER_EVENT64 = 0x13;
const EVENT_FLAG_EXTENDED_INFO = 0x1;

/** Where a record of a header type keeps its size, and the size of its header. */
const RECORD_KINDS: Readonly<Record<number, EtlRecordKind>> = {
  0x01: { sizeAt: 4, headerBytes: 32 }, // system, 32 bit
  0x02: { sizeAt: 4, headerBytes: 32 }, // system, 64 bit
  0x03: { sizeAt: 4, headerBytes: 24 }, // compact, 32 bit
  0x04: { sizeAt: 4, headerBytes: 24 }, // compact, 64 bit
  0x0a: { sizeAt: 0, headerBytes: 48 }, // classic, 32 bit
  0x0b: { sizeAt: 0, headerBytes: 56 }, // classic instance, 32 bit
  0x10: { sizeAt: 4, headerBytes: 16 }, // performance, 32 bit
  0x11: { sizeAt: 4, headerBytes: 16 }, // performance, 64 bit
  [HEADER_EVENT32]: { sizeAt: 0, headerBytes: EVENT_HEADER_BYTES },
  [HEADER_EVENT64]: { sizeAt: 0, headerBytes: EVENT_HEADER_BYTES },
  0x14: { sizeAt: 0, headerBytes: 48 }, // classic, 64 bit
  0x15: { sizeAt: 0, headerBytes: 56 }, // classic instance, 64 bit
};
const MESSAGE_KIND = { sizeAt: 0, headerBytes: 8 } as const;

/** What kind of record stands at `position`, of which 4 bytes must be there; `undefined` where none does. */
export function recordKind(view: DataView, position: number): EtlRecordKind | undefined {
  const marker = view.getUint8(position + 3);
  if (marker === MARKER_MESSAGE) return MESSAGE_KIND;
  return marker === MARKER_TRACE ? RECORD_KINDS[view.getUint8(position + 2)] : undefined;
}

/** The record's size in bytes; `undefined` where there is no record. Reads nothing at or after `options.end`. */
export function recordSize(view: DataView, position: number, options: { readonly end: number }): number | undefined {
  const kind = recordKind(view, position);
  if (kind === undefined) return undefined;
  if (position + kind.sizeAt + 2 > options.end) return kind.headerBytes;
  const size = view.getUint16(position + kind.sizeAt, true);
  return size >= kind.headerBytes ? size : undefined;
}

/** The provider's GUID if the record is an event of a manifest provider, else `undefined`. */
export function recordProvider(view: DataView, position: number): string | undefined {
  if (view.getUint8(position + 3) !== MARKER_TRACE) return undefined;
  const type = view.getUint8(position + 2);
  return type === HEADER_EVENT32 || type === HEADER_EVENT64 ? guidText(view, position + 24) : undefined;
}

/** Reads an event of which the whole record is there; `undefined` where its extended items do not fit it. */
export function readEvent(
  bytes: Uint8Array,
  record: EtlRecord,
  known: { readonly view: DataView; readonly cpu: number; readonly provider: string },
): EtlEvent | undefined {
  const { position, size } = record;
  const { view, cpu, provider } = known;
  const start = payloadStart(view, position, size);
  if (start === undefined) return undefined;
  return {
    offsetBytes: position,
    timestamp: view.getBigUint64(position + 16, true),
    cpu,
    pid: view.getUint32(position + 12, true),
    tid: view.getUint32(position + 8, true),
    provider,
    id: view.getUint16(position + 40, true),
    version: view.getUint8(position + 42),
    opcode: view.getUint8(position + 45),
    keyword: view.getBigUint64(position + 48, true),
    pointerSize: view.getUint8(position + 2) === HEADER_EVENT64 ? 8 : 4,
    payload: bytes.subarray(start, position + size),
  };
}

/** After the header stand the extended items, each of an 8-byte header and data, each 8-aligned; then the payload. */
function payloadStart(view: DataView, position: number, size: number): number | undefined {
  const end = position + size;
  let start = position + EVENT_HEADER_BYTES;
  let more = (view.getUint16(position + 4, true) & EVENT_FLAG_EXTENDED_INFO) !== 0;
  while (more) {
    if (start + 8 > end) return undefined;
    more = (view.getUint16(start + 4, true) & 1) !== 0;
    const itemEnd = start + 8 + view.getUint16(start + 6, true);
    if (itemEnd > end) return undefined;
    start = Math.min(align(position, itemEnd), end);
  }
  return start;
}

/** The first place at or after `position` that lies a multiple of 8 bytes from `base`. */
export function align(base: number, position: number): number {
  return base + Math.ceil((position - base) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

function guidText(view: DataView, position: number): string {
  const words = [hex(view.getUint32(position, true), 8), hex(view.getUint16(position + 4, true), 4)];
  words.push(hex(view.getUint16(position + 6, true), 4), hex(view.getUint16(position + 8), 4));
  return `${words.join("-")}-${hex(view.getUint16(position + 10), 4)}${hex(view.getUint32(position + 12), 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
