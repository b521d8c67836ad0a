// The door of `record`: runs programs and scenarios into traces.

export {
  ENGINE_VERSION,
  record,
  type Recordable,
  type Recorded,
  type RecordOptions,
  type RunControl,
} from "./record.ts";
export type { FlushTimer } from "./flush.ts";
export { MemorySegments, MIN_RING_BYTES, type Ring, type RingSegments } from "./ring.ts";
export { type InMemoryOptions, type InMemoryRecording, recordInMemory } from "./in_memory.ts";
