// The audit's core: joining, verdicts, order, filters, fingerprints, the second pass, pairing.
import { audit, RULES } from "../../src/audit/mod.ts";
import type { Loss } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { EventList, header, ref, refused } from "../support/events.ts";
import { auditStory, eventsOf, lineOf, MAP, OPEN, SHARED, traceOf } from "./story.ts";

const LEAKY = eventsOf(`${OPEN}${SHARED}${MAP}
client VmbChannelDisable(Channel=$c) -> blocked`.replace("-> blocked", ""));

function verdicts(trace: Parameters<typeof audit>[0]): string[] {
  return [...new Set(audit(trace).findings.map(({ verdict }) => verdict))];
}

Deno.test("audit() is certain of leaks only where the run ended and nothing was lost", () => {
  const { events } = LEAKY;
  const loss = { what: "events", firstEvent: 3, lastEvent: 4, offsetBytes: -1 };
  assertEquals(verdicts(traceOf(events)), ["certain"]);
  assertEquals(verdicts(traceOf(events, { losses: [loss] })), ["unproven"]);
  assertEquals(verdicts(traceOf(events, { header: header({ losses: [loss] }) })), ["unproven"]);
  const cut = audit(traceOf(events, { end: null }));
  assertEquals(cut.findings.find(({ rule }) => rule === "gpadl-leak")?.verdict, "live-at-end");
  assertEquals(cut.findings.find(({ rule }) => rule === "gpadl-alive-after-closed")?.verdict, "certain");
  assertEquals(cut.complete, false);
  assertEquals(cut.pairing.gpadl?.liveAtEnd, 1);
});

Deno.test("audit() calls the end of what it never saw begin pre-existing in an import, unproven where events were lost", () => {
  const list = new EventList();
  list.call("client", "VmbChannelDeleteGpadl", { Channel: ref("channel", 1), GpadlHandle: ref("gpadl", 1) });
  list.call("server", "VmbChannelUnmapGpadl", { Channel: ref("channel", 2), GpadlHandle: ref("gpadl", 2) });
  list.call("server", "VmbChannelMapGpadl", { Channel: ref("channel", 2), GpadlHandle: ref("gpadl", 3) });
  const imported = audit(traceOf(list.events, { header: header({ maker: "hyperv" }) }));
  assertEquals(imported.findings.map((finding) => `${lineOf(finding)} ${finding.verdict}`), [
    "gpadl-unmatched-delete gpadl#1 pre-existing",
    "gpadl-unmatched-unmap gpadl#2 pre-existing",
  ]);
  assertEquals(imported.pairing.gpadl?.preExisting, 1);
  assertEquals(imported.pairing["gpadl-mapping"]?.preExisting, 1);
  const loss = { what: "events", firstEvent: 1, lastEvent: 1, offsetBytes: -1 };
  assertEquals(verdicts(traceOf(list.events, { losses: [loss] })), ["unproven"]);
  const doubtsOf = (leftOut: readonly string[], losses: readonly Loss[]) =>
    new Set(audit(traceOf(list.events, { header: header({ leftOut }), losses })).findings.map(({ doubt }) => doubt));
  const [lost, leftOut] = ["events were lost", "events were left out when it was recorded"];
  assertEquals(doubtsOf([], [loss]), new Set([lost]));
  assertEquals(doubtsOf(["calls"], []), new Set([leftOut]));
  assertEquals(doubtsOf(["calls"], [loss]), new Set([`${lost}, and ${leftOut}`]));
});

Deno.test("audit() orders findings by severity, then by event, and codes them", () => {
  const { findings } = auditStory(`${OPEN}${SHARED}${MAP}
host WriteMdl(Mdl=$m, Offset=0, Data=h'01') -> void
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked
client VmbChannelEnable(Channel=$c) -> fails`);
  assertEquals(findings.map(({ code }) => code), ["L-01", "L-01", "G-06", "L-05", "G-09"]);
  assert(findings.every(({ rule, code }) => RULES[rule].code === code));
});

Deno.test("audit() looks only for the rules that it is asked for", () => {
  const result = audit(traceOf(LEAKY.events), { rules: (name) => name === "gpadl-leak" });
  assertEquals(result.findings.map(lineOf), ["gpadl-leak gpadl#1"]);
});

Deno.test("audit() gives the same result for the same trace, and says how far it is", () => {
  const counts: number[] = [];
  const first = audit(traceOf(LEAKY.events), { onProgress: (events) => counts.push(events) });
  assertEquals(audit(traceOf(LEAKY.events)), first);
  assertEquals(counts, [LEAKY.events.length]);
});

Deno.test("audit() refuses a limit that is no count", () => {
  assertThrows(() => audit(traceOf([]), { evidenceLimit: -1 }), RangeError, "evidenceLimit -1");
});

Deno.test("a fingerprint differs by call site and is 16 hexadecimal digits", () => {
  const at = (line: number) =>
    traceOf(LEAKY.events.map((event) => ({
      ...event,
      site: event.plan?.creates === true ? { file: "a.ts", line, column: event.event, function: "share" } : null,
    })));
  const of = (trace: Parameters<typeof audit>[0]) =>
    audit(trace).findings.find(({ rule }) => rule === "gpadl-leak")?.fingerprint ?? "";
  assertMatch(of(at(1)), /^[0-9a-f]{16}$/);
  assertEquals(of(at(1)), of(at(1)));
  assert(of(at(1)) !== of(at(2)));
});

Deno.test("audit() joins an enter with its leave, and ignores a leave whose enter is lost", () => {
  const list = new EventList();
  list.call("server", "VmbChannelAllocate", { IsServer: true }, { outs: { Channel: ref("channel", 1) } });
  const enter = list.enter("server", "VmbChannelDisable", { Channel: ref("channel", 1) });
  list.leave(enter);
  const lost = list.enter("server", "VmbChannelDisable", { Channel: ref("channel", 1) });
  list.leave(lost);
  list.call("server", "VmbChannelCleanup", { Channel: ref("channel", 1) });
  assertEquals(audit(traceOf(list.events)).findings, []);
  assertEquals(audit(traceOf(list.events.filter(({ event }) => event !== lost))).findings, []);
});

Deno.test("audit() counts channels, MDLs and buffers that begin and end", () => {
  const { pairing } = auditStory(`guest AllocateBuffer(ByteCount=1) -> $b
guest AllocateBuffer(ByteCount=1) -> $b2
guest CreateMdl(Buffer=$b) -> $m
guest FreeMdl(Mdl=$m) -> void
guest FreeBuffer(Buffer=$b) -> void`);
  assertEquals(pairing.buffer, { starts: 2, ends: 1, pairs: 1, preExisting: 0, liveAtEnd: 1, leaked: 0 });
  assertEquals(pairing.mdl, { starts: 1, ends: 1, pairs: 1, preExisting: 0, liveAtEnd: 0, leaked: 0 });
});

Deno.test("audit() takes a refused call for no effect", () => {
  const list = new EventList();
  list.call("server", "VmbChannelAllocate", { IsServer: true }, { outs: { Channel: ref("channel", 1) } });
  list.call("server", "VmbChannelCleanup", { Channel: ref("channel", 1) }, { outcome: refused("FailNext") });
  assertEquals(audit(traceOf(list.events)).findings.map(lineOf), ["channel-leak channel#1"]);
});

Deno.test("audit() says which rules are off in an import", () => {
  const { off } = audit(traceOf([], { header: header({ maker: "etl", capabilities: ["dxgkrnl"] }) }));
  assert(off.some(({ rule }) => rule === "guest-page-reused-while-shared"));
  assertEquals(audit(traceOf([])).off, []);
});
