// Random programs over the paravirtualised path: two threads of a guest's program, calls that fail here and there. Whatever the
// order, nothing is left when the process has ended, the audit finds no error, and the run replays.

import { audit } from "../../src/audit/mod.ts";
import { ntSuccess, STATUS } from "../../src/api/mod.ts";
import { defineProgram, type ProgramContext, type Random, type Thread } from "../../src/driver/mod.ts";
import { type GuestAdapter, openGuestAdapter } from "../../src/gpupv/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const SEEDS = 10;
const STEPS = 14;
const PAGE = 4096;
/** Steps of a create that may fail: each has its undo. */
const MAY_FAIL = ["CreateMdl", "VmbChannelCreateGpadlFromBuffer", "VmbChannelMapGpadl", "D3DKMTCreateAllocation2"];

/** One thread's tools, and what it holds. */
interface Hand {
  readonly thread: Thread;
  readonly dxg: GuestAdapter;
  readonly random: Random;
  readonly hDevice: number;
  readonly hPagingQueue: number;
  readonly held: { readonly hAllocation: number; readonly buffer: number; readonly pages: number }[];
}

async function randomProgram(context: ProgramContext): Promise<void> {
  const mapsGuestPages = context.random.below(2) === 1;
  const isAsyncEnabled = context.random.below(2) === 1;
  const dxg = await openGuestAdapter(context, { mapsGuestPages, isAsyncEnabled });
  const { hDevice } = await dxg.createDevice();
  const { hPagingQueue } = await dxg.createPagingQueue({ hDevice });
  const threads = ["one", "two"].map((name) =>
    context.spawn(name, async (thread) => {
      const hand: Hand = { thread, dxg: dxg.on(thread), random: context.random, hDevice, hPagingQueue, held: [] };
      for (let step = 0; step < STEPS; step += 1) await randomStep(hand);
      for (const { buffer } of await letGo(hand)) await thread.guest.FreeBuffer({ Buffer: buffer });
    })
  );
  for (const thread of threads) await thread;
  if (context.random.below(2) === 1) await dxg.exitProcess();
  await dxg.close();
}

async function randomStep(hand: Hand): Promise<void> {
  const { random, held, dxg, hDevice } = hand;
  const choice = random.below(6);
  if (choice === 0) {
    const Call = MAY_FAIL[random.below(MAY_FAIL.length)] ?? "CreateMdl";
    return void await hand.thread.machine.FailNext({ Call, Status: STATUS.STATUS_NO_MEMORY, Skip: random.below(3) });
  }
  if (choice <= 2) return await create(hand);
  const one = held[random.below(Math.max(1, held.length))];
  if (one === undefined) return;
  if (choice === 3) return await mapAndFree(hand, one);
  if (choice === 4) return void await dxg.lock({ hDevice, hAllocation: one.hAllocation });
  held.splice(held.indexOf(one), 1);
  await dxg.destroyAllocation({ hDevice, phAllocationList: [one.hAllocation] });
  await hand.thread.guest.FreeBuffer({ Buffer: one.buffer });
}

async function create({ thread, dxg, random, hDevice, held }: Hand): Promise<void> {
  const pages = 1 + random.below(40);
  const { value: buffer } = await thread.guest.AllocateBuffer({ ByteCount: pages * PAGE });
  const list = [{ pSystemMem: buffer, Size: pages * PAGE }];
  const { status, pAllocationInfo2 } = await dxg.createAllocation({ hDevice, pAllocationInfo2: list });
  if (ntSuccess(status)) held.push({ hAllocation: pAllocationInfo2[0]?.hAllocation ?? 0, buffer, pages });
  else await thread.guest.FreeBuffer({ Buffer: buffer });
}

async function mapAndFree({ thread, dxg, hPagingQueue }: Hand, one: Hand["held"][number]): Promise<void> {
  const { status, VirtualAddress, PagingFenceValue } = await dxg.mapGpuVirtualAddress({
    hPagingQueue,
    hAllocation: one.hAllocation,
    SizeInPages: one.pages,
    Protection: 1,
  });
  if (!ntSuccess(status)) return;
  await thread.gpu.CompletePaging({ hPagingQueue, FenceValue: PagingFenceValue });
  await dxg.freeGpuVirtualAddress({ BaseAddress: VirtualAddress, Size: one.pages * PAGE });
}

/** Destroys what a thread still holds; the memory behind it is its own again. */
async function letGo({ dxg, hDevice, held }: Hand): Promise<Hand["held"]> {
  for (const { hAllocation } of held) await dxg.destroyAllocation({ hDevice, phAllocationList: [hAllocation] });
  return held;
}

Deno.test(`random programs leave nothing behind, make no error, and replay, under ${SEEDS} seeds`, async () => {
  let shared = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { bytes } = await recordInMemory(defineProgram(randomProgram, { options: { wire: "on" } }), { seed });
    const trace = openTrace(bytesSource(bytes));
    assertEquals(trace.end?.reason, "ended", `seed ${seed}`);
    const { findings, pairing } = audit(trace);
    const errors = findings.filter(({ severity }) => severity === "error" || severity === "hang");
    assertEquals(errors.map(({ rule, message }) => `${rule}: ${message}`), [], `seed ${seed}`);
    for (const thing of ["gpadl", "gpadl-mapping", "buffer"]) {
      assertEquals([pairing[thing]?.leaked ?? 0, pairing[thing]?.liveAtEnd ?? 0], [0, 0], `seed ${seed}: ${thing}`);
    }
    shared += pairing["gpadl"]?.starts ?? 0;
    assertEquals(replay(trace).divergence, null, `seed ${seed}`);
  }
  assert(shared > 20, `${shared} GPADLs`);
});
