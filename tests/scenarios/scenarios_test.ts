// Every scenario of this folder and those under it, one test each: what its lines say holds, its trace replays to itself,
// and its dump records to an equal trace.

import { runScenarioFile } from "../support/scenario.ts";
import { assert, assertEquals } from "../support/assert.ts";

const FOLDER = new URL("./", import.meta.url);

/** Paths of all `.calls` files below a folder, relative to it, in order of their names. */
function scenariosIn(folder: URL, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return scenariosIn(new URL(`${name}/`, folder), `${prefix}${name}/`);
    return name.endsWith(".calls") ? [`${prefix}${name}`] : [];
  }).sort();
}

const FILES = scenariosIn(FOLDER);

Deno.test("there are scenarios", () => assert(FILES.length > 0));

for (const path of FILES) {
  Deno.test(path, async () => {
    const { troubles } = await runScenarioFile(new URL(path, FOLDER));
    assertEquals(troubles, []);
  });
}
