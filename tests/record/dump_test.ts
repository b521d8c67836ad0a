// Whatever a program does, its dump is a scenario that holds and records to an equal trace, and both replay.

import { diff } from "../../src/diff/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { dumpLines } from "../../src/view/mod.ts";
import { churn } from "../driver/churn.ts";
import { assertEquals } from "../support/assert.ts";

for (let seed = 1; seed <= 6; seed += 1) {
  Deno.test(`the dump of an interleaved program records again, seed ${seed}`, async () => {
    const trace = openTrace(bytesSource((await recordInMemory(churn(2), { seed })).bytes));
    const { bytes, scenario } = await recordInMemory([...dumpLines(trace)].join("\n"));
    assertEquals(scenario?.failures, []);
    const again = openTrace(bytesSource(bytes));
    assertEquals(diff(trace, again).first, null);
    assertEquals([replay(trace).divergence, replay(again).divergence], [null, null]);
  });
}
