// The verbs one after the other, as a user types them: what they print, where, and how they exit.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { inPlace, type Place } from "./place.ts";
import { recorded } from "./samples.ts";

/** The leaking story in t.msgpack, and the one that is well in good.msgpack. */
async function withStories(body: (place: Place) => Promise<void>): Promise<void> {
  await inPlace(async (place) => {
    assertEquals((await place.run("record gpu-pv-leak -o t.msgpack")).code, 0);
    assertEquals((await place.run("record gpu-pv -o good.msgpack")).code, 0);
    await body(place);
  });
}

const lastLines = (text: string, count: number) => text.trimEnd().split("\n").slice(-count);

/** The last two lines: the next command, and the summary. */
function ending(next: string, summary: RegExp): RegExp {
  return new RegExp(`(?:^|\n)next:  maptrail ${next}\nSUMMARY: ${summary.source}\n$`);
}

Deno.test("audit, replay and diff end with the next command and a summary, and exit as promised", () =>
  withStories(async (place) => {
    const bad = await place.run("audit t.msgpack");
    assertEquals(bad.code, 1);
    assertMatch(
      bad.out,
      ending("dump t.msgpack --object gpadl#1", /16 errors, 0 hangs, .* in [\d,]+ events \(complete\)/),
    );
    const good = await place.run("audit good.msgpack");
    assertEquals(good.code, 0);
    assertMatch(good.out, ending("replay good.msgpack", /clean: 0 errors, 0 hangs, 0 warnings, .* \(complete\)/));
    const replay = await place.run("replay t.msgpack");
    assertEquals(replay.code, 0);
    assertMatch(replay.out, ending("audit t.msgpack", /no divergence: \d+ calls in [\d,]+ events replayed alike/));
    const diff = await place.run("diff t.msgpack good.msgpack");
    assertEquals(diff.code, 1);
    assertMatch(diff.out, ending("dump t.msgpack --range @\\d+-@\\d+", /different: .* events/));
    const same = await place.run("diff t.msgpack t.msgpack");
    assertEquals(same.code, 0);
    assertMatch(same.out, ending("audit t.msgpack", /equal: [\d,]+ events/));
    for (const { err } of [bad, good, replay, diff, same]) assertEquals(err, "");
  }));

Deno.test("the commands that audit, replay and diff suggest work as they stand, also for odd file names", () =>
  inPlace(async (place) => {
    const name = "-it's a trace.msgpack";
    assertEquals((await place.run(["record", "gpu-pv-leak", "-o", `./${name}`])).code, 0);
    const { out } = await place.run(["audit", `./${name}`]);
    const next = lastLines(out, 2)[0] ?? "";
    assertEquals(next, `next:  maptrail dump './-it'\\''s a trace.msgpack' --object gpadl#1`);
    const dump = await place.run(["dump", `./${name}`, "--object", "gpadl#1"]);
    assertEquals(dump.code, 0);
    assertStringIncludes(dump.out, "VmbChannelMapGpadl");
  }));

Deno.test("a trace left out is the newest, and is named; an output left out takes the next free name", () =>
  inPlace(async (place) => {
    for (const _ of [1, 2, 3]) assertEquals((await place.run("record double-map")).code, 0);
    assertEquals(place.names(), ["double-map-2.msgpack", "double-map-3.msgpack", "double-map.msgpack"]);
    for (const verb of ["audit", "replay", "dump"]) {
      assertStringIncludes(
        (await place.run(verb)).err,
        "Using double-map-3.msgpack, the newest trace in this folder.\n",
      );
    }
    Deno.utimeSync(place.path("double-map.msgpack"), 4e9, 4e9);
    assertStringIncludes((await place.run("audit")).err, "Using double-map.msgpack");
  }));

