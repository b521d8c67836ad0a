// Whether two runs of bytes are equal, wherever they start. It must not know what the bytes are for.

/** Bytes that are looked at in one step. */
const STEP = 16;

/** Whether both have the same bytes. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  const { length } = left;
  if (length !== right.length) return false;
  const stepped = length < STEP ? 0 : length - length % STEP;
  if (stepped > 0 && !sameSteps(left, right, stepped)) return false;
  for (let index = stepped; index < length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

function sameSteps(left: Uint8Array, right: Uint8Array, length: number): boolean {
  const one = new DataView(left.buffer, left.byteOffset, length);
  const other = new DataView(right.buffer, right.byteOffset, length);
  for (let at = 0; at < length; at += STEP) {
    const difference = (one.getInt32(at, true) ^ other.getInt32(at, true)) |
      (one.getInt32(at + 4, true) ^ other.getInt32(at + 4, true)) |
      (one.getInt32(at + 8, true) ^ other.getInt32(at + 8, true)) |
      (one.getInt32(at + 12, true) ^ other.getInt32(at + 12, true));
    if (difference !== 0) return false;
  }
  return true;
}
