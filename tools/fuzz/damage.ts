// Damage as disks and transports do it: nothing that was mutated gets a right checksum again.
// It must not know what a reader makes of it.

import type { Random } from "../../src/driver/mod.ts";

/** Bytes that were changed, and how. */
export interface Damaged<T> {
  readonly value: T;
  readonly step: string;
}

const BLOCKS = ["cut", "duplicate", "swap", "move", "donate"] as const;

/** Blocks in another order, fewer, more, or some of another trace. */
export function damageBlocks(
  blocks: readonly Uint8Array[],
  donor: readonly Uint8Array[],
  random: Random,
): Damaged<Uint8Array[]> {
  const value = [...blocks];
  if (value.length === 0) return { value, step: "no block is left" };
  const from = random.below(value.length);
  const to = random.below(value.length);
  const how = random.pick(BLOCKS);
  const block = value[from] ?? new Uint8Array(0);
  if (how === "cut") value.splice(from, 1);
  else if (how === "duplicate") value.splice(to, 0, block);
  else if (how === "donate") value.splice(to, 0, random.pick(donor));
  else if (how === "move") value.splice(to, 0, ...value.splice(from, 1));
  else [value[from], value[to]] = [value[to] ?? block, block];
  return { value, step: `${how} block ${from}, ${to}` };
}

type ByteDamage = (bytes: Uint8Array, random: Random) => Damaged<Uint8Array>;

/** Mutates bytes wherever they stand. */
export function damageBytes(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  return random.pick(BYTE_DAMAGES)(bytes, random);
}

const BYTE_DAMAGES: readonly ByteDamage[] = [
  flip,
  flip,
  flip,
  remove,
  remove,
  insert,
  repeat,
  overwrite,
  cutEnd,
  append,
  length,
];

function flip(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const value = bytes.slice();
  const places = Array.from({ length: 1 + random.below(3) }, () => random.below(Math.max(1, bytes.length)));
  for (const at of places) value[at] = (value[at] ?? 0) ^ (1 << random.below(8));
  return { value, step: `flip a bit at ${places.join(", ")}` };
}

function remove(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const { at, size } = extent(bytes, random);
  return { value: joined([bytes.subarray(0, at), bytes.subarray(at + size)]), step: `remove ${size} bytes at ${at}` };
}

function insert(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const { at, size } = extent(bytes, random);
  const noise = Uint8Array.from({ length: size }, () => random.below(256));
  return { value: joined([bytes.subarray(0, at), noise, bytes.subarray(at)]), step: `insert ${size} bytes at ${at}` };
}

function repeat(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const { at, size } = extent(bytes, random);
  const to = random.below(bytes.length + 1);
  const value = joined([bytes.subarray(0, to), bytes.subarray(at, at + size), bytes.subarray(to)]);
  return { value, step: `repeat ${size} bytes of ${at} at ${to}` };
}

function overwrite(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const { at, size } = extent(bytes, random);
  const byte = random.pick([0, 0xff, 0x9a, random.below(256)]);
  return { value: bytes.slice().fill(byte, at, at + size), step: `fill ${size} bytes at ${at} with ${byte}` };
}

function cutEnd(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const left = random.below(bytes.length + 1);
  return { value: bytes.slice(0, left), step: `cut to ${left} bytes` };
}

function append(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const { at, size } = extent(bytes, random);
  return { value: joined([bytes, bytes.subarray(at, at + size)]), step: `append ${size} bytes of ${at}` };
}

/** A length that is plainly wrong: four bytes that were one. */
function length(bytes: Uint8Array, random: Random): Damaged<Uint8Array> {
  const value = bytes.slice();
  const places = [38, ...allOf(bytes, 0xc6).map((at) => at + 1)].filter((at) => at + 4 <= bytes.length);
  if (places.length === 0) return { value, step: "there is no length" };
  const at = random.pick(places);
  const wrong = random.pick([0, 1, bytes.length, 2 ** 16, 2 ** 26, 2 ** 31, 2 ** 32 - 1]);
  new DataView(value.buffer).setUint32(at, wrong);
  return { value, step: `length ${wrong} at ${at}` };
}

function allOf(bytes: Uint8Array, byte: number): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) places.push(at);
  return places;
}

function extent(bytes: Uint8Array, random: Random): { readonly at: number; readonly size: number } {
  const at = random.below(bytes.length + 1);
  const most = random.pick([4, 80, 1000]);
  return { at, size: Math.min(bytes.length - at, 1 + random.below(most)) };
}

/** Bytes one behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
