// Workload `pages`: writes of whole pages through a mapping: half random, a quarter repeated of earlier ones, a quarter zero.
// A step is one call, and the change of memory that it makes.

import { defineProgram } from "../../mod.ts";
import { openChannel } from "../../src/programs/mod.ts";
import type { Information } from "./workload.ts";

const PAGES = 256;
const PAGE = 4096;
/** As many of the newest random pages are repeated. */
const REPEATED = 64;

/** The kind of a page (half, quarter, quarter: 1.5 bits), where it goes, what it holds, and for a repeated one which. */
export const INFORMATION: Information = {
  bitsPerStep: 1.5 + Math.log2(PAGES) + PAGE * 8 / 2 + Math.log2(REPEATED) / 4,
  bitsAhead: 0,
  formula: "contents 32768/2 + kind 1.5 + place log2(256) + which is repeated log2(64)/4",
};

export default defineProgram(async (context) => {
  const { client, server, guest, host, random } = context;
  const steps = Number(context.args[0] ?? 20_000);
  const ends = await openChannel(context);
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: PAGES * PAGE });
  const { GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({
    Channel: ends.clientChannel,
    Buffer,
    ByteCount: PAGES * PAGE,
  });
  const { Mdl } = await server.VmbChannelMapGpadl({ Channel: ends.serverChannel, GpadlHandle });
  const zero = new Uint8Array(PAGE);
  const noise = new Noise(random.next());
  const newest = Array.from({ length: REPEATED }, () => noise.page());
  for (let step = 0; step < steps; step += 1) {
    const kind = random.below(4);
    const Data = kind === 0 ? zero : kind === 1 ? random.pick(newest) : noise.page();
    if (kind > 1) newest[step % REPEATED] = Data;
    await host.WriteMdl({ Mdl, Offset: random.below(PAGES) * PAGE, Data });
  }
}, { summary: "whole pages written through a mapping" });

/** Pages that nothing compresses, made faster than they are written: xorshift, 32 bits a draw. */
class Noise {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  page(): Uint8Array {
    const words = new Int32Array(PAGE / 4);
    let state = this.#state;
    for (let word = 0; word < words.length; word += 1) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[word] = state;
    }
    this.#state = state;
    return new Uint8Array(words.buffer);
  }
}
