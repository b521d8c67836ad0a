// The filter flags at record time: what is kept, what the trace and the verbs say of the rest.
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { PART_COMMENT } from "../../src/view/mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { inPlace, type Place } from "./place.ts";

async function recorded(place: Place, flags: string): Promise<void> {
  const ran = await place.run(`record gpu-pv -o t --force --wall-clock off ${flags}`);
  assertEquals(ran.code, 0, ran.err);
}

/** The calls of a dump, by event. */
async function dumped(place: Place, words: string): Promise<string[]> {
  const { out } = await place.run(`dump ${words}`);
  return out.trimEnd().split("\n").filter((line) => !line.startsWith("!") && line !== PART_COMMENT);
}

Deno.test("a recording of some calls, a side or a range dumps as a whole one that is filtered so", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record gpu-pv -o whole --wall-clock off")).code, 0);
    for (
      const flags of ["--call VmbChannel*Gpadl", "--side kmd --side umd", "--range @20-@60", "--level kmcl,machine"]
    ) {
      await recorded(place, flags);
      assertEquals(await dumped(place, `t ${flags}`), await dumped(place, `whole ${flags}`), flags);
    }
  }));

Deno.test("messages are a level of their own, in a dump, a recording and an audit", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record gpu-pv -o whole --wall-clock off --option wire=on")).code, 0);
    const messages = await dumped(place, "whole --level wire");
    assert(messages.length > 10 && messages.every((line) => line.startsWith("# wire ")), messages[0]);
    await recorded(place, "--option wire=on --level wire");
    assertEquals(await dumped(place, "t"), messages);
    assertEquals((await place.run("replay whole --level wire")).code, 0);
    assertEquals((await place.run("audit whole --level wire --json")).code, 0);
    assertEquals((await place.run("dump whole --level wires")).code, 2);
  }));

Deno.test("the trace says what was left out, to people and to machines", () =>
  inPlace(async (place) => {
    await recorded(place, "--call VmbChannel*Gpadl --side server --range @5-");
    const { header } = openTrace(bytesSource(place.bytes("t")));
    assertEquals(header.leftOut, [
      "events before @5",
      "calls other than VmbChannel*Gpadl",
      "what other sides did than server",
    ]);
    const selection = {
      range: { from: 5, to: null },
      calls: ["VmbChannel*Gpadl"],
      levels: [],
      sides: ["server"],
      objects: [],
    };
    assertEquals(header.selection, selection);
    const [first = ""] = (await place.run("dump t --json")).out.split("\n");
    assertEquals(JSON.parse(first).selection, selection);
    const info = await place.run("info t");
    assertEquals(info.code, 0);
    assertMatch(
      info.out,
      /left out +events before @5; calls other than VmbChannel\*Gpadl; what other sides did than server\n/,
    );
  }));

Deno.test("record --json says how much was kept", () =>
  inPlace(async (place) => {
    const { out } = await place.run("record gpu-pv -o t --json --call VmbChannelMapGpadl");
    const { events, kept } = JSON.parse(out);
    assert(kept.events > 0 && kept.events < events);
    assertEquals(kept.startsAfter, 0);
  }));

Deno.test("a part of a run is not replayed, with exit code 4 and the reason", () =>
  inPlace(async (place) => {
    await recorded(place, "--call VmbChannel*Gpadl");
    const { code, out } = await place.run("replay t");
    assertEquals(code, 4);
    assertStringIncludes(out, "calls other than VmbChannel*Gpadl: left out when it was recorded");
    assertMatch(out, /SUMMARY: nothing replayed: a part of the run was left out/);
  }));

Deno.test("an audit of a part of a run names the rules that are off, and is sure of nothing that may be left out", () =>
  inPlace(async (place) => {
    await recorded(place, "--side server");
    const { code, out } = await place.run("audit t --json");
    assertEquals(code, 0);
    const { findings } = JSON.parse(out);
    assertEquals(findings.filter(({ verdict }: { verdict: string }) => verdict === "certain"), []);
    const said = await place.run("audit t");
    assertMatch(said.out + said.err, /left out|off/);
  }));

Deno.test("what reproduces a finding has the filters of its recording", () =>
  inPlace(async (place) => {
    assertEquals((await place.run(["record", "gpu-pv-leak", "--range", "@1-@400"])).code, 0);
    const { out } = await place.run("audit --markdown");
    assertMatch(out, /record gpu-pv-leak --seed 1 --range @1-@400\n/);
  }));

Deno.test("filters that make no sense while recording are refused before anything is written", () =>
  inPlace(async (place) => {
    for (
      const [flags, said] of [
        ["--rule G-07", "Leave --rule to the verb that reads"],
        ["--side nobody", "side"],
        ["--call VmbChannelMapGpad", 'Unknown call "VmbChannelMapGpad". Did you mean "VmbChannelMapGpadl"'],
        ["--call VmbChannelMapGpadl --call Nothing*", 'Unknown call "Nothing*". explain lists them.'],
        ["--object nothing#1", "nothing"],
        ["--range @9-@2", "smaller event first"],
      ] as const
    ) {
      const { code, err } = await place.run(`record gpu-pv ${flags}`);
      assertEquals([code, place.names()], [2, []], err);
      assertStringIncludes(err, said);
    }
  }));

Deno.test("filters that admit nothing of a run, or of a trace, say so", () =>
  inPlace(async (place) => {
    const flags = "--call VmbChannelMapGpadl --side gpu";
    const ran = await place.run(`record gpu-pv -o t --quiet ${flags}`);
    assertEquals(ran.code, 0);
    assertMatch(ran.err, /^The trace is empty: none of the run's [\d,]+ events is what the filters ask for\.\n$/);
    assertEquals((await place.run("record gpu-pv -o whole")).code, 0);
    const { code, out, err } = await place.run(`dump whole ${flags}`);
    assertEquals([code, out.includes("VmbChannel")], [0, false]);
    assertEquals(err, "No event of whole is what the filters ask for.\n");
  }));

Deno.test("a finding that cannot be proven of a part of a run says that events were left out, not lost", () =>
  inPlace(async (place) => {
    await recorded(place, "--call VmbChannel*Gpadl");
    const doubts = async (words: string) => {
      const { findings } = JSON.parse((await place.run(`${words} --json`)).out);
      return [...new Set(findings.map(({ doubt }: { doubt: string }) => doubt))];
    };
    assertEquals(await doubts("audit t"), ["events were left out when it was recorded"]);
    const { out } = await place.run("audit t");
    assertMatch(
      out,
      /\d findings that the trace cannot prove: events were left out when it was recorded \[unproven\]\n/,
    );
    assert(!out.includes("lost"), out);
  }));

Deno.test("what a scenario expects of findings is not checked on a part of it, and that is said", () =>
  inPlace(async (place) => {
    place.put(
      "s.calls",
      "guest AllocateBuffer(ByteCount=4096) -> $b\nguest FreeBuffer(Buffer=$b)\nexpect no findings\n",
    );
    const { code, err } = await place.run("record s.calls --call FreeBuffer");
    assertEquals(code, 0, err);
    assertStringIncludes(err, "not checked: the trace holds a part of the run");
  }));
