// Contexts' queues: order, waits, signals, faults, and what ends with them. What no scenario says: any order of calls, and
// an engine that is restored in the middle.

import fc from "fast-check";
import { planOf } from "../../src/api/mod.ts";
import { Engine, isSnapshot } from "../../src/engine/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const INVALID = "STATUS_INVALID_PARAMETER";
const FAULT = "STATUS_ACCESS_VIOLATION";
const REMOVED = "STATUS_DEVICE_REMOVED";
const [READ, WRITE] = [0, 1];
const [ASSUME_NOT_IN_USE, SYNCHRONOUS] = [1, 2];

function submit(rig: GpuRig, address: number | null, { context = rig.context, Access = WRITE } = {}): string {
  const Accesses = address === null ? [] : [{ VirtualAddress: address, ByteCount: 8, Access }];
  return rig.status("D3DKMTSubmitCommand", { BroadcastContext: [context], Accesses });
}

function run(rig: GpuRig, submission: number, context = rig.context): void {
  rig.model.call("gpu", "CompleteGpuWork", { hContext: context, FenceValue: submission });
}

function fences(
  rig: GpuRig,
  form: "Wait" | "Signal",
  [fence, value]: readonly [number, number],
  context = rig.context,
) {
  const args = { hContext: context, ObjectHandleArray: [fence], FenceValueArray: [value] };
  return rig.status(
    form === "Wait" ? "D3DKMTWaitForSynchronizationObjectFromGpu" : "D3DKMTSignalSynchronizationObjectFromGpu",
    args,
  );
}

function fence(rig: GpuRig): number {
  return handle(rig.ok("D3DKMTCreateSynchronizationObject2", { hDevice: rig.device, Type: 5 }).outs.hSyncObject);
}

function valueOf(rig: GpuRig, hSyncObject: number): bigint | undefined {
  return [...rig.model.engine.world.all("syncObject")].find((each) => each.handle === hSyncObject)?.data.value;
}

function mapped(rig: GpuRig, address: number): number {
  const hAllocation = rig.allocate(1);
  rig.map({ hAllocation, SizeInPages: 1, BaseAddress: address, Protection: 1 });
  return hAllocation;
}

function execution(rig: GpuRig): unknown {
  return rig.ok("D3DKMTGetDeviceState", { hDevice: rig.device, StateType: 1 }).outs.ExecutionState;
}

Deno.test("CompleteGpuWork lets submissions run, not those to come, and never fewer than before", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const f = fence(rig);
  run(rig, 9);
  for (const value of [1, 2, 3]) {
    assertEquals([submit(rig, null), fences(rig, "Signal", [f, value])], [OK, OK]);
  }
  assertEquals(valueOf(rig, f), 0n);
  run(rig, 2);
  run(rig, 1);
  assertEquals(valueOf(rig, f), 2n);
  run(rig, 2 ** 40);
  assertEquals([valueOf(rig, f), rig.model.engine.world.gpuQueues.size], [3n, 0]);
});

Deno.test("a fault ends the device's work and says where; the other accesses of its command were made", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const x = mapped(rig, 0x40000);
  rig.ok("D3DKMTSubmitCommand", {
    BroadcastContext: [rig.context],
    Accesses: [0x40000, 0x41000].map((VirtualAddress) => ({ VirtualAddress, ByteCount: 8, Access: WRITE })),
  });
  submit(rig, 0x40008);
  run(rig, 2);
  const { outs } = rig.ok("D3DKMTGetDeviceState", { hDevice: rig.device, StateType: 5 });
  assertEquals([outs.FaultedVirtualAddress, outs.PageFaultFlags, execution(rig)], [0x41000n, 9, 7]);
  const { world } = rig.model.engine;
  assertEquals([...world.memory.read({ partition: "video", page: 0x1000000, offset: 0 }, 12)].slice(0, 9), [
    0,
    0,
    4,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  assertEquals([submit(rig, null), rig.destroy(x), world.gpuQueues.size], [REMOVED, OK, 0]);
});

Deno.test("a destroyed allocation keeps addresses and pages while older work is queued", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const x = mapped(rig, 0x40000);
  submit(rig, 0x40000);
  assertEquals([rig.destroy(x), rig.destroy(x)], [OK, INVALID]);
  const y = rig.allocate(1);
  const pagesOf = (hAllocation: number) =>
    [...rig.model.engine.world.all("allocation")].find((each) => each.handle === hAllocation)?.data.pages;
  assertEquals(pagesOf(y), [0x1000001], "the first page is not free yet");
  assertEquals([rig.vads(), rig.access(0x40000)], [["vad#1 mapped"], OK]);
  submit(rig, null);
  run(rig, 1);
  assertEquals([rig.vads(), rig.access(0x40000), execution(rig)], [[], FAULT, 1]);
  assertEquals(pagesOf(rig.allocate(1)), [0x1000000]);
});

