// The verb `dump`. Must not parse words and must not end the process.
import { jsonLines } from "../trace/mod.ts";
import { dumpLines, PART_COMMENT } from "../view/dump.ts";
import type { DumpArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { narrowing, open, partOf } from "./open.ts";
import { hasEventFilters, tellLosses } from "./outline.ts";
import { cutNote } from "./terminal.ts";

const HEADER = '{"schema":';

/** Prints a trace in call notation, or as JSON lines. Resolves to the exit code. */
export async function runDump({ trace: path, filters, show }: DumpArgs, io: Io): Promise<number> {
  const narrow = await narrowing(io, filters);
  const opened = await open(io, path);
  try {
    const trace = partOf(narrow(opened.trace), filters);
    const lines = show.json ? jsonLines(trace) : dumpLines(trace, { positions: true });
    let total = 0;
    for (const line of lines) {
      // What stands ahead of the events is no item of the list: the header, or that it is a part, and the options.
      if (!line.startsWith("!") && !line.startsWith(HEADER) && line !== PART_COMMENT) total += 1;
      if (total > show.limit) continue;
      if (show.json) io.out.jsonText(line);
      else io.out.line(line);
    }
    const note = cutNote(total, show.limit);
    if (note !== undefined) io.talk(note);
    if (total === 0 && hasEventFilters(filters)) io.talk(`No event of ${opened.name} is what the filters ask for.`);
    return tellLosses(io, opened);
  } finally {
    opened.close();
  }
}
