// What users do with a trace, over one that a reader takes: whatever it says, a verb comes to an answer.
// It must not know how the bytes were mutated.

import { audit } from "../../src/audit/mod.ts";
import { diff } from "../../src/diff/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, jsonLines, openTrace, type TraceFile, TraceFormatError } from "../../src/trace/mod.ts";
import { dumpLines } from "../../src/view/mod.ts";

/** A verb as a function of a trace that is opened anew each time it is asked for. */
type Run = (open: () => TraceFile) => void;

/** Verbs that read traces, by name. */
export const VERBS = {
  audit: (open) => void audit(open()),
  replay: (open) => void replay(open()),
  "replay from the last keyframe": (open) => {
    const trace = open();
    replay(trace, { from: trace.eventCount });
  },
  diff: (open) => {
    const { equal } = diff(open(), open());
    if (!equal) throw new Error("it differs from itself");
  },
  dump: (open) => drain(dumpLines(open())),
  "dump --json": (open) => drain(jsonLines(open())),
} as const satisfies Readonly<Record<string, Run>>;

/** Names of the verbs. */
export const VERB_NAMES = ["audit", "replay", "replay from the last keyframe", "diff", "dump", "dump --json"] as const;

/** Why a verb fails on a trace that can be opened; empty: it does not. */
export function runVerb(verb: keyof typeof VERBS, bytes: Uint8Array): string {
  try {
    VERBS[verb](() => openTrace(bytesSource(bytes)));
    return "";
  } catch (error) {
    if (error instanceof TraceFormatError) return "";
    return error instanceof Error ? error.stack ?? error.message : String(error);
  }
}

function drain(lines: Iterable<string>): void {
  for (const _ of lines);
}
