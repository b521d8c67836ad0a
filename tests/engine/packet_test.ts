// Packet objects: whose they are, when they are idle, and what is checked before a send. Refusals in order are scenarios.

import { STATUS } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { Packets, WAIT } from "./packets.ts";

const FORCE = 2;

Deno.test("VmbPacketAllocate makes packets that the channel owns and does not take along", () => {
  const pair = new Packets();
  const packet = pair.packet("client", false);
  const object = pair.engine.world.resolve("packet", packet);
  assertEquals([object?.state, object?.side, object?.owner?.number], ["allocated", "client", 2]);
  pair.call("client", "VmbChannelCleanup", { Channel: pair.client });
  assertEquals(object?.alive, true);
  assertEquals(pair.call("client", "VmbPacketGetChannel", { PacketObject: packet }).value, null);
  assertEquals(pair.send(packet, [1]).status, STATUS.STATUS_INVALID_PARAMETER);
  assertEquals([pair.call("client", "VmbPacketFree", { VmbPacket: packet }).refused, object?.state], [null, "freed"]);
});

Deno.test("VmbChannelSizeofPacket grows with the largest packet, and is what VmbPacketInitialize needs", () => {
  const pair = new Packets();
  const size = () => numberOf(pair.on("client", "VmbChannelSizeofPacket").value);
  assertEquals(size(), 4096 + 128);
  pair.call("client", "VmbChannelInitSetMaximumPacketSize", { Channel: pair.client, PacketSize: 1 });
  assertEquals(size(), 8 + 128);
  const initialize = (ByteCount: number) =>
    pair.call("client", "VmbPacketInitialize", { Channel: pair.client, ByteCount }).status;
  assertEquals([initialize(size() - 1), initialize(size())], [STATUS.STATUS_INVALID_PARAMETER_3, 0]);
  pair.call("client", "VmbChannelInitSetMaximumPacketSize", { Channel: pair.client, PacketSize: 0xffff_ffff });
  assertEquals(initialize(size()), 0);
});

Deno.test("a packet may be sent again from its routine on, not before", () => {
  const pair = new Packets().open();
  const packet = pair.packet("client");
  pair.send(packet, [1], { drain: false });
  assertEquals([pair.stateOf(packet), pair.send(packet, [2], { drain: false }).status], [
    "sent",
    STATUS.STATUS_INVALID_PARAMETER,
  ]);
  let again = -1;
  const inner = pair.handler;
  pair.handler = (callback) => {
    inner(callback);
    if (callback.name === "EvtVmbPacketCompletionRoutine" && again < 0) again = pair.send(packet, [3]).status;
  };
  pair.drain();
  assertEquals([again, pair.firsts(), pair.ended.length], [0, [1, 3], 2]);
});

Deno.test("the bytes of a packet are those of the moment it was sent", () => {
  const pair = new Packets();
  const packet = pair.packet("client");
  const Buffer = Uint8Array.of(1, 2);
  pair.call("client", "VmbPacketSend", { PacketObject: packet, Buffer, BufferLength: 1 });
  Buffer[0] = 9;
  pair.open();
  assertEquals(pair.firsts(), [1]);
});

Deno.test("a packet beyond what the peer takes, queued before there was a peer, ends with the status", () => {
  const pair = new Packets({ "external-data-status": "STATUS_QUOTA_EXCEEDED" });
  pair.call("server", "VmbChannelInitSetMaximumExternalData", { Channel: pair.server, DataSize: 10, ChainLength: 1 });
  const buffer = numberOf(pair.call("guest", "AllocateBuffer", { ByteCount: 100 }).value);
  const mdl = numberOf(pair.call("guest", "CreateMdl", { Buffer: buffer }).value);
  const send = () =>
    pair.call("client", "VmbPacketSend", { PacketObject: pair.packet("client"), ExternalDataMdl: mdl, Flags: WAIT });
  assertEquals(send().status, 0);
  pair.open();
  assertEquals([pair.ended, pair.arrived], [["packet#1 STATUS_QUOTA_EXCEEDED"], []]);
  assertEquals(send().status, STATUS.STATUS_QUOTA_EXCEEDED);
});

Deno.test("FORCE_MDL_LENGTH reaches to the end of the first MDL's last page, and no further MDL", () => {
  const pair = new Packets().open();
  const Buffer = numberOf(pair.call("guest", "AllocateBuffer", { ByteCount: 8192, ByteOffset: 4000 }).value);
  const Next = numberOf(pair.call("guest", "CreateMdl", { Buffer, ByteCount: 10 }).value);
  const ExternalDataMdl = numberOf(pair.call("guest", "CreateMdl", { Buffer, ByteCount: 100, Next }).value);
  const send = (MdlOffset: number, MdlLength: number, flags = FORCE) =>
    pair.call("client", "VmbPacketSendWithExternalMdl", {
      PacketObject: pair.packet("client"),
      ExternalDataMdl,
      MdlOffset,
      MdlLength,
      Flags: WAIT | flags,
    }).status;
  const length = () => {
    const args = { PacketCompletionContext: pair.last().completion };
    const mdl = numberOf(pair.call("server", "VmbChannelPacketGetExternalData", args).outs.Mdl);
    const object = pair.engine.world.resolve("mdl", mdl);
    return object !== undefined && "byteCount" in object.data ? object.data.byteCount : -1;
  };
  const bad = STATUS.STATUS_INVALID_PARAMETER;
  assertEquals([send(0, 4192), length()], [0, 4192], "4000 of the first page, all of the second");
  assertEquals([send(100, 4092), send(0, 4193), send(4192, 1), send(100, 0)], [0, bad, bad, bad]);
  assertEquals([send(0, 0), length()], [0, 100]);
  assertEquals([send(0, 0, 0), length()], [0, 110]);
  assertEquals([send(0, 111, 0), send(109, 1, 0)], [bad, 0]);
});
