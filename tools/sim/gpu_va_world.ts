// The world of GPU virtual addresses, as a simulation sees it: processes with devices, queues, contexts and allocations on one
// to three linked GPUs, and a kernel-mode driver that reserves for itself.

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
import { GPU_INVARIANTS, GPU_PAGE_INVARIANTS, GPU_SLOW_INVARIANTS } from "./gpu_invariants.ts";
import type { Finding } from "../../src/audit/mod.ts";
import { argumentTroubles } from "./gpu_argument_oracle.ts";
import { gpuDisagreements } from "./gpu_audit_oracle.ts";
import { GpuPages } from "./gpu_pages.ts";
import { gpuArguments } from "./gpu_va_words.ts";
import {
  type Disagreement,
  firstTrouble,
  HARDLY,
  type Settling,
  type SimulatedWorld,
  type Trouble,
  type Watcher,
} from "./simulated_world.ts";

const RATES: Readonly<Partial<Record<CallName, number>>> = {
  D3DKMTOpenAdapterFromLuid: 1,
  D3DKMTEnumAdapters2: 0.1,
  D3DKMTCloseAdapter: 0.05,
  D3DKMTCreateDevice: 1,
  D3DKMTDestroyDevice: 0.08,
  D3DKMTCreateContextVirtual: 1.5,
  D3DKMTDestroyContext: 0.15,
  D3DKMTGetDeviceState: 0.1,
  D3DKMTCreatePagingQueue: 1.5,
  D3DKMTDestroyPagingQueue: 0.2,
  D3DKMTCreateAllocation2: 4,
  D3DKMTDestroyAllocation2: 2.5,
  D3DKMTMapGpuVirtualAddress: 12,
  D3DKMTReserveGpuVirtualAddress: 3,
  D3DKMTFreeGpuVirtualAddress: 6,
  D3DKMTUpdateGpuVirtualAddress: 6,
  D3DKMTMakeResident: 3,
  D3DKMTEvict: 2,
  D3DKMTLock2: 1,
  D3DKMTUnlock2: 1,
  D3DKMTSubmitCommand: 4,
  D3DKMTCreateSynchronizationObject2: 1.5,
  D3DKMTWaitForSynchronizationObjectFromCpu: 0.7,
  D3DKMTSignalSynchronizationObjectFromCpu: 2,
  D3DKMTWaitForSynchronizationObjectFromGpu: 1,
  D3DKMTSignalSynchronizationObjectFromGpu: 1,
  D3DKMTOfferAllocations: 0.3,
  D3DKMTReclaimAllocations2: 0.3,
  CompletePaging: 6,
  CompleteGpuWork: 4,
  GpuAccess: 2,
  SignalFence: 2,
  AllocateBuffer: 0.5,
  FreeBuffer: 0.2,
  WriteBuffer: 0.2,
  ReadBuffer: 0.05,
  FailNext: 0.1,
  AdvanceTime: 0.2,
  ExitProcess: 0.03,
  DxgkInitialize: 0.05,
  DxgkCbReserveGpuVirtualAddressRange: 2,
};
const ALWAYS: ReadonlySet<string> = new Set<CallName>([
  "D3DKMTOpenAdapterFromLuid",
  "D3DKMTCreateDevice",
  "D3DKMTCreatePagingQueue",
  "D3DKMTCreateAllocation2",
  "D3DKMTMapGpuVirtualAddress",
]);
const SELDOM: ReadonlySet<string> = new Set<CallName>(["DxgkInitialize", "ExitProcess"]);
/** A guest's graphics kernel has a world of its own. */
const OTHERS: ReadonlySet<string> = new Set<CallName>(["DxgRegister", "DxgIoctl"]);
const MACHINE: ReadonlySet<string> = new Set<CallName>([
  "AllocateBuffer",
  "FreeBuffer",
  "WriteBuffer",
  "ReadBuffer",
  "GpuAccess",
  "CompletePaging",
  "CompleteGpuWork",
  "SignalFence",
  "AdvanceTime",
  "FailNext",
  "ExitProcess",
]);
const PLACES: ReadonlyMap<string, string> = new Map([["DxgkCbReserveGpuVirtualAddressRange", "DxgkDdiCreateProcess"]]);
/** Options that are set apart, or that choose what cannot be simulated. */
const NOT_DRAWN: ReadonlySet<string> = new Set(["placement", "adapters"]);

