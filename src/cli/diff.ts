// The verb `diff`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { DiffArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Compares two traces. Resolves to the exit code. */
export function runDiff(args: DiffArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
