// From the words typed to a verb's arguments, or to a CliError that says what was wrong with them. Must not run a verb
// and must not print. Help, versions and completions are in help.ts, which loads only when they are wanted.
import { formatMessage, type Message } from "@optique/core/message";
import { parseSync } from "@optique/core/parser";
import { CliError, EXIT } from "./exit.ts";
import { NO_VOCABULARY } from "./flags.ts";
import { PARSERS, type VerbArgs } from "./grammar.ts";
import { beforeDashes, type Verb } from "./words.ts";

/** Reads the words of a verb, the verb itself first; throws a CliError with exit code 2 for wrong usage. */
export function parseVerb(verb: Verb, args: readonly string[]): VerbArgs {
  const parsed = parseAs(verb, verb === "record" ? beforeDashes(args) : args);
  if (!parsed.success) throw usageError(parsed.error, verb);
  const value = parsed.value;
  if (value.verb === "record") return { ...value, args: args.slice(beforeDashes(args).length + 1) };
  if (value.verb === "explain") checkExplain(value);
  return value;
}

function parseAs(verb: Verb, args: readonly string[]) {
  switch (verb) {
    case "record":
      return parseSync(PARSERS.record(NO_VOCABULARY), args);
    case "replay":
      return parseSync(PARSERS.replay(NO_VOCABULARY), args);
    case "audit":
      return parseSync(PARSERS.audit(NO_VOCABULARY), args);
    case "diff":
      return parseSync(PARSERS.diff(NO_VOCABULARY), args);
    case "dump":
      return parseSync(PARSERS.dump(NO_VOCABULARY), args);
    case "info":
      return parseSync(PARSERS.info(NO_VOCABULARY), args);
    case "import":
      return parseSync(PARSERS.import(NO_VOCABULARY), args);
    case "explain":
      return parseSync(PARSERS.explain(NO_VOCABULARY), args);
  }
}

function checkExplain(args: Extract<VerbArgs, { verb: "explain" }>): void {
  const [, second] = args.names;
  if (second !== undefined) {
    throw wrongUsage(`Name one rule or call: "${args.names[0]}" and "${second}" are two.`, "explain");
  }
  const [trace] = args.traces;
  if (trace !== undefined && !args.coverage) {
    throw wrongUsage(`Add --coverage, or leave "${trace}" out: only coverage reads traces.`, "explain");
  }
}

/** Optique's message in one line, and where to look. */
export function usageError(error: Message, verb?: Verb): CliError {
  const text = formatMessage(error, { colors: false, quotes: true }).replace(/\s*\n\s*/g, " ").replaceAll("`", "");
  return wrongUsage(text.trim(), verb);
}

/** Wrong usage: what was wrong, and the help that says how it is right. */
export function wrongUsage(message: string, verb?: Verb): CliError {
  const help = verb === undefined ? "maptrail --help" : `maptrail ${verb} --help`;
  return new CliError(EXIT.usage, `${message}\nTry: ${help}`);
}
