// Files as users name them, in a folder of the test's own.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { CliError, EXIT } from "../../src/cli/exit.ts";
import { type Io, makeIo } from "../../src/cli/io.ts";
import { createOutput, newestTrace, openInput, readInput, resolvePath } from "../../src/cli/paths.ts";
import { standingFolder, stemOf, traceOrNewest } from "../../src/cli/paths.ts";
import { type FakeSystem, fakeSystem } from "./fake_system.ts";

const LOUD = { quiet: false, verbose: false, color: "auto" } as const;

interface Place {
  readonly folder: string;
  readonly io: Io;
  readonly system: FakeSystem;
}

async function inFolder(body: (place: Place) => void | Promise<void>, stdin = ""): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "maptrail-" });
  const system = fakeSystem(folder, { stdin });
  try {
    await body({ folder, system, io: makeIo(system, LOUD) });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function put(folder: string, name: string, options: { text?: string; seconds?: number } = {}): void {
  const { text = name, seconds = 1000 } = options;
  Deno.writeTextFileSync(`${folder}/${name}`, text);
  Deno.utimeSync(`${folder}/${name}`, seconds, seconds);
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

Deno.test("resolvePath() starts at the user's folder, and leaves - and absolute paths alone", () => {
  assertEquals(resolvePath("/home/me", "a.msgpack"), "/home/me/a.msgpack");
  assertEquals(resolvePath("/home/me", "../you/./a.msgpack"), "/home/you/a.msgpack");
  assertEquals(resolvePath("/home/me", "/tmp/a"), "/tmp/a");
  assertEquals(resolvePath("/home/me", "-"), "-");
});

Deno.test("standingFolder() is an absolute folder, with or without leave to read the environment", () => {
  assertEquals(resolvePath("/", standingFolder().folder), standingFolder().folder);
});

Deno.test("stemOf() is what a trace of the file is called", () => {
  const stems = ["gpu-pv", "mine.ts", "/a/b.c/leak.calls", "a.etl.csv", ".hidden", "-", "a/"].map(stemOf);
  assertEquals(stems, ["gpu-pv", "mine", "leak", "a.etl", ".hidden", "stdin", "a"]);
});

Deno.test("newestTrace() goes by time, then by name and its number", () =>
  inFolder(({ folder }) => {
    assertEquals(newestTrace(folder), undefined);
    put(folder, "other.txt", { seconds: 9000 });
    Deno.mkdirSync(`${folder}/folder.msgpack`);
    put(folder, "a.msgpack");
    assertEquals(newestTrace(folder), "a.msgpack");
    put(folder, "a-2.msgpack");
    assertEquals(newestTrace(folder), "a-2.msgpack");
    put(folder, "a-10.msgpack");
    assertEquals(newestTrace(folder), "a-10.msgpack");
    put(folder, "0.msgpack", { seconds: 2000 });
    assertEquals(newestTrace(folder), "0.msgpack");
  }));

Deno.test("traceOrNewest() says which trace it took, and how to make one where there is none", () =>
  inFolder(({ folder, io, system }) => {
    const error = assertThrows(() => traceOrNewest(io, undefined), CliError, "maptrail record");
    assertEquals(error.exitCode, EXIT.unreadable);
    put(folder, "a.msgpack");
    assertEquals(traceOrNewest(io, undefined), "a.msgpack");
    assertEquals(system.errors(), "Using a.msgpack, the newest trace in this folder.\n");
    assertEquals(traceOrNewest(io, "b.msgpack"), "b.msgpack");
  }));

Deno.test("readInput() reads a file of the folder, or standard input for -", () =>
  inFolder(async ({ folder, io }) => {
    put(folder, "a", { text: "from a file" });
    assertEquals(text(await readInput(io, "a")), "from a file");
    assertEquals(text(await readInput(io, "-")), "from a pipe");
  }, "from a pipe"));

Deno.test("a file that cannot be read is exit code 3, and the message says why", () =>
  inFolder(async ({ folder, io }) => {
    put(folder, "file");
    Deno.mkdirSync(`${folder}/sub`);
    for (const read of [readInput, openInput]) {
      const why = async (path: string) => {
        const error = await assertRejects(async () => await read(io, path), CliError);
        assertEquals(error.exitCode, EXIT.unreadable);
        return error.message;
      };
      assertEquals(await why("none.msgpack"), 'Cannot read "none.msgpack": there is no such file.');
      assertEquals(await why("sub"), 'Cannot read "sub": it is a folder, and a file is wanted.');
      assertStringIncludes(await why("file/below"), "Cannot read");
    }
  }));

Deno.test("openInput() reads anywhere in a file, and less only at its end", () =>
  inFolder(async ({ folder, io }) => {
    put(folder, "a", { text: "0123456789" });
    for (const path of ["a", "-"]) {
      const file = await openInput(io, path);
      assertEquals([file.sizeInBytes, file.path], [10, path]);
      assertEquals(text(file.read(6, 3)), "678");
      assertEquals(text(file.read(2, 2)), "23");
      assertEquals(text(file.read(8, 100)), "89");
      assertEquals(text(file.read(50, 1)), "");
      file.close();
    }
  }, "0123456789"));

Deno.test("createOutput() takes the first free name and overwrites nothing", () =>
  inFolder(({ folder, io }) => {
    for (const expected of ["t.msgpack", "t-2.msgpack", "t-3.msgpack"]) {
      const file = createOutput(io, { output: undefined, name: "t", force: false });
      file.write(bytes("ab"));
      file.write(bytes("c"));
      file.close();
      assertEquals([file.path, file.sizeInBytes], [expected, 3]);
      assertEquals(Deno.readTextFileSync(`${folder}/${expected}`), "abc");
    }
  }));

Deno.test("createOutput() refuses a named file that exists with exit code 2, unless forced", () =>
  inFolder(({ folder, io }) => {
    put(folder, "old", { text: "a long old text" });
    const choice = { output: "old", name: "t", force: false };
    const error = assertThrows(() => createOutput(io, choice), CliError, "--force");
    assertEquals(error.exitCode, EXIT.usage);
    assertEquals(Deno.readTextFileSync(`${folder}/old`), "a long old text");
    const file = createOutput(io, { ...choice, force: true });
    file.write(bytes("new"));
    file.close();
    assertEquals(Deno.readTextFileSync(`${folder}/old`), "new");
  }));

Deno.test("an output that cannot be made or filled is exit code 5", () =>
  inFolder(({ folder, io }) => {
    Deno.mkdirSync(`${folder}/sub`);
    const why = (output: string, force: boolean) => {
      const error = assertThrows(() => createOutput(io, { output, name: "t", force }), CliError);
      assertEquals(error.exitCode, EXIT.cutShort);
      return error.message;
    };
    for (const force of [false, true]) {
      assertEquals(why("no/such/a", force), 'Cannot write "no/such/a": its folder does not exist.');
      assertEquals(why("sub", force), 'Cannot write "sub": it is a folder, and a file is wanted.');
    }
    const file = createOutput(io, { output: "a", name: "t", force: false });
    file.close();
    const error = assertThrows(() => file.write(bytes("late")), CliError);
    assertEquals(error.exitCode, EXIT.cutShort);
  }));

Deno.test("an output of - goes to standard output, behind the text that came before", () =>
  inFolder(({ folder, io, system }) => {
    io.out.line("first");
    const file = createOutput(io, { output: "-", name: "t", force: false });
    file.write(bytes("data"));
    file.close();
    assertEquals([system.output(), file.path, file.sizeInBytes], ["first\ndata", "-", 4]);
    assert([...Deno.readDirSync(folder)].length === 0);
  }));
