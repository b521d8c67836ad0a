// The header of a trace that was seen on a real system and not made by the model: what every importer of one says alike.
// It must not know any format.

import { defaultOptions } from "../api/mod.ts";
import type { TraceHeader } from "../trace/mod.ts";

/** What importers say differently. */
export type CaptureFacts = Pick<TraceHeader, "maker" | "toolVersion" | "startedAt" | "capabilities" | "losses">;

/** The header of a capture. */
export function captureHeader(facts: CaptureFacts): TraceHeader {
  return {
    ...facts,
    tool: "maptrail",
    engineVersion: 0,
    options: defaultOptions(),
    program: { name: "capture", kind: "import", args: [] },
    seed: 0,
    sites: "off",
    memory: "none",
    wallClock: false,
    startsAfter: 0,
    leftOut: [],
    selection: null,
  };
}
