// The flags that verbs share, and how the words after them are read. Built on Optique; a verb's own flags stand in
// grammar.ts. Must not know what a trace holds: a glob, a side or an object stays the text that the user typed.
import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, flag, option } from "@optique/core/primitives";
import { choice, integer, string, transform } from "@optique/core/valueparser";
import type { InferValue } from "@optique/core/parser";
import type { ValueParser, ValueParserResult } from "@optique/core/valueparser";
import { type EventRange, readEventRange } from "./event_range.ts";

/** Names that completions offer; empty wherever nobody completes, since finding them loads the library. */
export interface Vocabulary {
  readonly programs: readonly string[];
  readonly calls: readonly string[];
  readonly rules: readonly string[];
  readonly options: readonly string[];
}

/** No name at all: what every run but a completion uses. */
export const NO_VOCABULARY: Vocabulary = { programs: [], calls: [], rules: [], options: [] };

/** The value of `--color`. */
export type ColorChoice = "auto" | "always" | "never";

const SIDES = ["client", "server", "umd", "guest-umd", "kmd", "guest", "host", "gpu", "machine"] as const;
const LEVELS = ["d3dkmt", "kmcl", "machine", "wire"] as const;
const OBJECT = /^\$?[A-Za-z][A-Za-z0-9]*(?:#\d+)?$/;

/** Reads `@A-@B`; also `@A-` (to the end) and `@A` (one event). */
export function eventRange(): ValueParser<"sync", EventRange> {
  return {
    mode: "sync",
    metavar: "@A-@B",
    placeholder: { first: 0, last: Infinity },
    parse: parseRange,
    format: (range) => range.last === Infinity ? `@${range.first}-` : `@${range.first}-@${range.last}`,
  };
}

function parseRange(input: string): ValueParserResult<EventRange> {
  const value = readEventRange(input);
  if (value === null) {
    return { success: false, error: message`Give a range of events as ${"@17-@90"}, not ${input}.` };
  }
  if (value.last < value.first) {
    return { success: false, error: message`Give the smaller event first: ${input} ends before it begins.` };
  }
  return { success: true, value };
}

/** A text that is one of `names` or anything else; `names` only serve completions. */
export function word(
  metavar: "PROGRAM" | "GLOB" | "S" | "RULE|CALL",
  names: readonly string[],
): ValueParser<"sync", string> {
  const plain = string({ metavar });
  return {
    ...plain,
    *suggest(prefix) {
      for (const name of names) if (name.startsWith(prefix)) yield { kind: "literal", text: name };
    },
  };
}

/** A path or `-`; completions offer files that end in one of `extensions` (with the dot), any file without. */
export function path(
  metavar: "TRACE" | "FILE" | "A" | "B",
  extensions: readonly string[] = [],
): ValueParser<"sync", string> {
  const plain = string({ metavar });
  return {
    ...plain,
    parse: (input) =>
      input === "" ? { success: false, error: message`Name a file: this one's name is empty.` } : plain.parse(input),
    *suggest(prefix) {
      yield { kind: "file", type: "file", pattern: prefix, ...(extensions.length > 0 ? { extensions } : {}) };
    },
  };
}

/** A trace by path, `-` for standard input. */
export function trace(): ValueParser<"sync", string> {
  return path("TRACE", [".msgpack"]);
}

type LevelName = (typeof LEVELS)[number];

/** Reads levels between commas, `kmcl,wire`; each counts once. */
function levelList(): ValueParser<"sync", readonly LevelName[]> {
  return {
    mode: "sync",
    metavar: "LEVELS",
    placeholder: [],
    parse: parseLevels,
    format: (levels) => levels.join(","),
    *suggest(prefix) {
      const typed = prefix.slice(0, prefix.lastIndexOf(",") + 1);
      for (const level of LEVELS) {
        if (level.startsWith(prefix.slice(typed.length))) yield { kind: "literal", text: typed + level };
      }
    },
  };
}

function parseLevels(input: string): ValueParserResult<readonly LevelName[]> {
  const words = input.split(",");
  const unknown = words.find((word) => !LEVELS.some((level) => level === word));
  if (unknown === undefined) return { success: true, value: LEVELS.filter((level) => words.includes(level)) };
  return {
    success: false,
    error: message`Name levels among ${textOf(LEVELS.join(", "))} with commas between, not ${unknown}.`,
  };
}

/** `gpadl#7`, or a kind alone, `gpadl`, for all of that kind. */
function objectRef(): ValueParser<"sync", string> {
  return string({
    metavar: "REF",
    pattern: OBJECT,
    errors: { patternMismatch: (input) => message`Name an object as ${"gpadl#7"}, or its kind, not ${input}.` },
  });
}

/** `on` or `off` as a boolean. */
export function onOff(): ValueParser<"sync", boolean> {
  return transform(choice(["on", "off"], { metavar: "on|off" }), {
    map: (text) => text === "on",
    unmap: (value) => value ? "on" : "off",
  });
}

/** A flag without a value, false where it is left out. */
export function toggle(name: `--${string}`, description: string) {
  return withDefault(flag(name, { description: message`${textOf(description)}` }), false);
}

/** When `record` writes what it holds: after a time, after a number of bytes, or only when a chunk is full. */
export type FlushChoice = { readonly seconds: number } | { readonly bytes: number } | "off";

const FLUSH = /^(\d{1,6}(?:\.\d{1,3})?)(s|KB)$/;
/** A chunk has 256 KB at most, whatever is asked for. */
const FLUSH_LIMITS = { s: { least: 0.01, most: 3600 }, KB: { least: 1, most: 256 } } as const;

/** Reads `1s`, `0.5s`, `64KB` or `off`. */
export function flushChoice(): ValueParser<"sync", FlushChoice> {
  return {
    mode: "sync",
    metavar: "SECONDS|SIZE",
    placeholder: "off",
    parse: parseFlush,
    format: (choice) =>
      choice === "off" ? "off" : "seconds" in choice ? `${choice.seconds}s` : `${choice.bytes / 1024}KB`,
    *suggest(prefix) {
      for (const text of ["1s", "64KB", "off"]) if (text.startsWith(prefix)) yield { kind: "literal", text };
    },
  };
}

function parseFlush(input: string): ValueParserResult<FlushChoice> {
  if (input === "off") return { success: true, value: "off" };
  const [, digits = "", unit = ""] = FLUSH.exec(input) ?? [];
  const amount = Number(digits);
  const { least, most } = FLUSH_LIMITS[unit === "KB" ? "KB" : "s"];
  if (unit === "" || amount < least || amount > most) {
    return {
      success: false,
      error: message`Give ${"0.01s"} to ${"3600s"}, ${"1KB"} to ${"256KB"}, or off, not ${input}.`,
    };
  }
  return { success: true, value: unit === "s" ? { seconds: amount } : { bytes: Math.round(amount * 1024) } };
}

const RING = /^(\d{1,7})(KB|MB|GB)$/;
const UNITS = { KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 } as const;
/** What `record` takes too; the flags load no recorder. */
const MIN_RING_BYTES = 64 * UNITS.KB;

/** Reads `64MB`, `512KB` or `1GB` as bytes, 64KB at least. */
export function ringSize(): ValueParser<"sync", number> {
  return {
    mode: "sync",
    metavar: "SIZE",
    placeholder: MIN_RING_BYTES,
    parse: parseRing,
    format: (bytes) => `${bytes / UNITS.KB}KB`,
    *suggest(prefix) {
      for (const text of ["64MB", "1GB"]) if (text.startsWith(prefix)) yield { kind: "literal", text };
    },
  };
}

function parseRing(input: string): ValueParserResult<number> {
  const [, digits = "", unit] = RING.exec(input) ?? [];
  if (unit !== "KB" && unit !== "MB" && unit !== "GB") {
    return { success: false, error: message`Give a size as ${"64MB"}, ${"512KB"} or ${"1GB"}, not ${input}.` };
  }
  const bytes = Number(digits) * UNITS[unit];
  if (bytes < MIN_RING_BYTES) return { success: false, error: message`Give ${"64KB"} or more, not ${input}.` };
  return { success: true, value: bytes };
}

/** A text as a part of a message that is printed as it stands, without quotes. */
export function textOf(text: string): { readonly type: "text"; readonly text: string } {
  return { type: "text", text };
}

/** `--range`, `--call`, `--level`, `--side`, `--object`, `--rule`; those that can be repeated keep what any of them names. */
export function filters(vocabulary: Vocabulary) {
  return object("Filters", {
    range: optional(option("--range", eventRange(), { description: message`Only these events.` })),
    calls: multiple(option("--call", word("GLOB", vocabulary.calls), {
      description: message`Only calls and callbacks of this name; * and ? stand for anything. Repeatable.`,
    })),
    levels: withDefault(
      option("--level", levelList(), {
        description: message`Only events of these layers, as kmcl,wire: d3dkmt, kmcl, machine, wire.`,
      }),
      [],
    ),
    sides: multiple(option("--side", word("S", SIDES), {
      description: message`Only what this side did: client, server, umd#2, gpu … Repeatable.`,
    })),
    objects: multiple(option("--object", objectRef(), {
      description: message`Only what this object takes part in, such as gpadl#7. Repeatable.`,
    })),
    rules: multiple(option("--rule", word("GLOB", vocabulary.rules), {
      description: message`Only findings of this rule, by name or code. Repeatable.`,
    })),
  });
}

/** `--json`, `--quiet`, `--verbose`, `--color`, `--limit`; `limit` is the verb's own default, 0 for all. */
export function output(limit: number) {
  const cut = message`Cut lists after N; 0 for all (default ${textOf(String(limit))}).`;
  return object("Output", {
    json: toggle("--json", "For machines: one object, or one a line."),
    quiet: toggle("--quiet", "No talk and no progress on standard error."),
    verbose: toggle("--verbose", "More talk, and stack traces of errors."),
    color: withDefault(
      option("--color", choice(["auto", "always", "never"], { metavar: "WHEN" }), {
        description: message`auto (default), always or never; auto heeds NO_COLOR.`,
      }),
      "auto",
    ),
    limit: withDefault(option("--limit", wholeNumber(), { description: cut }), limit).map(zeroIsAll),
  });
}

function zeroIsAll(limit: number): number {
  return limit === 0 ? Infinity : limit;
}

const TOO_LARGE = { unsafeInteger: (input: string) => message`Give a smaller number than ${input}.` };

/** A whole number from 0 on, below 2^53. */
export function wholeNumber(): ValueParser<"sync", number> {
  return integer({ metavar: "N", min: 0, max: Number.MAX_SAFE_INTEGER, errors: TOO_LARGE });
}

/** A seed: the generator takes 32 bits. */
export function seedNumber(): ValueParser<"sync", number> {
  return integer({ metavar: "N", min: 0, max: 0xffffffff, errors: TOO_LARGE });
}

/** The `TRACE` of verbs that read one: left out, it is the newest in the folder. */
export function optionalTrace() {
  return optional(
    argument(trace(), { description: message`The trace; - for standard input, newest here if left out.` }),
  );
}

/** What a user wants to see of a trace; an empty list or an undefined range keeps everything. */
export type Filters = InferValue<ReturnType<typeof filters>>;
/** How a verb is to print. `limit` is Infinity for all. */
export type OutputFlags = InferValue<ReturnType<typeof output>>;
