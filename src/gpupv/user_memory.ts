// What an ioctl's argument is made of: a structure, and behind it what it points to. A pointer is an address in this one
// window; memory of allocations is named by addresses of its own. It must not know any structure.

import type { LayoutRecord } from "../wire/mod.ts";
import type { Layout } from "../wire/mod.ts";

/** Where the argument stands in the program's memory. */
const ARGUMENT_BASE = 0x7f00_0000_0000n;
const PAGE_BITS = 12n;
const ALIGNMENT = 8;

/** The address where a program sees a buffer of the guest: a page of its own for each handle value. */
export function userAddressOf(buffer: number): bigint {
  return BigInt(buffer) << PAGE_BITS;
}

/** The buffer whose first byte is at an address. */
export function bufferAt(address: bigint): number {
  return Number(address >> PAGE_BITS);
}

/** Something that an argument points to. */
export interface Pointed {
  /** The field of the structure that holds the pointer. */
  readonly field: string;
  readonly bytes: Uint8Array;
}

/** The argument of an ioctl: `values`, with pointers to `pointed`. */
export function packArgument(struct: Layout, values: LayoutRecord, pointed: readonly Pointed[] = []): Uint8Array {
  const pointers: { [field: string]: bigint } = {};
  let length = aligned(struct.bytes);
  for (const { field, bytes } of pointed) {
    pointers[field] = bytes.length === 0 ? 0n : ARGUMENT_BASE + BigInt(length);
    length = aligned(length + bytes.length);
  }
  const argument = new Uint8Array(length);
  argument.set(struct.encode({ ...values, ...pointers }));
  for (const { field, bytes } of pointed) {
    const at = offsetOf(pointers[field] ?? 0n);
    if (at !== null) argument.set(bytes, at);
  }
  return argument;
}

/** The bytes at a pointer into the argument, to read and to write; null: they are not all there. */
export function pointedBytes(argument: Uint8Array, pointer: bigint, length: number): Uint8Array | null {
  if (length === 0) return new Uint8Array(0);
  const at = offsetOf(pointer);
  return at === null || at + length > argument.length ? null : argument.subarray(at, at + length);
}

/** An array of structures at a pointer; null: it is not all there. */
export function pointedRecords(
  argument: Uint8Array,
  struct: Layout,
  { pointer, count }: { readonly pointer: bigint; readonly count: number },
): LayoutRecord[] | null {
  const bytes = pointedBytes(argument, pointer, count * struct.bytes);
  if (bytes === null) return null;
  return Array.from({ length: count }, (_, index) => struct.decode(bytes.subarray(index * struct.bytes)));
}

/** An array of handles at a pointer; null: it is not all there. */
export function pointedHandles(argument: Uint8Array, pointer: bigint, count: number): number[] | null {
  const bytes = pointedBytes(argument, pointer, count * 4);
  if (bytes === null) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => view.getUint32(index * 4, true));
}

/** An array of 64-bit words at a pointer; null: it is not all there. */
export function pointedWords(argument: Uint8Array, pointer: bigint, count: number): bigint[] | null {
  const bytes = pointedBytes(argument, pointer, count * 8);
  if (bytes === null) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => view.getBigUint64(index * 8, true));
}

/** 64-bit words as an array in memory. */
export function wordBytes(words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setBigUint64(index * 8, word, true);
  return bytes;
}

/** Handles as an array in memory. */
export function handleBytes(handles: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(handles.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, handle] of handles.entries()) view.setUint32(index * 4, handle, true);
  return bytes;
}

/** Structures as an array in memory. */
export function recordBytes(struct: Layout, records: readonly LayoutRecord[]): Uint8Array {
  const bytes = new Uint8Array(records.length * struct.bytes);
  for (const [index, record] of records.entries()) bytes.set(struct.encode(record), index * struct.bytes);
  return bytes;
}

function offsetOf(pointer: bigint): number | null {
  return pointer < ARGUMENT_BASE ? null : Number(pointer - ARGUMENT_BASE);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** The address of a byte behind an argument's structure: what stands there first is pointed to first. */
export function addressBehind(struct: Layout, offsetBytes: number): bigint {
  return ARGUMENT_BASE + BigInt(aligned(struct.bytes) + offsetBytes);
}
