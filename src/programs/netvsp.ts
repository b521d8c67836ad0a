// `netvsp`: a network driver pair. The guest agrees with the host on a version, shows it a receive buffer of 31 MB and a send buffer
// of 15 MB by GPADL, and frames go through both; then it revokes the buffers, closes the channel, opens it again and shows them anew;
// at last the host takes the network away. Messages are those of the public network protocol, cut down to what this needs.

import { ntSuccess } from "../api/mod.ts";
import { defineProgram, type Mailbox, on, type ProgramContext, type Thread } from "../driver/mod.ts";

const InterfaceType = "{f8615163-df3e-46c5-913f-f2d2f965ed0e}";
const InterfaceInstance = "{22222222-0000-0000-0000-00000000e700}";
const MEGABYTE = 2 ** 20;
const SECTION_BYTES = 1728;
/** Sections of each buffer that are used, a frame in each; and frames that are sent each time that the network runs. */
const SECTIONS = { send: 4, receive: 64 } as const;
const FRAMES = 16;
const WAIT_FOR_COMPLETION = 1;

/** Newest first; the host knows them from the second on. */
const VERSIONS = [0x60001, 0x60000, 0x50000] as const;
const NEWEST_OF_HOST = 0x60000;

const MESSAGE = {
  init: 1,
  initComplete: 2,
  sendReceiveBuffer: 101,
  receiveBufferComplete: 102,
  revokeReceiveBuffer: 103,
  sendSendBuffer: 104,
  sendBufferComplete: 105,
  revokeSendBuffer: 106,
  frame: 107,
  frameComplete: 108,
} as const;
const DONE = 1;
const FAILED = 2;

type BufferName = "receive" | "send";

/** How the guest tells the host of a buffer, and what it hears. */
const BUFFERS = {
  receive: { byteCount: 31 * MEGABYTE, show: MESSAGE.sendReceiveBuffer, revoke: MESSAGE.revokeReceiveBuffer },
  send: { byteCount: 15 * MEGABYTE, show: MESSAGE.sendSendBuffer, revoke: MESSAGE.revokeSendBuffer },
} as const;

/** Messages are 32-bit numbers, the first is what they are. */
function encode(...words: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  return new Uint8Array(view.buffer);
}

function decode({ buffer, byteOffset, byteLength }: Uint8Array): (at: number) => number {
  const view = new DataView(buffer, byteOffset, byteLength);
  return (at) => view.getUint32(4 * at, true);
}

/** What the two drivers' threads tell each other besides packets: nothing but that it is over. */
interface Story {
  readonly goodbye: Mailbox<true>;
  readonly gone: Mailbox<true>;
}

export default defineProgram(async (context) => {
  const story: Story = { goodbye: context.mailbox(), gone: context.mailbox() };
  const host = context.spawn("netvsp", (thread) => serve(thread, story));
  const guest = context.spawn("netvsc", (thread) => useNetwork(context, { thread, story }));
  await host;
  await guest;
}, {
  summary: "a network driver pair: version, 31 MB and 15 MB by GPADL, frames, a reopen that shows the buffers anew",
});

// The host.

/** A buffer of the guest that the host has mapped. */
interface Mapped {
  readonly GpadlHandle: number;
  readonly Mdl: number;
}

interface Host {
  readonly Channel: number;
  readonly mapped: Map<BufferName, Mapped>;
  /** Sections of the receive buffer that no frame is in. */
  readonly sections: number[];
}

