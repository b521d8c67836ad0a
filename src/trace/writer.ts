// Writes a trace: the header at once, a block whenever a chunk is full, index and end at the end; what was written is
// readable whenever the writing stops. It must not know who acts, nor where the bytes go.

import { valuesElements, valuesWeight } from "../api/mod.ts";
import { moveBlock, writeBlock } from "../wire/mod.ts";
import { ChunkBuilder } from "./builder.ts";
import {
  CHUNK_CONTENT_BYTES,
  CHUNK_EVENTS,
  CHUNK_PUT_BYTES,
  CHUNK_WEIGHT_BYTES,
  COLUMN_POOLS,
  MAX_EVENT_BYTES,
  MAX_EVENT_ELEMENTS,
  RAW_PARTS,
  TAGS,
} from "./chunk_layout.ts";
import type { EventSink, TraceEnd, TraceEvent, TraceHeader } from "./event.ts";
import { encodeFooter, IndexBuilder, type IndexedBlock, type IndexedChunk } from "./footer.ts";
import { encodeHeader, headerChecksum } from "./header.ts";
import { eventTrouble } from "./validate.ts";

/** Takes bytes, in order, and keeps none of them but copies: what is written next overwrites them. Throws where it cannot. */
export interface ByteSink {
  /** False where nothing of them is kept and the writer shall go on without; a block like that is not in the index. */
  write(bytes: Uint8Array): boolean | void;
}

/** How a trace is cut into blocks. */
export interface TraceWriterOptions {
  /** Events of a chunk, 1 to 131072; default 32000. */
  readonly chunkEvents?: number;
  /**
   * Bytes of a chunk before compression, about: 1 KiB to 256 KiB. Left out: the chunk is closed by its events, at
   * 256 KiB of texts and arrays, and at 4 MiB of bytes that differ.
   */
  readonly chunkBytes?: number;
}

/** A block of a finished trace: where it stood, and what its index says of it where it holds events. */
export interface CopiedBlock {
  readonly block: IndexedBlock;
  readonly chunk: IndexedChunk | null;
}

/** Bytes of an event before compression, as long as no chunk has told, and at least: what comes may be wider. */
const EVENT_BYTES = { first: 40, least: 12 } as const;
const MIN_CHUNK_BYTES = 1024;

/** Collects bytes in memory. */
export class BytesSink implements ByteSink {
  readonly #parts: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#parts.push(bytes.slice());
  }

  /** Everything written so far, as one. */
  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let position = 0;
    for (const part of this.#parts) {
      bytes.set(part, position);
      position += part.length;
    }
    return bytes;
  }
}

/**
 * Writes events as they happen. Numbers must grow; a gap in them closes the chunk. An event that does not fit its
 * declaration throws `TypeError` and leaves the trace as it was. Nothing is kept but the open chunk and the index.
 */
export class TraceWriter implements EventSink {
  readonly #sink: ByteSink;
  readonly #builder = new ChunkBuilder();
  readonly #index = new IndexBuilder();
  readonly #chunkEvents: number;
  readonly #chunkBytes: number | null;
  /** Events that close the open chunk. */
  #fullEvents: number;
  readonly #file: number;
  #offsetBytes: number;
  /** Events may be missing inside a chunk: they were left out on purpose. */
  readonly #bridgesGaps: boolean;
  #lastEvent: number;
  #events = 0;
  #isFinished = false;
  /** The largest block so far, to be overwritten by the next. */
  #room = new Uint8Array(0);

