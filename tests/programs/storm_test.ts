// `storm` and `netvsp` under several seeds: other schedules make other traces, each replays and audits clean, and nothing is left.

import { audit } from "../../src/audit/mod.ts";
import { defaultOptions, parseOption } from "../../src/api/mod.ts";
import { runProgram, Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import netvsp from "../../src/programs/netvsp.ts";
import storm from "../../src/programs/storm.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const SEEDS = [1, 2, 3, 4, 5];

for (const [name, module, args] of [["storm", storm, ["40"]], ["netvsp", netvsp, []]] as const) {
  Deno.test(`${name} makes another trace under another seed; each replays and audits clean`, async () => {
    const orders = new Set<string>();
    for (const seed of SEEDS) {
      const { bytes, end } = await recordInMemory(module, { seed, args, sites: "off" });
      assertEquals([end.reason, end.message], ["ended", ""]);
      const trace = openTrace(bytesSource(bytes));
      assertEquals([...validate(trace)], []);
      assertEquals(replay(trace).divergence, null, `seed ${seed}`);
      const worse = audit(trace).findings.filter(({ severity }) => severity !== "note");
      assertEquals(worse, [], `seed ${seed}`);
      orders.add([...trace.events()].map(({ kind, side, plan }) => `${kind} ${side} ${plan?.name}`).join("\n"));
    }
    assertEquals(orders.size, SEEDS.length);
  });
}

/** What a run of so many channels leaves in the engine, for a rerun of the same to be compared with. */
async function leftOver(channels: number): Promise<Record<string, number>> {
  const options = parseOption({ ...defaultOptions(), "initial-callbacks": "none" }, "queued-on-close", "cancel");
  const engine = new Engine(options);
  const session = new Session({ engine, sink: { event() {} }, memory: "none" });
  const sites = { wants: () => false, folder: "" };
  const end = await runProgram(storm.run, { session, seed: 1, args: [String(channels)], sites });
  assertEquals([end.stuck, end.thrown], [[], undefined]);
  const { world } = engine;
  const kinds = ["channel", "packet", "completion"] as const;
  return {
    ...Object.fromEntries(kinds.map((kind) => [kind, world.liveCountOf(kind)])),
    pending: world.pending.length,
    running: world.running.length,
    parked: world.parked.length,
    outputs: world.outputs.length,
  };
}

Deno.test("storm leaves nothing in the engine, however many channels it had", async () => {
  const left = await leftOver(200);
  assert(Object.values(left).every((count) => count === 0), JSON.stringify(left));
});

Deno.test("storm refuses a number of channels that is none", async () => {
  const { end } = await recordInMemory(storm, { args: ["many"] });
  assertEquals(end.reason, "threw");
  assert(end.message.includes("Cannot open many channels"), end.message);
});
