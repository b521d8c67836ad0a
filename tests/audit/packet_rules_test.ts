// Rules of packets (P, Q): what a trace proves of packets that nobody was seen to free, deliver or complete. Each rule also
// has a scenario that fires it and a near miss, in tests/scenarios/rules.
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { audit } from "../../src/audit/mod.ts";
import { SYMBOLS } from "../../src/api/mod.ts";
import { PacketStory, ref } from "./packet_story.ts";
import { auditStory, found, OPEN, traceOf } from "./story.ts";

const { WAIT_FOR_COMPLETION } = SYMBOLS.packetFlags;

Deno.test("P-02 is certain where the packet was alone on its way, in doubt where another was before it", () => {
  const story = new PacketStory().open().allocate(1).allocate(2).send(1).send(2);
  const first = story.use("VmbPacketFree", 1);
  const second = story.use("VmbPacketFree", 2);
  assertEquals(story.found(), [`P-02 @${first}`, `P-02 @${second} unproven`]);
});

Deno.test("P-02 is certain once the packet's delivery was seen, whatever stood before it", () => {
  const story = new PacketStory().open().allocate(1).allocate(2).send(1).send(2);
  story.deliver(1, (cause) => story.onDelivered("VmbChannelPacketComplete", 1, { cause }));
  story.deliver(2, (cause) => story.onDelivered("VmbChannelPacketComplete", 2, { cause }));
  const second = story.use("VmbPacketFree", 2);
  assertEquals(story.found(), [`P-02 @${second}`]);
});

Deno.test("P-02 P-03 a packet that waits for its peer is in flight until that completes it", () => {
  const story = new PacketStory().open().allocate(1).send(1, WAIT_FOR_COMPLETION).deliver(1);
  const early = story.list.call("client", "VmbPacketFree", { VmbPacket: ref("packet", 1) }, {
    outcome: { form: "refused", reason: "in flight" },
  });
  story.onDelivered("VmbChannelPacketComplete", 1);
  const late = story.list.call("client", "VmbPacketFree", { VmbPacket: ref("packet", 1) }, {
    outcome: { form: "refused", reason: "dead" },
  });
  assertEquals(story.found(), [`P-03 @${early}`, `P-02 @${late}`]);
});

Deno.test("P-03 is in doubt when the connection that a packet waited in is gone", () => {
  const story = new PacketStory().open().allocate(1).send(1, WAIT_FOR_COMPLETION);
  story.list.call("client", "VmbChannelDisable", { Channel: story.client });
  const free = story.use("VmbPacketFree", 1);
  assertEquals(story.found(), [`P-02 @${free} unproven`]);
});

Deno.test("P-01 a packet whose default routine is to come is not left behind, and does not outlive its channel", () => {
  const story = new PacketStory().allocate(1).send(1);
  assertEquals(story.found(), []);
  assertEquals(story.pairing("packet"), "1 starts, 0 ends, 0 pairs, 1 live, 0 leaked");
  assertEquals(story.open().close().found(), []);
  assertEquals(story.pairing("packet"), "1 starts, 1 ends, 1 pairs, 0 live, 0 leaked");
});

Deno.test("P-07 says nothing of another system's default, and keeps to what was set", () => {
  const long = (maker: string) => {
    const story = new PacketStory({ maker }).open().allocate(1);
    story.list.call("client", "VmbPacketSend", {
      PacketObject: ref("packet", 1),
      Buffer: new Uint8Array(9000),
      BufferLength: 9000,
    });
    return story.found();
  };
  assertEquals(long("engine").map((line) => line.split(" ")[0]), ["P-07"]);
  assertEquals(long("other"), []);
});

Deno.test("P-17 ends with Started, and with Closed: packets may be queued in both", () => {
  const story = new PacketStory().open().allocate(1).allocate(2);
  story.list.call("client", "VmbChannelPause", { Channel: story.client });
  story.callback("client", "EvtVmbChannelSuspend", { Channel: story.client }).send(1);
  const early = story.last;
  story.callback("client", "EvtVmbChannelClosed", { Channel: story.client }).send(2);
  assertEquals(story.found(), [`P-17 @${early}`]);
});

Deno.test("P-06 names the packet, its sender and its delivery, and the packet is not P-23 as well", () => {
  const { findings } = auditStory(`${OPEN}
client VmbPacketAllocate(Channel=$c) -> $p
client VmbPacketSend(PacketObject=$p, Buffer=h'0102030405060708', Flags=WAIT_FOR_COMPLETION) -> ok
client VmbPacketAllocate(Channel=$c) -> $q
client VmbPacketSend(PacketObject=$q, Buffer=h'02', Flags=WAIT_FOR_COMPLETION) -> ok
server VmbChannelPause(Channel=$s) -> blocked`);
  const told = findings.filter(({ rule }) => rule !== "channel-leak");
  assertEquals(told.map(({ rule, severity }) => `${rule} ${severity}`), ["packet-never-completed-hang hang"]);
  const [hang] = told;
  assertStringIncludes(hang?.message ?? "", "waits for completion#1 (packet#1, sent @");
  assertStringIncludes(hang?.message ?? "", "delivered on channel#1 @");
  assertStringIncludes(hang?.message ?? "", "and 1 other, which nobody completed");
  assertEquals(hang?.evidence.map(({ role }) => role), ["sent", "holder", "sent", "holder", "blocked"]);
});

