// A channel for tests of programs: both ends, the client's with callbacks of the test's own.

import type { CallbackFunction } from "../../src/api/mod.ts";
import type { Thread } from "../../src/driver/mod.ts";

const INTERFACE_TYPE = "{11111111-0000-0000-0000-000000000001}";

/** Opens a channel whose client has these callbacks; the two handles. */
export async function open(
  { client, server }: Thread,
  callbacks: Readonly<Record<string, CallbackFunction>>,
): Promise<{ readonly Channel: number; readonly serverChannel: number }> {
  const { Channel: serverChannel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({ Channel: serverChannel, InterfaceType: INTERFACE_TYPE });
  await server.VmbChannelEnable({ Channel: serverChannel });
  await server.VmbChannelStart({ Channel: serverChannel });
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType: INTERFACE_TYPE });
  const StateChangeCallbacks = { Version: 1, Size: 48, ...callbacks };
  await client.VmbChannelInitSetStateChangeCallbacks({ Channel, StateChangeCallbacks });
  await client.VmbChannelEnable({ Channel });
  return { Channel, serverChannel };
}
