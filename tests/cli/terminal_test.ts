// Colours, the bar and how a run ends, on a terminal and a clock that stand still.
import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { CliError, EXIT, exitCodeOf, reportOf } from "../../src/cli/exit.ts";
import { makeIo } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import { nearest, unknownName } from "../../src/cli/suggest.ts";
import { colorChoiceIn, columnsOf, cutNote, fit, grouped, plural, wrapped } from "../../src/cli/terminal.ts";
import { makePaint, progressLine, wantsColor } from "../../src/cli/terminal.ts";
import { closedPort, fakeSystem } from "./fake_system.ts";

const LOUD = { quiet: false, verbose: false, color: "auto" } as const;

Deno.test("colour is on only on a terminal without NO_COLOR, unless --color says otherwise", () => {
  for (const terminal of [true, false]) {
    for (const noColor of [true, false]) {
      assertEquals(wantsColor("auto", { terminal, noColor }), terminal && !noColor);
      assertEquals(wantsColor("always", { terminal, noColor }), true);
      assertEquals(wantsColor("never", { terminal, noColor }), false);
    }
  }
});

Deno.test("paint that is off changes nothing, and paint that is on adds no columns", () => {
  const off = makePaint(false);
  const on = makePaint(true);
  for (const name of ["bad", "warn", "good", "strong", "faint"] as const) {
    assertEquals(off[name]("text"), "text");
    assert(on[name]("text").startsWith("\x1b[") && on[name]("text").includes("mtext\x1b["), name);
    assertEquals(columnsOf(on[name]("text")), 4);
    assertEquals(on[name](""), "");
  }
});

Deno.test("--color is found among words that do not parse, but not behind --", () => {
  assertEquals(colorChoiceIn(["recrod", "--color", "always"]), "always");
  assertEquals(colorChoiceIn(["--color=never", "info"]), "never");
  assertEquals(colorChoiceIn(["info", "--color", "sometimes"]), "auto");
  assertEquals(colorChoiceIn(["record", "--", "--color", "always"]), "auto");
  assertEquals(colorChoiceIn([]), "auto");
});

Deno.test("progressLine() shows part, rate and time left", () => {
  const state = { label: "Reading", done: 250_000, total: 1_000_000, unit: "events", elapsedMs: 2000 };
  assertEquals(
    progressLine(state, 80),
    `Reading  ${"█".repeat(9)}${"░".repeat(27)}   25 %  125,000 events/s  6s left`,
  );
  assertEquals(progressLine({ ...state, total: undefined }, 80), "Reading  250,000 events  125,000 events/s");
  assertStringIncludes(progressLine({ ...state, done: 1000 }, 80), "33m 18s left");
});

