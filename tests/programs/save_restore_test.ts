// The program `save-restore` under many schedules: it comes to its end, nothing is misused or left, and it replays.

import { defaultOptions } from "../../src/api/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import saveRestore from "../../src/programs/save_restore.ts";
import { record } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { BytesSink, bytesSource, openTrace, type Trace, type TraceEvent, validate } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";

const SEEDS = 20;

async function run(seed: number): Promise<Trace> {
  const output = new BytesSink();
  await record({
    what: { kind: "builtin", name: "save-restore", module: saveRestore, args: [] },
    output,
    options: { ...defaultOptions(), "initial-callbacks": "none", ...saveRestore.options },
    seed,
    sites: "off",
    memory: "digest",
    toolVersion: "0",
    startedAt: "",
    folder: "",
  });
  return openTrace(bytesSource(output.bytes()));
}

function of(events: readonly TraceEvent[], kind: TraceEvent["kind"], name: string): TraceEvent[] {
  return events.filter((event) => event.kind === kind && event.plan?.name === name);
}

Deno.test("save-restore ends, audits clean and replays, whatever the schedule", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const trace = await run(seed);
    assertEquals(trace.end?.reason, "ended", `seed ${seed}`);
    assertEquals([...validate(trace)], [], `seed ${seed}`);
    assertEquals(audit(trace).findings, [], `seed ${seed}`);
    assertEquals(replay(trace).divergence, null, `seed ${seed}`);
  }
});

Deno.test("save-restore saves in several steps, restores every packet that was saved, and none arrives twice", async () => {
  const events = [...(await run(1)).events()];
  const bytes = of(events, "return", "EvtVmbChannelSavePacket").map(({ outs }) => outs[0]);
  const own = bytes.flatMap((saved) => saved instanceof Uint8Array ? [...saved] : []);
  assertEquals(own, Array.from({ length: 12 }, (_, index) => index + 1));
  const again = of(events, "callback", "EvtVmbChannelRestorePacket").map(({ ins }) => ins[3]);
  assertEquals(again.flatMap((saved) => saved instanceof Uint8Array ? [...saved] : []), own);
  const waited = of(events, "leave", "VmbChannelSaveContinue");
  assertEquals(waited.length > 4, true);
  const sent = of(events, "call", "VmbPacketSend").length;
  const arrived = of(events, "callback", "EvtVmbChannelProcessPacket");
  assertEquals([sent, arrived.length], [12, 12]);
  assertEquals(of(events, "callback", "EvtVmbChannelSuspend").filter(({ side }) => side === "client").length, 1);
});
