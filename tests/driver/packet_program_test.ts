// Programs that send packets: handlers by channel and by packet, the documented orders under many seeds, recordings that replay.

import { type CallbackFunction, isRef } from "../../src/api/mod.ts";
import { defineProgram, type Mailbox, on, type ProgramContext, type Thread } from "../../src/driver/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace, type TraceEvent, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runEvents } from "./run.ts";

const TYPE = "{11111111-0000-0000-0000-000000000001}";
const WAIT = 1;

type Side = "client" | "server";

const STATES = {
  Version: 1,
  Size: 48,
  ...Object.fromEntries(
    ["EvtChannelOpened", "EvtChannelClosed", "EvtChannelSuspend", "EvtChannelStarted"].map((
      name,
    ) => [name, on(() => {})]),
  ),
};

/** Completes what arrives at an end with its own bytes. */
function echo(side: Side): CallbackFunction {
  return on<"EvtVmbChannelProcessPacket">(async ({ Packet, Buffer }, inside) => {
    const bytes = { PacketCompletionBuffer: Buffer, BufSize: Buffer.length };
    await inside[side].VmbChannelPacketComplete({ PacketCompletionContext: Packet, ...bytes });
  });
}

async function offer({ server }: Thread): Promise<number> {
  const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({ Channel, InterfaceType: TYPE });
  await server.VmbChannelInitSetProcessPacketCallbacks({
    Channel,
    ProcessPacketCallback: echo("server"),
    ProcessingCompleteCallback: on<"EvtVmbChannelProcessingComplete">(() => {}),
  });
  await server.VmbChannelInitSetStateChangeCallbacks({ Channel, StateChangeCallbacks: STATES });
  await server.VmbChannelEnable({ Channel });
  await server.VmbChannelStart({ Channel });
  return Channel;
}

/** A client that asks its server something as soon as it can. */
async function open(context: ProgramContext): Promise<number> {
  const { client } = context;
  const opened = context.mailbox<number>();
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType: TYPE });
  await client.VmbChannelInitSetProcessPacketCallbacks({ Channel, ProcessPacketCallback: echo("client") });
  const EvtChannelPostStarted = on(async ({ Channel }, inside) => {
    const packet = { Channel, Buffer: new Uint8Array(3), BufferSize: 3, Flags: WAIT, CompletionBufferSize: 16 };
    const { status, CompletionBufferSize } = await inside.client.VmbChannelSendSynchronousRequest(packet);
    assertEquals([status, CompletionBufferSize], [0, 8]);
    opened.send(Channel);
  });
  const StateChangeCallbacks = { ...STATES, EvtChannelPostStarted };
  await client.VmbChannelInitSetStateChangeCallbacks({ Channel, StateChangeCallbacks });
  await client.VmbChannelEnable({ Channel });
  return await context.receive(opened);
}

/** Sends one packet; its routine frees it and tells what came back. */
async function send(
  thread: Thread,
  { side, Channel, number, ended }: {
    readonly side: Side;
    readonly Channel: number;
    readonly number: number;
    readonly ended: Mailbox<number>;
  },
): Promise<void> {
  const { value: PacketObject } = await thread[side].VmbPacketAllocate({ Channel });
  const CompletionRoutine = on<"EvtVmbPacketCompletionRoutine">(async ({ Packet, Buffer }, inside) => {
    await inside[side].VmbPacketFree({ VmbPacket: Packet });
    ended.send(Buffer[0] ?? -1);
  });
  await thread[side].VmbPacketSetCompletionRoutine({ PacketObject, CompletionRoutine });
  await thread[side].VmbPacketSend({ PacketObject, Buffer: Uint8Array.of(number), BufferLength: 1, Flags: WAIT });
}

/** Both ends send each other packets while the server pauses and starts again; then everything is closed. */
async function talk(context: ProgramContext): Promise<void> {
  const { client, server } = context;
  const ended = context.mailbox<number>();
  const channels = { server: await offer(context), client: await open(context) };
  const sends = [1, 2, 3, 4].map((number) => {
    const side = number % 2 === 0 ? "server" : "client";
    return context.spawn(
      `sender ${number}`,
      (thread) => send(thread, { side, Channel: channels[side], number, ended }),
    );
  });
  await server.VmbChannelPause({ Channel: channels.server });
  await server.VmbChannelStart({ Channel: channels.server });
  for (const send of sends) await send;
  const got: number[] = [];
  for (let count = 0; count < 4; count += 1) got.push(await context.receive(ended));
  assertEquals(got.toSorted(), [1, 2, 3, 4]);
  await client.VmbChannelDisable({ Channel: channels.client });
  await server.VmbChannelDisable({ Channel: channels.server });
  await client.VmbChannelCleanup({ Channel: channels.client });
  await server.VmbChannelCleanup({ Channel: channels.server });
}

/** What of kmcl.md 1.3 does not hold at one end: packets come after Started and before Suspend, and are completed before Closed. */
function orderTroubles(events: readonly TraceEvent[], side: string): string[] {
  const troubles: string[] = [];
  const names = new Map<number, string>();
  let phase = "closed";
  let open = 0;
  for (const { event, kind, plan, side: at, of, ins, outcome } of events) {
    if (at !== side || plan === null) continue;
    if (plan.name === "VmbChannelPacketComplete" && kind === "call" && outcome?.form === "void") open -= 1;
    if (kind === "callback") names.set(event, plan.name);
    const name = kind === "callback" ? plan.name : kind === "return" ? `${names.get(of)} returned` : "";
    if (name === "EvtVmbChannelProcessPacket") {
      open += 1;
      assert(isRef(ins[1]));
      if (phase !== "started") troubles.push(`@${event} a packet while ${phase}`);
    }
    if (name === "EvtVmbChannelStarted returned") phase = "started";
    if (name === "EvtVmbChannelSuspend") phase = "suspended";
    if (name === "EvtVmbChannelStarted" && open > 0) {
      troubles.push(`@${event} Started with ${open} packets outstanding`);
    }
    if (name === "EvtVmbChannelClosed" && open > 0) troubles.push(`@${event} Closed with ${open} packets outstanding`);
  }
  return troubles;
}

Deno.test("packets come between Started and Suspend and are completed before Closed, at both ends, under 60 seeds", async () => {
  const orders = new Set<string>();
  for (let seed = 1; seed <= 60; seed += 1) {
    const { events, stuck, thrown } = await runEvents(talk, { seed });
    assertEquals([stuck, thrown], [[], undefined], `seed ${seed}`);
    for (const side of ["client", "server"]) assertEquals(orderTroubles(events, side), [], `seed ${seed}`);
    orders.add(events.filter(({ kind }) => kind === "callback").map(({ plan }) => plan?.name).join());
  }
  assert(orders.size > 20, `${orders.size} orders`);
});

Deno.test("a recorded program with packets replays without divergence, from keyframes too", async () => {
  for (const seed of [1, 7]) {
    const { bytes } = await recordInMemory(defineProgram(talk), { seed });
    const trace = openTrace(bytesSource(bytes));
    assertEquals([...validate(trace)], []);
    assertEquals(replay(trace).divergence, null);
  }
});
