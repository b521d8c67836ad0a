// The entry of the program: reads the words, loads the one verb they name, runs it, and turns what it threw into a
// message and an exit code. The only place that catches. Must not know how a verb does its work.
import { EXIT, exitCodeOf, reportOf } from "./exit.ts";
import { denoSystem, type Io, makeIo, type System } from "./io.ts";
import type { Vocabulary } from "./flags.ts";
import type { VerbArgs } from "./grammar.ts";
import { plainArgs } from "./plain.ts";
import { colorChoiceIn } from "./terminal.ts";
import { beforeDashes, verbOf, wantsHelp } from "./words.ts";

/** Runs the program as the words in `args` say, and returns its exit code; never throws. */
export async function main(args: readonly string[], system: System): Promise<number> {
  const verbose = beforeDashes(args).includes("--verbose");
  const io = makeIo(system, { quiet: false, verbose, color: colorChoiceIn(args) });
  try {
    const parsed = plainArgs(args) ?? await parsedArgs(args);
    if (parsed === undefined) return await showHelp(args, io);
    return await runWith(parsed, makeIo(system, parsed.show));
  } catch (error) {
    const report = reportOf(error, verbose);
    if (report !== undefined) io.complain(`maptrail: ${report}`);
    return exitCodeOf(error);
  }
}

/** What Optique reads in the words; undefined where they ask for help, or name no verb. */
async function parsedArgs(args: readonly string[]): Promise<VerbArgs | undefined> {
  const verb = verbOf(args[0]);
  if (verb === undefined || wantsHelp(args)) return undefined;
  return (await import("./parse.ts")).parseVerb(verb, args);
}

/** What was gathered is printed even where the verb fails: it is the way to see how far it came. */
async function runWith(args: VerbArgs, io: Io): Promise<number> {
  try {
    return await runVerb(args, io);
  } finally {
    io.out.flush();
  }
}

async function runVerb(args: VerbArgs, io: Io): Promise<number> {
  switch (args.verb) {
    case "record":
      return await (await import("./record.ts")).runRecord(args, io);
    case "replay":
      return await (await import("./replay.ts")).runReplay(args, io);
    case "audit":
      return await (await import("./audit.ts")).runAudit(args, io);
    case "diff":
      return await (await import("./diff.ts")).runDiff(args, io);
    case "dump":
      return await (await import("./dump.ts")).runDump(args, io);
    case "info":
      return await (await import("./info.ts")).runInfo(args, io);
    case "import":
      return await (await import("./import.ts")).runImport(args, io);
    case "explain":
      return await (await import("./explain.ts")).runExplain(args, io);
  }
}

async function showHelp(args: readonly string[], io: Io): Promise<number> {
  const { helpText } = await import("./help.ts");
  const text = helpText(args, { color: io.paint.on, width: io.width, vocabulary: await namesFor(args) });
  if (text !== "") io.out.line(text);
  io.out.flush();
  return EXIT.clean;
}

/** The names are loaded only for a shell that completes: `completions SHELL WORD…`. */
async function namesFor(args: readonly string[]): Promise<Vocabulary> {
  const completes = args[0] === "completions" && args.length > 2;
  return completes ? await (await import("./vocabulary.ts")).vocabulary() : (await import("./flags.ts")).NO_VOCABULARY;
}

if (import.meta.main) Deno.exit(await main(Deno.args, denoSystem()));
