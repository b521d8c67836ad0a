// What the trace of a simulated run comes to: read back, replayed from its start and from a keyframe, and audited.
// It must not know what was simulated.

import { audit, type Finding } from "../../src/audit/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, openTrace, validate } from "../../src/trace/mod.ts";
import type { Disagreement, Trouble } from "./simulated_world.ts";

/** What does not hold of a trace; `disagreements` compares what its audit finds. */
export function judge(
  bytes: Uint8Array<ArrayBuffer>,
  disagreements: (findings: readonly Finding[]) => readonly Disagreement[],
): Trouble | null {
  const trace = openTrace(bytesSource(bytes));
  for (const { event, message } of validate(trace)) return { check: "trace", message: `@${event}: ${message}` };
  const keyframes = [...trace.keyframes()];
  const froms = [undefined, ...keyframes.slice(-1).map(({ event }) => event + 1)];
  for (const from of froms) {
    const { divergence, stoppedEarly } = replay(trace, from === undefined ? {} : { from });
    const check = from === undefined ? "replay" : "replay from a keyframe";
    if (divergence !== null) return { check, message: divergence.message };
    if (stoppedEarly !== "") return { check, message: stoppedEarly };
  }
  const { findings } = audit(trace, { evidenceLimit: 0 });
  const [first] = disagreements(findings);
  return first === undefined ? null : { check: `audit: ${first.about}`, message: first.message };
}
