// What a verb loads before it works: `info` and `dump` of a long trace answer in the time that Deno takes to load the house
// if they load all of it. Counted in the sources, since a clock would say something else on every machine.
import { scanSource } from "../../tools/tidy/source.ts";
import { targetOf } from "../../tools/tidy/floors.ts";
import { assert, assertEquals } from "../support/assert.ts";

const ROOT = new URL("../../", import.meta.url);

/** The files that are loaded with one: what it imports for more than types, and what these import. */
function loadedWith(...entries: readonly string[]): ReadonlySet<string> {
  const loaded = new Set<string>();
  const left = [...entries];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    if (loaded.has(path)) continue;
    loaded.add(path);
    const { imports, lines } = scanSource({ path, text: Deno.readTextFileSync(new URL(path, ROOT)) });
    for (const { specifier, line } of imports) {
      const target = targetOf(path, specifier);
      if (target !== null && target.endsWith(".ts") && !isLazyOrType(lines, line)) left.push(target);
    }
  }
  return loaded;
}

/** A specifier stands on the last line of its statement. */
function isLazyOrType(lines: readonly string[], line: number): boolean {
  let first = line - 1;
  while (first > 0 && !/^(?:import|export)\b|\bimport\(/.test(lines[first] ?? "")) first -= 1;
  return /^(?:import|export) type\b|\bimport\(/.test(lines[first] ?? "");
}

Deno.test("`info` loads neither the catalogue nor the reader of events", () => {
  const loaded = loadedWith("src/cli/main.ts", "src/cli/info.ts");
  const heavy = [
    "src/api/mod.ts",
    "src/trace/mod.ts",
    "src/trace/chunk.ts",
    "src/api/catalogue.ts",
    "src/audit/mod.ts",
  ];
  assertEquals(heavy.filter((path) => loaded.has(path)), []);
  assert(loaded.has("src/trace/directory.ts") && loaded.size > 20 && loaded.size < 60, [...loaded].join());
});

Deno.test("`dump` loads neither engine nor audits", () => {
  const loaded = [...loadedWith("src/cli/main.ts", "src/cli/dump.ts")];
  const floors = [...new Set(loaded.map((path) => path.split("/")[1]))].sort();
  assertEquals(floors, ["api", "cli", "trace", "view", "wire"]);
});
