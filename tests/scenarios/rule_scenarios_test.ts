// Every audit rule has a scenario that fires it and a near miss that does not, notes included: `expect no findings` says
// nothing of notes. A rule that the model cannot break has near misses alone.

import { type Rule, RULES } from "../../src/audit/mod.ts";
import { runScenarioFile } from "../support/scenario.ts";
import { assert, assertEquals } from "../support/assert.ts";

const FOLDER = new URL("rules/", import.meta.url);
const FILES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();

/** The scenarios of a rule: `v-32-fires.calls`, `v-32-near-miss-refused.calls`. */
function scenariosOf(code: string, shows: "fires" | "near-miss"): readonly string[] {
  const start = `${code.toLowerCase()}-${shows}`;
  return FILES.filter((file) => file.startsWith(`${start}.`) || file.startsWith(`${start}-`));
}

async function firedBy(file: string): Promise<readonly string[]> {
  const { findings } = await runScenarioFile(new URL(file, FOLDER));
  return findings.map(({ rule }) => rule);
}

const rules: readonly (readonly [name: string, rule: Rule])[] = Object.entries(RULES);

Deno.test("every scenario of this folder is named for a rule", () => {
  const known = rules.flatMap(([, { code }]) => [...scenariosOf(code, "fires"), ...scenariosOf(code, "near-miss")]);
  assertEquals(FILES, known.sort());
});

for (const [name, { code, unreachable }] of rules) {
  Deno.test(`${code} ${name} is fired by its scenarios, and not by its near misses`, async () => {
    const fires = scenariosOf(code, "fires");
    const nearMisses = scenariosOf(code, "near-miss");
    assertEquals(fires.length > 0, unreachable === undefined);
    assert(nearMisses.length > 0, "no near miss");
    for (const file of fires) assert((await firedBy(file)).includes(name), file);
    for (const file of nearMisses) assert(!(await firedBy(file)).includes(name), file);
  });
}
