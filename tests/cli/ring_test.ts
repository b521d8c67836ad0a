// `record --ring`: one file with the last part of a run, which every verb takes as it is; and what a kill leaves of one.
import { bytesSource, openTrace, type TraceFile, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { denoCommand, inPlace, type Place, PROCESS_WORDS } from "./place.ts";

const TURNING = new URL("../record/turning.ts", import.meta.url);
const PROGRAM = `import { turning } from "${TURNING}";
export default turning(1000);`;

function traceIn(place: Place, name: string): TraceFile {
  return openTrace(bytesSource(place.bytes(name)));
}

Deno.test("--ring leaves one file with the last part of the run, which replays and audits clean of what it cannot know", () =>
  inPlace(async (place) => {
    place.put("p.ts", PROGRAM);
    const ran = await place.run("record p.ts --ring 64KB --wall-clock off");
    assertEquals(ran.code, 0, ran.err);
    assertMatch(ran.err, /^Recorded \d+ of \d,\d+ events, from @[\d,]+ on, into p\.msgpack: /m);
    assertEquals(place.names(), ["p.msgpack", "p.ts"]);
    assert(place.bytes("p.msgpack").length <= 64 * 1024);
    const { header: { startsAfter } } = traceIn(place, "p.msgpack");
    const replay = await place.run("replay p.msgpack");
    assertEquals(replay.code, 0, replay.out);
    assertStringIncludes(replay.out, `replayed from the keyframe after @${startsAfter}\n`);
    const audit = JSON.parse((await place.run("audit p.msgpack --json")).out);
    assertEquals(audit.trace.complete, true);
    const unmatched = audit.findings.filter(({ rule }: { rule: string }) => rule.includes("unmatched"));
    assertEquals(unmatched.map(({ verdict }: { verdict: string }) => verdict), ["pre-existing", "pre-existing"]);
    assertEquals((await place.run("info p.msgpack")).code, 0);
    assertEquals((await place.run(`dump p.msgpack --range @${startsAfter + 1}-`)).code, 0);
  }));

Deno.test("a dump of a ring says that it is a part, and so does record of what that part did not make", () =>
  inPlace(async (place) => {
    place.put("p.ts", PROGRAM);
    assertEquals((await place.run("record p.ts --ring 64KB -o t")).code, 0);
    const { out } = await place.run("dump t");
    assertMatch(out, /^# a part of a run: what made the things that it uses, or used them, may be missing\n!option/);
    place.put("t.calls", out);
    const { code, err } = await place.run("record t.calls");
    assertEquals([code, place.names().includes("t.calls.msgpack")], [2, false]);
    assertMatch(err, /expected an object: buffer#\d+ was not created\n[^]*To run a ring again, replay its trace\.\n/);
    assertEquals((await place.run("record double-map -o whole")).code, 0);
    assert(!(await place.run("dump whole")).out.includes("# a part"));
  }));

Deno.test("the same seed gives the same ring, in a file and on standard output", () =>
  inPlace(async (place) => {
    place.put("p.ts", PROGRAM);
    const words = "record p.ts --ring 64KB --wall-clock off --seed 3";
    assertEquals((await place.run(`${words} -o a`)).code, 0);
    const { bytes, err } = await place.run(`${words} -o -`);
    assertEquals(bytes, place.bytes("a"));
    assertStringIncludes(err, "The ring is kept in memory and goes to standard output when the run ends");
  }));

Deno.test("a ring on a pipe is bounded: memory holds it until the run ends", () =>
  inPlace(async (place) => {
    const { code, err, bytes } = await place.run("record double-map --ring 257MB -o -");
    assertEquals([code, bytes.length], [2, 0]);
    assertStringIncludes(err, "Give -o FILE, or a ring of 256 MB at most: standard output takes nothing back");
    assertEquals((await place.run("record double-map --ring 256MB -o -")).code, 0);
  }));

Deno.test("--ring refuses sizes that are none or too small, and flags that it cannot serve", () =>
  inPlace(async (place) => {
    for (const size of ["64", "63KB", "1mb", "0GB", "-1MB", "1.5MB", "64KBs"]) {
      const { code, err } = await place.run(["record", `--ring=${size}`]);
      assertEquals(code, 2, size);
      assertMatch(err, /--ring: Give (?:"64KB" or more|a size as "64MB")/);
    }
    const { code, err } = await place.run("record --ring 1MB --sites findings");
    assertEquals([code, place.names()], [2, []]);
    assertStringIncludes(err, "whole run");
  }));

Deno.test("parts that a killed ring left are not overwritten unasked", () =>
  inPlace(async (place) => {
    place.put("p.ts", PROGRAM);
    for (const left of ["t.3.part", "t.joined", "t.next"]) {
      place.put(left, "kept");
      const refused = await place.run("record p.ts --ring 64KB -o t");
      assertEquals([refused.code, place.names()], [2, ["p.ts", left]]);
      assertStringIncludes(refused.err, `"${left}", of an earlier ring, exists`);
      assertEquals(new TextDecoder().decode(place.bytes(left)), "kept");
      assertEquals((await place.run("record p.ts --ring 64KB -o t --force")).code, 0);
      assertEquals(place.names(), ["p.ts", "t"]);
      Deno.removeSync(place.path("t"));
    }
  }));

Deno.test("a ring of a run that throws or is interrupted is closed, and says how the run ended", () =>
  inPlace(async (place) => {
    place.put(
      "throws.ts",
      `import { turning } from "${TURNING}";
export default async (context) => {
  await turning(600).run(context);
  throw new Error("boom");
};`,
    );
    const { code, err } = await place.run("record throws.ts --ring 64KB -o t");
    assertEquals(code, 5, err);
    const { end, complete, header } = traceIn(place, "t");
    assertEquals([end?.reason, end?.message, complete, place.names()], ["threw", "boom", true, ["t", "throws.ts"]]);
    assert(header.startsAfter > 0);
    const { events } = JSON.parse((await place.run("info t --json")).out);
    assertStringIncludes(err, `: boom; ${events.toLocaleString("en")} events kept.`);
    assertEquals(JSON.parse((await place.run("audit t --json")).out).trace.events, events);
  }));

Deno.test("a ring whose program ends the process is one file, too", () =>
  inPlace(async (place) => {
    place.put(
      "p.ts",
      `import { turning } from "${TURNING}";
export default async (context) => {
  await turning(600).run(context);
  Deno.exit(0);
};`,
    );
    const { code } = await denoCommand([...PROCESS_WORDS, "record", "p.ts", "-o", "t", "--ring", "64KB"], {
      cwd: place.folder,
    }).output();
    const { complete, end, header } = traceIn(place, "t");
    assertEquals([code, complete, end?.reason, place.names()], [5, true, "interrupted", ["p.ts", "t"]]);
    assert(header.startsAfter > 0);
  }));

/** Records for ever until the ring has turned so often, and kills it then; the sizes of its files until then. */
async function killed(place: Place, turns: number): Promise<number> {
  const words = ["record", "forever.ts", "-o", "t", "--ring", "64KB", "--flush", "0.05s"];
  const options = { cwd: place.folder, stdout: "null", stderr: "null" } as const;
  const child = denoCommand([...PROCESS_WORDS, ...words], options).spawn();
  let most = 0;
  for (let looks = 0; looks < 2000; looks += 1) {
    const parts = place.names().filter((name) => name.startsWith("t"));
    most = Math.max(most, parts.reduce((sum, name) => sum + sizeOf(place, name), 0));
    const numbers = parts.map((name) => Number(/\.(\d+)\.part$/.exec(name)?.[1] ?? 0));
    if (Math.max(0, ...numbers) >= turns) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGKILL");
  assertEquals((await child.status).signal, "SIGKILL");
  return most;
}

/** A file that has gone meanwhile takes no room. */
function sizeOf(place: Place, name: string): number {
  try {
    return Deno.statSync(place.path(name)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

Deno.test("a ring that is killed leaves its newest part under its name, cut, and the parts before it, whole", () =>
  inPlace(async (place) => {
    place.put("forever.ts", `import { turning } from "${TURNING}";\nexport default turning(1e9);`);
    const most = await killed(place, 12);
    // Chunks are written as they are full, so that a segment can be a chunk over its size.
    assert(most <= 1.5 * 64 * 1024, `${most} bytes`);
    checkNext(place);
    const newest = traceIn(place, "t");
    const parts = partsOf(place, newest.header.startsAfter);
    assert(parts.length >= 1, parts.join());
    const traces = parts.map((name) => traceIn(place, name));
    for (const [index, trace] of traces.entries()) {
      const next = traces[index + 1];
      if (next !== undefined) assertEquals(next.header.startsAfter, trace.eventCount);
      // The end of the last one is written when the newest has its beginning: the kill may come between.
      const isCut = next === undefined && trace.end === null;
      if (!isCut) assertEquals([trace.complete, trace.end?.reason], [true, "interrupted"]);
      assertEquals([...validate(trace)], []);
      assertEquals((await place.run(`replay ${parts[index]}`)).code, isCut ? 4 : 0);
    }
    assertEquals([newest.end, newest.header.startsAfter], [null, traces.at(-1)?.eventCount ?? 0]);
    assertEquals([...validate(newest)], []);
    for (const verb of ["info", "audit", "replay"]) assertEquals((await place.run(`${verb} t`)).code, 4, verb);
  }));

/** What a kill leaves of a segment that begins: no bytes yet, or a header that nothing follows. */
function checkNext(place: Place): void {
  if (!place.names().includes("t.next") || sizeOf(place, "t.next") === 0) return;
  const { eventCount, end, header } = traceIn(place, "t.next");
  assertEquals([eventCount, end], [0, null]);
  assert(header.startsAfter > 0);
}

/** The parts before the newest segment, oldest first; a kill between two names leaves the newest under both. */
function partsOf(place: Place, newestStartsAfter: number): readonly string[] {
  const numbers = place.names().flatMap((name) => /^t\.(\d+)\.part$/.exec(name)?.[1] ?? []).map(Number);
  const parts = numbers.sort((one, other) => one - other).map((number) => `t.${number}.part`);
  return parts.filter((name) => traceIn(place, name).header.startsAfter !== newestStartsAfter);
}
