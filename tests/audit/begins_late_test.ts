// A trace that begins in the middle of its run, as a ring's does, accuses nobody: of every clean scenario each later part, from
// any event on, has no certain finding.

import { audit } from "../../src/audit/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { header } from "../support/events.ts";
import { runScenarioFile, runScenarioText } from "../support/scenario.ts";
import { traceOf } from "./story.ts";

const FOLDER = new URL("../scenarios/", import.meta.url);
const FOLDERS = ["kmcl", "rules", "machine", "gpu"];

/** Certain findings above a note, of the events after one. */
function accusations(events: readonly TraceEvent[], startsAfter: number, whole = header()): readonly string[] {
  const part = traceOf(events.filter(({ event }) => event > startsAfter), { header: { ...whole, startsAfter } });
  return audit(part, { evidenceLimit: 0 }).findings
    .filter(({ verdict, severity }) => verdict === "certain" && severity !== "note")
    .map(({ rule, message }) => `after @${startsAfter}: ${rule}: ${message}`);
}

for (const folder of FOLDERS) {
  Deno.test(`no later part of a clean scenario in ${folder}/ accuses anybody`, async () => {
    const names = [...Deno.readDirSync(new URL(`${folder}/`, FOLDER))].map(({ name }) => name).sort();
    for (const name of names.filter((each) => each.endsWith(".calls"))) {
      const { trace, findings } = await runScenarioFile(new URL(`${folder}/${name}`, FOLDER));
      if (findings.some(({ severity }) => severity !== "note")) continue;
      const events = [...trace.events()];
      for (const { event } of events) assertEquals(accusations(events, event, trace.header), [], name);
    }
  });
}

const OPEN = `
server VmbChannelAllocate(IsServer=true) -> ok {Channel=$s}
server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
server VmbChannelEnable(Channel=$s) -> ok
server VmbChannelStart(Channel=$s) -> void
client VmbChannelAllocate(IsServer=false) -> ok {Channel=$c}
client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
client VmbChannelEnable(Channel=$c) -> ok`;

Deno.test("what a later part proves is told as ever: a double map, a packet freed twice, a packet that is never sent", async () => {
  const { trace } = await runScenarioText(
    `${OPEN}
guest AllocateBuffer(ByteCount=4096) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=4096) -> ok {GpadlHandle=$g}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails
client VmbPacketAllocate(Channel=$c) -> $p
client VmbPacketFree(VmbPacket=$p) -> void
client VmbPacketFree(VmbPacket=$p) -> refused
client VmbPacketAllocate(Channel=$c)`,
    "late.calls",
  );
  const events = [...trace.events()];
  const opened = events.find(({ plan }) => plan?.name === "AllocateBuffer");
  const found = accusations(events, (opened?.event ?? 0) - 1, trace.header).map((each) => each.split(": ")[1]);
  assertEquals(found.sort(), [
    "gpadl-double-map",
    "gpadl-leak",
    "gpadl-mapping-leak",
    "packet-double-free",
    "packet-leak",
  ]);
});

Deno.test("an endpoint that opens without callbacks is open as soon as something needs that: its peer may be older than the trace", async () => {
  const { trace } = await runScenarioText(
    `!option initial-callbacks=none${OPEN}
guest AllocateBuffer(ByteCount=4096) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=4096) -> ok {GpadlHandle=$g}
client VmbChannelGetMmioSpace(Channel=$c) -> void
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> void
client VmbChannelDisable(Channel=$c) -> void
client VmbChannelCleanup(Channel=$c) -> void
server VmbChannelDisable(Channel=$s) -> void
server VmbChannelCleanup(Channel=$s) -> void`,
    "quiet.calls",
  );
  const events = [...trace.events()];
  for (const { event } of events) assertEquals(accusations(events, event, trace.header), []);
});
