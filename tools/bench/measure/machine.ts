// The machine, measured before anything else, so that a slow one is seen as one: zstd and the start of an empty program.
// It must not know our traces.

import { constants, zstdCompressSync } from "node:zlib";
import { type Figure, figureOf } from "./figure.ts";
import { runDeno, type Workspace } from "./process.ts";

/** What the machine does. The targets assume 650 MB/s and 15 ms. */
export interface Machine {
  readonly cpus: number;
  readonly deno: string;
  /** Megabytes of a chunk's kind that zstd level 1 takes in a second, in 200 KB pieces. */
  readonly zstdMegabytesPerSecond: Figure;
  /** Milliseconds that an empty program takes, whole process. */
  readonly emptyProgramMs: Figure;
}

const PIECE_BYTES = 200_000;
const PIECES = 40;

/** Measures the machine. */
export async function measureMachine(workspace: Workspace, { runs }: { readonly runs: number }): Promise<Machine> {
  const empty = workspace.put("empty.ts", "");
  const starts: number[] = [];
  for (let run = 0; run <= runs; run += 1) {
    const { ms } = await runDeno(workspace, [empty]);
    if (run > 0) starts.push(ms);
  }
  return {
    cpus: navigator.hardwareConcurrency,
    deno: Deno.version.deno,
    zstdMegabytesPerSecond: figureOf(compressions(runs)),
    emptyProgramMs: figureOf(starts),
  };
}

function compressions(runs: number): number[] {
  const piece = columnsLike(PIECE_BYTES);
  const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
  const speeds: number[] = [];
  for (let run = 0; run <= runs; run += 1) {
    const began = performance.now();
    for (let count = 0; count < PIECES; count += 1) zstdCompressSync(piece, level);
    if (run > 0) speeds.push(PIECES * PIECE_BYTES / 1e6 / ((performance.now() - began) / 1000));
  }
  return speeds;
}

/** Bytes as a chunk has them: runs of codes with two bits each, small numbers, and low bytes of times. */
function columnsLike(length: number): Uint8Array {
  let state = 1;
  const draw = (bits: number): number => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    return state >>> (32 - bits);
  };
  return Uint8Array.from({ length }, (_, at) => {
    const part = Math.floor(at * 4 / length);
    return part === 0 ? draw(2) : part === 1 ? draw(12) >> 8 : part === 2 ? draw(8) : draw(10) >> 8;
  });
}
