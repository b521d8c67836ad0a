// Coverage: clauses follow from the declarations and the table of rules, and the project's own scenarios exercise every
// clause that the model can show.

import {
  CATALOGUE,
  type Clause,
  clauseName,
  clausesOf,
  ORDER_CLAUSES,
  parseScenario,
  planOf,
} from "../../src/api/mod.ts";
import { audit, RULES } from "../../src/audit/mod.ts";
import { record } from "../../src/record/mod.ts";
import { BytesSink, bytesSource, openTrace } from "../../src/trace/mod.ts";
import {
  type ClauseCoverage,
  type Coverage,
  coverage,
  coverageLines,
  type FamilyCoverage,
  type Paints,
  type TraceShows,
} from "../../src/view/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const PLAIN: Paints = { bad: same, warn: same, faint: same, strong: same };

function same(text: string): string {
  return text;
}

const FOLDERS = ["gpu", "kmcl", "machine", "rules"].map((name) => new URL(`../scenarios/${name}/`, import.meta.url));

/** What the trace of a scenario shows. */
async function shownBy(text: string, file: string): Promise<TraceShows> {
  const scenario = parseScenario(text, { file });
  const output = new BytesSink();
  await record({
    what: { kind: "calls", name: file, scenario },
    output,
    options: scenario.options,
    seed: 1,
    sites: "off",
    memory: "none",
    toolVersion: "0",
    startedAt: "",
    folder: "",
  });
  const trace = openTrace(bytesSource(output.bytes()));
  const clauses = new Set<string>();
  const { findings } = audit(trace, { onClause: (name) => clauses.add(name), evidenceLimit: 0 });
  return { clauses, calls: new Set(trace.summary().calls.keys()), rules: new Set(findings.map(({ rule }) => rule)) };
}

async function scenarioCoverage(): Promise<Coverage> {
  const shown: TraceShows[] = [];
  for (const folder of FOLDERS) {
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.endsWith(".calls")) shown.push(await shownBy(await Deno.readTextFile(new URL(name, folder)), name));
    }
  }
  return coverage(CATALOGUE, shown);
}

function named({ of, text }: Clause): string {
  return clauseName(of, text);
}

/** Clauses of these families that nobody exercised, and those that were although no run can show them. */
function assertWhole(families: readonly FamilyCoverage[]): readonly ClauseCoverage[] {
  const own = families.flatMap(({ clauses }) => clauses);
  assertEquals(own.filter(({ traces, unreachable }) => traces === 0 && unreachable === null).map(named), []);
  assertEquals(own.filter(({ traces, unreachable }) => traces !== 0 && unreachable !== null).map(named), []);
  return own;
}

Deno.test("the project's scenarios exercise every clause that the model can show, and every call is modelled", async () => {
  const what = await scenarioCoverage();
  const families = what.families.filter(({ family }) => family !== "captured events");
  const own = assertWhole(families);
  assertEquals([what.kmcl.percent, what.kmcl.notModelled], [100, 0]);
  assertEquals([what.gpu.percent, what.gpu.notModelled], [100, 0]);
  assertEquals(own.filter(({ unreachable }) => unreachable !== null).map(({ of }) => of), [
    "VmbClientChannelInitSetRingBufferPageCount",
    "VmbClientChannelInitSetTargetPnp",
    "VmbChannelCreateGpadlFromBuffer",
    "VmbChannelCreateGpadlFromMdl",
    "D3DKMTOpenAdapterFromLuid",
    "D3DKMTEnumAdapters2",
    "gpadl-handle-reused-while-live",
    "irql-delivery",
    "gpuva-result-outside-constraint",
  ]);
  const lines = coverageLines(what, PLAIN);
  assertEquals(lines.slice(-2), [
    `KMCL: 100 %, ${what.kmcl.reachable} of ${what.kmcl.reachable} clauses, 0 calls not modelled`,
    `GPU: 100 %, ${what.gpu.reachable} of ${what.gpu.reachable} clauses, 0 calls not modelled`,
  ]);
});

Deno.test("clauses of a call follow from its declaration", () => {
  assertEquals(clausesOf(planOf("VmbPacketRestore")).map(({ text }) => text), [
    "succeeds",
    "refused at the other endpoint",
    "refused: PacketObject is null",
    "refused: PacketObject is no handle",
    "refused: PacketObject is a handle of what is gone",
    "refused: PacketObject is another side's",
    "succeeds: PacketObject is allocated",
    "refused: PacketObject is queued",
    "refused: PacketObject is sent",
    "refused: PacketObject is completed",
  ]);
  assertEquals(clausesOf(planOf("VmbChannelSaveContinue")).map(({ text }) => text), [
    "succeeds",
    "waits before it returns",
    "refused at the other endpoint",
    "refused above PASSIVE_LEVEL",
    "refused: Channel is null",
    "refused: Channel is no handle",
    "refused: Channel is a handle of what is gone",
    "refused: Channel is another side's",
    "answers STATUS_BUFFER_TOO_SMALL",
    "answers STATUS_BUFFER_OVERFLOW",
  ]);
  assertEquals(clausesOf(planOf("EvtVmbChannelOpened")).map(({ text }) => text), [
    "raised at the client",
    "raised at the server",
    "succeeds",
    "fails",
  ]);
});

