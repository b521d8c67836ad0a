// Traces that lie in one field of one event: the replay names that event, the field, and both sides. What a driver decided
// (an argument, a callback's return value) is fed again, so a lie there shows at the first answer that depends on it.

import { isRef, planOf, type Ref, STATUS, type Value } from "../../src/api/mod.ts";
import { type Divergence, replay } from "../../src/replay/mod.ts";
import type { MemoryDelta, TraceEvent } from "../../src/trace/mod.ts";
import { churn } from "../driver/churn.ts";
import { runEvents } from "../driver/run.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { plainTrace, renumbered } from "./plain_trace.ts";

const { events: EVENTS } = await runEvents(churn(1).run, { seed: 3 });

/** The first event of this kind and call, the `skip`+1-th. */
function find(kind: TraceEvent["kind"], call: string, skip = 0): TraceEvent {
  const found = EVENTS.filter((event) => event.kind === kind && (event.plan?.name ?? "") === call)[skip];
  assert(found !== undefined, `there is no ${kind} of ${call}`);
  return found;
}

function divergenceOf(events: readonly TraceEvent[]): Divergence | null {
  return replay(plainTrace(events)).divergence;
}

/** What the replay says of the trace with one event changed. */
function afterEdit({ event }: TraceEvent, changes: Partial<TraceEvent>): Divergence | null {
  return divergenceOf(EVENTS.map((each) => each.event === event ? { ...each, ...changes } : each));
}

function place(divergence: Divergence | null): string {
  return divergence === null ? "none" : `@${divergence.event} ${divergence.field}`;
}

function refOf(value: Value | undefined): Ref {
  assert(value !== undefined && isRef(value));
  return value;
}

function memoryOf({ memory }: TraceEvent): MemoryDelta {
  assert(memory !== null);
  return memory;
}

const MAP = find("call", "VmbChannelMapGpadl");
const OPENED = find("callback", "EvtVmbChannelOpened");
const MEMORY = find("memory", "");
const LEAVE = find("leave", "VmbChannelDeleteGpadl");
const ALLOCATE = find("call", "AllocateBuffer");

Deno.test("the trace without a lie replays", () => assertEquals(divergenceOf(EVENTS), null));

Deno.test("a status, and an answer where it waited, is named with both sides and the objects", () => {
  const divergence = afterEdit(MAP, { outcome: { form: "status", status: STATUS.STATUS_INVALID_PARAMETER } });
  assertEquals({ ...divergence, objects: divergence?.objects.map(({ object }) => object) }, {
    event: MAP.event,
    call: "VmbChannelMapGpadl",
    field: "result",
    recorded: "STATUS_INVALID_PARAMETER",
    replayed: "STATUS_SUCCESS",
    message: `@${MAP.event} server VmbChannelMapGpadl: result was recorded as STATUS_INVALID_PARAMETER, ` +
      "replayed as STATUS_SUCCESS",
    objects: ["channel#1", "gpadl#1", "mdl#1"],
  });
  const [channel, gpadl, mdl] = divergence?.objects ?? [];
  assertStringIncludes(channel?.recorded ?? "", "live, last changed by @");
  assertStringIncludes(gpadl?.recorded ?? "", "live, last changed by");
  assertStringIncludes(gpadl?.replayed ?? "", "mapped");
  assertStringIncludes(mdl?.recorded ?? "", "not created yet");
  const enter = find("enter", "VmbChannelDeleteGpadl");
  const waited = afterEdit(enter, { kind: "call", outcome: { form: "void" } });
  assertEquals([waited?.event, waited?.field, waited?.recorded, waited?.replayed], [
    enter.event,
    "result",
    "void",
    "blocked",
  ]);
  assertEquals(place(afterEdit(MAP, { kind: "enter", outcome: null, outs: [] })), `@${MAP.event} result`);
});

Deno.test("a returned object's number and handle", () => {
  const value = ALLOCATE.outcome?.form === "value" ? refOf(ALLOCATE.outcome.value) : undefined;
  assert(value !== undefined);
  for (const lie of [{ number: 9 }, { handle: value.handle + 1 }]) {
    const divergence = afterEdit(ALLOCATE, { outcome: { form: "value", value: { ...value, ...lie } } });
    assertEquals(place(divergence), `@${ALLOCATE.event} result`);
    assertEquals(divergence?.replayed, `buffer#1 (handle 0x${value.handle.toString(16)})`);
    assert(divergence?.recorded !== divergence?.replayed);
  }
});

