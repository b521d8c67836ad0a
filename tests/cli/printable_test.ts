// What other people named must not act on a terminal: texts and JSON that are printed, one by one and by every verb.
import fc from "fast-check";
import { printable, printableJson } from "../../src/cli/printable.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { inPlace } from "./place.ts";
import { SMALL_TRACE } from "./samples.ts";

const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Any UTF-16 units, half of them ones that a terminal might act on. */
const ANY_TEXT = fc.array(fc.oneof(fc.nat(0xa0), fc.nat(0xffff))).map((units) => String.fromCharCode(...units));

Deno.test("printable() leaves no control character but tabs and line ends, and leaves plain text alone", () => {
  fc.assert(
    fc.property(ANY_TEXT, (text) => {
      assert(!UNSAFE.test(printable(text)));
      if (!UNSAFE.test(text)) assertEquals(printable(text), text);
    }),
    { seed: 1 },
  );
  assertEquals(printable("a\x1b[2J\u009bb\r\n\tc é 漢"), "a\\u{1b}[2J\\u{9b}b\\r\n\tc é 漢");
  assertEquals(printable("\x1b[31mred\x1b[39m\x1b[2J", { keepsColor: true }), "\x1b[31mred\x1b[39m\\u{1b}[2J");
});

Deno.test("printableJson() is the same value without a control character", () => {
  fc.assert(
    fc.property(ANY_TEXT, (text) => {
      const json = printableJson(JSON.stringify({ text }));
      assert(!UNSAFE.test(json));
      assertEquals(JSON.parse(json), JSON.parse(JSON.stringify({ text })));
    }),
    { seed: 1 },
  );
});

Deno.test("names from a trace never reach the terminal raw: not in text, Markdown or JSON, coloured or not", () =>
  inPlace(async (place) => {
    const name = "\\u{1b}[31mred\\u{1b}]0;title\\u{7}\\u{9b}2J\\u{202e}\\u{7f}";
    place.put(
      "evil\x1b[2J.calls",
      `client VmbChannelAllocate() -> STATUS_SUCCESS {Channel=$c}
client VmbChannelInitSetFriendlyName(Channel=$c, Name="${name}")
client VmbChannelEnable(Channel=$c)
`,
    );
    const record = await place.run(["record", "evil\x1b[2J.calls", "-o", "evil\x1b[3J.msgpack", "--sites", "all"]);
    assertEquals(record.code, 0, record.err);
    assertSafe(record);
    const trace = "evil\x1b[3J.msgpack";
    place.put("good.msgpack", SMALL_TRACE);
    for (const verb of ["audit", "replay", "dump", "diff good.msgpack"]) {
      for (const flag of ["--color=always", "--json", "--verbose"]) {
        assertSafe(await place.run([...verb.split(" "), trace, flag]));
        assertSafe(await place.run([...verb.split(" "), trace, flag], { terminal: true }));
      }
    }
    assertSafe(await place.run(["audit", trace, "--markdown"]));
    assertSafe(await place.run(["audit", "no\x1b[31m"]));
    assertSafe(await place.run(["audit", "--rule", "no\x1b[31m"]));
    assertSafe(await place.run(["\x1b[31m"]));
    const json = (await place.run(["dump", trace, "--json"])).out;
    assert(
      json.split("\n").filter((line) => line !== "").some((line) =>
        JSON.stringify(JSON.parse(line)).includes("\u009b2J")
      ),
    );
  }));

Deno.test("what a trace says of itself never reaches the terminal raw, coloured or not", () =>
  inPlace(async (place) => {
    const evil = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202e";
    const loss = { what: evil, firstEvent: 1, lastEvent: 2, offsetBytes: -1 };
    const header = {
      ...{ schema: "maptrail.trace/1", tool: evil, toolVersion: evil, startedAt: evil, maker: "engine" },
      ...{ program: { name: evil, kind: "module", args: [evil] }, capabilities: [evil] },
      ...{ leftOut: [evil], losses: [loss] },
    };
    const site = { file: evil, line: 1, column: 1, function: evil };
    const call = { kind: "call", side: "client", actor: evil, site, call: "VmbChannelAllocate" };
    const lines = [
      header,
      { event: 3, kind: "note", text: evil },
      { event: 4, ...call, outcome: "STATUS_SUCCESS", outs: { Channel: "channel#1" } },
      {
        event: 5,
        ...call,
        call: "VmbChannelCleanup",
        args: { Channel: "channel#1" },
        outcome: "refused",
        reason: evil,
      },
    ];
    place.put("evil.jsonl", lines.map((line) => JSON.stringify(line)).join("\n"));
    assertSafe(await place.run("import evil.jsonl -o t"));
    place.put("good.msgpack", SMALL_TRACE);
    for (const verb of ["info t", "dump t", "audit t --fail-on note", "replay t", "diff t good.msgpack"]) {
      for (const flag of ["--color=always", "--json", "--verbose"]) {
        const ran = await place.run(`${verb} ${flag}`);
        assert(ran.out.includes("red") || verb.startsWith("diff") || verb.startsWith("replay"), verb);
        assertSafe(ran);
      }
    }
    assertSafe(await place.run("audit t --markdown"));
  }));

const ESCAPE = "\x1b";
const OWN_COLOR = new RegExp(`${ESCAPE}\\[(?:1|2|22|31|32|33|39)m`, "g");

/** Our own colours only, and no other control character but line ends and the bar's wipe. */
function assertSafe({ out, err }: { readonly out: string; readonly err: string }): void {
  for (const text of [out, err]) {
    const plain = text.replace(OWN_COLOR, "");
    assert(
      !/(?!\n)[\p{Cc}\p{Cf}]/u.test(plain),
      JSON.stringify(plain.match(/.{0,40}(?!\n)[\p{Cc}\p{Cf}].{0,40}/u)?.[0]),
    );
    assert(!text.includes("\u001b[31mred"), text);
  }
}
