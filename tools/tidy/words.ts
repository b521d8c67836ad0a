// What may not be written in code: ways around the types, and what differs from run to run.
// It must not know where an exception is granted.

import { anywhere, belowCli, type SourceRule, type Spot, spotsOf } from "./rule.ts";
import type { SourceFile } from "./source.ts";

/** `any` where a type stands; a value may be named so. */
const ANY = /(?:[:<|&]\s*|=>\s*|\b(?:as|is|extends|satisfies)\s+)any\b(?!\s*[.(:?])|,\s*any\s*>/g;

function findAny(source: SourceFile): Spot[] {
  return spotsOf(source, ANY, { is: () => "the type any" });
}

/** Imports and exports rename with `as`, and so do mapped types' keys: neither is a cast. */
const RENAMES =
  /\b(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?(?:\*\s+as\s+[\w$]+|\{[^{}]*\})|\[\s*\w+\s+in\s[^\]]*?\sas\s/g;

function findCasts(source: SourceFile): Spot[] {
  const text = source.code.replace(RENAMES, (part) => part.replace(/[^\n]/g, " "));
  return spotsOf(source, /(?<=[\w$)\]}"'`>]\s+)as\s+(?!const\b)([\w$.<>[\]{("`]+)/g, {
    text,
    is: ({ 1: type }) => `a cast to ${type}`,
  });
}

function findNonNull(source: SourceFile): Spot[] {
  return spotsOf(source, /(?<=[\w$)\]}])!(?![=\w])/g, { is: () => "a non-null `!`" });
}

const NOT_PURE: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/(?<![\w$.])Deno\b/g, "Deno"],
  [/(?<![\w$.])console\b/g, "console"],
  [/(?<![\w$.])Date\b/g, "Date"],
  [/(?<![\w$.])Math\.random\b/g, "Math.random"],
  [/(?<![\w$.])performance\b(?=\s*\.)/g, "performance"],
  [/(?<![\w$.])crypto\b(?=\s*\.)/g, "crypto"],
  [/(?<![\w$.])Intl\b/g, "Intl"],
  [/\.localeCompare\b/g, "localeCompare"],
  [/\.toLocale\w+/g, "a locale"],
  [/(?<![\w$.])set(?:Timeout|Interval|Immediate)\b/g, "a timer"],
];

function findImpure(source: SourceFile): Spot[] {
  return NOT_PURE.flatMap(([pattern, name]) => spotsOf(source, pattern, { is: () => name }));
}

/** Rules over words of code. */
export const WORD_RULES: readonly SourceRule[] = [
  { name: "any", wanted: "a type", fix: "say the type, or `unknown` at the edge", holdsIn: anywhere, find: findAny },
  {
    name: "cast",
    wanted: "no `as` but `as const`",
    fix: "check the value with a type guard, or use `satisfies`",
    holdsIn: anywhere,
    find: findCasts,
  },
  {
    name: "non-null",
    wanted: "a check",
    fix: "test for undefined and say what is wrong, or use `??`",
    holdsIn: anywhere,
    find: findNonNull,
  },
  {
    name: "pure",
    wanted: "the same inputs to give the same events below cli",
    fix: "pass the value in from src/cli, or use the engine's virtual time and the seeded generator",
    holdsIn: belowCli,
    find: findImpure,
  },
];