Deno.test("an output object's number and handle, and one that is none", () => {
  const mdl = refOf(MAP.outs[0]);
  for (const lie of [{ ...mdl, number: 2 }, { ...mdl, handle: 1 }, null, 77]) {
    const divergence = afterEdit(MAP, { outs: [lie] });
    assertEquals(place(divergence), `@${MAP.event} outs.Mdl`);
    assertEquals(divergence?.replayed, `mdl#1 (handle 0x${mdl.handle.toString(16)})`);
  }
  assertEquals(place(afterEdit(MAP, { outs: [] })), `@${MAP.event} outs.Mdl`);
});

Deno.test("a handle inside a structure is told where nothing else differs", async () => {
  const { events } = await runEvents(async ({ umd }) => {
    const { hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n });
    const { hDevice } = await umd.D3DKMTCreateDevice({ hAdapter });
    await umd.D3DKMTCreateAllocation2({ hDevice, pAllocationInfo2: [{ Size: 4096n }] });
  });
  const create = events[2];
  assert(create !== undefined);
  const rename = (value: Value): Value => {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
    if (isRef(value)) return value.kind === "allocation" ? { ...value, handle: 0x99 } : value;
    if (Array.isArray(value)) return value.map(rename);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rename(inner)]));
  };
  const divergence = divergenceOf(events.with(2, { ...create, outs: create.outs.map(rename) }));
  assertEquals(place(divergence), "@3 outs.pAllocationInfo2");
  assertStringIncludes(divergence?.recorded ?? "", "(handles 0x99)");
  assert(divergence?.recorded !== divergence?.replayed);
});

Deno.test("handle values are not compared where another engine made the trace", () => {
  const lying = EVENTS.map((each) =>
    each.event === MAP.event ? { ...each, outs: [{ ...refOf(MAP.outs[0]), handle: 1 }] } : each
  );
  assertEquals(replay(plainTrace(lying, { header: { maker: "json" } })).divergence, null);
});

Deno.test("a callback's name, channel, side and cause", () => {
  const started = planOf("EvtVmbChannelStarted");
  const named = afterEdit(OPENED, { plan: started });
  assertEquals([place(named), named?.recorded, named?.replayed], [
    `@${OPENED.event} callback`,
    "callback server EvtVmbChannelStarted",
    "server EvtVmbChannelOpened of channel#1",
  ]);
  const channel = { ...refOf(OPENED.ins[0]), number: 2 };
  assertEquals(place(afterEdit(OPENED, { ins: [channel] })), `@${OPENED.event} callback`);
  assertEquals(place(afterEdit(OPENED, { side: "client" })), `@${OPENED.event} side`);
  assertEquals(place(afterEdit(OPENED, { cause: 1 })), `@${OPENED.event} cause`);
  assertEquals(
    place(afterEdit(OPENED, { ins: [{ ...channel, number: 1, handle: 5 }] })),
    `@${OPENED.event} ins.Channel`,
  );
});

Deno.test("a leave's outcome, what it is of, and its cause", () => {
  const refused = afterEdit(LEAVE, { outcome: { form: "refused", reason: "why" } });
  assertEquals([place(refused), refused?.recorded, refused?.replayed], [
    `@${LEAVE.event} result`,
    'refused "why"',
    "void",
  ]);
  assertEquals(place(afterEdit(LEAVE, { of: 1 })), `@${LEAVE.event} of`);
  assertEquals(place(afterEdit(LEAVE, { cause: 1 })), `@${LEAVE.event} cause`);
});

Deno.test("a leave in another place than it happened", () => {
  const index = LEAVE.event - 1;
  const [leave, next] = [EVENTS[index], EVENTS[index + 1]];
  assert(leave !== undefined && next !== undefined);
  const late = EVENTS.with(index, { ...next, event: leave.event }).with(index + 1, { ...leave, event: next.event });
  const divergence = divergenceOf(late);
  assertEquals([place(divergence), divergence?.replayed], [
    `@${LEAVE.event} kind`,
    `leave client VmbChannelDeleteGpadl of @${LEAVE.of}`,
  ]);
});

Deno.test("each field of a memory delta", () => {
  const memory = memoryOf(MEMORY);
  const bytes = memory.bytes?.slice().fill(7) ?? null;
  const lies: readonly [string, Partial<MemoryDelta>][] = [
    ["memory.partition", { partition: "host" }],
    ["memory.page", { page: memory.page + 1 }],
    ["memory.offset", { offset: 1 }],
    ["memory.length", { length: 1 }],
    ["memory.digest", { digest: 0 }],
    ["memory.bytes", { bytes }],
  ];
  for (const [field, lie] of lies) {
    const divergence = afterEdit(MEMORY, { memory: { ...memory, ...lie } });
    assertEquals(place(divergence), `@${MEMORY.event} ${field}`);
    assert(divergence?.recorded !== divergence?.replayed, field);
  }
  assertEquals(place(afterEdit(MEMORY, { cause: 1 })), `@${MEMORY.event} cause`);
  assertEquals(place(afterEdit(MEMORY, { memory: { ...memory, bytes: null } })), "none", "digests only");
});

