// Outputs that run full: the run ends, and the trace says so itself where there is room for that.

import { defaultOptions } from "../../src/api/mod.ts";
import { record } from "../../src/record/mod.ts";
import { BytesSink, bytesSource, openTrace, type TraceFile } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { turning } from "./turning.ts";

/** Takes so many bytes, and of what does not fit nothing. */
class SmallSink extends BytesSink {
  #left: number;

  constructor(left: number) {
    super();
    this.#left = left;
  }

  override write(bytes: Uint8Array): void {
    if (bytes.length > this.#left) throw new Error("no room is left");
    this.#left -= bytes.length;
    super.write(bytes);
  }
}

async function recordedInto(sizeInBytes: number, turns: number): Promise<TraceFile> {
  const output = new SmallSink(sizeInBytes);
  const recording = record({
    what: { kind: "module", name: "p.ts", module: turning(turns), args: [] },
    output,
    options: { ...defaultOptions(), "initial-callbacks": "none" },
    seed: 1,
    sites: "off",
    memory: "full",
    toolVersion: "1",
    startedAt: "",
    folder: "",
    flush: { everyBytes: 16 * 1024 },
  });
  await assertRejects(() => recording, Error, "no room is left");
  return openTrace(bytesSource(output.bytes()));
}

Deno.test("an output that runs full ends the run, and its trace says why and what is missing", async () => {
  const trace = await recordedInto(50_000, 1e9);
  const held = trace.summary().events;
  assertEquals([trace.end?.reason, trace.end?.message], ["write-failed", "no room is left"]);
  assert(held > 100 && trace.summary().isIndexed);
  assertEquals(trace.losses.map(({ what }) => what), [
    `events ${held + 1} to ${trace.end?.events} are not in the file`,
  ]);
});

Deno.test("so does one that runs full with its last chunk", async () => {
  const { end, eventCount, complete } = await recordedInto(6000, 20);
  assertEquals([end?.reason, eventCount, complete], ["write-failed", end?.events, false]);
});

Deno.test("one without room for an end is whole up to where it is", async () => {
  const { end, losses, complete } = await recordedInto(2200, 20);
  assertEquals([end, losses, complete], [null, [], false]);
});
