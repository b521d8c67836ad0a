// Findings as text: what comes first, what a heading begins with, and what a story is about where no object has a number.

import type { Finding } from "../../src/audit/mod.ts";
import { findingLines, groupFindings } from "../../src/view/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const PLAIN = { bad: same, warn: same, faint: same, strong: same };

function same(text: string): string {
  return text;
}

function finding(changes: Partial<Finding>): Finding {
  return {
    rule: "gpadl-leak",
    code: "G-07",
    severity: "error",
    verdict: "certain",
    message: "gpadl#1 was never deleted",
    event: 1,
    object: null,
    fingerprint: "0000000000000000",
    evidence: [],
    sizeBytes: 0,
    siblings: null,
    ...changes,
  };
}

function linesOf(findings: readonly Finding[]): string[] {
  return groupFindings(findings).flatMap((group) => findingLines(group, { paint: PLAIN, limit: Infinity }));
}

Deno.test("groupFindings() puts hangs first, many before few, and what is not certain last", () => {
  const groups = groupFindings([
    finding({ fingerprint: "maybe", verdict: "live-at-end" }),
    finding({ fingerprint: "few" }),
    finding({ fingerprint: "many", event: 2 }),
    finding({ fingerprint: "many", event: 3 }),
    finding({ fingerprint: "warning", severity: "warning" }),
    finding({ fingerprint: "hang", severity: "hang" }),
  ]);
  assertEquals(groups.map(({ first }) => first.fingerprint), ["hang", "many", "few", "warning", "maybe"]);
});

Deno.test("findingLines() keeps a space behind every severity, and heads what is not certain with maybe", () => {
  for (const severity of ["error", "hang", "warning", "note"] as const) {
    const [heading = ""] = linesOf([finding({ severity })]);
    assert(heading.startsWith(`${severity} `), heading);
    assertEquals(heading.indexOf("gpadl-leak"), Math.max(7, severity.length + 1));
  }
  assert(linesOf([finding({ verdict: "live-at-end" })])[0]?.startsWith("maybe  gpadl-leak") === true);
});

Deno.test("findingLines() says what each of several things of a capture is, by its kind and range", () => {
  const left = { rule: "gpuva-leak", verdict: "live-at-end" } as const;
  const lines = linesOf([
    finding({ ...left, message: "gpuva-mapping [0x1000, 0x3000), started at @7, was alive", event: 7 }),
    finding({ ...left, message: "allocation, started at @9, was alive", event: 9 }),
  ]);
  assertEquals(lines, [
    "maybe  gpuva-leak (G-07): 2 GPU address ranges were still alive when the trace ended [live-at-end]",
    "       gpuva-mapping [0x1000, 0x3000)   @7",
    "       allocation                       @9",
  ]);
});
