// When a recording writes its open chunk: by a clock that the test moves, and by bytes.

import { defaultOptions } from "../../src/api/mod.ts";
import { defineProgram, type Program } from "../../src/driver/mod.ts";
import { record, type RecordOptions, type RunControl } from "../../src/record/mod.ts";
import { BytesSink, bytesSource, openTrace } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const tick: Program = async ({ machine }) => void await machine.AdvanceTime({ Nanoseconds: 1 });

/** Records with a sink that tells how many events are readable at any time. */
function recording(flush: NonNullable<RecordOptions["flush"]>) {
  const output = new BytesSink();
  let control: RunControl | null = null;
  const run = (program: Program) =>
    record({
      what: { kind: "module", name: "p.ts", module: defineProgram(program), args: [] },
      output,
      options: defaultOptions(),
      seed: 1,
      sites: "off",
      memory: "full",
      toolVersion: "1",
      startedAt: "",
      folder: "",
      flush,
      onStart: (given) => control = given,
    });
  const kept = () => openTrace(bytesSource(output.bytes())).summary();
  return { run, kept, flushIfDue: () => control?.flushIfDue() };
}

Deno.test("events that come slowly are written before they are as old as the time given", async () => {
  let nowMs = 0;
  const { run, kept } = recording({ everyMs: 1000, nowMs: () => nowMs });
  let most = 0;
  await run(async (context) => {
    for (let made = 1; made <= 50; made += 1) {
      await tick(context);
      most = Math.max(most, made - kept().events);
      nowMs += 100;
    }
  });
  assert(most >= 5 && most <= 10, `${most} events of 100 ms each were not written yet`);
  assertEquals(kept().events, 50);
});

Deno.test("events that come fast ask the clock once in 256, and one that is late is heard within 256 more", async () => {
  let asked = 0;
  let nowMs = 0;
  const { run, kept } = recording({ everyMs: 1000, nowMs: () => (asked += 1, nowMs) });
  await run(async (context) => {
    for (let made = 0; made < 6400; made += 1) await tick(context);
    assert(asked <= 40, `asked ${asked} times`);
    assertEquals(kept().events, 0);
    nowMs = 800;
    for (let made = 0; made < 256; made += 1) await tick(context);
    assert(kept().events >= 6400);
  });
});

Deno.test("flushIfDue() writes what a waiting program did, once it is time, and nothing where nothing is open", async () => {
  let nowMs = 0;
  const { run, kept, flushIfDue } = recording({ everyMs: 1000, nowMs: () => nowMs });
  await run(async (context) => {
    await tick(context);
    nowMs = 700;
    flushIfDue();
    assertEquals(kept().events, 0);
    nowMs = 800;
    flushIfDue();
    nowMs = 2000;
    flushIfDue();
    assertEquals([kept().events, kept().blocks.get("mt.event")], [1, 1]);
  });
});

Deno.test("by bytes, a chunk is closed where events would come to more, and the trace is the same each time", async () => {
  const bytes = async () => {
    const { run, kept } = recording({ everyBytes: 4096 });
    await run(async (context) => {
      for (let made = 0; made < 2000; made += 1) await tick(context);
    });
    const { bytes, events, blocks } = kept();
    assertEquals(events, 2000);
    assert((blocks.get("mt.event") ?? 0) >= 5);
    return bytes;
  };
  assertEquals(await bytes(), await bytes());
});
