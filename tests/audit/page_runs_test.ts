// Runs of pages: the allocator against a plain one, slices, and the index of users.
import fc from "fast-check";
import { PageAllocator, type PageRun, PageUsers, sharedPages, sliceRuns } from "../../src/audit/page_runs.ts";
import { assertEquals } from "../support/assert.ts";

function numbers(runs: readonly PageRun[]): number[] {
  return runs.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, index) => start + index));
}

Deno.test("PageAllocator gives out the lowest free pages, as a plain list of them does", () => {
  const step = fc.record({ count: fc.integer({ min: 1, max: 9 }), free: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const allocator = new PageAllocator(100);
      const held: PageRun[][] = [];
      let free: number[] = [];
      let next = 100;
      for (const { count, free: index } of steps) {
        const expected = free.splice(0, count);
        while (expected.length < count) expected.push(next++);
        const runs = allocator.allocate(count);
        assertEquals(numbers(runs), expected);
        held.push(runs);
        const [given] = index < held.length ? held.splice(index, 1) : [];
        if (given === undefined) continue;
        allocator.free(given);
        free = [...free, ...numbers(given)].sort((left, right) => left - right);
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});

Deno.test("sliceRuns() takes pages by position", () => {
  const runs = [{ start: 10, end: 13 }, { start: 20, end: 22 }];
  assertEquals(numbers(sliceRuns(runs, { first: 1, count: 3 })), [11, 12, 20]);
  assertEquals(sliceRuns(runs, { first: 5, count: 1 }), []);
});

Deno.test("PageUsers finds who shares pages, across buckets and after a removal", () => {
  const users = new PageUsers();
  users.add(7, [{ start: 60, end: 200 }]);
  users.add(3, [{ start: 10, end: 61 }]);
  assertEquals([...users.sharing([{ start: 60, end: 62 }])], [{ user: 7, pages: 2 }, { user: 3, pages: 1 }]);
  users.remove(7);
  assertEquals([...users.sharing([{ start: 60, end: 300 }])], [{ user: 3, pages: 1 }]);
  assertEquals(sharedPages([{ start: 0, end: 5 }], [{ start: 3, end: 9 }, { start: 1, end: 2 }]), 3);
});
