// `storm`: channels one after the other on several threads at once, each opened, paused, perhaps opened again, and closed by its
// guest or rescinded by its host, while both of its ends send packets. How many channels is the argument. Every driver here does
// what one has to: it sends from PostStarted to Suspend, completes what it was given, and frees what it sent.

import { defineProgram, type Mailbox, on, type ProgramContext, type Thread } from "../driver/mod.ts";

type Side = "client" | "server";

/** One endpoint's driver. */
interface End {
  readonly side: Side;
  readonly Channel: number;
  /** Between PostStarted and Suspend: it may send. */
  isRunning: boolean;
  /** Told when the channel runs; another one for each open. */
  running: Mailbox<true>;
  /** Packets that were delivered and are to be completed later. */
  readonly held: number[];
  /** Packets that were sent and are not freed, and where each says that it is. */
  sent: number;
  readonly freed: Mailbox<true>;
}

const InterfaceType = "{11111111-0000-0000-0000-000000000002}";
const CHANNELS = 30;
const THREADS = 8;
/** Each time that an end runs it begins with less than so many packets, each of at most so many bytes. */
const PACKETS = 3;
const PACKET_BYTES = 64;
const WAIT_FOR_COMPLETION = 1;

export default defineProgram(async (context) => {
  let left = channelCount(context.args);
  const threads = Array.from({ length: THREADS }, (_, number) =>
    context.spawn(`storm ${number}`, async (thread) => {
      for (; left > 0;) {
        left -= 1;
        await liveOnce(context, { thread, number });
      }
    }));
  for (const thread of threads) await thread;
}, {
  summary: "channels by the hundred (or as many as `-- N` says), opened, paused, rescinded and closed under load",
  // A packet that is still queued when its channel closes ends then: its channel may never open again.
  options: { "queued-on-close": "cancel" },
});

function channelCount([count]: readonly string[]): number {
  const channels = Number(count ?? CHANNELS);
  if (!Number.isSafeInteger(channels) || channels < 0) {
    throw new RangeError(`Cannot open ${count} channels: wanted a whole number from 0 on`);
  }
  return channels;
}

interface Lane {
  readonly thread: Thread;
  /** The lane's own interface instance: its two ends find each other by it. */
  readonly number: number;
}

/** A channel's whole life. */
async function liveOnce(context: ProgramContext, lane: Lane): Promise<void> {
  const { thread } = lane;
  const { random } = context;
  const host = await offer(context, lane);
  const guest = await want(context, lane);
  const both = [host, guest];
  for (let opens = random.below(2); opens >= 0; opens -= 1) {
    await thread.server.VmbChannelStart({ Channel: host.Channel });
    await open(context, { thread, guest });
    for (let pauses = random.below(3); pauses > 0; pauses -= 1) {
      await pause(context, { thread, end: random.pick(both), isLast: pauses === 1 });
    }
    if (opens > 0) await thread.client.VmbChannelDisable({ Channel: guest.Channel });
  }
  // The guest closes the channel, or the host rescinds it; then the other end has no more to do than to go.
  const inOrder = random.below(2) === 0 ? [guest, host] : [host, guest];
  for (const { side, Channel } of inOrder) await thread[side].VmbChannelDisable({ Channel });
  for (const end of inOrder) await dispose(thread, end);
}

/** The host's end, offered. */
async function offer(context: ProgramContext, { thread, number }: Lane): Promise<End> {
  const { Channel } = await thread.server.VmbChannelAllocate({ IsServer: true });
  await thread.server.VmbServerChannelInitSetTargetInterfaceId({
    Channel,
    InterfaceType,
    InterfaceInstance: instanceOf(number),
  });
  const end = await driverOf(context, { thread, side: "server", Channel });
  await thread.server.VmbChannelEnable({ Channel });
  return end;
}

/** The guest's end, which wants that offer when it is enabled. */
async function want(context: ProgramContext, { thread, number }: Lane): Promise<End> {
  const { Channel } = await thread.client.VmbChannelAllocate({ IsServer: false });
  await thread.client.VmbClientChannelInitSetTargetPnp({
    Channel,
    InterfaceType,
    InterfaceInstance: instanceOf(number),
  });
  return await driverOf(context, { thread, side: "client", Channel });
}

function instanceOf(number: number): string {
  return `{22222222-0000-0000-0000-${number.toString(16).padStart(12, "0")}}`;
}

