// Mappings that are kept with their range alone until something else comes near: nobody must see the difference.

import { assert, assertEquals } from "../support/assert.ts";
import fc from "fast-check";
import { AddressSpace, type PageEntry, UNIQUE_DRIVER_PROTECTION } from "../../src/engine/address_space.ts";

const EVERYWHERE = { start: 0, end: 2 ** 36 };

interface Step {
  readonly act: number;
  readonly pick: number;
  readonly size: number;
  readonly allocation: number;
  readonly isUnique: boolean;
}

/** One of two spaces that are told the same; what each answers is kept. */
class Told {
  readonly space = new AddressSpace({ physicalAdapters: 2, vaBits: 32 });
  readonly answers: unknown[] = [];
  readonly #spans: { readonly start: number; readonly end: number }[] = [];
  #vads = 0;

  tell({ act, pick, size, allocation, isUnique }: Step): void {
    const span = this.#spans[pick % Math.max(1, this.#spans.length)];
    if (act < 4) this.#map({ size, allocation, isUnique, gpu: act % 2 });
    else if (act === 4 && span !== undefined) this.answers.push(this.space.free(span));
    else if (act === 5 && span !== undefined) {
      this.answers.push(this.space.free({ start: span.start, end: Math.min(span.end, span.start + size) }));
    } else if (act === 6 && span !== undefined && this.space.isObtained(span)) {
      const entry = entryOf(allocation, { start: span.start, isUnique });
      this.space.map({ ...span, gpu: pick % 2, entry, vad: 0 }, null);
    } else if (act === 7) this.answers.push(this.space.releaseAllocation(allocation));
    else if (span !== undefined) this.answers.push([...this.space.walk(pick % 2, span)]);
  }

  #map({ size, allocation, isUnique, gpu }: Omit<Step, "act" | "pick"> & { readonly gpu: number }): void {
    const start = this.space.place(size, EVERYWHERE);
    assert(start !== undefined);
    const over = null;
    const driverProtection = isUnique ? UNIQUE_DRIVER_PROTECTION : 0n;
    const candidate = { gpu, allocation, firstPage: 0, pageCount: size, driverProtection, over };
    const isRefused = this.space.conflicts(candidate);
    this.answers.push(start, isRefused);
    if (isRefused) return;
    this.#vads += 1;
    const span = { start, end: start + size };
    const entry = entryOf(allocation, { start, isUnique });
    this.space.map({ ...span, gpu, entry, vad: this.#vads, isFree: true }, null);
    this.#spans.push(span);
  }
}

function entryOf(
  allocation: number,
  { start, isUnique }: { readonly start: number; readonly isUnique: boolean },
): PageEntry {
  const driverProtection = isUnique ? UNIQUE_DRIVER_PROTECTION : 0n;
  return { state: "mapped", allocation, origin: start, protection: 1, driverProtection };
}

Deno.test("a space does the same whether its fresh mappings settle at once or when they must", () => {
  const step = fc.record({
    act: fc.nat(8),
    pick: fc.nat(20),
    size: fc.integer({ min: 1, max: 6 }),
    allocation: fc.integer({ min: 1, max: 3 }),
    isUnique: fc.nat(9).map((chance) => chance === 0),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const [late, early] = [new Told(), new Told()];
      for (const each of steps) {
        late.tell(each);
        early.tell(each);
        early.space.toPlain();
      }
      assertEquals(late.answers, early.answers);
      assertEquals(late.space.toPlain(), early.space.toPlain());
      late.space.checkInvariants();
    }),
    { seed: 77, numRuns: 200 },
  );
});

Deno.test("AddressSpace.free() of a part of a fresh mapping leaves the rest mapped", () => {
  const { space } = new Told();
  const entry = entryOf(5, { start: 16, isUnique: false });
  space.map({ start: 16, end: 24, gpu: 0, entry, vad: 1, isFree: true }, null);
  assertEquals(space.free({ start: 18, end: 20 }), []);
  assertEquals(
    [...space.walk(0, { start: 16, end: 24 })].map(({ start, end, value }) => [start, end, value?.allocation]),
    [
      [16, 18, 5],
      [18, 20, undefined],
      [20, 24, 5],
    ],
  );
  assertEquals(space.releaseAllocation(5), [1]);
  assertEquals([space.isObtained({ start: 16, end: 17 }), space.vads()], [false, []]);
});

Deno.test("AddressSpace.pieceAt() is the piece that holds a page", () => {
  const { space } = new Told();
  space.map(
    { start: 16, end: 24, gpu: 1, entry: entryOf(5, { start: 16, isUnique: false }), vad: 1, isFree: true },
    null,
  );
  assertEquals([15, 16, 23, 24].map((page) => space.pieceAt(page)?.number), [undefined, 1, 1, undefined]);
});