Deno.test("- is standard input and output on every verb where bytes go in or out", () =>
  inPlace(async (place) => {
    const trace = await place.run("record gpu-pv-leak -o - --wall-clock off");
    assertEquals([trace.code, place.names()], [0, []]);
    assertStringIncludes(trace.err, "into standard output");
    const piped = { stdin: trace.bytes };
    const audit = await place.run("audit -", piped);
    assertEquals([audit.code, lastLines(audit.out, 2)[0]], [1, "next:  maptrail explain sysmem-gpadl-leak"]);
    assertEquals((await place.run("replay -", piped)).code, 0);
    place.put("t.msgpack", trace.bytes);
    assertEquals((await place.run("diff - t.msgpack", piped)).code, 0);
    assertEquals((await place.run("diff t.msgpack -", piped)).code, 0);
    const json = await place.run("dump - --json", piped);
    const imported = await place.run("import - -o -", { stdin: json.out });
    assertEquals(imported.code, 0, imported.err);
    assertEquals((await place.run("diff t.msgpack -", { stdin: imported.bytes })).code, 0);
    const dump = await place.run("dump -", piped);
    const again = await place.run("record - -o -", { stdin: dump.out });
    assertEquals(again.code, 0, again.err);
    assertEquals((await place.run("diff t.msgpack -", { stdin: again.bytes })).code, 0);
    assertEquals(place.names(), ["t.msgpack"]);
  }));

function keys(value: unknown): string[] {
  return Object.keys(Object(value));
}

function parsed(text: string): Record<string, unknown> {
  return JSON.parse(text);
}

