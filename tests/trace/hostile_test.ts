// Traces made to do harm: forged lengths, counts and nesting with right checksums.

import fc from "fast-check";
import { bytesSource, openTrace, TraceFormatError } from "../../src/trace/mod.ts";
import { PREFIX_BYTES, readBody, readPrefix, writeBlock } from "../../src/wire/mod.ts";
import { assert } from "../support/assert.ts";
import { sampleStory, writeTrace } from "../support/sample_events.ts";
import { blockStarts } from "../support/trace_blocks.ts";

const EVENTS = sampleStory(40);
const TRACE = writeTrace(EVENTS);

/** The trace with one block's decoded parts changed and every checksum right: what only a bad writer could make. */
function forged(block: number, edit: (part: Uint8Array, index: number) => Uint8Array, count?: number): Uint8Array {
  const starts = [...blockStarts(TRACE), TRACE.length];
  const [start = 0, end = 0] = starts.slice(block);
  const bytes = TRACE.subarray(start, end);
  const prefix = readPrefix(bytes);
  assert(prefix !== null);
  const parts = readBody(prefix, bytes.subarray(PREFIX_BYTES)).map((part, index) => edit(part.slice(), index));
  const written = writeBlock({ ...prefix, count: count ?? prefix.count, parts });
  return new Uint8Array([...TRACE.subarray(0, start), ...written, ...TRACE.subarray(end)]);
}

function walk(bytes: Uint8Array): void {
  try {
    const trace = openTrace(bytesSource(bytes));
    for (const _ of trace.events());
    for (const _ of trace.keyframes());
    trace.summary();
    assert(Array.isArray(trace.losses));
  } catch (error) {
    if (!(error instanceof TraceFormatError)) throw error;
  }
}

Deno.test("forged parts with right checksums give losses or other events, never another error", () => {
  const flips = fc.array(fc.record({ part: fc.nat(3), at: fc.nat(), byte: fc.nat(255) }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.nat(2), flips, (block, changes) => {
      walk(forged(block, (part, index) => {
        for (const { part: where, at, byte } of changes) {
          if (where === index && part.length > 0) part[at % part.length] = byte;
        }
        return part;
      }));
    }),
    { seed: 3, numRuns: 400 },
  );
});

Deno.test("a chunk that claims more events than it holds is lost, whatever it claims", () => {
  for (const count of [161, 2 ** 17, 2 ** 17 + 1, 0xffffffff]) {
    const trace = openTrace(bytesSource(forged(0, (part) => part, count)));
    for (const _ of trace.events());
    assert(!trace.complete && trace.losses.length > 0, `${count} events`);
  }
});

Deno.test("random bytes are no trace, and do not hang", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), walk), { seed: 4, numRuns: 200 });
});
