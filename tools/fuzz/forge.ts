// Lies with right checksums, as only a bad writer could tell them: counts, lengths, tables, columns, the header's fields.
// Offsets are those of FORMAT.md. It must not know what a reader makes of them.

import { crc32 } from "node:zlib";
import type { Random } from "../../src/driver/mod.ts";
import { pack, type Packable, PREFIX_BYTES, readBody, readPrefix, unpack, writeBlock } from "../../src/wire/mod.ts";
import { damageBytes, type Damaged, joined } from "./damage.ts";

const HEADER_START_BYTES = 51;
const EDGES = [0, 1, 2, 127, 255, 256, 2 ** 16, 2 ** 17, 2 ** 17 + 1, 2 ** 22, 2 ** 24, 2 ** 26, 2 ** 31, 2 ** 32 - 1];
const WIDE_EDGES = [...EDGES, 2 ** 53 - 2, 2 ** 53 - 1, 2 ** 53].map(BigInt).concat([2n ** 63n, 2n ** 64n - 1n]);
const FIELDS_32 = { file: 11, count: 25, decoded: 39, decodedCrc: 44, storedCrc: 49, length: 59 } as const;
const FIELDS_64 = { first: 16, start: 30 } as const;
const TAGS = ["mt.event", "mt.state", "mt.index", "mt.final", "mt.later"];

type Forgery = (block: Uint8Array, random: Random) => Damaged<Uint8Array>;

/** A block that lies; its checksums are right, but for the decoded parts where the stored bytes were changed. */
export function forgeBlock(block: Uint8Array, random: Random): Damaged<Uint8Array> {
  return random.pick(FORGERIES)(block, random);
}

const FORGERIES: readonly Forgery[] = [forgePrefix, forgeBody, forgePart, forgePart, forgeMap, forgeMap, forgeMap];

function forgePrefix(block: Uint8Array, random: Random): Damaged<Uint8Array> {
  const value = block.slice();
  const view = new DataView(value.buffer);
  const what = random.pick([...Object.keys(FIELDS_32), ...Object.keys(FIELDS_64), "tag"]);
  const old = random.below(2) === 0;
  let now = "";
  for (const [name, at] of Object.entries(FIELDS_32)) {
    if (name !== what) continue;
    const number = old ? Math.max(0, view.getUint32(at) + random.below(5) - 2) : random.pick(EDGES);
    view.setUint32(at, number);
    now = String(number);
  }
  for (const [name, at] of Object.entries(FIELDS_64)) {
    if (name !== what) continue;
    const number = old ? view.getBigUint64(at) + BigInt(random.below(5)) : random.pick(WIDE_EDGES);
    view.setBigUint64(at, number);
    now = String(number);
  }
  if (what === "tag") {
    now = random.pick(TAGS);
    value.set(new TextEncoder().encode(now), 2);
  }
  return { value: withPrefixChecksum(value), step: `prefix says ${what} ${now}` };
}

/** The block with the checksum that its prefix has now. */
export function withPrefixChecksum(block: Uint8Array): Uint8Array {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  view.setUint32(54, 0);
  view.setUint32(54, crc32(block.subarray(0, PREFIX_BYTES)));
  return block;
}

function forgeBody(block: Uint8Array, random: Random): Damaged<Uint8Array> {
  const { value: body, step } = damageBytes(block.subarray(PREFIX_BYTES), random);
  const value = joined([block.subarray(0, PREFIX_BYTES), body]);
  const view = new DataView(value.buffer);
  view.setUint32(FIELDS_32.storedCrc, crc32(body));
  view.setUint32(FIELDS_32.length, body.length);
  return { value: withPrefixChecksum(value), step: `in the body, ${step}` };
}

function forgePart(block: Uint8Array, random: Random): Damaged<Uint8Array> {
  let step = "";
  const value = rewritten(block, (parts) => {
    const part = random.below(parts.length);
    const damaged = damageBytes(parts[part] ?? new Uint8Array(0), random);
    step = `in part ${part}, ${damaged.step}`;
    return parts.with(part, damaged.value);
  });
  return { value, step };
}

/** Changes one value somewhere in the map that the first part is. */
function forgeMap(block: Uint8Array, random: Random): Damaged<Uint8Array> {
  let step = "";
  const value = rewritten(block, ([head = new Uint8Array(0), ...rest]) => {
    const forged = forgeValue(unpack(head), random);
    step = `in the map, ${forged.step}`;
    return [pack(forged.value), ...rest];
  });
  return { value, step };
}

/** The block with other parts and right checksums; as it is where it cannot be read, as another lie may have made it. */
function rewritten(block: Uint8Array, edit: (parts: readonly Uint8Array[]) => readonly Uint8Array[]): Uint8Array {
  const prefix = readPrefix(block);
  if (prefix === null) return block;
  try {
    return writeBlock({ ...prefix, parts: edit(readBody(prefix, block.subarray(PREFIX_BYTES))) });
  } catch {
    return block;
  }
}

/** A header that lies and has the right size and checksum; its first four keys stay. */
export function forgeHeader(header: Uint8Array, random: Random): Damaged<Uint8Array> {
  const fields = unpack(header);
  const entries = fields instanceof Map ? [...fields].slice(4) : [];
  const rest = new Map(entries.map(([name, value]) => [String(name), packable(value)]));
  const forged = forgeValue(rest, random);
  if (!(forged.value instanceof Map)) return { value: header, step: "the header stays" };
  const packed = [...forged.value].flatMap(([name, value]) => [pack(name), pack(value)]);
  const value = joined([header.subarray(0, HEADER_START_BYTES), ...packed]);
  const view = new DataView(value.buffer);
  view.setUint16(1, forged.value.size + 4);
  view.setUint32(28, random.pick([1, 1, 1, 1, 0, 2, 2 ** 32 - 1]));
  view.setUint32(38, value.length);
  view.setUint32(47, 0);
  view.setUint32(47, crc32(value));
  return { value, step: `in the header of version ${view.getUint32(28)}, ${forged.step}` };
}

