// Rules of GPADLs (G): each fires where it should and not where the misuse is just missed.
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ref } from "../support/events.ts";
import { audit } from "../../src/audit/mod.ts";
import {
  ALLOCATED,
  auditStory,
  CLOSE,
  DELETE,
  eventsOf,
  found,
  GIVEN_BACK,
  lineOf,
  MAP,
  OPEN,
  SHARED,
  traceOf,
  UNMAP,
} from "./story.ts";

/** A second pair of channels, `$s2` and `$c2`, open. */
const SECOND = ALLOCATED.replaceAll("$s", "$s2").replaceAll("$c", "$c2").replaceAll("000000000001}", "000000000002}") +
  `
server VmbChannelEnable(Channel=$s2) -> ok
server VmbChannelStart(Channel=$s2) -> void
client VmbChannelEnable(Channel=$c2) -> ok
`;
const CLOSE_SECOND = CLOSE.replaceAll("$s", "$s2").replaceAll("$c", "$c2");

function test(claim: string, story: string, expected: readonly string[]): void {
  Deno.test(claim, () => assertEquals(found(story), expected));
}

test(
  "audit() finds nothing where every GPADL is mapped, unmapped and deleted in order",
  `${OPEN}${SHARED}${MAP}${UNMAP}${MAP}${UNMAP}${GIVEN_BACK}`,
  [],
);
test(
  "G-01 a handle that names nothing is mapped",
  `${OPEN}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=77) -> fails
${CLOSE}`,
  ["gpadl-map-unknown -"],
);
test(
  "G-01 a GPADL is mapped after its delete",
  `${OPEN}${SHARED}${DELETE}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails
${CLOSE}`,
  ["gpadl-map-unknown gpadl#1"],
);
test(
  "G-02 a mapped GPADL is mapped",
  `${OPEN}${SHARED}${MAP}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails
${UNMAP}${GIVEN_BACK}`,
  ["gpadl-double-map gpadl#1"],
);
test(
  "G-02 two mappings are legal where the limit is many",
  `!option mapping-limit=many
${OPEN}${SHARED}${MAP}${MAP}${UNMAP}${UNMAP}${GIVEN_BACK}`,
  [],
);
test(
  "G-02 G-06 a map that failed by an injected fault is no mapping",
  `${OPEN}${SHARED}
machine FailNext(Call="VmbChannelMapGpadl", Status=STATUS_NO_MEMORY) -> void
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> STATUS_NO_MEMORY
${MAP}${UNMAP}${GIVEN_BACK}`,
  [],
);

const READ_ONLY = SHARED.replace("Buffer=$b,", "Flags=READ_ONLY, Buffer=$b,");
const MAP_READ_ONLY = MAP.replace("GpadlHandle", "Flags=READ_ONLY, GpadlHandle");

test(
  "G-03 a read-only GPADL is mapped for writing",
  `${OPEN}${READ_ONLY}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails
${GIVEN_BACK}`,
  ["gpadl-write-map-of-read-only gpadl#1"],
);
test(
  "G-03 a read-only map of a read-only GPADL is legal",
  `${OPEN}${READ_ONLY}${MAP_READ_ONLY}${UNMAP}${GIVEN_BACK}`,
  [],
);
test(
  "G-04 an unmap of what was never mapped",
  `${OPEN}${SHARED}
server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused
server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=5) -> refused
${GIVEN_BACK}`,
  ["gpadl-unmatched-unmap gpadl#1", "gpadl-unmatched-unmap -"],
);
test(
  "G-05 an unmap of what was unmapped",
  `${OPEN}${SHARED}${MAP}${UNMAP}
server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused
${DELETE}
server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused
${CLOSE}`,
  ["gpadl-double-unmap gpadl#1", "gpadl-double-unmap gpadl#1"],
);
test(
  "G-06 G-07 a mapping and its GPADL are left at the end",
  `${OPEN}${SHARED}${MAP}`,
  ["channel-leak channel#1", "channel-leak channel#2", "gpadl-leak gpadl#1", "gpadl-mapping-leak gpadl#1"],
);
test(
  "G-07 G-11 a GPADL is left when its channel is cleaned up, and is found once",
  `${OPEN}${SHARED}${CLOSE}`,
  ["gpadl-leak gpadl#1", "gpadl-alive-after-closed gpadl#1"],
);
test(
  "G-11 a GPADL that is deleted inside Closed is in time",
  `${OPEN}${SHARED}
client VmbChannelDisable(Channel=$c) -> void
  callback client EvtVmbChannelSuspend(Channel=$c)
  callback server EvtVmbChannelSuspend(Channel=$s)
  callback client EvtVmbChannelClosed(Channel=$c)
    client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> void
      callback server EvtVmbChannelClosed(Channel=$s)
${CLOSE}`,
  [],
);
test(
  "G-11 a GPADL that is deleted after Closed is late, but no leak",
  `${OPEN}${SHARED}
client VmbChannelDisable(Channel=$c) -> void
${GIVEN_BACK}`,
  ["gpadl-alive-after-closed gpadl#1"],
);
test(
  "G-08 a GPADL is deleted twice, and a handle that names nothing",
  `${OPEN}${SHARED}${DELETE}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> refused
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=9) -> refused
${CLOSE}`,
  ["gpadl-unmatched-delete gpadl#1", "gpadl-unmatched-delete -"],
);
test(
  "G-08 G-17 a GPADL is mapped and deleted while its delete waits",
  `${OPEN}${SHARED}${MAP}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> refused
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails
${UNMAP}
leave @delete
${CLOSE}`,
  ["gpadl-unmatched-delete gpadl#1", "gpadl-map-after-delete gpadl#1"],
);
test(
  "G-09 the notation's example: a delete that waits for ever is a deadlock and no leak of the GPADL",
  `${OPEN}${SHARED}${MAP}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked`,
  [
    "channel-leak channel#1",
    "channel-leak channel#2",
    "gpadl-mapping-leak gpadl#1",
    "gpadl-delete-deadlock gpadl#1",
  ],
);

