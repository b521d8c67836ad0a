// The verb `dump`. Must not parse words and must not end the process.
import { jsonLines } from "../trace/mod.ts";
import { dumpLines } from "../view/mod.ts";
import type { DumpArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { narrowed, open, tellLosses } from "./open.ts";

/** Prints a trace in call notation, or as JSON lines. Resolves to the exit code. */
export async function runDump(args: DumpArgs, io: Io): Promise<number> {
  const opened = await open(io, args.trace);
  try {
    const trace = narrowed(opened.trace, args.filters);
    const lines = args.show.json ? jsonLines(trace) : dumpLines(trace, { positions: true });
    let shown = 0;
    let cut = 0;
    for (const line of lines) {
      if (shown < args.show.limit) io.out.line(line);
      else cut += 1;
      shown += 1;
    }
    if (cut > 0) io.talk(`… ${cut} more lines (--limit 0 shows all)`);
    return tellLosses(io, opened);
  } finally {
    opened.close();
  }
}
