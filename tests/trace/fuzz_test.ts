// Mutated traces under a fixed seed: the run that `tools/fuzz.ts` makes longer, over the same traces.

import { fuzz } from "../../tools/fuzz/run.ts";
import { subjectOf, syntheticSubjects } from "../../tools/fuzz/subjects.ts";
import { assert, assertEquals } from "../support/assert.ts";

const TRACES = new URL("../../traces/", import.meta.url);

Deno.test("mutated traces are refused or read with every loss stated, in little memory", () => {
  const names = [...Deno.readDirSync(TRACES)].map(({ name }) => name).filter((name) => name.endsWith(".msgpack"));
  const kept = names.toSorted().map((name) => subjectOf(name, Deno.readFileSync(new URL(name, TRACES))));
  const memoryBytes = (): number => {
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const result = fuzz([...kept, ...syntheticSubjects()], { seed: 1, mutations: 3000, memoryBytes });
  const told = result.failures.map(({ mutation, what }) => `seed ${mutation.seed}: ${what}\n${mutation.bytes.toHex()}`);
  assertEquals(told, []);
  assertEquals(result.mutations, 3000);
  for (const outcome of ["refused", "incomplete", "complete"] as const) {
    assert((result.outcomes.get(outcome) ?? 0) > 10, `hardly any mutation is ${outcome}: the fuzzer has gone blunt`);
  }
});

Deno.test("the fuzzer notices a trace that says other than was written", () => {
  const [subject] = syntheticSubjects();
  assert(subject !== undefined);
  const events = new Map([...subject.events].map(([number, event]) => [number, { ...event, actor: "another" }]));
  const result = fuzz([{ ...subject, events }], { seed: 1, mutations: 60 });
  assert(result.failures.some(({ what }) => what.includes("was never written")), "a changed event");
});
