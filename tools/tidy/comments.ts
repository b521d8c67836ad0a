// What comments owe the reader: a file's purpose, a sentence on every exported name, and nothing left to do.
// It must not judge what a comment says.

import { anywhere, type SourceRule, type Spot, spotsOf } from "./rule.ts";
import type { SourceFile } from "./source.ts";

/** The public surface may open with its module's JSDoc, which is the same sentence for its readers. */
function findOpening({ path, lines }: SourceFile): Spot[] {
  const first = lines.find((line) => !/^(?:#!|\/\/ deno-)/.test(line)) ?? "";
  const opens = path === "mod.ts" ? /^\/\/ \S|^\/\*\*/ : /^\/\/ \S/;
  return opens.test(first) ? [] : [{ line: 1, is: "no opening comment" }];
}

function findUnfinished(source: SourceFile): Spot[] {
  return spotsOf(source, /\b(?:TO[D]O|FIX[M]E|XX[X])\b/g, { text: source.comments, is: ([word]) => word });
}

function findIgnores(source: SourceFile): Spot[] {
  return spotsOf(source, /@ts-(?:ignore|nocheck)\b/g, { text: source.comments, is: ([word]) => word });
}

const EXPORTED =
  /^export (?:default )?(?:declare )?(?:async )?(?:abstract )?(function\*?|class|const|let|interface|type|enum) ([\w$]+)/gm;

function findUndocumented(source: SourceFile): Spot[] {
  return spotsOf(source, EXPORTED, {
    is: ({ index, 1: kind, 2: name }) => {
      const before = lineBefore(source, source.lineAt(index));
      if (before.endsWith("*/")) return null;
      const isOverload = new RegExp(`^(?:export function ${name}\\b.*|\\).*);$`).test(before);
      return isOverload ? null : `${kind} ${name} without JSDoc`;
    },
  });
}

/** The line above, past those that only speak to the linter. */
function lineBefore({ lines }: SourceFile, line: number): string {
  const above = lines.slice(0, line - 1).findLast((text) => !text.startsWith("// deno-lint-ignore"));
  return above?.trimEnd() ?? "";
}

/** Rules over comments. */
export const COMMENT_RULES: readonly SourceRule[] = [
  {
    name: "opening-comment",
    wanted: "a `//` comment that says what the file is for",
    fix: "write what it is for and what it must not know",
    holdsIn: anywhere,
    find: findOpening,
  },
  {
    name: "unfinished",
    wanted: "finished work",
    fix: "do it, or say in a sentence what does not hold",
    holdsIn: anywhere,
    find: findUnfinished,
  },
  { name: "ts-ignore", wanted: "code that checks", fix: "mend the type", holdsIn: anywhere, find: findIgnores },
  {
    name: "jsdoc",
    wanted: "a line of JSDoc right above",
    fix: "write one line: what it is, its limits and units",
    holdsIn: (path) => path.startsWith("src/"),
    find: findUndocumented,
  },
];