Deno.test("destroy flags: at once without waiting, or a call that waits", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const [x, y] = [mapped(rig, 0x40000), mapped(rig, 0x50000)];
  submit(rig, null);
  const destroy = (hAllocation: number, Flags: number) =>
    rig.call("D3DKMTDestroyAllocation2", { hDevice: rig.device, phAllocationList: [hAllocation], Flags });
  assertEquals([destroy(x, ASSUME_NOT_IN_USE | SYNCHRONOUS).status, rig.access(0x40000)], [0, FAULT]);
  const { event, blocked } = destroy(y, SYNCHRONOUS);
  assertEquals([blocked, rig.access(0x50000), rig.model.leaves.length], [true, OK, 0]);
  run(rig, 1);
  assertEquals(rig.access(0x50000), FAULT);
  assertEquals(rig.model.leaves.map((leave) => leave.event), [event]);
});

Deno.test("the end of a context drops its commands, and lets go of what they kept", () => {
  const rig = new GpuRig({ paging: "immediate" });
  const x = mapped(rig, 0x40000);
  submit(rig, 0x40000);
  rig.destroy(x);
  rig.ok("D3DKMTDestroyContext", { hContext: rig.context });
  assertEquals([rig.vads(), rig.model.engine.world.gpuQueues.size, rig.model.engine.world.dying.size], [[], 0, 0]);
});

Deno.test("an allocation that a queue still brings in when it is destroyed comes in for older work", () => {
  const rig = new GpuRig();
  const x = mapped(rig, 0x40000);
  rig.complete();
  rig.ok("D3DKMTMakeResident", { hPagingQueue: rig.queue, AllocationList: [x] });
  fences(rig, "Wait", [rig.fence, 2]);
  submit(rig, 0x40000);
  run(rig, 1);
  assertEquals([rig.destroy(x), rig.model.engine.world.dying.size], [OK, 1]);
  rig.complete();
  assertEquals([execution(rig), rig.vads()], [1, []]);
});

Deno.test("Engine.restore() knows queued work, dying allocations and what is to come in", () => {
  const rig = new GpuRig();
  const [x, y] = [mapped(rig, 0x40000), mapped(rig, 0x50000)];
  const f = fence(rig);
  rig.ok("D3DKMTMakeResident", { hPagingQueue: rig.queue, AllocationList: [x, y] });
  fences(rig, "Wait", [rig.fence, 3]);
  submit(rig, 0x40000, { Access: READ });
  fences(rig, "Signal", [f, 4]);
  rig.destroy(x);
  const snapshot = rig.model.engine.snapshot();
  assert(isSnapshot(snapshot));
  assertEquals([snapshot.gpuQueues.size, snapshot.dying.size], [1, 1]);
  assert(!isSnapshot({ ...snapshot, gpuQueues: new Map([[1, { device: 1, commands: [{ form: "work" }] }]]) }));
  const other = Engine.restore(snapshot);
  assertEquals(other.snapshot(), snapshot);
  for (const engine of [rig.model.engine, other]) {
    const same = new GpuRigOf(engine);
    same.finish(rig);
  }
  assertEquals(other.snapshot(), rig.model.engine.snapshot());
  assertEquals([valueOf(rig, f), rig.vads()], [4n, ["vad#2 mapped"]]);
});

