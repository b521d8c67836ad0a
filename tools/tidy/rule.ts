// What a rule is: a name, where it holds, what is wanted, how to mend it, and a function that finds where it is broken.
// It must not know any particular rule.

import type { SourceFile } from "./source.ts";

/** One place where a rule is broken. */
export interface Spot {
  /** From 1. */
  readonly line: number;
  /** What is there. */
  readonly is: string;
}

/** A rule over one TypeScript file at a time. */
export interface SourceRule {
  readonly name: string;
  /** What was wanted. */
  readonly wanted: string;
  /** The command, or what to do. */
  readonly fix: string;
  readonly holdsIn: (path: string) => boolean;
  readonly find: (source: SourceFile) => readonly Spot[];
}

/** A rule that was broken, ready to print. */
export interface Failure extends Spot {
  readonly path: string;
  readonly rule: string;
  readonly wanted: string;
  readonly fix: string;
}

/** `path:line rule: what is, what was wanted; fix: what to do`. */
export function failureText({ path, line, rule, is, wanted, fix }: Failure): string {
  return `${path}:${line} ${rule}: ${is}, wanted ${wanted}; fix: ${fix}`;
}

/** Every place of a global pattern in a text of the source, told as `is` says. */
export function spotsOf(
  source: SourceFile,
  pattern: RegExp,
  { text = source.code, is }: { readonly text?: string; readonly is: (match: RegExpExecArray) => string | null },
): Spot[] {
  return [...text.matchAll(pattern)].flatMap((match) => {
    const told = is(match);
    return told === null ? [] : [{ line: source.lineAt(match.index), is: told }];
  });
}

/** In `src/`, or the public surface `mod.ts`. */
export function inSource(path: string): boolean {
  return path.startsWith("src/") || path === "mod.ts";
}

/** In a folder below the command line, where everything is pure. */
export function belowCli(path: string): boolean {
  return path.startsWith("src/") && !path.startsWith("src/cli/");
}

/** Everywhere. */
export function anywhere(): boolean {
  return true;
}
