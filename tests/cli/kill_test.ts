// A recording that is killed loses at most what --flush says, and what is left is as good as any trace. Real processes,
// real SIGKILLs at moments that a fixed seed draws. For more moments: `deno test -A tests/cli/kill_test.ts -- 500`
// kills so many recordings, and a second number there is another seed.
import { bytesSource, openTrace, type TraceFile } from "../../src/trace/mod.ts";
import { Random } from "../../src/driver/mod.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { denoCommand, inPlace, type Place, PROCESS_WORDS } from "./place.ts";

const [KILLS = 50, SEED = 1] = Deno.args.map(Number);
const AT_ONCE = 2;
const FLUSH_MS = 60;
/** Rounds that `--flush 16KB` may lose, of which each writes 5,000 bytes that no other writes: a usual chunk has hundreds. */
const FLUSH_ROUNDS = 3;
/** Virtual nanoseconds by which a program's time goes on at mark 0; no other event advances it so far. */
const MARK = 1_000_000;

/** Churns for ever; after each round it makes an event that tells the round, and then says so with the time, and waits. */
const FOREVER = `import { churn } from "${new URL("../driver/churn.ts", import.meta.url)}";
const round = churn(1);
export default async (context) => {
  const { value: Buffer } = await context.guest.AllocateBuffer({ ByteCount: 5000 });
  for (let mark = 0;; mark += 1) {
    await round.run(context);
    await context.guest.WriteBuffer({ Buffer, Data: Uint8Array.from({ length: 5000 }, () => context.random.next()) });
    await context.machine.AdvanceTime({ Nanoseconds: ${MARK} + mark });
    console.error(mark, performance.now());
    if (context.args.length > 0) await new Promise((resolve) => setTimeout(resolve, Number(context.args[0])));
  }
};`;

interface Mark {
  readonly mark: number;
  readonly atMs: number;
}

/** Records until `killAfterMs` after the first mark; the marks that the program said. */
async function killed(place: Place, words: readonly string[], killAfterMs: number): Promise<Mark[]> {
  const options = { cwd: place.folder, stdout: "null" } as const;
  const child = denoCommand([...PROCESS_WORDS, "record", ...words], options).spawn();
  const errors = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = (await errors.read()).value ?? "";
  const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  for (let next = await errors.read(); !next.done; next = await errors.read()) said += next.value;
  const { signal } = await child.status;
  clearTimeout(timer);
  assertEquals(signal, "SIGKILL", said);
  return said.split("\n").slice(0, -1).map((line) => {
    assertMatch(line, /^\d+ [\d.]+$/);
    const [mark = 0, atMs = 0] = line.split(" ").map(Number);
    return { mark, atMs };
  });
}

/** Checks numbers; the highest mark of the trace, -1: none. */
function highestMark(trace: TraceFile): number {
  let expected = 1;
  let mark = -1;
  for (const { event, plan, ins: [nanoseconds] } of trace.events()) {
    assertEquals(event, expected);
    expected += 1;
    if (plan?.name === "AdvanceTime" && Number(nanoseconds) >= MARK) mark = Number(nanoseconds) - MARK;
  }
  assertEquals(expected - 1, trace.eventCount);
  return mark;
}

/** What every verb says of a trace that was cut. */
async function checkVerbs(place: Place, name: string, events: number): Promise<void> {
  const ran = async (words: string, code: number) => {
    const { code: was, out, err } = await place.run(words);
    assertEquals(was, code, `${words}: ${out}${err}`);
    return out;
  };
  const info = await ran(`info ${name}`, 4);
  assertMatch(info, new RegExp(`cut: it never said how it ended; whole up to @${events}\\n`));
  const { trace } = JSON.parse(await ran(`audit ${name} --json`, 4));
  assertEquals([trace.complete, trace.events], [false, events]);
  const replay = JSON.parse(await ran(`replay ${name} --json`, 4));
  assertEquals(replay.divergence, null);
  const dump = await ran(`dump ${name} --json --range @${Math.max(1, events - 99)}-`, 4);
  // Before the first event stands the header's line.
  assertEquals(JSON.parse(dump.trimEnd().split("\n").at(-1) ?? "").event ?? 0, events);
}

/** Kills one recording and looks at what it left. */
async function killOne(place: Place, number: number, random: Random): Promise<void> {
  const name = `${number}.msgpack`;
  const isTimed = number % 3 > 0;
  const flush = isTimed ? `${FLUSH_MS / 1000}s` : "16KB";
  const words = ["forever.ts", "-o", name, "--seed", String(random.next()), "--flush", flush];
  // Slow ones fill no chunk in the time.
  const isSlow = number % 2 > 0;
  const marks = await killed(place, isSlow ? [...words, "--", "4"] : words, random.below(300));
  const trace = openTrace(bytesSource(place.bytes(name)));
  const held = highestMark(trace);
  // The clock is looked at every 256 events at least, and five rounds have more: by then it was.
  const heardMs = marks.at(-6)?.atMs ?? 0;
  const owed = isTimed
    ? marks.findLast(({ atMs }) => atMs <= heardMs - FLUSH_MS)?.mark ?? -1
    : (marks.at(-1)?.mark ?? 0) - FLUSH_ROUNDS;
  assert(held >= owed, `${name} of --flush ${flush} holds mark ${held}, and should ${owed}`);
  await checkVerbs(place, name, trace.eventCount);
}

Deno.test(`a recording that is killed at any moment keeps all but what --flush says: ${KILLS} kills`, () =>
  inPlace(async (place) => {
    place.put("forever.ts", FOREVER);
    const random = new Random(SEED);
    let number = 0;
    const kill = async () => {
      while (number < KILLS) await killOne(place, number++, random);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, kill));
  }));

Deno.test("what a program did before it waits for something else is written while it waits", () =>
  inPlace(async (place) => {
    place.put(
      "waits.ts",
      `export default async ({ machine }) => {
  for (let mark = 0; mark < 3; mark += 1) await machine.AdvanceTime({ Nanoseconds: ${MARK} + mark });
  console.error(0, 0);
  await new Promise((resolve) => setTimeout(resolve, 60_000));
};`,
    );
    await killed(place, ["waits.ts", "-o", "t.msgpack", "--flush", "0.02s"], 400);
    const trace = openTrace(bytesSource(place.bytes("t.msgpack")));
    assertEquals([trace.eventCount, trace.end, highestMark(trace)], [3, null, 2]);
  }));
