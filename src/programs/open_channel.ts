// Opens and closes a channel at both ends, for the programs that are about what happens in between.

import type { ProgramContext } from "../driver/mod.ts";
import { on } from "../driver/mod.ts";

/** The two endpoints of one channel. */
export interface Endpoints {
  readonly serverChannel: number;
  readonly clientChannel: number;
}

const INTERFACE_TYPE = "{11111111-0000-0000-0000-000000000001}";
const INTERFACE_INSTANCE = "{22222222-0000-0000-0000-000000000001}";

/** Offers a channel at the host and opens it from the guest; returns when the guest can use it. */
export async function openChannel(context: ProgramContext): Promise<Endpoints> {
  const { server, client } = context;
  const { Channel: serverChannel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({
    Channel: serverChannel,
    InterfaceType: INTERFACE_TYPE,
    InterfaceInstance: INTERFACE_INSTANCE,
  });
  await server.VmbChannelEnable({ Channel: serverChannel });
  await server.VmbChannelStart({ Channel: serverChannel });
  const opened = context.mailbox<number>();
  const { Channel: clientChannel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel: clientChannel, InterfaceType: INTERFACE_TYPE });
  await client.VmbChannelInitSetStateChangeCallbacks({
    Channel: clientChannel,
    StateChangeCallbacks: { Version: 1, Size: 48, EvtChannelPostStarted: on(({ Channel }) => opened.send(Channel)) },
  });
  await client.VmbChannelEnable({ Channel: clientChannel });
  await context.receive(opened);
  return { serverChannel, clientChannel };
}

/** Closes and disposes of both ends, the guest's first. */
export async function closeChannel(
  { server, client }: ProgramContext,
  { serverChannel, clientChannel }: Endpoints,
): Promise<void> {
  await client.VmbChannelDisable({ Channel: clientChannel });
  await client.VmbChannelCleanup({ Channel: clientChannel });
  await server.VmbChannelDisable({ Channel: serverChannel });
  await server.VmbChannelCleanup({ Channel: serverChannel });
}
