// `delete-deadlock`: the guest deletes a GPADL that the host has mapped, and waits; the host waits for the guest's word
// before it unmaps. Neither goes on (kmcl.md 5.4).

import { defineProgram } from "../driver/mod.ts";
import { openChannel } from "./open_channel.ts";

export default defineProgram(async (context) => {
  const ends = await openChannel(context);
  const shared = context.mailbox<number>();
  const mapped = context.mailbox<"mapped">();
  const goodbye = context.mailbox<"goodbye">();

  const host = context.spawn("vsp", async (thread) => {
    const GpadlHandle = await thread.receive(shared);
    await thread.server.VmbChannelMapGpadl({ Channel: ends.serverChannel, GpadlHandle });
    mapped.send("mapped");
    await thread.receive(goodbye);
    await thread.server.VmbChannelUnmapGpadl({ Channel: ends.serverChannel, GpadlHandle });
  });

  const guest = context.spawn("vsc", async (thread) => {
    const { value: Buffer } = await thread.guest.AllocateBuffer({ ByteCount: 16384 });
    const Channel = ends.clientChannel;
    const { GpadlHandle } = await thread.client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: 16384 });
    shared.send(GpadlHandle);
    await thread.receive(mapped);
    // The defect: the delete comes before the goodbye that the host waits for.
    await thread.client.VmbChannelDeleteGpadl({ Channel, GpadlHandle });
    goodbye.send("goodbye");
  });

  await Promise.all([host, guest]);
}, { summary: "a guest deletes a GPADL that the host unmaps only after the guest's goodbye: neither goes on" });
