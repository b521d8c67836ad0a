// The door of `replay`: a trace again, on a fresh engine.

export { type Divergence, replay, type ReplayOptions, type ReplayResult } from "./replay.ts";
