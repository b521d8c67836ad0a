// Walks by visitor: what is told is what `events` gives, whatever is not heard; and nothing is told that cannot be.

import fc from "fast-check";
import { isRef, planOf, type Value } from "../../src/api/mod.ts";
import {
  bytesSource,
  EVENT_KINDS,
  type EventView,
  openTrace,
  type Trace,
  type TraceEvent,
  viewEvents,
  visitEvents,
  type VisitOptions,
} from "../../src/trace/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { arbitraryEvents, sampleEvent, sampleStory, writeTrace } from "../support/sample_events.ts";
import { blockStarts } from "../support/trace_blocks.ts";

function visited(bytes: Uint8Array, options: VisitOptions): TraceEvent[] {
  const events: TraceEvent[] = [];
  visitEvents(openTrace(bytesSource(bytes)), (event) => void events.push(event), options);
  return events;
}

Deno.test("visitEvents() tells what is heard of a range, as events() gives it", () => {
  const ears = fc.record({
    kinds: fc.subarray([...EVENT_KINDS]),
    least: fc.nat(80),
    from: fc.nat(45),
    to: fc.nat(45),
    chunkEvents: fc.integer({ min: 1, max: 50 }),
  });
  fc.assert(
    fc.property(arbitraryEvents, ears, (events, { kinds, least, from, to, chunkEvents }) => {
      const hears: VisitOptions["hears"] = (plan, kind) => kinds.includes(kind) && (plan?.id ?? 99) >= least;
      const wanted = events.filter(({ event, plan, kind }) => event >= from && event <= to && hears(plan, kind));
      assertEquals(visited(writeTrace(events, { chunkEvents }), { from, to, hears }), wanted);
    }),
    { seed: 1, numRuns: 150 },
  );
});

/** What a view shows, asked in an order that depends on the event. */
function seen(view: EventView): Partial<TraceEvent> & { readonly numbers: readonly unknown[] } {
  const { kind, plan, side, actor, level, cause, of, site, event } = view;
  const numbersOf = (): readonly unknown[] => {
    const places = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    return places.map((place) => [
      view.inNumber(place),
      view.inObject(place),
      view.inRef(place),
      view.outNumber(place),
      view.outRef(place),
      view.inValue(place),
      view.outValue(place),
    ]);
  };
  const early = event % 2 === 0 ? numbersOf() : null;
  const { ins, outs, outcome } = view;
  const numbers = early ?? numbersOf();
  return { event, kind, plan, side, actor, level, cause, of, site, ins, outs, outcome, numbers };
}

/** The same of an event that is kept. */
function told(each: TraceEvent): ReturnType<typeof seen> {
  const { event, kind, plan, side, actor, level, cause, of, site, ins, outs, outcome } = each;
  const numberOf = (value: Value | undefined): number =>
    typeof value === "number" || typeof value === "bigint" ? Number(value) : 0;
  const refOf = (value: Value | undefined): Value => isRef(value) ? value : null;
  const numbers = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((place) => {
    const [value, answer] = [ins[place], outs[place]];
    return [
      numberOf(value),
      isRef(value) ? value.number : -1,
      refOf(value),
      numberOf(answer),
      refOf(answer),
      value,
      answer,
    ];
  });
  return { event, kind, plan, side, actor, level, cause, of, site, ins, outs, outcome, numbers };
}

Deno.test("viewEvents() shows what events() gives, and keeps what it is told to", () => {
  fc.assert(
    fc.property(arbitraryEvents, fc.integer({ min: 1, max: 50 }), fc.nat(80), (events, chunkEvents, least) => {
      const trace = openTrace(bytesSource(writeTrace(events, { chunkEvents })));
      const iterated: Trace = {
        header: trace.header,
        end: trace.end,
        eventCount: trace.eventCount,
        complete: trace.complete,
        losses: trace.losses,
        events: (range) => trace.events(range),
        keyframes: () => trace.keyframes(),
      };
      const hears: VisitOptions["hears"] = (plan) => (plan?.id ?? 99) >= least;
      const wanted = events.filter(({ event, plan, kind }) => event >= 3 && hears(plan, kind));
      for (const each of [trace, iterated]) {
        const [shown, kept]: [ReturnType<typeof seen>[], TraceEvent[]] = [[], []];
        viewEvents(each, (view) => {
          shown.push(seen(view));
          kept.push(view.keep());
        }, { from: 3, hears });
        assertEquals(shown, wanted.map(told));
        assertEquals(kept, wanted);
      }
    }),
    { seed: 2, numRuns: 150 },
  );
});

