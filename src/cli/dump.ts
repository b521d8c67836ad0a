// The verb `dump`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { DumpArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Prints a trace in call notation. Resolves to the exit code. */
export function runDump(args: DumpArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
