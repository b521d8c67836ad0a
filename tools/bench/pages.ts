// Workload `pages`: writes of whole pages through a mapping: half random, a quarter repeated, a quarter zero.

import { defineProgram } from "../../mod.ts";
import { openChannel } from "../../src/programs/mod.ts";

const PAGES = 256;
const PAGE = 4096;

export default defineProgram(async (context) => {
  const { client, server, guest, host, random } = context;
  const calls = Number(context.args[0] ?? 20_000);
  const ends = await openChannel(context);
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: PAGES * PAGE });
  const { GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({
    Channel: ends.clientChannel,
    Buffer,
    ByteCount: PAGES * PAGE,
  });
  const { Mdl } = await server.VmbChannelMapGpadl({ Channel: ends.serverChannel, GpadlHandle });
  const zero = new Uint8Array(PAGE);
  const repeated = new Uint8Array(PAGE).fill(0x5a);
  for (let call = 0; call < calls; call += 1) {
    const kind = random.below(4);
    const Data = kind === 0 ? zero : kind === 1 ? repeated : randomPage(() => random.next());
    await host.WriteMdl({ Mdl, Offset: random.below(PAGES) * PAGE, Data });
  }
}, { summary: "whole pages written through a mapping" });

function randomPage(next: () => number): Uint8Array {
  const words = Uint32Array.from({ length: PAGE / 4 }, next);
  return new Uint8Array(words.buffer);
}
