// The verb `explain`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { ExplainArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Prints a rule's clause and example, or a call's declaration. Resolves to the exit code. */
export function runExplain(args: ExplainArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
