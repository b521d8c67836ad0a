// Whether two runs of bytes are equal, wherever they start. It must not know what the bytes are for.

/** Bytes that are looked at in one step. */
const STEP = 16;
/** Below this many bytes the views that steps need cost more than they save: they are allocated, and a collector's work. */
const WORTH_STEPS = 256;

/** Whether both have the same bytes. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && isSameAt(left, 0, right);
}

/** Whether `bytes` stand in `all` from the offset on, which leaves room for them. */
export function isSameAt(all: Uint8Array, offset: number, bytes: Uint8Array): boolean {
  const { length } = bytes;
  // Most that differ do so at once.
  if (length === 0 || all[offset] !== bytes[0]) return length === 0;
  const stepped = length < WORTH_STEPS ? 0 : length - length % STEP;
  if (stepped > 0 && !sameSteps(all, offset, { bytes, length: stepped })) return false;
  for (let index = stepped; index < length; index += 1) if (all[offset + index] !== bytes[index]) return false;
  return true;
}

function sameSteps(
  all: Uint8Array,
  offset: number,
  { bytes, length }: { readonly bytes: Uint8Array; readonly length: number },
): boolean {
  const one = new DataView(all.buffer, all.byteOffset + offset, length);
  const other = new DataView(bytes.buffer, bytes.byteOffset, length);
  for (let at = 0; at < length; at += STEP) {
    const difference = (one.getInt32(at, true) ^ other.getInt32(at, true)) |
      (one.getInt32(at + 4, true) ^ other.getInt32(at + 4, true)) |
      (one.getInt32(at + 8, true) ^ other.getInt32(at + 8, true)) |
      (one.getInt32(at + 12, true) ^ other.getInt32(at + 12, true));
    if (difference !== 0) return false;
  }
  return true;
}
