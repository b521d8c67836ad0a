// Opens a trace: header, blocks, events chunk by chunk. What is damaged is left out and said; nothing is made up.
// One decoded chunk is held at a time. It must not know where the bytes come from.

import { ColumnBuffers, release } from "../wire/mod.ts";
import { Chunk, readChunkHead } from "./chunk.ts";
import type { ChunkCursor } from "./chunk_cursor.ts";
import { addTo, TAGS } from "./chunk_layout.ts";
import { type ByteSource, readBlock } from "./directory.ts";
import type { EventKind, Keyframe, Loss, Trace, TraceEnd, TraceEvent, TraceHeader } from "./event.ts";
import type { IndexedBlock } from "./footer.ts";
import { KindHistory } from "./kind_history.ts";
import { type Counted, inOneBuffer, type OpenOptions, TraceOutline, type TraceSummary } from "./outline.ts";
import { upgradeFields } from "./upgrade.ts";
import type { Viewer, VisitOptions, Visitor } from "./visit.ts";

/** A trace in a file. */
export interface TraceFile extends Trace {
  /** Version of the bytes. */
  readonly version: number;
  summary(): TraceSummary;
}

/** Opens a trace. `TraceFormatError` where it cannot be read at all; else see `losses` and `complete`. */
export function openTrace(source: ByteSource, options: OpenOptions = {}): TraceFile {
  return new OpenTrace(new TraceOutline(source, options), options);
}

/** What a walk holds: what it knows of events behind it, and memory that each chunk uses again. */
interface Walk {
  readonly history: KindHistory;
  readonly buffers: ColumnBuffers;
  readonly source: ByteSource;
}

/** A walk through a chunk. */
interface ChunkWalk {
  readonly cursor: ChunkCursor;
  readonly block: IndexedBlock;
}

class OpenTrace implements TraceFile {
  readonly #outline: TraceOutline;
  readonly #options: OpenOptions;

  constructor(outline: TraceOutline, options: OpenOptions) {
    this.#outline = outline;
    this.#options = options;
  }

  get header(): TraceHeader {
    return this.#outline.header;
  }

  get version(): number {
    return this.#outline.version;
  }

  get end(): TraceEnd | null {
    return this.#outline.end;
  }

  get eventCount(): number {
    return this.#outline.eventCount;
  }

  get complete(): boolean {
    return this.#outline.complete;
  }

  get losses(): readonly Loss[] {
    return this.#outline.losses;
  }

  *events(range: { readonly from?: number; readonly to?: number } = {}): IterableIterator<TraceEvent> {
    for (const walk of this.#walks(range)) while (this.#step(walk)) yield walk.cursor.keep();
  }

  visit(visitor: Visitor, options: VisitOptions): void {
    for (const walk of this.#walks(options)) {
      while (this.#step(walk)) if (visitor(walk.cursor.keep()) === false) return;
    }
  }

  view(viewer: Viewer, options: VisitOptions): void {
    for (const walk of this.#walks(options)) {
      while (this.#step(walk)) if (viewer(walk.cursor) === false) return;
    }
  }

  /** Walks through the chunks that may hold wanted events, one decoded at a time. */
  *#walks(options: VisitOptions): IterableIterator<ChunkWalk> {
    const { from = 1, to = Infinity } = options;
    const walk = this.#walk();
    for (const block of this.#outline.directory.blocks) {
      if (block.tag !== TAGS.events || block.first + block.count <= from) continue;
      if (block.first > to) return;
      const chunk = this.#outline.attempt(block, () => this.#decode(block, walk));
      if (chunk === undefined) continue;
      const cursor = this.#outline.attempt(block, () => chunk.cursor(options));
      if (cursor !== undefined) yield { cursor, block };
      chunk.remember();
    }
  }

  *keyframes(): IterableIterator<Keyframe> {
    const { source, directory } = this.#outline;
    for (const block of directory.blocks) {
      if (block.tag !== TAGS.keyframe) continue;
      const state = this.#outline.attempt(block, () => readBlock(source, block, directory)[0]);
      if (state !== undefined) yield { event: block.first, state, storedBytes: block.sizeBytes };
    }
  }

  summary(): TraceSummary {
    return this.#outline.indexed(() => this.#lastWallNs()) ?? this.#outline.summaryOf(this.#counted());
  }

  #lastWallNs(): number {
    for (const { wallNs } of this.events({ from: this.eventCount })) return wallNs;
    return 0;
  }

  /** Counts by decoding every chunk. */
  #counted(): Counted {
    const calls = new Map<string, number>();
    const kinds = new Map<EventKind, number>();
    const walk = this.#walk();
    let firstTimeNs: bigint | null = null;
    let lastTimeNs = 0n;
    let lastWallNs = 0;
    for (const block of this.#outline.directory.blocks) {
      if (block.tag !== TAGS.events) continue;
      const chunk = this.#outline.attempt(block, () => this.#decode(block, walk));
      if (chunk === undefined) continue;
      const counts = chunk.counts();
      for (const [name, events] of counts.calls) addTo(calls, name, events);
      for (const [kind, events] of counts.kinds) addTo(kinds, kind, events);
      firstTimeNs ??= chunk.firstTimeNs;
      lastTimeNs = chunk.lastTimeNs;
      lastWallNs = chunk.lastWallNs;
    }
    return { calls, kinds, firstTimeNs: firstTimeNs ?? 0n, lastTimeNs, lastWallNs };
  }

  /** Steps to the next event that is wanted; false behind the last, and where bytes make no sense. */
  #step({ cursor, block }: ChunkWalk): boolean {
    try {
      return cursor.step();
    } catch (error) {
      this.#outline.lose(block, error, cursor.last);
      return false;
    }
  }

  #walk(): Walk {
    return { history: new KindHistory(), buffers: new ColumnBuffers(), source: inOneBuffer(this.#outline.source) };
  }

  /** Decodes a chunk; the one before it on the same walk is of no use any more. */
  #decode(block: IndexedBlock, { history, buffers, source }: Walk): Chunk {
    const { directory, version } = this.#outline;
    buffers.reuse();
    const parts = readBlock(source, block, directory);
    const { upgrades } = this.#options;
    const from = { version, part: "chunk", ...(upgrades && { upgrades }) } as const;
    try {
      const head = upgradeFields(readChunkHead(parts), from);
      const { first: firstEvent, count: events } = block;
      return new Chunk({ firstEvent, events, head, pools: parts.slice(1), history, buffers });
    } catch (error) {
      for (const part of parts) release(part);
      throw error;
    }
  }
}
