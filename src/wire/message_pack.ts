// MessagePack values, written plainly (no extension, no record) and read with limits: a value is walked before it is
// built, so that no length is believed. It must not know what the values mean.

// Not the package's own door: that one looks for an addon in the environment, and loads the streams of Node.
import { Packr, Unpackr } from "msgpackr/pack";
import { WireError } from "./wire_error.ts";

/** What may be packed; a map keeps the order of its entries, a `bigint` takes 9 bytes. */
export type Packable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Packable[]
  | ReadonlyMap<string, Packable>
  | { readonly [name: string]: Packable };

/** How deep values may nest. */
export const MAX_DEPTH = 32;
/** How many values one value may hold. */
export const MAX_VALUES = 2 ** 22;

/** How many values one may hold, and how many of them may be maps: an empty one takes a byte, and hundreds in memory. */
export interface ValueLimits {
  readonly values: number;
  readonly maps: number;
}

const USUAL_LIMITS: ValueLimits = { values: MAX_VALUES, maps: MAX_VALUES };

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false });

/** The bytes of a value. */
export function pack(value: Packable): Uint8Array<ArrayBuffer> {
  return new Uint8Array(packr.pack(value));
}

/** The one value that these bytes are: maps as `Map`. `WireError` where they are none, hold an extension, nest too deep or hold too much. */
export function unpack(bytes: Uint8Array, limits = USUAL_LIMITS): unknown {
  const end = endOfValue(bytes, 0, limits);
  if (end !== bytes.length) throw new WireError(`Cannot read value: ${bytes.length - end} bytes follow it`, end);
  const value: unknown = unpackr.unpack(bytes);
  return value;
}

/** Where the value that starts at `start` ends. `WireError` where it does not. */
export function endOfValue(bytes: Uint8Array, start: number, limits = USUAL_LIMITS): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const walk = { view, position: start, values: 0, maps: 0, limits };
  walkValue(walk, 0);
  return walk.position;
}

interface Walk {
  readonly view: DataView;
  position: number;
  values: number;
  maps: number;
  readonly limits: ValueLimits;
}

function walkValue(walk: Walk, depth: number): void {
  const start = walk.position;
  walk.values += 1;
  if (depth > MAX_DEPTH) throw new WireError(`Cannot read value: it nests deeper than ${MAX_DEPTH}`, start);
  const { values, maps } = walk.limits;
  if (walk.values > values) throw new WireError(`Cannot read value: it holds more than ${values}`, start);
  const first = readUnsigned(walk, 1);
  if (isMap(first)) walk.maps += 1;
  if (walk.maps > maps) throw new WireError(`Cannot read value: it holds more than ${maps} maps`, start);
  const children = walkHead(walk, first);
  if (children > walk.view.byteLength - walk.position) {
    throw new WireError(`Cannot read value: ${children} members exceed the bytes left`, start);
  }
  for (let child = 0; child < children; child += 1) walkValue(walk, depth + 1);
}

function isMap(first: number): boolean {
  return (first >= 0x80 && first < 0x90) || first === 0xde || first === 0xdf;
}

/** Sizes by first byte from 0xc0 to 0xdf: [bytes of length, bytes that follow, children per unit of length]. */
const HEADS: readonly (readonly [length: number, fixed: number, children: number] | null)[] = [
  [0, 0, 0],
  null,
  [0, 0, 0],
  [0, 0, 0],
  [1, 0, 0],
  [2, 0, 0],
  [4, 0, 0],
  null,
  null,
  null,
  [0, 4, 0],
  [0, 8, 0],
  [0, 1, 0],
  [0, 2, 0],
  [0, 4, 0],
  [0, 8, 0],
  [0, 1, 0],
  [0, 2, 0],
  [0, 4, 0],
  [0, 8, 0],
  null,
  null,
  null,
  null,
  null,
  [1, 0, 0],
  [2, 0, 0],
  [4, 0, 0],
  [2, 0, 1],
  [4, 0, 1],
  [2, 0, 2],
  [4, 0, 2],
];

/** Walks past a value's own bytes; how many children follow. */
function walkHead(walk: Walk, first: number): number {
  if (first < 0x80 || first >= 0xe0) return 0;
  if (first < 0x90) return 2 * (first & 15);
  if (first < 0xa0) return first & 15;
  if (first < 0xc0) return skip(walk, first & 31);
  const head = HEADS[first - 0xc0] ?? null;
  if (head === null) {
    throw new WireError(`Cannot read value: 0x${first.toString(16)} starts an extension or nothing`, walk.position - 1);
  }
  const [lengthBytes, fixed, childrenEach] = head;
  if (lengthBytes === 0) return skip(walk, fixed);
  const length = readUnsigned(walk, lengthBytes);
  return childrenEach === 0 ? skip(walk, length) : childrenEach * length;
}

function skip(walk: Walk, count: number): 0 {
  const left = walk.view.byteLength - walk.position;
  if (count > left) throw new WireError(`Cannot read value: ${count} bytes exceed the ${left} left`, walk.position);
  walk.position += count;
  return 0;
}

function readUnsigned(walk: Walk, size: number): number {
  const { view, position } = walk;
  skip(walk, size);
  if (size === 1) return view.getUint8(position);
  return size === 2 ? view.getUint16(position) : view.getUint32(position);
}
