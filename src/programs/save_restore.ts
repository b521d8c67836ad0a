// `save-restore`: a guest is saved, and with it the channel of a server that has packets in use; a new channel is restored from the
// bytes and takes over the connection, and the guest goes on as if nothing had been (kmcl.md 6.2). When it is saved, packets are
// at the guest, in the ring, and queued because the ring is full: each is answered, none arrives twice.

import { STATUS } from "../api/mod.ts";
import { defineProgram, type Mailbox, on, type ProgramContext, type Thread } from "../driver/mod.ts";

const InterfaceType = "{11111111-0000-0000-0000-000000000001}";
const InterfaceInstance = "{22222222-0000-0000-0000-000000000001}";
const WAIT_FOR_COMPLETION = 1;
/** Room for a save's next step; little, so that it takes several. */
const FIRST_ROOM_BYTES = 96;
/** The guest takes so many at a time; of those behind them the ring holds seven. */
const QUOTA = 2;
const REQUESTS = 12;
const REQUEST_BYTES = 1000;

/** What the server's driver knows of its packets, and where it says that one is done with. */
interface ServerState {
  /** The request that a packet object carries. */
  readonly requests: Map<number, number>;
  readonly done: Mailbox<number>;
}

/** The guest's driver: it holds what arrives until it is told to answer, or suspended. */
interface ClientState {
  readonly held: number[];
  readonly arrived: Mailbox<number>;
  readonly opened: Mailbox<number>;
  isAnswering: boolean;
}

export default defineProgram(async (context) => {
  const state: ServerState = { requests: new Map(), done: context.mailbox() };
  const guest: ClientState = {
    held: [],
    arrived: context.mailbox(),
    opened: context.mailbox(),
    isAnswering: false,
  };
  const first = await makeServer(context, state);
  await context.server.VmbServerChannelInitSetTargetInterfaceId({ Channel: first, InterfaceType, InterfaceInstance });
  const peer = await makeClient(context, guest);
  await open(context, { server: first, client: peer, guest });
  await putPacketsInUse(context, { server: first, state, guest });
  await context.machine.SaveVm({});
  const image = await save(context, first);
  await closeServer(context, { server: first, state, packets: REQUESTS });
  const second = await makeServer(context, state);
  await context.server.VmbServerChannelInitSetTargetInterfaceId({ Channel: second, InterfaceType, InterfaceInstance });
  await restore(context, second, image);
  await context.server.VmbChannelEnable({ Channel: second });
  await context.server.VmbChannelStart({ Channel: second });
  await context.machine.RestoreVm({});
  guest.isAnswering = true;
  await answerHeld(context, guest);
  for (let done = 0; done < REQUESTS; done += 1) await context.receive(state.done);
  await closeServer(context, { server: second, state, packets: 0 });
  await context.client.VmbChannelDisable({ Channel: peer });
  await context.client.VmbChannelCleanup({ Channel: peer });
}, {
  summary: "a guest and its channel are saved with packets in use, and go on with one restored from the bytes",
  options: { "queued-on-close": "cancel" },
});

async function makeServer({ server }: ProgramContext, state: ServerState): Promise<number> {
  const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetSaveRestorePacketCallbacks({
    Channel,
    SavePacketCallback: on<"EvtVmbChannelSavePacket">(({ Packet, SaveBufSize }) => {
      const SaveBuf = Uint8Array.of(state.requests.get(Packet) ?? 0);
      const BytesNeeded = SaveBuf.length;
      if (SaveBufSize < BytesNeeded) return { status: STATUS.STATUS_BUFFER_TOO_SMALL, BytesNeeded };
      return { status: STATUS.STATUS_SUCCESS, SaveBuf, BytesNeeded };
    }),
    RestorePacketCallback: on<"EvtVmbChannelRestorePacket">(async ({ LibBuf, SaveBuf }, inside) => {
      const packet = await newPacket(inside, Channel, state);
      state.requests.set(packet, SaveBuf[0] ?? 0);
      const args = { PacketObject: packet, Buffer: LibBuf, BufferSize: LibBuf.length };
      const { status } = await inside.server.VmbPacketRestore(args);
      return status;
    }),
  });
  return Channel;
}

/** A packet object that is freed when its transaction ends. */
async function newPacket({ server }: Thread, Channel: number, { requests, done }: ServerState): Promise<number> {
  const { value: PacketObject } = await server.VmbPacketAllocate({ Channel });
  await server.VmbPacketSetCompletionRoutine({
    PacketObject,
    CompletionRoutine: on<"EvtVmbPacketCompletionRoutine">(async ({ Packet }, inside) => {
      await inside.server.VmbPacketFree({ VmbPacket: Packet });
      requests.delete(Packet);
      done.send(Packet);
    }),
  });
  return PacketObject;
}