Deno.test("P-23 is not the driver's where the packet is to be delivered again", () => {
  const story = new PacketStory().open().allocate(1).send(1);
  story.deliver(1, (cause) => story.onDelivered("VmbChannelPacketDeferToPassive", 1, { cause }));
  assertEquals(story.found(), []);
  assertEquals(story.pairing("completion"), "1 starts, 0 ends, 0 pairs, 1 live, 0 leaked");
});

Deno.test("P-23 is a leak of the model's trace for a failed packet, and unknown of another system's", () => {
  const failed = (maker: string) => {
    const story = new PacketStory({ maker }).open().allocate(1).send(1).deliver(1);
    story.onDelivered("VmbChannelPacketFail", 1);
    return story.found().map((line) => line.split(" ")[0]);
  };
  assertEquals(failed("engine"), ["P-23"]);
  assertEquals(failed("other"), []);
});

Deno.test("P-24 P-25 P-27 what is done with a packet after its completion", () => {
  const story = new PacketStory().open().allocate(1).send(1).deliver(1);
  story.onDelivered("VmbChannelPacketComplete", 1);
  const refused = { outcome: { form: "refused", reason: "dead" } as const };
  const context = { PacketCompletionContext: ref("completion", 1) };
  const again = story.list.call("server", "VmbChannelPacketComplete", context, refused);
  const failed = story.list.call("server", "VmbChannelPacketFail", context, refused);
  const deferred = story.list.call("server", "VmbChannelPacketDeferToPassive", context, refused);
  assertEquals(story.found(), [`P-24 @${again}`, `P-24 @${failed}`, `P-27 @${deferred}`]);
});

Deno.test("P-28 a delivery on a stopped queue, which only another library makes", () => {
  const story = new PacketStory().open().allocate(1).allocate(2).send(1).send(2).deliver(1);
  story.onDelivered("VmbChannelPacketFail", 1);
  story.deliver(2, (cause) => story.onDelivered("VmbChannelPacketComplete", 2, { cause }));
  const second = story.last - 2;
  story.onDelivered("VmbChannelPacketComplete", 1);
  assertEquals(story.found(), [`P-28 @${second}`]);
});

Deno.test("Q-02 is told at the trace's end too, and not where a completion came", () => {
  const held = (isCompleted: boolean) => {
    const story = new PacketStory().open();
    story.list.call("server", "VmbChannelSetTransactionQuota", { Channel: story.server, Quota: 1 });
    story.allocate(1).send(1).deliver(1);
    const raise = story.list.call("server", "VmbChannelSetTransactionQuota", { Channel: story.server, Quota: 2 });
    if (isCompleted) story.onDelivered("VmbChannelPacketComplete", 1);
    return [raise, story.found()] as const;
  };
  assertEquals(held(true)[1], []);
  const [raise, lines] = held(false);
  assertEquals(lines.filter((line) => line.startsWith("Q")), [`Q-02 @${raise}`]);
});

Deno.test("packets keep nothing of what is over: a thousand sends leave no packet and no completion", () => {
  const story = new PacketStory().open();
  for (let number = 1; number <= 1000; number += 1) {
    story.allocate(number).send(number % 200);
    story.list.events.pop();
    story.list.call("client", "VmbPacketSend", {
      PacketObject: ref("packet", number),
      Buffer: Uint8Array.of(number % 200),
      BufferLength: 1,
    });
    story.list.return(story.list.callback("server", "EvtVmbChannelProcessPacket", {
      Channel: story.server,
      Packet: ref("completion", number),
      Buffer: Uint8Array.of(number % 200, 0, 0, 0, 0, 0, 0, 0),
    }));
    story.onDelivered("VmbChannelPacketComplete", number);
  }
  assertEquals(story.pairing("packet"), "1000 starts, 1000 ends, 1000 pairs, 0 live, 0 leaked");
  assertEquals(story.pairing("completion"), "1000 starts, 1000 ends, 1000 pairs, 0 live, 0 leaked");
  assertEquals(audit(traceOf(story.list.events)).findings.map(({ rule }) => rule), ["channel-leak", "channel-leak"]);
});

Deno.test("L-08 is none for a channel that has nothing to wait for", () => {
  assertEquals(
    found(`${OPEN}
client VmbChannelDisable(Channel=$c)
  callback client EvtVmbChannelSuspend(Channel=$c)
  callback server EvtVmbChannelSuspend(Channel=$s)
  callback client EvtVmbChannelClosed(Channel=$c)
  callback server EvtVmbChannelClosed(Channel=$s)
client VmbChannelCleanup(Channel=$c)
server VmbChannelDisable(Channel=$s)
server VmbChannelCleanup(Channel=$s)`),
    [],
  );
});
