// Writes raw Event Tracing for Windows logs (.etl) for tests: buffers per processor, of different sizes, behind a
// system trace header. It uses the importer's tables for the order and types of fields and nothing else of the
// importer, so that a round trip compares two readings of the format. Same input, same bytes.

import {
  DXGKRNL_EVENTS,
  DXGKRNL_PROVIDER,
  type DxgkrnlField,
  dxgkrnlSizeInBytes,
  splitField,
} from "../../src/import/dxgkrnl_schema.ts";

/** An event to be written: give `payload`, or the `fields` of a known event and version (a missing field is 0). */
export interface EtlWriterEvent {
  readonly timestamp: bigint;
  readonly id: number;
  readonly version: number;
  readonly fields?: Readonly<Record<string, bigint>>;
  readonly payload?: Uint8Array;
  readonly cpu?: number;
  readonly pid?: number;
  readonly tid?: number;
  readonly provider?: string;
  readonly opcode?: number;
  readonly keyword?: bigint;
  /** Default 8: a 64-bit event, whatever the log's own pointer size is. */
  readonly pointerSize?: 4 | 8;
  /** Data of extended items; each becomes one. */
  readonly extendedItems?: readonly Uint8Array[];
}

/** What the log says of itself, and how it is cut into buffers. */
export interface EtlWriterOptions {
  /** Sizes in bytes that buffers take in turn, multiples of 8; one that cannot hold its event grows. */
  readonly bufferSizes?: readonly number[];
  readonly pointerSize?: 4 | 8;
  readonly perfFreq?: bigint;
  readonly clockType?: number;
  readonly cpuMegahertz?: number;
  readonly startTicks?: bigint;
  readonly startTime?: bigint;
  readonly endTime?: bigint;
  readonly eventsLost?: number;
  readonly buffersLost?: number;
  readonly buffersWritten?: number;
  readonly logFileMode?: number;
  readonly build?: number;
  readonly cpuCount?: number;
  readonly sessionName?: string;
  /** Records of other kinds put in front of the first processor's events: already framed bytes. */
  readonly otherRecords?: readonly Uint8Array[];
}

const BUFFER_HEADER_BYTES = 72;
const EVENT_HEADER_BYTES = 80;
const PADDING = 0xff;
const STATE_FLUSHED = 3;
const FLAG_PROCESSOR_INDEX = 0x20;
const TYPE_HEADER = 4;

/** Writes the events in the given order per processor; buffers are written as they fill, the rest at the end. */
export function writeEtl(events: readonly EtlWriterEvent[], options: EtlWriterOptions = {}): Uint8Array<ArrayBuffer> {
  const sizes = options.bufferSizes ?? [576, 1024, 512];
  const files: Uint8Array[] = [];
  const open = new Map<number, { size: number; records: Uint8Array[] }>();
  let buffersOpened = 0;
  const add = (cpu: number, record: Uint8Array): void => {
    let buffer = open.get(cpu);
    if (buffer !== undefined && filledBytes(buffer.records) + record.length > buffer.size) {
      files.push(bufferBytes(buffer.records, { size: buffer.size, cpu, sequence: files.length + 1, type: 0 }));
      buffer = undefined;
    }
    if (buffer === undefined) {
      const size = Math.max(sizes[buffersOpened++ % sizes.length] ?? 0, filledBytes([record]));
      buffer = { size: roundUp(size), records: [] };
      open.set(cpu, buffer);
    }
    buffer.records.push(record);
  };
  for (const record of options.otherRecords ?? []) add(events[0]?.cpu ?? 0, record);
  for (const event of events) add(event.cpu ?? 0, eventBytes(event));
  for (const [cpu, { size, records }] of [...open].sort(([left], [right]) => left - right)) {
    files.push(bufferBytes(records, { size, cpu, sequence: files.length + 1, type: 0 }));
  }
  const header = headerRecord({ buffersWritten: files.length + 1, ...options });
  const headerSize = roundUp(filledBytes([header]));
  files.unshift(bufferBytes([header], { size: headerSize, cpu: 0, sequence: 0, type: TYPE_HEADER }));
  return concat(files);
}

