// Standard input and pipes may have no end: what reads them comes to one.
import { CliError } from "../../src/cli/exit.ts";
import { readStream } from "../../src/cli/streams.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { inPlace, shellCommand } from "./place.ts";

const PIECE_BYTES = 16 * 1024;

/** Pieces for ever, each of the bytes given over and over, and how many were asked for. */
function endless(byte: number): { readonly pieces: AsyncIterable<Uint8Array>; readonly asked: () => number } {
  let asked = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    asked += 1;
    controller.enqueue(new Uint8Array(PIECE_BYTES).fill(byte));
  };
  return { pieces: new ReadableStream({ pull }), asked: () => asked };
}

Deno.test("a stream that cannot be what is wanted is not read to an end that it may not have", () =>
  inPlace(async (place) => {
    for (const verb of ["audit -", "info -", "dump -", "replay -", "import -"]) {
      const { pieces, asked } = endless(0);
      const { code, err } = await place.run(verb, { stdin: pieces });
      assertEquals(code, 3, err);
      assertStringIncludes(err, "standard input");
      assert(asked() < 20, `${verb} read ${asked()} pieces`);
    }
  }));

Deno.test("readStream() reads so much at most, and says what to do", async () => {
  const { pieces, asked } = endless(123);
  const reading = readStream(pieces, { name: "standard input", mostBytes: 2 ** 20 });
  const error = await assertRejects(() => reading, CliError);
  assertEquals([error.exitCode, error.message], [
    3,
    "Name a file instead: standard input has more than the 1 MB that are read of a stream.",
  ]);
  assert(asked() < 2 ** 20 / PIECE_BYTES + 4);
});

Deno.test("readStream() gives all bytes in order, and its check the first ones", async () => {
  const pieces = [new Uint8Array(40_000).fill(1), new Uint8Array(40_000).fill(2), new Uint8Array(7).fill(3)];
  const told: number[] = [];
  const check = (first: Uint8Array) => void told.push(first.length);
  const bytes = await readStream(ReadableStream.from(pieces), { name: "it", check });
  assertEquals(bytes, Uint8Array.from(pieces.flatMap((piece) => [...piece])));
  assertEquals(told, [64 * 1024]);
});

Deno.test("a named pipe is read as a file is", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record double-map -o t")).code, 0);
    await shellCommand("mkfifo p", { cwd: place.folder }).output();
    const writer = shellCommand("cat t > p", { cwd: place.folder }).spawn();
    const { code, out } = await place.run("info p --json");
    assertEquals([code, JSON.parse(out).complete], [0, true]);
    for (const end of [writer.stdout, writer.stderr]) await end.cancel();
    await writer.status;
  }));
