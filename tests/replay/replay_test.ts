// Replays of what was recorded: alike from the start and from keyframes, other options and damage are said, what no engine
// makes is passed over.

import { defaultValue, findPlan, parseOption } from "../../src/api/mod.ts";
import { record, recordInMemory, type RecordOptions } from "../../src/record/mod.ts";
import { PROGRAMS } from "../../src/programs/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { BytesSink, bytesSource, openTrace, type TraceEvent, type TraceFile } from "../../src/trace/mod.ts";
import { churn } from "../driver/churn.ts";
import { runEvents } from "../driver/run.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { EventList } from "../support/events.ts";
import { blockStarts } from "../support/trace_blocks.ts";
import { plainTrace } from "./plain_trace.ts";

async function traceOf(name: string): Promise<TraceFile> {
  const module = PROGRAMS[name];
  assert(module !== undefined, name);
  return openTrace(bytesSource((await recordInMemory(module, { name })).bytes));
}

const WHOLE: Omit<RecordOptions, "what" | "output" | "options" | "seed"> = {
  sites: "off",
  memory: "full",
  toolVersion: "",
  startedAt: "",
  folder: "",
};

/** Records two rounds of churn with a keyframe every 20 events. */
async function churned(seed: number): Promise<Uint8Array<ArrayBuffer>> {
  const output = new BytesSink();
  const { header } = plainTrace([]);
  const what = { kind: "module", name: "churn", module: churn(2), args: [] } as const;
  await record({ ...WHOLE, what, output, options: header.options, seed, keyframeEvents: 20 });
  return output.bytes();
}

for (const name of Object.keys(PROGRAMS)) {
  Deno.test(`${name} replays without a divergence`, async () => {
    const trace = await traceOf(name);
    const { divergence, stoppedEarly, events, callsReplayed } = replay(trace);
    assertEquals({ divergence, stoppedEarly, events }, {
      divergence: null,
      stoppedEarly: "",
      events: trace.eventCount,
    });
    assert(callsReplayed > 0);
  });
}

Deno.test("interleaved programs replay from the start and from every keyframe", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const trace = openTrace(bytesSource(await churned(seed)));
    const keyframes = [...trace.keyframes()].map(({ event }) => event);
    assert(keyframes.length >= 4, `${keyframes.length} keyframes`);
    assertEquals(replay(trace).divergence, null);
    for (const event of keyframes) {
      const { divergence, startedAfter, events, stoppedEarly } = replay(trace, { from: event + 1 });
      assertEquals({ divergence, stoppedEarly, startedAfter }, {
        divergence: null,
        stoppedEarly: "",
        startedAfter: event,
      });
      assertEquals(events, trace.eventCount - event);
    }
  }
});

Deno.test("from and to choose what is replayed", async () => {
  const trace = openTrace(bytesSource(await churned(1)));
  const [first = 0, second = 0] = [...trace.keyframes()].map(({ event }) => event);
  assertEquals(replay(trace, { from: first }).startedAfter, 0, "a keyframe before the event, not at it");
  const { startedAfter, events } = replay(trace, { from: second, to: second + 3 });
  assertEquals({ startedAfter, events }, { startedAfter: first, events: second + 3 - first });
});

Deno.test("from a keyframe, what came before is said to be unknown", async () => {
  const whole = openTrace(bytesSource(await churned(1)));
  const [keyframe] = whole.keyframes();
  const from = (keyframe?.event ?? 0) + 1;
  const lie = [...whole.events()].map((event) => event.plan === null ? event : { ...event, level: "wire" as const });
  const { divergence } = replay(plainTrace(lie, { keyframes: () => whole.keyframes() }), { from });
  assertEquals([divergence?.event, divergence?.field], [from, "level"]);
  const objects = new Set(divergence?.objects.map(({ recorded }) => recorded));
  assert(objects.size === 0 || objects.has(`not changed since @${from - 1}, where this replay began`));
});

Deno.test("with other options a replay starts at the start, whatever from says", async () => {
  const trace = openTrace(bytesSource(await churned(1)));
  const same = replay(trace, { from: 50, options: { ...trace.header.options } });
  assert(same.startedAfter > 0);
  const other = replay(trace, { from: 50, options: parseOption(trace.header.options, "mapping-limit", "many") });
  assertEquals(other.startedAfter, 0);
});

Deno.test("a keyframe of another engine is none: the replay begins at the start", async () => {
  const { events } = await runEvents(churn(1).run);
  const keyframe = { event: 4, state: new Uint8Array([0xc0]), storedBytes: 1 };
  const { startedAfter, divergence, stoppedEarly } = replay(
    plainTrace(events, { keyframes: () => [keyframe].values() }),
    {
      from: 9,
    },
  );
  assertEquals([startedAfter, divergence, stoppedEarly], [0, null, ""]);
});

