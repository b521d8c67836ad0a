// Recordings: how they end, what they keep of it, keyframes, sites, and sinks that fail.

import { defaultOptions, NotationError } from "../../src/api/mod.ts";
import { defineProgram, type Program } from "../../src/driver/mod.ts";
import {
  type InMemoryOptions,
  record,
  type Recorded,
  recordInMemory,
  type RecordOptions,
  type RunControl,
} from "../../src/record/mod.ts";
import { BytesSink, bytesSource, openTrace, type TraceFile, validate } from "../../src/trace/mod.ts";
import { churn } from "../driver/churn.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "../support/assert.ts";

const tick: Program = async ({ machine }) => void await machine.AdvanceTime({ Nanoseconds: 1 });
const endless: Program = async ({ machine }) => {
  for (;;) await machine.AdvanceTime({ Nanoseconds: 1 });
};

interface Setup extends Partial<RecordOptions> {
  readonly run: Program;
}

async function recorded({ run, ...changes }: Setup): Promise<Recorded & { readonly trace: TraceFile }> {
  const output = new BytesSink();
  const result = await record({
    what: { kind: "module", name: "p.ts", module: defineProgram(run), args: [] },
    output,
    options: { ...defaultOptions(), "initial-callbacks": "none" },
    seed: 1,
    sites: "off",
    memory: "full",
    toolVersion: "1",
    startedAt: "",
    folder: "",
    ...changes,
  });
  return { ...result, trace: openTrace(bytesSource(output.bytes())) };
}

Deno.test("one program and seed are the same bytes", async () => {
  const bytes = async (options: InMemoryOptions) => (await recordInMemory(churn(1), options)).bytes;
  assertEquals(await bytes({ seed: 4 }), await bytes({ seed: 4 }));
  assertNotEquals(await bytes({ seed: 4 }), await bytes({ seed: 5 }));
});

Deno.test("traces of other seeds are valid and complete", async () => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const trace = openTrace(bytesSource((await recordInMemory(churn(1), { seed })).bytes));
    assertEquals([trace.complete, [...validate(trace)]], [true, []]);
  }
});

Deno.test("a run that comes to its end has ended, and says how many events it made", async () => {
  const { end, trace, stuck } = await recorded({ run: tick });
  assertEquals(end, { reason: "ended", message: "", events: 1 });
  assertEquals([trace.end, stuck], [end, []]);
});

Deno.test("a run that throws is whole up to there", async () => {
  const run: Program = async (context) => {
    await tick(context);
    throw new Error("no such adapter");
  };
  const { end, trace, thrown } = await recorded({ run });
  assertEquals(end, { reason: "threw", message: "no such adapter", events: 1 });
  assert(thrown instanceof Error);
  assertEquals([trace.eventCount, trace.end], [1, end]);
});

Deno.test("whatever is thrown becomes a message", async () => {
  const message = async (thrown: unknown) => (await recorded({ run: () => Promise.reject(thrown) })).end.message;
  assertEquals(await message("text"), "text");
  assertEquals(await message(undefined), "undefined");
  assertEquals(await message(new RangeError()), "RangeError");
  assertEquals(await message(Object.create(null)), "something that has no text");
});

Deno.test("a run that is stopped is interrupted, and what it did is kept", async () => {
  let control: RunControl | null = null;
  const { end, trace } = await recorded({
    run: endless,
    onStart: (given) => control = given,
    onEvents: () => control?.stop("Ctrl-C"),
  });
  assertEquals([end.reason, end.message, end.events], ["interrupted", "Ctrl-C", 4096]);
  assertEquals([trace.eventCount, trace.complete], [4096, true]);
});

Deno.test("fail() ends a run as thrown, finishNow() ends the trace at once", async () => {
  const failed = await recorded({ run: endless, onStart: ({ fail }) => fail(new Error("lost promise")) });
  assertEquals(failed.end, { reason: "threw", message: "lost promise", events: 0 });
  const output = new BytesSink();
  const onStart = ({ finishNow }: RunControl) => finishNow("the process is gone");
  await assertRejects(() => recorded({ run: tick, output, onStart }), TypeError, "the trace is finished");
  const { end } = openTrace(bytesSource(output.bytes()));
  assertEquals(end, { reason: "interrupted", message: "the process is gone", events: 0 });
});

Deno.test("a program that waits for ever has ended, with who is stuck", async () => {
  const { end, stuck } = await recorded({ run: ({ receive, mailbox }) => receive(mailbox<void>()) });
  assertEquals([end.reason, stuck], ["ended", ["main waits in a mailbox"]]);
});

Deno.test("keyframes stand every so many events, at boundaries of inputs", async () => {
  const { trace } = await recorded({ run: churn(1).run, keyframeEvents: 10 });
  const keyframes = [...trace.keyframes()].map(({ event }) => event);
  assert(keyframes.length >= 4);
  for (const [index, event] of keyframes.entries()) {
    const gap = event - (keyframes[index - 1] ?? 0);
    assert(gap >= 10 && gap < 20, `${gap} events`);
    const [next] = trace.events({ from: event + 1 });
    assert(next?.kind !== "memory" && next?.kind !== "leave", "what an input made stands before the keyframe");
  }
  assertEquals([...(await recorded({ run: churn(1).run })).trace.keyframes()], []);
});

