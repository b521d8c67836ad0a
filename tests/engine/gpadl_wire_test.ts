// Descriptions of GPADLs on the wire: the documented splits, the 16-bit limit, what a host makes of what arrives.

import fc from "fast-check";
import { bodyCount, GpadlAssembly, type GpadlRange, splitGpadl } from "../../src/engine/gpadl_wire.ts";
import { assertEquals } from "../support/assert.ts";

function pagesOf(count: number): GpadlRange {
  return { byteCount: 4096 * count, byteOffset: 0, pages: Array.from({ length: count }, (_, page) => 0x1000 + page) };
}

function assembled(ranges: readonly GpadlRange[]): ReturnType<GpadlAssembly["ranges"]> {
  const messages = splitGpadl(ranges);
  const assembly = new GpadlAssembly(messages);
  for (const body of messages.bodies) assembly.add(body);
  return assembly.isWhole ? assembly.ranges() : { trouble: "not whole" };
}

Deno.test("one range splits as documented", () => {
  for (const [pages, bodies] of [[26, 0], [27, 1], [54, 1], [55, 2], [513, 18], [8190, 292]] as const) {
    const messages = splitGpadl([pagesOf(pages)]);
    assertEquals([messages.bodies.length, messages.rangeBytes], [bodies, 8 + 8 * pages], `${pages} pages`);
    assertEquals(bodyCount(pages), bodies);
  }
});

Deno.test("8,191 pages wrap to no byte and 8,192 to one word, and the host finds the range empty", () => {
  assertEquals(splitGpadl([pagesOf(8191)]).rangeBytes, 0);
  assertEquals(splitGpadl([pagesOf(8192)]).rangeBytes, 8);
  assertEquals(assembled([pagesOf(8191)]), { trouble: "range 1 of 1 is empty" });
  assertEquals(assembled([pagesOf(8192)]), { trouble: "range 1 has 0 of 8192 pages" });
});

Deno.test("what was split comes back whole, for any ranges that fit", () => {
  const range = fc.record({ pages: fc.integer({ min: 1, max: 90 }), byteOffset: fc.nat(4095), less: fc.nat(4095) })
    .map(({ pages, byteOffset, less }): GpadlRange => ({
      byteOffset,
      byteCount: Math.max(
        1,
        4096 * pages - byteOffset - (pages === 1 ? Math.min(less, 4095 - byteOffset) : less % (4096 - byteOffset)),
      ),
      pages: Array.from({ length: pages }, (_, page) => page + 7),
    }))
    .filter(({ byteCount, byteOffset, pages }) => Math.ceil((byteCount + byteOffset) / 4096) === pages.length);
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), (ranges) => assertEquals(assembled(ranges), ranges)),
    { numRuns: 100, seed: 11 },
  );
});

Deno.test("words beyond what the header promised are ignored, and a message that is missing is seen", () => {
  const messages = splitGpadl([pagesOf(40)]);
  const assembly = new GpadlAssembly(messages);
  assertEquals(assembly.isWhole, false);
  assembly.add([...messages.bodies[0] ?? [], 1n, 2n, 3n]);
  assertEquals([assembly.isWhole, assembly.ranges()], [true, [pagesOf(40)]]);
});

Deno.test("ranges that make no sense are refused in words", () => {
  const refused = (header: bigint[], rangeCount = 1) =>
    new GpadlAssembly({ rangeBytes: 8 * header.length, rangeCount, header }).ranges();
  assertEquals(refused([0n]), { trouble: "range 1 has 0 bytes" });
  assertEquals(refused([1n | 4096n << 32n, 5n]), { trouble: "range 1 begins at byte 4096 of a page" });
  assertEquals(refused([4097n, 5n]), { trouble: "range 1 has 1 of 2 pages" });
  assertEquals(refused([1n, 5n], 2), { trouble: "range 2 of 2 is empty" });
  assertEquals(refused([], 0), []);
});
