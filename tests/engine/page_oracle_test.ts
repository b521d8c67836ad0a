// Random runs of everything that changes pages, against an oracle that keeps every page by itself.

import fc from "fast-check";
import { AddressSpace } from "../../src/engine/address_space.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";
import { FIRST, GPUS, PageOracle, PAGES, type UpdateOperation } from "./page_oracle.ts";

const spans = fc.tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 10 })).map(([at, length]) => ({
  start: FIRST + at,
  end: FIRST + Math.min(PAGES, at + length),
}));
const gpu = fc.nat(GPUS - 1);
const operation = fc.record({
  verb: fc.constantFrom("map", "map", "zero", "invalid", "copy"),
  span: fc.tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 4 })).map(([at, length]) => ({
    start: FIRST + at,
    end: FIRST + Math.min(PAGES, at + length),
  })),
  slot: fc.nat(2),
  other: fc.integer({ min: FIRST, max: FIRST + PAGES - 4 }),
  isShort: fc.boolean(),
});
/** Operations of one target unit and one source unit, which mostly are reservations: others are refused as a whole. */
const operations = fc.tuple(
  fc.array(operation, { minLength: 1, maxLength: 3 }),
  fc.constantFrom(0, 0, 0, 1, 2),
  fc.constantFrom(0, 1),
).map(([list, target, source]) =>
  list.map((each) => {
    const at = FIRST + 16 * target + each.span.start % 6;
    const other = FIRST + 16 * source + each.other % 6;
    return { ...each, other, span: { start: at, end: at + each.span.end - each.span.start } };
  })
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ verb: fc.constant("map"), span: spans, gpu, choice: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("reserve"), span: spans, gpu, choice: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("free"), span: spans, gpu, choice: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("destroy"), span: spans, gpu, choice: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("complete"), span: spans, gpu, choice: fc.nat(3) }) },
  {
    weight: 10,
    arbitrary: fc.record({ verb: fc.constant("update"), span: spans, gpu, choice: fc.nat(2), operations }),
  },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("signal"), span: spans, gpu, choice: fc.constant(0) }) },
);
type Operation = (typeof operations extends fc.Arbitrary<infer O> ? O : never)[number];
interface Step {
  readonly verb: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly gpu: number;
  readonly choice: number;
  readonly operations?: readonly Operation[];
}

/** The engine and the oracle side by side: two queues on two GPUs, three allocations at a time. */
class Bench {
  readonly rig = new GpuRig({ "physical-adapters": String(GPUS) });
  readonly oracle = new PageOracle();
  readonly #queues: readonly number[];
  readonly #completed = [0, 0];
  readonly #contexts: readonly number[];
  readonly #fences: readonly number[];
  /** By context: the value that the newest update waits for, and those that wait. */
  readonly #issued = [0, 0];
  readonly #waiting: number[][] = [[], []];
  readonly #held: { handle: number; number: number }[] = [];
  #made = 0;

  constructor() {
    const { rig } = this;
    const second = rig.ok("D3DKMTCreatePagingQueue", { hDevice: rig.device, PhysicalAdapterIndex: 1 }).outs;
    this.#queues = [rig.queue, handle(second.hPagingQueue)];
    const create = { hDevice: rig.device, EngineAffinity: 2 };
    this.#contexts = [rig.context, handle(rig.ok("D3DKMTCreateContextVirtual", create).outs.hContext)];
    const fence = () =>
      handle(rig.ok("D3DKMTCreateSynchronizationObject2", { hDevice: rig.device, Type: 5 }).outs.hSyncObject);
    this.#fences = [fence(), fence()];
    for (const slot of [0, 1, 2]) this.#renew(slot);
    for (const start of [FIRST, FIRST + 16]) {
      const span = { start, end: start + 16 };
      this.#reserve({ verb: "reserve", span, gpu: 0, choice: 0 });
    }
  }

