// What users do with a trace, over one that a reader takes: whatever it says, a verb comes to an answer.
// It must not know how the bytes were mutated.

import { audit } from "../../src/audit/mod.ts";
import { diff } from "../../src/diff/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, jsonLines, openTrace, type TraceFile, TraceFormatError } from "../../src/trace/mod.ts";
import { dumpLines } from "../../src/view/mod.ts";

/** A verb, as a function of a trace that is opened anew each time it is asked for. */
export interface Verb {
  readonly name: string;
  readonly run: (open: () => TraceFile) => void;
}

/** Verbs that read traces. */
export const VERBS: readonly Verb[] = [
  { name: "audit", run: (open) => void audit(open()) },
  { name: "replay", run: (open) => void replay(open()) },
  {
    name: "replay from the last keyframe",
    run: (open) => {
      const trace = open();
      replay(trace, { from: trace.eventCount });
    },
  },
  {
    name: "diff",
    run: (open) => {
      if (!diff(open(), open()).equal) throw new Error("it differs from itself");
    },
  },
  { name: "dump", run: (open) => drain(dumpLines(open())) },
  { name: "dump --json", run: (open) => drain(jsonLines(open())) },
];

/** Why a verb fails on a trace that can be opened; empty: it does not. */
export function runVerb({ name, run }: Verb, bytes: Uint8Array): string {
  try {
    run(() => openTrace(bytesSource(bytes)));
    return "";
  } catch (error) {
    if (error instanceof TraceFormatError) return "";
    return `${name}: ${error instanceof Error ? error.stack ?? error.message : String(error)}`;
  }
}

function drain(lines: Iterable<string>): void {
  for (const _ of lines);
}
