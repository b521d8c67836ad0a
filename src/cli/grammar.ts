// What may be typed: every verb with its positions and flags, as Optique parsers, and the type of what each gives.
// Must not know what a verb does with them. The flags that verbs share are in flags.ts, the examples in examples.ts.
import { object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, command, constant, option } from "@optique/core/primitives";
import { choice, keyValue } from "@optique/core/valueparser";
import type { InferValue, Parser } from "@optique/core/parser";
import { didYouMean } from "./suggest.ts";
import { exampleLines, EXAMPLES } from "./examples.ts";
import { filters, flushChoice, onOff, optionalTrace, output, path, textOf, toggle, trace } from "./flags.ts";
import { ringSize, seedNumber, type Vocabulary, word } from "./flags.ts";
import type { Verb } from "./words.ts";

const SITES = ["all", "creating", "findings", "off"] as const;
const MEMORY = ["full", "digest", "none"] as const;
const SEVERITIES = ["error", "hang", "warning", "note"] as const;
function outputFile() {
  return optional(option("-o", "--output", path("FILE", [".msgpack"]), {
    description: message`Write here; - for standard output. Left out: NAME.msgpack, NAME-2.msgpack, …`,
  }));
}

function modelOptions(vocabulary: Vocabulary) {
  const hint = vocabulary.options.length === 0 ? "" : ` Known: ${vocabulary.options.join(", ")}.`;
  return multiple(option("--option", keyValue({ metavar: "NAME=VALUE" }), {
    description: message`An option of the model. Repeatable.${textOf(hint)}`,
  }));
}

const ERRORS = { errors: { suggestions: (names: readonly string[]) => message`${textOf(didYouMean(names).trim())}` } };

function recordFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("record"),
    program: optional(argument(word("PROGRAM", vocabulary.programs), {
      description:
        message`A .ts module, a .calls scenario (- for one on standard input) or a built-in program (default gpu-pv).`,
    })),
    output: outputFile(),
    force: toggle("--force", "Overwrite the file that -o names."),
    list: toggle("--list", "Name the built-in programs, and stop."),
    seed: withDefault(
      option("--seed", seedNumber(), { description: message`The schedule, 0 to 4294967295 (default 1).` }),
      1,
    ),
    sites: withDefault(
      option("--sites", choice(SITES, { metavar: "WHICH" }), {
        description: message`Where calls came from: all, creating (default), findings or off.`,
      }),
      "creating",
    ),
    memory: withDefault(
      option("--memory", choice(MEMORY, { metavar: "WHAT" }), {
        description: message`Changes of memory: full (default), digest or none.`,
      }),
      "full",
    ),
    wallClock: withDefault(
      option("--wall-clock", onOff(), { description: message`off: same program and seed, same bytes (default on).` }),
      true,
    ),
    flush: optional(option("--flush", flushChoice(), {
      description:
        message`What a kill may lose: 0.5s, 64KB, or off for a chunk (default 1s; off where the wall clock is).`,
    })),
    ring: optional(option("--ring", ringSize(), {
      description:
        message`Keep the last part of an endless run: about 64MB, 512KB, 1GB … It starts at a keyframe, so it replays.`,
    })),
    options: modelOptions(vocabulary),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS);
}

function replayFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("replay"),
    trace: optionalTrace(),
    options: modelOptions(vocabulary),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS);
}

function auditFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("audit"),
    traces: multiple(argument(trace(), { description: message`Traces; the newest here if none is named.` })),
    failOn: withDefault(
      option("--fail-on", choice(SEVERITIES, { metavar: "SEVERITY" }), {
        description: message`Exit 1 from here on: error > hang > warning > note (default warning).`,
      }),
      "warning",
    ),
    strictRemap: toggle("--strict-remap", "Mapping over a mapping is a warning."),
    markdown: toggle("--markdown", "Ready to paste into a bug report."),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS);
}

const TWO_TRACES = message`Name two traces to compare.`;

function diffFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("diff"),
    left: argument(path("A", [".msgpack"]), {
      description: message`The one trace.`,
      errors: { endOfInput: TWO_TRACES },
    }),
    right: argument(path("B", [".msgpack"]), {
      description: message`The other trace.`,
      errors: { endOfInput: TWO_TRACES },
    }),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS);
}

function dumpFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("dump"),
    trace: optionalTrace(),
    filters: filters(vocabulary),
    show: output(0),
  }, ERRORS);
}

function infoFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("info"),
    trace: optionalTrace(),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS);
}