Deno.test("a sink that fails ends the run with its error, which the program never sees", async () => {
  const written: number[] = [];
  const full = {
    write(bytes: Uint8Array) {
      if (written.length === 2) throw new Error("no room is left");
      written.push(bytes.length);
    },
  };
  let caught = 0;
  const run: Program = async ({ guest }) => {
    const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 1 << 20 });
    for (;;) await guest.WriteBuffer({ Buffer, Data: new Uint8Array(1 << 20) }).catch(() => caught += 1);
  };
  await assertRejects(() => recorded({ run, output: full, memory: "full" }), Error, "no room is left");
  assertEquals([written.length, caught], [2, 0]);
});

Deno.test("a sink that takes no header keeps the program from running", async () => {
  let ran = false;
  const closed = {
    write() {
      throw new Error("closed");
    },
  };
  await assertRejects(() => recorded({ run: () => void (ran = true), output: closed }), Error, "closed");
  assertEquals(ran, false);
});

Deno.test("sites: all, those of creating calls, none, or those of chosen events", async () => {
  const run: Program = async ({ guest }) => {
    const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 1 });
    await guest.FreeBuffer({ Buffer });
  };
  const folder = new URL("./", import.meta.url).href;
  const sited = async (changes: Partial<RecordOptions>) =>
    [...(await recorded({ run, folder, ...changes })).trace.events()].map(({ site }) => site?.file ?? "");
  assertEquals(await sited({ sites: "all" }), ["record_test.ts", "record_test.ts"]);
  assertEquals(await sited({ sites: "creating" }), ["record_test.ts", ""]);
  assertEquals(await sited({ sites: "off" }), ["", ""]);
  assertEquals(await sited({ sites: "findings" }), ["", ""]);
  assertEquals(await sited({ sites: "findings", siteEvents: new Set([2]) }), ["", "record_test.ts"]);
});

Deno.test("memory: bytes, digests, or nothing", async () => {
  const run: Program = async ({ guest }) => {
    const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 8 });
    await guest.WriteBuffer({ Buffer, Data: new Uint8Array([1, 2]) });
  };
  const deltas = async (memory: RecordOptions["memory"]) =>
    [...(await recorded({ run, memory })).trace.events()].flatMap(({ memory }) =>
      memory === null ? [] : [memory.bytes]
    );
  assertEquals(await deltas("full"), [new Uint8Array([1, 2])]);
  assertEquals(await deltas("digest"), [null]);
  assertEquals(await deltas("none"), []);
});

Deno.test("wall time is kept where there is a clock, and read rarely", async () => {
  let reads = 0;
  const wallNs = () => 1000.4 * (reads += 1);
  const run: Program = async ({ machine }) => {
    for (let step = 0; step < 300; step += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
  };
  const { trace } = await recorded({ run, wallNs, startedAt: "2026-01-01T00:00:00Z" });
  const times = [...trace.events()].map(({ wallNs }) => wallNs);
  assertEquals([reads, times[0], times[255], times[256]], [2, 1000, 1000, 2001]);
  assertEquals([trace.header.wallClock, trace.header.startedAt], [true, "2026-01-01T00:00:00Z"]);
});

Deno.test("the header says what ran and how", async () => {
  const { trace } = await recorded({ run: tick, seed: 9, sites: "all", memory: "none" });
  const { program, seed, sites, memory, wallClock, maker } = trace.header;
  assertEquals({ program, seed, sites, memory, wallClock, maker }, {
    program: { name: "p.ts", kind: "module", args: [] },
    seed: 9,
    sites: "all",
    memory: "none",
    wallClock: false,
    maker: "engine",
  });
});

Deno.test("recordInMemory() takes a scenario's text, and says which line fails", async () => {
  const { scenario, end } = await recordInMemory("host AllocateBuffer(ByteCount=1) -> buffer#2");
  assertEquals([scenario?.failures.map(({ line }) => line), end.reason], [[1], "ended"]);
  await assertRejects(() => recordInMemory("host FreeBuffer(Buffer=$b)"), NotationError, "nothing has bound $b");
  await assertRejects(() => recordInMemory("host Nothing()"), NotationError);
});

Deno.test("recordInMemory() takes options by name, those of the program below", async () => {
  const program = defineProgram(tick, { options: { "physical-adapters": "2", "va-bits": "40" } });
  const { bytes } = await recordInMemory(program, { options: { "va-bits": "36" }, args: ["x"] });
  const { options, program: what } = openTrace(bytesSource(bytes)).header;
  assertEquals([options["physical-adapters"], options["va-bits"], options["initial-callbacks"]], ["2", "36", "none"]);
  assertEquals(what.args, ["x"]);
  const error = await assertRejects(() => recordInMemory(program, { options: { nothing: "1" } }), RangeError);
  assertMatch(error.message, /^Cannot set option nothing/);
});
