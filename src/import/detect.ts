// Tells by its first bytes what a file is, whatever its name says. It must not read more of a format than its mark.

/** What `detectFormat` can tell: a raw event log, JSON lines, strace's text, one of our own traces. */
export type ForeignFormat = "etl" | "json-lines" | "strace" | "maptrail";

/** How many bytes of a file `detectFormat` looks at, at most. */
export const DETECT_BYTES = 4096;

/** The format of a file that begins with these bytes, or null. Whether the rest is in order is not said. */
export function detectFormat(firstBytes: Uint8Array): ForeignFormat | null {
  const bytes = firstBytes.subarray(0, DETECT_BYTES);
  if (isEventLog(bytes)) return "etl";
  if (isJsonLines(bytes)) return "json-lines";
  if (isTrace(bytes)) return "maptrail";
  return isStrace(bytes) ? "strace" : null;
}

const BUFFER_HEADER_BYTES = 72;
const STATE_COMPRESSED = 5;
const FLAG_COMPRESSED = 0x40;

/** A buffer's header, and behind it the log's first record; or a compressed buffer, which the importer refuses. */
function isEventLog(bytes: Uint8Array): boolean {
  if (bytes.length < BUFFER_HEADER_BYTES + 8) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const marker = view.getUint32(BUFFER_HEADER_BYTES, true);
  const group = view.getUint16(BUFFER_HEADER_BYTES + 6, true);
  return ((marker === 0xc0010002 || marker === 0xc0020002) && group === 0) || isCompressedBuffer(view);
}

/** Its size and its filled bytes are possible, and its small numbers are small: text and our traces fail here. */
function isCompressedBuffer(view: DataView): boolean {
  const size = view.getUint32(0, true);
  const [saved, offset] = [view.getUint32(4, true), view.getUint32(0x30, true)];
  const [state, flags, type] = [view.getUint32(0x2c, true), view.getUint16(0x34, true), view.getUint16(0x36, true)];
  const isBuffer = size % 8 === 0 && saved === offset && saved >= BUFFER_HEADER_BYTES && saved <= size;
  const isPlausible = isBuffer && state <= 7 && flags <= 0xff && type <= 7;
  return isPlausible && (state === STATE_COMPRESSED || (flags & FLAG_COMPRESSED) !== 0);
}

/** The first thing that is no white space is an object. */
function isJsonLines(bytes: Uint8Array): boolean {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const first = bytes.subarray(start).find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === 0x7b;
}

/** A MessagePack map whose first key is a string: the header. */
function isTrace(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  const keyAt = first > 0x80 && first <= 0x8f ? 1 : first === 0xde ? 3 : first === 0xdf ? 5 : -1;
  const key = bytes[keyAt] ?? 0;
  return (key > 0xa0 && key <= 0xbf) || key === 0xd9;
}

/** A line that is a system call of a program which uses files: `ioctl(3, `, `openat(`, behind a process or a time. */
const SYSTEM_CALL =
  /^(?:\[pid +\d+\] +|\d+ +)?(?:[\d:]+(?:\.\d+)? +)?(?:ioctl\(\d+|openat\(|open\("|execve\("|brk\(|mmap\(|close\(\d).*(?:\) += |<unfinished)/m;

function isStrace(bytes: Uint8Array): boolean {
  return SYSTEM_CALL.test(new TextDecoder().decode(bytes));
}