/** Offers the network until the guest is through, then rescinds it. */
async function serve(thread: Thread, { goodbye, gone }: Story): Promise<void> {
  const { server } = thread;
  const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
  const host: Host = { Channel, mapped: new Map(), sections: sectionsOf("receive") };
  await server.VmbServerChannelInitSetTargetInterfaceId({ Channel, InterfaceType, InterfaceInstance });
  await server.VmbChannelInitSetFriendlyName({ Channel, Name: "netvsp" });
  await server.VmbChannelInitSetProcessPacketCallbacks({
    Channel,
    ProcessPacketCallback: on<"EvtVmbChannelProcessPacket">(async ({ Packet, Buffer }, inside) => {
      const answer = await serveMessage(inside, { host, bytes: Buffer });
      await complete(inside, "server", { packet: Packet, answer });
    }),
  });
  await server.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      // A guest that closes, or is closed, without revoking its buffers must not find them mapped when it deletes their GPADLs.
      EvtChannelSuspend: on(async (_, inside) => {
        for (const name of ["receive", "send"] as const) await unmap(inside, { host, name });
      }),
    },
  });
  // Mapping is for PASSIVE_LEVEL, so messages have to come there too.
  await server.VmbChannelSetIncomingProcessingAtPassive({ Channel, RequirePassive: true });
  await server.VmbChannelEnable({ Channel });
  await server.VmbChannelStart({ Channel });
  await thread.receive(goodbye);
  await server.VmbChannelDisable({ Channel });
  await server.VmbChannelCleanup({ Channel });
  gone.send(true);
}

/** Does what a message asks for; what the guest is answered. */
async function serveMessage(
  inside: Thread,
  { host, bytes }: { readonly host: Host; readonly bytes: Uint8Array },
): Promise<Uint8Array> {
  const word = decode(bytes);
  switch (word(0)) {
    case MESSAGE.init:
      return encode(MESSAGE.initComplete, word(1) <= NEWEST_OF_HOST ? DONE : FAILED);
    case MESSAGE.sendReceiveBuffer:
      return encode(MESSAGE.receiveBufferComplete, await map(inside, { host, name: "receive", gpadl: word(1) }));
    case MESSAGE.sendSendBuffer:
      return encode(MESSAGE.sendBufferComplete, await map(inside, { host, name: "send", gpadl: word(1) }));
    case MESSAGE.revokeReceiveBuffer:
      await unmap(inside, { host, name: "receive" });
      return encode();
    case MESSAGE.revokeSendBuffer:
      await unmap(inside, { host, name: "send" });
      return encode();
    default:
      return encode(MESSAGE.frameComplete, await echo(inside, { host, section: word(1), byteCount: word(2) }));
  }
}

/** The only way to know a GPADL is its handle in a message. */
async function map(
  { server }: Thread,
  { host, name, gpadl }: { readonly host: Host; readonly name: BufferName; readonly gpadl: number },
): Promise<number> {
  const { status, Mdl } = await server.VmbChannelMapGpadl({ Channel: host.Channel, GpadlHandle: gpadl });
  if (!ntSuccess(status)) return FAILED;
  host.mapped.set(name, { GpadlHandle: gpadl, Mdl });
  return DONE;
}

async function unmap(
  { server }: Thread,
  { host: { Channel, mapped }, name }: { readonly host: Host; readonly name: BufferName },
): Promise<void> {
  const buffer = mapped.get(name);
  if (buffer === undefined) return;
  mapped.delete(name);
  await server.VmbChannelUnmapGpadl({ Channel, GpadlHandle: buffer.GpadlHandle });
}

/** Takes a frame out of the send buffer and puts it into the receive buffer, where the guest finds it when it is told. */
async function echo(
  inside: Thread,
  { host, section, byteCount }: { readonly host: Host; readonly section: number; readonly byteCount: number },
): Promise<number> {
  const [send, receive] = [host.mapped.get("send"), host.mapped.get("receive")];
  const free = send === undefined || receive === undefined ? undefined : host.sections.shift();
  if (send === undefined || receive === undefined || free === undefined) return FAILED;
  const from = { Mdl: send.Mdl, Offset: section * SECTION_BYTES, ByteCount: byteCount };
  const { value: Data } = await inside.host.ReadMdl(from);
  await inside.host.WriteMdl({ Mdl: receive.Mdl, Offset: free * SECTION_BYTES, Data });
  await sendFrame(inside, "server", {
    Channel: host.Channel,
    section: free,
    byteCount,
    whenFree: (section) => host.sections.push(section),
  });
  return DONE;
}

// The guest.

/** A buffer of the guest, and the handle of its GPADL while there is one. */
interface Shared {
  readonly Buffer: number;
  gpadl: number;
}

