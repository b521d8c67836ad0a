// What is written is read back equal, and any MessagePack library can walk the file.

import fc from "fast-check";
import { CATALOGUE } from "../../src/api/mod.ts";
import { bytesSource, openTrace, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { rewriteTrace } from "../support/rewrite_trace.ts";
import { arbitraryEvents, sampleEvent, sampleHeader, sampleStory, writeTrace } from "../support/sample_events.ts";

Deno.test("openTrace() gives back any events over the whole catalogue", () => {
  fc.assert(
    fc.property(arbitraryEvents, fc.integer({ min: 1, max: 50 }), (events, chunkEvents) => {
      const trace = openTrace(bytesSource(writeTrace(events, { chunkEvents })));
      assertEquals([...trace.events()], events);
      assertEquals(trace.losses, []);
      assert(trace.complete);
      for (const [index, event] of [...trace.events()].entries()) assert(event.plan === events[index]?.plan);
    }),
    { seed: 1, numRuns: 60 },
  );
});

Deno.test("every call of the catalogue is declared in its chunk so that its own plan comes back", () => {
  const events = CATALOGUE.map((plan, index) =>
    sampleEvent(index + 1, { plan, kind: plan.isCallback ? "return" : "leave" })
  );
  const trace = openTrace(bytesSource(writeTrace(events)));
  for (const event of trace.events()) assert(event.plan === CATALOGUE[event.event - 1], event.plan?.name);
});

Deno.test("openTrace() gives back the header, an option named __proto__ included", () => {
  const options = Object.assign(sampleHeader().options, JSON.parse('{"__proto__": "x"}'));
  const header = sampleHeader({
    options,
    seed: 2 ** 40,
    capabilities: ["gpu-va"],
    losses: [{ what: "3 buffers", firstEvent: 0, lastEvent: 0, offsetBytes: -1 }],
  });
  const trace = openTrace(bytesSource(writeTrace([], { header })));
  assertEquals(trace.header, header);
  assertEquals(Object.entries(trace.header.options).find(([name]) => name === "__proto__"), ["__proto__", "x"]);
  assertEquals(trace.losses, header.losses);
  assertEquals(trace.complete, false);
});

Deno.test("events() of a range gives those events only, across chunks", () => {
  const events = sampleStory(20);
  const trace = openTrace(bytesSource(writeTrace(events, { chunkEvents: 7 })));
  assertEquals([...trace.events({ from: 13, to: 22 })], events.slice(12, 22));
  assertEquals([...trace.events({ from: 78 })], events.slice(77));
  assertEquals([...trace.events({ to: 0 })], []);
  assertEquals([...trace.events({ from: 81 })], []);
});

Deno.test("validate() finds nothing in a story that was written and read", () => {
  const trace = openTrace(bytesSource(writeTrace(sampleStory(20), { chunkEvents: 7 })));
  assertEquals([...validate(trace)], []);
});

Deno.test("rewriteTrace() changes one event and nothing else", () => {
  const events = sampleStory(5);
  const bytes = rewriteTrace(writeTrace(events), (event) => event.event === 9 ? { ...event, actor: "other" } : event);
  const trace = openTrace(bytesSource(bytes));
  assert(trace.complete);
  assertEquals([...trace.events()], events.map((event) => event.event === 9 ? { ...event, actor: "other" } : event));
});

Deno.test("the writer gives the same bytes for the same events", () => {
  assertEquals(writeTrace(sampleStory(50)), writeTrace(sampleStory(50)));
});

Deno.test("the writer refuses an event that does not fit and stays usable", () => {
  const [call, ...others] = sampleStory(2);
  assert(call !== undefined);
  const events = function* () {
    yield call;
    yield* others;
  };
  assertThrows(() => writeTrace([{ ...call, ins: ["x", 0, null] }]), TypeError, "Channel is x");
  assertThrows(() => writeTrace([{ ...call, outs: [] }, { ...call, event: 1 }]), RangeError, "numbers must grow");
  assertThrows(() => writeTrace([{ ...call, cause: 1 }]), TypeError, "wanted an earlier one");
  assertEquals([...openTrace(bytesSource(writeTrace(events()))).events()].length, 8);
});