Deno.test("viewEvents() ends where the viewer says so", () => {
  const trace = openTrace(bytesSource(writeTrace(sampleStory(10), { chunkEvents: 7 })));
  const numbers: number[] = [];
  viewEvents(trace, ({ event }) => numbers.push(event) < 9);
  assertEquals(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("visitEvents() names objects that only events which nobody hears have mentioned first", () => {
  const events = sampleStory(30);
  for (const name of ["VmbChannelMapGpadl", "VmbChannelDeleteGpadl"]) {
    const told = visited(writeTrace(events, { chunkEvents: 50 }), { hears: (plan) => plan?.name === name });
    assertEquals(told, events.filter(({ plan }) => plan?.name === name));
  }
});

Deno.test("visitEvents() ends where the visitor says so, and lets its errors through", () => {
  const trace = openTrace(bytesSource(writeTrace(sampleStory(10), { chunkEvents: 7 })));
  const seen: number[] = [];
  visitEvents(trace, ({ event }) => seen.push(event) < 9);
  assertEquals(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const stop = (): never => {
    throw new RangeError("enough");
  };
  assertThrows(() => visitEvents(trace, stop), RangeError, "enough");
  assertEquals(trace.losses, []);
});

Deno.test("visitEvents() goes on behind a damaged chunk, whose events are lost", () => {
  const bytes = writeTrace(sampleStory(10), { chunkEvents: 10 });
  const at = (blockStarts(bytes)[1] ?? 0) + 100;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const trace = openTrace(bytesSource(bytes));
  const seen: number[] = [];
  visitEvents(trace, ({ event }) => void seen.push(event));
  assertEquals(seen, Array.from({ length: 30 }, (_, index) => index < 10 ? index + 1 : index + 11));
  assertEquals(trace.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[11, 20]]);
});

Deno.test("an event that points to one that it cannot point to is lost, with those behind it in its chunk", () => {
  const [enter, leave] = sampleStory(1).slice(2);
  assert(enter !== undefined && leave !== undefined);
  const at = (event: number, of: TraceEvent, changes: Partial<TraceEvent>) => ({ ...of, event, ...changes });
  const call = { ...enter, cause: 0 };
  const cases: readonly (readonly [TraceEvent, string])[] = [
    [at(3, leave, { of: 1 }), "a leave is of event 1, which it cannot answer"],
    [at(3, sampleEvent(3), { cause: 1 }), "its cause is event 1, which makes nothing happen"],
    [at(3, call, { cause: 1 }), "its cause is event 1, which makes nothing happen"],
  ];
  for (const [bad, why] of cases) {
    for (const chunkEvents of [1, 2, 10]) {
      const events = [sampleEvent(1), at(2, call, {}), bad, at(4, leave, { of: 2 })];
      const trace = openTrace(bytesSource(writeTrace(events, { chunkEvents })));
      const read = [...trace.events()].map(({ event }) => event);
      assertEquals(read, chunkEvents === 1 ? [1, 2, 4] : [1, 2], `chunks of ${chunkEvents}`);
      assertStringIncludes(trace.losses.map(({ what }) => what).join(), why);
      assertEquals(trace.losses[0]?.firstEvent, 3);
    }
  }
});

Deno.test("an answer may point to an event that is lost, or that the walk began behind", () => {
  const plan = planOf("VmbChannelDeleteGpadl");
  const events = sampleStory(3);
  const bytes = writeTrace(events, { chunkEvents: 3 });
  const trace = openTrace(bytesSource(bytes));
  assertEquals([...trace.events({ from: 4 })], events.slice(3));
  const at = (blockStarts(bytes)[0] ?? 0) + 80;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const rest = visited(bytes, { hears: (each) => each === plan });
  assertEquals(rest.map(({ event, kind }) => [event, kind]), [[4, "leave"], [7, "enter"], [8, "leave"], [11, "enter"], [
    12,
    "leave",
  ]]);
});
