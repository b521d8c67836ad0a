// Keyframes whose checksums are right and that are no state: a replay does without them, or says why it cannot.

import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, decodeKeyframe, encodeKeyframe, openTrace, type Trace } from "../../src/trace/mod.ts";
import { pack } from "../../src/wire/mod.ts";
import { turning } from "../record/turning.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";

/** A ring, whose keyframes the events cannot do without. */
async function ringOf(): Promise<Trace> {
  const { bytes } = await recordInMemory(turning(1000), { ring: 64 * 1024 });
  return openTrace(bytesSource(bytes));
}

type Edit = (state: Uint8Array) => Uint8Array;

/** The trace with the states of some keyframes changed. */
function forged(trace: Trace, edit: Edit, of: (event: number) => boolean = () => true): Trace {
  const { header, end, eventCount, complete, losses } = trace;
  return {
    header,
    end,
    eventCount,
    complete,
    losses,
    events: (range) => trace.events(range),
    *keyframes() {
      for (const { event, state } of trace.keyframes()) {
        const forged = of(event) ? edit(state) : state;
        yield { event, state: forged, storedBytes: forged.length };
      }
    },
  };
}

/** The state with another value for one of its members. */
function withMember(state: Uint8Array, name: string, change: (value: unknown) => unknown): Uint8Array {
  const members: unknown = decodeKeyframe(state);
  assert(typeof members === "object" && members !== null);
  const entries = Object.entries(members);
  assert(entries.some(([each]) => each === name));
  return encodeKeyframe(
    Object.fromEntries(entries.map(([each, value]) => [each, each === name ? change(value) : value])),
  );
}

const NO_STATES: Readonly<Record<string, Edit>> = {
  "no value": () => new Uint8Array([0xc1, 2, 3]),
  "nothing": () => new Uint8Array(0),
  "an extension": () => new Uint8Array([0xd4, 1, 1]),
  "cut": (state) => state.subarray(0, state.length - 5),
  "a number": () => pack(5),

  "another maker's": () => pack({ registers: [1, 2, 3] }),
  "objects that there are not": (state) =>
    withMember(state, "objects", (objects) => Object.assign({}, objects, { named: [2 ** 40] })),
};

Deno.test("a ring whose keyframe is no state is not replayed, and says why", async () => {
  const ring = await ringOf();
  for (const [what, edit] of Object.entries(NO_STATES)) {
    const { events, divergence, stoppedEarly } = replay(forged(ring, edit));
    assertEquals([events, divergence], [0, null], what);
    assertEquals(
      stoppedEarly,
      `the state after @${ring.header.startsAfter}, where it begins, is lost or of another engine`,
    );
  }
});

Deno.test("where a later keyframe is no state, the one before it serves", async () => {
  const ring = await ringOf();
  const [first = 0, ...later] = [...ring.keyframes()].map(({ event }) => event);
  assert(later.length > 0);
  for (const [what, edit] of Object.entries(NO_STATES)) {
    const { startedAfter, divergence, stoppedEarly } = replay(forged(ring, edit, (event) => event > first), {
      from: ring.eventCount,
    });
    assertEquals([startedAfter, divergence, stoppedEarly], [first, null, ""], what);
  }
});

Deno.test("options that are none make no state", async () => {
  const ring = await ringOf();
  const options = (value: unknown) => Object.assign({}, value, { "ring-pages": "__proto__" });
  assertEquals(replay(forged(ring, (state) => withMember(state, "options", options))).events, 0);
});

Deno.test("an engine that fails on the state that it was given ends the replay, which says so", async () => {
  const ring = await ringOf();
  const objects = (value: unknown) => Object.assign({}, value, { counts: new Map([["buffer", 2 ** 53 - 1]]) });
  const { stoppedEarly, divergence } = replay(forged(ring, (state) => withMember(state, "objects", objects)));
  assertEquals(divergence, null);
  assertMatch(stoppedEarly, /^the engine fails at @\d+ on the state after @\d+: Cannot use slot \d+/);
});