function optionsOf(seed: number): ModelOptions {
  const random = new Random(seed ^ 0x69a);
  let options = defaultOptions();
  for (const [name, { values, from }] of Object.entries<OptionDeclaration>(OPTIONS)) {
    const own = values.filter((value) => value !== "number" && value !== "status");
    const isAsked = (from.startsWith("gpuva") || name === "gpu-access-fault") && !NOT_DRAWN.has(name);
    if (isAsked && own.length > 1 && random.below(4) === 0) options = parseOption(options, name, random.pick(own));
  }
  if (random.below(4) === 0) options = parseOption(options, "placement", "top-down");
  options = parseOption(options, "physical-adapters", random.pick(["1", "1", "2", "3"]));
  if (random.below(4) === 0) options = parseOption(options, "residency-budget", "131072");
  if (random.below(6) === 0) options = parseOption(options, "video-memory", "262144");
  if (random.below(6) === 0) options = parseOption(options, "lock-limit", "2");
  if (random.below(6) === 0) options = parseOption(options, "va-bits", "32");
  if (random.below(4) === 0) options = parseOption(options, "adapters", "2");
  return options;
}

/**
 * How often, in steps, pages are compared: looking at a page settles what the engine keeps aside for mappings that nobody has
 * looked at yet, so most seeds look seldom.
 */
const COMPARE_EVERY = [1, 3, 7, 19] as const;

class GpuVaWatcher implements Watcher {
  readonly #pages: GpuPages;
  #steps = 0;
  #world: World | null = null;
  readonly #every: number;

  constructor(options: ModelOptions) {
    this.#pages = new GpuPages(options);
    const entropy = Object.values(options).join().length;
    this.#every = COMPARE_EVERY[entropy % COMPARE_EVERY.length] ?? 1;
  }

  event(event: TraceEvent): void {
    this.#pages.event(event);
  }

  disagreements(
    events: readonly TraceEvent[],
    { findings, options }: { readonly findings: readonly Finding[]; readonly options: ModelOptions },
  ): readonly Disagreement[] {
    const world = this.#world;
    const state = world === null ? [] : gpuDisagreements(findings, { pages: this.#pages, world });
    return [...state, ...argumentTroubles(events, { findings, options })];
  }

  check(world: World, { isSlow }: { readonly isSlow: boolean }): Trouble | null {
    this.#steps += 1;
    this.#world = world;
    this.#pages.follow(world);
    const trouble = firstTrouble([GPU_INVARIANTS, isSlow ? GPU_SLOW_INVARIANTS : {}], world);
    if (trouble !== null || this.#steps % this.#every !== 0) return trouble;
    for (const space of world.spaces.values()) space.checkInvariants();
    const message = this.#pages.difference(world);
    return message === null
      ? firstTrouble([GPU_PAGE_INVARIANTS], world)
      : { check: "pages are as the oracle has them", message };
  }
}

/** Lets paging queues and contexts do all they have. */
function settle(world: World, count: number): Settling | null {
  const queues = [...world.all("pagingQueue")].filter(({ data }) => data.completedFence < data.lastFence);
  const [queue] = queues;
  if (queue !== undefined) return { name: "CompletePaging", side: "gpu", ins: [queue.ref, queue.data.lastFence] };
  const contexts = [...world.all("context")].filter(({ data }) => data.granted < data.submitted);
  const [context] = contexts;
  if (context === undefined || count > 300) return null;
  return { name: "CompleteGpuWork", side: "gpu", ins: [context.ref, BigInt(context.data.submitted)] };
}

/** What simulates GPU virtual addresses. */
export const GPU_VA_WORLD: SimulatedWorld = {
  name: "gpuva",
  optionsOf,
  rates: RATES,
  always: ALWAYS,
  seldom: SELDOM,
  isIn: ({ name, level, declaration }) =>
    MACHINE.has(name) || (level === "d3dkmt" && declaration.modelled !== false && !OTHERS.has(name)),
  places: PLACES,
  need: ({ name }, world) => name === "DxgkInitialize" && world.kernelDriver.size > 0 ? HARDLY : 1,
  sideFor: (sides, { random }) =>
    sides.includes("umd") ? random.pick(["umd", "umd", "umd", "umd#2"]) : random.pick(sides),
  argumentsFor: gpuArguments,
  settle,
  watch: (options) => new GpuVaWatcher(options),
};
