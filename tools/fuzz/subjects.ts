// What is fuzzed: traces taken apart into header and blocks, with all that they said while they were whole.
// It must not know how they are damaged, nor where files lie.

import fc from "fast-check";
import {
  BytesSink,
  bytesSource,
  encodeKeyframe,
  type Keyframe,
  openTrace,
  type TraceEvent,
  type TraceHeader,
  TraceWriter,
} from "../../src/trace/mod.ts";
import {
  arbitraryEvents,
  sampleEvent,
  sampleHeader,
  sampleStory,
  writeTrace,
} from "../../tests/support/sample_events.ts";
import { blockStarts } from "../../tests/support/trace_blocks.ts";

/** A whole trace, and what it says. */
export interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly headerBytes: Uint8Array;
  readonly blocks: readonly Uint8Array[];
  readonly header: TraceHeader;
  readonly events: ReadonlyMap<number, TraceEvent>;
  readonly keyframes: readonly Keyframe[];
}

/** A trace as a subject. `RangeError` where it is not whole or has losses that its header does not state. */
export function subjectOf(name: string, bytes: Uint8Array): Subject {
  const trace = openTrace(bytesSource(bytes));
  if (trace.losses.length > trace.header.losses.length) {
    throw new RangeError(`Give a whole trace: ${name} has lost something`);
  }
  const starts = [...blockStarts(bytes), bytes.length];
  return {
    name,
    bytes,
    headerBytes: bytes.subarray(0, starts[0]),
    blocks: starts.slice(1).map((end, index) => bytes.subarray(starts[index], end)),
    header: trace.header,
    events: new Map([...trace.events()].map((event) => [event.event, event])),
    keyframes: [...trace.keyframes()],
  };
}

/** Traces, each with a header of its own, with what sample traces may lack: small chunks, keyframes, every type of value, gaps, a trace in memory. */
export function syntheticSubjects(): Subject[] {
  const stated = [{ what: "2 buffers", firstEvent: 6, lastEvent: 9, offsetBytes: -1 }];
  const gap = sampleStory(4).filter(({ event }) => event < 6 || event > 9);
  return [
    subjectOf("small-chunks", writeTrace(sampleStory(12), { chunkEvents: 7, header: sampleHeader({ seed: 1 }) })),
    subjectOf("keyframes", withKeyframes()),
    subjectOf("no-end", writeTrace(sampleStory(6), { chunkEvents: 5, end: null, header: sampleHeader({ seed: 2 }) })),
    subjectOf("gap", writeTrace(gap, { header: sampleHeader({ seed: 4, losses: stated }), chunkEvents: 4 })),
    subjectOf("trace-in-memory", withTraceInside()),
    subjectOf("contents", withContents()),
    ...fc.sample(arbitraryEvents, { seed: 1, numRuns: 3 }).map((events, index) =>
      subjectOf(`any-${index}`, writeTrace(events, { chunkEvents: 9, header: sampleHeader({ seed: 10 + index }) }))
    ),
  ];
}

function withKeyframes(): Uint8Array {
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, sampleHeader({ seed: 3 }), { chunkEvents: 9 });
  for (const event of sampleStory(10)) {
    writer.event(event);
    if (event.event % 12 !== 0) continue;
    writer.keyframe(event.event, encodeKeyframe({ at: event.event, held: new Map([[1, new Set(["a", 2n])]]) }));
  }
  writer.finish({ reason: "interrupted", message: "stopped by hand", events: writer.events });
  return sink.bytes();
}

/** Pages that repeat, whole and in parts: noise, zeros and words. */
function withContents(): Uint8Array {
  const noise = Uint8Array.from(fc.sample(fc.nat(255), { seed: 5, numRuns: 300 }));
  const pages = [noise, new Uint8Array(200), noise.subarray(0, 100), noise.subarray(100), new Uint8Array(200).fill(7)];
  const events = Array.from({ length: 24 }, (_, index) => {
    const bytes = pages[index % pages.length] ?? noise;
    const memory = { partition: "guest", page: index, offset: 0, length: bytes.length, digest: index, bytes } as const;
    return sampleEvent(index + 1, { kind: "memory", memory });
  });
  return writeTrace(events, { chunkEvents: 10, header: sampleHeader({ seed: 9 }) });
}

/** A trace of memory that holds another trace, whose blocks are not the outer one's. */
function withTraceInside(): Uint8Array {
  const bytes = writeTrace([sampleEvent(1, { text: "inner" }), sampleEvent(2)], { chunkEvents: 1 });
  const length = bytes.length;
  const memory = { partition: "host", page: 3, offset: 0, length, digest: 0, bytes } as const;
  const outer = [sampleEvent(1), sampleEvent(2, { kind: "memory", memory }), sampleEvent(3), sampleEvent(4)];
  return writeTrace(outer, { chunkEvents: 1, header: sampleHeader({ seed: 8 }) });
}
