// What follows the events: the index, which can be rebuilt, and the end. Normative in FORMAT.md.
// It must not know how blocks are found.

import { Fields, pack, type Packable, unpack, WireError } from "../wire/mod.ts";
import { addTo, CHUNK_EVENTS, type EventCounts } from "./chunk_layout.ts";
import { EVENT_KINDS, type EventKind, type TraceEnd } from "./event.ts";

const REASONS = ["ended", "threw", "interrupted", "write-failed", "imported"] as const;
/** Longest message of an end, in letters: the end is looked for in the last bytes of a file. */
export const MAX_MESSAGE_LETTERS = 4000;

/** What the index says of one block. */
export interface IndexedBlock {
  readonly tag: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly first: number;
  readonly count: number;
}

/** What the index keeps of an event chunk. */
export interface IndexedChunk {
  readonly counts: EventCounts;
  readonly firstTimeNs: bigint;
  readonly lastTimeNs: bigint;
  /** Null where an index of an earlier time does not say. */
  readonly lastWallNs: number | null;
}

/** The index: every block before it, and counts by chunk. */
export interface TraceIndex {
  readonly blocks: readonly IndexedBlock[];
  readonly counts: EventCounts;
  /** Calls by event chunk, in order; `counts` has their sums. */
  readonly chunkCalls: readonly ReadonlyMap<string, number>[];
  readonly firstTimeNs: bigint;
  readonly lastTimeNs: bigint;
  /** Null where an index of an earlier time does not say. */
  readonly lastWallNs: number | null;
}

/** What the end block holds. */
export interface Footer {
  readonly end: TraceEnd;
  /** Where the index block starts, 0: there is none. */
  readonly indexOffsetBytes: number;
  /** Blocks before the end block. */
  readonly blocks: number;
  /** The last event's number. */
  readonly lastEvent: number;
}

/** Gathers the index as blocks are written. */
export class IndexBuilder {
  readonly #blocks: IndexedBlock[] = [];
  readonly #kinds = new Map<EventKind, number>();
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** For each event chunk its calls in pairs: number of the name, count. */
  readonly #calls: number[][] = [];
  #firstTimeNs = 0n;
  #lastTimeNs = 0n;
  #lastWallNs: number | null = 0;

  /** Time of the last event so far. */
  get lastTimeNs(): bigint {
    return this.#lastTimeNs;
  }

  /** How many blocks there are so far. */
  get size(): number {
    return this.#blocks.length;
  }

