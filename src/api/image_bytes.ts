// What the bytes of a saved channel are made of: counts, runs, flags, GUIDs. It must not know chunks.

import type { ByteReader, ByteWriter } from "../wire/mod.ts";

const GUID_BYTES = 16;

/** Bytes behind their count. */
export function writeRun(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

/** A view of bytes that stand behind their count; `WireError` where there are fewer. */
export function readRun(reader: ByteReader): Uint8Array {
  return reader.bytes(readCount(reader, { low: 0, high: reader.left }));
}

/** A GUID, or that there is none; its bytes in the order of its text. */
export function writeGuid(writer: ByteWriter, guid: string | null): void {
  writer.u8(guid === null ? 0 : 1);
  const digits = guid === null ? "" : guid.replaceAll(/[{}-]/g, "");
  for (let at = 0; at < digits.length; at += 2) writer.u8(Number.parseInt(digits.slice(at, at + 2), 16));
}

/** A GUID or null; `WireError` where it is cut. */
export function readGuid(reader: ByteReader): string | null {
  const [isGiven] = readFlags(reader, 1);
  if (isGiven !== true) return null;
  const digits = Array.from(reader.bytes(GUID_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `{${digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}}`;
}

/** Flags as bits, the first one lowest. */
export function flagBits(...flags: readonly boolean[]): number {
  return flags.reduce((bits, flag, index) => bits + (flag ? 2 ** index : 0), 0);
}

/** So many flags out of a byte; `WireError` for others. */
export function readFlags(reader: ByteReader, count: number): boolean[] {
  const bits = reader.u8();
  if (bits >= 2 ** count) throw reader.error(`there are flags beyond the ${count} that exist`);
  return Array.from({ length: count }, (_, index) => ((bits >> index) & 1) === 1);
}

/** A count within bounds; `WireError` for others. */
export function readCount(reader: ByteReader, { low, high }: { readonly low: number; readonly high: number }): number {
  const value = reader.varint();
  if (value < BigInt(low) || value > BigInt(high)) throw reader.error(`${value} is not ${low} to ${high}`);
  return Number(value);
}

/** Four bytes, the lowest first. */
export function writeU32(writer: ByteWriter, value: number): void {
  for (let shift = 0; shift < 32; shift += 8) writer.u8((value >>> shift) & 0xff);
}

/** Four bytes, the lowest first. */
export function readU32(reader: ByteReader): number {
  let value = 0;
  for (let factor = 1; factor <= 2 ** 24; factor *= 256) value += reader.u8() * factor;
  return value;
}

/** Items behind their count; each takes a byte at least, so that a wrong count is noticed before anything is made. */
export function readList<T>(reader: ByteReader, read: () => T): readonly T[] {
  return Array.from({ length: readCount(reader, { low: 0, high: reader.left }) }, read);
}
