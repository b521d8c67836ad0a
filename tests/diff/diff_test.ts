// Two traces: equal whatever their handles, pages and numbers are; else the first difference by name, and counts.

import { isRef, planOf, type Value } from "../../src/api/mod.ts";
import { diff } from "../../src/diff/mod.ts";
import { PROGRAMS } from "../../src/programs/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { bytesSource, openTrace, type Trace, type TraceEvent } from "../../src/trace/mod.ts";
import { churn } from "../driver/churn.ts";
import { runEvents } from "../driver/run.ts";
import { plainTrace, renumbered } from "../replay/plain_trace.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { EventList, ref, returned, status } from "../support/events.ts";

const { events: EVENTS } = await runEvents(churn(1).run, { seed: 3 });
const WHOLE = plainTrace(EVENTS);

async function traceOf(name: string): Promise<Trace> {
  const module = PROGRAMS[name];
  assert(module !== undefined, name);
  return openTrace(bytesSource((await recordInMemory(module)).bytes));
}

/** A value with every object renamed. */
function renamed(value: Value): Value {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (isRef(value)) return { ...value, number: value.number + 7, handle: value.handle * 2 + 1 };
  if (Array.isArray(value)) return value.map(renamed);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, renamed(inner)]));
}

function withOtherNames(event: TraceEvent): TraceEvent {
  const { outcome, memory } = event;
  return {
    ...event,
    actor: "other",
    wallNs: 5,
    site: { file: "other.ts", line: 1, column: 1, function: "" },
    ins: event.ins.map(renamed),
    outs: event.outs.map(renamed),
    outcome: outcome?.form === "value" ? { form: "value", value: renamed(outcome.value) } : outcome,
    memory: memory === null ? null : { ...memory, page: memory.page * 3 },
  };
}

function calls(build: (list: EventList) => void): Trace {
  const list = new EventList();
  build(list);
  return plainTrace(list.events);
}

Deno.test("two runs of a seed are equal", async () => {
  const { events } = await runEvents(churn(1).run, { seed: 3 });
  const result = diff(WHOLE, plainTrace(events));
  const count = EVENTS.length;
  assertEquals(result, { equal: true, first: null, events: { a: count, b: count }, calls: {}, objects: {} });
});

Deno.test("other handles, object numbers, pages, actors, sites and wall times are equal", () => {
  assertEquals(diff(WHOLE, plainTrace(EVENTS.map(withOtherNames))).first, null);
});

Deno.test("event numbers that notes shift are equal", () => {
  const noted = EVENTS.flatMap((
    event,
  ) => [event, { ...event, event: event.event + 0.5, kind: "note", plan: null } as const]);
  const { first, events } = diff(WHOLE, plainTrace(renumbered(noted)));
  assertEquals([first, events], [null, { a: EVENTS.length, b: EVENTS.length }]);
});

Deno.test("pages that are freed may come back in another order", () => {
  const round = (list: EventList, pages: readonly number[]) => {
    for (const page of pages) {
      const buffer = ref("buffer", list.events.length + 1);
      list.call("guest", "AllocateBuffer", { ByteCount: 1n }, { outcome: returned(buffer) });
      list.memory({ page, length: 1 }, list.call("guest", "WriteBuffer", { Buffer: buffer }));
      list.call("guest", "FreeBuffer", { Buffer: buffer });
    }
  };
  assertEquals(diff(calls((list) => round(list, [1, 2, 1])), calls((list) => round(list, [1, 1, 1]))).first, null);
  const swapped = (page: number) =>
    calls((list) => {
      for (const each of [1, 2, page]) list.memory({ page: each, length: 1 });
    });
  assertEquals(diff(swapped(1), swapped(2)).first?.form, "changed");
});

