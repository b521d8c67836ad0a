// The address space alone, its plain form, and random runs against an oracle that keeps every page by itself.

import fc from "fast-check";
import { AddressSpace, type PageEntry, UNIQUE_DRIVER_PROTECTION } from "../../src/engine/address_space.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";
import { FIRST, GPUS, PageOracle, PAGES } from "./page_oracle.ts";

const ENTRY: PageEntry = { state: "mapped", allocation: 7, origin: 20, protection: 1, driverProtection: 3n };

function small(): AddressSpace {
  return new AddressSpace({ physicalAdapters: 2, vaBits: 32 });
}

/** A space with something of everything in it. */
function full(): AddressSpace {
  const space = small();
  space.adapters.add(4).add(9);
  space.reserve({ start: 16, end: 32, vad: 1, baseState: "zero", driverProtection: 1n << 63n }, null);
  space.reserve({ start: 32, end: 48, vad: 2, baseState: "zero", driverProtection: 5n }, { queue: 1, fence: 1n });
  space.map({ start: 20, end: 24, gpu: 0, entry: ENTRY, vad: 0 }, null);
  const unique = { ...ENTRY, origin: 60, driverProtection: UNIQUE_DRIVER_PROTECTION };
  space.map({ start: 60, end: 70, gpu: 1, entry: unique, vad: 3 }, { queue: 2, fence: 1n });
  space.map({ start: 62, end: 64, gpu: 1, entry: { ...ENTRY, allocation: 8 }, vad: 0 }, { queue: 2, fence: 2n });
  space.map({ start: 61, end: 63, gpu: 1, entry: { ...ENTRY, allocation: 9 }, vad: 0 }, { queue: 3, fence: 1n });
  space.free({ start: 66, end: 67 });
  return space;
}

Deno.test("AddressSpace is limited to 1 to 64 GPUs and 32 to 48 bits", () => {
  for (const [physicalAdapters, vaBits] of [[0, 48], [65, 48], [1, 31], [1, 49], [1.5, 48]] as const) {
    assertThrows(() => new AddressSpace({ physicalAdapters, vaBits }), RangeError, "it must be");
  }
  assertEquals(small().pageLimit, 2 ** 20);
});

Deno.test("AddressSpace.place() gives the lowest gap from page 16 on", () => {
  const space = full();
  const everywhere = { start: 0, end: Number.MAX_SAFE_INTEGER };
  assertEquals(space.place(1, everywhere), 48);
  assertEquals(space.place(13, everywhere), 70);
  assertEquals(space.place(1, { start: 49, end: 50 }), 49);
  assertEquals(space.place(16, everywhere, { alignment: 16 }), 80);
  assertEquals(space.place(1, { start: 60, end: 66 }), undefined);
  assertEquals(space.place(1, { start: 66, end: 60 }), undefined);
  assertEquals(space.place(2 ** 20, everywhere), undefined);
});

Deno.test("AddressSpace.walk() covers the span and no more", () => {
  const pieces = [...full().walk(0, { start: 10, end: 34 })].map(({ start, end, value }) =>
    `${start}-${end} ${value?.state ?? "free"}`
  );
  assertEquals(pieces, ["10-16 free", "16-20 zero", "20-24 mapped", "24-32 zero", "32-34 invalid"]);
});

Deno.test("AddressSpace.toPlain() and fromPlain() are exact, and share nothing", () => {
  const space = full();
  const plain = space.toPlain();
  const copy = AddressSpace.fromPlain(plain);
  copy.checkInvariants();
  assertEquals(copy.toPlain(), plain);
  for (const each of [space, copy]) {
    each.complete({ queue: 3, fence: 1n });
    each.complete({ queue: 2, fence: 9n });
    each.reserve({ start: 96, end: 112, vad: 4, baseState: "zero", driverProtection: 0n }, { queue: 2, fence: 10n });
  }
  assertEquals(copy.toPlain(), space.toPlain());
  assertEquals(copy.releaseAllocation(7), []);
  assert(copy.toPlain().length !== space.toPlain().length, "the copy changes alone");
});

Deno.test("AddressSpace.fromPlain() takes nothing but a whole plain form", () => {
  const plain = full().toPlain();
  for (const length of plain.keys()) assertThrows(() => AddressSpace.fromPlain(plain.slice(0, length)), RangeError);
  assertThrows(() => AddressSpace.fromPlain([...plain, 0]), RangeError, "left over");
  assertThrows(() => AddressSpace.fromPlain(plain.with(2, 1e9)), RangeError, "elements");
});

Deno.test("AddressSpace.releaseAllocation() says which ranges ended", () => {
  const space = full();
  assertEquals([space.releaseAllocation(8), space.releaseAllocation(9), space.releaseAllocation(7)], [[], [], [3]]);
  space.checkInvariants();
  assertEquals(space.vads().map(({ number, pageCount }) => [number, pageCount]), [[1, 16], [2, 16]]);
});

const spans = fc.tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 10 })).map(([at, length]) => ({
  start: FIRST + at,
  end: FIRST + Math.min(PAGES, at + length),
}));
const gpu = fc.nat(GPUS - 1);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ verb: fc.constant("map"), span: spans, gpu, choice: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("reserve"), span: spans, gpu, choice: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("free"), span: spans, gpu, choice: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("destroy"), span: spans, gpu, choice: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("complete"), span: spans, gpu, choice: fc.nat(3) }) },
);
interface Step {
  readonly verb: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly gpu: number;
  readonly choice: number;
}

/** The engine and the oracle side by side: two queues on two GPUs, three allocations at a time. */
class Bench {
  readonly rig = new GpuRig({ "physical-adapters": String(GPUS) });
  readonly oracle = new PageOracle();
  readonly #queues: readonly number[];
  readonly #completed = [0, 0];
  readonly #held: { handle: number; number: number }[] = [];
  #made = 0;

  constructor() {
    const { rig } = this;
    const second = rig.ok("D3DKMTCreatePagingQueue", { hDevice: rig.device, PhysicalAdapterIndex: 1 }).outs;
    this.#queues = [rig.queue, handle(second.hPagingQueue)];
    for (const slot of [0, 1, 2]) this.#renew(slot);
  }

  run(step: Step): void {
    const verbs = new Map<string, () => void>([
      ["map", () => this.#map(step)],
      ["reserve", () => this.#reserve(step)],
      ["free", () => this.#free(step)],
      ["destroy", () => this.#destroy(step.choice)],
      ["complete", () => this.#complete(step)],
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

Deno.test("random runs of map, reserve, free, destroy and completion agree with the oracle", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const bench = new Bench();
      for (const each of steps) bench.run(each);
    }),
    { seed: 20240611, numRuns: 200 },
  );
});
