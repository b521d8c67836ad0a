// What builder and chunk reader agree on: the members of a shape, the names that stand behind numbers, the limits.
// Normative in FORMAT.md. It must not know blocks or files.

import { EVENT_KINDS, type EventKind, type Partition } from "./event.ts";

/** Blocks of this version, by what they hold. */
export const TAGS = { events: "mt.event", keyframe: "mt.state", index: "mt.index", end: "mt.final" } as const;

/** Members of a shape: what repeats from event to event, kept once a chunk. */
export const SHAPE = {
  kind: 0,
  call: 1,
  side: 2,
  actor: 3,
  level: 4,
  site: 5,
  outcome: 6,
  status: 7,
  reason: 8,
  ins: 9,
  outs: 10,
  memory: 11,
  text: 12,
} as const;
/** How many members a shape has. */
export const SHAPE_MEMBERS = 13;
/** How many a site has: file, line, column, function. */
export const SITE_MEMBERS = 4;

/** Forms of an outcome, from number 1; 0 is none. */
export const OUTCOME_FORMS = ["status", "void", "value", "refused"] as const;
/** Partitions by number; `memory` is 0 for none, else 1 + 2 * partition + (1 with bytes). */
export const PARTITIONS = ["guest", "host", "video"] as const satisfies readonly Partition[];

/** Events of a chunk unless told otherwise, and at most. */
export const CHUNK_EVENTS = { usual: 32_000, most: 2 ** 17 } as const;
/** Bytes of arrays, bytes and texts after which a chunk is closed early. */
export const CHUNK_WEIGHT_BYTES = 256 * 1024;
/** Bytes of contents after which it is: each is stored once in a chunk, so that a longer one repeats less. */
export const CHUNK_CONTENT_BYTES = 4 * 2 ** 20;
/** Bytes of values and deltas after which it is, those that are stored already counted too: a reader copies them all. */
export const CHUNK_PUT_BYTES = 64 * 2 ** 20;
/** The pools of column bytes; contents that compress, then those that do not, are the parts behind them. */
export const COLUMN_POOLS = 3;
/** Parts of a chunk that no compressor shrinks: the head is 0. */
export const RAW_PARTS: readonly number[] = [3, 5];
/** Largest event, by `valueWeight`. */
export const MAX_EVENT_BYTES = 32 * 2 ** 20;
/** Most elements of arrays in an event, by `elementCount`: those that a chunk has besides weigh `CHUNK_WEIGHT_BYTES` at most. */
export const MAX_EVENT_ELEMENTS = 2 ** 19;

/** How many events there are of each kind, and of each call (whole calls, enters and callbacks, by name). */
export interface EventCounts {
  readonly kinds: ReadonlyMap<EventKind, number>;
  readonly calls: ReadonlyMap<string, number>;
}

/** A shape's kind, call (0: none) and number of events. */
export interface ShapeUse {
  readonly kind: number;
  readonly call: number;
  readonly events: number;
}

/** Counts events by the shapes that they have; `names` are the chunk's calls. */
export function countShapes(shapes: Iterable<ShapeUse>, names: readonly string[]): EventCounts {
  const kinds = new Map<EventKind, number>();
  const calls = new Map<string, number>();
  for (const { kind, call, events } of shapes) {
    const name = EVENT_KINDS[kind];
    if (name === undefined || events === 0) continue;
    addTo(kinds, name, events);
    const called = names[call - 1];
    if (called !== undefined && (name === "call" || name === "enter" || name === "callback")) {
      addTo(calls, called, events);
    }
  }
  return { kinds, calls };
}

/** Adds to a count by name. */
export function addTo<K>(counts: Map<K, number>, name: K, more: number): void {
  counts.set(name, (counts.get(name) ?? 0) + more);
}
