/**
 * maptrail: record, replay and audit memory mappings between virtual machines, their host and the GPU.
 *
 * A program over the library:
 *
 * ```ts
 * import { defineProgram } from "maptrail";
 *
 * const program = defineProgram(async ({ guest }) => {
 *   const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 4096 });
 *   await guest.FreeBuffer({ Buffer });
 * }, { summary: "allocates a page and frees it" });
 *
 * if (program.summary === "") throw new Error("a program says what it does");
 * ```
 *
 * @module
 */

export {
  defineProgram,
  Mailbox,
  on,
  type Program,
  type ProgramContext,
  type ProgramModule,
  Random,
  type SideApi,
  type Thread,
} from "./src/driver/mod.ts";
export {
  type ArgsOf,
  type CallName,
  CATALOGUE,
  defaultOptions,
  type ModelOptions,
  ntSuccess,
  type OutsOf,
  parseOption,
  type Ref,
  type ResultOf,
  STATUS,
  statusName,
  type Value,
} from "./src/api/mod.ts";
export {
  bytesSource,
  openTrace,
  type Trace,
  type TraceEvent,
  TraceFormatError,
  type TraceHeader,
} from "./src/trace/mod.ts";
export { record, type Recorded, type RecordOptions } from "./src/record/mod.ts";
export { type Divergence, replay, type ReplayResult } from "./src/replay/mod.ts";
export { diff, type DiffResult } from "./src/diff/mod.ts";
export { audit, type AuditResult, type Finding, RULES } from "./src/audit/mod.ts";
export { importEtl, importJsonLines } from "./src/import/mod.ts";
