// Options of the model that kmcl.md asks for: each has a scenario that depends on it, and a replay under the default shows
// the first place where the two models differ.

import { defaultOptions, type OptionDeclaration, OPTIONS, parseOption } from "../../src/api/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { assert } from "../support/assert.ts";
import { runScenarioFile } from "../support/scenario.ts";

const FOLDERS = ["kmcl", "rules"].map((name) => new URL(`./${name}/`, import.meta.url));
const DEFAULTS = defaultOptions();

/** Scenarios that set this option to something else than its default. */
function scenariosOf(name: keyof typeof OPTIONS): URL[] {
  return FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map((file) => new URL(file.name, folder))
  ).filter((path) => {
    const [, value] = Deno.readTextFileSync(path).match(new RegExp(`^!option ${name}=(\\S+)$`, "m")) ?? [];
    return value !== undefined && value !== DEFAULTS[name];
  });
}

/** Whether a replay under the default comes to a place that differs. */
async function differs(name: keyof typeof OPTIONS, path: URL): Promise<boolean> {
  const { trace } = await runScenarioFile(path);
  const options = parseOption({ ...DEFAULTS, ...trace.header.options }, name, DEFAULTS[name]);
  const { divergence } = replay(trace, { options });
  return divergence !== null && divergence.message !== "";
}

for (const [name, { from }] of Object.entries<OptionDeclaration>(OPTIONS)) {
  if (!from.startsWith("kmcl.md") || !isOption(name)) continue;
  Deno.test(`option ${name}: a scenario depends on it, and a replay under ${DEFAULTS[name]} says where`, async () => {
    const scenarios = scenariosOf(name);
    assert(scenarios.length > 0, "no scenario sets it");
    for (const path of scenarios) if (await differs(name, path)) return;
    throw new Error(`no replay differs of ${scenarios.length} scenarios`);
  });
}

function isOption(name: string): name is keyof typeof OPTIONS {
  return Object.hasOwn(OPTIONS, name);
}
