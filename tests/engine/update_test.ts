// D3DKMTUpdateGpuVirtualAddress, where scenarios do not reach: cancelled copies, limits, snapshots with a queue.

import { Engine, type GivenArgs } from "../../src/engine/mod.ts";
import { MAX_REPEATS } from "../../src/engine/update_steps.ts";
import { QUEUED_OPERATIONS } from "../../src/engine/update_queue.ts";
import { planOf, statusName } from "../../src/api/mod.ts";
import type { Answer } from "../support/model.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const INVALID = "STATUS_INVALID_PARAMETER";
const FAULT = "STATUS_ACCESS_VIOLATION";
const BASE = 0x400000;
const SOURCE = 0x500000;
const [MAP, UNMAP, COPY] = [0, 1, 2];

/** A rig with a zero reservation of 32 pages and a fence. */
class UpdateRig extends GpuRig {
  readonly progress: number;

  constructor(options: Readonly<Record<string, string>> = {}) {
    super(options);
    this.progress = handle(
      this.ok("D3DKMTCreateSynchronizationObject2", { hDevice: this.device, Type: 5 }).outs.hSyncObject,
    );
    this.reserveZero(BASE, 0x20000);
  }

  reserveZero(base: number, size: number): void {
    this.ok("D3DKMTReserveGpuVirtualAddress", {
      hAdapter: this.adapter,
      BaseAddress: base,
      Size: size,
      ReservationType: 1,
    });
  }

  update(operations: readonly object[], fenceValue: bigint | number = 0, flags = 0): Answer {
    const args: GivenArgs = { hDevice: this.device, hContext: this.context, hFenceObject: this.progress };
    return this.call("D3DKMTUpdateGpuVirtualAddress", {
      ...args,
      Operations: operations,
      FenceValue: fenceValue,
      Flags: flags,
    });
  }

  updateStatus(operations: readonly object[], fenceValue: bigint | number = 0): string {
    return statusName(this.update(operations, fenceValue).status);
  }

  signal(value: bigint | number): void {
    this.model.call("gpu", "SignalFence", { hSyncObject: this.progress, Value: value });
    for (const space of this.model.engine.world.spaces.values()) space.checkInvariants();
  }

  get value(): bigint | undefined {
    return [...this.model.engine.world.all("syncObject")].find(({ handle }) => handle === this.progress)?.data.value;
  }

  /** What the rig's GPU sees of some pages of BASE. */
  states(count: number): string[] {
    const [space] = this.model.engine.world.spaces.values();
    assert(space !== undefined);
    const start = BASE / 4096;
    return [...space.walk(0, { start, end: start + count })].flatMap(({ start, end, value }) =>
      Array.from({ length: end - start }, (_, index) => {
        if (value === undefined) return "free";
        return value.state === "mapped" ? `${value.allocation}:${start + index - value.origin}` : value.state;
      })
    );
  }
}

Deno.test("a copy takes nothing from source pages that were freed, also where they are reserved anew", () => {
  const rig = new UpdateRig();
  const x = rig.allocate(4);
  rig.reserveZero(SOURCE, 0x10000);
  rig.update([{ OperationType: MAP, BaseAddress: SOURCE, SizeInBytes: 0x2000, hAllocation: x }]);
  rig.update([{ OperationType: UNMAP, BaseAddress: BASE, SizeInBytes: 0x2000, Protection: 8 }]);
  rig.update([{ OperationType: COPY, SourceAddress: SOURCE, SizeInBytes: 0x2000, DestAddress: BASE }], 50);
  rig.free(SOURCE, 0x10000);
  rig.reserveZero(SOURCE, 0x10000);
  rig.signal(50);
  assertEquals([rig.states(2), rig.value], [["invalid", "invalid"], 51n]);
});