Deno.test("audit --json is the documented form, with sites and siblings behind it, and next and SUMMARY on standard error", () =>
  withStories(async (place) => {
    const { code, out, err } = await place.run("audit t.msgpack --json");
    assertEquals([code, out.split("\n").length], [1, 2]);
    const json = parsed(out);
    assertEquals(keys(json), ["schema", "trace", "findings", "pairing", "summary"]);
    assertEquals(json.schema, "maptrail.audit/1");
    assertEquals([keys(json.trace), Object(json.trace).file], [["file", "events", "complete"], "t.msgpack"]);
    const findings = Array.isArray(json.findings) ? json.findings : [];
    assert(findings.length > 16, "notes are there too");
    for (const finding of findings) {
      assertEquals(
        keys(finding).slice(0, 9).join(" "),
        "rule code severity verdict message event object fingerprint evidence",
      );
      for (const each of finding.evidence) assertEquals(keys(each).slice(0, 2), ["event", "role"]);
    }
    const leak = findings.find(({ rule }) => rule === "sysmem-gpadl-leak");
    const created = leak?.evidence.find(({ role }: { readonly role: unknown }) => role === "created");
    assertEquals([created?.site?.file, created?.site?.function], ["gpupv/guest_allocation.ts", "shareByGpadl"]);
    assertEquals(leak?.siblings, { created: 16, released: 0 });
    assertEquals(keys(Object(json.pairing).gpadl), ["starts", "ends", "pairs", "preExisting", "liveAtEnd", "leaked"]);
    assertEquals(json.summary, { error: 16, hang: 0, warning: 0, note: findings.length - 16, unproven: 0 });
    assertMatch(err, /^next: {2}maptrail dump t\.msgpack --object gpadl#1\nSUMMARY: 16 errors/);
  }));

Deno.test("replay --json and diff --json are the documented forms and nothing else", () =>
  withStories(async (place) => {
    const replay = await place.run("replay t.msgpack --json");
    const alike = parsed(replay.out);
    assertEquals(keys(alike), ["schema", "events", "callsReplayed", "diverged", "divergence"]);
    assertEquals([alike.schema, alike.diverged, alike.divergence], ["maptrail.replay/1", false, null]);
    assertMatch(replay.err, /^next: .*\nSUMMARY: no divergence/);
    const other = parsed((await place.run("replay t.msgpack --json --option gpadl-limit=3")).out);
    assertEquals(keys(other), ["schema", "events", "callsReplayed", "diverged", "divergence"]);
    assertEquals(keys(other.divergence), ["event", "call", "field", "recorded", "replayed", "message"]);
    const same = parsed((await place.run("diff t.msgpack t.msgpack --json")).out);
    assertEquals([same.schema, same.equal, same.first], ["maptrail.diff/1", true, null]);
    const differs = await place.run("diff t.msgpack good.msgpack --json");
    const json = parsed(differs.out);
    assertEquals(keys(json), ["schema", "equal", "first", "summary"]);
    assertEquals([json.equal, keys(json.first)], [false, ["a", "b", "message"]]);
    assertMatch(differs.err, /^next: .*\nSUMMARY: different/);
  }));

Deno.test("dump --json is a header and a line for each event, whatever kind it is", () =>
  withStories(async (place) => {
    const { out, err } = await place.run("dump good.msgpack --json");
    const [header, ...events] = out.trimEnd().split("\n").map(parsed);
    assertEquals([header?.schema, header?.seed, err], ["maptrail.trace/1", 1, ""]);
    assert(events.length > 100);
    for (const [index, event] of events.entries()) {
      assertEquals(event.event, index + 1);
      assert(["call", "enter", "leave", "callback", "return", "memory", "note"].includes(String(event.kind)));
      if (event.kind !== "memory" && event.kind !== "note") assertEquals(typeof event.call, "string");
    }
    assertEquals(new Set(events.map(({ kind }) => kind)).size >= 4, true);
  }));

Deno.test("record --json and import --json say what they wrote, on standard output alone", () =>
  inPlace(async (place) => {
    const record = await place.run("record double-map --json --seed 3");
    const said = parsed(record.out);
    assertEquals([said.schema, said.file, said.reason, said.seed], [
      "maptrail.record/1",
      "double-map.msgpack",
      "ended",
      3,
    ]);
    place.put("t.json", (await place.run("dump --json")).out);
    const imported = parsed((await place.run("import t.json --json")).out);
    assertEquals([imported.schema, imported.file, imported.events], ["maptrail.import/1", "t.msgpack", said.events]);
  }));

Deno.test("--quiet leaves only what went wrong on standard error", () =>
  withStories(async (place) => {
    for (
      const words of [
        "record double-map --quiet",
        "audit --quiet",
        "audit t.msgpack --json --quiet",
        "replay t.msgpack --quiet",
      ]
    ) {
      assertEquals((await place.run(words)).err, "", words);
    }
    assertMatch((await place.run("audit missing --quiet")).err, /no such file/);
  }));

Deno.test("--limit cuts lists and says by how much, and 0 shows all", () =>
  withStories(async (place) => {
    const two = await place.run("audit t.msgpack --limit 2");
    assertStringIncludes(two.out, "gpadl#2 ");
    assert(!two.out.includes("gpadl#3 "));
    assertStringIncludes(two.out, "… 14 more (--limit 0 shows all)");
    const all = await place.run("audit t.msgpack --limit 0");
    assertStringIncludes(all.out, "gpadl#16 ");
    assert(!all.out.includes("more (--limit"));
    const dump = await place.run("dump t.msgpack --limit 5");
    const lines = dump.out.trimEnd().split("\n").filter((line) => !line.startsWith("!"));
    assertEquals(lines.length, 5);
    const rest = (await place.run("dump t.msgpack")).out.trimEnd().split("\n").filter((line) => !line.startsWith("!"));
    assertEquals(dump.err, `… ${rest.length - 5} more (--limit 0 shows all)\n`);
    const json = await place.run("dump t.msgpack --json --limit 5");
    assertEquals(json.out.trimEnd().split("\n").length, 6);
    assertMatch(json.err, /^… \d+ more \(--limit 0 shows all\)\n$/);
    const diff = await place.run("diff t.msgpack good.msgpack --limit 1");
    assertMatch(diff.out, /^… \d+ more \(--limit 0 shows all\)$/m);
    assert(!(await place.run("diff t.msgpack good.msgpack --limit 0")).out.includes("more (--limit"));
  }));

Deno.test("--fail-on says from which severity on a finding is exit code 1", () =>
  withStories(async (place) => {
    const codes = async (trace: string) => {
      const found: number[] = [];
      for (const level of ["error", "hang", "warning", "note"]) {
        found.push((await place.run(`audit ${trace} --fail-on ${level}`)).code);
      }
      return found;
    };
    assertEquals(await codes("t.msgpack"), [1, 1, 1, 1]);
    assertEquals(await codes("good.msgpack"), [0, 0, 0, 1]);
    await place.run("record delete-deadlock -o hang.msgpack");
    assertEquals((await codes("hang.msgpack")).slice(1), [1, 1, 1]);
  }));

Deno.test("filters on audit pick findings, and the exit code goes by what is left", () =>
  withStories(async (place) => {
    const count = async (flags: string) => {
      const { code, out } = await place.run(`audit t.msgpack --json ${flags}`);
      const { findings } = parsed(out);
      return [code, Array.isArray(findings) ? findings.length : -1];
    };
    assertEquals(await count("--rule sysmem-gpadl-leak"), [1, 16]);
    assertEquals(await count("--rule V-32"), [1, 16]);
    assertEquals(await count("--rule G-*"), [0, 0]);
    assertEquals(await count("--object gpadl#4 --rule V-*"), [1, 1]);
    assertEquals(await count("--object gpadl#4 --object gpadl#9 --rule sysmem-gpadl-leak"), [1, 2]);
    assertEquals(await count("--object gpadl --rule sysmem-gpadl-leak"), [1, 16]);
    assertEquals(await count("--range @1-@165 --rule sysmem-gpadl-leak"), [1, 1]);
    assertEquals(await count("--side kmd"), [0, 0]);
    assertEquals(await count("--call D3DKMTClose*"), [0, 0]);
  }));

Deno.test("what the filters of audit kept back is counted, and is not called clean", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record gpu-pv-leak -o leak.msgpack")).code, 0);
    const { code, out } = await place.run("audit leak.msgpack --object channel#1");
    assertEquals(code, 0);
    assertMatch(out, /\nSUMMARY: 0 errors, 0 hangs, 0 warnings, 0 notes, 32 findings filtered out in [\d,]+ events/);
  }));

