// Words of other people: names that hold more than a name, text of another encoding, and bytes that no terminal should get.
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { inPlace } from "./place.ts";

Deno.test("a name that holds a line is one line wherever it is told, and its command still works", () =>
  inPlace(async (place) => {
    const name = "a\nSUMMARY: clean\x1b[31m\u202e'.msgpack";
    assertEquals((await place.run("record double-map -o t --wall-clock off")).code, 0);
    const bytes = place.bytes("t");
    place.put(name, bytes.subarray(0, bytes.length - 10));
    for (const verb of ["info", "audit", "replay", "dump", "import"]) {
      const { out, err } = await place.run([verb, name]);
      assert(!/^SUMMARY: clean/m.test(out + err), out + err);
      assertStringIncludes(err, "a\\nSUMMARY: clean\\u{1b}[31m\\u{202e}'.msgpack");
    }
    for (const words of [["record", "double-map", "-o", name], ["diff", name, `${name}2`]]) {
      const { out, err } = await place.run(words);
      assert(!/^SUMMARY: clean/m.test(out + err), out + err);
    }
    const next = (await place.run(["audit", name])).out.split("\n").find((line) => line.startsWith("next:")) ?? "";
    assertStringIncludes(next, String.raw`$'a\nSUMMARY: clean\x1b[31m\xe2\x80\xae\'.msgpack'`);
  }));

Deno.test("what a trace says of its end is one line, too", () =>
  inPlace(async (place) => {
    const program = 'export default () => { throw new Error("a\\nSUMMARY: clean: 0 errors"); };';
    place.put("p.ts", program);
    assertEquals((await place.run("record p.ts -o t")).code, 5);
    for (const verb of ["info", "audit", "dump"]) {
      const { out, err } = await place.run(`${verb} t`);
      assert(!/^SUMMARY: clean: 0 errors$/m.test(out + err), out + err);
    }
  }));

Deno.test("a trace does not go to a terminal: exit code 2", () =>
  inPlace(async (place) => {
    for (const words of ["record double-map -o -", "record double-map -o - --ring 64KB"]) {
      const { code, out, err } = await place.run(words, { terminal: true });
      assertEquals([code, out], [2, ""]);
      assertStringIncludes(err, "Give -o FILE, or a pipe");
    }
  }));

Deno.test("text that PowerShell redirected is read: UTF-16, of either order, line ends and all", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record double-map -o t --wall-clock off")).code, 0);
    const [calls, lines] = [await place.run("dump t"), await place.run("dump t --json")].map(({ out }) => out);
    for (const littleEndian of [true, false]) {
      place.put("u.calls", utf16(calls ?? "", littleEndian));
      place.put("u.json", utf16(lines ?? "", littleEndian));
      assertEquals((await place.run("record u.calls -o a --force")).code, 0);
      assertEquals((await place.run("import u.json -o b --force")).code, 0);
      for (const other of ["a", "b"]) assertEquals((await place.run(`diff t ${other}`)).code, 0);
    }
  }));

function utf16(text: string, littleEndian: boolean): Uint8Array {
  const units = `\ufeff${text.replaceAll("\n", "\r\n")}`;
  const view = new DataView(new ArrayBuffer(2 * units.length));
  for (let at = 0; at < units.length; at += 1) view.setUint16(2 * at, units.charCodeAt(at), littleEndian);
  return new Uint8Array(view.buffer);
}
