/**
 * maptrail: record, replay and audit memory mappings between virtual machines, their host and the GPU.
 *
 * A program makes calls as the sides of the API; recorded, it is a trace:
 *
 * ```ts
 * import { bytesSource, defineProgram, openTrace, recordInMemory } from "maptrail";
 *
 * const program = defineProgram(async ({ guest }) => {
 *   const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 4096 });
 *   await guest.WriteBuffer({ Buffer, Data: new Uint8Array([1, 2, 3]) });
 *   await guest.FreeBuffer({ Buffer });
 * });
 *
 * const { bytes, end } = await recordInMemory(program, { seed: 1 });
 * const trace = openTrace(bytesSource(bytes));
 * const calls = [...trace.events()].filter(({ kind }) => kind === "call").map(({ plan }) => plan?.name);
 * if (end.reason !== "ended" || calls.join() !== "AllocateBuffer,WriteBuffer,FreeBuffer") throw new Error(calls.join());
 * ```
 *
 * A trace is audited and replayed:
 *
 * ```ts
 * import { audit, bytesSource, openTrace, recordInMemory, replay } from "maptrail";
 *
 * const { bytes } = await recordInMemory("server VmbChannelAllocate(IsServer=true) -> STATUS_SUCCESS {Channel=$s}");
 * const trace = openTrace(bytesSource(bytes));
 * const [finding] = audit(trace).findings;
 * if (finding?.rule !== "channel-leak" || finding.event !== 1) throw new Error("the channel was never cleaned up");
 * if (replay(trace).divergence !== null) throw new Error("the model answers as it did");
 * ```
 *
 * Two traces are compared, whatever their handles are:
 *
 * ```ts
 * import { bytesSource, diff, openTrace, recordInMemory } from "maptrail";
 *
 * const traceOf = async (text: string) => openTrace(bytesSource((await recordInMemory(text)).bytes));
 * const [a, b] = [await traceOf("host AllocateBuffer(ByteCount=1)"), await traceOf("host AllocateBuffer(ByteCount=2)")];
 * if (diff(a, a).equal !== true || diff(a, b).first?.form !== "changed") throw new Error("the byte count differs");
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
  NotationError,
  ntSuccess,
  type OutsOf,
  parseOption,
  parseScenario,
  type Ref,
  type ResultOf,
  STATUS,
  statusName,
  type Value,
} from "./src/api/mod.ts";
export {
  type ByteSource,
  BytesSink,
  bytesSource,
  openTrace,
  type Trace,
  type TraceEvent,
  TraceFormatError,
  type TraceHeader,
  TraceWriter,
} from "./src/trace/mod.ts";
export {
  type InMemoryOptions,
  type InMemoryRecording,
  record,
  type Recorded,
  recordInMemory,
  type RecordOptions,
} from "./src/record/mod.ts";
export { type Divergence, replay, type ReplayResult } from "./src/replay/mod.ts";
export { diff, type DiffResult } from "./src/diff/mod.ts";
export { audit, type AuditResult, type Finding, RULES } from "./src/audit/mod.ts";
export { importEtl, importJsonLines, importStrace } from "./src/import/mod.ts";
export {
  type GuestAdapter,
  type GuestOptions,
  type GuestResult,
  type OpenGuestAdapter,
  openGuestAdapter,
} from "./src/gpupv/mod.ts";
