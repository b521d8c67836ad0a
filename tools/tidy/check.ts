// Runs every rule over a tree and gives what fails, in order of place.
// It must not read files or print: tools/tidy.ts does.

import { COMMENT_RULES } from "./comments.ts";
import { EXCEPTIONS, withoutExceptions } from "./exceptions.ts";
import { IMPORT_RULES } from "./floors.ts";
import type { Failure, SourceRule } from "./rule.ts";
import { SIZE_RULES } from "./size.ts";
import { scanSource, type SourceFile, type TextFile } from "./source.ts";
import { machineNames, missingDoors, vagueNames } from "./tree.ts";
import { WORD_RULES } from "./words.ts";

/** Every rule over one file at a time. */
export const SOURCE_RULES: readonly SourceRule[] = [...IMPORT_RULES, ...SIZE_RULES, ...WORD_RULES, ...COMMENT_RULES];

/** Where the rules over source files hold at all. */
export function isSource(path: string): boolean {
  return /^(?:src|tests|tools)\/.*\.ts$|^mod\.ts$/.test(path);
}

/** What one rule finds in one file. */
export function findIn(rule: SourceRule, source: SourceFile): Failure[] {
  if (!rule.holdsIn(source.path)) return [];
  const { name, wanted, fix } = rule;
  return rule.find(source).map((spot) => ({ path: source.path, rule: name, wanted, fix, ...spot }));
}

/** Everything that fails in these files and, besides, in the declarations (`more`). */
export function checkTree(files: readonly TextFile[], more: readonly Failure[]): Failure[] {
  const sources = files.filter(({ path }) => isSource(path)).map(scanSource);
  const paths = sources.map(({ path }) => path);
  const failures = [
    ...sources.flatMap((source) => SOURCE_RULES.flatMap((rule) => findIn(rule, source))),
    ...vagueNames(paths),
    ...missingDoors(paths),
    ...machineNames(files),
    ...more,
  ];
  return withoutExceptions(failures, EXCEPTIONS).toSorted(byPlace);
}

function byPlace(left: Failure, right: Failure): number {
  if (left.path !== right.path) return left.path < right.path ? -1 : 1;
  return left.line - right.line;
}
