// What the documents show is what happens: the README's scenario records as it says. Its TypeScript runs with `deno test --doc`.

import { audit } from "../src/audit/mod.ts";
import { recordInMemory } from "../src/record/mod.ts";
import { bytesSource, openTrace } from "../src/trace/mod.ts";
import { inPlace } from "./cli/place.ts";
import { assert, assertEquals } from "./support/assert.ts";

const README = await Deno.readTextFile(new URL("../README.md", import.meta.url));

Deno.test("the README's scenario holds, line by line, and nothing is found in it", async () => {
  const blocks = README.split(/^```.*$/m).filter((_, index) => index % 2 === 1);
  const block = blocks.find((text) => text.includes("expect no findings"));
  assert(block !== undefined, "the README shows a scenario");
  const { bytes, scenario } = await recordInMemory(block);
  assertEquals(scenario?.failures, []);
  assertEquals(audit(openTrace(bytesSource(bytes))).findings, []);
});

Deno.test("what the README prints is what its commands print, but for sizes, which hang on the clock", () =>
  inPlace(async (place) => {
    const [session = ""] = README.split(/^```$/m).filter((text) => text.trimStart().startsWith("$ "));
    const commands = session.trim().split(/^\$ deno task /m).filter((text) => text.trim() !== "");
    assert(commands.length > 1, "the README begins with a session");
    for (const command of commands) {
      const [words = "", ...shown] = command.trim().split("\n");
      const { out, err } = await place.run(words);
      const printed = `${out}${err}`.replaceAll(/\bmaptrail (?=audit|dump)/g, "deno task ").trim().split("\n");
      assertEquals(printed.map(withoutSize).toSorted(), shown.map(withoutSize).toSorted(), words);
    }
  }));

function withoutSize(line: string): string {
  return line.replace(/: [\d.]+ KB, [\d.]+ bytes each/, "");
}

Deno.test("the README names only tasks that exist", async () => {
  const config: unknown = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  const tasks = typeof config === "object" && config !== null && "tasks" in config
    ? Object.keys(Object(config.tasks))
    : [];
  for (const [, task] of README.matchAll(/(?:deno|deno@[\d.]+) task (\w+)/g)) assert(tasks.includes(task ?? ""), task);
});
