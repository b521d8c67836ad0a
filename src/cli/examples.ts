// Commands worth typing, for the end of every help page. Must not know how they are parsed; a test parses each of them.
import { lineBreak, type Message, text } from "@optique/core/message";

/** A command, after `maptrail`, and what it is good for. */
export interface Example {
  readonly command: string;
  readonly use: string;
}

/** Two to six examples for each verb, and for the program as a whole under `top`. */
export const EXAMPLES = {
  top: [
    { command: "record", use: "run the whole story, write gpu-pv.msgpack" },
    { command: "audit", use: "look for leaks and misuse in the newest trace" },
    { command: "replay gpu-pv.msgpack", use: "does it still behave the same?" },
    { command: "explain gpadl-leak", use: "what that finding means" },
  ],
  record: [
    { command: "record --list", use: "the built-in programs" },
    { command: "record gpu-pv --seed 7", use: "another schedule" },
    { command: "record tests/leak.calls --sites all", use: "a scenario, every call's place" },
    { command: "record mine.ts -- --frames 3", use: "your program, with arguments" },
    { command: "record mine.ts --ring 64MB", use: "the last part of a run that never ends" },
    { command: "record mine.ts --call '*Gpadl*' --side server", use: "only such calls; the trace says so" },
  ],
  replay: [
    { command: "replay", use: "the newest trace in this folder" },
    { command: "replay --option paging=immediate", use: "under another policy" },
    { command: "replay gpu-pv.msgpack --json", use: "for a script" },
  ],
  audit: [
    { command: "audit", use: "the newest trace here" },
    { command: "audit --rule 'gpadl-*' --limit 0", use: "all findings about GPADLs" },
    { command: "audit *.msgpack --fail-on error --quiet", use: "a gate for automation" },
    { command: "audit gpu-pv.msgpack --markdown", use: "to paste into a bug report" },
  ],
  diff: [
    { command: "diff old.msgpack new.msgpack", use: "where two runs part" },
    { command: "diff old.msgpack new.msgpack --call 'Vmb*'", use: "only such calls" },
  ],
  dump: [
    { command: "dump gpu-pv.msgpack --range @100-@180", use: "a stretch of the run" },
    { command: "dump --object gpadl#4", use: "the life of one GPADL" },
    { command: "dump gpu-pv.msgpack --side server --json", use: "one object a line" },
  ],
  info: [
    { command: "info", use: "the newest trace in this folder" },
    { command: "info gpu-pv.msgpack --json", use: "for a script" },
  ],
  import: [
    { command: "import gpu.etl", use: "write gpu.msgpack" },
    { command: "import monday.etl tuesday.etl", use: "a trace of each" },
    { command: "import - -o piped.msgpack", use: "what dump --json printed, from a pipe" },
  ],
  explain: [
    { command: "explain gpadl-leak", use: "a rule by its name" },
    { command: "explain V-12", use: "a rule by its code" },
    { command: "explain VmbChannelMapGpadl", use: "a call's declaration" },
    { command: "explain --coverage gpu-pv.msgpack", use: "which clauses a trace exercised" },
  ],
} as const satisfies { readonly [verb: string]: readonly Example[] };

/** The examples as the last part of a help page, one a line with aligned uses. */
export function exampleLines(examples: readonly Example[]): Message {
  const width = Math.max(...examples.map((example) => example.command.length));
  return [
    text("Examples:"),
    ...examples.flatMap(({ command, use }) => [
      lineBreak(),
      text(`  maptrail ${command.padEnd(width)}  ${use}`),
    ]),
  ];
}