/** Registers what both ends do alike. */
async function driverOf(
  context: ProgramContext,
  { thread, side, Channel }: { readonly thread: Thread; readonly side: Side; readonly Channel: number },
): Promise<End> {
  const end: End = {
    side,
    Channel,
    isRunning: false,
    running: context.mailbox(),
    held: [],
    sent: 0,
    freed: context.mailbox(),
  };
  await thread[side].VmbChannelInitSetProcessPacketCallbacks({
    Channel,
    ProcessPacketCallback: on<"EvtVmbChannelProcessPacket">(async ({ Packet, Buffer }, inside) => {
      if (context.random.below(4) === 0) end.held.push(Packet);
      else await answer(inside, { end, packet: Packet, bytes: Buffer });
    }),
    ProcessingCompleteCallback: on<"EvtVmbChannelProcessingComplete">(() => {}),
  });
  await thread[side].VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelOpened: on(() => {}),
      EvtChannelStarted: on(() => {}),
      EvtChannelPostStarted: on(async (_, inside) => {
        end.isRunning = true;
        end.running.send(true);
        for (let left = context.random.below(PACKETS); left > 0; left -= 1) await sendNew(context, { inside, end });
      }),
      EvtChannelSuspend: on((_, inside) => stop(inside, end)),
      EvtChannelClosed: on(() => {}),
    },
  });
  return end;
}

/** Sends a packet that is freed when the peer has completed it, or the ring took it, or the channel closed: or is sent again. */
async function sendNew(
  context: ProgramContext,
  { inside, end }: { readonly inside: Thread; readonly end: End },
): Promise<void> {
  const { side, Channel } = end;
  end.sent += 1;
  const { value: PacketObject } = await inside[side].VmbPacketAllocate({ Channel });
  await inside[side].VmbPacketSetCompletionRoutine({
    PacketObject,
    CompletionRoutine: on<"EvtVmbPacketCompletionRoutine">(async ({ Packet }, later) => {
      if (end.isRunning && context.random.below(4) === 0) return await send(context, { inside: later, end, Packet });
      await later[side].VmbPacketFree({ VmbPacket: Packet });
      end.freed.send(true);
    }),
  });
  await send(context, { inside, end, Packet: PacketObject });
}

async function send(
  { random }: ProgramContext,
  { inside, end, Packet }: { readonly inside: Thread; readonly end: End; readonly Packet: number },
): Promise<void> {
  const Buffer = new Uint8Array(1 + random.below(PACKET_BYTES)).fill(random.below(256));
  await inside[end.side].VmbPacketSend({
    PacketObject: Packet,
    Buffer,
    BufferLength: Buffer.length,
    Flags: random.below(2) * WAIT_FOR_COMPLETION,
  });
}

async function answer(
  thread: Thread,
  { end, packet, bytes }: { readonly end: End; readonly packet: number; readonly bytes: Uint8Array },
): Promise<void> {
  await thread[end.side].VmbChannelPacketComplete({
    PacketCompletionContext: packet,
    PacketCompletionBuffer: bytes,
    BufSize: bytes.length,
  });
}

/** Suspend: nothing is sent any more, and what is outstanding is completed, as a pause or a close waits for it. */
async function stop(inside: Thread, end: End): Promise<void> {
  end.isRunning = false;
  for (const packet of end.held.splice(0)) await answer(inside, { end, packet, bytes: new Uint8Array(0) });
}

/** Opens the channel; now and then what comes next happens while it opens. */
async function open(
  context: ProgramContext,
  { thread, guest }: { readonly thread: Thread; readonly guest: End },
): Promise<void> {
  guest.running = context.mailbox();
  await thread.client.VmbChannelEnable({ Channel: guest.Channel });
  if (context.random.below(4) > 0) await thread.receive(guest.running);
}

/** Pauses an end and starts it again; the last time it may stay paused and be closed like that. */
async function pause(
  { random }: ProgramContext,
  { thread, end: { side, Channel }, isLast }: { readonly thread: Thread; readonly end: End; readonly isLast: boolean },
): Promise<void> {
  await thread[side].VmbChannelPause({ Channel });
  if (!isLast || random.below(3) > 0) await thread[side].VmbChannelStart({ Channel });
}

/** Cleans an end up when all that it sent was freed. */
async function dispose(thread: Thread, end: End): Promise<void> {
  for (; end.sent > 0; end.sent -= 1) await thread.receive(end.freed);
  await thread[end.side].VmbChannelCleanup({ Channel: end.Channel });
}
