// Rules of a channel's life (L): each fires where it should and not where the misuse is just missed.
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ALLOCATED, auditStory, CLOSE, found, OPEN } from "./story.ts";

const CLEAN_UP = `
client VmbChannelCleanup(Channel=$c)
server VmbChannelCleanup(Channel=$s)
`;

function test(claim: string, story: string, expected: readonly string[]): void {
  Deno.test(claim, () => assertEquals(found(story), expected));
}

test("audit() finds nothing in a channel's whole life", `${OPEN}${CLOSE}`, []);
test(
  "audit() finds nothing in a channel that is opened twice",
  `${OPEN}
client VmbChannelDisable(Channel=$c)
client VmbChannelEnable(Channel=$c) -> ok
client VmbChannelSetInterruptLatency(Channel=$c, Latency=7) -> ok
${CLOSE}`,
  [],
);
test(
  "audit() finds nothing in a channel whose server closes first",
  `${OPEN}
server VmbChannelDisable(Channel=$s)
${CLEAN_UP}`,
  [],
);
test(
  "audit() finds nothing in a channel without callbacks",
  `!option initial-callbacks=none
${OPEN}
client VmbChannelSetInterruptLatency(Channel=$c, Latency=7) -> ok
${CLOSE}`,
  [],
);

test(
  "L-01 a channel is left at the end",
  `${ALLOCATED}
client VmbChannelCleanup(Channel=$c)`,
  ["channel-leak channel#1"],
);
test(
  "L-02 a channel is cleaned up while it is open",
  `${OPEN}
client VmbChannelCleanup(Channel=$c) -> refused
${CLOSE}`,
  ["channel-cleanup-not-disabled channel#2"],
);
test(
  "L-03 a channel is used after its cleanup",
  `${ALLOCATED}${CLEAN_UP}
client VmbChannelEnable(Channel=$c) -> fails
server VmbChannelGetPointer(Channel=$s) -> refused`,
  [
    "channel-use-after-cleanup channel#2",
    "channel-use-after-cleanup channel#1",
  ],
);
test(
  "L-04 a channel is cleaned up twice",
  `${ALLOCATED}${CLEAN_UP}
server VmbChannelCleanup(Channel=$s) -> refused`,
  ["channel-double-cleanup channel#1"],
);
test(
  "L-05 a channel is enabled twice",
  `${OPEN}
client VmbChannelEnable(Channel=$c) -> fails
${CLOSE}`,
  ["channel-double-enable channel#2"],
);
test(
  "L-05 a client whose Opened failed is disabled, and may be enabled again",
  `${ALLOCATED}
server VmbChannelEnable(Channel=$s) -> ok
client VmbChannelEnable(Channel=$c) -> ok
  callback server EvtVmbChannelOpened(Channel=$s)
  callback client EvtVmbChannelOpened(Channel=$c) -> STATUS_UNSUCCESSFUL
  callback server EvtVmbChannelClosed(Channel=$s)
client VmbChannelEnable(Channel=$c) -> ok
${CLOSE}`,
  [],
);
test(
  "L-06 a setter is called after Enable, and again after Disable, which is legal",
  `${OPEN}
client VmbChannelInitSetMaximumPacketSize(Channel=$c, PacketSize=64) -> STATUS_INVALID_PARAMETER_1
client VmbChannelDisable(Channel=$c)
client VmbChannelInitSetMaximumPacketSize(Channel=$c, PacketSize=64) -> ok
server VmbChannelDisable(Channel=$s)
${CLEAN_UP}`,
  ["channel-init-after-enable channel#2"],
);
test(
  "L-06b a channel is started before Enable; a Pause is legal there",
  `${ALLOCATED}
server VmbChannelStart(Channel=$s) -> refused
server VmbChannelPause(Channel=$s) -> void
${CLEAN_UP}`,
  ["channel-start-outside-enable channel#1"],
);
test(
  "L-07 a channel is paused inside its own callback; another one may be",
  `${ALLOCATED}
server VmbChannelEnable(Channel=$s) -> ok
client VmbChannelEnable(Channel=$c) -> ok
  callback server EvtVmbChannelOpened(Channel=$s)
    server VmbChannelStart(Channel=$s) -> refused
  callback client EvtVmbChannelOpened(Channel=$c)
  callback client EvtVmbChannelStarted(Channel=$c)
    server VmbChannelStart(Channel=$s) -> void
      callback server EvtVmbChannelStarted(Channel=$s)
      callback server EvtVmbChannelPostStarted(Channel=$s)
  callback client EvtVmbChannelPostStarted(Channel=$c)
${CLOSE}`,
  ["channel-start-pause-in-callback channel#1"],
);
test(
  "L-09 a call at the wrong end, on the other end's handle, and an allocation for it",
  `${ALLOCATED}
client VmbServerChannelInitSetFlags(Channel=$c, Flags=1) -> fails
server VmbChannelInitSetMaximumPacketSize(Channel=$c, PacketSize=64) -> fails
client VmbChannelAllocate(IsServer=true) -> fails
${CLEAN_UP}`,
  ["wrong-endpoint channel#2", "wrong-endpoint channel#2", "wrong-endpoint -"],
);
test(
  "L-09 a server that deletes a GPADL is at the wrong end, and that is all",
  `${OPEN}
server VmbChannelDeleteGpadl(Channel=$s, GpadlHandle=4) -> refused
${CLOSE}`,
  ["wrong-endpoint channel#1"],
);
test(
  "L-12 a function of an open channel before it opened and after it closed",
  `${ALLOCATED}
client VmbChannelGetMmioSpace(Channel=$c) -> refused
server VmbChannelEnable(Channel=$s) -> ok
client VmbChannelEnable(Channel=$c) -> ok
client VmbChannelGetMmioSpace(Channel=$c) -> void
client VmbChannelDisable(Channel=$c)
client VmbChannelSetInterruptLatency(Channel=$c, Latency=7) -> fails
server VmbChannelDisable(Channel=$s)
${CLEAN_UP}`,
  ["channel-not-open channel#2", "channel-not-open channel#2"],
);

Deno.test("L a call that is not modelled makes no finding", () => {
  assertEquals(found(`${ALLOCATED}${CLEAN_UP}\ngpu CompleteGpuWork(hContext=0xdead, FenceValue=1) -> refused`), []);
});

Deno.test("L-03 says where the channel was cleaned up", () => {
  const { findings } = auditStory(`${ALLOCATED}${CLEAN_UP}
client VmbChannelEnable(Channel=$c) -> fails`);
  assertStringIncludes(findings[0]?.message ?? "", "channel#2 was used by VmbChannelEnable after its cleanup @5");
  assertEquals(findings[0]?.evidence.map(({ role, call, event }) => `${role} ${call} ${event}`), [
    "created VmbChannelAllocate 3",
    "deleted VmbChannelCleanup 5",
    "used VmbChannelEnable 7",
  ]);
});
