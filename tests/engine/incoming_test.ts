// Delivered packets: one at a time, which callbacks go together, quota, external data. Refusals in order are scenarios.

import { assert, assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { Packets, WAIT } from "./packets.ts";

/** The callbacks that may run now, by end and name. */
function due(pair: Packets): string[] {
  return pair.engine.deliverable().map(({ side, name }) => `${side} ${name.replace(/^EvtVmb(Channel)?/, "")}`);
}

/** Delivers the callback of this text, and leaves it running; its event. */
function begin(pair: Packets, text: string, event: number): number {
  const next = pair.engine.deliverable().find((_, index) => due(pair)[index] === text);
  assert(next !== undefined, `${text} is not due: ${due(pair).join(", ")}`);
  pair.engine.deliver(next.id, event);
  return event;
}

function end(pair: Packets, event: number): void {
  pair.engine.finish(event, { event: event + 1, outcome: { form: "void" } });
}

Deno.test("an endpoint is in one ProcessPacket at a time, and in a completion routine beside it", () => {
  const pair = new Packets().open();
  const [one, two, three] = [pair.packet("client"), pair.packet("client"), pair.packet("server")];
  pair.send(one, [1], { drain: false });
  pair.send(two, [2], { drain: false });
  pair.send(three, [3], { end: "server", drain: false });
  assertEquals(due(pair), [
    "client PacketCompletionRoutine",
    "server ProcessPacket",
    "server PacketCompletionRoutine",
    "client ProcessPacket",
  ]);
  begin(pair, "server ProcessPacket", 901);
  assertEquals(due(pair), ["client PacketCompletionRoutine", "server PacketCompletionRoutine", "client ProcessPacket"]);
  begin(pair, "client ProcessPacket", 903);
  begin(pair, "client PacketCompletionRoutine", 905);
  assertEquals(due(pair), ["server PacketCompletionRoutine"]);
  end(pair, 901);
  assertEquals(due(pair), ["server PacketCompletionRoutine", "server ProcessPacket"]);
});

Deno.test("Suspend waits for the packet that is processed, and for the batch's end", () => {
  const pair = new Packets().open();
  pair.send(pair.packet("client", false), [1], { drain: false });
  const running = begin(pair, "server ProcessPacket", 901);
  const pause = pair.call("server", "VmbChannelPause", { Channel: pair.server }, false);
  pair.send(pair.packet("client", false), [2], { drain: false });
  assertEquals([due(pair), pause.blocked], [[], true]);
  end(pair, running);
  assertEquals(
    due(pair),
    ["server Suspend"],
    "the second packet stays in the ring: the batch goes on behind the pause",
  );
});

Deno.test("with post-started=after-queue-on a packet may come before PostStarted, beside it or behind it", () => {
  const pair = new Packets();
  pair.send(pair.packet("client", false), [1]);
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  for (const name of ["server Opened", "client Opened", "client Started", "server Started"]) {
    const event = 900 + 2 * pair.engine.world.nextCallbackId;
    begin(pair, name, event);
    end(pair, event);
  }
  assertEquals(due(pair), ["client PostStarted", "server ProcessPacket", "server PostStarted"]);
  const packet = begin(pair, "server ProcessPacket", 991);
  assertEquals(due(pair), ["client PostStarted", "server PostStarted"]);
  const post = begin(pair, "server PostStarted", 993);
  end(pair, packet);
  assertEquals(due(pair), ["client PostStarted", "server ProcessingComplete"]);
  end(pair, post);
  assertEquals(due(pair), ["client PostStarted", "server ProcessingComplete"]);
});

Deno.test("no packet is delivered once a Pause is due, though a Start came behind it", () => {
  const pair = new Packets();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  for (const name of ["server Opened", "client Opened", "client Started", "server Started"]) {
    const event = 900 + 2 * pair.engine.world.nextCallbackId;
    begin(pair, name, event);
    end(pair, event);
  }
  const post = begin(pair, "server PostStarted", 991);
  pair.call("server", "VmbChannelPause", { Channel: pair.server }, false);
  pair.call("server", "VmbChannelStart", { Channel: pair.server }, false);
  const args = { PacketObject: pair.call("client", "VmbPacketAllocate", { Channel: pair.client }, false).value };
  pair.call("client", "VmbPacketSend", args, false);
  assertEquals(due(pair), ["client PostStarted"]);
  end(pair, post);
  assertEquals(due(pair), ["client PostStarted", "server Suspend"]);
});

Deno.test("with post-started=before-queue-on a packet comes behind PostStarted", () => {
  const pair = new Packets({ "post-started": "before-queue-on" });
  pair.send(pair.packet("client", false), [1]);
  pair.open();
  assertEquals(pair.firsts(), [1]);
  pair.on("server", "VmbChannelPause");
});

Deno.test("the quota counts packets delivered and not completed, and only a completion goes on", () => {
  const pair = new Packets().open();
  const quota = (Quota: number) =>
    pair.call("server", "VmbChannelSetTransactionQuota", { Channel: pair.server, Quota });
  quota(2);
  for (let index = 0; index < 5; index += 1) pair.send(pair.packet("client", false), [index]);
  assertEquals(pair.firsts(), [0, 1]);
  quota(3);
  assertEquals(pair.firsts(), [0, 1]);
  pair.complete(pair.arrived[0]?.completion ?? 0);
  assertEquals(pair.firsts(), [0, 1, 2, 3]);
  quota(1);
  pair.complete(pair.arrived[1]?.completion ?? 0);
  pair.complete(pair.arrived[2]?.completion ?? 0);
  assertEquals(pair.firsts(), [0, 1, 2, 3], "two are outstanding, one may be");
  pair.complete(pair.arrived[3]?.completion ?? 0);
  assertEquals(pair.firsts(), [0, 1, 2, 3, 4]);
});

Deno.test("a completion goes to who waits for it, and to nobody else", () => {
  const pair = new Packets().open();
  pair.send(pair.packet("client", false), [1]);
  const before = pair.deltas.length;
  pair.complete(pair.last().completion, "server", [1]);
  assertEquals(pair.deltas.length, before, "no completion packet");
  pair.request([2]);
  pair.complete(pair.last().completion, "server", [1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(pair.ended, ["packet#2 STATUS_SUCCESS 0102030405060708"]);
});

Deno.test("a packet with guest pages asks for its completion, though nobody may wait for it", () => {
  const pair = new Packets().open();
  const buffer = numberOf(pair.call("guest", "AllocateBuffer", { ByteCount: 100 }).value);
  const mdl = numberOf(pair.call("guest", "CreateMdl", { Buffer: buffer }).value);
  pair.call("client", "VmbPacketSend", { PacketObject: pair.packet("client"), ExternalDataMdl: mdl });
  assertEquals(pair.ended, ["packet#1 STATUS_SUCCESS"]);
  const before = pair.deltas.length;
  pair.complete(pair.last().completion);
  assert(pair.deltas.length > before);
  assertEquals(pair.ended.length, 1);
});

Deno.test("a redelivery that is due comes before Suspend, so that the packet can be completed", () => {
  const pair = new Packets().open();
  let deferrals = 0;
  pair.onArrival = ({ completion }) => {
    const context = { PacketCompletionContext: completion };
    if (deferrals === 0) pair.call("server", "VmbChannelPacketDeferToPassive", context, false);
    else pair.call("server", "VmbChannelPacketComplete", context, false);
    if (deferrals === 0) pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
    deferrals += 1;
  };
  pair.send(pair.packet("client", false), [1], { flags: WAIT });
  assertEquals([pair.firsts(), pair.states()], [[1, 1], "closed/active, disabled/paused"]);
  const names = pair.seen().filter((line) => line.startsWith("server"));
  assertEquals(names, [
    "server ProcessPacket",
    "server ProcessPacket",
    "server ProcessingComplete",
    "server Suspend",
    "server Closed",
  ]);
});
