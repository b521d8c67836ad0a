// The programs over GPU virtual addresses under several seeds: each replays and audits clean; what each is about does happen.

import { audit } from "../../src/audit/mod.ts";
import { isArray, isStruct, ntSuccess, type Outcome, SYMBOLS } from "../../src/api/mod.ts";
import type { ProgramModule } from "../../src/driver/mod.ts";
import lda from "../../src/programs/lda.ts";
import reserveRace from "../../src/programs/reserve_race.ts";
import residencyStorm from "../../src/programs/residency_storm.ts";
import tiledResources from "../../src/programs/tiled_resources.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace, type Trace, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const GPU_WAIT = "D3DKMTWaitForSynchronizationObjectFromGpu";
const UPDATE = "D3DKMTUpdateGpuVirtualAddress";
const { MAP, UNMAP, COPY } = SYMBOLS.updateOperation;
const { CantTrimFurther } = SYMBOLS.makeResidentFlags;
const SEEDS = Array.from({ length: 3 }, (_, index) => index + 1);

async function traceOf(module: ProgramModule, seed: number, args: readonly string[] = []): Promise<Trace> {
  const { bytes, end } = await recordInMemory(module, { seed, args, sites: "off" });
  assertEquals([end.reason, end.message], ["ended", ""], `seed ${seed}`);
  return openTrace(bytesSource(bytes));
}

/** Rules that found something at or above warning. */
function rulesOf(trace: Trace): string[] {
  return audit(trace).findings.filter(({ severity }) => severity !== "note").map(({ rule, event }) =>
    `${rule} ${event}`
  );
}

function isRefused(outcome: Outcome | null): boolean {
  return outcome?.form === "refused" || (outcome?.form === "status" && !ntSuccess(outcome.status));
}

/** Calls that were refused, by name. */
function refusedIn(trace: Trace): string[] {
  return [...trace.events()].flatMap(({ plan, outcome }) => plan !== null && isRefused(outcome) ? [plan.name] : []);
}

/** Calls that a program may see refused: what it is about. */
const PROGRAMS = [
  { name: "tiled-resources", module: tiledResources, mayRefuse: [] },
  { name: "residency-storm", module: residencyStorm, mayRefuse: ["D3DKMTMakeResident"] },
  { name: "lda", module: lda, mayRefuse: [] },
  { name: "reserve-race", module: reserveRace, mayRefuse: ["D3DKMTReserveGpuVirtualAddress"] },
] as const;

for (const { name, module, mayRefuse } of PROGRAMS) {
  Deno.test(`${name} replays and audits clean under ${SEEDS.length} seeds, and does what it is about`, async () => {
    const orders = new Set<string>();
    const refused = new Set<string>();
    for (const seed of SEEDS) {
      const trace = await traceOf(module, seed);
      assertEquals([...validate(trace)], [], `seed ${seed}`);
      assertEquals(replay(trace).divergence, null, `seed ${seed}`);
      assertEquals(rulesOf(trace), [], `seed ${seed}`);
      for (const call of refusedIn(trace)) refused.add(call);
      orders.add([...trace.events()].map(({ kind, side, plan }) => `${kind} ${side} ${plan?.name}`).join("\n"));
    }
    assertEquals([...refused], [...mayRefuse]);
    assertEquals(orders.size, SEEDS.length);
  });
}

Deno.test("tiled-resources maps, moves and unmaps, and updates and drawing wait for each other", async () => {
  const trace = await traceOf(tiledResources, 1);
  const updates = [...trace.events()].filter(({ kind, plan }) => kind !== "leave" && plan?.name === UPDATE);
  const operations = updates.flatMap(({ ins }) => ins.flatMap((value) => isArray(value) ? value : []));
  const kinds = new Set(operations.map((value) => isStruct(value) ? value["OperationType"] : null));
  assertEquals(kinds, new Set([MAP, UNMAP, COPY]));
  const fences = updates.map(({ ins }) => ins.find((value) => typeof value === "bigint" && value > 0n) ?? 0n);
  assertEquals(fences, Array.from(updates, (_, wave) => BigInt(2 * wave)));
  const waits = [...trace.events()].filter(({ plan }) => plan?.name === GPU_WAIT);
  assertEquals(waits.map(({ ins }) => ins.at(-1)), Array.from(updates, (_, wave) => [BigInt(2 * wave + 1)]));
});

Deno.test("residency-storm trims and, with nothing left to trim, insists", async () => {
  const trace = await traceOf(residencyStorm, 1);
  const asked = [...trace.events()].filter(({ plan }) => plan?.name === "D3DKMTMakeResident");
  assert(asked.some(({ outcome }) => isRefused(outcome)), "nobody was told to trim");
  assert(asked.some(({ ins }) => ins.includes(CantTrimFurther)), "nobody insisted");
});

Deno.test("reserve-race is won by the owner and by the mapper", async () => {
  const lost = await Promise.all(SEEDS.map(async (seed) => refusedIn(await traceOf(reserveRace, seed)).length));
  assert(lost.some((count) => count > 0), "the owner never lost");
  assert(lost.every((count) => count < 12), "the owner lost every round of a run");
});

Deno.test("reserve-race -- unmap does what the audit warns of, and nothing else", async () => {
  const found = rulesOf(await traceOf(reserveRace, 1, ["unmap"]));
  assertEquals([...new Set(found.map((each) => each.split(" ")[0]))], ["gpuva-free-then-reserve"]);
});
