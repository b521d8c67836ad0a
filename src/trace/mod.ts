// The door of `trace`: the model of a trace, its writer and its reader.

export * from "./event.ts";
export { type ByteSink, BytesSink, TraceWriter, type TraceWriterOptions } from "./writer.ts";
export { bytesSource, type OpenOptions, TraceOutline, type TraceSummary } from "./outline.ts";
export { openTrace, type TraceFile } from "./reader.ts";
export type { ByteSource } from "./directory.ts";
export { type JoinOptions, joinTraces } from "./join.ts";
export { decodeKeyframe, encodeKeyframe } from "./keyframe.ts";
export { TraceFormatError, type TraceFormatReason } from "./trace_format_error.ts";
export { FORMAT_VERSION } from "./upgrade.ts";
export { type EventView, KeptEvent } from "./event_view.ts";
export { type Viewer, viewEvents, visitEvents, type VisitOptions, type Visitor } from "./visit.ts";
export { eventTrouble, pointerCheck, type TraceProblem, validate, validateEvent } from "./validate.ts";
export {
  eventFilter,
  type EventQuery,
  leftOutBy,
  mentionsObject,
  type ObjectQuery,
  selectionFilter,
} from "./filter.ts";
export { eventToJson, headerToJson, JSON_LINES_SCHEMA, jsonLines, type JsonLinesSource } from "./json_lines.ts";
export { BrokenLineError, JsonLinesError } from "./json_lines_error.ts";
export {
  type IgnoredMembers,
  type JsonLinesOptions,
  JsonLinesParser,
  MAX_LINE_LENGTH,
  type ParsedJsonLines,
  parseJsonLines,
} from "./json_lines_parse.ts";
export { HandleBook, type JsonObject, type JsonValue } from "./json_values.ts";
