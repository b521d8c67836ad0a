// The pages of the partitions: what is written is read back, and nobody's bytes change behind their back.

import fc from "fast-check";
import { Memory, type MemoryState } from "../../src/engine/memory.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const PAGE_BYTES = 4096;
const PAGES = 3;

/** Pages as a plain array of numbers each: the oracle. */
type Plain = number[][];

interface Write {
  readonly page: number;
  readonly offset: number;
  readonly length: number;
  readonly fill: number;
}

type Step =
  | ({ readonly does: "write" } & Write)
  | { readonly does: "snapshot" | "restore" }
  | { readonly does: "renew"; readonly page: number };

const page = fc.nat(PAGES - 1);
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(page, fc.constantFrom(0, 1, 4000), fc.nat(90), fc.integer({ min: 1, max: 255 })) },
  { weight: 6, arbitrary: fc.tuple(page, fc.constant(0), fc.constant(PAGE_BYTES), fc.integer({ min: 1, max: 255 })) },
).map(([page, offset, length, fill]) => ({ does: "write" as const, page, offset, length, fill }));
const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: arbitraryStep },
    { weight: 1, arbitrary: fc.constantFrom({ does: "snapshot" as const }, { does: "restore" as const }) },
    { weight: 1, arbitrary: page.map((page) => ({ does: "renew" as const, page })) },
  ),
  { maxLength: 25 },
);

/** A memory beside its oracle, with everything that was ever handed over and how it was then. */
class Pair {
  readonly memory = new Memory();
  readonly first: number;
  readonly kept: { readonly now: unknown; readonly then: unknown }[] = [];
  plain: Plain = Array.from({ length: PAGES }, () => new Array<number>(PAGE_BYTES).fill(0));
  #saved: { readonly state: MemoryState; readonly plain: Plain } | null = null;

  constructor() {
    this.first = this.memory.allocate("guest", PAGES)[0] ?? 0;
  }

  take(step: Step): void {
    if (step.does === "write") this.#write(step);
    else if (step.does === "renew") this.#renew(step.page);
    else if (step.does === "snapshot") this.#snapshot();
    else if (this.#saved !== null) {
      this.memory.restore(this.#saved.state);
      this.plain = structuredClone(this.#saved.plain);
    }
  }

  #write({ page, offset, length, fill }: Write): void {
    const bytes = new Uint8Array(length).fill(fill);
    this.memory.write({ partition: "guest", page: this.first + page, offset }, bytes);
    this.plain[page]?.fill(fill, offset, offset + length);
    this.kept.push({ now: bytes, then: bytes.slice() });
  }

  /** A page that was freed is zero when it is given out again. */
  #renew(page: number): void {
    this.memory.free("guest", [this.first + page]);
    assertEquals(this.memory.allocate("guest", 1), [this.first + page]);
    this.plain[page]?.fill(0);
  }

  #snapshot(): void {
    const state = this.memory.toPlain();
    this.kept.push({ now: state, then: structuredClone(state) });
    this.#saved = { state, plain: structuredClone(this.plain) };
  }
}

Deno.test("Memory reads what was written; written bytes and snapshots stay as they were given", () => {
  fc.assert(
    fc.property(arbitrarySteps, (steps) => {
      const pair = new Pair();
      for (const step of steps) pair.take(step);
      for (const [index, bytes] of pair.plain.entries()) {
        const read = pair.memory.read({ partition: "guest", page: pair.first + index, offset: 0 }, PAGE_BYTES);
        assertEquals([...read], bytes);
        read.fill(0xee);
      }
      for (const { now, then } of pair.kept) assertEquals(now, then);
    }),
    { seed: 6, numRuns: 60 },
  );
});

Deno.test("Memory refuses to touch bytes behind a page's end", () => {
  const memory = new Memory();
  const at = { partition: "host", page: 0x100000, offset: 4090 } as const;
  assertThrows(() => memory.write(at, new Uint8Array(7)), RangeError, "7 bytes at offset 4090");
  assertThrows(() => memory.read({ ...at, offset: -1 }, 1), RangeError);
});