/** Blocks that belong to this header. */
export function claimBlocks(blocks: readonly Uint8Array[], header: Uint8Array): Uint8Array[] {
  const file = new DataView(header.buffer, header.byteOffset).getUint32(47);
  return blocks.map((block) => {
    if (block.length < PREFIX_BYTES) return block;
    const claimed = block.slice();
    new DataView(claimed.buffer).setUint32(FIELDS_32.file, file);
    return withPrefixChecksum(claimed);
  });
}

/** Index and end that fit the blocks as they are now, so that a reader believes them. */
export function fitIndex(blocks: readonly Uint8Array[], headerBytes: number): Uint8Array[] {
  const prefixes = blocks.map(readPrefix);
  const at = prefixes.findIndex((prefix) => prefix?.tag === "mt.index");
  const before = prefixes.slice(0, Math.max(0, at)).map((prefix) => ({ prefix }));
  const numbers = (of: (block: NonNullable<(typeof prefixes)[number]>) => number): number[] =>
    before.map(({ prefix }) => prefix === null ? 0 : of(prefix));
  const sizes = blocks.slice(0, Math.max(0, at)).map((block) => block.length);
  const tags = [...new Set(before.map(({ prefix }) => prefix?.tag ?? ""))];
  const index: [string, Packable][] = [
    ["tags", tags],
    ["blocks", before.map(({ prefix }) => tags.indexOf(prefix?.tag ?? ""))],
    ["sizes", sizes],
    ["firsts", numbers(({ first }) => first)],
    ["counts", numbers(({ count }) => count)],
    ["offset", headerBytes],
  ];
  const offset = sizes.reduce((sum, size) => sum + size, headerBytes);
  return blocks.map((block, place) => {
    if (place === at) return withFields(block, index);
    return prefixes[place]?.tag === "mt.final" ? withFields(block, [["index", offset], ["blocks", at + 1]]) : block;
  });
}

function withFields(block: Uint8Array, fields: readonly (readonly [string, Packable])[]): Uint8Array {
  return rewritten(block, ([head = new Uint8Array(0), ...rest]) => {
    const old = packable(unpack(head));
    return old instanceof Map ? [pack(new Map([...old, ...fields])), ...rest] : [head, ...rest];
  });
}

/** A value of which one inner value is another, gone or there twice. */
function forgeValue(value: unknown, random: Random): Damaged<Packable> {
  if (value instanceof Map && value.size > 0 && random.below(30) > 0) {
    const entries = [...value].map(([name, each]): [string, Packable] => [String(name), packable(each)]);
    const place = random.below(entries.length);
    const [name = "", old = null] = entries[place] ?? [];
    if (random.below(25) === 0) return { value: new Map(entries.toSpliced(place, 1)), step: `${name} is gone` };
    const { value: inner, step } = forgeValue(old, random);
    return { value: new Map(entries.with(place, [name, inner])), step: `${name}: ${step}` };
  }
  if (Array.isArray(value) && value.length > 0 && random.below(10) > 0) {
    const members = value.map(packable);
    const place = random.below(members.length);
    if (random.below(6) === 0) return { value: members.toSpliced(place, 1), step: `${place} is gone` };
    if (random.below(6) === 0) return { value: [...members, members[place] ?? null], step: `${place} is there twice` };
    const { value: inner, step } = forgeValue(members[place], random);
    return { value: members.with(place, inner), step: `${place}: ${step}` };
  }
  if (value instanceof Uint8Array && random.below(10) > 0) return damageBytes(value, random);
  const forged = typeof value === "number" && random.below(2) === 0
    ? value + random.below(5) - 2
    : typeof value === "string" && random.below(2) === 0
    ? forgedText(value, random)
    : random.pick(STRANGERS);
  return { value: forged, step: `${describe(value)} is ${describe(forged)}` };
}

const WORDS = [
  "",
  "__proto__",
  "constructor",
  "in",
  "object",
  "u8",
  "text",
  "in gpadl[]",
  "status",
  "gpadl",
  "\ud83d\ude00",
];
const STRANGERS: readonly Packable[] = [
  null,
  true,
  -1,
  0.5,
  NaN,
  Infinity,
  ...EDGES,
  ...WIDE_EDGES,
  -(2n ** 63n),
  ...WORDS,
  [],
  [[], [null]],
  new Map(),
  new Map([["a", 1]]),
  new Uint8Array(3),
];

function forgedText(text: string, random: Random): Packable {
  const at = random.below(text.length + 1);
  return random.pick([text.slice(0, at), `${text}${random.pick(WORDS)}`, random.pick(WORDS), text.toUpperCase()]);
}

function describe(value: unknown): string {
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Uint8Array) return "bytes";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}

function packable(value: unknown): Packable {
  if (value instanceof Map) return new Map([...value].map(([name, each]) => [String(name), packable(each)]));
  if (Array.isArray(value)) return value.map(packable);
  const isPlain = typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ||
    typeof value === "string" || value instanceof Uint8Array;
  return isPlain ? value : null;
}