Deno.test("a queued copy of an allocation that ends copies the zero pages that are left of it", () => {
  const rig = new UpdateRig();
  const x = rig.allocate(4);
  rig.update([{ OperationType: MAP, BaseAddress: BASE, SizeInBytes: 0x2000, hAllocation: x }]);
  rig.update([{ OperationType: UNMAP, BaseAddress: BASE + 0x4000, SizeInBytes: 0x2000, Protection: 8 }]);
  rig.update([{ OperationType: COPY, SourceAddress: BASE, SizeInBytes: 0x2000, DestAddress: BASE + 0x4000 }], 50);
  rig.destroy(x);
  assertEquals(rig.states(6).slice(4), ["invalid", "invalid"]);
  rig.signal(50);
  assertEquals(rig.states(6), Array(6).fill("zero"));
});

Deno.test("what a queued copy will bring is what its source has when it runs, not when it was queued", () => {
  const rig = new UpdateRig();
  const x = rig.allocate(8);
  rig.update([{ OperationType: COPY, SourceAddress: BASE, SizeInBytes: 0x1000, DestAddress: BASE + 0x1000 }], 50);
  rig.map({ hAllocation: x, BaseAddress: BASE, OffsetInPages: 3, SizeInPages: 1 });
  rig.complete();
  rig.signal(50);
  assertEquals(rig.states(2), ["1:3", "1:3"]);
  rig.destroy(x);
  assertEquals(rig.states(2), ["zero", "zero"]);
});

Deno.test("pages of a reservation that is queued itself are invalid to a copy, and legal to map", () => {
  const rig = new UpdateRig();
  rig.reserve({ BaseAddress: SOURCE, Size: 0x10000, ReservationType: 1 });
  const x = rig.allocate(1);
  const source = { OperationType: COPY, SourceAddress: SOURCE, SizeInBytes: 0x1000, DestAddress: BASE };
  assertEquals(rig.updateStatus([source]), OK);
  assertEquals(rig.states(1), ["invalid"]);
  assertEquals(
    rig.updateStatus([{ OperationType: MAP, BaseAddress: SOURCE, SizeInBytes: 0x1000, hAllocation: x }]),
    OK,
  );
  rig.complete();
  assertEquals([rig.updateStatus([source]), rig.states(1)], [OK, ["1:0"]]);
});

Deno.test("an operation repeats its allocation so often and no more", () => {
  const rig = new UpdateRig({ "va-bits": "48" });
  const size = (MAX_REPEATS + 16) * 4096;
  rig.reserveZero(0x10000000, size);
  const x = rig.allocate(1);
  const repeat = (pages: number) => ({
    OperationType: MAP,
    BaseAddress: 0x10000000,
    SizeInBytes: pages * 4096,
    hAllocation: x,
    AllocationSizeInBytes: 0x1000,
  });
  assertEquals(rig.updateStatus([repeat(MAX_REPEATS + 1)]), INVALID);
  const args = { hDevice: rig.device, hContext: rig.context, hFenceObject: rig.progress };
  const { status } = rig.model.call(rig.side, "D3DKMTUpdateGpuVirtualAddress", {
    ...args,
    Operations: [repeat(MAX_REPEATS)],
  });
  assertEquals(status, 0);
  assertEquals(rig.access(0x10000000 + (MAX_REPEATS - 1) * 4096), OK);
  assertEquals(rig.access(0x10000000 + MAX_REPEATS * 4096 + 0x20000), FAULT);
});

