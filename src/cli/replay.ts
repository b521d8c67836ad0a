// The verb `replay`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { ReplayArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Replays: runs a trace again and reports the first divergence. Resolves to the exit code. */
export function runReplay(args: ReplayArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
