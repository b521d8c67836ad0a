// When keyframes are written: by their size against the trace's, or after so many events.

import { KeyframePolicy } from "../../src/record/keyframes.ts";
import { assertEquals } from "../support/assert.ts";

const MB = 1 << 20;
const none = () => 0;

Deno.test("a keyframe is due when the trace has grown by many times its size, and asked for again if it had not", () => {
  const policy = new KeyframePolicy(null);
  assertEquals(policy.isDue(10, MB - 1, none), false);
  assertEquals(policy.isDue(10, MB, none), true);
  assertEquals(policy.accepts({ event: 10, bytes: MB }, 4 * MB), false, "30 MB of trace are worth a state of 4 MB");
  assertEquals(policy.isDue(20, 29 * MB, none), false);
  assertEquals(policy.accepts({ event: 30, bytes: 30 * MB }, 4 * MB), true);
  assertEquals(policy.isDue(40, 59 * MB, none), false);
  assertEquals(policy.isDue(50, 60 * MB, none), true);
});

Deno.test("a keyframe of a small state waits for the least growth", () => {
  const policy = new KeyframePolicy(null);
  assertEquals(policy.accepts({ event: 1, bytes: MB }, 100), true);
  assertEquals([policy.isDue(2, 2 * MB - 1, none), policy.isDue(2, 2 * MB, none)], [
    false,
    true,
  ]);
});

Deno.test("keyframes by events are written whatever they cost", () => {
  const policy = new KeyframePolicy(10);
  assertEquals([policy.isDue(9, 0, none), policy.isDue(10, 0, none)], [false, true]);
  assertEquals(policy.accepts({ event: 10, bytes: 0 }, 1e9), true);
  assertEquals([policy.isDue(19, 0, none), policy.isDue(20, 0, none)], [false, true]);
});

Deno.test("a state of many objects is not made before the trace could be worth it", () => {
  const policy = new KeyframePolicy(null);
  let asked = 0;
  const objects = () => {
    asked += 1;
    return MB / 32;
  };
  // A state of 4 MB at least: 30 MB of trace are worth it.
  for (let bytes = 0; bytes < 30 * MB; bytes += MB / 4) assertEquals(policy.isDue(10, bytes, objects), false);
  assertEquals(policy.isDue(20, 30 * MB, objects), true);
  assertEquals(asked, 2);
});
