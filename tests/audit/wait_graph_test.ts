// Who waits for whom: cycles of waits told in words with their evidence, and waits that come back to nobody.

import { parseScenario } from "../../src/api/mod.ts";
import { audit, type Finding, type RuleName } from "../../src/audit/mod.ts";
import { record } from "../../src/record/mod.ts";
import { BytesSink, bytesSource, openTrace } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";

const OPEN = `server VmbChannelAllocate(IsServer=true) -> ok {Channel=$s}
server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
server VmbChannelEnable(Channel=$s) -> ok
server VmbChannelStart(Channel=$s)
client VmbChannelAllocate(IsServer=false) -> ok {Channel=$c}
client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
client VmbChannelEnable(Channel=$c) -> ok
`;
const MAPPED = `${OPEN}guest AllocateBuffer(ByteCount=8192) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$g}
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok
`;

/** The findings of a rule in what a scenario records; it need not hold. */
async function found(rule: RuleName, text: string): Promise<readonly Finding[]> {
  const output = new BytesSink();
  const scenario = parseScenario(text, { file: "x.calls" });
  const { scenario: report } = await record({
    what: { kind: "calls", name: "x", scenario },
    output,
    options: scenario.options,
    seed: 1,
    sites: "off",
    memory: "none",
    toolVersion: "0",
    startedAt: "",
    folder: "",
  });
  assertEquals(report?.failures, []);
  return audit(openTrace(bytesSource(output.bytes()))).findings.filter((finding) => finding.rule === rule);
}

function toldOf(finding: Finding | undefined): string {
  return (finding?.message ?? "").replaceAll(/@\d+/g, "@").replaceAll(/ at x\.calls:\d+/g, "");
}

function rolesOf(finding: Finding | undefined): string[] {
  return finding?.evidence.map(({ role, call, side }) => `${role} ${call} ${side}`) ?? [];
}

Deno.test("a delete inside Closed that waits for a server which waits for that Closed is a deadlock across both endpoints", async () => {
  const [finding] = await found(
    "gpadl-delete-deadlock",
    `${MAPPED}server VmbChannelDisable(Channel=$s) -> blocked
  callback server EvtVmbChannelSuspend(Channel=$s)
  callback client EvtVmbChannelSuspend(Channel=$c)
  callback server EvtVmbChannelClosed(Channel=$s)
  callback client EvtVmbChannelClosed(Channel=$c) blocked @closed
    client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked
`,
  );
  assertEquals(
    toldOf(finding),
    "The delete of gpadl#1 @ waits for the mapping made by the server @, which was never unmapped: the server waits in " +
      "VmbChannelDisable @; VmbChannelDisable @ waits for EvtVmbChannelClosed @ of the client to return; which waits for " +
      "VmbChannelDeleteGpadl @: a deadlock across both endpoints",
  );
  assertEquals(rolesOf(finding).slice(-2), [
    "blocked VmbChannelDisable server",
    "running EvtVmbChannelClosed client",
  ]);
});

Deno.test("a server that waits for its own callback, in which nothing waits, is no part of a circle", async () => {
  const [finding] = await found(
    "gpadl-delete-deadlock",
    `${MAPPED}client VmbPacketAllocate(Channel=$c) -> $p
client VmbPacketSend(PacketObject=$p, Buffer=h'01') -> ok
  callback server EvtVmbChannelProcessPacket(Channel=$s, Packet=completion#1, Buffer=h'0100000000000000') blocked @packet
server VmbChannelPause(Channel=$s) -> blocked
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked
`,
  );
  assertEquals(toldOf(finding).endsWith("which was never unmapped"), true, toldOf(finding));
});

Deno.test("a delete that waits for a mapping whose thread waits for nothing is a hang, and no cycle is told", async () => {
  const [finding] = await found(
    "gpadl-delete-deadlock",
    `${MAPPED}client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked\n`,
  );
  assertEquals(
    toldOf(finding),
    "The delete of gpadl#1 @ waits for the mapping made by the server @, which was never unmapped",
  );
  assertEquals(rolesOf(finding).map((role) => role.split(" ")[0]), ["created", "holder", "blocked"]);
});

Deno.test("a Pause inside the ProcessPacket that it waits for is told as a circle at one endpoint", async () => {
  const findings = await found(
    "packet-never-completed-hang",
    `${OPEN}client VmbPacketAllocate(Channel=$c) -> $p
client VmbPacketSend(PacketObject=$p, Buffer=h'01') -> ok
  callback server EvtVmbChannelProcessPacket(Channel=$s, Packet=completion#1, Buffer=h'0100000000000000') blocked @packet
    server VmbChannelPause(Channel=$s) -> blocked
`,
  );
  assertEquals(findings.map((finding) => toldOf(finding).replace(/^.*which nobody completed: /, "")), [
    "VmbChannelPause @ waits for EvtVmbChannelProcessPacket @ of the server to return; which waits for VmbChannelPause @: " +
    "a deadlock at the server",
  ]);
});

Deno.test("a Disable that waits for packets which no callback holds is a hang, and no cycle is told", async () => {
  const findings = await found(
    "packet-never-completed-hang",
    `${OPEN}client VmbPacketAllocate(Channel=$c) -> $p
client VmbPacketSend(PacketObject=$p, Buffer=h'01') -> ok
server VmbChannelDisable(Channel=$s) -> blocked
`,
  );
  assertEquals(findings.map((finding) => toldOf(finding).endsWith("which nobody completed")), [true]);
});
