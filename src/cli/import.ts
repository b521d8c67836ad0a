// The verb `import`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { ImportArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Turns foreign logs into a trace. Resolves to the exit code. */
export function runImport(args: ImportArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
