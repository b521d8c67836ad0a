// Users of pages by buffer, against all users by page.
import fc from "fast-check";
import type { Extent } from "../../src/audit/extents.ts";
import { PageUsers } from "../../src/audit/page_runs.ts";
import { PieceUsers } from "../../src/audit/piece_users.ts";
import { assertEquals } from "../support/assert.ts";

const BUFFER_PAGES = 100;

/** Buffers from 10 on stand where those from 0 on stood. */
function extentOf(buffer: number, first: number, count: number): Extent {
  const start = (buffer % 10) * BUFFER_PAGES + first;
  const byteCount = count * 4096;
  const pieces = [{ runs: [{ start, end: start + count }], byteOffset: 0, byteCount, buffer }];
  return { pieces, buffers: [buffer], byteCount, sources: [] };
}

Deno.test("PieceUsers finds the users that PageUsers finds, in its order, also when pages are given out again", () => {
  const step = fc.record({
    user: fc.nat(8),
    buffer: fc.nat(2),
    first: fc.nat(90),
    count: fc.integer({ min: 1, max: 9 }),
    isMarked: fc.boolean(),
    verb: fc.constantFrom("add", "add", "add", "remove", "free"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const now = [0, 1, 2];
      const dead = new Set<number>();
      const plain = new PageUsers();
      const extents = new Map<number, Extent>();
      const added: number[] = [];
      const users = new PieceUsers({
        isLive: (buffer) => !dead.has(buffer),
        extentOf: (user) => extents.get(user),
        orderOf: (user) => added.lastIndexOf(user),
      });
      const remove = (user: number) => {
        const extent = extents.get(user);
        if (extent !== undefined) users.remove(user, extent);
        extents.delete(user);
        plain.remove(user);
      };
      for (const { user, buffer, first, count, isMarked, verb } of steps) {
        const own = now[buffer] ?? 0;
        const extent = extentOf(own, first, count);
        const runs = extent.pieces.flatMap((each) => each.runs);
        assertEquals([...users.sharing(extent)], [...plain.sharing(runs)]);
        assertEquals([...users.sharing(extent, { isMarked: true })], [...plain.sharing(runs, { isMarked: true })]);
        if (verb === "add") {
          remove(user);
          extents.set(user, extent);
          added.push(user);
          users.add(user, extent, { isMarked });
          plain.add(user, runs, { isMarked });
        } else if (verb === "remove") remove(user);
        else if (own < 10) {
          dead.add(own);
          users.freed(own);
          now[buffer] = own + 10;
        }
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});