Deno.test("a refused update leaves the address space as it was, whichever operation is wrong", () => {
  const rig = new UpdateRig();
  const x = rig.allocate(4);
  const [space] = rig.model.engine.world.spaces.values();
  rig.update([{ OperationType: UNMAP, BaseAddress: BASE + 0x8000, SizeInBytes: 0x1000, Protection: 8 }]);
  rig.update([{ OperationType: MAP, BaseAddress: BASE, SizeInBytes: 0x1000, hAllocation: x }], 90);
  const before = rig.states(32);
  const legal = { OperationType: MAP, BaseAddress: BASE + 0x1000, SizeInBytes: 0x2000, hAllocation: x };
  const copy = { OperationType: COPY, SourceAddress: BASE, SizeInBytes: 0x2000, DestAddress: BASE + 0x5000 };
  const illegal = { OperationType: MAP, BaseAddress: BASE + 0x8000, SizeInBytes: 0x1000, hAllocation: x };
  assertEquals(rig.updateStatus([legal, copy, illegal], 91), INVALID);
  rig.signal(200);
  assertEquals(rig.states(32), ["1:0", ...before.slice(1)]);
  assert(space !== undefined);
  assertEquals(space.vads().length, 1);
});

Deno.test("fence values of 64 bits are compared and counted up exactly", () => {
  const rig = new UpdateRig();
  const value = 2n ** 60n + 1n;
  rig.update([{ OperationType: UNMAP, BaseAddress: BASE, SizeInBytes: 0x1000, Protection: 8 }], value);
  rig.signal(value - 1n);
  assertEquals(rig.states(1), ["zero"]);
  rig.signal(value);
  assertEquals([rig.states(1), rig.value], [["invalid"], value + 1n]);
});

Deno.test("a restored engine goes on with what its companions have queued, and with calls that wait for room", () => {
  const rig = new UpdateRig();
  const x = rig.allocate(4);
  const unmap = { OperationType: UNMAP, BaseAddress: BASE + 0x10000, SizeInBytes: 0x1000, Protection: 4 };
  const copy = { OperationType: COPY, SourceAddress: BASE, SizeInBytes: 0x1000, DestAddress: BASE + 0x3000 };
  const map = { OperationType: MAP, BaseAddress: BASE, SizeInBytes: 0x1000, hAllocation: x };
  assertEquals(rig.updateStatus([map, copy, ...Array(QUEUED_OPERATIONS - 2).fill(unmap)], 10), OK);
  assertEquals(rig.update([{ ...map, BaseAddress: BASE + 0x5000 }], 11).blocked, true);
  const restored = Engine.restore(rig.model.engine.snapshot());
  assertEquals(restored.snapshot(), rig.model.engine.snapshot());
  const signal = (engine: Engine) => {
    const { plan, ins } = signalInput(engine, rig.progress);
    engine.call({ plan, ins, side: "gpu", event: 1000, insideCallback: 0 });
    return engine.takeOutputs();
  };
  assertEquals(signal(restored), signal(rig.model.engine));
  assertEquals(restored.snapshot(), rig.model.engine.snapshot());
  assertEquals(rig.states(6), ["1:0", "zero", "zero", "1:0", "zero", "1:0"]);
  assertEquals(rig.model.engine.world.companions.size, 0);
});

function signalInput(engine: Engine, hSyncObject: number) {
  const plan = planOf("SignalFence");
  return { plan, ins: engine.bind(plan, { hSyncObject, Value: 10 }) };
}

Deno.test("updates of one context never overtake each other, whatever their fences say", () => {
  const rig = new UpdateRig();
  const other = handle(
    rig.ok("D3DKMTCreateSynchronizationObject2", { hDevice: rig.device, Type: 5, InitialFenceValue: 99 }).outs
      .hSyncObject,
  );
  rig.update([{ OperationType: UNMAP, BaseAddress: BASE, SizeInBytes: 0x1000, Protection: 8 }], 5);
  rig.ok("D3DKMTUpdateGpuVirtualAddress", {
    hDevice: rig.device,
    hContext: rig.context,
    hFenceObject: other,
    Operations: [{ OperationType: UNMAP, BaseAddress: BASE + 0x1000, SizeInBytes: 0x1000, Protection: 8 }],
    FenceValue: 7,
  });
  assertEquals(rig.states(2), ["zero", "zero"]);
  rig.signal(5);
  assertEquals(rig.states(2), ["invalid", "invalid"]);
});
