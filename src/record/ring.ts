// A ring: the last part of a run, in segments. Each is a whole trace that begins with a keyframe; the oldest are let go,
// and the end joins the rest. So whatever kills the recording, what the disk holds is traces. It must not know files.

import {
  type ByteSink,
  type ByteSource,
  BytesSink,
  bytesSource,
  type EventSink,
  joinTraces,
  type TraceEnd,
  type TraceEvent,
  type TraceHeader,
  TraceWriter,
  type TraceWriterOptions,
} from "../trace/mod.ts";
import { MAX_BODY_BYTES, sizeText } from "../wire/mod.ts";

/** The smallest ring, in bytes. */
export const MIN_RING_BYTES = 64 * 1024;
/** A ring has so many segments: that much of it goes at once. */
const SEGMENTS = 8;
/** A segment is at least so many of its keyframes, and a ring so many, whatever size was asked for. */
const KEYFRAMES = { segment: 2, ring: 4 } as const;
/** From segments of this size on, chunks have their usual size. */
const USUAL_CHUNKS_BYTES = 4 * 2 ** 20;
/** Bytes of a chunk before compression, at most, in smaller ones. */
const MOST_CHUNK_BYTES = 256 * 1024;

/** Where segments are kept; numbers count from 1. */
export interface RingSegments {
  /** Begins a segment. The one before stays, and is written on: its end comes when this one has its beginning. */
  begin(number: number): ByteSink;
  /** A segment that is finished. */
  read(number: number): ByteSource;
  drop(number: number): void;
  /** Told when the output holds all that is kept. */
  end(): void;
}

/** How much of a run is kept. */
export interface Ring {
  /**
   * About how many bytes are kept, at least 64 KiB; a segment more, an eighth, may be there at times. Where the state of
   * the run is large, it is more: four keyframes.
   */
  readonly bytes: number;
  readonly segments: RingSegments;
}

/** Segments in memory. */
export class MemorySegments implements RingSegments {
  readonly #sinks = new Map<number, BytesSink>();

  begin(number: number): ByteSink {
    const sink = new BytesSink();
    this.#sinks.set(number, sink);
    return sink;
  }

  read(number: number): ByteSource {
    return bytesSource(this.#sinks.get(number)?.bytes() ?? new Uint8Array(0));
  }

  drop(number: number): void {
    this.#sinks.delete(number);
  }

  end(): void {}
}

interface Segment {
  readonly number: number;
  readonly startsAfter: number;
  readonly events: number;
  readonly bytes: number;
}

/** Writes events into a ring, as a `TraceWriter` does into a file. */
export class RingWriter implements EventSink {
  readonly #output: ByteSink;
  readonly #header: TraceHeader;
  readonly #ring: Ring;
  readonly #options: TraceWriterOptions;
  /** Finished, oldest first. */
  readonly #finished: Segment[] = [];
  #writer: TraceWriter;
  #number = 1;
  #startsAfter = 0;
  /** What the ring may have, and a segment of it. */
  #bytes: number;
  #segmentBytes: number;
  /** The state has grown too large for a keyframe. */
  #isStuck = false;
  /** Events of finished segments, those let go too. */
  #events = 0;

  /** `RangeError` for a ring that is too small. */
  constructor(
    output: ByteSink,
    header: TraceHeader,
    { ring, ...options }: TraceWriterOptions & { readonly ring: Ring },
  ) {
    if (!Number.isSafeInteger(ring.bytes) || ring.bytes < MIN_RING_BYTES) {
      throw new RangeError(`Give a ring at least ${MIN_RING_BYTES} bytes, not ${ring.bytes}`);
    }
    this.#output = output;
    this.#header = header;
    this.#ring = ring;
    this.#bytes = ring.bytes;
    this.#segmentBytes = ring.bytes / SEGMENTS;
    this.#options = { ...options, ...chunkBytesOf(this.#segmentBytes, options) };
    this.#writer = new TraceWriter(ring.segments.begin(1), header, this.#options);
  }

  /** Events written so far, those let go and those of the open chunk included. */
  get events(): number {
    return this.#events + this.#writer.events;
  }

  /** Events of the open chunk. */
  get openEvents(): number {
    return this.#writer.openEvents;
  }

  /** Whether the segment has its size: time for a new one. */
  get isDue(): boolean {
    return !this.#isStuck && this.#writer.bytes >= this.#segmentBytes;
  }