Deno.test("the leaking guest first misses the delete of its GPADL", async () => {
  const [good, leak] = [await traceOf("gpu-pv"), await traceOf("gpu-pv-leak")];
  const { equal, first, calls, objects } = diff(good, leak);
  assertEquals([equal, first?.form], [false, "missing"]);
  assertStringIncludes(first?.message ?? "", "client VmbChannelDeleteGpadl(Channel=channel#2, GpadlHandle=gpadl#1)");
  assertStringIncludes(first?.message ?? "", "is only in A: B goes on with");
  assertEquals(calls["VmbChannelDeleteGpadl"]?.b, 0);
  assertEquals(objects["gpadl"]?.destroyed.b, 0);
  const back = diff(leak, good).first;
  assertEquals([back?.form, back?.a, back?.b], ["added", first?.b, first?.a]);
});

Deno.test("a call that is missing or added is named from both sides, also among objects of other names", () => {
  const index = EVENTS.findIndex(({ plan }) => plan?.name === "VmbChannelMapGpadl");
  const without = renumbered(EVENTS.toSpliced(index, 1)).map(withOtherNames);
  const missing = diff(WHOLE, plainTrace(without)).first;
  assertEquals([missing?.form, missing?.a, missing?.b], ["missing", index + 1, index + 1]);
  const added = diff(plainTrace(without), WHOLE).first;
  assertEquals([added?.form, added?.a, added?.b], ["added", index + 1, index + 1]);
});

Deno.test("what was changed is named with both values", () => {
  const changed = (call: string, changes: Partial<TraceEvent>) => {
    const at = EVENTS.findIndex(({ plan, kind }) => plan?.name === call && kind !== "enter");
    const event = EVENTS[at];
    assert(event !== undefined, call);
    const first = diff(WHOLE, plainTrace(EVENTS.with(at, { ...event, ...changes }))).first;
    assertEquals([first?.form, first?.a, first?.b], ["changed", at + 1, at + 1]);
    return (first?.message ?? "").replace(/^.* differ in /, "");
  };
  assertEquals(changed("AdvanceTime", { ins: [2n] }), "AdvanceTime.Nanoseconds: 1 in A, 2 in B");
  assertEquals(changed("AdvanceTime", { timeNs: 77n }), "the time of AdvanceTime: 1 ns in A, 77 ns in B");
  assertEquals(
    changed("VmbChannelMapGpadl", { outcome: status("STATUS_INVALID_PARAMETER"), outs: [null] }),
    "what VmbChannelMapGpadl answered: STATUS_SUCCESS {Mdl=mdl#1} in A, STATUS_INVALID_PARAMETER in B",
  );
  assertEquals(changed("VmbChannelMapGpadl", { outs: [null] }), "VmbChannelMapGpadl.Mdl: mdl#1 in A, null in B");
  assertEquals(
    changed("EvtVmbChannelOpened", { cause: 1 }).replace(/\d+/, "N"),
    "the cause of EvtVmbChannelOpened: @N in A, @1 in B",
  );
  assertEquals(
    changed("VmbChannelDeleteGpadl", { of: 1 }).replace(/\d+/, "N"),
    "which VmbChannelDeleteGpadl this leave is of: @N in A, @1 in B",
  );
});

Deno.test("a call that waits in one trace and answers in the other is changed", () => {
  const map = (list: EventList) => {
    const Channel = ref("channel", 1);
    return { Channel, GpadlHandle: ref("gpadl", list.events.length + 1) };
  };
  const first = diff(
    calls((list) => list.enter("client", "VmbChannelDeleteGpadl", map(list))),
    calls((list) => list.call("client", "VmbChannelDeleteGpadl", map(list))),
  ).first;
  assertEquals(first?.form, "changed");
  assertStringIncludes(first?.message ?? "", "-> blocked in A");
});

Deno.test("another object of the same name is a difference, and says whose it is", () => {
  const free = (numbers: readonly number[], freed: number) =>
    calls((list) => {
      for (const number of numbers) {
        list.call("guest", "AllocateBuffer", { ByteCount: 1n }, { outcome: returned(ref("buffer", number)) });
      }
      list.call("guest", "FreeBuffer", { Buffer: ref("buffer", freed) });
    });
  assertEquals(diff(free([1, 2], 1), free([2, 1], 2)).first, null);
  assertStringIncludes(
    diff(free([1, 2], 1), free([2, 1], 1)).first?.message ?? "",
    "FreeBuffer.Buffer: buffer#1 in both, but A's is B's buffer#2",
  );
});

