// Recordings that keep a part of the run: which events, under which numbers, and what the trace says of the rest.

import { refsIn } from "../../src/api/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import {
  bytesSource,
  openTrace,
  type Selection,
  type TraceEvent,
  type TraceFile,
  validate,
} from "../../src/trace/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import { churn } from "../driver/churn.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { turning } from "./turning.ts";

const RUN = churn(3);

async function kept(selection: Partial<Selection>): Promise<TraceFile> {
  return openTrace(bytesSource((await recordInMemory(RUN, { selection })).bytes));
}

async function whole(): Promise<readonly TraceEvent[]> {
  return [...openTrace(bytesSource((await recordInMemory(RUN)).bytes)).events()];
}

/** The numbers of events. */
function numbersOf(events: Iterable<TraceEvent>): number[] {
  return Array.from(events, ({ event }) => event);
}

/** Checks that a recording has the events of the whole run that are wanted, and the memory that they change. */
async function check(selection: Partial<Selection>, isWanted: (event: TraceEvent) => boolean): Promise<TraceFile> {
  const trace = await kept(selection);
  const events = [...trace.events()];
  const all = await whole();
  assertEquals(events, all.filter(({ event }) => numbersOf(events).includes(event)), "an event is not that of the run");
  const wanted = new Set<number>();
  for (const event of all) {
    const isKept = event.kind === "memory" ? wanted.has(event.cause) : isWanted(event);
    if (isKept) wanted.add(event.event);
  }
  assertEquals(numbersOf(events), [...wanted]);
  assert(events.length > 0 && events.length < all.length, `${events.length} of ${all.length}`);
  assertEquals([trace.complete, trace.losses, [...validate(trace)]], [true, [], []]);
  assertEquals(trace.summary().events, events.length);
  assertEquals(trace.end?.events, all.length);
  return trace;
}

Deno.test("calls by name keep the numbers of the run, with the memory that they change", async () => {
  const trace = await check(
    { calls: ["VmbChannel*Gpadl", "WriteBuffer"] },
    ({ plan }) => plan !== null && /^(?:VmbChannel.*Gpadl|WriteBuffer)$/.test(plan.name),
  );
  assertEquals(trace.header.leftOut, ["calls other than VmbChannel*Gpadl, WriteBuffer"]);
  assertEquals(trace.header.selection, {
    range: null,
    calls: ["VmbChannel*Gpadl", "WriteBuffer"],
    levels: [],
    sides: [],
    objects: [],
  });
});

Deno.test("a side keeps its calls and callbacks", async () => {
  const trace = await check({ sides: ["server"] }, ({ side }) => side === "server");
  assertEquals(trace.header.leftOut, ["what other sides did than server"]);
});

Deno.test("a range keeps its numbers, and what ends of it behind", async () => {
  const trace = await check({ range: { from: 20, to: 60 } }, ({ event, of }) => {
    if (of > 0) return of >= 20 && of <= 60;
    return event >= 20 && event <= 60;
  });
  assertEquals(trace.header.leftOut, ["events before @20", "events after @60"]);
});

Deno.test("an object keeps what names it; flags of several kinds must all admit an event", async () => {
  const trace = await check({ objects: ["gpadl#1"], calls: ["*Gpadl*"] }, ({ ins, outs, plan }) => {
    const isNamed = refsIn([...ins, ...outs]).some((ref) => ref.kind === "gpadl" && ref.number === 1);
    return isNamed && plan?.name.includes("Gpadl") === true;
  });
  assertEquals(trace.header.leftOut, ["calls other than *Gpadl*", "what does not name gpadl#1"]);
});

Deno.test("enter and leave, callback and return are kept or left out together", async () => {
  for (const selection of [{ calls: ["*Delete*", "Evt*"] }, { sides: ["client"] }, { range: { from: 30, to: null } }]) {
    const events = [...(await kept(selection)).events()];
    const open = new Map<number, string>();
    for (const { event, kind, of } of events) {
      if (kind === "enter" || kind === "callback") open.set(event, kind);
      if (kind === "leave" || kind === "return") assert(open.delete(of), `${kind} @${event} of @${of}`);
    }
    assertEquals([...open], []);
  }
});

Deno.test("what admits everything is no selection: the bytes are those of any recording", async () => {
  const { bytes } = await recordInMemory(RUN, { selection: { range: { from: 1, to: null } } });
  assertEquals(bytes, (await recordInMemory(RUN)).bytes);
});

Deno.test("an object that is none is refused before the run", async () => {
  await assertRejects(() => recordInMemory(RUN, { selection: { objects: ["gpadl#0"] } }), RangeError, "gpadl#0");
  await assertRejects(() => recordInMemory(RUN, { selection: { objects: ["nothing"] } }), RangeError, "nothing");
});

Deno.test("few events out of many take few chunks and few bytes", async () => {
  const { bytes, kept } = await recordInMemory(turning(4_000), { selection: { calls: ["FreeBuffer"] } });
  const { blocks, events } = openTrace(bytesSource(bytes)).summary();
  assertEquals([events, kept.events, blocks.get("mt.event")], [4_000, 4_000, 1]);
  assert(bytes.length < 6 * events, `${bytes.length} bytes`);
});

Deno.test("a selection cannot be replayed, and the replay says so", async () => {
  const { stoppedEarly, events, divergence } = replay(await kept({ calls: ["Vmb*"] }));
  assertEquals([events, divergence], [0, null]);
  assert(stoppedEarly.startsWith("calls other than Vmb*: left out"), stoppedEarly);
});

Deno.test("rules that need what was left out are off, and nothing found for want of it is certain", async () => {
  const trace = await kept({ sides: ["server"] });
  const { findings, off } = audit(trace);
  assertEquals(findings.filter(({ verdict }) => verdict === "certain").map(({ rule, event }) => [rule, event]), []);
  assert(off.length > 0);
});
