// The fold of an address space against a plain map of pages: random histories, every answer compared.
// It must not know how the fold keeps ranges.

import fc from "fast-check";
import type { Evidence } from "../../src/audit/finding.ts";
import { GpuVaSpace, type PageSpan } from "../../src/audit/gpu_va_fold.ts";
import { assert, assertEquals } from "../support/assert.ts";

const PAGES = 24;
const GPUS = 2;
const ALLOCATIONS = 3;

/** Allocation, allocation page, and the event that mapped it. */
type Entry = readonly [allocation: number, page: number, event: number];

interface PlainEntries {
  done: Entry | null;
  queued: Entry[];
}

interface PlainPage {
  readonly range: number;
  readonly kind: "reserved" | "mapped";
  readonly gpus: readonly PlainEntries[];
}

/** Slow and obvious: one record per page. */
class PlainSpace {
  readonly pages = new Map<number, PlainPage>();
  readonly released = new Map<number, string>();

  obtain({ start, end }: PageSpan, range: number, kind: "reserved" | "mapped"): boolean {
    let isNew = false;
    for (let page = start; page < end; page++) {
      if (this.pages.has(page)) continue;
      this.pages.set(page, { range, kind, gpus: Array.from({ length: GPUS }, () => ({ done: null, queued: [] })) });
      this.released.delete(page);
      isNew = true;
    }
    return isNew;
  }

  map({ start, end }: PageSpan, gpu: number, how: { first: number; allocation: number; event: number; fence: bigint }) {
    for (let page = start; page < end; page++) {
      const entries = this.pages.get(page)?.gpus[gpu];
      if (entries === undefined) continue;
      const entry = [how.allocation, how.first + page - start, how.event] as const;
      if (how.fence === 0n) entries.done = entry;
      else entries.queued.push(entry);
    }
  }

  /** Maps were issued with their event's number as fence value. */
  complete(fence: number): void {
    for (const { gpus } of this.pages.values()) {
      for (const entries of gpus) {
        const done = entries.queued.filter(([, , event]) => event <= fence);
        entries.done = done.at(-1) ?? entries.done;
        entries.queued = entries.queued.filter(([, , event]) => event > fence);
      }
    }
  }

  free({ start, end }: PageSpan, event: number): void {
    for (let page = start; page < end; page++) {
      if (this.pages.delete(page)) this.released.set(page, `freed @${event}`);
    }
  }

  releaseAllocation(allocation: number, event: number): void {
    for (const [page, { kind, gpus }] of this.pages) {
      let wasMapped = false;
      for (const entries of gpus) {
        const before = count(entries);
        if (entries.done?.[0] === allocation) entries.done = null;
        entries.queued = entries.queued.filter(([owner]) => owner !== allocation);
        wasMapped ||= count(entries) < before;
      }
      if (!wasMapped || kind === "reserved" || gpus.some((entries) => count(entries) > 0)) continue;
      this.pages.delete(page);
      this.released.set(page, `auto @${event}`);
    }
  }
}

function count({ done, queued }: PlainEntries): number {
  return queued.length + (done === null ? 0 : 1);
}

function newest({ done, queued }: PlainEntries): Entry | null {
  return queued.at(-1) ?? done;
}

type Step =
  & {
    readonly verb: "map" | "queue" | "reserve" | "free" | "release" | "complete";
    readonly gpu: number;
    readonly allocation: number;
  }
  & PageSpan;

const STEPS = fc.array(
  fc.record({
    verb: fc.constantFrom("map", "queue", "queue", "reserve", "free", "release", "complete"),
    gpu: fc.nat(GPUS - 1),
    allocation: fc.nat(ALLOCATIONS),
    start: fc.nat(PAGES - 2),
    length: fc.integer({ min: 1, max: 9 }),
  }),
  { maxLength: 60 },
);

function evidenceAt(event: number, role = "mapped"): Evidence {
  return { event, role, site: null, call: "", side: "umd" };
}

function apply(space: GpuVaSpace, plain: PlainSpace, step: Step, event: number): void {
  const { verb, gpu, allocation, start, end } = step;
  const span = { start, end };
  if (verb === "free") {
    space.free(span, evidenceAt(event));
    return plain.free(span, event);
  }
  if (verb === "release") {
    space.releaseAllocation(Math.max(allocation, 1), evidenceAt(event));
    return plain.releaseAllocation(Math.max(allocation, 1), event);
  }
  if (verb === "complete") {
    space.complete({ queue: 1, fence: BigInt(event - start) });
    return plain.complete(event - start);
  }
  const kind = verb === "reserve" ? "reserved" as const : "mapped" as const;
  const paging = { queue: 1, fence: verb === "queue" ? BigInt(event) : 0n };
  const made = space.obtain(span, { number: event, kind, obtained: evidenceAt(event, kind), paging });
  assertEquals(made, plain.obtain(span, event, kind));
  if (verb === "reserve") return;
  const first = start % 3;
  const mapping = { allocation, origin: start - first, driverProtection: 0n, paging, mapped: evidenceAt(event) };
  space.map(span, { gpu, mapping });
  plain.map(span, gpu, { allocation, first, event, fence: paging.fence });
}