  /** What is kept: how many events, and after which of the run. */
  get kept(): { readonly events: number; readonly startsAfter: number } {
    const events = this.#finished.reduce((sum, segment) => sum + segment.events, 0);
    return { events, startsAfter: this.#finished[0]?.startsAfter ?? 0 };
  }

  event(event: TraceEvent): void {
    this.#writer.event(event);
  }

  /** Writes the open chunk, if it holds any event. */
  flush(): void {
    this.#writer.flush();
  }

  /**
   * Begins a segment after `event`, the run's last one, with the state then, or without one where none is kept. Why the
   * ring cannot go on; empty where it can.
   */
  turn(event: number, state: Uint8Array | null): string {
    if (state !== null && state.length > MAX_BODY_BYTES) {
      this.#isStuck = true;
      return `a ring needs keyframes, and a state of ${sizeText(state.length)} is too large for one`;
    }
    const next = this.#begun(event, state);
    // The output failed: the run is about to end, in the segment that is there.
    if (next === null) return "";
    this.finishSegment({ reason: "interrupted", message: "the ring goes on in the next segment", events: event });
    this.#writer = next.writer;
    this.#number += 1;
    this.#startsAfter = event;
    if (state !== null) this.#fit(next.keyframeBytes);
    this.#letGo();
    return "";
  }

  /**
   * The next segment, its state written; null where it could not be. The one before ends after that: of what stands under
   * the trace's name when a run is killed, none says that it is whole.
   */
  #begun(
    event: number,
    state: Uint8Array | null,
  ): { readonly writer: TraceWriter; readonly keyframeBytes: number } | null {
    this.flush();
    const segment = this.#ring.segments.begin(this.#number + 1);
    let isWritten = true;
    const sink: ByteSink = {
      write: (bytes) => {
        const taken = segment.write(bytes);
        isWritten &&= taken !== false;
        return taken;
      },
    };
    const writer = new TraceWriter(sink, { ...this.#header, startsAfter: event }, this.#options);
    const headerBytes = writer.bytes;
    if (state !== null) writer.keyframe(event, state);
    return isWritten ? { writer, keyframeBytes: writer.bytes - headerBytes } : null;
  }

  /** Ends the run: what is kept becomes one trace in the output. */
  finish(end: TraceEnd): void {
    this.finishSegment(end);
    joinTraces(this.#takeAll(), { sink: this.#output, end });
    this.#ring.segments.end();
  }

  /** Ends the segment alone, as a run does whose output failed: nothing is joined, which would need room. */
  finishSegment(end: TraceEnd): void {
    const writer = this.#writer;
    writer.finish(end);
    const { bytes, events } = writer;
    this.#finished.push({ number: this.#number, startsAfter: this.#startsAfter, events, bytes });
    this.#events += events;
  }

  /** Lets the oldest go, so that another segment fits; the last one stays, or a ring could end with nothing but a state. */
  #letGo(): void {
    let bytes = this.#finished.reduce((sum, segment) => sum + segment.bytes, 0);
    while (bytes + this.#segmentBytes > this.#bytes && this.#finished.length > 1) {
      const oldest = this.#finished.shift();
      if (oldest === undefined) return;
      bytes -= oldest.bytes;
      this.#ring.segments.drop(oldest.number);
    }
  }

  /** Makes room for keyframes of this size: the run's state is what it is. */
  #fit(keyframeBytes: number): void {
    this.#bytes = Math.max(this.#ring.bytes, KEYFRAMES.ring * keyframeBytes);
    this.#segmentBytes = Math.max(this.#bytes / SEGMENTS, KEYFRAMES.segment * keyframeBytes);
  }

  /** Each goes when it is copied, so that the trace does not take its room twice. */
  *#takeAll(): IterableIterator<ByteSource> {
    for (const { number } of this.#finished) {
      yield this.#ring.segments.read(number);
      this.#ring.segments.drop(number);
    }
  }
}

/** A segment has several chunks, however small it is. */
function chunkBytesOf(segmentBytes: number, { chunkBytes }: TraceWriterOptions): TraceWriterOptions {
  if (segmentBytes >= USUAL_CHUNKS_BYTES) return {};
  // Before compression a chunk may be as large as a segment: then several fit into one.
  const most = Math.min(MOST_CHUNK_BYTES, Math.floor(segmentBytes));
  return { chunkBytes: Math.min(most, chunkBytes ?? most) };
}
