// The benchmark's own sums: medians, pairs, tables, and what a workload says of its information. It measures nothing.
import { differenceOf, figureOf, figureText, numberText, tableLines } from "../../tools/bench/measure/figure.ts";
import { findWorkloads } from "../../tools/bench/workload.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("figureOf() is the median and its spread, in any order of runs", () => {
  assertEquals(figureOf([5, 1, 4, 2, 3]), { median: 3, low: 1, high: 5 });
  assertEquals(figureOf([7]), { median: 7, low: 7, high: 7 });
  assert(Number.isNaN(figureOf([]).median));
});

Deno.test("differenceOf() takes runs in pairs, so that what is slow for both cancels", () => {
  assertEquals(differenceOf([110, 1010, 60], [100, 1000, 50]), { median: 10, low: 10, high: 10 });
});

Deno.test("tableLines() lines columns up: names to the left, figures to the right", () => {
  assertEquals(tableLines([["a", "1"], ["long", "1,000", "ns"]]), ["a         1", "long  1,000  ns"]);
  assertEquals([1234567, 12.34, 1.234, Number.NaN].map(numberText), ["1,234,567", "12.3", "1.23", "n/a"]);
  assertEquals(figureText(figureOf([1, 2, 3])), ["2.00", "1.00 to 3.00"]);
});

Deno.test("every workload is a file with a program and what it tells", async () => {
  const workloads = await findWorkloads();
  assertEquals(workloads.map(({ name }) => name), ["gpadl-churn", "gpuva-churn", "packets", "pages", "storm"]);
  for (const { information: { bitsPerStep, bitsAhead, formula }, program } of workloads) {
    assert(bitsPerStep > 8 && bitsAhead >= 0 && formula.includes("log2"));
    assert(program.summary !== "");
  }
});
