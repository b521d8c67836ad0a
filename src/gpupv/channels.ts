// The two channels between a guest's graphics kernel and its host: one for the whole machine, one for the virtual GPU
// (gpuva.md 5.1). Offered by the host, opened by the guest. It must not know what goes over them.

import { DXG_CHANNELS, EXTENDED_HEADER, MAX_DXG_MESSAGE_BYTES } from "../api/mod.ts";
import { type Mailbox, on, type ProgramContext, type Thread } from "../driver/mod.ts";

/** Each ring has 256 KB (gpuva.md 5.1). */
const RING_PAGES = 64;
const PACKET_BYTES = EXTENDED_HEADER.bytes + MAX_DXG_MESSAGE_BYTES;
const INTERFACE_INSTANCE = "{6c96f725-6e4b-415a-9879-7621e9ec0651}";

/** A channel to offer and to open. */
export interface ChannelPlan {
  readonly name: string;
  readonly interfaceType: string;
  readonly onPacket: ReturnType<typeof on>;
  /** The guest's end goes down: it sends nothing any more, and what it showed has to end while it is not closed. */
  readonly onGuestSuspend: (inside: Thread) => Promise<void>;
  /** The host's end goes down: what was delivered has to be completed first. */
  readonly onHostSuspend: (inside: Thread, channel: number) => Promise<void>;
  readonly onHostClosed: (inside: Thread) => Promise<void>;
}

/** The channel of the whole machine. */
export const GLOBAL_CHANNEL = { name: "dxg-global", interfaceType: DXG_CHANNELS.global } as const;
/** The channel of a virtual GPU. */
export const VGPU_CHANNEL = { name: "dxg-vgpu", interfaceType: DXG_CHANNELS.vgpu } as const;

/** Both ends of a channel. */
export interface ChannelEnds {
  readonly server: number;
  readonly client: number;
  /** The end of the guest's end, when somebody else took the channel down; null: nobody did. */
  removal: Promise<void> | null;
  /** It is closed on purpose. */
  isClosing: boolean;
}

/** Offers a channel and opens it; returns when the guest can send. */
export async function openEnds(context: ProgramContext, plan: ChannelPlan): Promise<ChannelEnds> {
  const server = await offer(context, plan);
  const opened: Mailbox<number> = context.mailbox();
  const { client } = context;
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  const ends: ChannelEnds = { server, client: Channel, removal: null, isClosing: false };
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType: plan.interfaceType });
  await client.VmbChannelInitSetMaximumPacketSize({ Channel, PacketSize: PACKET_BYTES });
  await client.VmbClientChannelInitSetRingBufferPageCount({
    Channel,
    IncomingPageCount: RING_PAGES,
    OutgoingPageCount: RING_PAGES,
  });
  await client.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelPostStarted: on(() => opened.send(Channel)),
      EvtChannelSuspend: on(async (_, inside) => {
        if (!ends.isClosing) ends.removal ??= context.spawn(`${plan.name} removal`, (thread) => remove(thread, ends));
        await plan.onGuestSuspend(inside);
      }),
    },
  });
  await client.VmbChannelEnable({ Channel });
  await context.receive(opened);
  return ends;
}

/** What the guest does with an end that was taken down: what is still queued there has an answer only now. */
async function remove({ client }: Thread, { client: Channel }: ChannelEnds): Promise<void> {
  await client.VmbChannelDisable({ Channel });
  await client.VmbChannelCleanup({ Channel });
}

async function offer({ server }: ProgramContext, plan: ChannelPlan): Promise<number> {
  const { name, interfaceType, onPacket } = plan;
  const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({
    Channel,
    InterfaceType: interfaceType,
    InterfaceInstance: INTERFACE_INSTANCE,
  });
  await server.VmbChannelInitSetFriendlyName({ Channel, Name: name });
  await server.VmbChannelInitSetMaximumPacketSize({ Channel, PacketSize: PACKET_BYTES });
  await server.VmbChannelInitSetProcessPacketCallbacks({ Channel, ProcessPacketCallback: onPacket });
  await server.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelSuspend: on((_, inside) => plan.onHostSuspend(inside, Channel)),
      EvtChannelClosed: on((_, inside) => plan.onHostClosed(inside)),
    },
  });
  await server.VmbChannelEnable({ Channel });
  await server.VmbChannelStart({ Channel });
  return Channel;
}

/** Closes and disposes of both ends, the guest's first; one that was taken down is disposed of already. */
export async function closeEnds(thread: ProgramContext, ends: ChannelEnds): Promise<void> {
  const { server } = thread;
  ends.isClosing = true;
  await (ends.removal ?? remove(thread, ends));
  await server.VmbChannelDisable({ Channel: ends.server });
  await server.VmbChannelCleanup({ Channel: ends.server });
}
