// The short way from the words typed to a verb's arguments, for lines that hold nothing unusual: Optique takes longer to
// load than `info` and `dump` to run. Whatever is not plain here is Optique's, which also has every message; a test
// holds the two together. Must not say that a line is wrong.
import { type EventRange, readEventRange } from "./event_range.ts";
import type { DumpArgs, InfoArgs } from "./grammar.ts";

/** The arguments of a plain `info` or `dump`; undefined: let Optique read the words. */
export function plainArgs([verb, ...words]: readonly string[]): DumpArgs | InfoArgs | undefined {
  if (verb !== "info" && verb !== "dump") return undefined;
  const line = plainLine(words);
  if (line === undefined) return undefined;
  const { trace, range, json = false, quiet = false } = line;
  return {
    verb,
    trace,
    filters: { range, calls: [], levels: [], sides: [], objects: [], rules: [] },
    show: { json, quiet, verbose: false, color: "auto", limit: verb === "info" ? 20 : Infinity },
  };
}

interface Line {
  trace?: string;
  range?: EventRange;
  json?: true;
  quiet?: true;
}

/** One trace at most, and `--range`, `--json` and `--quiet` once each; undefined for any other line. */
function plainLine(words: readonly string[]): Line | undefined {
  const line: Line = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--json" && line.json === undefined) line.json = true;
    else if (word === "--quiet" && line.quiet === undefined) line.quiet = true;
    else if (word === "--range" && line.range === undefined) {
      const range = readEventRange(words[at += 1] ?? "");
      if (range === null || range.last < range.first) return undefined;
      line.range = range;
    } else if (line.trace === undefined && word !== "" && !word.startsWith("-")) line.trace = word;
    else return undefined;
  }
  return line;
}
