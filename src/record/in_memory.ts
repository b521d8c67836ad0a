// Recording without files, for tests of drivers and for tools over the library: a program or a scenario in, a trace's bytes out.

import { defaultOptions, type ModelOptions, parseOption, parseScenario } from "../api/mod.ts";
import type { ProgramModule } from "../driver/mod.ts";
import { BytesSink, type MemoryMode, type Selection, type SitesMode } from "../trace/mod.ts";
import { MemorySegments } from "./ring.ts";
import { record, type Recordable, type Recorded } from "./record.ts";

/** How to record in memory; what is left out is as `maptrail record` has it, without wall time. */
export interface InMemoryOptions {
  readonly name?: string;
  /** `builtin` for a program that `maptrail record` knows by name; default `module`. */
  readonly kind?: "builtin" | "module";
  /** What the trace says of the tool that made it. */
  readonly toolVersion?: string;
  /** The schedule, default 1. */
  readonly seed?: number;
  /** Options of the model by name; `RangeError` for names and values that do not exist. */
  readonly options?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly sites?: SitesMode;
  readonly memory?: MemoryMode;
  /** Bytes that the trace may have, about, at least 64 KiB: then it holds the last part of the run, from a keyframe on. */
  readonly ring?: number;
  /** Which events are written; what is left out of it admits all. */
  readonly selection?: Partial<Selection>;
  /** The folder URL that call sites are relative to. */
  readonly folder?: string;
}

/** A recording in memory. */
export interface InMemoryRecording extends Recorded {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Records a program, or a scenario given as text in call notation (`NotationError` where it does not parse).
 *
 * ```ts
 * import { audit, bytesSource, openTrace, recordInMemory } from "maptrail";
 *
 * const { bytes } = await recordInMemory("guest AllocateBuffer(ByteCount=4096) -> $b\nguest FreeBuffer(Buffer=$b)");
 * const trace = openTrace(bytesSource(bytes));
 * if (trace.eventCount !== 2 || audit(trace).findings.length !== 0) throw new Error("two calls, nothing wrong");
 * ```
 */
export async function recordInMemory(
  what: ProgramModule | string,
  options: InMemoryOptions = {},
): Promise<InMemoryRecording> {
  const run = runnable(what, options);
  const output = new BytesSink();
  const recorded = await record({
    what: run.what,
    output,
    options: Object.entries(options.options ?? {}).reduce<ModelOptions>(
      (all, [name, value]) => parseOption(all, name, value),
      run.base,
    ),
    seed: options.seed ?? 1,
    sites: options.sites ?? "creating",
    memory: options.memory ?? "full",
    toolVersion: options.toolVersion ?? "",
    startedAt: "",
    folder: options.folder ?? "",
    ...(options.ring === undefined ? {} : { ring: { bytes: options.ring, segments: new MemorySegments() } }),
    ...(options.selection === undefined ? {} : { selection: { ...ALL, ...options.selection } }),
  });
  return { ...recorded, bytes: output.bytes() };
}

const ALL: Selection = { range: null, calls: [], levels: [], sides: [], objects: [] };

/** A program registers its callbacks itself; a scenario's channel has every one until it says otherwise. */
function runnable(
  what: ProgramModule | string,
  { name, kind, args }: InMemoryOptions,
): { readonly what: Recordable; readonly base: ModelOptions } {
  if (typeof what === "string") {
    const scenario = parseScenario(what);
    return { what: { kind: "calls", name: name ?? "scenario.calls", scenario }, base: scenario.options };
  }
  const base: ModelOptions = { ...defaultOptions(), "initial-callbacks": "none" };
  const options = Object.entries(what.options).reduce<ModelOptions>(
    (all, [option, value]) => parseOption(all, option, value),
    base,
  );
  return { what: { kind: kind ?? "module", name: name ?? "program", module: what, args: args ?? [] }, base: options };
}
