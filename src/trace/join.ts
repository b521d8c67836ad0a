// Joins finished traces that go on from one another into one: chunks and keyframes are copied as they stand, so that it
// costs what copying costs, and one block is held at a time. It must not know where the bytes come from or go.

import { TAGS } from "./chunk_layout.ts";
import { type ByteSource, locateBlocks } from "./directory.ts";
import type { TraceEnd } from "./event.ts";
import type { IndexedBlock, IndexedChunk, TraceIndex } from "./footer.ts";
import { MAX_HEADER_BYTES, readHeader } from "./header.ts";
import { type ByteSink, TraceWriter } from "./writer.ts";

/** Where a joined trace goes, and how the recording ended. */
export interface JoinOptions {
  readonly sink: ByteSink;
  readonly end: TraceEnd;
}

/**
 * Writes one trace of these, whose header is that of the first; the next one is asked for when one is copied. `TypeError`
 * where one is not whole, or there is none.
 */
export function joinTraces(parts: Iterable<ByteSource>, { sink, end }: JoinOptions): void {
  let writer: TraceWriter | null = null;
  for (const source of parts) {
    const header = readHeader(source.read(0, Math.min(source.size, MAX_HEADER_BYTES)));
    const { blocks, index, losses } = locateBlocks(source, header);
    if (index === null || losses.length > 0) {
      throw new TypeError(`Cannot join the trace that starts after @${header.header.startsAfter}: it is not whole`);
    }
    writer ??= new TraceWriter(sink, header.header);
    copyBlocks(writer, { source, blocks, index });
  }
  if (writer === null) throw new TypeError("Cannot join traces: there is none");
  writer.finish(end);
}

function copyBlocks(
  writer: TraceWriter,
  { source, blocks, index }: {
    readonly source: ByteSource;
    readonly blocks: readonly IndexedBlock[];
    readonly index: TraceIndex;
  },
): void {
  let chunks = 0;
  for (const block of blocks) {
    const isChunk = block.tag === TAGS.events;
    if (!isChunk && block.tag !== TAGS.keyframe) continue;
    const bytes = source.read(block.offsetBytes, block.sizeBytes);
    writer.copy(bytes, { block, chunk: isChunk ? chunkOf(index, chunks) : null });
    if (isChunk) chunks += 1;
  }
}

/** What an index says of a chunk; it counts kinds for all chunks at once, which the first one takes. */
function chunkOf({ counts, chunkCalls, firstTimeNs, lastTimeNs, lastWallNs }: TraceIndex, chunk: number): IndexedChunk {
  const kinds = chunk === 0 ? counts.kinds : new Map();
  return { counts: { kinds, calls: chunkCalls[chunk] ?? new Map() }, firstTimeNs, lastTimeNs, lastWallNs };
}