function importFlags(vocabulary: Vocabulary) {
  return object({
    verb: constant("import"),
    files: multiple(argument(path("FILE"), { description: message`Foreign logs; - for standard input.` }), {
      min: 1,
      errors: { tooFew: message`Name at least one FILE to import.` },
    }),
    output: outputFile(),
    force: toggle("--force", "Overwrite the file that -o names."),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS);
}

function explainFlags(vocabulary: Vocabulary) {
  const names = [...vocabulary.rules, ...vocabulary.calls];
  return object({
    verb: constant("explain"),
    words: multiple(
      argument(word("RULE|CALL", names), {
        description: message`A rule by name or code, or a call; with --coverage, traces too.`,
      }),
    ),
    coverage: toggle("--coverage", "Declared clauses, and which of them the traces exercised."),
    filters: filters(vocabulary),
    show: output(20),
  }, ERRORS).map(({ words, ...rest }) => ({
    ...rest,
    names: words.filter((text) => !isPath(text)),
    traces: words.filter(isPath),
  }));
}

/** A rule or a call has neither a dot nor a slash in its name, and a trace's path always has one, or is `-`. */
function isPath(text: string): boolean {
  return text === "-" || /[./\\]/.test(text);
}

const BRIEFS: { readonly [V in Verb]: string } = {
  record: "Run a program on the instrumented engine and write a trace.",
  replay: "Run a trace again on a fresh engine and report the first divergence.",
  audit: "Report what a trace shows to be wrong: leaks, double maps, misuse.",
  diff: "Compare two traces: the first difference, then a summary.",
  dump: "Print a trace in call notation.",
  info: "Print a trace's header, counts, sizes and completeness.",
  import: "Turn a foreign log into a trace.",
  explain: "Print a rule's clause and example, or a call's declaration.",
};

/** The first line of a verb's help. Literal, because Optique sorts positions behind flags and lists every flag. */
const SYNOPSES: { readonly [V in Verb]: string } = {
  record: "[PROGRAM] [-o FILE] [FLAGS] [-- ARGS]",
  replay: "[TRACE] [FLAGS]",
  audit: "[TRACE...] [FLAGS]",
  diff: "A B [FLAGS]",
  dump: "[TRACE] [FLAGS]",
  info: "[TRACE] [FLAGS]",
  import: "FILE... [-o FILE] [FLAGS]",
  explain: "[RULE|CALL] [--coverage [TRACE...]] [FLAGS]",
};

function verbCommand<T, S>(verb: Verb, parser: Parser<"sync", T, S>) {
  return command(verb, parser, {
    brief: message`${textOf(BRIEFS[verb])}`,
    footer: exampleLines(EXAMPLES[verb]),
    usageLine: [{ type: "literal", value: SYNOPSES[verb] }],
  });
}

/** The parsers of the verbs, each built when it is asked for: to build all takes longer than to parse. */
export const PARSERS = {
  record: (vocabulary: Vocabulary) => verbCommand("record", recordFlags(vocabulary)),
  replay: (vocabulary: Vocabulary) => verbCommand("replay", replayFlags(vocabulary)),
  audit: (vocabulary: Vocabulary) => verbCommand("audit", auditFlags(vocabulary)),
  diff: (vocabulary: Vocabulary) => verbCommand("diff", diffFlags(vocabulary)),
  dump: (vocabulary: Vocabulary) => verbCommand("dump", dumpFlags(vocabulary)),
  info: (vocabulary: Vocabulary) => verbCommand("info", infoFlags(vocabulary)),
  import: (vocabulary: Vocabulary) => verbCommand("import", importFlags(vocabulary)),
  explain: (vocabulary: Vocabulary) => verbCommand("explain", explainFlags(vocabulary)),
} as const;

/** The whole grammar, for help and completions: one of the verbs. */
export function grammar(vocabulary: Vocabulary) {
  return or(
    PARSERS.record(vocabulary),
    PARSERS.replay(vocabulary),
    PARSERS.audit(vocabulary),
    PARSERS.diff(vocabulary),
    PARSERS.dump(vocabulary),
    PARSERS.info(vocabulary),
    PARSERS.import(vocabulary),
    PARSERS.explain(vocabulary),
  );
}

/** The parsed `record`. `args` is what stands behind `--`. */
export type RecordArgs = InferValue<ReturnType<typeof recordFlags>> & { readonly args: readonly string[] };
/** The parsed `replay`. */
export type ReplayArgs = InferValue<ReturnType<typeof replayFlags>>;
/** The parsed `audit`. */
export type AuditArgs = InferValue<ReturnType<typeof auditFlags>>;
/** The parsed `diff`. */
export type DiffArgs = InferValue<ReturnType<typeof diffFlags>>;
/** The parsed `dump`. */
export type DumpArgs = InferValue<ReturnType<typeof dumpFlags>>;
/** The parsed `info`. */
export type InfoArgs = InferValue<ReturnType<typeof infoFlags>>;
/** The parsed `import`. */
export type ImportArgs = InferValue<ReturnType<typeof importFlags>>;
/** The parsed `explain`. */
export type ExplainArgs = InferValue<ReturnType<typeof explainFlags>>;
/** Any verb, told apart by `verb`. */
export type VerbArgs =
  | RecordArgs
  | ReplayArgs
  | AuditArgs
  | DiffArgs
  | DumpArgs
  | InfoArgs
  | ImportArgs
  | ExplainArgs;