Deno.test("no two clauses have one name, and reasons stand at clauses that there are", () => {
  const clauses = [...CATALOGUE.flatMap(clausesOf), ...ORDER_CLAUSES];
  assertEquals(new Set(clauses.map(named)).size, clauses.length);
  for (const plan of CATALOGUE) {
    const texts = clausesOf(plan).map(({ text }) => text);
    for (const text of Object.keys(plan.declaration.unreachable ?? {})) assert(texts.includes(text), plan.name);
  }
});

const OFFER = `server VmbChannelAllocate(IsServer=true) -> ok {Channel=$s}
server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
`;

Deno.test("a refusal counts for the first thing that is wrong with a call; FailNext shows no clause", async () => {
  const { clauses } = await shownBy(
    `${OFFER}client VmbServerChannelInitSetFlags(Channel=null) -> fails
server VmbServerChannelInitSetFlags(Channel=0xdead) -> fails
machine FailNext(Call="VmbChannelEnable", Status=STATUS_UNSUCCESSFUL) -> void
server VmbChannelEnable(Channel=null) -> STATUS_UNSUCCESSFUL
machine SetIrql(Side="server", Irql=DISPATCH_LEVEL) -> void
server VmbChannelCleanup(Channel=null) -> refused
`,
    "x.calls",
  );
  assertEquals([...clauses].filter((name) => /^Vmb.*(Flags|Enable|Cleanup): /.test(name)), [
    "VmbServerChannelInitSetFlags: refused at the other endpoint",
    "VmbServerChannelInitSetFlags: answers STATUS_INVALID_PARAMETER",
    "VmbServerChannelInitSetFlags: refused: Channel is no handle",
    "VmbServerChannelInitSetFlags: answers STATUS_INVALID_PARAMETER_1",
    "VmbChannelCleanup: refused above PASSIVE_LEVEL",
  ]);
});

Deno.test("an order that something breaks is not kept", async () => {
  const open = `${OFFER}server VmbChannelEnable(Channel=$s) -> ok
client VmbChannelAllocate(IsServer=false) -> ok {Channel=$c}
client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
`;
  const kept = async (lines: string) =>
    [...(await shownBy(open + lines, "x.calls")).clauses].filter((name) => name.startsWith("open while"));
  assertEquals(await kept("server VmbChannelStart(Channel=$s)\nclient VmbChannelEnable(Channel=$c)\n"), [
    "open while active: kept at the server",
    "open while active: kept at the client",
  ]);
  assertEquals(await kept("client VmbChannelEnable(Channel=$c)\nserver VmbChannelStart(Channel=$s)\n"), [
    "open while active: kept at the client",
    "open while paused: kept at the server",
  ]);
});

Deno.test("coverage without traces lists every clause with its source, and says nothing of what was exercised", () => {
  const what = coverage(CATALOGUE, null);
  assertEquals([what.traces, what.kmcl.exercised, what.kmcl.percent], [0, null, null]);
  const text = coverageLines(what, PLAIN).join("\n");
  assert(!/%|exercised in/.test(text));
  for (const name of [...Object.keys(RULES), ...CATALOGUE.map((plan) => plan.name)]) {
    assert(text.includes(`${name} (`), name);
  }
});

Deno.test("coverage with traces counts, and names what none of them exercised", () => {
  const shows: TraceShows = {
    clauses: new Set(["FreeBuffer: succeeds"]),
    calls: new Set(["FreeBuffer"]),
    rules: new Set(["gpadl-leak"]),
  };
  const what = coverage(CATALOGUE, [shows, shows]);
  const machine = what.families.find(({ family }) => family === "machine calls");
  assertEquals(machine?.exercised, 1);
  assertEquals(machine?.clauses.find(({ of, text }) => of === "FreeBuffer" && text === "succeeds")?.traces, 2);
  const gpadls = what.families.find(({ family }) => family === "rules: GPADLs");
  assertEquals([gpadls?.exercised, gpadls?.percent], [1, Math.floor(100 / (gpadls?.reachable ?? 0))]);
  const lines = coverageLines(what, PLAIN);
  assertEquals(lines[0], "Documented clauses exercised in 2 traces");
  assert(lines.some((line) => /^ {2}rules: GPADLs +5 %, 1 of 20 clauses$/.test(line)), lines.join("\n"));
  assert(
    lines.join(" ").replaceAll(/\s+/g, " ").includes(
      "FreeBuffer (the notation: a call of the machine): refused: Buffer is null;",
    ),
  );
});