Deno.test("one of several calls of a name that is missing is told from one that was changed", () => {
  const times = (...all: readonly bigint[]) =>
    calls((list) => {
      for (const Nanoseconds of all) list.call("machine", "AdvanceTime", { Nanoseconds });
    });
  const form = (a: Trace, b: Trace) => diff(a, b).first?.form;
  assertEquals(form(times(1n, 2n, 3n, 4n), times(1n, 3n, 4n)), "missing");
  assertEquals(form(times(1n, 3n, 4n), times(1n, 2n, 3n, 4n)), "added");
  assertEquals(form(times(1n, 2n, 3n, 4n), times(1n, 9n, 3n, 4n)), "changed");
  assertEquals(form(times(1n, 2n, 2n, 2n), times(1n, 3n, 2n, 2n)), "changed");
  assertEquals(form(times(1n, 2n), times(2n)), "missing");
});

Deno.test("calls that have nothing in common are changed", () => {
  const first = diff(
    calls((list) => list.call("host", "AllocateBuffer", {}, { outcome: returned(ref("buffer", 1)) })),
    calls((list) => list.call("machine", "AdvanceTime")),
  ).first;
  assertEquals(first, {
    a: 1,
    b: 1,
    form: "changed",
    message: "A has @1 host AllocateBuffer() -> buffer#1, B has @1 machine AdvanceTime() -> void",
  });
});

Deno.test("memory that differs is named", () => {
  const at = EVENTS.findIndex(({ memory }) => memory !== null);
  const event = EVENTS[at];
  assert(event?.memory !== null && event !== undefined);
  for (const lie of [{ digest: 1 }, { offset: 1 }, { length: 1 }, { partition: "host" }] as const) {
    const other = plainTrace(EVENTS.with(at, { ...event, memory: { ...event.memory, ...lie } }));
    const { first } = diff(WHOLE, other);
    assertEquals([first?.form, first?.a], ["changed", at + 1]);
    assertStringIncludes(first?.message ?? "", "memory guest page");
  }
});

Deno.test("a trace that is over before the other is named", () => {
  const short = plainTrace(EVENTS.slice(0, -1));
  const last = EVENTS.length;
  const missing = diff(WHOLE, short).first;
  assertEquals([missing?.form, missing?.a, missing?.b], ["missing", last, 0]);
  assertStringIncludes(missing?.message ?? "", "is only in A: B is over");
  const added = diff(short, WHOLE).first;
  assertEquals([added?.form, added?.a, added?.b], ["added", 0, last]);
  assertEquals(diff(plainTrace([]), plainTrace([])).equal, true);
});

Deno.test("calls and objects are counted, failed calls and empty places are none", () => {
  const plan = planOf("D3DKMTDestroyAllocation2");
  const [one, two] = [ref("allocation", 1), ref("allocation", 2)];
  const destroy = (phAllocationList: readonly Value[], answer = status()) =>
    calls((list) => list.call("umd", "D3DKMTDestroyAllocation2", { phAllocationList }, { outcome: answer }));
  assert(plan.effects.some(({ verb }) => verb === "destroy"));
  const { objects } = diff(destroy([one, null, two]), destroy([one, null, 77]));
  assertEquals(objects["allocation"]?.destroyed, { a: 2, b: 1 });
  const failed = diff(destroy([one]), destroy([one], status("STATUS_INVALID_PARAMETER")));
  assertEquals(failed.objects["allocation"], { created: { a: 0, b: 0 }, destroyed: { a: 1, b: 0 } });
  assertEquals(failed.calls, {});
});

Deno.test("a diff tells its progress", () => {
  const seen: number[] = [];
  const [one] = EVENTS;
  assert(one !== undefined);
  const many = plainTrace(Array.from({ length: 0x10000 }, (_, index) => ({ ...one, event: index + 1 })));
  diff(many, many, { onProgress: (events) => void seen.push(events) });
  assertEquals(seen, [0x10000]);
});
