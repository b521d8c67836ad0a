// Reads the first record of a raw Event Tracing for Windows log (.etl), which describes the log as a whole. It must
// not know of buffers beyond the first, nor of events.
//
// Layout: TRACE_LOGFILE_HEADER of the Windows SDK, behind a system trace header of 32 bytes. Two pointers inside it
// have the size that the header itself tells, which is that of the tool that recorded, not that of the events.

import { ForeignFormatError } from "./foreign_format_error.ts";

/** What a log says of itself. */
export interface EtlHeader {
  /** Ticks per second of the performance counter. */
  readonly perfFreq: bigint;
  /** What a timestamp counts; by `ticksPerSecond` it becomes time. */
  readonly clock: "performance-counter" | "system-time" | "cpu-cycles";
  /** Ticks per second of the timestamps; not 0. */
  readonly ticksPerSecond: bigint;
  /** The timestamp at which the log starts, in ticks: the moment that `startTime` names. */
  readonly startTicks: bigint;
  /** When the recording started, in 100 ns since 1601-01-01 UTC. */
  readonly startTime: bigint;
  /** When it ended, in 100 ns since 1601-01-01 UTC; 0 where it was not closed. */
  readonly endTime: bigint;
  /** Size in bytes of a pointer in the tool that recorded. The events' own headers may say otherwise, and hold. */
  readonly pointerSize: 4 | 8;
  readonly buffersWritten: number;
  /** Buffers and events that the recording session could not write. */
  readonly buffersLost: number;
  readonly eventsLost: number;
  readonly cpuCount: number;
  /** Build number of the recording Windows: 17134 is Windows 10 1803. */
  readonly build: number;
  readonly logFileMode: number;
  readonly sessionName: string;
}

const SYSTEM_HEADER_BYTES = 32;
const SYSTEM_HEADER_VERSION = 2;
const MODE_COMPRESSED = 0x04000000;
/** The session's name has at most 1,024 characters; more are not read. */
const MAX_NAME_CHARACTERS = 1024;

/** Reads the record at `position` and refuses files that are no logs, or compressed ones, with `ForeignFormatError`. */
export function readEtlHeader(view: DataView, position: number): EtlHeader {
  requireSystemHeader(view, position);
  const start = position + SYSTEM_HEADER_BYTES;
  requireBytes(view, start + 0x38);
  refuseCompressedMode(view, start + 0x20);
  const pointerSize = readPointerSize(view, start + 0x2c);
  // Two pointers and the 172-byte time zone lie between, and 64-bit numbers are 8-aligned.
  const afterZone = pointerSize === 4 ? start + 0xf0 : start + 0xf8;
  requireBytes(view, afterZone + 0x20);
  const perfFreq = view.getBigUint64(afterZone + 0x08, true);
  return {
    perfFreq,
    ...readClock(view, { typeAt: afterZone + 0x18, perfFreq, cpuMegahertz: view.getUint32(start + 0x34, true) }),
    startTicks: view.getBigUint64(position + 16, true),
    startTime: view.getBigUint64(afterZone + 0x10, true),
    endTime: view.getBigUint64(start + 0x10, true),
    pointerSize,
    buffersWritten: view.getUint32(start + 0x24, true),
    buffersLost: view.getUint32(afterZone + 0x1c, true),
    eventsLost: view.getUint32(start + 0x30, true),
    cpuCount: view.getUint32(start + 0x0c, true),
    build: view.getUint32(start + 0x08, true),
    logFileMode: view.getUint32(start + 0x20, true),
    sessionName: readName(view, afterZone + 0x20, position + view.getUint16(position + 4, true)),
  };
}

function requireBytes(view: DataView, end: number): void {
  if (view.byteLength >= end) return;
  throw new ForeignFormatError(
    `Cannot read event log at byte ${view.byteLength}: the file ends inside its header, which takes ${end} bytes`,
    view.byteLength,
  );
}

/** The marker: u16 version 2, u8 type 1 or 2 (32 or 64 bit), u8 flags 0xC0; then the size, and 0 for "log header". */
function requireSystemHeader(view: DataView, position: number): void {
  if (view.byteLength === 0) throw new ForeignFormatError("Cannot read event log at byte 0: the file is empty", 0);
  requireBytes(view, position + SYSTEM_HEADER_BYTES);
  const version = view.getUint16(position, true);
  const type = view.getUint8(position + 2);
  const group = view.getUint16(position + 6, true);
  const isSystem = view.getUint8(position + 3) === 0xc0 && (type === 1 || type === 2);
  if (isSystem && version === SYSTEM_HEADER_VERSION && group === 0) return;
  const marker = view.getUint32(position, true).toString(16).padStart(8, "0");
  throw new ForeignFormatError(
    `Cannot read event log at byte ${position}: marker 0x${marker} is not the 0xc0010002 or 0xc0020002 of a raw .etl file`,
    position,
  );
}

function refuseCompressedMode(view: DataView, position: number): void {
  const mode = view.getUint32(position, true);
  if ((mode & MODE_COMPRESSED) === 0) return;
  throw new ForeignFormatError(
    `Cannot read event log at byte ${position}: it is compressed (log file mode 0x${mode.toString(16)} contains ` +
      `0x${MODE_COMPRESSED.toString(16)}); record it again without compression`,
    position,
  );
}

function readPointerSize(view: DataView, position: number): 4 | 8 {
  const size = view.getUint32(position, true);
  if (size === 4 || size === 8) return size;
  throw new ForeignFormatError(
    `Cannot read event log at byte ${position}: pointer size ${size} is neither 4 nor 8 bytes`,
    position,
  );
}

/** Clock types: 1 performance counter (also the default, 0), 2 system time of 100 ns, 3 processor cycles. */
function readClock(
  view: DataView,
  from: { typeAt: number; perfFreq: bigint; cpuMegahertz: number },
): Pick<EtlHeader, "clock" | "ticksPerSecond"> {
  const type = view.getUint32(from.typeAt, true);
  const found = clockOfType(type, from.perfFreq, BigInt(from.cpuMegahertz) * 1_000_000n);
  if (found !== undefined && found.ticksPerSecond !== 0n) return found;
  const what = found === undefined ? `clock type ${type} is not 1, 2 or 3` : "its clock has 0 ticks per second";
  throw new ForeignFormatError(`Cannot read event log at byte ${from.typeAt}: ${what}`, from.typeAt);
}

function clockOfType(
  type: number,
  perfFreq: bigint,
  cpuFreq: bigint,
): Pick<EtlHeader, "clock" | "ticksPerSecond"> | undefined {
  switch (type) {
    case 0:
    case 1:
      return { clock: "performance-counter", ticksPerSecond: perfFreq };
    case 2:
      return { clock: "system-time", ticksPerSecond: 10_000_000n };
    case 3:
      return { clock: "cpu-cycles", ticksPerSecond: cpuFreq };
    default:
      return undefined;
  }
}

/** UTF-16 up to its NUL, the record's end or the file's. */
function readName(view: DataView, position: number, recordEnd: number): string {
  const end = Math.min(recordEnd, view.byteLength, position + 2 * MAX_NAME_CHARACTERS);
  const codes: number[] = [];
  for (let at = position; at + 2 <= end; at += 2) {
    const code = view.getUint16(at, true);
    if (code === 0) break;
    codes.push(code);
  }
  return String.fromCharCode(...codes);
}
