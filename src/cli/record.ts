// The verb `record`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { RecordArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Records: runs a program on the instrumented engine and writes a trace. Resolves to the exit code. */
export function runRecord(args: RecordArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