Deno.test("other options diverge where the model first answers otherwise", async () => {
  const leak = await traceOf("gpu-pv-leak");
  const limit = replay(leak, { options: parseOption(leak.header.options, "gpadl-limit", "3") }).divergence;
  const creates = [...leak.events()].filter(({ plan }) => plan?.name === "VmbChannelCreateGpadlFromBuffer");
  assertEquals([limit?.event, limit?.field, limit?.recorded, limit?.replayed], [
    creates[3]?.event ?? 0,
    "result",
    "STATUS_SUCCESS",
    "STATUS_QUOTA_EXCEEDED",
  ]);
  const twice = await traceOf("double-map");
  const many = replay(twice, { options: parseOption(twice.header.options, "mapping-limit", "many") }).divergence;
  assertEquals([many?.call, many?.recorded, many?.replayed], [
    "VmbChannelMapGpadl",
    "STATUS_INVALID_PARAMETER",
    "STATUS_SUCCESS",
  ]);
});

Deno.test("compares leaves out what it says no to, as long as the run goes on alike", async () => {
  const twice = await traceOf("double-map");
  const options = parseOption(twice.header.options, "mapping-limit", "many");
  assertEquals(
    replay(twice, { options }).divergence?.call,
    "VmbChannelMapGpadl",
    "many mappings: the second map works",
  );
  const { divergence } = replay(twice, { options, compares: ({ plan }) => plan?.name !== "VmbChannelMapGpadl" });
  // One of the two mappings is left when the guest deletes, so the delete waits (kmcl.md 5.4).
  assertEquals([divergence?.call, divergence?.field, divergence?.replayed], [
    "VmbChannelDeleteGpadl",
    "result",
    "blocked",
  ]);
});

Deno.test("a trace is walked once, and once more up to where it differs; what stands behind is not looked at", async () => {
  const { events } = await runEvents(churn(1).run);
  const map = events.findIndex(({ plan }) => plan?.name === "VmbChannelMapGpadl");
  const walks: string[] = [];
  const walked = (all: readonly TraceEvent[], last: number) =>
    plainTrace(all, {
      *events({ from = 1, to = Infinity } = {}) {
        walks.push(`${from} to ${to}`);
        for (const event of all.slice(from - 1)) {
          if (event.event > to) return;
          if (event.event > last) throw new RangeError(`looked at @${event.event}`);
          yield event;
        }
      },
    });
  assertEquals(replay(walked(events, events.length)).divergence, null);
  assertEquals(walks.splice(0), ["1 to Infinity"]);
  const lying = events.map((event, index) => index === map ? { ...event, timeNs: 77n } : event);
  assertEquals(replay(walked(lying, map + 1)).divergence?.event, map + 1);
  assertEquals(walks, ["1 to Infinity", `1 to ${map}`]);
});

Deno.test("a damaged trace is replayed up to the gap, which is named", async () => {
  const { events } = await runEvents(churn(1).run);
  const lost = plainTrace(events.filter(({ event }) => event < 10 || event > 14), { complete: false });
  assertEquals(replay(lost).stoppedEarly, "events @10 to @14 are lost");
  assertEquals(replay(lost).events, 9);
  const atTheEnd = plainTrace(events.slice(0, -1), { complete: false, eventCount: events.length });
  assertEquals(replay(atTheEnd).stoppedEarly, `event @${events.length} is lost`);
  assertEquals(replay(atTheEnd, { to: 5 }).stoppedEarly, "");
});

Deno.test("a flipped bit in a chunk stops the replay there", async () => {
  const bytes = await churned(2);
  const starts = blockStarts(bytes);
  const trace = openTrace(bytesSource(bytes));
  const [first = 0] = [...trace.keyframes()].map(({ event }) => event);
  const third = (starts[2] ?? 0) + 70;
  bytes[third] = (bytes[third] ?? 0) ^ 1;
  const { stoppedEarly, divergence, events } = replay(openTrace(bytesSource(bytes)));
  assertEquals({ divergence, events }, { divergence: null, events: first });
  assert(stoppedEarly.startsWith(`events @${first + 1} to @`), stoppedEarly);
});

Deno.test("events that a capture saw are passed over and counted, notes are passed over", () => {
  const plan = findPlan("GpuVirtualAddressAllocatorStart");
  assert(plan?.declaration.observes !== undefined);
  const list = new EventList();
  list.note("began");
  list.add({ kind: "call", plan, ins: plan.ins.map(defaultValue), outcome: { form: "void" } });
  list.add({ kind: "call", plan, ins: plan.ins.map(defaultValue), outcome: { form: "void" } });
  list.call("machine", "AdvanceTime", { Nanoseconds: 0n });
  const { divergence, skipped, events, callsReplayed } = replay(plainTrace(list.events));
  assertEquals({ divergence, skipped, events, callsReplayed }, {
    divergence: null,
    skipped: { GpuVirtualAddressAllocatorStart: 2 },
    events: 4,
    callsReplayed: 1,
  });
});

Deno.test("a replay tells its progress", () => {
  const seen: number[] = [];
  const list = new EventList();
  list.note("again");
  const many = Array.from(
    { length: 0x10000 },
    (_, index) => list.events.map((note) => ({ ...note, event: index + 1 })),
  );
  assertEquals(replay(plainTrace(many.flat()), { onProgress: (event) => void seen.push(event) }).divergence, null);
  assertEquals(seen, [0x10000]);
});
