// Byte strings over pages: a run of pages that follow each other reads as the list of them.

import fc from "fast-check";
import { plainPiece, RunOfPages, runsOf } from "../../src/engine/pieces.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("runsOf() finds the same bytes in a run of pages as in the list of them", () => {
  const piece = fc.record({
    first: fc.nat(1000),
    byteOffset: fc.nat(4095),
    byteCount: fc.integer({ min: 1, max: 20_000 }),
  }).map(({ first, byteOffset, byteCount }) => new RunOfPages(first, byteOffset, byteCount));
  const part = fc.record({ offset: fc.nat(50_000), length: fc.nat(30_000) });
  fc.assert(fc.property(fc.array(piece, { maxLength: 3 }), part, (pieces, part) => {
    assertEquals(runsOf(pieces, part), runsOf(pieces.map(plainPiece), part));
  }));
});