Deno.test("virtual time and level", () => {
  assertEquals(place(afterEdit(MAP, { timeNs: MAP.timeNs + 1n })), `@${MAP.event} timeNs`);
  assertEquals(place(afterEdit(MAP, { level: "wire" })), `@${MAP.event} level`);
});

Deno.test("a call inside a callback that does not run, and a return from one", () => {
  const divergence = afterEdit(MAP, { cause: 1 });
  assertEquals([place(divergence), divergence?.replayed], [`@${MAP.event} cause`, "no callback is running there"]);
  const back = find("return", "EvtVmbChannelOpened");
  assertEquals(place(afterEdit(back, { of: 1 })), `@${back.event} of`);
  assertEquals(place(afterEdit(back, { plan: planOf("EvtVmbChannelStarted") })), `@${back.event} call`);
  assertEquals(place(afterEdit(back, { cause: 1 })), `@${back.event} cause`);
});

Deno.test("why a call was refused", async () => {
  const { events } = await runEvents(async ({ guest }) => {
    const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 1 });
    await guest.FreeBuffer({ Buffer });
    await guest.FreeBuffer({ Buffer });
  });
  const lying = events.map((each) =>
    each.event === 3 ? { ...each, outcome: { form: "refused", reason: "?" } as const } : each
  );
  const divergence = divergenceOf(lying);
  assertEquals([place(divergence), divergence?.recorded, divergence?.replayed], [
    "@3 result",
    'refused "?"',
    'refused "Buffer names buffer#1, which is gone"',
  ]);
  assertEquals(divergence?.objects[0]?.recorded, "gone, last changed by @2 FreeBuffer");
  assertEquals(divergence?.objects[0]?.replayed, "gone");
});

Deno.test("an event that is missing shows at the next one, whose place it takes", () => {
  const without = ({ event }: TraceEvent) => divergenceOf(renumbered(EVENTS.filter((each) => each.event !== event)));
  for (const event of [LEAVE, MEMORY]) assertEquals(without(event)?.event, event.event, event.kind);
  const input = without(ALLOCATE);
  assert(input !== null && input.event >= ALLOCATE.event);
  const callback = without(OPENED);
  assert(callback !== null && callback.event >= OPENED.event);
});

Deno.test("an event at the end that is missing, or made by no call, is named", () => {
  const ending = EVENTS.findLastIndex(({ kind }) => kind === "leave");
  const cut = divergenceOf(EVENTS.slice(0, ending));
  assertEquals([cut?.event, cut?.recorded], [ending + 1, "the end of the trace"]);
  assertEquals(replay(plainTrace(EVENTS.slice(0, ending), { complete: false })).divergence, null, "a trace cut short");
});

Deno.test("an event too many is named", () => {
  const twice = ({ event }: TraceEvent) => {
    const added = EVENTS.flatMap((each) =>
      each.event === event ? [each, { ...each, event: each.event + 0.5 }] : [each]
    );
    return place(divergenceOf(renumbered(added)));
  };
  assertEquals(twice(LEAVE), `@${LEAVE.event + 1} kind`);
  assertEquals(twice(OPENED), `@${OPENED.event + 1} callback`);
  assertEquals(twice(find("return", "EvtVmbChannelOpened")), `@${find("return", "EvtVmbChannelOpened").event + 1} of`);
  assertEquals(twice(MAP), `@${MAP.event + 1} result`);
  assertEquals(twice(find("call", "AdvanceTime")), `@${find("call", "AdvanceTime").event + 1} timeNs`);
});

Deno.test("what the driver decided shows where an answer depends on it", () => {
  const time = find("call", "AdvanceTime");
  assertEquals(place(afterEdit(time, { ins: [2n] })), `@${time.event} timeNs`);
  assertEquals(place(afterEdit(MAP, { side: "client" })), `@${MAP.event} result`);
  const back = find("return", "EvtVmbChannelOpened");
  const failed = afterEdit(back, { outcome: { form: "status", status: STATUS.STATUS_INSUFFICIENT_RESOURCES } });
  assert(failed !== null && failed.event > back.event);
  const gpadl = { ...refOf(MAP.ins[2]), number: 5, handle: 5 };
  assertEquals(place(afterEdit(MAP, { ins: MAP.ins.with(2, gpadl) })), `@${MAP.event} result`);
});
