// Calls that are nothing out of the ordinary are taken at once, in place of all detectors: what they leave behind, and so every
// finding after them, is the same as where each detector is told of each call.
import { audit } from "../../src/audit/mod.ts";
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { runScenarioFile } from "../support/scenario.ts";
import { assert, assertEquals } from "../support/assert.ts";

const FOLDER = new URL("../scenarios/", import.meta.url);

function filesIn(folder: string, pattern: RegExp): readonly URL[] {
  const url = new URL(folder, FOLDER);
  return [...Deno.readDirSync(url)].filter(({ name }) => pattern.test(name)).map(({ name }) => new URL(name, url));
}

const FILES = [
  ...filesIn("kmcl/", /gpadl|channel|rescind|unload|sysmem/),
  ...filesIn("gpu/", /map|free|reserve|alias|va/),
  ...filesIn("rules/", /^(g|x|v)-/),
];

Deno.test("an audit that tells every detector of every call finds what one finds that takes plain calls at once", async () => {
  assert(FILES.length > 100);
  for (const file of FILES) {
    const { bytes } = await runScenarioFile(file);
    const trace = openTrace(bytesSource(bytes));
    // Whoever asks for clauses is told of each call.
    assertEquals(audit(trace), audit(trace, { onClause: () => {} }), String(file));
  }
});
