// Decodes a trace, changes events, and encodes it again with right checksums: a trace that lies, for tests of replay,
// diff and audits. It must not know what is changed.

import {
  BytesSink,
  bytesSource,
  openTrace,
  type TraceEvent,
  TraceWriter,
  type TraceWriterOptions,
} from "../../src/trace/mod.ts";

/** The trace with every event as `edit` gives it back; keyframes, header and end stay. An event may not be left out. */
export function rewriteTrace(
  bytes: Uint8Array,
  edit: (event: TraceEvent) => TraceEvent,
  options: TraceWriterOptions = {},
): Uint8Array<ArrayBuffer> {
  const trace = openTrace(bytesSource(bytes));
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, trace.header, options);
  const keyframes = trace.keyframes();
  let keyframe = keyframes.next();
  for (const event of trace.events()) {
    writer.event(edit(event));
    while (keyframe.done !== true && keyframe.value.event <= event.event) {
      writer.keyframe(event.event, keyframe.value.state);
      keyframe = keyframes.next();
    }
  }
  if (trace.end === null) writer.flush();
  else writer.finish(trace.end);
  return sink.bytes();
}
