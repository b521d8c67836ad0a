// The world of KMCL, as a simulation sees it: channels, GPADLs, packets, saves. What is called how often, which options differ,
// what is checked after each step, and what the audit is compared with at the end.

import {
  type CallName,
  defaultOptions,
  type ModelOptions,
  type OptionDeclaration,
  OPTIONS,
  parseOption,
} from "../../src/api/mod.ts";
import { Random } from "../../src/driver/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { INVARIANTS, MEMORY_INVARIANTS, SLOW_INVARIANTS, watched } from "./invariants.ts";
import { disagreements } from "./oracle.ts";
import { firstTrouble, HARDLY, type SimulatedWorld, type Watcher } from "./simulated_world.ts";
import { argumentsFor } from "./words.ts";

/** How often a call is made beside the others, where it is not just once. */
const RATES: Readonly<Partial<Record<CallName, number>>> = {
  VmbChannelAllocate: 2,
  VmbChannelCleanup: 0.3,
  VmbChannelEnable: 6,
  VmbChannelDisable: 0.2,
  VmbChannelStart: 2,
  VmbChannelPause: 0.3,
  VmbServerChannelInitSetTargetInterfaceId: 2,
  VmbClientChannelInitSetTargetPnp: 2,
  VmbChannelCreateGpadlFromBuffer: 2,
  VmbChannelCreateGpadlFromMdl: 2,
  VmbChannelMapGpadl: 3,
  VmbChannelUnmapGpadl: 2,
  VmbPacketAllocate: 2,
  VmbPacketSend: 5,
  VmbPacketSendWithExternalMdl: 3,
  VmbPacketSendWithExternalPfns: 3,
  VmbPacketSetCompletionRoutine: 0.5,
  VmbChannelSendSynchronousRequest: 1,
  VmbChannelPacketComplete: 6,
  VmbChannelPacketDeferToPassive: 1,
  VmbChannelPacketGetExternalData: 1,
  VmbChannelPacketFail: 0.05,
  VmbPacketRestore: 2,
  VmbChannelSaveBegin: 0.7,
  VmbChannelSaveContinue: 2,
  VmbChannelRestoreFromBuffer: 2,
  VmbServerChannelInitSetSaveRestorePacketCallbacks: 2,
  ReadBuffer: 0.05,
  ReadMdl: 0.05,
  AllocateBuffer: 1,
  CreateMdl: 1,
  FailNext: 0.1,
  SetIrql: 0.3,
  ExitProcess: 0.02,
  UnloadVmbus: 0.02,
  SaveVm: 0.1,
  RestoreVm: 5,
};
/** Calls that no seed is without: nothing would happen. */
const ALWAYS: ReadonlySet<string> = new Set<CallName>([
  "VmbChannelAllocate",
  "VmbChannelEnable",
  "VmbServerChannelInitSetTargetInterfaceId",
  "VmbClientChannelInitSetTargetPnp",
  "RestoreVm",
]);
/** Calls that most seeds are without: after them there is less to compare. */
const SELDOM: ReadonlySet<string> = new Set<CallName>(["UnloadVmbus", "SaveVm", "VmbChannelRestoreFromBuffer"]);
/** The model's options of a seed: some of those that KMCL asks for are not their defaults. */
function optionsOf(seed: number): ModelOptions {
  const random = new Random(seed ^ 0x5eed);
  let options = defaultOptions();
  for (const [name, { values, from }] of Object.entries<OptionDeclaration>(OPTIONS)) {
    const own = values.filter((value) => value !== "number" && value !== "status");
    const isAsked = from.startsWith("kmcl") || name === "initial-callbacks" || name === "wire";
    if (isAsked && own.length > 1 && random.below(4) === 0) options = parseOption(options, name, random.pick(own));
  }
  if (random.below(6) === 0) options = parseOption(options, "gpadl-limit", "2");
  if (random.below(6) === 0) options = parseOption(options, "transaction-quota", "2");
  if (random.below(4) === 0) options = parseOption(options, "ring-pages", "1");
  return options;
}

/** Calls that belong into a callback. */
const PLACES: ReadonlyMap<string, string> = new Map([
  ["VmbPacketRestore", "EvtVmbChannelRestorePacket"],
  ["VmbChannelPacketDeferToPassive", "EvtVmbChannelProcessPacket"],
]);
/** Calls that say something only of a save that is open. */
const OF_SAVES: ReadonlySet<string> = new Set(["VmbChannelSaveContinue", "VmbChannelSaveEnd"]);

/** Guest pages that a driver wrote over: they may have been a ring's. */
class KmclWatcher implements Watcher {
  readonly disagreements = disagreements;
  readonly #tampered = new Set<number>();
  /** Calls that write memory, by their events, of the newest input. */
  readonly #writers = new Set<number>();
  #hasWritten = false;

  event({ event, plan, kind, memory, cause }: TraceEvent): void {
    if (memory !== null) this.#hasWritten = true;
    if (kind !== "memory" && (plan?.name === "WriteBuffer" || plan?.name === "WriteMdl")) this.#writers.add(event);
    if (memory?.partition === "guest" && this.#writers.has(cause)) this.#tampered.add(memory.page);
  }

  check(world: World, { isSlow }: { readonly isSlow: boolean }): ReturnType<Watcher["check"]> {
    const now = watched(world, this.#tampered);
    const tables = [INVARIANTS, this.#hasWritten ? MEMORY_INVARIANTS : {}, isSlow ? SLOW_INVARIANTS : {}];
    this.#hasWritten = false;
    this.#writers.clear();
    return firstTrouble(tables, now);
  }
}

/** What simulates KMCL. */
export const KMCL_WORLD: SimulatedWorld = {
  name: "kmcl",
  optionsOf,
  rates: RATES,
  always: ALWAYS,
  seldom: SELDOM,
  isIn: ({ level }) => LEVELS.has(level),
  places: PLACES,
  need({ name }, world) {
    if (name === "RestoreVm") return world.wire.isVmSaved ? 1 : HARDLY;
    if (!OF_SAVES.has(name)) return 1;
    return [...world.all("channel")].some(({ data }) => data.save !== null) ? 1 : HARDLY;
  },
  argumentsFor,
  watch: () => new KmclWatcher(),
};

const LEVELS: ReadonlySet<string> = new Set(["kmcl", "machine"]);
