// Opens a trace: header, blocks, events chunk by chunk. What is damaged is left out and said; nothing is made up.
// One decoded chunk is held at a time. It must not know where the bytes come from.

import { checkBody, WireError } from "../wire/mod.ts";
import { Chunk, readChunkHead } from "./chunk.ts";
import { addTo, TAGS } from "./chunk_layout.ts";
import { type ByteSource, type Directory, locateBlocks, readBlock, readFrame } from "./directory.ts";
import type { EventKind, Keyframe, Loss, Trace, TraceEnd, TraceEvent, TraceHeader } from "./event.ts";
import type { IndexedBlock } from "./footer.ts";
import { HEADER_START_BYTES, MAX_HEADER_BYTES, type ReadHeader, readHeader } from "./header.ts";
import { KindHistory } from "./kind_history.ts";
import { type Upgrade, upgradeFields } from "./upgrade.ts";
import type { VisitOptions, Visitor } from "./visit.ts";

/** What a trace holds, without walking its events where its index is whole. */
export interface TraceSummary {
  /** Events that the trace holds. */
  readonly events: number;
  readonly bytes: number;
  /** Blocks by tag, unknown ones too. */
  readonly blocks: ReadonlyMap<string, number>;
  /** Blocks of kinds that this version does not know; they are skipped. */
  readonly unknownBlocks: number;
  /** Whole calls, enters and callbacks by name. */
  readonly calls: ReadonlyMap<string, number>;
  readonly kinds: ReadonlyMap<EventKind, number>;
  readonly firstTimeNs: bigint;
  readonly lastTimeNs: bigint;
  /** Whether the counts come from the index. */
  readonly isIndexed: boolean;
}

/** A trace in a file. */
export interface TraceFile extends Trace {
  /** Version of the bytes. */
  readonly version: number;
  summary(): TraceSummary;
}

/** How to open a trace. */
export interface OpenOptions {
  /** Upgrades by version, for tests; the project's own where left out. */
  readonly upgrades?: ReadonlyMap<number, Upgrade>;
}

const FIRST_BYTES = 64 * 1024;
const KNOWN_TAGS = new Set<string>(Object.values(TAGS));

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Opens a trace. `TraceFormatError` where it cannot be read at all; else see `losses` and `complete`. */
export function openTrace(source: ByteSource, options: OpenOptions = {}): TraceFile {
  const header = readHeader(firstBytes(source), options.upgrades);
  return new OpenTrace(source, header, options);
}

function firstBytes(source: ByteSource): Uint8Array {
  const bytes = source.read(0, Math.min(source.size, FIRST_BYTES));
  if (bytes.length < HEADER_START_BYTES) return bytes;
  const wanted = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(38);
  return wanted > bytes.length && wanted <= MAX_HEADER_BYTES ? source.read(0, Math.min(source.size, wanted)) : bytes;
}

class OpenTrace implements TraceFile {
  readonly header: TraceHeader;
  readonly version: number;
  readonly #source: ByteSource;
  readonly #options: OpenOptions;
  readonly #directory: Directory;
  /** Losses by block, found when it was checked or read; null: checked and whole. */
  readonly #checked = new Map<IndexedBlock, Loss | null>();
  readonly #foundAtOpen: readonly Loss[];
  #isVerified = false;

  constructor(source: ByteSource, header: ReadHeader, options: OpenOptions) {
    this.#source = source;
    this.#options = options;
    this.header = header.header;
    this.version = header.version;
    this.#directory = locateBlocks(source, header);
    this.#foundAtOpen = [...header.losses, ...this.#directory.losses];
  }

  get end(): TraceEnd | null {
    return this.#directory.footer?.end ?? null;
  }

