// What people and their disks get wrong: files that are missing, cut, damaged, too new or none of ours, and outputs that
// cannot be made. Each has its exit code and one message, and none shows a stack.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { rewriteTrace } from "../support/rewrite_trace.ts";
import { EtlFile, SMALL_TRACE } from "./samples.ts";
import { inPlace, type Place, type Ran } from "./place.ts";

const READERS = ["audit", "replay", "dump", "diff t.msgpack"];

/** One message, no stack, nothing on standard output. */
function assertRefused({ code, out, err }: Ran, expected: { readonly code: number; readonly says: RegExp }): void {
  assertEquals([code, out], [expected.code, ""], err);
  assertMatch(err, expected.says);
  assert(!/^\s+at /m.test(err), err);
  assert(!err.includes("bug of maptrail"), err);
}

async function withTrace(body: (place: Place) => Promise<void>): Promise<void> {
  await inPlace(async (place) => {
    place.put("t.msgpack", SMALL_TRACE);
    await body(place);
  });
}

Deno.test("what is no readable file is exit code 3 on every verb that reads", () =>
  withTrace(async (place) => {
    place.put("empty", "");
    place.put("text.txt", "hello world\n");
    place.put("random", Uint8Array.from({ length: 900 }, (_, index) => (index * 7919) & 0xff));
    Deno.mkdirSync(place.path("folder"));
    const says = new Map([
      ["missing", /Cannot read "missing": there is no such file/],
      ["folder", /Cannot read "folder": it is a folder/],
      ["empty", /empty: .* it is empty/],
      ["text.txt", /text\.txt: .* it is text/],
      ["random", /random: .* it does not start with a trace's header/],
      ["t.msgpack/x", /a part of the path is a file/],
    ]);
    for (const verb of READERS) {
      for (const [name, text] of says) assertRefused(await place.run(`${verb} ${name}`), { code: 3, says: text });
    }
    for (const name of ["missing", "folder", "empty", "text.txt", "random", "t.msgpack"]) {
      assertRefused(await place.run(`import ${name}`), { code: 3, says: new RegExp(name) });
    }
    assertEquals(place.names(), ["empty", "folder", "random", "t.msgpack", "text.txt"]);
  }));

Deno.test("an empty folder has no newest trace, and the message says how to make one", () =>
  inPlace(async (place) => {
    for (const verb of ["audit", "replay", "dump"]) {
      assertRefused(await place.run(verb), { code: 3, says: /make one with "maptrail record"/ });
    }
  }));

Deno.test("a trace cut anywhere is exit code 3 or 4, never 0, and never a stack", () =>
  withTrace(async (place) => {
    const whole = place.bytes("t.msgpack");
    const verbs = ["audit -", "replay -", "dump -", "dump - --json", "audit - --json"];
    for (let length = 0; length < whole.length; length += 17) {
      const verb = verbs[(length / 17) % verbs.length] ?? "";
      const { code, err } = await place.run(verb, { stdin: whole.slice(0, length) });
      assert(code === 3 || code === 4, `${verb}, cut at ${length}: exit code ${code}`);
      assert(!/^\s+at /m.test(err) && err !== "", err);
    }
  }));

Deno.test("a bit flipped anywhere is exit code 3 or 4, never 0, and never a stack", () =>
  withTrace(async (place) => {
    const whole = place.bytes("t.msgpack");
    const verbs = ["audit -", "replay -", "dump -", "dump - --json", "audit - --markdown"];
    for (let bit = 0; bit < whole.length * 8; bit += 53) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const verb = verbs[bit % verbs.length] ?? "";
      const { code, err } = await place.run(verb, { stdin: bytes });
      assert(code === 3 || code === 4, `${verb}, bit ${bit}: exit code ${code}\n${err}`);
      assert(!/^\s+at /m.test(err) && err !== "", err);
    }
  }));

Deno.test("findings win: a trace that never said how it ended, with a certain finding, is exit code 1", () =>
  inPlace(async (place) => {
    await place.run("record double-map -o t.msgpack");
    const unfinished = rewriteTrace(place.bytes("t.msgpack").slice(0, -20), (event) => event);
    const { code, out } = await place.run("audit -", { stdin: unfinished });
    assertEquals(code, 1);
    assertStringIncludes(out, "(incomplete)");
  }));

