// What may be typed, and what is said of what may not. No verb is run here.
import fc from "fast-check";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { EXAMPLES } from "../../src/cli/examples.ts";
import { CliError, EXIT } from "../../src/cli/exit.ts";
import { eventRange, type Filters, NO_VOCABULARY, type OutputFlags } from "../../src/cli/flags.ts";
import type { VerbArgs } from "../../src/cli/grammar.ts";
import { helpText } from "../../src/cli/help.ts";
import { parseVerb } from "../../src/cli/parse.ts";
import { verbOf, VERBS, wantsHelp } from "../../src/cli/words.ts";

const NO_FILTERS: Filters = { range: undefined, calls: [], levels: [], sides: [], objects: [], rules: [] };
const SHOW: OutputFlags = { json: false, quiet: false, verbose: false, color: "auto", limit: 20 };
const STYLE = { color: false, width: 100, vocabulary: NO_VOCABULARY };

function parse(line: string): VerbArgs {
  const words = line.split(" ").map((word) => word.replaceAll("'", ""));
  const verb = verbOf(words[0]);
  assert(verb !== undefined, `${line}: no verb`);
  return parseVerb(verb, words);
}

function complaint(line: string): string {
  const error = assertThrows(() => parse(line), CliError);
  assertEquals(error.exitCode, EXIT.usage);
  return error.message;
}

Deno.test("every verb without flags gets the defaults of the command line's promise", () => {
  const common = { filters: NO_FILTERS, show: SHOW };
  assertEquals(parse("record"), {
    verb: "record",
    program: undefined,
    output: undefined,
    force: false,
    list: false,
    seed: 1,
    sites: "creating",
    memory: "full",
    wallClock: true,
    flush: undefined,
    ring: undefined,
    options: [],
    ...common,
    args: [],
  });
  assertEquals(parse("replay"), { verb: "replay", trace: undefined, options: [], ...common });
  assertEquals(parse("audit"), {
    verb: "audit",
    traces: [],
    failOn: "warning",
    strictRemap: false,
    markdown: false,
    ...common,
  });
  assertEquals(parse("diff a b"), { verb: "diff", left: "a", right: "b", ...common });
  assertEquals(parse("dump"), { verb: "dump", trace: undefined, ...common, show: { ...SHOW, limit: Infinity } });
  assertEquals(parse("info"), { verb: "info", trace: undefined, ...common });
  assertEquals(parse("import x.log"), {
    verb: "import",
    files: ["x.log"],
    output: undefined,
    force: false,
    ...common,
  });
  assertEquals(parse("explain"), { verb: "explain", names: [], traces: [], coverage: false, ...common });
});

Deno.test("record --flush takes seconds, a size or off, each within its limits", () => {
  const flush = (text: string) => {
    const args = parse(`record --flush ${text}`);
    return args.verb === "record" ? args.flush : null;
  };
  assertEquals([flush("1s"), flush("0.5s"), flush("off")], [{ seconds: 1 }, { seconds: 0.5 }, "off"]);
  assertEquals([flush("64KB"), flush("256KB")], [{ bytes: 65536 }, { bytes: 262144 }]);
  for (const text of ["1", "0s", "0.001s", "3601s", "-1s", "0KB", "257KB", "1MB", "on"]) {
    assertStringIncludes(complaint(`record --flush=${text}`), "256KB");
  }
});

Deno.test("record takes all of its flags, and everything behind -- as the program's own", () => {
  const line = "record my.ts -o - --force --seed 4294967295 --sites findings --memory digest --wall-clock off " +
    "--option paging=immediate --option a=b=c -- --seed x -- -o";
  const args = parse(line);
  assert(args.verb === "record");
  assertEquals([args.program, args.output, args.force, args.seed], ["my.ts", "-", true, 4294967295]);
  assertEquals([args.sites, args.memory, args.wallClock], ["findings", "digest", false]);
  assertEquals(args.options, [["paging", "immediate"], ["a", "b=c"]]);
  assertEquals(args.args, ["--seed", "x", "--", "-o"]);
  const bare = parse("record -- leak");
  assert(bare.verb === "record");
  assertEquals([bare.program, bare.args], [undefined, ["leak"]]);
});

Deno.test("filters and output flags are read on every verb", () => {
  const flags = "--range @3-@9 --call Vmb* --call Dxgk* --level wire,kmcl --side umd#2 --object gpadl#7 --rule G-0? " +
    "--json --quiet --verbose --color never --limit 0";
  const positions = new Map([["diff", " a b"], ["import", " a"]]);
  for (const verb of VERBS) {
    const { filters, show } = parse(`${verb}${positions.get(verb) ?? ""} ${flags}`);
    assertEquals(filters, {
      range: { first: 3, last: 9 },
      calls: ["Vmb*", "Dxgk*"],
      levels: ["kmcl", "wire"],
      sides: ["umd#2"],
      objects: ["gpadl#7"],
      rules: ["G-0?"],
    });
    assertEquals(show, { json: true, quiet: true, verbose: true, color: "never", limit: Infinity });
  }
});

Deno.test("a lone - is a position, for standard input or output", () => {
  const audit = parse("audit - b.msgpack");
  assert(audit.verb === "audit");
  assertEquals(audit.traces, ["-", "b.msgpack"]);
  const dump = parse("dump -");
  assert(dump.verb === "dump");
  assertEquals(dump.trace, "-");
});