  constructor(sink: ByteSink, header: TraceHeader, options: TraceWriterOptions = {}) {
    const { chunkEvents = CHUNK_EVENTS.usual, chunkBytes = null } = options;
    if (!Number.isInteger(chunkEvents) || chunkEvents < 1 || chunkEvents > CHUNK_EVENTS.most) {
      throw new RangeError(`Cannot write chunks of ${chunkEvents} events: give 1 to ${CHUNK_EVENTS.most}`);
    }
    if (chunkBytes !== null && !(chunkBytes >= MIN_CHUNK_BYTES && chunkBytes <= CHUNK_WEIGHT_BYTES)) {
      throw new RangeError(
        `Cannot write chunks of ${chunkBytes} bytes: give ${MIN_CHUNK_BYTES} to ${CHUNK_WEIGHT_BYTES}`,
      );
    }
    this.#sink = sink;
    this.#lastEvent = header.startsAfter;
    this.#bridgesGaps = header.leftOut.length > 0;
    this.#chunkEvents = chunkEvents;
    this.#chunkBytes = chunkBytes;
    this.#fullEvents = this.#eventsThatFill(EVENT_BYTES.first);
    const bytes = encodeHeader(header);
    this.#file = headerChecksum(bytes);
    this.#offsetBytes = bytes.length;
    sink.write(bytes);
  }

  /** Events written so far, the open chunk's included. */
  get events(): number {
    return this.#events;
  }

  /** Events of the open chunk: those that a kill would lose. */
  get openEvents(): number {
    return this.#builder.events;
  }

  /** Bytes written so far, without the open chunk. */
  get bytes(): number {
    return this.#offsetBytes;
  }