Deno.test("a trace of a newer version is exit code 3, and both numbers are named", () =>
  withTrace(async (place) => {
    for (const verb of ["audit -", "replay -", "dump -", "diff t.msgpack -"]) {
      const ran = await place.run(verb, { stdin: newer(place.bytes("t.msgpack")) });
      assertRefused(ran, { code: 3, says: /version 7, this program reads up to 2/ });
    }
  }));

/** The same header, of format version 7, with a right checksum. */
function newer(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  const headerBytes = view.getUint32(38);
  view.setUint32(28, 7);
  view.setUint32(47, 0);
  view.setUint32(47, crc32(bytes.subarray(0, headerBytes)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

Deno.test("a compressed .etl is exit code 3, a cut one is imported as far as it goes, and a whole one is clean", () =>
  inPlace(async (place) => {
    place.put("packed.etl", EtlFile.compressed());
    assertRefused(await place.run("import packed.etl"), { code: 3, says: /packed\.etl: .*compress/ });
    place.put("cut.etl", EtlFile.whole().slice(0, -100));
    const cut = await place.run("import cut.etl");
    assertEquals(cut.code, 4, cut.err);
    place.put("whole.etl", EtlFile.whole());
    const whole = await place.run("import whole.etl");
    assertEquals(whole.code, 0, whole.err);
    assertMatch(
      whole.err,
      /Imported \d+ events of whole\.etl into whole\.msgpack\.\nnext: {2}maptrail audit whole\.msgpack/,
    );
    assertEquals(place.names(), ["cut.etl", "cut.msgpack", "packed.etl", "whole.etl", "whole.msgpack"]);
    assertEquals((await place.run("audit whole.msgpack")).code, 0);
    assertEquals((await place.run("audit cut.msgpack")).code, 4);
  }));

Deno.test("JSON lines that are wrong halfway are exit code 3 with their line, and leave no trace behind", () =>
  withTrace(async (place) => {
    const lines = (await place.run("dump t.msgpack --json")).out.trimEnd().split("\n");
    place.put("bad.json", [...lines.slice(0, 3), '{"event":3,"kind":"call","side":5}', ""].join("\n"));
    assertRefused(await place.run("import bad.json"), { code: 3, says: /bad\.json: Cannot read line 4/ });
    place.put("bad.json", [...lines.slice(0, 3), "", " ", '{"event":3,"kind":"call","side":5}', ""].join("\r\n"));
    assertRefused(await place.run("import bad.json"), { code: 3, says: /bad\.json: Cannot read line 6/ });
    assertEquals(place.names(), ["bad.json", "t.msgpack"]);
  }));

Deno.test("a line that no trace can hold is exit code 3 with its number, and leaves nothing behind", () =>
  inPlace(async (place) => {
    const long = `{"kind":"note","text":"${"x".repeat(2 ** 20 + 1)}"}`;
    const pages = Array(2 ** 19 + 1).fill(7).join();
    const wide = `{"kind":"call","side":"host","call":"MmGetMdlPfnArray","outs":{"Pfns":[${pages}]},"outcome":"void"}`;
    for (
      const [line, says] of [[long, /line 2: .*a text has 1048577 letters/], [
        wide,
        /line 2: .*524289 elements/,
      ]] as const
    ) {
      place.put("bad.jsonl", `{"kind":"note","text":"good"}\n${line}\n`);
      assertRefused(await place.run("import bad.jsonl"), { code: 3, says });
      assertEquals(place.names(), ["bad.jsonl"]);
    }
  }));

Deno.test("a .calls line that does not parse is exit code 2 with line and column, and leaves no output behind", () =>
  inPlace(async (place) => {
    const bad = new Map([
      ["server Foo(", /bad\.calls:2:8: unknown call "Foo"/],
      ["server VmbSizeofChannel(", /bad\.calls:2:8: VmbSizeofChannel is of interface version 5 of KMCL, known by name/],
      ["client VmbChannelAllocate(Foo=1)", /bad\.calls:2:27: unknown name "Foo"/],
      ["!option pagin=immediate", /bad\.calls:2:9: unknown option "pagin"\. Did you mean "paging"/],
      ["machine AdvanceTime(Nanoseconds=-1)", /bad\.calls:2:33: /],
      ["machine AdvanceTime(Nanoseconds=$x)", /bad\.calls:2:33: .*nothing has bound \$x/],
      ["client VmbChannelEnable(Channel=channel#9)", /bad\.calls:2:33: .*channel#9/],
      ["expect state gpadl#1 live extra", /bad\.calls:2:/],
      ["\x1b[31mclient Foo()", /bad\.calls:2:1: /],
    ]);
    for (const [line, says] of bad) {
      place.put("bad.calls", `# a comment\n${line}\n`);
      const ran = await place.run("record bad.calls");
      assertRefused(ran, { code: 2, says });
      assert(!ran.err.includes("\x1b"), ran.err);
      assertRefused(await place.run("record bad.calls -o named.msgpack --force"), { code: 2, says });
      assertEquals(place.names(), ["bad.calls"], line);
    }
  }));

Deno.test("a module that does not parse, throws, or exports no program is exit code 2, and leaves no output behind", () =>
  inPlace(async (place) => {
    const bad = new Map(
      [
        ["syntax.ts", ["export default async ( { {", /Cannot run "syntax\.ts": .*\n/]],
        ["none.ts", ["export const a = 1;", /it has no default export; write export default defineProgram/]],
        ["five.ts", ["export default 5;", /its default export is no program/]],
        ["shape.ts", ["export default { run() {}, options: { paging: 1 } };", /its default export is no program/]],
        ["option.ts", ['export default { run() {}, options: { pagin: "x" } };', /Unknown option of the model "pagin"/]],
        ["top.ts", ['throw new Error("thrown at once");', /Cannot run "top\.ts": thrown at once/]],
      ] as const,
    );
    for (const [name, [text, says]] of bad) {
      place.put(name, text);
      assertRefused(await place.run(`record ${name}`), { code: 2, says });
    }
    assertRefused(await place.run("record missing.ts"), { code: 3, says: /"missing\.ts": there is no such file/ });
    assertRefused(await place.run("record missing.calls"), {
      code: 3,
      says: /"missing\.calls": there is no such file/,
    });
    assertEquals(place.names(), [...bad.keys()].sort());
  }));

Deno.test("an output that exists is exit code 2 without --force; one that cannot be made is 5, before anything ran", () =>
  withTrace(async (place) => {
    Deno.mkdirSync(place.path("folder"));
    const exists = { code: 2, says: /add --force to overwrite: "t\.msgpack" exists/ };
    assertRefused(await place.run("record -o t.msgpack"), exists);
    place.put("lines.json", (await place.run("dump t.msgpack --json")).out);
    assertRefused(await place.run("import lines.json -o t.msgpack"), exists);
    assertEquals(place.bytes("t.msgpack"), SMALL_TRACE);
    assertRefused(await place.run("record -o folder"), { code: 5, says: /"folder": it is a folder/ });
    assertRefused(await place.run("record -o no/where"), { code: 5, says: /"no\/where": its folder does not exist/ });
    assertEquals((await place.run("record double-map -o t.msgpack --force")).code, 0);
    assertEquals((await place.run("diff t.msgpack -", { stdin: SMALL_TRACE })).code, 1);
  }));

Deno.test("what a trace is made of is not overwritten with it, whatever it is called and whatever --force says", () =>
  inPlace(async (place) => {
    const line = '{"event":1,"kind":"note","side":"machine","text":"a"}\n';
    const files = {
      "a.json": line,
      "s.calls": "guest AllocateBuffer(ByteCount=1)\n",
      "p.ts": "export default () => {};\n",
    };
    for (const [name, text] of Object.entries(files)) place.put(name, text);
    Deno.symlinkSync(place.path("a.json"), place.path("link"));
    for (
      const words of [
        "import a.json -o a.json --force",
        "import a.json -o ./link --force",
        "import link -o a.json --force",
        "record s.calls -o s.calls --force",
        "record s.calls -o s.calls --force --ring 64KB",
        "record p.ts -o ./p.ts --force",
      ]
    ) {
      assertRefused(await place.run(words), { code: 2, says: /is what the trace is made of/ });
    }
    for (const [name, text] of Object.entries(files)) assertEquals(Deno.readTextFileSync(place.path(name)), text);
    assertEquals((await place.run("import a.json -o other --force")).code, 0);
  }));

Deno.test("a disk that is full is exit code 5, and what was written is kept", () =>
  inPlace(async (place) => {
    const words = ["record", "-o", "-"];
    const { code, err } = await place.runFull(words);
    assertEquals(code, 5);
    assertMatch(
      err,
      /^maptrail: Cannot write on to "standard output": no room is left\. What was written is kept\.\n$/,
    );
  }));

Deno.test("unknown verbs, flags, programs, rules, options, sides and kinds are exit code 2, with the nearest name", () =>
  withTrace(async (place) => {
    const guesses = new Map([
      ["recrod", 'Unknown verb "recrod". Did you mean "record"?'],
      ["audit --jsn", '"--jsn". Did you mean "--json"?'],
      ["record gpu-pw", 'Unknown program "gpu-pw". Did you mean "gpu-pv"?'],
      ["audit --rule gpadl-leek", 'Unknown rule "gpadl-leek". Did you mean "gpadl-leak"?'],
      ["dump --rule gpadl-leek", 'Unknown rule "gpadl-leek". Did you mean "gpadl-leak"?'],
      ["record --option pagin=explicit", 'Unknown option of the model "pagin". Did you mean "paging"?'],
      ["replay --option pagin=explicit", 'Unknown option of the model "pagin". Did you mean "paging"?'],
      ["record --option paging=never", 'paging to "never": it takes explicit or immediate'],
      ["record --option ring-pages=0", 'ring-pages to "0": it takes 4 or a number from 1 to 4000'],
      ["record --option gpadl-limit=0", 'gpadl-limit to "0": it takes none or a number from 1 to 999999999'],
      ["record --option refusal-status=STATUS_SUCCESS", "or the name of a failing status"],
      ["dump --side sever", 'Unknown side "sever". Did you mean "server"?'],
      ["dump --object gpadle#1", 'Unknown kind of object "gpadle". Did you mean "gpadl"?'],
      ["dump --object gpadl#0", 'numbers from 1 on: there is no "gpadl#0"'],
      ["audit --fail-on eror", '"error", "hang", "warning"'],
      ["record --seed -1", "--seed"],
      ["record --seed 4294967296", "4,294,967,295"],
      ["record nothing-like-it", "A program of yours ends in .ts, a scenario in .calls"],
      ["record t.calls -- a", "a scenario, and takes no arguments"],
      ["record --rule G-*", "Leave --rule to the verb that reads"],
      ["record -o - --json", "both would go to standard output"],
      ["audit --json --markdown", "Choose one of --json and --markdown"],
      ["diff - -", "can be read once"],
      ["explain gpadl-leak --json", "or add --coverage"],
      ["explain zzzzzzzz", "explain without a name lists them"],
      ["audit --rule zzzzzzzz", "explain lists them"],
      ["audit --side zzzzzzzz", "There are client, server"],
    ]);
    for (const [words, text] of guesses) {
      const { code, out, err } = await place.run(words, { stdin: SMALL_TRACE });
      assertEquals([code, out], [2, ""], `${words}: ${err}`);
      assertStringIncludes(err, text);
      assert(!/^\s+at /m.test(err), err);
    }
    assertEquals(place.names(), ["t.msgpack"]);
    const call = await place.run("dump --call VmbChanelAllocate");
    assertEquals([call.code, call.out.includes("VmbChannelAllocate")], [0, false]);
    assertStringIncludes(call.err, 'Unknown call "VmbChanelAllocate". Did you mean "VmbChannelAllocate"');
  }));

Deno.test("--verbose adds the stack, and nothing else does", () =>
  withTrace(async (place) => {
    place.put("bad.calls", "server Foo(");
    place.put("throws.ts", 'export default () => { throw new Error("boom"); };');
    for (const words of ["audit missing", "record bad.calls", "record throws.ts", "dump --rule nope"]) {
      assert(!/^\s+at /m.test((await place.run(words)).err), words);
      assertMatch((await place.run(`${words} --verbose`)).err, /^\s+at /m, words);
    }
  }));