Deno.test("G-09 a delete that waited is a note at the delete, and a deadlock is a hang there", () => {
  const waited = auditStory(`${OPEN}${SHARED}${MAP}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete
${UNMAP}
leave @delete
${CLOSE}`);
  assertEquals(waited.findings.map(({ rule, severity }) => `${rule} ${severity}`), ["gpadl-delete-deadlock note"]);
  const hung = auditStory(`${OPEN}${SHARED}${MAP}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked`);
  const deadlock = hung.findings.find(({ rule }) => rule === "gpadl-delete-deadlock");
  assertEquals(deadlock?.severity, "hang");
  assertEquals(deadlock?.evidence.map(({ role }) => role), ["created", "holder", "blocked"]);
  assertEquals(deadlock?.event, deadlock?.evidence.at(-1)?.event);
});

test(
  "G-10 a GPADL is created before the channel opened",
  `${ALLOCATED}
guest AllocateBuffer(ByteCount=8192) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> fails
client VmbChannelCleanup(Channel=$c)
server VmbChannelCleanup(Channel=$s)`,
  ["gpadl-create-outside-open channel#2"],
);
test(
  "G-10 a GPADL is created inside Opened, which is in time, without callbacks too",
  `!option initial-callbacks=none
${OPEN}${SHARED}${GIVEN_BACK}`,
  [],
);
test(
  "G-10 a GPADL is created after the peer closed a channel without callbacks",
  `!option initial-callbacks=none
${OPEN}
server VmbChannelDisable(Channel=$s) -> void
guest AllocateBuffer(ByteCount=8192) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> fails
client VmbChannelCleanup(Channel=$c)
server VmbChannelCleanup(Channel=$s)`,
  ["gpadl-create-outside-open channel#2"],
);
test(
  "G-13 a GPADL is used on another channel",
  `${OPEN}${SECOND}${SHARED}
server VmbChannelMapGpadl(Channel=$s2, GpadlHandle=$g) -> fails
client VmbChannelDeleteGpadl(Channel=$c2, GpadlHandle=$g) -> refused
${DELETE}
client VmbChannelDeleteGpadl(Channel=$c2, GpadlHandle=$g) -> refused
${CLOSE}${CLOSE_SECOND}`,
  ["gpadl-wrong-channel gpadl#1", "gpadl-wrong-channel gpadl#1", "gpadl-wrong-channel gpadl#1"],
);
test(
  "G-14 G-15 a GPADL reaches outside its buffer, or has no bytes",
  `${OPEN}
guest AllocateBuffer(ByteCount=8192) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8193) -> fails
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=0) -> fails
${CLOSE}`,
  ["gpadl-range-outside-mdl buffer#1", "gpadl-empty buffer#1"],
);
test(
  "G-14 a part of a chain of MDLs is counted through the whole chain",
  `${OPEN}
guest AllocateBuffer(ByteCount=8192) -> $b
guest CreateMdl(Buffer=$b, ByteOffset=4096, ByteCount=100) -> $second
guest CreateMdl(Buffer=$b, ByteCount=50, Next=$second) -> $first
client VmbChannelCreateGpadlFromMdl(Channel=$c, Mdl=$first, StartOffsetWithinMdl=50, DataLengthWithinMdl=100) -> ok {GpadlHandle=$g}
client VmbChannelCreateGpadlFromMdl(Channel=$c, Mdl=$first, StartOffsetWithinMdl=51, DataLengthWithinMdl=100) -> fails
client VmbChannelCreateGpadlFromMdl(Channel=$c, Mdl=$first, StartOffsetWithinMdl=150) -> fails
${GIVEN_BACK}`,
  ["gpadl-range-outside-mdl mdl#2", "gpadl-empty mdl#2"],
);
test(
  "G-14 a freed buffer has no bytes",
  `${OPEN}
guest AllocateBuffer(ByteCount=8192) -> $b
guest FreeBuffer(Buffer=$b) -> void
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> fails
${CLOSE}`,
  ["gpadl-range-outside-mdl buffer#1"],
);
test(
  "G-18 flag bits that do not exist, on create and map",
  `${OPEN}${SHARED}
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Flags=0x3, Buffer=$b, ByteCount=8192) -> fails
server VmbChannelMapGpadl(Channel=$s, Flags=0x10, GpadlHandle=$g) -> fails
${GIVEN_BACK}`,
  ["gpadl-bad-flags -", "gpadl-bad-flags gpadl#1"],
);
test(
  "G-20 8190 pages fit into a description, 8191 do not",
  `${OPEN}
guest AllocateBuffer(ByteCount=33546240) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=33546240) -> ok {GpadlHandle=$g}
guest AllocateBuffer(ByteCount=33546240, ByteOffset=1) -> $b2
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b2, ByteCount=33546240) -> fails
${GIVEN_BACK}`,
  ["gpadl-too-large buffer#2"],
);
test(
  "G-21 a handle value is given out again after the delete, which is legal",
  `!option handle-reuse=after-delete
${OPEN}${SHARED}${DELETE}${SHARED}${GIVEN_BACK}`,
  [],
);

