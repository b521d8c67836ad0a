// File times as dates: against the system's calendar, which the module itself must not ask.

import fc from "fast-check";
import { isoDate } from "../../src/import/filetime.ts";
import { assertEquals } from "../support/assert.ts";

/** Milliseconds from 1601-01-01 to 1970-01-01. */
const EPOCH_MS = 11_644_473_600_000n;
const END = (BigInt(Date.UTC(10000, 0, 1)) + EPOCH_MS) * 10_000n;

function systemDate(fileTime: bigint): string {
  return new Date(Number(fileTime / 10_000n - EPOCH_MS)).toISOString();
}

Deno.test("isoDate() agrees with the system's calendar at every turn of a year and of a February", () => {
  for (let year = 1601; year < 10000; year++) {
    for (const [month, day] of [[0, 1], [1, 28], [2, 0], [2, 1], [11, 31]] as const) {
      const fileTime = (BigInt(Date.UTC(year, month, day, 23, 59, 59, 999)) + EPOCH_MS) * 10_000n + 9_999n;
      assertEquals(isoDate(fileTime), systemDate(fileTime));
    }
  }
});

Deno.test("isoDate() agrees with the system's calendar at any time", () => {
  const property = fc.property(fc.bigInt({ min: 1n, max: END - 1n }), (fileTime) => {
    assertEquals(isoDate(fileTime), systemDate(fileTime));
  });
  fc.assert(property, { seed: 1601, numRuns: 1000 });
});

Deno.test("isoDate() is empty for a time that is not known or that ISO dates cannot hold", () => {
  assertEquals(isoDate(END - 1n), "9999-12-31T23:59:59.999Z");
  assertEquals([0n, -1n, END, 2n ** 64n - 1n].map(isoDate), ["", "", "", ""]);
});
