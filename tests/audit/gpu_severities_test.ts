// Severities of the V rules: gpuva.md 7, but where rules.md says another (V-03, V-31) or adds a rule (V-39, V-40).

import { GPU_RULES } from "../../src/audit/gpu_rule_names.ts";
import { assertEquals } from "../support/assert.ts";

const ERRORS = [1, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 25, 28, 32, 33, 39];
const NOTES = [3, 4, 37, 38];

Deno.test("every V rule has the severity of its row", () => {
  for (const { code, severity } of Object.values(GPU_RULES)) {
    const number = Number(code.slice(2));
    assertEquals(severity, ERRORS.includes(number) ? "error" : NOTES.includes(number) ? "note" : "warning", code);
  }
});
