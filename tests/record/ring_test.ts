// Rings: the last part of a run, from a keyframe on, within the size given, at any moment of the recording.

import { audit } from "../../src/audit/mod.ts";
import {
  type InMemoryRecording,
  MemorySegments,
  record,
  recordInMemory,
  type RecordOptions,
  type RingSegments,
} from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { BytesSink, bytesSource, openTrace, type TraceFile, validate } from "../../src/trace/mod.ts";
import { defaultOptions } from "../../src/api/mod.ts";
import { defineProgram } from "../../src/driver/mod.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { turning } from "./turning.ts";

const KB = 1024;
const TURNS = 1000;

interface Pair {
  readonly whole: TraceFile;
  readonly ring: TraceFile;
  readonly recorded: InMemoryRecording;
}

let made: Promise<Pair> | null = null;

/** The same run, whole and as a ring. */
function bothWays(): Promise<Pair> {
  made ??= recordBoth();
  return made;
}

async function recordBoth(): Promise<Pair> {
  const whole = await recordInMemory(turning(TURNS));
  const recorded = await recordInMemory(turning(TURNS), { ring: 64 * KB });
  return { whole: openTrace(bytesSource(whole.bytes)), ring: openTrace(bytesSource(recorded.bytes)), recorded };
}

Deno.test("a ring holds the last events of the run, as a whole recording has them", async () => {
  const { whole, ring, recorded } = await bothWays();
  const { startsAfter, events } = recorded.kept;
  assert(startsAfter > 1000 && events > 100, `${events} events after @${startsAfter}`);
  assertEquals([ring.header.startsAfter, ring.eventCount], [startsAfter, whole.eventCount]);
  assertEquals(startsAfter + events, whole.eventCount);
  assertEquals([...ring.events()], [...whole.events({ from: startsAfter + 1 })]);
  assertEquals(ring.end, whole.end);
});

Deno.test("a ring is whole and valid: what it let go is no loss", async () => {
  const { ring, recorded } = await bothWays();
  assertEquals([ring.complete, ring.losses, [...validate(ring)]], [true, [], []]);
  const summary = ring.summary();
  assertEquals([summary.events, summary.isIndexed], [recorded.kept.events, true]);
  const calls = [...ring.events()].filter(({ plan }) => plan?.name === "FreeBuffer").length;
  assertEquals(summary.calls.get("FreeBuffer"), calls);
  assertEquals([...summary.kinds.values()].reduce((sum, count) => sum + count, 0), recorded.kept.events);
});

Deno.test("a ring replays from its keyframe by itself, and from later ones", async () => {
  const { ring, recorded: { kept } } = await bothWays();
  const result = replay(ring);
  assertEquals(
    [result.divergence, result.stoppedEarly, result.startedAfter, result.events],
    [null, "", kept.startsAfter, kept.events],
  );
  const keyframes = [...ring.keyframes()].map(({ event }) => event);
  assertEquals(keyframes[0], kept.startsAfter);
  assert(keyframes.length > 1);
  assertEquals(replay(ring, { from: ring.eventCount }).startedAfter, keyframes.at(-1));
});

Deno.test("a ring does not replay under other options, nor without its keyframe, and says why", async () => {
  const { ring } = await bothWays();
  const { header, end, eventCount, complete, losses } = ring;
  const other = replay(ring, { options: { ...header.options, "gpadl-limit": "5" } });
  assertEquals([other.events, other.divergence], [0, null]);
  assert(other.stoppedEarly.includes("under its own options"), other.stoppedEarly);
  const bare = {
    header,
    end,
    eventCount,
    complete,
    losses,
    events: () => ring.events(),
    *keyframes() {},
  };
  assert(replay(bare).stoppedEarly.includes("is lost"), replay(bare).stoppedEarly);
});

Deno.test("an audit of a ring calls pre-existing what ends without a beginning, and a leak of its own a leak", async () => {
  const { ring } = await bothWays();
  const { findings, pairing } = audit(ring);
  assertEquals(findings.map(({ rule, verdict }) => [rule, verdict]), [
    ["gpadl-unmatched-unmap", "pre-existing"],
    ["gpadl-unmatched-delete", "pre-existing"],
    ["gpadl-leak", "certain"],
  ]);
  const { starts, ends, preExisting, leaked } = pairing["gpadl"] ?? {};
  assertEquals([starts, ends, preExisting, leaked], [1, 1, 1, 1]);
});

Deno.test("a run that fits is a ring from the start, with the bytes of any recording", async () => {
  const whole = await recordInMemory(turning(3));
  const ring = await recordInMemory(turning(3), { ring: 64 * KB });
  assertEquals([ring.kept.startsAfter, ring.kept.events], [0, whole.end.events]);
  assertEquals(ring.bytes, whole.bytes);
});

/** Segments that count what they hold. */
class CountedSegments implements RingSegments {
  readonly #inner = new MemorySegments();
  readonly sinks = new Map<number, BytesSink>();
  mostBytes = 0;

  begin(number: number) {
    const sink = this.#inner.begin(number);
    const copy = new BytesSink();
    this.sinks.set(number, copy);
    return {
      write: (bytes: Uint8Array) => {
        sink.write(bytes);
        copy.write(bytes);
        this.mostBytes = Math.max(this.mostBytes, this.bytes);
      },
    };
  }

