// What a recording leaves where its device runs full: whole blocks, and an end that says why. Files of a limited size stand
// for a full device.

import { bytesSource, openTrace, type TraceFile, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { inPlace, type Place, PROCESS_WORDS, type Ran, shellCommand } from "./place.ts";

const TURNING = new URL("../record/turning.ts", import.meta.url);
const KB = 1024;
/** What `ulimit -f` counts in. */
const UNIT_BYTES = 512;

/** Runs the program where no file may be larger. */
async function limited(
  place: Place,
  { words, mostBytes }: { readonly words: string; readonly mostBytes: number },
): Promise<Pick<Ran, "code" | "err">> {
  const script = `trap "" XFSZ; ulimit -f ${mostBytes / UNIT_BYTES}; exec "$0" "$@"`;
  const all = [Deno.execPath(), ...PROCESS_WORDS, ...words.split(" ")];
  const { code, stderr } = await shellCommand(script, { cwd: place.folder }, all).output();
  return { code, err: new TextDecoder().decode(stderr) };
}

function traceIn(place: Place, name: string): TraceFile {
  return openTrace(bytesSource(place.bytes(name)));
}

Deno.test("a recording whose disk is full ends with whole blocks and says so itself, and which events are missing", () =>
  inPlace(async (place) => {
    place.put("p.ts", `import { turning } from "${TURNING}";\nexport default turning(1e9);`);
    const { code, err } = await limited(place, { words: "record p.ts -o t --flush 8KB", mostBytes: 40 * KB });
    assertEquals(code, 5, err);
    assertStringIncludes(err, 'Cannot write on to "t": no room is left. What was written is kept.\n');
    const trace = traceIn(place, "t");
    const { end, complete, losses } = trace;
    const held = trace.summary().events;
    assertEquals([end?.reason, complete, [...validate(trace)]], ["write-failed", false, []]);
    assert(held > 100 && place.bytes("t").length <= 40 * KB);
    assertEquals(losses.map(({ what }) => what), [`events ${held + 1} to ${end?.events} are not in the file`]);
    const audit = JSON.parse((await place.run("audit t --json")).out);
    assertEquals(audit.trace, { file: "t", events: held, complete: false });
    assertEquals((await place.run("replay t")).code, 4);
  }));

Deno.test("an import whose disk is full ends so, too", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record storm -o t --quiet -- 300")).code, 0);
    place.put("t.jsonl", (await place.run("dump t --json")).out);
    const mostBytes = 24 * KB;
    assert(place.bytes("t").length > 2 * mostBytes);
    const { code, err } = await limited(place, { words: "import t.jsonl -o i", mostBytes });
    assertEquals(code, 5, err);
    const { end, complete, losses } = traceIn(place, "i");
    assertEquals([end?.reason, complete], ["write-failed", false]);
    assertStringIncludes(end?.message ?? "", "no room is left");
    assertEquals(losses.length, 1);
    assertEquals((await place.run("audit i")).code, 4);
  }));

Deno.test("a ring that has no room to be joined says where each part of it stands", () =>
  inPlace(async (place) => {
    place.put("p.ts", `import { turning } from "${TURNING}";\nexport default turning(1000);`);
    const { code, err } = await limited(place, {
      words: "record p.ts -o t --ring 64KB --wall-clock off",
      mostBytes: 24 * KB,
    });
    assertEquals(code, 5, err);
    const [part = ""] = place.names().filter((name) => name.endsWith(".part"));
    assertStringIncludes(err, `What came before "t" stands in "t.joined", then in "${part}" and on.\n`);
    const traces = place.names().filter((name) => name.startsWith("t")).map((name) => traceIn(place, name));
    const first = Math.min(...traces.map(({ header }) => header.startsAfter));
    assertEquals(first, traceIn(place, "t.joined").header.startsAfter);
    Deno.removeSync(place.path("t"));
    for (const name of place.names().filter((each) => each.endsWith(".part"))) Deno.removeSync(place.path(name));
    const refused = await place.run("record p.ts -o t --ring 64KB");
    assertEquals(refused.code, 2);
    assertStringIncludes(refused.err, '"t.joined", of an earlier ring, exists');
  }));

Deno.test("a second run that finds no room leaves the trace of the first, without the sites of findings", () =>
  inPlace(async (place) => {
    const { words, mostBytes } = await roomForOne(place);
    const { code, err } = await limited(place, { words: `${words} -o t`, mostBytes });
    assertEquals([code, place.names()], [5, ["t"]], err);
    assertStringIncludes(err, "Cannot take the sites of findings: no room is left for a second run");
    const { complete, end } = traceIn(place, "t");
    assertEquals([complete, end?.reason], [true, "ended"]);
  }));

/** A recording whose first run fits into a limit, and whose second one, with sites, does not: not every seed has one. */
async function roomForOne(place: Place): Promise<{ readonly words: string; readonly mostBytes: number }> {
  const sizeOf = async (words: string): Promise<number> => {
    assertEquals((await place.run(`${words} -o u --force`)).code, 0);
    const { length } = place.bytes("u");
    Deno.removeSync(place.path("u"));
    return length;
  };
  for (let seed = 1; seed <= 200; seed += 1) {
    const words = `record gpu-pv-leak --seed ${seed} --wall-clock off --sites`;
    // Its header says "findings", which is longer than "off".
    const first = "findings".length - "off".length + await sizeOf(`${words} off`);
    const mostBytes = Math.ceil(first / UNIT_BYTES) * UNIT_BYTES;
    if (await sizeOf(`${words} findings`) > mostBytes) return { words: `${words} findings`, mostBytes };
  }
  throw new RangeError("no seed has sites that cross a limit");
}