  /** Appends an event. `TypeError` where it does not fit its declaration, `RangeError` for its number or size. */
  event(event: TraceEvent): void {
    if (this.#isFinished || event.event !== this.#lastEvent + 1) this.#jumpTo(event);
    if (!this.#builder.append(event)) throw this.#refused(event);
    this.#lastEvent = event.event;
    this.#events += 1;
    if (this.#isFull()) this.flush();
  }

  /** Writes the state after `event`, which must be the last event; the open chunk is written first. */
  keyframe(event: number, state: Uint8Array): void {
    this.#expectOpen();
    if (event !== this.#lastEvent) {
      throw new RangeError(`Cannot write keyframe of event ${event}: the last event is ${this.#lastEvent}`);
    }
    this.flush();
    this.#writeBlock({ tag: TAGS.keyframe, first: event, count: 0, start: this.#index.lastTimeNs, parts: [state] });
  }

  /** Appends a block of another trace as it stands, and what that trace's index says of its events, which come after the last one. */
  copy(bytes: Uint8Array, { block, chunk }: CopiedBlock): void {
    this.#expectOpen();
    this.flush();
    const { first, count } = block;
    if (chunk === null ? first < this.#lastEvent : first <= this.#lastEvent) {
      throw new RangeError(`Cannot copy events from ${first} on after event ${this.#lastEvent}: numbers must grow`);
    }
    const moved = bytes.slice();
    moveBlock(moved, this.#file);
    if (this.#sink.write(moved) === false) return;
    this.#index.add({ ...block, offsetBytes: this.#offsetBytes }, chunk ?? undefined);
    this.#offsetBytes += moved.length;
    if (chunk === null) return;
    this.#lastEvent = first + count - 1;
    for (const events of chunk.counts.kinds.values()) this.#events += events;
  }

  /** Writes the open chunk, if it holds any event. */
  flush(): void {
    if (this.#builder.events === 0) return;
    const chunk = this.#builder.finish();
    const { firstEvent: first, numbers: count, firstTimeNs: start, parts } = chunk;
    const [, ...pools] = parts;
    this.#fullEvents = this.#eventsThatFill(pools.reduce((sum, pool) => sum + pool.length, 0) / chunk.events);
    this.#writeBlock({ tag: TAGS.events, first, count, start, parts, chunk });
  }

  /** Writes the open chunk, the index and the end; nothing can be written after. */
  finish(end: TraceEnd): void {
    this.#expectOpen();
    this.flush();
    this.#isFinished = true;
    const indexOffsetBytes = this.#offsetBytes;
    const start = this.#index.lastTimeNs;
    this.#writeBlock({ tag: TAGS.index, first: 0, count: this.#index.size, start, parts: [this.#index.encode()] });
    const blocks = this.#index.size;
    const footer = encodeFooter({ end, indexOffsetBytes, blocks, lastEvent: this.#lastEvent });
    this.#writeBlock({ tag: TAGS.end, first: this.#lastEvent, count: 0, start, parts: [footer] });
  }

  #isFull(): boolean {
    const { events, weight, bytes } = this.#builder;
    if (events >= this.#fullEvents || bytes.putBytes >= CHUNK_PUT_BYTES) return true;
    return this.#chunkBytes === null
      ? weight >= CHUNK_WEIGHT_BYTES || bytes.storedBytes >= CHUNK_CONTENT_BYTES
      : weight + bytes.storedBytes >= this.#chunkBytes;
  }

  /** How many events of so many bytes before compression close a chunk. */
  #eventsThatFill(eventBytes: number): number {
    if (this.#chunkBytes === null) return this.#chunkEvents;
    const events = Math.ceil(this.#chunkBytes / Math.max(EVENT_BYTES.least, eventBytes));
    return Math.min(this.#chunkEvents, events);
  }

  /** Why an event was not appended. The gap before it is none, so that the chunk must not go on behind it. */
  #refused(event: TraceEvent): Error {
    if (this.#bridgesGaps) this.flush();
    return refusal(event);
  }

  /** Closes the chunk before an event that does not follow the last one, unless what is between was left out. */
  #jumpTo(event: TraceEvent): void {
    this.#expectOpen();
    if (event.event <= this.#lastEvent) {
      throw new RangeError(`Cannot write event ${event.event} after event ${this.#lastEvent}: numbers must grow`);
    }
    if (eventTrouble(event) !== null) throw refusal(event);
    const left = event.event - this.#lastEvent - 1;
    if (!this.#bridgesGaps || !this.#builder.leaveOut(left)) this.flush();
  }

  #writeBlock(
    { chunk, ...block }: {
      readonly tag: string;
      readonly first: number;
      readonly count: number;
      readonly start: bigint;
      readonly parts: readonly Uint8Array[];
      readonly chunk?: IndexedChunk;
    },
  ): void {
    const compress = (part: number): boolean => block.tag !== TAGS.events || !RAW_PARTS.includes(part);
    // Columns stand one after the other, each with bytes of its own kind.
    const isNear = (part: number): boolean => block.tag === TAGS.events && part > 0 && part <= COLUMN_POOLS;
    const bytes = writeBlock({ ...block, file: this.#file, compress, isNear, room: this.#room });
    if (bytes.buffer !== this.#room.buffer) this.#room = new Uint8Array(bytes.buffer);
    const { tag, first, count } = block;
    if (this.#sink.write(bytes) === false) return;
    this.#index.add({ tag, offsetBytes: this.#offsetBytes, sizeBytes: bytes.length, first, count }, chunk);
    this.#offsetBytes += bytes.length;
  }

  #expectOpen(): void {
    if (this.#isFinished) throw new TypeError("Cannot write: the trace is finished");
  }
}

/** Why an event was not appended. */
function refusal(event: TraceEvent): Error {
  const { ins, outs, outcome, memory, text } = event;
  const trouble = eventTrouble(event);
  if (trouble !== null) return new TypeError(`Cannot write event ${event.event}: ${trouble}`);
  const weight = valuesWeight(ins, outs, outcome) + (memory?.bytes?.length ?? 0) + 3 * text.length;
  const elements = valuesElements(ins, outs, outcome);
  return new RangeError(
    elements > MAX_EVENT_ELEMENTS
      ? `Cannot write event ${event.event} with ${elements} elements of arrays: the limit is ${MAX_EVENT_ELEMENTS}`
      : `Cannot write event ${event.event} of about ${weight} bytes: the limit is ${MAX_EVENT_BYTES}`,
  );
}
