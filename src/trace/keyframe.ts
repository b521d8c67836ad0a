// Keyframe states as bytes: plain data in MessagePack that any library can walk. An array's first member says what it
// is (0: an array, 1: a Map's keys and values in turn, 2: a Set); an object is a map. It must not know what a state means.

import { pack, type Packable, unpack } from "../wire/mod.ts";

const ARRAY = 0;
const MAP = 1;
const SET = 2;
const MAX_DEPTH = 30;

/**
 * The bytes of plain data: null, booleans, finite numbers, strings, `bigint` of 64 bits, `Uint8Array`, arrays, `Map`,
 * `Set` and objects of these. `TypeError` for anything else, `undefined` too.
 */
export function encodeKeyframe(value: unknown): Uint8Array {
  return pack(toPackable(value, 0));
}

/** The data that `encodeKeyframe` made bytes of; objects have no prototype. `WireError` for other bytes. */
export function decodeKeyframe(bytes: Uint8Array): unknown {
  return fromUnpacked(unpack(bytes));
}

function toPackable(value: unknown, depth: number): Packable {
  if (depth > MAX_DEPTH) throw new TypeError(`Cannot encode keyframe: it nests deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint" && value >= -(1n << 63n) && value < 1n << 64n) return value;
  if (value instanceof Uint8Array) return value;
  const inner = (each: unknown): Packable => toPackable(each, depth + 1);
  if (Array.isArray(value)) return [ARRAY, ...value.map(inner)];
  if (value instanceof Map) return [MAP, ...[...value].flat().map(inner)];
  if (value instanceof Set) return [SET, ...[...value].map(inner)];
  if (isPlainObject(value)) return new Map(Object.entries(value).map(([name, each]) => [name, inner(each)]));
  const what = typeof value === "object" ? value?.constructor.name : typeof value;
  throw new TypeError(`Cannot encode keyframe: pass plain data, not ${what}`);
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