  get bytes(): number {
    return [...this.sinks.values()].reduce((sum, sink) => sum + sink.bytes().length, 0);
  }

  read(number: number) {
    return this.#inner.read(number);
  }

  drop(number: number): void {
    this.#inner.drop(number);
    this.sinks.delete(number);
  }

  end(): void {}
}

function ringOptions(segments: RingSegments, changes: Partial<RecordOptions> = {}): RecordOptions {
  return {
    what: { kind: "module", name: "p.ts", module: turning(600), args: [] },
    output: new BytesSink(),
    options: { ...defaultOptions(), "initial-callbacks": "none" },
    seed: 1,
    sites: "off",
    memory: "full",
    toolVersion: "1",
    startedAt: "",
    folder: "",
    ring: { bytes: 128 * KB, segments },
    ...changes,
  };
}

Deno.test("while it runs a ring takes no more than its size and a segment, and at the end nothing beside the output", async () => {
  const segments = new CountedSegments();
  const output = new BytesSink();
  await record(ringOptions(segments, { output }));
  assert(segments.mostBytes > 64 * KB && segments.mostBytes <= (128 + 16) * KB, `${segments.mostBytes} bytes`);
  assertEquals(segments.sinks.size, 0);
  assert(output.bytes().length <= 128 * KB);
});

/** Turns beside a buffer full of what does not compress: its state is larger than the ring that is asked for. */
function heavyTurning(turns: number) {
  return defineProgram(async (context) => {
    const { value: Buffer } = await context.guest.AllocateBuffer({ ByteCount: 64 * KB });
    let state = 1;
    const Data = Uint8Array.from({ length: 64 * KB }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    });
    await context.guest.WriteBuffer({ Buffer, Data });
    await turning(turns).run(context);
  });
}

Deno.test("a ring whose state is large keeps a segment of events at least, whenever it ends", async () => {
  const inner = new MemorySegments();
  const kept = new Set<number>();
  const keptAtTurns: number[] = [];
  const segments: RingSegments = {
    begin(number) {
      keptAtTurns.push(kept.size);
      kept.add(number);
      return inner.begin(number);
    },
    read: (number) => inner.read(number),
    drop(number) {
      kept.delete(number);
      inner.drop(number);
    },
    end() {},
  };
  const module = heavyTurning(2500);
  const what = { kind: "module", name: "p.ts", module, args: [] } as const;
  await record(ringOptions(segments, { what, ring: { bytes: 64 * KB, segments } }));
  assert(keptAtTurns.length > 3, `${keptAtTurns.length} turns`);
  assertEquals(keptAtTurns.slice(1).filter((count) => count === 0), []);
});

Deno.test("at any moment each segment is a trace that replays; all but the newest are finished", async () => {
  const segments = new CountedSegments();
  let looked = 0;
  const onEvents = () => {
    looked += 1;
    const traces = [...segments.sinks.values()].map((sink) => openTrace(bytesSource(sink.bytes())));
    const newest = traces.pop();
    assertEquals(newest?.end, null);
    for (const trace of traces) {
      assertEquals([trace.complete, trace.end?.reason, [...validate(trace)]], [true, "interrupted", []]);
    }
    for (const trace of traces.slice(-2)) assertEquals(replay(trace).divergence, null);
  };
  const module = turning(1000);
  await record(ringOptions(segments, { onEvents, what: { kind: "module", name: "p.ts", module, args: [] } }));
  assertEquals(looked, 1);
});

Deno.test("a segment that cannot be begun ends the run with its error, which the one before it says", async () => {
  const inner = new CountedSegments();
  const segments: RingSegments = {
    begin(number) {
      if (number === 4) throw new Error("no room is left");
      return inner.begin(number);
    },
    read: (number) => inner.read(number),
    drop: (number) => inner.drop(number),
    end() {},
  };
  await assertRejects(() => record(ringOptions(segments)), Error, "no room is left");
  assertEquals([...inner.sinks.keys()], [1, 2, 3]);
  const traces = [...inner.sinks.values()].map((sink) => openTrace(bytesSource(sink.bytes())));
  assertEquals(traces.map(({ end }) => end?.reason), ["interrupted", "interrupted", "write-failed"]);
  assertEquals(traces.map(({ complete }) => complete), [true, true, false]);
  // The call that the failure came before was made, and is not in the file.
  const last = traces.at(-1);
  const held = [...last?.events() ?? []].at(-1)?.event ?? 0;
  assertEquals(last?.losses.map(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]), [[held + 1, held + 1]]);
});

Deno.test("a ring below 64 KiB is refused", async () => {
  await assertRejects(() => recordInMemory(turning(1), { ring: 64 * KB - 1 }), RangeError, "at least 65536 bytes");
});

Deno.test("a ring and a selection keep the last part of what was selected, without keyframes", async () => {
  const selection = { calls: ["WriteBuffer"] };
  const { bytes, kept } = await recordInMemory(turning(TURNS), { ring: 64 * KB, selection });
  const trace = openTrace(bytesSource(bytes));
  assertEquals([trace.complete, trace.header.startsAfter, trace.losses], [true, kept.startsAfter, []]);
  assert(kept.startsAfter > 0 && kept.events > 0);
  assertEquals([...trace.keyframes()], []);
});
