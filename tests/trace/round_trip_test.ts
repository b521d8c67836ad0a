// What is written is read back equal, and any MessagePack library can walk the file.

import fc from "fast-check";
import { CATALOGUE, defaultValue, type Value } from "../../src/api/mod.ts";
import { BytesSink, bytesSource, openTrace, type TraceEvent, TraceWriter, validate } from "../../src/trace/mod.ts";
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
  const events = CATALOGUE.map((plan, index) => {
    const ins = plan.ins.map((param) => defaultValue(param));
    return sampleEvent(index + 1, { plan, ins, kind: plan.isCallback ? "callback" : "enter" });
  });
  const trace = openTrace(bytesSource(writeTrace(events)));
  assertEquals([...trace.events()].length, CATALOGUE.length);
  for (const event of trace.events()) assert(event.plan === CATALOGUE[event.event - 1], event.plan?.name);
});

Deno.test("openTrace() gives back the header, an option named __proto__ included", () => {
  const options = Object.assign(sampleHeader().options, JSON.parse('{"__proto__": "x"}'));
  const header = sampleHeader({
    options,
    seed: 2 ** 40,
    capabilities: ["gpu-va"],
    losses: [{ what: "3 buffers", firstEvent: 0, lastEvent: 0, offsetBytes: -1 }],
    startsAfter: 2 ** 40,
    leftOut: ["calls other than Vmb*"],
    selection: {
      range: { from: 3, to: null },
      calls: ["Vmb*"],
      levels: ["kmcl", "wire"],
      sides: ["umd#2"],
      objects: ["gpadl"],
    },
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

/** The event with something in it that does not fit, in each place where it can stand. */
function unfitting(event: TraceEvent): readonly TraceEvent[] {
  const { event: number, plan, ins, outs } = event;
  const misused: readonly Value[] = (plan?.ins ?? []).map((param, index) =>
    param.kind === null ? ins[index] ?? null : { kind: param.kind, number: 7_000_000 + index, handle: 1 }
  );
  return [
    { ...event, cause: number },
    { ...event, of: -1, text: "never written" },
    { ...event, timeNs: -1n },
    { ...event, wallNs: 0.5, actor: "never seen" },
    { ...event, ins: [...misused, 0] },
    { ...event, outcome: { form: "value", value: "nothing returns this" } },
    ...misused.map((_, index) => ({ ...event, ins: misused.with(index, "misplaced") })),
    ...outs.map((_, index) => ({ ...event, ins: ins.map((_, at) => misused[at] ?? null), outs: outs.with(index, -1) })),
  ];
}

Deno.test("events that are refused leave no byte behind, whatever they would have added", () => {
  const events = sampleStory(12);
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, sampleHeader());
  for (const event of events) {
    for (const bad of unfitting(event)) {
      assertThrows(() => writer.event(bad), TypeError, `Cannot write event ${event.event}:`);
    }
    writer.event(event);
  }
  writer.finish({ reason: "ended", message: "", events: events.length });
  assertEquals(sink.bytes(), writeTrace(events));
});
