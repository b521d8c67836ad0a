// Memory that columns use again: what one chunk left must not be seen in the next, and little of it is kept.
import { planOf } from "../../src/api/mod.ts";
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { ColumnBuffers } from "../../src/wire/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { sampleEvent, writeTrace } from "../support/sample_events.ts";

Deno.test("ColumnBuffers hands out zeros, from the same memory after reuse(), and never the same twice before", () => {
  const buffers = new ColumnBuffers();
  const first = buffers.words(1000).fill(7);
  const second = buffers.words(1000);
  assert(first.buffer !== second.buffer && first.length === 1000);
  buffers.reuse();
  const again = buffers.words(900);
  assertEquals([again.buffer === first.buffer, again.length, again.every((word) => word === 0)], [true, 900, true]);
  const wider = buffers.wholes(5000);
  assertEquals([wider.buffer === second.buffer, wider.length], [false, 5000]);
  wider.fill(7n);
  buffers.reuse();
  buffers.words(1000);
  const wholes = buffers.wholes(4000);
  assertEquals([wholes.buffer === wider.buffer, wholes.every((whole) => whole === 0n)], [true, true]);
});

Deno.test("ColumnBuffers keeps little of what a large chunk took", () => {
  const buffers = new ColumnBuffers();
  const large = Array.from({ length: 5 }, () => buffers.words(2 ** 20));
  buffers.reuse();
  assert(large.every(({ buffer }) => buffers.words(2 ** 20).buffer !== buffer));
});

Deno.test("a walk over chunks reads of each what was written, whatever the one before left in memory", () => {
  const plan = planOf("AdvanceTime");
  const events = Array.from({ length: 900 }, (_, index) => {
    const nanoseconds = index < 300 ? 2n ** 62n + BigInt(index) * 2n ** 40n : BigInt(index % 7);
    return sampleEvent(index + 1, { kind: "call", plan, ins: [nanoseconds], outcome: { form: "void" } });
  });
  const trace = openTrace(bytesSource(writeTrace(events, { chunkEvents: 300 })));
  assertEquals([...trace.events()].map(({ ins }) => ins), events.map(({ ins }) => ins));
});
