// Engine and audit, each with a model of its own, about the same random calls: what is left at the end, and which frees
// are wrong. Neither knows the other; here both are asked.

import fc from "fast-check";
import { type CallName, defaultOptions, isArray, isRef, isStruct, planOf, type Value } from "../../src/api/mod.ts";
import { gpuVaDetector } from "../../src/audit/gpu_va_rules.ts";
import { Engine, type GivenArgs } from "../../src/engine/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { EventList } from "../support/events.ts";
import { detect } from "./detect.ts";

const PAGE = 4096;
const FIRST = 0x100000;
const BASES = 20;

/** The engine, and the events of what was asked of it. */
class Recorded {
  readonly engine = new Engine({ ...defaultOptions(), "physical-adapters": "2" });
  readonly list = new EventList();

  call(side: string, name: CallName, args: GivenArgs): readonly Value[] {
    const plan = planOf(name);
    const ins = this.engine.bind(plan, args);
    const event = this.list.events.length + 1;
    const result = this.engine.call({ plan, side, ins, event, insideCallback: 0 });
    this.engine.takeOutputs();
    assert(!result.blocked, `${name} does not wait here`);
    this.list.add({ kind: "call", plan, side, ins, outs: result.outs, outcome: result.outcome });
    return result.outs;
  }
}

interface Handles {
  readonly adapter: number;
  readonly device: number;
  readonly queues: readonly number[];
  readonly allocations: number[];
}

function handleOf(value: Value | undefined): number {
  return value !== undefined && isRef(value) ? value.handle : 0;
}

function open(world: Recorded): Handles {
  const adapter = handleOf(world.call("umd", "D3DKMTOpenAdapterFromLuid", { AdapterLuid: 1n })[0]);
  const device = handleOf(world.call("umd", "D3DKMTCreateDevice", { hAdapter: adapter })[0]);
  const queues = [0, 1, 0].map((PhysicalAdapterIndex) =>
    handleOf(world.call("umd", "D3DKMTCreatePagingQueue", { hDevice: device, PhysicalAdapterIndex })[0])
  );
  return { adapter, device, queues, allocations: [0, 0, 0].map(() => allocate(world, device)) };
}

function allocate(world: Recorded, hDevice: number): number {
  const args = { hDevice, pAllocationInfo2: [{ Size: 8n * BigInt(PAGE) }] };
  const made = world.call("umd", "D3DKMTCreateAllocation2", args)[1];
  const [first] = made !== undefined && isArray(made) ? made : [];
  return first !== undefined && isStruct(first) ? handleOf(first["hAllocation"]) : 0;
}

const STEPS = fc.array(
  fc.record({
    verb: fc.constantFrom("map", "map", "map", "zero", "reserve", "free", "free", "destroy", "complete"),
    base: fc.nat(BASES).map((base) => base & ~1),
    isAnywhere: fc.constantFrom(false, false, false, true),
    pages: fc.constantFrom(1, 2, 2, 4, 8),
    which: fc.nat(2),
    queue: fc.nat(2),
  }),
  { minLength: 20, maxLength: 60 },
);
type Step = typeof STEPS extends fc.Arbitrary<readonly (infer S)[]> ? S : never;

function run(world: Recorded, handles: Handles, { verb, base, isAnywhere, pages, which, queue }: Step): void {
  const hPagingQueue = handles.queues[queue] ?? 0;
  const hAllocation = handles.allocations[which] ?? 0;
  const address = BigInt(FIRST + base * PAGE);
  const BaseAddress = isAnywhere && verb !== "free" ? 0n : address;
  const mapped = { hPagingQueue, BaseAddress, SizeInPages: BigInt(pages) };
  if (verb === "map") world.call("umd", "D3DKMTMapGpuVirtualAddress", { ...mapped, hAllocation, Protection: 1n });
  else if (verb === "zero") world.call("umd", "D3DKMTMapGpuVirtualAddress", { ...mapped, Protection: 4n });
  else if (verb === "reserve") {
    const from = BaseAddress === 0n ? 0n : BigInt(FIRST + (base >> 4) * 16 * PAGE);
    world.call("umd", "D3DKMTReserveGpuVirtualAddress", { hPagingQueue, BaseAddress: from, Size: 0x10000n });
  } else if (verb === "free") {
    const args = { hAdapter: handles.adapter, BaseAddress, Size: BigInt(pages * PAGE) };
    world.call("umd", "D3DKMTFreeGpuVirtualAddress", args);
  } else if (verb === "complete") world.call("gpu", "CompletePaging", { hPagingQueue, FenceValue: BigInt(pages) });
  else {
    world.call("umd", "D3DKMTDestroyAllocation2", { hDevice: handles.device, phAllocationList: [hAllocation] });
    handles.allocations[which] = allocate(world, handles.device);
  }
}

Deno.test("Engine and audit agree on what is left, and on which frees are wrong", () => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const world = new Recorded();
      const handles = open(world);
      for (const step of steps) run(world, handles, step);
      const { drafts } = detect([gpuVaDetector()], world.list.events);
      const leaks = drafts.filter(({ rule }) => rule === "gpuva-leak" || rule === "gpuva-reservation-leak");
      const left = [...world.engine.world.all("vad")].map(({ number }) => number);
      assertEquals(leaks.map(({ object }) => object?.number ?? 0).sort(byNumber), left.sort(byNumber));
      for (const { event, plan, outcome } of world.list.events) {
        if (plan?.name !== "D3DKMTFreeGpuVirtualAddress" || outcome?.form !== "status") continue;
        const wrong = drafts.filter(({ rule, evidence }) =>
          rule !== "gpuva-partial-free" && evidence.at(-1)?.event === event
        );
        assertEquals(wrong.length, outcome.status === 0 ? 0 : 1, `the free @${event}`);
      }
    }),
    { seed: 77, numRuns: 120 },
  );
});

function byNumber(left: number, right: number): number {
  return left - right;
}
