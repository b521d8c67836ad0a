// Reads fields of decoded structures as what they are. A field that is missing or of another kind reads as nothing.
// It must not know any structure.

import type { LayoutRecord, LayoutValue } from "../wire/mod.ts";

const NO_BYTES = new Uint8Array(0);

/** A field of 32 bits or fewer; 0 where there is none. */
export function u32(record: LayoutRecord, name: string): number {
  const value = record[name];
  return typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : 0;
}

/** A field of 64 bits; 0 where there is none. */
export function u64(record: LayoutRecord, name: string): bigint {
  const value = record[name];
  return typeof value === "bigint" ? value : typeof value === "number" ? BigInt(value) : 0n;
}

/** An array of handles or other small numbers. */
export function numbers(record: LayoutRecord, name: string): number[] {
  return list(record[name]).map((each) => typeof each === "number" ? each : Number(each));
}

/** An array of 64-bit words. */
export function words(record: LayoutRecord, name: string): bigint[] {
  return list(record[name]).map((each) => typeof each === "bigint" ? each : 0n);
}

/** A structure inside; an empty one where there is none. */
export function inner(record: LayoutRecord, name: string): LayoutRecord {
  return asRecord(record[name]);
}

/** An array of structures. */
export function records(record: LayoutRecord, name: string): LayoutRecord[] {
  return list(record[name]).map(asRecord);
}

/** Bytes. */
export function bytesIn(record: LayoutRecord, name: string): Uint8Array {
  const value = record[name];
  return value instanceof Uint8Array ? value : NO_BYTES;
}

function list(value: LayoutValue | undefined): readonly LayoutValue[] {
  return Array.isArray(value) ? value : [];
}

function asRecord(value: LayoutValue | undefined): LayoutRecord {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array) && isPlain(value)
    ? value
    : {};
}

function isPlain(value: LayoutValue): value is LayoutRecord {
  return typeof value === "object";
}
