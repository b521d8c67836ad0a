// Keyframe states as bytes: plain data in MessagePack that any library can walk. An array's first member says what it
// is (0: an array, 1: a Map's keys and values in turn, 2: a Set); an object is a map. It must not know what a state means.

import { MessagePackWriter, unpack } from "../wire/mod.ts";

const ARRAY = 0;
const MAP = 1;
const SET = 2;
const MAX_DEPTH = 30;
/** A range that lives takes 36 values: this is room for more of them than any other value needs. */
const LIMITS = { values: 2 ** 24, maps: 2 ** 22 };
/** What any state may hold, however few bytes it takes. */
const FREE_LIMITS = { values: 2 ** 16, maps: 2 ** 13 };
/** What a stored byte may hold beyond that; of 60,000 buffers that are all alike, a state has 5 values a byte. */
const VALUES_A_BYTE = 32;
const MAPS_A_BYTE = 4;

/**
 * The bytes of plain data: null, booleans, finite numbers, strings, `bigint` of 64 bits, `Uint8Array`, arrays, `Map`,
 * `Set` and objects of these; one that can be iterated and has a length is an array. `TypeError` for anything else, `undefined` too. A state may be large: nothing is laid out
 * ahead of its bytes.
 */
export function encodeKeyframe(value: unknown): Uint8Array {
  const writer = new MessagePackWriter();
  write(writer, value, 0);
  return writer.view();
}

/**
 * The data that `encodeKeyframe` made bytes of; objects have no prototype. `WireError` for other bytes, and for more values than
 * the bytes that they take in a file can tell apart: a state of zeros is small there, and fills the memory.
 */
export function decodeKeyframe(state: Uint8Array, storedBytes = state.length): unknown {
  const limits = {
    values: Math.min(LIMITS.values, FREE_LIMITS.values + VALUES_A_BYTE * storedBytes),
    maps: Math.min(LIMITS.maps, FREE_LIMITS.maps + MAPS_A_BYTE * storedBytes),
  };
  return fromUnpacked(unpack(state, limits));
}

function write(writer: MessagePackWriter, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new TypeError(`Cannot encode keyframe: it nests deeper than ${MAX_DEPTH}`);
  if (value === null) writer.nil();
  else if (typeof value === "boolean") writer.flag(value);
  else if (typeof value === "string") writer.text(value);
  else if (typeof value === "number" && Number.isFinite(value)) writer.number(value);
  else if (typeof value === "bigint" && value >= -(1n << 63n) && value < 1n << 64n) writer.bigint(value);
  else if (value instanceof Uint8Array) writer.binary(value);
  else if (Array.isArray(value)) writeMembers(writer, { what: ARRAY, count: value.length, members: value, depth });
  else if (value instanceof Set) writeMembers(writer, { what: SET, count: value.size, members: value, depth });
  else if (value instanceof Map) {
    writeMembers(writer, { what: MAP, count: 2 * value.size, members: inTurn(value), depth });
  } else if (isSequence(value)) writeMembers(writer, { what: ARRAY, count: value.length, members: value, depth });
  else if (isPlainObject(value)) writeObject(writer, value, depth);
  else {
    const what = typeof value === "object" ? value?.constructor.name : typeof value;
    throw new TypeError(`Cannot encode keyframe: pass plain data, not ${what}`);
  }
}

interface Members {
  readonly what: number;
  readonly count: number;
  readonly members: Iterable<unknown>;
  readonly depth: number;
}

function writeMembers(writer: MessagePackWriter, { what, count, members, depth }: Members): void {
  writer.array(1 + count);
  writer.number(what);
  for (const member of members) write(writer, member, depth + 1);
}

function* inTurn(map: ReadonlyMap<unknown, unknown>): IterableIterator<unknown> {
  for (const [key, value] of map) {
    yield key;
    yield value;
  }
}

function writeObject(writer: MessagePackWriter, value: Readonly<Record<string, unknown>>, depth: number): void {
  const names = Object.keys(value);
  writer.map(names.length);
  for (const name of names) {
    writer.text(name);
    write(writer, value[name], depth + 1);
  }
}

/** A plain object that gives members one by one, and says how many there are: an array that is never laid out. */
function isSequence(value: unknown): value is Iterable<unknown> & { readonly length: number } {
  return isPlainObject(value) && Symbol.iterator in value && typeof value.length === "number";
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function fromUnpacked(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Map) {
    const entries = [...value].map(([name, each]): [string, unknown] => [String(name), fromUnpacked(each)]);
    return Object.assign(Object.create(null), Object.fromEntries(entries));
  }
  if (!Array.isArray(value)) return value;
  const [what, ...rest] = value;
  const members = rest.map(fromUnpacked);
  if (what === SET) return new Set(members);
  if (what !== MAP) return members;
  return new Map(
    members.flatMap((key, index): [unknown, unknown][] => index % 2 === 0 ? [[key, members[index + 1]]] : []),
  );
}