Deno.test("G-21 a handle value is given out while its GPADL lives", () => {
  const { events, header } = eventsOf(`${OPEN}${SHARED}${SHARED}${DELETE}`);
  const same = ref("gpadl", 2, 0xe1e10);
  const changed = events.map((event) => ({
    ...event,
    outs: event.outs.map((out) => JSON.stringify(out)?.includes('"gpadl","number":2') ? same : out),
  }));
  const findings = audit(traceOf(changed, { header })).findings.map(lineOf);
  assert(findings.includes("gpadl-handle-reused-while-live gpadl#2"), findings.join(", "));
});

Deno.test("a finding says size, position and what became of the others, and its fingerprint knows no event number", () => {
  const leaky = auditStory(`${OPEN}${SHARED}${DELETE}${SHARED}`);
  const leak = leaky.findings.find(({ rule }) => rule === "gpadl-leak");
  assertStringIncludes(leak?.message ?? "", "gpadl#2 (8 KB), created @");
  assertEquals(leak?.siblings?.created, 2);
  assertEquals(leak?.siblings?.released, 1);
  assertEquals(leak?.siblings?.example?.object.number, 1);
  assertEquals(leak?.sizeBytes, 8192);
  const later = auditStory(`${OPEN}${SHARED}${DELETE}${SHARED}${DELETE}${SHARED}`);
  assertEquals(later.findings.find(({ rule }) => rule === "gpadl-leak")?.fingerprint, leak?.fingerprint);
});

Deno.test("pairing counts GPADLs and mappings, with ends that had no start", () => {
  const { pairing } = auditStory(`${OPEN}${SHARED}${MAP}${UNMAP}
server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused
${DELETE}${SHARED}${MAP}`);
  assertEquals(pairing.gpadl, { starts: 2, ends: 1, pairs: 1, preExisting: 0, liveAtEnd: 0, leaked: 1 });
  assertEquals(pairing["gpadl-mapping"], { starts: 2, ends: 2, pairs: 1, preExisting: 0, liveAtEnd: 0, leaked: 1 });
  assertEquals(pairing.channel, { starts: 2, ends: 0, pairs: 0, preExisting: 0, liveAtEnd: 0, leaked: 2 });
});
