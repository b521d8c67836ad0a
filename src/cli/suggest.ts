// "Did you mean": the names nearest to a misspelt one, for verbs, flags, rules, calls and programs alike. The distance
// is Optique's own, so that a flag and a rule are guessed the same way. Must not know what the names stand for.
import { findSimilar } from "@optique/core/suggestion";

/** The names nearest to `input`, best first, at most three; none where nothing is near. */
export function nearest(input: string, names: Iterable<string>): readonly string[] {
  return findSimilar(input, names, { maxDistance: 3, maxDistanceRatio: 0.5, maxSuggestions: 3 });
}

/** ` Did you mean A or B?`, to follow a sentence; empty for no names. */
export function didYouMean(names: readonly string[]): string {
  if (names.length === 0) return "";
  const quoted = names.map((name) => `"${name}"`);
  const last = quoted.at(-1) ?? "";
  return ` Did you mean ${quoted.length === 1 ? last : `${quoted.slice(0, -1).join(", ")} or ${last}`}?`;
}

/** What to say of a name that nobody knows: `Unknown rule "gpadl-leek". Did you mean "gpadl-leak"?` */
export function unknownName(kind: string, name: string, names: Iterable<string>): string {
  return `Unknown ${kind} "${name}".${didYouMean(nearest(name, names))}`;
}