Deno.test("record --list --json is the programs as one object", () =>
  inPlace(async (place) => {
    const { code, out } = await place.run("record --list --json");
    const { schema, programs } = JSON.parse(out);
    assertEquals([code, schema, programs[0].name], [0, "maptrail.programs/1", "gpu-pv"]);
  }));

Deno.test("filters on dump pick events, of every kind of filter at once", () =>
  withStories(async (place) => {
    const events = async (flags: string) => {
      const { out } = await place.run(`dump t.msgpack --json ${flags}`.trimEnd());
      return out.trimEnd().split("\n").slice(1).map(parsed);
    };
    assertEquals((await events("--range @17-@20")).map(({ event }) => event), [17, 18, 19, 20]);
    const last = (await events("")).length;
    assertEquals((await events(`--range @${last - 1}-`)).map(({ event }) => event), [last - 1, last]);
    const maps = await events("--call VmbChannel*mapGpadl --call VmbChannelMapGpadl --side server");
    assertEquals(new Set(maps.map(({ call }) => call)), new Set(["VmbChannelMapGpadl", "VmbChannelUnmapGpadl"]));
    const life = await events("--object gpadl#4");
    assert(
      life.length >= 3 && life.every((event) => event.kind === "memory" || JSON.stringify(event).includes("gpadl#4")),
    );
    const named = await events("--rule sysmem-gpadl-leak --call VmbChannelCreateGpadl*");
    assertEquals(named.length, 16);
    assertEquals((await events("--side gpu --call Vmb*")).length, 0);
  }));

Deno.test("filters on diff and replay narrow what is compared", () =>
  withStories(async (place) => {
    assertEquals((await place.run("diff t.msgpack good.msgpack --call D3DKMTCreateDevice")).code, 0);
    assertEquals((await place.run("diff t.msgpack good.msgpack --call VmbChannelDeleteGpadl")).code, 1);
    assertEquals((await place.run("diff t.msgpack good.msgpack --range @1-@10")).code, 0);
    const limited = "replay t.msgpack --option gpadl-limit=3";
    assertEquals((await place.run(limited)).code, 1);
    assertEquals((await place.run(`${limited} --range @1-@20`)).code, 0);
    assertEquals((await place.run("replay t.msgpack --call Vmb* --side server --object gpadl#4 --rule V-*")).code, 0);
  }));