interface Guest {
  readonly Channel: number;
  readonly buffers: Readonly<Record<BufferName, Shared>>;
  readonly opened: Mailbox<true>;
  /** Sections of the send buffer that no frame is in. */
  readonly sections: Mailbox<number>;
  /** Frames that came back. */
  readonly received: Mailbox<Uint8Array>;
}

/** Runs the network twice: the first time it closes the channel itself, the second time the host does. */
async function useNetwork(
  context: ProgramContext,
  { thread, story }: { readonly thread: Thread; readonly story: Story },
): Promise<void> {
  const guest = await makeGuest(context, thread);
  const { client } = thread;
  const { Channel, buffers } = guest;
  for (const section of sectionsOf("send")) guest.sections.send(section);
  await startNetwork(thread, guest);
  await exchangeFrames(context, { thread, guest });
  for (const name of ["receive", "send"] as const) await request(thread, { Channel, words: [BUFFERS[name].revoke] });
  await client.VmbChannelDisable({ Channel });
  await startNetwork(thread, guest);
  await exchangeFrames(context, { thread, guest });
  story.goodbye.send(true);
  await thread.receive(story.gone);
  for (const { Buffer } of [buffers.receive, buffers.send]) await thread.guest.FreeBuffer({ Buffer });
  await client.VmbChannelCleanup({ Channel });
}

async function makeGuest(context: ProgramContext, thread: Thread): Promise<Guest> {
  const { client } = thread;
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  const receive = await thread.guest.AllocateBuffer({ ByteCount: BUFFERS.receive.byteCount });
  const send = await thread.guest.AllocateBuffer({ ByteCount: BUFFERS.send.byteCount });
  const guest: Guest = {
    Channel,
    buffers: { receive: { Buffer: receive.value, gpadl: 0 }, send: { Buffer: send.value, gpadl: 0 } },
    opened: context.mailbox(),
    sections: context.mailbox(),
    received: context.mailbox(),
  };
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType, InterfaceInstance });
  await client.VmbClientChannelInitSetRingBufferPageCount({ Channel, IncomingPageCount: 32, OutgoingPageCount: 32 });
  await client.VmbChannelInitSetProcessPacketCallbacks({
    Channel,
    ProcessPacketCallback: on<"EvtVmbChannelProcessPacket">(async ({ Packet, Buffer }, inside) => {
      const word = decode(Buffer);
      const place = { Buffer: guest.buffers.receive.Buffer, Offset: word(1) * SECTION_BYTES, ByteCount: word(2) };
      guest.received.send((await inside.guest.ReadBuffer(place)).value);
      await complete(inside, "client", { packet: Packet, answer: encode(MESSAGE.frameComplete, DONE) });
    }),
  });
  await client.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelPostStarted: on(() => guest.opened.send(true)),
      EvtChannelClosed: on((_, inside) => deleteGpadls(inside, guest)),
    },
  });
  return guest;
}

/** Opens the channel, agrees on a version, shows both buffers. */
async function startNetwork(thread: Thread, guest: Guest): Promise<void> {
  const { Channel } = guest;
  await thread.client.VmbChannelEnable({ Channel });
  await thread.receive(guest.opened);
  await agreeOnVersion(thread, Channel);
  for (const name of ["receive", "send"] as const) await show(thread, { guest, name });
}

async function agreeOnVersion(thread: Thread, Channel: number): Promise<number> {
  for (const version of VERSIONS) {
    const answer = await request(thread, { Channel, words: [MESSAGE.init, version, version] });
    if (answer(1) === DONE) return version;
  }
  throw new Error(`Cannot use the network: the host knows none of versions ${VERSIONS.join(", ")}`);
}

