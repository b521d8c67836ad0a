// `double-map`: a server maps a GPADL that it has mapped already. One mapping at a time (kmcl.md 5.3): the second is refused.

import { defineProgram } from "../driver/mod.ts";
import { closeChannel, openChannel } from "./open_channel.ts";

export default defineProgram(async (context) => {
  const { client, server, guest } = context;
  const ends = await openChannel(context);
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 8192 });
  const { GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({
    Channel: ends.clientChannel,
    Buffer,
    ByteCount: 8192,
  });
  await server.VmbChannelMapGpadl({ Channel: ends.serverChannel, GpadlHandle });
  // The defect: a retry path that forgot that the first map had worked.
  await server.VmbChannelMapGpadl({ Channel: ends.serverChannel, GpadlHandle });
  await server.VmbChannelUnmapGpadl({ Channel: ends.serverChannel, GpadlHandle });
  await client.VmbChannelDeleteGpadl({ Channel: ends.clientChannel, GpadlHandle });
  await guest.FreeBuffer({ Buffer });
  await closeChannel(context, ends);
}, { summary: "a server maps a GPADL twice" });
