// The verb `info`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { InfoArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Prints what a trace is: header, counts, sizes, completeness. Resolves to the exit code. */
export function runInfo(args: InfoArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
