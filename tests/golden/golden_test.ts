// The sample traces: made anew they say the same, replay without divergence, and dump and audit as kept beside them.
// `deno task bless` rewrites them; the difference is reviewed like code.

import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  CAPTURE_NAME,
  contentOf,
  type Golden,
  GOLDEN_FOLDER,
  makeGoldens,
  recordProgram,
  textsOf,
  TRACES_FOLDER,
} from "../support/golden.ts";

const GOLDENS: readonly Golden[] = await makeGoldens();

for (const golden of GOLDENS) {
  const { name, bytes } = golden;
  Deno.test(`traces/${name}.msgpack says what a fresh run says`, async () => {
    const kept = await Deno.readFile(new URL(`${name}.msgpack`, TRACES_FOLDER));
    assertEquals(contentOf(kept), contentOf(bytes));
  });
  Deno.test(`${name} dumps and audits as kept`, async () => {
    for (const [file, made] of textsOf(golden)) {
      assertEquals(made, await Deno.readTextFile(new URL(file, GOLDEN_FOLDER)), file);
    }
  });
  Deno.test(`${name} is valid and replays without divergence`, () => {
    const trace = openTrace(bytesSource(bytes));
    assertEquals([...validate(trace)], []);
    const { divergence, callsReplayed, skipped } = replay(trace);
    assertEquals(divergence, null);
    if (name === CAPTURE_NAME) assert(callsReplayed === 0 && Object.keys(skipped).length > 0);
    else assert(callsReplayed > 0);
  });
}

Deno.test("one seed is one run: the same bytes", async () => {
  assertEquals(await recordProgram("gpu-pv", 7), await recordProgram("gpu-pv", 7));
});

Deno.test("every file in traces/ and tests/golden/ is made by a golden", async () => {
  const files = new Set(GOLDENS.flatMap((golden) => [`${golden.name}.msgpack`, ...textsOf(golden).keys()]));
  for (const folder of [TRACES_FOLDER, GOLDEN_FOLDER]) {
    for await (const { name } of Deno.readDir(folder)) {
      assert(files.has(name) || name === "README.md" || name === "golden_test.ts", name);
    }
  }
});
