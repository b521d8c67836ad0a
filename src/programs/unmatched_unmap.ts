// `unmatched-unmap`: a server unmaps a GPADL that it never mapped, and another one twice (kmcl.md 5.5).

import { defineProgram } from "../driver/mod.ts";
import { closeChannel, openChannel } from "./open_channel.ts";

export default defineProgram(async (context) => {
  const { client, server, guest } = context;
  const ends = await openChannel(context);
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 8192 });
  const Channel = ends.clientChannel;
  const first = await client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: 4096, Flags: 1 });
  // The defect: an error path that unmaps what the map before it never got to.
  await server.VmbChannelUnmapGpadl({ Channel: ends.serverChannel, GpadlHandle: first.GpadlHandle });
  await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle: first.GpadlHandle });
  const second = await client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: 8192 });
  await server.VmbChannelMapGpadl({ Channel: ends.serverChannel, GpadlHandle: second.GpadlHandle });
  await server.VmbChannelUnmapGpadl({ Channel: ends.serverChannel, GpadlHandle: second.GpadlHandle });
  // The defect: two teardown paths that both unmap.
  await server.VmbChannelUnmapGpadl({ Channel: ends.serverChannel, GpadlHandle: second.GpadlHandle });
  await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle: second.GpadlHandle });
  await guest.FreeBuffer({ Buffer });
  await closeChannel(context, ends);
}, { summary: "a server unmaps what it never mapped, and unmaps twice" });
