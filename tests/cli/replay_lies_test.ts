// Traces that lie: one event is changed and the checksums are made right again. Replay must name that event and field.
import { assertEquals, assertMatch } from "../support/assert.ts";
import { rewriteTrace } from "../support/rewrite_trace.ts";
import { STATUS } from "../../src/api/mod.ts";
import { bytesSource, openTrace, type TraceEvent } from "../../src/trace/mod.ts";
import { inPlace, type Place } from "./place.ts";

async function withTrace(body: (place: Place, events: readonly TraceEvent[]) => Promise<void>): Promise<void> {
  await inPlace(async (place) => {
    await place.run("record gpu-pv -o t.msgpack");
    await body(place, [...openTrace(bytesSource(place.bytes("t.msgpack"))).events()]);
  });
}

/** Replays the trace with one event changed: it must diverge just there, in just that field. */
async function assertCaught(
  place: Place,
  changed: TraceEvent | undefined,
  expected: { readonly field: string; readonly text: RegExp },
): Promise<void> {
  const number = changed?.event ?? 0;
  const stdin = rewriteTrace(place.bytes("t.msgpack"), (event) => event.event === number ? changed ?? event : event);
  const { code, out } = await place.run("replay - --json", { stdin });
  const { diverged, divergence } = JSON.parse(out);
  assertEquals([code, diverged, divergence.event, divergence.field], [1, true, number, expected.field]);
  assertMatch(divergence.message, expected.text);
  const text = await place.run("replay -", { stdin });
  assertEquals(text.code, 1);
  assertMatch(text.out, new RegExp(`^diverged at @${number} \\S+: ${expected.field.replace(".", "\\.")}\n`));
  assertMatch(text.out, new RegExp(`\nSUMMARY: diverged at @${number}, after \\d+ calls in ${number} events\n$`));
}

Deno.test("replay of a trace as it was written finds nothing", () =>
  withTrace(async (place) => {
    const stdin = rewriteTrace(place.bytes("t.msgpack"), (event) => event);
    assertEquals((await place.run("replay -", { stdin })).code, 0);
  }));

Deno.test("replay names the event whose recorded status was changed", () =>
  withTrace(async (place, events) => {
    const map = events.find(({ plan }) => plan?.name === "VmbChannelMapGpadl");
    const changed = map && { ...map, outcome: { form: "status", status: STATUS.STATUS_ACCESS_DENIED } as const };
    await assertCaught(place, changed, {
      field: "result",
      text: /recorded as STATUS_ACCESS_DENIED, replayed as STATUS_SUCCESS/,
    });
  }));

Deno.test("replay names the event and the output whose recorded value was changed", () =>
  withTrace(async (place, events) => {
    const map = events.find(({ plan }) => plan?.name === "D3DKMTMapGpuVirtualAddress");
    const at = map?.plan?.outs.findIndex(({ name }) => name === "VirtualAddress") ?? -1;
    const changed = map && { ...map, outs: map.outs.map((value, index) => index === at ? 0x1234000n : value) };
    await assertCaught(place, changed, { field: "outs.VirtualAddress", text: /recorded as 0x1234000, replayed as / });
  }));

/** Callbacks of both sides, one of them interrupted; a delete that waits until the server unmaps. */
const BLOCKING = Deno.readTextFileSync(new URL("../scenarios/rules/g-06-near-miss.calls", import.meta.url));

async function withBlocking(body: (place: Place, events: readonly TraceEvent[]) => Promise<void>): Promise<void> {
  await inPlace(async (place) => {
    assertEquals((await place.run("record - -o t.msgpack", { stdin: BLOCKING })).code, 0);
    await body(place, [...openTrace(bytesSource(place.bytes("t.msgpack"))).events()]);
  });
}

Deno.test("replay names the callback that was recorded for another one", () =>
  withBlocking(async (place, events) => {
    const callbacks = events.filter(({ kind }) => kind === "callback");
    const [first] = callbacks;
    const other = callbacks.find(({ plan }) => plan !== first?.plan);
    const changed = first && other && { ...first, plan: other.plan, ins: other.ins, outs: other.outs };
    await assertCaught(place, changed, {
      field: "callback",
      text: /recorded as callback server EvtVmbChannelStarted, replayed as server EvtVmbChannelOpened/,
    });
  }));

Deno.test("replay names the leave whose recorded outcome was changed, and the one of another call", () =>
  withBlocking(async (place, events) => {
    const leave = events.findLast(({ kind }) => kind === "leave");
    const refused = leave && { ...leave, outcome: { form: "refused", reason: "so it says" } as const };
    await assertCaught(place, refused, { field: "result", text: /recorded as refused "so it says", replayed as void/ });
    const enters = events.filter(({ kind, event }) => kind === "enter" && event !== leave?.of);
    const other = enters.at(-1);
    const moved = leave && other && { ...leave, of: other.event, plan: other.plan };
    await assertCaught(place, moved, { field: "call", text: /recorded as \S+, replayed as \S+/ });
  }));

Deno.test("replay names the memory delta whose digest was changed, and the page that was moved", () =>
  withTrace(async (place, events) => {
    const delta = events.find(({ kind }) => kind === "memory");
    const { memory } = delta ?? {};
    if (delta === undefined || !memory) throw new Error("the story writes no memory");
    const bytes = memory.bytes?.slice() ?? new Uint8Array();
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await assertCaught(place, { ...delta, memory: { ...memory, page: memory.page + 1 } }, {
      field: "memory.page",
      text: /memory\.page was recorded as 0x/,
    });
    await assertCaught(place, { ...delta, memory: { ...memory, digest: (memory.digest ^ 1) >>> 0 } }, {
      field: "memory.digest",
      text: /memory\.digest was recorded as 0x/,
    });
  }));