  /** Adds a block, and what it holds where it holds events. */
  add(block: IndexedBlock, chunk?: IndexedChunk): void {
    this.#blocks.push(block);
    if (chunk === undefined) return;
    if (this.#calls.length === 0) this.#firstTimeNs = chunk.firstTimeNs;
    this.#lastTimeNs = chunk.lastTimeNs;
    this.#lastWallNs = chunk.lastWallNs;
    for (const [kind, events] of chunk.counts.kinds) addTo(this.#kinds, kind, events);
    this.#calls.push([...chunk.counts.calls].flatMap(([name, events]) => [this.#numberOf(name), events]));
  }

  /** The index block's one part. */
  encode(): Uint8Array {
    const tags = [...new Set(this.#blocks.map((block) => block.tag))];
    return pack(
      new Map<string, Packable>([
        ["tags", tags],
        ["blocks", this.#blocks.map((block) => tags.indexOf(block.tag))],
        ["sizes", this.#blocks.map((block) => block.sizeBytes)],
        ["firsts", this.#blocks.map((block) => block.first)],
        ["counts", this.#blocks.map((block) => block.count)],
        ["offset", this.#blocks[0]?.offsetBytes ?? 0],
        ["firstTime", this.#firstTimeNs],
        ["lastTime", this.#lastTimeNs],
        ...(this.#lastWallNs === null ? [] : [["lastWall", this.#lastWallNs]] as const),
        ["kinds", EVENT_KINDS.map((kind) => this.#kinds.get(kind) ?? 0)],
        ["names", this.#names],
        ["calls", this.#calls],
      ]),
    );
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }
}

/** What an index may hold whatever the size of its file: one value for each of so many bytes of the file more. */
const INDEX_VALUES = { least: 2 ** 16, bytesEach: 8 } as const;

/** Reads an index block's part, of a file of so many bytes; `WireError` where it is none, or more than such a file needs. */
export function decodeIndex(part: Uint8Array, fileBytes: number): TraceIndex {
  const values = INDEX_VALUES.least + Math.floor(fileBytes / INDEX_VALUES.bytesEach);
  const fields = new Fields(unpack(part, { values, maps: 1 }), "the index");
  const tags = fields.texts("tags");
  const [sizes, firsts, counts] = ["sizes", "firsts", "counts"].map((name) => fields.counts(name));
  let offsetBytes = fields.count("offset");
  const blocks = fields.counts("blocks").map((tag, row): IndexedBlock => {
    const [sizeBytes, first, count] = [sizes?.[row], firsts?.[row], counts?.[row]];
    const name = tags[tag];
    if (name === undefined || sizeBytes === undefined || first === undefined || count === undefined) {
      throw new WireError(`Cannot read the index: row ${row} is not whole`, 0);
    }
    offsetBytes += sizeBytes;
    return { tag: name, offsetBytes: offsetBytes - sizeBytes, sizeBytes, first, count };
  });
  const chunkCalls = readCalls(fields);
  return {
    blocks,
    counts: { kinds: readKinds(fields.counts("kinds")), calls: sumOf(chunkCalls) },
    chunkCalls,
    firstTimeNs: BigInt.asUintN(64, fields.bigint("firstTime")),
    lastTimeNs: BigInt.asUintN(64, fields.bigint("lastTime")),
    lastWallNs: fields.has("lastWall") ? fields.count("lastWall") : null,
  };
}

function readKinds(counts: readonly number[]): ReadonlyMap<EventKind, number> {
  return new Map(
    EVENT_KINDS.flatMap((kind, index): [EventKind, number][] => {
      const events = counts[index] ?? 0;
      return events > 0 ? [[kind, events]] : [];
    }),
  );
}

function sumOf(chunkCalls: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const calls of chunkCalls) for (const [name, events] of calls) addTo(sum, name, events);
  return sum;
}

function readCalls(fields: Fields): readonly ReadonlyMap<string, number>[] {
  const names = fields.texts("names");
  return fields.list("calls").map((chunk) => {
    if (!Array.isArray(chunk)) throw new WireError("Cannot read the index: a chunk's calls are not an array", 0);
    const calls = new Map<string, number>();
    for (let pair = 0; pair < chunk.length; pair += 2) {
      const [number, events]: unknown[] = [chunk[pair], chunk[pair + 1]];
      const name = typeof number === "number" ? names[number] : undefined;
      const isCount = typeof events === "number" && Number.isInteger(events) && events >= 0 &&
        events <= CHUNK_EVENTS.most;
      if (name === undefined || !isCount) throw new WireError("Cannot read the index: bad calls", 0);
      addTo(calls, name, events);
    }
    return calls;
  });
}

/** The end block's one part. */
export function encodeFooter({ end, indexOffsetBytes, blocks, lastEvent }: Footer): Uint8Array {
  const message = end.message.slice(0, MAX_MESSAGE_LETTERS).toWellFormed();
  return pack({ reason: end.reason, message, events: end.events, lastEvent, blocks, index: indexOffsetBytes });
}

/** Reads an end block's part; `WireError` where it is none. */
export function decodeFooter(part: Uint8Array): Footer {
  const fields = new Fields(unpack(part), "the end");
  return {
    end: { reason: fields.choice("reason", REASONS), message: fields.text("message"), events: fields.count("events") },
    indexOffsetBytes: fields.count("index"),
    blocks: fields.count("blocks"),
    lastEvent: fields.count("lastEvent"),
  };
}
