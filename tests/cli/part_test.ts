// A part of a trace that leaves it, by a filter of dump or by a cut: whoever reads it on is told that it is one.
import { PART_COMMENT } from "../../src/view/mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { inPlace, type Place } from "./place.ts";

/** A clean run of 1,365 events. */
async function recordClean(place: Place): Promise<void> {
  assertEquals((await place.run("record netvsp -o t --wall-clock off")).code, 0);
}

/** Imports lines of JSON as the trace `part`: the exit code, and what an audit then says last. */
async function imported(place: Place, lines: string): Promise<{ code: number; summary: string; err: string }> {
  place.put("part.jsonl", lines);
  const { code, err } = await place.run("import part.jsonl -o part --force");
  const { out } = await place.run("audit part");
  return { code, err, summary: out.trimEnd().split("\n").at(-1) ?? "" };
}

Deno.test("a filtered dump says what was left out: text that it is a part, JSON lines as a recording of that part does", () =>
  inPlace(async (place) => {
    await recordClean(place);
    for (
      const flags of ["--range @5-@9", "--call VmbChannel*Gpadl", "--object gpadl#1", "--side server", "--rule X-02"]
    ) {
      const { out } = await place.run(`dump t ${flags}`);
      assertEquals(out.split("\n")[0], PART_COMMENT, flags);
    }
    assert(!(await place.run("dump t")).out.includes(PART_COMMENT));
    const headerOf = async (flags: string) =>
      JSON.parse((await place.run(`dump t --json ${flags}`.trim())).out.split("\n")[0] ?? "");
    const { leftOut, selection } = await headerOf("--range @5-@9 --side server");
    assertEquals(leftOut, ["events before @5", "events after @9", "what other sides did than server"]);
    assertEquals(selection, { range: { from: 5, to: 9 }, calls: [], levels: [], sides: ["server"], objects: [] });
    assertEquals((await headerOf("--rule X-0*")).leftOut, ["what no finding of X-0* names"]);
    assertEquals((await headerOf("")).leftOut, undefined);
  }));

Deno.test("a filtered dump of JSON lines is imported as a part: what was left out is no loss, and proves nothing", () =>
  inPlace(async (place) => {
    await recordClean(place);
    const { out } = await place.run("dump t --json --range @10-@200");
    const { code, err } = await imported(place, out);
    assertEquals(code, 0, err);
    const info = await place.run("info part");
    assertMatch(info.out, /left out events before @10; events after @200\n/);
    const { findings } = JSON.parse((await place.run("audit part --json")).out);
    assertEquals(findings.filter(({ verdict }: { verdict: string }) => verdict === "certain"), []);
  }));

Deno.test("JSON lines whose end is missing, or some in the middle, make a trace that says so: exit code 4", () =>
  inPlace(async (place) => {
    await recordClean(place);
    const lines = (await place.run("dump t --json")).out.trimEnd().split("\n");
    const of = (kept: readonly string[]) => imported(place, kept.join("\n"));
    assertEquals((await of(lines)).code, 0);
    const cut = await of(lines.slice(0, 1000));
    assertEquals(cut.code, 4);
    assertMatch(cut.summary, /^SUMMARY: 0 errors, 0 hangs, .* in 999 events \(incomplete\)$/);
    const lost = await place.run("info part --json");
    const { what, firstEvent, lastEvent } = JSON.parse(lost.out).losses[0];
    assertEquals([firstEvent, lastEvent, what], [1000, 1365, "events 1000 to 1365 are not in the log: it was cut"]);
    const hole = await of([...lines.slice(0, 700), ...lines.slice(720)]);
    assertEquals(hole.code, 4);
    assertStringIncludes(hole.err, "Some of its events are missing: info says which.");
    assertMatch(hole.summary, /\(incomplete\)$/);
    assertEquals((await of(lines.slice(0, 1))).code, 4);
  }));

Deno.test("what a damaged trace lacks stays said through dump --json and import", () =>
  inPlace(async (place) => {
    await recordClean(place);
    const bytes = place.bytes("t");
    const flipped = bytes.slice();
    flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] ?? 0) ^ 1;
    for (const damaged of [bytes.subarray(0, bytes.length - 2000), bytes.subarray(0, bytes.length - 1), flipped]) {
      place.put("damaged", damaged);
      const dump = await place.run("dump damaged --json");
      assertEquals(dump.code, 4);
      const { losses } = JSON.parse(dump.out.split("\n")[0] ?? "");
      assert(losses.length > 0);
      const { code, summary } = await imported(place, dump.out);
      assertEquals(code, 4);
      assertMatch(summary, /\(incomplete\)$/);
    }
  }));

Deno.test("a recording that never said how it ended does not end well by being dumped and imported", () =>
  inPlace(async (place) => {
    await recordClean(place);
    const lines = (await place.run("dump t --json")).out.trimEnd().split("\n");
    const [first = "", ...rest] = lines;
    const { code, summary } = await imported(
      place,
      [JSON.stringify({ ...JSON.parse(first), end: null }), ...rest].join("\n"),
    );
    assertEquals(code, 4);
    assertMatch(summary, /\(incomplete\)$/);
  }));

Deno.test("filters that admit nothing of what is compared or counted say so", () =>
  inPlace(async (place) => {
    await recordClean(place);
    assertEquals((await place.run("record double-map -o u --wall-clock off")).code, 0);
    const diff = await place.run("diff t u --range @5000-");
    assertEquals([diff.code, diff.err], [0, "No event of t or u is what the filters ask for.\n"]);
    assertMatch(diff.out, /SUMMARY: nothing compared\n$/);
    const replay = await place.run("replay t --object gpadl#99");
    assertEquals([replay.code, replay.err], [0, "No event of t is what the filters ask for.\n"]);
    assertMatch(replay.out, /SUMMARY: nothing compared: 1,365 events went by\n$/);
    assertEquals((await place.run("info t --side kmd")).err, "No event of t is what the filters ask for.\n");
  }));

Deno.test("explain refuses filters, which it would ignore", () =>
  inPlace(async (place) => {
    await recordClean(place);
    for (const words of ["explain G-07 --range @1-@2", "explain --rule G-0*", "explain --coverage t --side server"]) {
      const { code, out, err } = await place.run(words);
      assertEquals([code, out], [2, ""]);
      assertStringIncludes(err, "Leave the filters out");
    }
  }));