/** The payload of a known event: its fields in the order of the tables. */
export function dxgkrnlPayload(
  event: Pick<EtlWriterEvent, "id" | "version" | "fields">,
  pointerSize: 4 | 8,
): Uint8Array {
  const fields = DXGKRNL_EVENTS[event.id]?.versions[event.version];
  if (fields === undefined) {
    throw new TypeError(`Give the payload itself: event ${event.id}.${event.version} is unknown`);
  }
  return fieldsBytes(fields, event.fields ?? {}, pointerSize);
}

/** A record of the kernel's own kind, which an importer passes over: 16 bytes of header and this many of payload. */
export function performanceRecord(payloadBytes: number): Uint8Array {
  const bytes = new Uint8Array(16 + payloadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xc0110002, true);
  view.setUint16(4, bytes.length, true);
  return bytes;
}

/** A log of a few events in every shape: three processors, both pointer sizes, out of order, equal times. */
export const SMALL_EVENTS: readonly EtlWriterEvent[] = [
  { timestamp: 50n, id: 336, version: 0, cpu: 1, fields: { pVaAllocator: 0xffffd687_da7f4a10n, hProcessId: 4n } },
  { timestamp: 20n, id: 331, version: 1, cpu: 0, fields: { pVaAllocator: 7n, StartAddress: 4096n, EndAddress: 8192n } },
  { timestamp: 60n, id: 334, version: 1, cpu: 1, fields: { pOwner: 9n, Flags: 1n, DriverProtection: 2n ** 64n - 1n } },
  { timestamp: 30n, id: 39, version: 0, cpu: 0, pointerSize: 4, fields: { hVidMmAlloc: 0xfffffff0n } },
  { timestamp: 30n, id: 328, version: 0, cpu: 2, pid: 4, tid: 640, keyword: 0x8000000000100000n, opcode: 2 },
  { timestamp: 10n, id: 435, version: 1, cpu: 0, fields: { StartAddress: 0x1000n } },
  { timestamp: 55n, id: 33, version: 3, cpu: 2, fields: { Priority: 0xa0000000n, PhysicalAdapterIndex: 3n } },
];
/** Cuts `SMALL_EVENTS` into several buffers of different sizes. */
export const SMALL_OPTIONS: EtlWriterOptions = { bufferSizes: [256, 320, 192] };

/** Where each buffer starts, by the sizes in the headers of an undamaged log. */
export function bufferStarts(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  for (let position = 0; position < bytes.length; position += view.getUint32(position, true)) starts.push(position);
  return starts;
}

function fieldsBytes(
  fields: readonly DxgkrnlField[],
  values: Readonly<Record<string, bigint>>,
  pointerSize: 4 | 8,
): Uint8Array {
  const bytes = new Uint8Array(dxgkrnlSizeInBytes(fields, pointerSize));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const field of fields) {
    const { name, type } = splitField(field);
    const value = values[name] ?? 0n;
    if (type === "u64" || (type === "ptr" && pointerSize === 8)) {
      view.setBigUint64(offset, value, true);
      offset += 8;
    } else if (type === "u16") {
      view.setUint16(offset, Number(value), true);
      offset += 2;
    } else {
      view.setUint32(offset, Number(value), true);
      offset += 4;
    }
  }
  return bytes;
}

function eventBytes(event: EtlWriterEvent): Uint8Array {
  const pointerSize = event.pointerSize ?? 8;
  const items = extendedBytes(event.extendedItems ?? []);
  const payload = event.payload ?? dxgkrnlPayload(event, pointerSize);
  const bytes = new Uint8Array(EVENT_HEADER_BYTES + items.length + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length, true);
  view.setUint16(2, pointerSize === 8 ? 0xc013 : 0xc012, true);
  view.setUint16(4, items.length > 0 ? 1 : 0, true);
  view.setUint32(8, event.tid ?? 0, true);
  view.setUint32(12, event.pid ?? 0, true);
  view.setBigUint64(16, event.timestamp, true);
  setGuid(view, 24, event.provider ?? DXGKRNL_PROVIDER);
  view.setUint16(40, event.id, true);
  view.setUint8(42, event.version);
  view.setUint8(45, event.opcode ?? 0);
  view.setBigUint64(48, event.keyword ?? 0n, true);
  bytes.set(items, EVENT_HEADER_BYTES);
  bytes.set(payload, EVENT_HEADER_BYTES + items.length);
  return bytes;
}