Deno.test("progressLine() never reaches the last column", () => {
  const number = fc.nat({ max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(number, fc.option(number, { nil: undefined }), number, fc.integer({ min: 20, max: 200 }), (...all) => {
      const [done, total, elapsedMs, width] = all;
      const line = progressLine({ label: "Auditing a trace", done, total, unit: "events", elapsedMs }, width);
      assert(columnsOf(line) < width, `${columnsOf(line)} columns of ${width}: ${line}`);
    }),
    { seed: 2 },
  );
});

Deno.test("a bar appears after one second, is wiped for a line, and leaves nothing behind", () => {
  const system = fakeSystem("/", { terminal: true });
  const io = makeIo(system, LOUD);
  const bar = io.progress("Reading", { total: 100 });
  system.advance(999);
  bar.update(10);
  assertEquals(system.errors(), "");
  system.advance(1);
  bar.update(20);
  bar.update(21);
  const bar20 = `${"█".repeat(8)}${"░".repeat(32)}`;
  assertEquals(system.errors(), `\r\x1b[KReading  ${bar20}   20 %  20 events/s  4s left`);
  io.talk("a line");
  assert(system.errors().endsWith("\r\x1b[Ka line\n"));
  bar.update(30);
  bar.end();
  bar.end();
  bar.update(40);
  assert(system.errors().endsWith("left\r\x1b[K"));
});

Deno.test("there is no bar without a terminal, and none with --quiet", () => {
  for (const [terminal, quiet] of [[false, false], [true, true]] as const) {
    const system = fakeSystem("/", { terminal });
    const bar = makeIo(system, { ...LOUD, quiet }).progress("Reading");
    system.advance(5000);
    bar.update(1);
    bar.end();
    assertEquals(system.errors(), "");
  }
});

Deno.test("next and SUMMARY are the last lines, on standard error where standard output is data", () => {
  const text = fakeSystem();
  const io = makeIo(text, LOUD);
  io.out.line("found");
  io.close({ next: "dump a", summary: "1 error", data: false });
  io.out.flush();
  assertEquals(text.output(), "found\nnext:  maptrail dump a\nSUMMARY: 1 error\n");
  const data = fakeSystem();
  makeIo(data, LOUD).close({ next: "dump a", summary: "1 error", data: true });
  assertEquals([data.output(), data.errors()], ["", "next:  maptrail dump a\nSUMMARY: 1 error\n"]);
  const quiet = fakeSystem();
  makeIo(quiet, { ...LOUD, quiet: true }).close({ summary: "1 error", data: true });
  assertEquals(quiet.errors(), "");
});

Deno.test("talk waits for the output that came before it", () => {
  const system = fakeSystem();
  const io = makeIo(system, LOUD);
  io.out.line("first");
  assertEquals(system.output(), "");
  io.talk("second");
  assertEquals(system.output(), "first\n");
});

Deno.test("wrapped() cuts between parts, else between words, indents what follows, and loses nothing", () => {
  assertEquals(wrapped("short", 80), ["short"]);
  assertEquals(wrapped("  a#1   made @1   mapped @2 by it   gone @3", 24), [
    "  a#1   made @1",
    "    mapped @2 by it",
    "    gone @3",
  ]);
  assertEquals(wrapped("error  rule: one two three four", 20), ["error  rule: one two", "       three four"]);
  assertEquals(wrapped("\x1b[31merror\x1b[39m  rule: one two", 20), ["\x1b[31merror\x1b[39m  rule: one two"]);
  const text = fc.array(fc.constantFrom("a", "bcd", "efghijkl", "")).map((words) => `  ${words.join(" ")}`);
  fc.assert(
    fc.property(text, fc.integer({ min: 12, max: 40 }), (line, width) => {
      const lines = wrapped(line, width);
      assert(lines.every((each) => columnsOf(each) <= width));
      assertEquals(lines.join("").replaceAll(" ", ""), line.replaceAll(" ", ""));
    }),
    { seed: 1 },
  );
});

Deno.test("on a terminal talk is folded at words, and commands and pointed-at lines are not", () => {
  const long = "word ".repeat(30).trimEnd();
  const system = fakeSystem("/nowhere", { terminal: true });
  makeIo(system, LOUD).complain(`${long}\n  ${long}\nTry: ${long}`);
  const lines = system.errors().trimEnd().split("\n");
  assertEquals(lines.length, 4);
  assertEquals([lines[0]?.length, lines[2], lines[3]], [79, `  ${long}`, `Try: ${long}`]);
  const pipe = fakeSystem();
  makeIo(pipe, LOUD).complain(long);
  assertEquals(pipe.errors(), `${long}\n`);
});

Deno.test("small texts: groups of digits, cut lines, cut lists", () => {
  assertEquals([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
  assertEquals([0, 1, 1000].map((count) => plural(count, "event")), ["0 events", "1 event", "1,000 events"]);
  assertEquals([fit("abc", 3), fit("abcd", 3), fit("abcd", 0)], ["abc", "ab…", "…"]);
  assertEquals([cutNote(5, 3), cutNote(3, 3)], ["… 2 more (--limit 0 shows all)", undefined]);
});

Deno.test("a misspelt rule is answered with its neighbours", () => {
  const rules = ["gpadl-leak", "gpadl-empty", "packet-leak", "channel-leak"];
  assertEquals(nearest("gpadl-leek", rules)[0], "gpadl-leak");
  assertEquals(
    unknownName("rule", "gpadl-leek", ["gpadl-leak"]),
    'Unknown rule "gpadl-leek". Did you mean "gpadl-leak"?',
  );
  assertEquals(unknownName("rule", "zzz", rules), 'Unknown rule "zzz".');
});

Deno.test("errors map to exit codes, and only our own bugs ask for a report", () => {
  class TraceFormatError extends Error {
    override readonly name = "TraceFormatError";
  }
  assertEquals(exitCodeOf(new CliError(EXIT.cutShort, "x")), 5);
  assertEquals(exitCodeOf(new TraceFormatError("x")), 3);
  assertEquals(exitCodeOf(new Deno.errors.NotFound("x")), 3);
  assertEquals(exitCodeOf(Object.assign(new Error("x"), { code: "ENOSPC" })), 5);
  assertEquals(exitCodeOf(new Deno.errors.BrokenPipe("x")), 0);
  assertEquals(exitCodeOf(new TypeError("x")), 70);
  assertEquals(exitCodeOf("x"), 70);
  assertEquals(reportOf(new CliError(EXIT.usage, "Do this."), false), "Do this.");
  assertEquals(reportOf(new Deno.errors.BrokenPipe("x"), true), undefined);
  assertStringIncludes(reportOf(new TypeError("x"), false) ?? "", "bug of maptrail");
  assertMatch(reportOf(Object.assign(new Error("x"), { code: "ENOSPC" }), false) ?? "", /no room is left/);
  const caused = new CliError(EXIT.unreadable, "Cannot read.", { cause: new Error("why") });
  assertMatch(reportOf(caused, true) ?? "", /^Cannot read\.\n {4}at [^]*\ncaused by Error: why\n {4}at /);
});

Deno.test("main() prints one message for wrong usage, on standard error, and exits 2", async () => {
  const system = fakeSystem();
  assertEquals(await main(["recrod"], system), 2);
  assertEquals(system.output(), "");
  assertEquals(system.errors(), 'maptrail: Unknown verb "recrod". Did you mean "record"?\nTry: maptrail --help\n');
});

Deno.test("main() ends quietly with 0 when the reader of its output is gone", async () => {
  const system = fakeSystem();
  assertEquals(await main(["--help"], { ...system, stdout: closedPort() }), 0);
  assertEquals(system.errors(), "");
  assertEquals(await main(["recrod"], { ...system, stderr: closedPort() }), 2);
});

Deno.test("main() goes on where its talk finds no room: standard error on a full disk changes no exit code", async () => {
  const system = fakeSystem();
  const stderr = {
    terminal: false,
    write() {
      throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
    },
  };
  assertEquals(await main(["recrod"], { ...system, stderr }), 2);
  assertEquals(await main(["explain", "G-07", "--verbose"], { ...system, stderr }), 0);
});

Deno.test("main() prints help on a terminal too narrow for it", async () => {
  const system = { ...fakeSystem("/", { terminal: true }), width: () => 20 };
  assertEquals(await main(["record", "--help"], system), 0);
});

Deno.test("main() colours help on a terminal only", async () => {
  const seen = fakeSystem("/", { terminal: true });
  assertEquals(await main(["info", "--help"], seen), 0);
  assertStringIncludes(seen.output(), "\x1b[");
  const piped = fakeSystem();
  assertEquals(await main(["info", "--help"], piped), 0);
  assert(!piped.output().includes("\x1b["));
});
