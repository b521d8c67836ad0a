// Text that other programs wrote. Must not know what it says.

/** Byte order marks of UTF-16, and what decodes what follows. */
const MARKS = [{ mark: [0xff, 0xfe], label: "utf-16le" }, { mark: [0xfe, 0xff], label: "utf-16be" }] as const;

/** The bytes as UTF-8, where they are a text of UTF-16 behind its mark, as PowerShell writes what it redirects; others as they are. */
export function asUtf8<Bytes extends Uint8Array>(bytes: Bytes): Bytes | Uint8Array<ArrayBuffer> {
  const found = MARKS.find(({ mark }) => mark.every((byte, index) => bytes[index] === byte));
  return found === undefined ? bytes : new TextEncoder().encode(new TextDecoder(found.label).decode(bytes));
}