/** Shows the host a buffer; it has it mapped when it has answered. */
async function show(
  thread: Thread,
  { guest: { Channel, buffers }, name }: { readonly guest: Guest; readonly name: BufferName },
): Promise<void> {
  const { byteCount, show } = BUFFERS[name];
  const { Buffer } = buffers[name];
  const created = await thread.client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: byteCount });
  if (!ntSuccess(created.status)) throw new Error(`Cannot show the ${name} buffer: the host grants no GPADL`);
  buffers[name].gpadl = created.GpadlHandle;
  const answer = await request(thread, { Channel, words: [show, created.GpadlHandle] });
  if (answer(1) !== DONE) throw new Error(`Cannot show the ${name} buffer: the host does not map it`);
}

/** Sends a message and waits for what the host answers. */
async function request(
  { client }: Thread,
  { Channel, words }: { readonly Channel: number; readonly words: readonly number[] },
): Promise<(at: number) => number> {
  const Buffer = encode(...words);
  const { status, CompletionBuffer } = await client.VmbChannelSendSynchronousRequest({
    Channel,
    Buffer,
    BufferSize: Buffer.length,
    Flags: WAIT_FOR_COMPLETION,
    CompletionBufferSize: 64,
  });
  if (!ntSuccess(status)) throw new Error(`Cannot ask the host: the status is 0x${status.toString(16)}`);
  return decode(CompletionBuffer);
}

/** Sends frames, as many at a time as there are sections, and waits until each has come back as it was. */
async function exchangeFrames(
  { random }: ProgramContext,
  { thread, guest }: { readonly thread: Thread; readonly guest: Guest },
): Promise<void> {
  const { Channel, buffers, sections, received } = guest;
  const lengths: number[] = [];
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const section = await thread.receive(sections);
    await thread.machine.AdvanceTime({ Nanoseconds: 1 + random.below(1000) });
    const Data = new Uint8Array(60 + random.below(1440)).fill(frame);
    lengths.push(Data.length);
    await thread.guest.WriteBuffer({ Buffer: buffers.send.Buffer, Offset: section * SECTION_BYTES, Data });
    const whenFree = (section: number) => sections.send(section);
    await sendFrame(thread, "client", { Channel, section, byteCount: Data.length, whenFree });
  }
  for (const [frame, length] of lengths.entries()) {
    const bytes = await thread.receive(received);
    const isSame = bytes.length === length && bytes.every((byte) => byte === frame);
    if (!isSame) throw new Error(`Cannot use the network: frame ${frame} did not come back as it was sent`);
  }
}

/** In Closed at latest: afterwards nothing of the channel is there any more. */
async function deleteGpadls({ client }: Thread, { Channel, buffers }: Guest): Promise<void> {
  for (const shared of [buffers.receive, buffers.send]) {
    if (shared.gpadl === 0) continue;
    await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle: shared.gpadl });
    shared.gpadl = 0;
  }
}

// Both.

async function complete(
  inside: Thread,
  side: "client" | "server",
  { packet, answer }: { readonly packet: number; readonly answer: Uint8Array },
): Promise<void> {
  await inside[side].VmbChannelPacketComplete({
    PacketCompletionContext: packet,
    PacketCompletionBuffer: answer,
    BufSize: answer.length,
  });
}

/** Tells the peer of a frame in a section, which is free again when the packet's transaction is over. */
async function sendFrame(
  thread: Thread,
  side: "client" | "server",
  { Channel, section, byteCount, whenFree }: {
    readonly Channel: number;
    readonly section: number;
    readonly byteCount: number;
    readonly whenFree: (section: number) => void;
  },
): Promise<void> {
  const { value: PacketObject } = await thread[side].VmbPacketAllocate({ Channel });
  await thread[side].VmbPacketSetCompletionRoutine({
    PacketObject,
    CompletionRoutine: on<"EvtVmbPacketCompletionRoutine">(async ({ Packet }, inside) => {
      await inside[side].VmbPacketFree({ VmbPacket: Packet });
      whenFree(section);
    }),
  });
  const Buffer = encode(MESSAGE.frame, section, byteCount);
  await thread[side].VmbPacketSend({ PacketObject, Buffer, BufferLength: Buffer.length, Flags: WAIT_FOR_COMPLETION });
}

function sectionsOf(name: BufferName): number[] {
  return Array.from({ length: SECTIONS[name] }, (_, section) => section);
}