  get eventCount(): number {
    const last = this.#directory.blocks.filter((block) => block.tag === TAGS.events).at(-1);
    const lastHeld = last === undefined ? 0 : last.first + last.count - 1;
    return Math.max(lastHeld, this.#directory.footer?.lastEvent ?? 0);
  }

  get complete(): boolean {
    return this.end !== null && this.end.reason !== "write-failed" && this.losses.length === 0;
  }

  /** Asking reads every byte once, to check it. */
  get losses(): readonly Loss[] {
    this.#verify();
    const found = [...this.#checked.values()].filter((loss) => loss !== null);
    const here = [...this.#foundAtOpen, ...found].sort((left, right) => left.offsetBytes - right.offsetBytes);
    return [...this.header.losses, ...here];
  }

  *events(range: { readonly from?: number; readonly to?: number } = {}): IterableIterator<TraceEvent> {
    for (const { chunk, block } of this.#chunks(range)) {
      for (let event = this.#next(chunk, block); event !== null; event = this.#next(chunk, block)) yield event;
    }
  }

  visit(visitor: Visitor, options: VisitOptions): void {
    for (const { chunk, block } of this.#chunks(options)) {
      for (let event = this.#next(chunk, block); event !== null; event = this.#next(chunk, block)) {
        if (visitor(event) === false) return;
      }
    }
  }

  /** The chunks that may hold wanted events, one decoded at a time. */
  *#chunks(options: VisitOptions): IterableIterator<{ readonly chunk: Chunk; readonly block: IndexedBlock }> {
    const { from = 1, to = Infinity } = options;
    const history = new KindHistory();
    for (const block of this.#directory.blocks) {
      if (block.tag !== TAGS.events || block.first + block.count <= from) continue;
      if (block.first > to) return;
      const chunk = this.#attempt(block, () => this.#decode(block, history));
      if (chunk === undefined) continue;
      chunk.want(options);
      yield { chunk, block };
      chunk.remember();
    }
  }

  *keyframes(): IterableIterator<Keyframe> {
    for (const block of this.#directory.blocks) {
      if (block.tag !== TAGS.keyframe) continue;
      const state = this.#attempt(block, () => readBlock(this.#source, block, this.#directory.file)[0]);
      if (state !== undefined) yield { event: block.first, state };
    }
  }

  summary(): TraceSummary {
    const blocks = new Map<string, number>();
    for (const { tag } of this.#directory.blocks) addTo(blocks, tag, 1);
    const chunks = this.#directory.blocks.filter((block) => block.tag === TAGS.events);
    const { index } = this.#directory;
    const counts = index === null
      ? this.#count(chunks)
      : { ...index.counts, firstTimeNs: index.firstTimeNs, lastTimeNs: index.lastTimeNs };
    // A chunk's block counts the numbers that it covers: those of events, unless some were left out on purpose.
    const events = this.header.leftOut.length === 0
      ? chunks.reduce((sum, { count }) => sum + count, 0)
      : [...counts.kinds.values()].reduce((sum, count) => sum + count, 0);
    return {
      events,
      bytes: this.#source.size,
      blocks,
      unknownBlocks: this.#directory.blocks.filter(({ tag }) => !KNOWN_TAGS.has(tag)).length,
      calls: counts.calls,
      kinds: counts.kinds,
      firstTimeNs: counts.firstTimeNs,
      lastTimeNs: counts.lastTimeNs,
      isIndexed: index !== null,
    };
  }

  /** Counts by decoding every chunk. */
  #count(chunks: readonly IndexedBlock[]): Pick<TraceSummary, "calls" | "kinds" | "firstTimeNs" | "lastTimeNs"> {
    const calls = new Map<string, number>();
    const kinds = new Map<EventKind, number>();
    const history = new KindHistory();
    let firstTimeNs: bigint | null = null;
    let lastTimeNs = 0n;
    for (const block of chunks) {
      const chunk = this.#attempt(block, () => this.#decode(block, history));
      if (chunk === undefined) continue;
      const counts = chunk.counts();
      for (const [name, events] of counts.calls) addTo(calls, name, events);
      for (const [kind, events] of counts.kinds) addTo(kinds, kind, events);
      firstTimeNs ??= chunk.firstTimeNs;
      lastTimeNs = chunk.lastTimeNs;
    }
    return { calls, kinds, firstTimeNs: firstTimeNs ?? 0n, lastTimeNs };
  }

  /** The chunk's next event that is wanted; null behind the last, and where bytes make no sense. */
  #next(chunk: Chunk, block: IndexedBlock): TraceEvent | null {
    try {
      return chunk.next();
    } catch (error) {
      this.#lose(block, error, chunk.lastEvent);
      return null;
    }
  }

  #decode(block: IndexedBlock, history: KindHistory): Chunk {
    const parts = readBlock(this.#source, block, this.#directory.file);
    const { upgrades } = this.#options;
    const from = { version: this.version, part: "chunk", ...(upgrades && { upgrades }) } as const;
    const head = upgradeFields(readChunkHead(parts), from);
    return new Chunk({ firstEvent: block.first, events: block.count, head, pools: parts.slice(1), history });
  }

  /** Reads something of a block; undefined, and a loss, where its bytes make no sense. */
  #attempt<T>(block: IndexedBlock, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#lose(block, error, block.first);
      return undefined;
    }
  }

  /** Keeps as a loss, from event `first` on, that a block's bytes make no sense; any other error goes on. */
  #lose(block: IndexedBlock, error: unknown, first: number): void {
    if (!(error instanceof WireError)) throw error;
    this.#checked.set(block, lossOf(block, error.message, first));
  }

  /** Checks the stored bytes of every block, once; decodes nothing. */
  #verify(): void {
    if (this.#isVerified) return;
    this.#isVerified = true;
    for (const block of this.#directory.blocks) {
      if (this.#checked.has(block)) continue;
      this.#attempt(block, () => {
        const { prefix, body } = readFrame(this.#source, block, this.#directory.file);
        checkBody(prefix, body);
      });
    }
  }
}

function lossOf(block: IndexedBlock, why: string, first: number): Loss {
  const last = block.first + block.count - 1;
  const isChunk = block.tag === TAGS.events;
  const what = isChunk
    ? `events ${first} to ${last} are lost, their chunk is damaged: ${why}`
    : block.tag === TAGS.keyframe
    ? `the keyframe at event ${block.first} is damaged: ${why}`
    : `a block ${block.tag} is damaged: ${why}`;
  const range = isChunk ? { firstEvent: first, lastEvent: last } : { firstEvent: 0, lastEvent: 0 };
  return { what, ...range, offsetBytes: block.offsetBytes };
}
