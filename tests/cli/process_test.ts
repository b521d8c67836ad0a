// What only a process of its own shows: signals, pipes that close, limits of the system, the task's folder. Each starts
// the program as the tasks of deno.json do.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { denoCommand, inPlace, type Place, PROCESS_WORDS, type Ran, shellCommand, type Starting } from "./place.ts";

function command(place: Place, words: readonly string[], starting: Starting = {}): Deno.Command {
  return denoCommand([...PROCESS_WORDS, ...words], { cwd: place.folder, ...starting });
}

function shell(place: Place, script: string): Deno.Command {
  const start = [Deno.execPath(), ...PROCESS_WORDS].map((word) => `'${word}'`).join(" ");
  return shellCommand(`maptrail() { ${start} "$@"; }; ${script}`, { cwd: place.folder });
}

type Said = Pick<Ran, "code" | "out" | "err">;

function said({ code, stdout, stderr }: Deno.CommandOutput): Said {
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

const LOOP = `export default async ({ machine, client }) => {
  await client.VmbChannelAllocate({});
  console.error("ready");
  for (;;) await machine.AdvanceTime({ Nanoseconds: 1 });
};`;

/** Records a program that says "ready" on standard error, and sends it a signal then. */
async function signalled(place: Place, signal: Deno.Signal, words: readonly string[]): Promise<Said> {
  const child = command(place, words).spawn();
  const errors = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let err = (await errors.read()).value ?? "";
  assertMatch(err, /^ready/);
  child.kill(signal);
  for (let next = await errors.read(); !next.done; next = await errors.read()) err += next.value;
  await child.stdout.cancel();
  return { code: (await child.status).code, out: "", err };
}

Deno.test("SIGTERM and SIGHUP close the trace as Ctrl-C does, and it says which it was", () =>
  inPlace(async (place) => {
    place.put("loop.ts", LOOP);
    place.put("waits.ts", LOOP.replace(/for .*/, "await new Promise((resolve) => setTimeout(resolve, 60_000));"));
    const runs = [
      ["SIGTERM", ["loop.ts", "-o", "a"], "SIGTERM"],
      ["SIGHUP", ["waits.ts", "-o", "b"], "SIGHUP, the terminal was closed"],
      ["SIGTERM", ["loop.ts", "-o", "c", "--ring", "64KB"], "SIGTERM"],
    ] as const;
    for (const [signal, words, why] of runs) {
      const { code, err } = await signalled(place, signal, ["record", ...words]);
      assertEquals(code, 5, err);
      assert(err.includes(`The recording ended early (${why}): `), err);
      const info = JSON.parse((await place.run(`info ${words[2]} --json`)).out);
      assertEquals([info.complete, info.end.reason, info.end.message], [true, "interrupted", why]);
    }
  }));

Deno.test("SIGINT closes the trace: exit code 5, whole, reason interrupted", () =>
  inPlace(async (place) => {
    place.put("loop.ts", LOOP);
    const { code, err } = await signalled(place, "SIGINT", ["record", "loop.ts"]);
    assertEquals(code, 5);
    assertMatch(err, /The recording ended early \(Ctrl-C\): [\d,]+ events kept\.\nRecorded/);
    const audit = await place.run("audit loop.msgpack --json");
    assertEquals(audit.code, 0);
    const { trace, findings } = JSON.parse(audit.out);
    assert(trace.complete && trace.events > 1);
    assertEquals(findings.map(({ rule, verdict }: Record<string, string>) => [rule, verdict]), [[
      "channel-leak",
      "live-at-end",
    ]]);
    assertEquals((await place.run("replay loop.msgpack --range @1-@500")).code, 0);
  }));

Deno.test("what a program leaves behind ends its recording: a lost promise, a timer, the end of the process", () =>
  inPlace(async (place) => {
    const bodies = new Map(
      [
        ["lost", [
          'Promise.reject(new Error("left behind"));',
          /^The program threw after @1 at lost\.ts:3: left behind; 1 event kept\.\n/,
        ]],
        [
          "timer",
          [
            'setTimeout(() => { throw new Error("too late"); }, 0); await new Promise(() => {});',
            /^The program threw after @1 at timer\.ts:3: too late/,
          ],
        ],
        ["exit", ["Deno.exit(0);", /^The program ended the process before it came to its end; exit\.msgpack holds/]],
      ] as const,
    );
    await Promise.all([...bodies].map(async ([name, [body, says]]) => {
      place.put(
        `${name}.ts`,
        `export default async ({ client }) => {
  await client.VmbChannelAllocate({});
  ${body}
};`,
      );
      const { code, err } = said(await command(place, ["record", `${name}.ts`]).output());
      assertEquals(code, 5, err);
      assertMatch(err, says);
      assert(!/^\s+at /m.test(err), err);
      assertEquals((await place.run(`audit ${name}.msgpack`)).code, 0);
      assertMatch((await place.run(`dump ${name}.msgpack`)).out, /VmbChannelAllocate/);
    }));
  }));

Deno.test("a reader that goes away ends every verb quietly with 0", () =>
  inPlace(async (place) => {
    const script = `maptrail record gpu-pv --quiet || exit 1
for words in 'dump gpu-pv.msgpack' 'dump gpu-pv.msgpack --json' 'record gpu-pv -o -'; do
  { maptrail $words --quiet; echo "$?" >&2; } | true
done`;
    assertEquals(said(await shell(place, script).output()), { code: 0, out: "", err: "0\n0\n0\n" });
  }));

Deno.test("what a program prints goes to standard error while standard output is data", () =>
  inPlace(async (place) => {
    place.put("chat.ts", 'console.log("loaded"); export default () => console.info("runs");');
    const json = said(await command(place, ["record", "chat.ts", "--json"]).output());
    assertEquals([json.code, JSON.parse(json.out).reason], [0, "ended"]);
    assertMatch(json.err, /^loaded\nruns\nRecorded 0 events/);
  }));

/** Writes 12 MB that no compressor shrinks. */
const NOISE = `export default async ({ guest, random }) => {
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 4096 });
  for (let turn = 0; turn < 3000; turn += 1) {
    const Data = new Uint8Array(Uint32Array.from({ length: 1024 }, () => random.next()).buffer);
    await guest.WriteBuffer({ Buffer, Offset: 0, Data });
  }
};`;

Deno.test("record -o - | audit -, as a pipe of processes, and a file that reaches its limit: exit code 5, kept, readable", () =>
  inPlace(async (place) => {
    place.put("long.ts", NOISE);
    const script = `maptrail record double-map -o - --quiet | maptrail audit - --json --quiet; echo "audit $?"
trap '' XFSZ; ulimit -f 16000; maptrail record long.ts --wall-clock off; echo "record $?"`;
    const { out, err } = said(await shell(place, script).output());
    assertMatch(out, /^\{"schema":"maptrail\.audit\/1".*"gpadl-double-map".*\}\naudit 1\nrecord 5\n$/);
    assertMatch(err, /^maptrail: Cannot write on to "long\.msgpack": no room is left\. What was written is kept\.\n$/);
    const audit = await place.run("audit long.msgpack --json");
    assertEquals(audit.code, 4);
    assert(JSON.parse(audit.out).trace.events > 0);
  }));

Deno.test("paths are seen from INIT_CWD, where deno task sets it, and commands are suggested as tasks", () =>
  inPlace(async (place) => {
    const env = { INIT_CWD: place.folder };
    const record = said(
      await command(place, ["record", "double-map", "--sites", "findings"], { env, cwd: "/" }).output(),
    );
    assertEquals(record.code, 0, record.err);
    assertMatch(record.err, /\nnext: {2}deno task audit double-map\.msgpack\n$/);
    assertEquals(place.names(), ["double-map.msgpack"]);
    const audit = said(await command(place, ["audit", "--markdown"], { env, cwd: "/" }).output());
    assertEquals(audit.code, 1);
    assertMatch(audit.out, /```sh\ndeno task record double-map --seed 1 --sites findings\ndeno task audit\n```\n$/);
  }));
