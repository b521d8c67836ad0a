// What a trace says of itself without decoding an event: header, blocks, end, what its index counts, and what is lost as
// far as checksums tell. It must not know what is in a chunk, and loads little: `info` starts here.

import { checkBody, WireError } from "../wire/mod.ts";
import { addTo, TAGS } from "./chunk_layout.ts";
import { type ByteSource, type Directory, locateBlocks, readFrame } from "./directory.ts";
import type { EventKind, Loss, TraceEnd, TraceHeader } from "./event.ts";
import type { IndexedBlock } from "./footer.ts";
import { HEADER_START_BYTES, MAX_HEADER_BYTES, type ReadHeader, readHeader } from "./header.ts";
import type { Upgrade } from "./upgrade.ts";

export type { ByteSource };

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
  /** Wall time of the last event; 0 where it is off. */
  readonly lastWallNs: number;
  /** Whether the counts come from the index. */
  readonly isIndexed: boolean;
}

/** What chunks or an index tell of all events. */
export type Counted = Pick<TraceSummary, "calls" | "kinds" | "firstTimeNs" | "lastTimeNs" | "lastWallNs">;

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

/** Throws `TraceFormatError` where bytes that begin so can be no trace. */
export function expectTrace(first: Uint8Array): void {
  readHeader(first);
}

/** A trace's header and blocks. `TraceFormatError` where it cannot be read at all; else see `losses` and `complete`. */
export class TraceOutline {
  readonly source: ByteSource;
  readonly header: TraceHeader;
  /** Version of the bytes. */
  readonly version: number;
  readonly directory: Directory;
  /** Losses by block, found when it was checked or read; null: checked and whole. */
  readonly #checked = new Map<IndexedBlock, Loss | null>();
  readonly #foundAtOpen: readonly Loss[];
  #isVerified = false;

  constructor(source: ByteSource, options: OpenOptions = {}) {
    const header: ReadHeader = readHeader(firstBytes(source), options.upgrades);
    this.source = source;
    this.header = header.header;
    this.version = header.version;
    this.directory = locateBlocks(source, header);
    this.#foundAtOpen = [...header.losses, ...this.directory.losses];
  }

  get end(): TraceEnd | null {
    return this.directory.footer?.end ?? null;
  }

  /** The last event's number. */
  get eventCount(): number {
    const last = this.directory.blocks.filter((block) => block.tag === TAGS.events).at(-1);
    const lastHeld = last === undefined ? 0 : last.first + last.count - 1;
    return Math.max(lastHeld, this.directory.footer?.lastEvent ?? 0);
  }

  /** Whole and undamaged, nothing lost. */
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

  /** What the index counts; null where there is none, or one of an earlier time lacks a wall time that nobody can give. */
  indexed(lastWall?: () => number): TraceSummary | null {
    const { index } = this.directory;
    if (index === null) return null;
    const { counts, firstTimeNs, lastTimeNs } = index;
    const lastWallNs = this.header.wallClock ? index.lastWallNs ?? lastWall?.() : 0;
    if (lastWallNs === undefined) return null;
    return { ...this.summaryOf({ ...counts, firstTimeNs, lastTimeNs, lastWallNs }), isIndexed: true };
  }

  /** A summary with these counts. */
  summaryOf(counted: Counted): TraceSummary {
    const { blocks } = this.directory;
    const tags = new Map<string, number>();
    for (const { tag } of blocks) addTo(tags, tag, 1);
    // A chunk's block counts the numbers that it covers: those of events, unless some were left out on purpose.
    const events = this.header.leftOut.length === 0
      ? blocks.reduce((sum, { tag, count }) => tag === TAGS.events ? sum + count : sum, 0)
      : [...counted.kinds.values()].reduce((sum, count) => sum + count, 0);
    return {
      ...counted,
      events,
      bytes: this.source.size,
      blocks: tags,
      unknownBlocks: blocks.filter(({ tag }) => !KNOWN_TAGS.has(tag)).length,
      isIndexed: false,
    };
  }

  /** Reads something of a block; undefined, and a loss, where its bytes make no sense. */
  attempt<T>(block: IndexedBlock, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.lose(block, error, block.first);
      return undefined;
    }
  }

  /** Keeps as a loss, from event `first` on, that a block's bytes make no sense; any other error goes on. */
  lose(block: IndexedBlock, error: unknown, first: number): void {
    if (!(error instanceof WireError)) throw error;
    this.#checked.set(block, lossOf(block, error.message, first));
  }

  /** Checks the stored bytes of every block, once; decodes nothing. */
  #verify(): void {
    if (this.#isVerified) return;
    this.#isVerified = true;
    const source = inOneBuffer(this.source);
    for (const block of this.directory.blocks) {
      if (this.#checked.has(block)) continue;
      this.attempt(block, () => {
        const { prefix, body } = readFrame(source, block, this.directory.file);
        checkBody(prefix, body);
      });
    }
  }
}

function firstBytes(source: ByteSource): Uint8Array {
  const bytes = source.read(0, Math.min(source.size, FIRST_BYTES));
  if (bytes.length < HEADER_START_BYTES) return bytes;
  const wanted = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(38);
  return wanted > bytes.length && wanted <= MAX_HEADER_BYTES ? source.read(0, Math.min(source.size, wanted)) : bytes;
}

/** The source, each of whose reads may overwrite the one before: new memory for every block costs more than its checksum. */
export function inOneBuffer(source: ByteSource): ByteSource {
  const { size } = source;
  let buffer = new Uint8Array(0);
  return {
    size,
    read(offsetBytes, length) {
      if (source.readInto === undefined) return source.read(offsetBytes, length);
      if (buffer.length < length) buffer = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
      return buffer.subarray(0, source.readInto(offsetBytes, buffer.subarray(0, length)));
    },
  };
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
