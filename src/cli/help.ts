// Help pages, the version, shell completions, and what to say where no verb was named: all that Optique's runner does.
// Loaded only when one of them is wanted, since a verb that runs needs none of it. Must not run a verb.
import { runParser } from "@optique/core/facade";
import { message } from "@optique/core/message";
import { exampleLines, EXAMPLES } from "./examples.ts";
import type { Vocabulary } from "./flags.ts";
import { grammar } from "./grammar.ts";
import { usageError, wrongUsage } from "./parse.ts";
import { didYouMean, nearest } from "./suggest.ts";
import { VERSION } from "./version.ts";
import { VERBS } from "./words.ts";

/** How a page is to look. */
export interface PageStyle {
  readonly color: boolean;
  /** Columns; Infinity for no terminal, which gets pages of 100 columns. */
  readonly width: number;
  readonly vocabulary: Vocabulary;
}

/** The text that the words ask for; throws a CliError with exit code 2 where they ask for nothing we know. */
export function helpText(args: readonly string[], style: PageStyle): string {
  const [word] = args;
  if (word === undefined) throw wrongUsage(`Name what to do: ${VERBS.join(", ")}.`);
  const lines: string[] = [];
  runParser(grammar(style.vocabulary), "maptrail", args, {
    brief: message`Records, replays, compares and audits what drivers do with GPADLs and GPU virtual addresses.`,
    footer: exampleLines(EXAMPLES.top),
    usageLine: [{ type: "literal", value: "VERB [FLAGS]" }],
    commandList: "top-level",
    termWidth: "auto",
    aboveError: "none",
    colors: style.color,
    maxWidth: Math.max(40, Math.min(100, style.width)),
    help: { option: { names: ["-h", "--help"] }, command: { names: ["help"], hidden: true } },
    version: { value: `maptrail ${VERSION}`, option: true },
    completion: { command: { names: ["completions"] } },
    stdout: (text) => lines.push(text),
    stderr: () => {},
    onError(_code, error) {
      if (word.startsWith("-") || word === "help" || word === "completions") throw usageError(error);
      throw wrongUsage(`Unknown verb "${word}".${didYouMean(nearest(word, [...VERBS, "completions", "help"]))}`);
    },
  });
  return lines.join("\n");
}