Deno.test("several traces in one audit: each under its name, JSON a line each, one bad file does not hide the others", () =>
  withStories(async (place) => {
    const text = await place.run("audit good.msgpack t.msgpack");
    assertEquals(text.code, 1);
    assertMatch(
      text.out,
      /^good\.msgpack\n[^]*SUMMARY: good\.msgpack: clean[^]*\nt\.msgpack\n[^]*SUMMARY: t\.msgpack: 16 errors.*\n$/,
    );
    const json = await place.run("audit good.msgpack t.msgpack --json");
    const files = json.out.trimEnd().split("\n").map((line) => Object(parsed(line).trace).file);
    assertEquals(files, ["good.msgpack", "t.msgpack"]);
    const missing = await place.run("audit missing good.msgpack --json");
    assertEquals([missing.code, missing.out.trimEnd().split("\n").length], [3, 1]);
    assertStringIncludes(missing.err, 'Cannot read "missing"');
    assertEquals((await place.run("audit missing t.msgpack")).code, 1);
    place.put("cut.msgpack", place.bytes("good.msgpack").slice(0, -30));
    assertEquals((await place.run("audit good.msgpack cut.msgpack")).code, 4);
  }));

Deno.test("audit --markdown ends with the commands that show it again, and they do when pasted", () =>
  inPlace(async (place) => {
    place.put("my prog.ts", PROGRAM);
    const flags = ["--seed", "7", "--option", "gpadl-limit=5", "--sites", "all", "--memory", "digest"];
    const first = await place.run(["record", "my prog.ts", ...flags, "--", "a b", "-c"]);
    assertEquals(first.code, 0, first.err);
    const { out, err, code } = await place.run(["audit", "--markdown", "--rule", "channel-*"]);
    assertEquals(code, 1);
    assertMatch(err, /\nSUMMARY: 1 error/);
    const pasted = out.trimEnd().split("\n").slice(-3, -1).map(shellWords);
    assertEquals(out.trimEnd().split("\n").at(-1), "```");
    assertEquals(pasted[0], [
      "maptrail",
      "record",
      "my prog.ts",
      "--seed",
      "7",
      "--sites",
      "all",
      "--memory",
      "digest",
      "--option",
      "gpadl-limit=5",
      "--",
      "a b",
      "-c",
    ]);
    for (const [index, words] of pasted.entries()) {
      const again = await place.run(words.slice(1));
      assertEquals(again.code, index, again.err);
    }
    assertEquals((await place.run(["diff", "my prog.msgpack", "my prog-2.msgpack"])).code, 0);
  }));

const PROGRAM = `export default async ({ client, args }) => {
  const { Channel } = await client.VmbChannelAllocate({});
  await client.VmbChannelInitSetFriendlyName({ Channel, Name: args.join("|") });
};
`;

/** A line as a POSIX shell takes it apart: words, with or without single quotes. */
function shellWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|\\.|[^\s'\\])+/g) ?? [];
  return words.map((word) => word.replace(/'([^']*)'|\\(.)/g, "$1$2"));
}

Deno.test("a scenario whose line or finding does not hold is exit code 1, names the lines, and still writes the trace", () =>
  inPlace(async (place) => {
    place.put(
      "t.calls",
      `client VmbChannelAllocate() -> STATUS_ACCESS_DENIED
expect finding gpadl-leak
`,
    );
    for (const output of ["t.msgpack", "-"]) {
      const { code, err } = await place.run(`record t.calls -o ${output}`);
      assertEquals(code, 1);
      assertMatch(
        err,
        /^t\.calls:1: VmbChannelAllocate: .*STATUS_ACCESS_DENIED.*\nt\.calls:2: no such finding: gpadl-leak/,
      );
    }
    assertEquals((await place.run("audit t.msgpack")).code, 1);
    place.put("leak.calls", "client VmbChannelAllocate()\nexpect finding channel-leak\n");
    assertEquals((await place.run("record leak.calls")).code, 0);
    const clean = await recorded("expect no findings\n");
    assertEquals((await place.run("audit -", { stdin: clean })).code, 0);
  }));