/** An engine to which the ending of a rig's work happens. */
class GpuRigOf {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  finish({ queue, context }: GpuRig): void {
    this.#call("CompletePaging", { hPagingQueue: queue, FenceValue: 9 });
    this.#call("CompleteGpuWork", { hContext: context, FenceValue: 9 });
    this.#engine.takeOutputs();
  }

  #call(name: "CompletePaging" | "CompleteGpuWork", args: Readonly<Record<string, number>>): void {
    const plan = planOf(name);
    this.#engine.call({ plan, side: "gpu", ins: this.#engine.bind(plan, args), event: 900, insideCallback: 0 });
  }
}

type Step = readonly ["work" | "wait" | "signal" | "grant" | "cpu", context: 0 | 1, fence: 0 | 1, value: number];

/** Contexts as plain lists that are walked until nothing moves. */
class Oracle {
  readonly values = [0, 0];
  readonly #lists: Step[][] = [[], []];
  readonly #ran = [0, 0];
  readonly #made = [0, 0];
  readonly #granted = [0, 0];

  step(step: Step): void {
    const [what, context, fence, value] = step;
    if (what === "cpu") this.values[fence] = value;
    else if (what === "grant") {
      this.#granted[context] = Math.max(this.#granted[context] ?? 0, Math.min(value, this.#made[context] ?? 0));
    } else {
      if (what === "work") this.#made[context] = (this.#made[context] ?? 0) + 1;
      this.#lists[context]?.push(step);
    }
    while (this.#passWaits() || this.#move(0) || this.#move(1));
  }

  /** Waits that are met at this moment are over, before anything else happens. */
  #passWaits(): boolean {
    const met = this.#lists.filter(([next]) => next?.[0] === "wait" && (this.values[next[2]] ?? 0) >= next[3]);
    for (const list of met) list.shift();
    return met.length > 0;
  }

  #move(context: number): boolean {
    const list = this.#lists[context] ?? [];
    const [next] = list;
    const ran = this.#ran[context] ?? 0;
    if (next === undefined || next[0] === "wait") return false;
    if (next[0] === "work" && ran + 1 > (this.#granted[context] ?? 0)) return false;
    if (next[0] === "work") this.#ran[context] = ran + 1;
    else this.values[next[2]] = next[3];
    list.shift();
    return true;
  }

  /** Commands that have not run, by context. */
  lengths(): number[] {
    return this.#lists.map(({ length }) => length);
  }
}

function checkOrder(steps: readonly Step[]): void {
  const rig = new GpuRig({ paging: "immediate" });
  const second = handle(rig.ok("D3DKMTCreateContextVirtual", { hDevice: rig.device }).outs.hContext);
  const contexts = [rig.context, second];
  const made = [fence(rig), fence(rig)];
  const oracle = new Oracle();
  for (const step of steps) {
    const [what, which, of, value] = step;
    const context = contexts[which] ?? 0;
    const target = [made[of] ?? 0, value] as const;
    if (what === "work") submit(rig, null, { context });
    else if (what === "grant") run(rig, value, context);
    else if (what === "cpu") rig.model.call("gpu", "SignalFence", { hSyncObject: target[0], Value: value });
    else fences(rig, what === "wait" ? "Wait" : "Signal", target, context);
    oracle.step(step);
    assertEquals(made.map((each) => valueOf(rig, each)), oracle.values.map(BigInt));
    const { gpuQueues } = rig.model.engine.world;
    assertEquals([1, 2].map((number) => gpuQueues.get(number)?.commands.length ?? 0), oracle.lengths());
  }
}

Deno.test("work, waits and signals of two contexts run as plain lists would", () => {
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.constantFrom("work", "wait", "signal", "grant", "cpu"),
    fc.constantFrom(0, 1),
    fc.constantFrom(0, 1),
    fc.nat(4),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 30, size: "max" }), checkOrder), { numRuns: 60, seed: 7 });
});
