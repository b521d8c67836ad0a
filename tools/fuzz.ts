// Mutates traces at random and says where reading them goes wrong: another error than a refusal, an event that was never
// written, a loss that nothing states, reading without end, too much memory, a verb that fails on what was read. Exit code 1
// if there is any. A failing mutation is printed with its seed, its steps and its bytes.
// Usage: deno run --allow-read tools/fuzz.ts
//   [--seed N] [--mutations N] [--seconds N] [--again SEED]

import { judge } from "./fuzz/judge.ts";
import { type Failure, fuzz, type FuzzResult, mutationOf } from "./fuzz/run.ts";
import { type Subject, subjectOf, syntheticSubjects } from "./fuzz/subjects.ts";
import { runVerb } from "./fuzz/verbs.ts";

const TRACES = new URL("../traces/", import.meta.url);

function readSubjects(): Subject[] {
  const names = [...Deno.readDirSync(TRACES)].map(({ name }) => name).filter((name) => name.endsWith(".msgpack"));
  const kept = names.toSorted().map((name) => subjectOf(name, Deno.readFileSync(new URL(name, TRACES))));
  return [...kept, ...syntheticSubjects()];
}

/** The number behind an option; null where the option is not there. */
function numberOf(name: string): number | null {
  const at = Deno.args.indexOf(`--${name}`);
  if (at < 0) return null;
  const number = Number(Deno.args[at + 1] ?? NaN);
  if (Number.isSafeInteger(number) && number >= 0 && number < 2 ** 32) return number;
  throw new RangeError(`Give --${name} a whole number below 2^32, not ${Deno.args[at + 1]}`);
}

function memoryBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function print({ outcomes, mutations, events, mostBytes, failures }: FuzzResult): void {
  for (const failure of failures) printFailure(failure);
  const counts = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).toSorted().join(", ");
  const most = (mostBytes / 2 ** 20).toFixed(1);
  console.log(`${mutations} mutations: ${counts}; ${events} events read; at most ${most} MiB beyond a file`);
}

function printFailure({ mutation, what }: Failure): void {
  const { seed, subject, donor, isForged, steps, bytes } = mutation;
  console.log(`\nFAILED with --again ${seed}: ${what}`);
  console.log(`${subject.name}, blocks of ${donor.name}, ${isForged ? "forged" : "not forged"}`);
  for (const step of steps) console.log(`  ${step}`);
  console.log(bytes.toHex());
}

function main(): void {
  const seed = numberOf("seed") ?? 1;
  console.log(`seed ${seed}`);
  const subjects = readSubjects();
  const again = numberOf("again");
  if (again !== null) {
    const mutation = mutationOf(subjects, again);
    const { outcome, what } = judge(mutation);
    const verb = runVerb(mutation.verb, mutation.bytes);
    return printFailure({ mutation, what: [outcome, what, verb].filter((each) => each !== "").join(" ") });
  }
  const ends = performance.now() + 1000 * (numberOf("seconds") ?? Infinity);
  const mutations = numberOf("mutations") ?? 10_000;
  const result = fuzz(subjects, { seed, mutations, isOver: () => performance.now() > ends, memoryBytes });
  print(result);
  if (result.failures.length > 0) Deno.exit(1);
}

main();