function extendedBytes(items: readonly Uint8Array[]): Uint8Array {
  const parts = items.map((data, index) => {
    const bytes = new Uint8Array(alignTo8(8 + data.length));
    const view = new DataView(bytes.buffer);
    view.setUint16(2, 1, true);
    view.setUint16(4, index + 1 < items.length ? 1 : 0, true);
    view.setUint16(6, data.length, true);
    bytes.set(data, 8);
    return bytes;
  });
  return concat(parts);
}

function bufferBytes(
  records: readonly Uint8Array[],
  about: { size: number; cpu: number; sequence: number; type: number },
): Uint8Array {
  const bytes = new Uint8Array(about.size).fill(PADDING);
  bytes.fill(0, 0, BUFFER_HEADER_BYTES);
  const filled = filledBytes(records);
  const view = new DataView(bytes.buffer);
  for (
    const [offset, value] of [[0, about.size], [4, filled], [8, filled], [0x2c, STATE_FLUSHED], [0x30, filled]] as const
  ) {
    view.setUint32(offset, value, true);
  }
  view.setBigInt64(0x18, BigInt(about.sequence), true);
  view.setUint16(0x28, about.cpu, true);
  view.setUint16(0x34, FLAG_PROCESSOR_INDEX, true);
  view.setUint16(0x36, about.type, true);
  let offset = BUFFER_HEADER_BYTES;
  for (const record of records) {
    bytes.fill(0, offset, offset + alignTo8(record.length));
    bytes.set(record, offset);
    offset += alignTo8(record.length);
  }
  return bytes;
}

function headerRecord(options: EtlWriterOptions): Uint8Array {
  const pointerSize = options.pointerSize ?? 8;
  const name = options.sessionName ?? "test";
  const afterZone = 32 + (pointerSize === 4 ? 0xf0 : 0xf8);
  const bytes = new Uint8Array(afterZone + 0x20 + 2 * (name.length + 2));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, pointerSize === 8 ? 0xc0020002 : 0xc0010002, true);
  view.setUint16(4, bytes.length, true);
  view.setBigUint64(16, options.startTicks ?? 1_000_000n, true);
  view.setUint32(32 + 0x00, 65536, true);
  view.setUint32(32 + 0x04, 0x0501000a, true);
  view.setUint32(32 + 0x08, options.build ?? 17134, true);
  view.setUint32(32 + 0x0c, options.cpuCount ?? 4, true);
  view.setBigUint64(32 + 0x10, options.endTime ?? 0n, true);
  view.setUint32(32 + 0x20, options.logFileMode ?? 0, true);
  view.setUint32(32 + 0x24, options.buffersWritten ?? 0, true);
  view.setUint32(32 + 0x28, 1, true);
  view.setUint32(32 + 0x2c, pointerSize, true);
  view.setUint32(32 + 0x30, options.eventsLost ?? 0, true);
  view.setUint32(32 + 0x34, options.cpuMegahertz ?? 3000, true);
  view.setBigUint64(afterZone + 0x08, options.perfFreq ?? 10_000_000n, true);
  view.setBigUint64(afterZone + 0x10, options.startTime ?? 132_000_000_000_000_000n, true);
  view.setUint32(afterZone + 0x18, options.clockType ?? 1, true);
  view.setUint32(afterZone + 0x1c, options.buffersLost ?? 0, true);
  for (let index = 0; index < name.length; index++) {
    view.setUint16(afterZone + 0x20 + 2 * index, name.charCodeAt(index), true);
  }
  return bytes;
}

function setGuid(view: DataView, offset: number, text: string): void {
  const digits = text.replaceAll("-", "");
  view.setUint32(offset, parseInt(digits.slice(0, 8), 16), true);
  view.setUint16(offset + 4, parseInt(digits.slice(8, 12), 16), true);
  view.setUint16(offset + 6, parseInt(digits.slice(12, 16), 16), true);
  for (let index = 8; index < 16; index++) {
    view.setUint8(offset + index, parseInt(digits.slice(2 * index, 2 * index + 2), 16));
  }
}

function filledBytes(records: readonly Uint8Array[]): number {
  return records.reduce((sum, record) => sum + alignTo8(record.length), BUFFER_HEADER_BYTES);
}

function alignTo8(size: number): number {
  return Math.ceil(size / 8) * 8;
}

/** Buffers are multiples of 64 bytes, as flushed ones are. */
function roundUp(size: number): number {
  return Math.ceil(size / 64) * 64;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
