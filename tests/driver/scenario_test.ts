// Scenarios line by line: what holds passes, each line that does not hold gives one failure that says what was written and
// what happened, and the run goes on.

import { NotationError, parseScenario } from "../../src/api/mod.ts";
import { runScenario, type ScenarioReport, Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { line } from "./run.ts";

interface ScenarioRun extends ScenarioReport {
  readonly events: readonly TraceEvent[];
  /** The failures as `LINE: MESSAGE`. */
  readonly wrong: readonly string[];
}

function run(text: string): ScenarioRun {
  const scenario = parseScenario(text, { file: "s.calls" });
  const events: TraceEvent[] = [];
  const sink = { event: (event: TraceEvent) => void events.push(event) };
  const session = new Session({ engine: new Engine(scenario.options), sink, memory: "full" });
  const report = runScenario(scenario, session, ({ creates }) => creates);
  return { ...report, events, wrong: report.failures.map(({ line, message }) => `${line}: ${message}`) };
}

const OFFER = `server VmbChannelAllocate(IsServer=true) -> STATUS_SUCCESS {Channel=$s}
server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType={11111111-0000-0000-0000-000000000001})
server VmbChannelEnable(Channel=$s)
server VmbChannelStart(Channel=$s)
client VmbChannelAllocate(IsServer=false) -> STATUS_SUCCESS {Channel=$c}
client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType={11111111-0000-0000-0000-000000000001})
`;
const OPEN = `${OFFER}client VmbChannelEnable(Channel=$c) -> STATUS_SUCCESS\n`;
const MAPPED = `${OPEN}guest AllocateBuffer(ByteCount=4096) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=4096) -> ok {GpadlHandle=$g}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete
`;
/** How many lines OFFER, OPEN and MAPPED have. */
const [OFFERED, OPENED, DELETING] = [6, 7, 11];

Deno.test("a scenario whose lines hold has no failures, and calls have their lines as sites", () => {
  const { wrong, events } = run(`${MAPPED}server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> void
leave @delete -> void
expect state gpadl#1 dead
expect state $c open`);
  assertEquals(wrong, []);
  const site = events.find(({ plan }) => plan?.name === "VmbChannelMapGpadl")?.site;
  assertEquals(site, { file: "s.calls", line: OPENED + 3, column: 1, function: "" });
  assertEquals(events.slice(-2).map(({ kind, of }) => [kind, of > 0]), [["call", false], ["leave", true]]);
});

Deno.test("a call's callbacks run and return though none is written", () => {
  const { events } = run(OPEN);
  const callbacks = events.filter(({ kind }) => kind === "callback");
  const returns = events.filter(({ kind }) => kind === "return");
  assertEquals([callbacks.length, returns.length], [6, 6]);
  assertEquals(returns[0]?.outcome, { form: "status", status: 0 });
});

Deno.test("written callbacks hold with arguments, returns, labels and calls inside them", () => {
  const { wrong, events, expectedFindings } = run(
    `${OPEN}  callback server EvtVmbChannelOpened(Channel=$s) -> STATUS_SUCCESS
    host AllocateBuffer(ByteCount=1) @inside
  callback client EvtVmbChannelOpened(Channel=$c) @opened
  callback server EvtVmbChannelStarted(Channel=$s)
  callback client EvtVmbChannelStarted(Channel=$c)
  callback server EvtVmbChannelPostStarted(Channel=$s)
  callback client EvtVmbChannelPostStarted(Channel=channel#2)
expect finding channel-leak at @opened object $c
expect finding channel-leak at @inside object channel#1
expect finding channel-leak at @3`,
  );
  assertEquals(wrong, []);
  const [opened] = events.filter(({ kind }) => kind === "callback");
  const inside = events.find(({ plan }) => plan?.name === "AllocateBuffer");
  assertEquals(inside?.cause, opened?.event);
  assertEquals(expectedFindings.map(({ event, object }) => [event, object]), [
    [events.filter(({ kind }) => kind === "callback")[1]?.event ?? 0, "channel#2"],
    [inside?.event ?? 0, "channel#1"],
    [3, null],
  ]);
});

Deno.test("no callbacks holds where a call made none, and fails where it made some", () => {
  assertEquals(run("host AllocateBuffer(ByteCount=1)\n  no callbacks").wrong, []);
  assertEquals(run(`${OPEN}  no callbacks\nhost AllocateBuffer(ByteCount=1) -> buffer#1`).wrong, [
    `${OPENED}: made one more callback than written: server EvtVmbChannelOpened of channel#1`,
  ]);
});

Deno.test("a callback that is left out is one failure, at the call", () => {
  const { wrong } = run(`${OPEN}  callback server EvtVmbChannelOpened(Channel=$s)
  callback client EvtVmbChannelOpened(Channel=$c)
  callback server EvtVmbChannelStarted(Channel=$s)
  callback client EvtVmbChannelStarted(Channel=$c)
  callback server EvtVmbChannelPostStarted(Channel=$s)
expect state $c open`);
  assertEquals(wrong, [
    `${OPENED}: made one more callback than written: client EvtVmbChannelPostStarted of channel#2`,
  ]);
});

Deno.test("a callback that did not happen is one failure, at its line", () => {
  const { wrong } = run(`${OPEN}  callback client EvtVmbChannelClosed(Channel=$c)\nexpect state $c open`);
  assertEquals(wrong, [
    `${OPENED + 1}: wrote callback client EvtVmbChannelClosed, got server EvtVmbChannelOpened of channel#1`,
  ]);
  assertEquals(run("host AllocateBuffer(ByteCount=1)\n  callback client EvtVmbChannelClosed()").wrong, [
    "2: wrote callback client EvtVmbChannelClosed, got no callback",
  ]);
});

Deno.test("a callback with other arguments than written is one failure, and it runs all the same", () => {
  const { wrong, events } = run(`${OPEN}  callback server EvtVmbChannelOpened(Channel=$c)
    host AllocateBuffer(ByteCount=1)
  callback client EvtVmbChannelOpened(Channel=$c)
  callback server EvtVmbChannelStarted(Channel=$s)
  callback client EvtVmbChannelStarted(Channel=$c)
  callback server EvtVmbChannelPostStarted(Channel=$s)
  callback client EvtVmbChannelPostStarted(Channel=$c)`);
  assertEquals(wrong, [
    `${OPENED + 1}: callback server EvtVmbChannelOpened: Channel: wrote $c (channel#2), got channel#1`,
  ]);
  assertEquals(events.filter(({ plan }) => plan?.name === "AllocateBuffer").length, 1);
});

Deno.test("wrong outcomes are one failure each, and the lines below run", () => {
  const { wrong, events } = run(`host AllocateBuffer(ByteCount=1) -> buffer#2
host FreeBuffer(Buffer=buffer#1) -> refused
host FreeBuffer(Buffer=buffer#1) -> void
umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> fails {hAdapter=$a}
umd D3DKMTCloseAdapter(hAdapter=$a) -> STATUS_SUCCESS
umd D3DKMTCloseAdapter(hAdapter=$a) -> fails`);
  assertEquals(wrong, [
    "1: AllocateBuffer: wrote buffer#2, got buffer#1",
    "2: FreeBuffer: wrote refused, got void",
    '3: FreeBuffer: wrote void, got refused "Buffer names buffer#1, which is gone"',
    "4: D3DKMTOpenAdapterFromLuid: wrote fails {hAdapter=$a}, got STATUS_SUCCESS {hAdapter=adapter#1}",
  ]);
  assertEquals(events.length, 6);
});

Deno.test("a call that blocks where an answer is written is a failure, and one that answers where blocked is", () => {
  assertEquals(run(MAPPED.replace("blocked @delete", "void")).wrong, [
    `${DELETING}: VmbChannelDeleteGpadl: wrote void, got blocked`,
  ]);
  assertEquals(run("host AllocateBuffer(ByteCount=1) -> blocked @a").wrong, [
    "1: AllocateBuffer: wrote blocked, got buffer#1",
  ]);
});

Deno.test("a leave that does not happen, or with another outcome, is one failure", () => {
  assertEquals(run(`${MAPPED}leave @delete -> void`).wrong, [
    `${DELETING + 1}: wrote leave of VmbChannelDeleteGpadl, but it still waits`,
  ]);
  const unmapped = `${MAPPED}server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g)\n`;
  assertEquals(run(`${unmapped}leave @delete -> refused`).wrong, [
    `${DELETING + 2}: VmbChannelDeleteGpadl: wrote refused, got void`,
  ]);
});

Deno.test("labels of a leave and a return name those events", () => {
  const { events, expectedFindings } = run(`${MAPPED}server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g)
leave @delete -> void @left
machine AdvanceTime(Nanoseconds=1)
expect finding gpadl-leak at @left`);
  assertEquals(events.find(({ kind }) => kind === "leave")?.event, expectedFindings[0]?.event);
  const other = run(`${BLOCKED}return @o -> STATUS_SUCCESS @back\nexpect finding gpadl-leak at @back`);
  assertEquals(other.events.find(({ kind }) => kind === "return")?.event, other.expectedFindings[0]?.event);
});

const BLOCKED = `!option callbacks=written
${OPEN}  callback server EvtVmbChannelOpened(Channel=$s) blocked @o
`;

Deno.test("a callback may be blocked, gone on with inside, and returned from", () => {
  const { wrong, events } = run(`${BLOCKED}inside @o
  host AllocateBuffer(ByteCount=1) -> $x
guest AllocateBuffer(ByteCount=2) -> $y
inside @o
  host FreeBuffer(Buffer=$x)
return @o -> STATUS_INSUFFICIENT_RESOURCES`);
  assertEquals(wrong, []);
  const opened = events.find(({ kind }) => kind === "callback")?.event ?? 0;
  assertEquals(events.slice(-5).map(({ cause, of }) => [cause, of]), [
    [OPENED, 0],
    [opened, 0],
    [0, 0],
    [opened, 0],
    [opened, opened],
  ]);
  assertEquals(events.at(-1)?.outcome, { form: "status", status: 0xc000009a });
});

Deno.test("callbacks that a return made run under it, written or not", () => {
  const text = `${OPEN}  callback server EvtVmbChannelOpened(Channel=$s) blocked @o\nreturn @o\n`;
  const written = "  callback client EvtVmbChannelOpened(Channel=$c)\n";
  for (const { wrong, events } of [run(text), run(text + written)]) {
    assertEquals(wrong, []);
    assertEquals(events.filter(({ kind }) => kind === "callback").length, 6);
  }
});

Deno.test("a line that means a callback which never ran is one failure", () => {
  const { wrong, events } = run(`!option callbacks=written
${OFFER}client VmbChannelEnable(Channel=$c)
  callback server EvtVmbChannelClosed(Channel=$s) blocked @o
inside @o
  host AllocateBuffer(ByteCount=1)
return @o
expect finding gpadl-leak at @o`);
  const first = OFFERED + 3;
  assertEquals(wrong, [
    `${first}: wrote callback server EvtVmbChannelClosed, got server EvtVmbChannelOpened of channel#1`,
    `${first + 1}: wrote inside EvtVmbChannelClosed, but that callback never ran`,
    `${first + 3}: wrote return of EvtVmbChannelClosed, but that callback never ran`,
    `${first + 4}: wrote finding gpadl-leak at @o, but that line never ran`,
  ]);
  assertEquals(events.map(line).includes("call host AllocateBuffer"), false);
});

Deno.test("a leave of a call that never ran is one failure", () => {
  const { wrong } = run(`${MAPPED.replace(" @delete", " @first")}server VmbChannelDisable(Channel=$s)
  callback client EvtVmbChannelOpened(Channel=$c)
    client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete
leave @delete -> void`);
  assertEquals(wrong.at(-1), `${DELETING + 4}: wrote leave of VmbChannelDeleteGpadl, but that line never ran`);
});

Deno.test("with callbacks written, only those run that stand there, each where it stands", () => {
  const { wrong, events } = run(`!option callbacks=written
${OPEN}  callback server EvtVmbChannelOpened(Channel=$s)
machine AdvanceTime(Nanoseconds=1)
client VmbChannelDisable(Channel=$c)
  callback client EvtVmbChannelOpened(Channel=$c)`);
  assertEquals(wrong, []);
  assertEquals(events.filter(({ kind }) => kind !== "memory").map(line).slice(OPENED), [
    "callback server EvtVmbChannelOpened",
    "return server EvtVmbChannelOpened",
    "call machine AdvanceTime",
    "enter client VmbChannelDisable",
    "callback client EvtVmbChannelOpened",
    "return client EvtVmbChannelOpened",
  ]);
});

Deno.test("a wrong state is one failure", () => {
  assertEquals(run(`${OPEN}expect state channel#2 closed\nexpect state gpadl#1 live`).wrong, [
    `${OPENED + 1}: wrote state channel#2 closed, got open/active`,
    `${OPENED + 2}: wrote state gpadl#1 live, got never created`,
  ]);
});

Deno.test("expect no findings is told with its line", () => {
  assertEquals(run("host AllocateBuffer(ByteCount=1)\nexpect no findings").noFindingsLine, 2);
  assertEquals(run("host AllocateBuffer(ByteCount=1)").noFindingsLine, 0);
});

Deno.test("what has no value is a NotationError with its line", () => {
  const text = "host AllocateBuffer(ByteCount=1)\nhost FreeBuffer(Buffer=$b)";
  const unbound = assertThrows(() => run(text), NotationError, "s.calls:2:24: expected a value: nothing has bound $b");
  assertEquals(unbound.line, 2);
  assertThrows(() => run("expect state $x live"), NotationError, "$x is none");
  assertThrows(() => run("host FreeBuffer(Buffer=buffer#9)"), NotationError, "buffer#9 was not created");
});
