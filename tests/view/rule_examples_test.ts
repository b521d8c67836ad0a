// Every example of a rule, run on the model and audited: it fires its rule, and every line of it holds.

import { parseScenario } from "../../src/api/mod.ts";
import { audit, type RuleName, RULES } from "../../src/audit/mod.ts";
import { record } from "../../src/record/mod.ts";
import { BytesSink, bytesSource, openTrace } from "../../src/trace/mod.ts";
import { exampleOf, exampleScenario } from "../../src/view/rule_examples.ts";
import { assert, assertEquals } from "../support/assert.ts";

const RULE_NAMES = Object.keys(RULES).filter(isRuleName);

function isRuleName(rule: string): rule is RuleName {
  return Object.hasOwn(RULES, rule);
}

/** What the example's lines failed at, and the rules that fired. */
async function run(rule: RuleName): Promise<{ readonly failures: string[]; readonly fired: readonly string[] }> {
  const scenario = parseScenario(exampleScenario(exampleOf(rule)), { file: `${rule}.calls` });
  const output = new BytesSink();
  const { scenario: report } = await record({
    what: { kind: "calls", name: rule, scenario },
    output,
    options: scenario.options,
    seed: 1,
    sites: "off",
    memory: "none",
    toolVersion: "0",
    startedAt: "",
    folder: "file:///",
  });
  const { findings } = audit(openTrace(bytesSource(output.bytes())));
  const failures = (report?.failures ?? []).map(({ line, message }) => `${rule} line ${line}: ${message}`);
  return { failures, fired: findings.map((finding) => finding.rule) };
}

Deno.test("every rule has an example that parses, at most 6 lines long, and a fix of one sentence", () => {
  for (const rule of RULE_NAMES) {
    const example = exampleOf(rule);
    parseScenario(exampleScenario(example), { file: `${rule}.calls` });
    assert(example.lines.length >= 1 && example.lines.length <= 6, rule);
    assert(/^[A-Z][^\n]*\.$/.test(example.fix), rule);
  }
});

Deno.test("every example fires its rule, and its outcomes hold", async () => {
  const missing: string[] = [];
  const failing: string[] = [];
  for (const rule of RULE_NAMES) {
    if (exampleOf(rule).foreign === true) continue;
    const { failures, fired } = await run(rule);
    if (!fired.includes(rule)) missing.push(`${rule}: ${fired.join(" ")}`);
    failing.push(...failures);
  }
  assertEquals(missing, []);
  assertEquals(failing, []);
});
