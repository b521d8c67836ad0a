// Workload `packets`: a guest sends its host small packets of 8 to 64 bytes inline, one after the other, each completed with 8 bytes;
// 1 to 1,000 ns of virtual time between them. A step is three calls (AdvanceTime, the send, the completion), two callbacks, and
// what both write into the rings.

import { defineProgram, on } from "../../mod.ts";
import type { Information } from "./workload.ts";

const KINDS = 4;
const NUMBERS = 2 ** 32;
/** A packet has so many words of 8 bytes at most. */
const WORDS = 8;
const MAX_STEP_NS = 1000;
const WAIT_FOR_COMPLETION = 1;
const InterfaceType = "{11111111-0000-0000-0000-000000000001}";

/** What kind of packet it is, its number, how long it is, and the time that passed. Rings and completions follow. */
export const INFORMATION: Information = {
  bitsPerStep: Math.log2(KINDS) + Math.log2(NUMBERS) + Math.log2(WORDS) + Math.log2(MAX_STEP_NS),
  bitsAhead: 0,
  formula: "kind log2(4) + number log2(2^32) + size log2(8) + time log2(1000)",
};

export default defineProgram(async (context) => {
  const { client, server, machine, random } = context;
  const steps = Number(context.args[0] ?? 50_000);
  const { Channel: offered } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({ Channel: offered, InterfaceType });
  await server.VmbChannelInitSetProcessPacketCallbacks({
    Channel: offered,
    ProcessPacketCallback: on<"EvtVmbChannelProcessPacket">(async ({ Packet, Buffer }, inside) => {
      await inside.server.VmbChannelPacketComplete({
        PacketCompletionContext: Packet,
        PacketCompletionBuffer: Buffer,
        BufSize: 8,
      });
    }),
  });
  await server.VmbChannelEnable({ Channel: offered });
  await server.VmbChannelStart({ Channel: offered });
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType });
  await client.VmbChannelEnable({ Channel });
  const completed = context.mailbox<number>();
  const { value: PacketObject } = await client.VmbPacketAllocate({ Channel });
  await client.VmbPacketSetCompletionRoutine({
    PacketObject,
    CompletionRoutine: on<"EvtVmbPacketCompletionRoutine">(({ Packet }) => completed.send(Packet)),
  });
  for (let step = 0; step < steps; step += 1) {
    await machine.AdvanceTime({ Nanoseconds: 1 + random.below(MAX_STEP_NS) });
    const Buffer = new Uint8Array(8 * (1 + random.below(WORDS)));
    const view = new DataView(Buffer.buffer);
    view.setUint32(0, random.below(KINDS), true);
    view.setUint32(4, random.next(), true);
    await client.VmbPacketSend({ PacketObject, Buffer, BufferLength: Buffer.length, Flags: WAIT_FOR_COMPLETION });
    await context.receive(completed);
  }
}, { summary: "small packets from guest to host, one at a time" });