  run(step: Step): void {
    const verbs = new Map<string, () => void>([
      ["map", () => this.#map(step)],
      ["reserve", () => this.#reserve(step)],
      ["free", () => this.#free(step)],
      ["destroy", () => this.#destroy(step.choice)],
      ["complete", () => this.#complete(step)],
      ["update", () => this.#update(step)],
      ["signal", () => this.#signal(step)],
    ]);
    verbs.get(step.verb)?.();
    this.#compare();
  }

  #map({ span, gpu, choice }: Step): void {
    const allocation = this.#held[choice] ?? { handle: 0, number: 0 };
    const offset = allocation.number === 0 ? 0 : span.start % 5;
    const { status } = this.rig.map({
      hPagingQueue: this.#queues[gpu],
      BaseAddress: span.start * 4096,
      SizeInPages: span.end - span.start,
      hAllocation: allocation.handle,
      OffsetInPages: offset,
      Protection: allocation.number === 0 ? 4 : 1,
    });
    assertEquals(status === 0x103, this.oracle.map(span, { gpu, allocation: allocation.number, offset }), "map");
  }

  #reserve({ span, gpu, choice }: Step): void {
    const start = span.start - span.start % 16;
    const queue = choice === 0 ? null : gpu;
    const { status } = this.rig.reserve({
      hPagingQueue: queue === null ? null : this.#queues[queue],
      hAdapter: queue === null ? this.rig.adapter : null,
      BaseAddress: start * 4096,
      Size: 0x10000,
      ReservationType: choice === 1 ? 0 : 1,
    });
    const accepted = this.oracle.reserve({ start, end: start + 16 }, { queue, zero: choice !== 1 });
    assertEquals(status === 0, accepted, "reserve");
  }

  #free({ span }: Step): void {
    const status = this.rig.free(span.start * 4096, (span.end - span.start) * 4096);
    // A range in pieces is freed piece by piece, so pages of one range with a hole between are refused by both.
    assertEquals(status === "STATUS_SUCCESS", this.oracle.free(span), "free");
  }

  #destroy(slot: number): void {
    const { handle: old, number } = this.#held[slot] ?? { handle: 0, number: 0 };
    assertEquals(this.rig.destroy(old), "STATUS_SUCCESS");
    this.oracle.destroy(number);
    this.#renew(slot);
  }

  #complete({ gpu, choice }: Step): void {
    const [queue] = [...this.rig.model.engine.world.all("pagingQueue")].filter(({ data }) =>
      data.physicalAdapter === gpu
    );
    this.rig.complete((this.#completed[gpu] ?? 0) + choice, this.#queues[gpu]);
    this.oracle.complete(gpu, choice);
    this.#completed[gpu] = Number(queue?.data.completedFence ?? 0n);
  }

  /** A DoNotWait update runs behind those that wait; the others wait for values that only `#signal` brings. */
  #update({ gpu, choice, operations = [] }: Step): void {
    const waits = choice === 1;
    const value = (this.#issued[gpu] ?? 0) + 10;
    const status = this.rig.status("D3DKMTUpdateGpuVirtualAddress", {
      hDevice: this.rig.device,
      hContext: this.#contexts[gpu],
      hFenceObject: this.#fences[gpu],
      Operations: operations.map((operation) => this.#given(operation)),
      FenceValue: waits ? value : 0,
      Flags: waits ? 0 : 1,
    });
    const accepted = this.oracle.update(gpu, operations.map((operation) => this.#meant(operation)), waits);
    assertEquals(status === "STATUS_SUCCESS", accepted, `update: ${status}`);
    if (!accepted) return;
    this.#issued[gpu] = value;
    if (waits) this.#waiting[gpu]?.push(value);
    this.oracle.runUpdates(gpu, 0);
  }

  #signal({ gpu }: Step): void {
    const value = this.#waiting[gpu]?.shift();
    if (value === undefined) return;
    this.rig.call("D3DKMTSignalSynchronizationObjectFromCpu", {
      hDevice: this.rig.device,
      ObjectHandleArray: [this.#fences[gpu]],
      FenceValueArray: [value],
    });
    for (const space of this.rig.model.engine.world.spaces.values()) space.checkInvariants();
    this.oracle.runUpdates(gpu, 1);
  }

  #given({ verb, span, slot, other, isShort }: Operation): object {
    const [base, size] = [span.start * 4096, (span.end - span.start) * 4096];
    if (verb === "copy") return { OperationType: 2, SourceAddress: other * 4096, SizeInBytes: size, DestAddress: base };
    if (verb === "zero" || verb === "invalid") {
      return { OperationType: 1, BaseAddress: base, SizeInBytes: size, Protection: verb === "zero" ? 4 : 8 };
    }
    return {
      OperationType: 0,
      BaseAddress: base,
      SizeInBytes: size,
      hAllocation: this.#held[slot]?.handle,
      AllocationOffsetInBytes: 0x1000,
      AllocationSizeInBytes: isShort ? 0x1000 : 0,
    };
  }

  #meant({ verb, span, slot, other, isShort }: Operation): UpdateOperation {
    const allocation = this.#held[slot]?.number;
    const mapped = (page: number) => `${allocation}:${1 + (isShort ? 0 : page - span.start)}`;
    const content = verb === "copy" ? null : verb === "map" ? mapped : () => verb;
    return { span, content, source: other };
  }

  #renew(slot: number): void {
    this.#held[slot] = { handle: this.rig.allocate(16), number: ++this.#made };
  }

  #compare(): void {
    const [space] = this.rig.model.engine.world.spaces.values();
    assert(space !== undefined);
    for (let gpu = 0; gpu < GPUS; gpu += 1) {
      const seen = [...space.walk(gpu, { start: FIRST, end: FIRST + PAGES })].flatMap(({ start, end, value }) =>
        Array.from({ length: end - start }, (_, index) => {
          if (value === undefined) return "free";
          return value.state === "mapped" ? `${value.allocation}:${start + index - value.origin}` : value.state;
        })
      );
      assertEquals(seen, this.oracle.contents(gpu), `GPU ${gpu}`);
    }
    assertEquals(this.rig.vads(), this.oracle.vads());
    assertEquals(AddressSpace.fromPlain(space.toPlain()).toPlain(), space.toPlain());
  }
}

Deno.test("random runs of map, reserve, free, destroy, update, signal and completion agree with the oracle", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const bench = new Bench();
      for (const each of steps) bench.run(each);
    }),
    { seed: 20240611, numRuns: 250 },
  );
});