async function makeClient({ client }: ProgramContext, guest: ClientState): Promise<number> {
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType });
  await client.VmbChannelInitSetProcessPacketCallbacks({
    Channel,
    ProcessPacketCallback: on<"EvtVmbChannelProcessPacket">(async ({ Packet }, inside) => {
      if (guest.isAnswering) await inside.client.VmbChannelPacketComplete({ PacketCompletionContext: Packet });
      else guest.held.push(Packet);
      guest.arrived.send(Packet);
    }),
  });
  await client.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelSuspend: on((_, inside) => answerHeld(inside, guest)),
      EvtChannelPostStarted: on(() => guest.opened.send(Channel)),
    },
  });
  await client.VmbChannelSetTransactionQuota({ Channel, Quota: QUOTA });
  return Channel;
}

async function answerHeld({ client }: Thread, { held }: ClientState): Promise<void> {
  for (const packet of held.splice(0)) {
    await client.VmbChannelPacketComplete({ PacketCompletionContext: packet });
  }
}

interface Ends {
  readonly server: number;
  readonly client: number;
  readonly guest: ClientState;
}

async function open(context: ProgramContext, { server, client, guest }: Ends): Promise<void> {
  await context.server.VmbChannelEnable({ Channel: server });
  await context.server.VmbChannelStart({ Channel: server });
  await context.client.VmbChannelEnable({ Channel: client });
  await context.receive(guest.opened);
}

/** More than the guest takes and the ring holds; then the channel is paused. */
async function putPacketsInUse(
  context: ProgramContext,
  { server, state, guest }: { readonly server: number; readonly state: ServerState; readonly guest: ClientState },
): Promise<void> {
  for (let request = 1; request <= REQUESTS; request += 1) await send(context, { server, state, request });
  for (let arrived = 0; arrived < QUOTA; arrived += 1) await context.receive(guest.arrived);
  await context.server.VmbChannelPause({ Channel: server });
}

async function send(
  context: ProgramContext,
  { server, state, request }: { readonly server: number; readonly state: ServerState; readonly request: number },
): Promise<void> {
  const PacketObject = await newPacket(context, server, state);
  state.requests.set(PacketObject, request);
  const Buffer = new Uint8Array(REQUEST_BYTES).fill(request);
  await context.server.VmbPacketSend({
    PacketObject,
    Buffer,
    BufferLength: Buffer.length,
    Flags: WAIT_FOR_COMPLETION,
  });
}

/** The saved bytes, in the pieces that they came in. */
async function save({ server }: ProgramContext, Channel: number): Promise<Uint8Array[]> {
  const image: Uint8Array[] = [];
  const { status: begun } = await server.VmbChannelSaveBegin({ Channel });
  expectStatus(begun, STATUS.STATUS_SUCCESS);
  let room = FIRST_ROOM_BYTES;
  for (let isLeft = true; isLeft;) {
    const step = await server.VmbChannelSaveContinue({ Channel, SaveBufferSize: room });
    if (step.status === STATUS.STATUS_BUFFER_TOO_SMALL) room = step.BytesRequired;
    else {
      image.push(step.SaveBuffer.slice(0, step.BytesFilled));
      isLeft = step.status === STATUS.STATUS_BUFFER_OVERFLOW;
      if (!isLeft) expectStatus(step.status, STATUS.STATUS_SUCCESS);
    }
  }
  await server.VmbChannelSaveEnd({ Channel });
  return image;
}

async function restore({ server }: ProgramContext, Channel: number, image: readonly Uint8Array[]): Promise<void> {
  for (const [index, Buffer] of image.entries()) {
    const { status } = await server.VmbChannelRestoreFromBuffer({ Channel, Buffer, BufferSize: Buffer.length });
    const isLast = index === image.length - 1;
    expectStatus(status, isLast ? STATUS.STATUS_SUCCESS : STATUS.STATUS_MORE_PROCESSING_REQUIRED);
  }
}

function expectStatus(status: number, wanted: number): void {
  if (status !== wanted) {
    throw new Error(`Cannot go on: the status is 0x${status.toString(16)}, wanted 0x${wanted.toString(16)}`);
  }
}

/** Takes a server down when the transactions of its packets are over; those of one that is taken down end with it. */
async function closeServer(
  context: ProgramContext,
  { server, state, packets }: { readonly server: number; readonly state: ServerState; readonly packets: number },
): Promise<void> {
  await context.server.VmbChannelDisable({ Channel: server });
  for (let done = 0; done < packets; done += 1) await context.receive(state.done);
  await context.server.VmbChannelCleanup({ Channel: server });
}