Deno.test("behind -- a file may begin with a dash", () => {
  const args = parse("info -- --odd.msgpack");
  assert(args.verb === "info");
  assertEquals(args.trace, "--odd.msgpack");
});

Deno.test("--range reads what it prints, and both ends may be left open or equal", () => {
  const range = eventRange();
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (first, length) => {
      const value = { first, last: first + length };
      assertEquals(range.parse(range.format(value)), { success: true, value });
    }),
    { seed: 1 },
  );
  assertEquals(range.parse("@5-"), { success: true, value: { first: 5, last: Infinity } });
  assertEquals(range.parse("@5"), { success: true, value: { first: 5, last: 5 } });
  assertEquals(range.parse("5-6"), { success: true, value: { first: 5, last: 6 } });
  for (const bad of ["", "@", "@9-@3", "@x-@y", "@1-@2-@3", "@-1", "@1.5"]) assert(!range.parse(bad).success, bad);
});

Deno.test("explain tells a name from a trace, and refuses what it would ignore", () => {
  const coverage = parse("explain --coverage gpadl-leak a.msgpack -");
  assert(coverage.verb === "explain");
  assertEquals([coverage.names, coverage.traces], [["gpadl-leak"], ["a.msgpack", "-"]]);
  assertStringIncludes(complaint("explain gpadl-leak V-12"), "Name one rule or call");
  assertStringIncludes(complaint("explain a.msgpack"), "Add --coverage");
});

Deno.test("wrong usage is exit code 2 and one message that says where to look", () => {
  assertEquals(
    complaint("record --sead 3"),
    'Unexpected option or argument: "--sead". Did you mean "--seed" or "--side"?\nTry: maptrail record --help',
  );
  assertStringIncludes(complaint("audit --fail-on eror"), '"error", "hang", "warning"');
  assertStringIncludes(complaint("import"), "Name at least one FILE");
  assertStringIncludes(complaint("diff a"), "Name two traces");
  assertStringIncludes(complaint("diff a b c"), '"c"');
  assertStringIncludes(complaint("info --limit -1"), "--limit");
  assertStringIncludes(complaint("info --limit 1.5"), "--limit");
  assertStringIncludes(complaint("record --option paging"), "--option");
  assertStringIncludes(complaint("record --seed 1 --seed 2"), "--seed");
  assertStringIncludes(complaint("record --seed 4294967296"), "--seed");
  assertStringIncludes(complaint("dump --object 7"), "gpadl#7");
  assertStringIncludes(complaint("dump --range 9-3"), "smaller event first");
});

Deno.test("flags of one verb are refused on another", () => {
  for (const line of ["audit --force", "info --seed 3", "dump --markdown", "replay --fail-on note", "diff a b -o c"]) {
    complaint(line);
  }
});

Deno.test("every example of every help page parses, and none names another verb's page", () => {
  for (const [page, examples] of Object.entries(EXAMPLES)) {
    assert(examples.length >= 2 && examples.length <= 6, page);
    for (const { command } of examples) {
      if (page !== "top") assertEquals(parse(command).verb, verbOf(page));
      else parse(command);
    }
  }
});

Deno.test("help has a page for the program and for each verb, with its examples", () => {
  const top = helpText(["--help"], STYLE);
  for (const verb of VERBS) {
    assertStringIncludes(top, `\n  ${verb} `);
    const page = helpText([verb, "--help"], STYLE);
    assertStringIncludes(page, `Usage: maptrail ${verb} `);
    assertStringIncludes(page, "--range @A-@B");
    for (const { command } of EXAMPLES[verb]) assertStringIncludes(page, `  maptrail ${command}`);
    assert(page.split("\n").every((line) => line.trimEnd().length <= 100), `${verb}: a line is too long`);
    assertEquals(helpText(["help", verb], STYLE), page);
  }
  assert(wantsHelp(["info", "-h"]) && !wantsHelp(["record", "--", "--help"]));
});

Deno.test("an unknown verb is answered with the nearest ones", () => {
  const unknown = (word: string) => assertThrows(() => helpText([word], STYLE), CliError).message;
  assertEquals(unknown("recrod"), 'Unknown verb "recrod". Did you mean "record"?\nTry: maptrail --help');
  assertEquals(unknown("frobnicate"), 'Unknown verb "frobnicate".\nTry: maptrail --help');
  assertStringIncludes(unknown("--jsno"), "--jsno");
  assertStringIncludes(assertThrows(() => helpText([], STYLE), CliError).message, "record, replay, audit");
});

Deno.test("--version names the program, and completions exist for five shells and for names", () => {
  assert(/^maptrail \d+\.\d+\.\d+$/.test(helpText(["--version"], STYLE)));
  for (const shell of ["bash", "fish", "nu", "pwsh", "zsh"]) {
    assertStringIncludes(helpText(["completions", shell], STYLE), "maptrail");
  }
  const vocabulary = { ...NO_VOCABULARY, programs: ["gpu-pv", "hello"], rules: ["gpadl-leak"] };
  const complete = (...words: string[]) =>
    helpText(["completions", "bash", ...words], { ...STYLE, vocabulary }).split("\n").filter((line) => line !== "");
  assertEquals(complete("aud"), ["audit"]);
  assertEquals(complete("record", "gp"), ["gpu-pv"]);
  assertEquals(complete("record", "--memory", ""), ["full", "digest", "none"]);
  assertEquals(complete("audit", "--rule", "gp"), ["gpadl-leak"]);
  assertStringIncludes(complete("dump", "x").join(), "__FILE__:file:msgpack:");
});