function compare(space: GpuVaSpace, plain: PlainSpace): void {
  space.checkInvariants();
  for (let page = 0; page < PAGES + 8; page++) {
    const span = { start: page, end: page + 1 };
    const expected = plain.pages.get(page);
    assertEquals(space.rangeAt(page)?.number, expected?.range);
    assertEquals(space.isObtained(span), expected !== undefined);
    for (let gpu = 0; gpu < GPUS; gpu++) {
      const entries = expected?.gpus[gpu];
      const entry = entries === undefined ? null : newest(entries);
      const [mapping] = space.mappingsIn(span, gpu);
      const shown = mapping === undefined ? undefined : [mapping.value.allocation, page - mapping.value.origin];
      assertEquals(shown, entry === null ? undefined : [entry[0], entry[1]]);
    }
    const [release] = space.releasesIn(span);
    const shown = release === undefined ? undefined : `${release.reason} @${release.released.event}`;
    assertEquals(shown, plain.released.get(page));
  }
  compareWhole(space, plain);
}

function compareWhole(space: GpuVaSpace, plain: PlainSpace): void {
  const counts = new Map<number, number>();
  for (const { range } of plain.pages.values()) counts.set(range, (counts.get(range) ?? 0) + 1);
  const shown = new Map([...space.left()].map(({ range: { number, pageCount } }) => [number, pageCount]));
  assertEquals(shown, counts);
  for (let allocation = 1; allocation <= ALLOCATIONS; allocation++) {
    const expected = [...plain.pages].flatMap(([page, { gpus }]) =>
      gpus.flatMap((entries, gpu) => {
        const entry = newest(entries);
        return entry !== null && entry[0] === allocation ? [`${gpu} ${page} ${entry[1]}`] : [];
      })
    );
    const places = [...space.mappingsOf(allocation)].flatMap(({ gpu, start, end, value }) =>
      Array.from({ length: end - start }, (_, index) => `${gpu} ${start + index} ${start + index - value.origin}`)
    );
    assertEquals(places.sort(), expected.sort());
  }
}

Deno.test("GpuVaSpace agrees with a plain map of pages", () => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const [space, plain] = [new GpuVaSpace(), new PlainSpace()];
      for (const [index, { length, ...step }] of steps.entries()) {
        apply(space, plain, { ...step, end: step.start + length }, index + 1);
        compare(space, plain);
      }
    }),
    { seed: 20240311, numRuns: 120 },
  );
});

Deno.test("GpuVaSpace agrees with it where nobody asks before the end, and ranges are freed as they were mapped", () => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const [space, plain] = [new GpuVaSpace(), new PlainSpace()];
      for (const [index, { length, ...step }] of steps.entries()) {
        const start = step.start - step.start % 4;
        apply(space, plain, { ...step, start, end: start + (length > 7 ? 8 : 4) }, index + 1);
        space.checkInvariants();
      }
      compare(space, plain);
    }),
    { seed: 7, numRuns: 400 },
  );
});

Deno.test("GpuVaSpace remembers that an allocation's end released a range, until the range is freed", () => {
  const space = new GpuVaSpace();
  const span = { start: 4, end: 8 };
  const paging = { queue: 0, fence: 0n };
  const obtain = (number: number) =>
    space.obtain(span, { number, kind: "mapped", obtained: evidenceAt(number), paging });
  obtain(1);
  space.map(span, {
    gpu: 0,
    mapping: { allocation: 7, origin: 4, driverProtection: 0n, paging, mapped: evidenceAt(1) },
  });
  assertEquals(space.releaseAllocation(7, evidenceAt(2)).map(({ number }) => number), [1]);
  obtain(3);
  assertEquals(space.rangeAt(4)?.recycled, { released: evidenceAt(2), allocation: 7 });
  space.free(span, evidenceAt(4));
  obtain(5);
  assertEquals(space.rangeAt(4)?.recycled, null);
});

Deno.test("GpuVaSpace knows the newest release where the first question comes while pages are released", () => {
  const space = new GpuVaSpace();
  const span = { start: 4, end: 8 };
  const paging = { queue: 0, fence: 0n };
  for (const number of [1, 3]) {
    const obtained = evidenceAt(number);
    space.obtain(span, { number, kind: "mapped", obtained, paging });
    space.map(span, { gpu: 0, mapping: { allocation: 7, origin: 4, driverProtection: 0n, paging, mapped: obtained } });
    if (number === 1) space.free(span, evidenceAt(2));
  }
  space.releaseAllocation(7, evidenceAt(4));
  assertEquals(space.releasesIn(span).map(({ reason, released }) => `${reason} @${released.event}`), ["auto @4"]);
});

Deno.test("GpuVaSpace forgets the oldest releases beyond its limit", () => {
  const space = new GpuVaSpace(2);
  const paging = { queue: 0, fence: 0n };
  for (let number = 1; number <= 3; number++) {
    const span = { start: number * 4, end: number * 4 + 2 };
    space.obtain(span, { number, kind: "reserved", obtained: evidenceAt(number), paging });
    space.free(span, evidenceAt(number));
  }
  assert(space.releasesIn({ start: 4, end: 6 }).length === 0, "the oldest is gone");
  assertEquals(space.releasesIn({ start: 0, end: 100 }).map(({ range }) => range), [2, 3]);
});
