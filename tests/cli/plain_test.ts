// The short way through the words and Optique say the same: this test is what holds the two together.
import fc from "fast-check";
import { CliError } from "../../src/cli/exit.ts";
import type { VerbArgs } from "../../src/cli/grammar.ts";
import { parseVerb } from "../../src/cli/parse.ts";
import { plainArgs } from "../../src/cli/plain.ts";
import { assert, assertEquals } from "../support/assert.ts";

function byOptique(verb: "info" | "dump", words: readonly string[]): VerbArgs | undefined {
  try {
    return parseVerb(verb, [verb, ...words]);
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

const WORDS = [
  "--json",
  "--quiet",
  "--range",
  "--limit",
  "--verbose",
  "--color=never",
  "--",
  "-",
  "",
  "-o",
  "--help",
  "@1-@2",
  "@5",
  "7-",
  "@9-@3",
  "3",
  "a.msgpack",
  "b",
  "--range=@1",
  "gpadl#7",
];

Deno.test("plainArgs() takes a line only as Optique does, whatever its words are", () => {
  const line = fc.tuple(
    fc.constantFrom("info", "dump"),
    fc.array(fc.constantFrom(...WORDS), { maxLength: 5 }),
  );
  let taken = 0;
  fc.assert(
    fc.property(line, ([verb, words]) => {
      if (verb !== "info" && verb !== "dump") return;
      const plain = plainArgs([verb, ...words]);
      if (plain === undefined) return;
      taken += 1;
      assertEquals({ ...plain }, { ...byOptique(verb, words) }, words.join(" "));
    }),
    { seed: 20, numRuns: 1500 },
  );
  assert(taken > 100, `${taken} lines were plain`);
});

Deno.test("plainArgs() takes what is typed most, and leaves other verbs and flags to Optique", () => {
  const range = { first: 3, last: 12 };
  const plain = plainArgs(["dump", "--range", "@3-@12", "a.msgpack", "--json"]);
  assertEquals([plain?.trace, plain?.filters.range, plain?.show.json], ["a.msgpack", range, true]);
  assertEquals(plainArgs(["info"])?.show.limit, 20);
  for (const line of ["audit", "info --help", "dump --call X", "dump a b", "info --limit 3", "dump --range @9-@3"]) {
    assertEquals(plainArgs(line.split(" ")), undefined, line);
  }
});
