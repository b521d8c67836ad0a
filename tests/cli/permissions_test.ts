// What the program may do is what its tasks say: a verb without a permission fails as for any file that it cannot have, and
// no task asks for more than it names. Real processes, since only Deno itself can say no.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { denoCommand, inPlace, MAIN, type Place, type Ran } from "./place.ts";

const ROOT = new URL("../../", import.meta.url);
const CONFIG = new URL("deno.json", ROOT).pathname;
const ENV = "--allow-env=INIT_CWD";

/** Runs the program as a process with these permissions; nobody is there to be asked for more. */
async function runWith(
  place: Place,
  permissions: readonly string[],
  words: string,
): Promise<Pick<Ran, "code" | "out" | "err">> {
  const start = ["run", "--quiet", "--no-check", ...permissions, `--config=${CONFIG}`, MAIN, ...words.split(" ")];
  const { code, stdout, stderr } = await denoCommand(start, { cwd: place.folder }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

const NO_STACK = /^(?!\s+at )/;

/** One message for people, that names what is missing: no stack, and no bug of ours. */
function assertSaid({ code, out, err }: Pick<Ran, "code" | "out" | "err">, expected: number, says: RegExp): void {
  assertEquals([code, out], [expected, ""], err);
  assertMatch(err, says);
  assert(err.split("\n").every((line) => NO_STACK.test(line)), err);
}

Deno.test("a verb that may not read says so and ends with 3", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record double-map --quiet")).code, 0);
    place.put("mine.ts", "export default () => {};");
    const lines = [
      "info double-map.msgpack",
      "info",
      "dump double-map.msgpack",
      "audit double-map.msgpack",
      "replay double-map.msgpack",
      "diff double-map.msgpack double-map.msgpack",
      "import double-map.msgpack",
      "explain --coverage double-map.msgpack",
      "record mine.ts",
    ];
    await eachOf(lines, async (words) => {
      const ran = await runWith(place, ["--allow-write", ENV], words);
      assertSaid(ran, 3, /^maptrail: Cannot read ".*": Deno does not let this process read there \(--allow-read/);
    });
    assertEquals(place.names(), ["double-map.msgpack", "mine.ts"]);
  }));

Deno.test("a verb that may not write says so and ends with 5, and what only reads goes on", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record double-map -o there.msgpack --quiet")).code, 0);
    assertEquals((await place.run("dump there.msgpack --json")).code, 0);
    place.put("lines.jsonl", (await place.run("dump there.msgpack --json")).out);
    await eachOf(["record double-map", "record double-map -o new.msgpack", "import lines.jsonl"], async (words) => {
      const ran = await runWith(place, ["--allow-read", ENV], words);
      assertSaid(ran, 5, /^maptrail: Cannot write ".*": Deno does not let this process write there \(--allow-write/);
    });
    await eachOf(["info there.msgpack", "dump there.msgpack", "replay there.msgpack"], async (words) => {
      const { code, err } = await runWith(place, ["--allow-read", ENV], words);
      assertEquals([code, err], [0, ""], words);
    });
    assertEquals(place.names(), ["lines.jsonl", "there.msgpack"]);
  }));

Deno.test("a verb may be let at one file alone", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record double-map --quiet")).code, 0);
    const only = `--allow-read=${place.path("double-map.msgpack")}`;
    const { code, err } = await runWith(place, [only, ENV], "info double-map.msgpack");
    assertEquals([code, err], [0, ""]);
  }));

Deno.test("without the environment a verb asks nobody, and does its work", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record double-map --quiet")).code, 0);
    const { code, err } = await runWith(place, ["--allow-read"], "info double-map.msgpack");
    assertEquals([code, err], [0, ""]);
  }));

/** Two at a time: a process takes a core. */
async function eachOf(lines: readonly string[], check: (words: string) => Promise<void>): Promise<void> {
  const left = [...lines];
  const work = async () => {
    for (let words = left.shift(); words !== undefined; words = left.shift()) await check(words);
  };
  await Promise.all([work(), work()]);
}

/** The permissions that a task's command asks for, by name. */
function permissionsOf(command: string): Map<string, string> {
  return new Map(
    [...command.matchAll(/--allow-([a-z]+)(?:=(\S+))?/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}

function tasks(): Record<string, string> {
  const config: unknown = JSON.parse(Deno.readTextFileSync(CONFIG));
  assert(typeof config === "object" && config !== null && "tasks" in config);
  const { tasks } = config;
  assert(typeof tasks === "object" && tasks !== null);
  return Object.fromEntries(Object.entries(tasks).map(([name, command]) => [name, String(command)]));
}

Deno.test("the tasks that run the program read, write and look at one variable, and may nothing else", () => {
  const verbs = Object.entries(tasks()).filter(([, command]) => command.includes("src/cli/main.ts"));
  assertEquals(
    verbs.map(([name]) => name).sort(),
    ["audit", "diff", "dump", "explain", "import", "info", "maptrail", "record", "replay"],
  );
  for (const [name, command] of verbs) {
    const wanted = new Map([["read", ""], ["write", ""], ["env", "INIT_CWD"]]);
    assertEquals(permissionsOf(command), wanted, name);
  }
});

Deno.test("no task may do everything: none uses -A, none the network, and who runs programs names them", () => {
  for (const [name, command] of Object.entries(tasks())) {
    assert(!/(?:^|\s)(?:-A|--allow-all|-[a-zA-Z]*A[a-zA-Z]*)(?:\s|$)/.test(command), name);
    const permissions = permissionsOf(command);
    for (const [permission, value] of permissions) {
      assert(["read", "write", "env", "run"].includes(permission), `${name} asks for --allow-${permission}`);
      assert(permission !== "run" || value !== "", `${name} may run any program`);
    }
  }
});
