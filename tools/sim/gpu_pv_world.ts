// The world of the paravirtualised path, as a simulation sees it: a guest with a virtual GPU, whose program is driven at random
// through its graphics kernel, and the host that answers over VMBus (gpuva.md 5).

import { defaultOptions, type ModelOptions, type OptionDeclaration, OPTIONS, parseOption } from "../../src/api/mod.ts";
import { type ProgramContext, Random } from "../../src/driver/mod.ts";
import type { Engine } from "../../src/engine/mod.ts";
import { type GuestOptions, type OpenGuestAdapter, openGuestAdapter } from "../../src/gpupv/mod.ts";
import { type Act, chooseActs, type Rates, STEPS_BOUND } from "./gpu_pv_act.ts";
import { ALWAYS, DOWN_RATES, perform, RATES, ROGUE_RATES } from "./gpu_pv_acts.ts";
import { Desk } from "./gpu_pv_desk.ts";
import { letThingsRest } from "./gpu_pv_gpu.ts";
import { Hand, type Table } from "./gpu_pv_hand.ts";
import { DoesNotHold, type ProgramEnd, runWatched } from "./gpu_pv_run.ts";
import { GpuPvWatcher } from "./gpu_pv_watcher.ts";
import type { Trouble } from "./simulated_world.ts";
import { type SeedRun, seenIn, type Shortened, shortened, type Simulated } from "./seed_result.ts";

/** What a seed decides beside its acts. */
interface Setting {
  readonly options: ModelOptions;
  readonly guest: GuestOptions;
  readonly threads: number;
  /** Processes of the guest, one after the other. */
  readonly lives: number;
  readonly careless: number;
  readonly rates: Rates;
}

/** Model options that some seeds have otherwise. */
const VARIED = [
  ["placement", "top-down"],
  ["video-memory", "262144"],
  ["residency-budget", "131072"],
  ["lock-limit", "2"],
  ["gpadl-limit", "4"],
  ["adapters", "2"],
  ["fence-destroy", null],
  ["context-destroy", null],
  ["paging", null],
  ["partial-free", null],
  ["rescind-delete", null],
  ["delete-on-closed", null],
  ["in-flight-on-close", null],
  ["queued-on-close", null],
  ["gpu-work", null],
] as const;

function settingOf(seed: number): Setting {
  const random = new Random(seed ^ 0x9b7);
  const tearsDown = random.below(8) > 0;
  let options = parseOption(defaultOptions(), "initial-callbacks", "none");
  for (const [name, value] of VARIED) {
    if (random.below(6) > 0) continue;
    const { values }: OptionDeclaration = OPTIONS[name];
    options = parseOption(options, name, value ?? values[1] ?? "");
  }
  // A context that waits for a fence which is gone would never end.
  if (options["context-destroy"] === "waits") options = parseOption(options, "fence-destroy", "ends-waits");
  return {
    options: random.below(3) === 0 ? parseOption(options, "wire", "on") : options,
    guest: {
      interfaceVersion: random.pick([27, 39, 40, 46, 46]),
      isAsyncEnabled: random.below(3) === 0,
      mapsGuestPages: random.below(3) === 0,
      tearsDown,
    },
    threads: random.pick([1, 1, 2, 3]),
    lives: random.pick([1, 1, 2, 3]),
    careless: random.pick([6, 12, 12, 24, 1000]),
    rates: tearsDown ? random.pick([RATES, RATES, ROGUE_RATES, DOWN_RATES]) : RATES,
  };
}

/** A run's acts shared among the lives of its processes. */
function actsOfLife(acts: readonly Act[], life: number, { lives }: Setting): readonly Act[] {
  const [from, to] = [life, life + 1].map((each) => Math.floor(STEPS_BOUND * each / lives));
  return acts.filter(({ share }) => share >= (from ?? 0) && share < (to ?? 0));
}

async function program(
  context: ProgramContext,
  { acts, setting, watcher, engine }: Played & { readonly watcher: GpuPvWatcher; readonly engine: Engine },
): Promise<void> {
  const foreign = await openHostProcess(context);
  let guest = await openGuestAdapter(context, setting.guest);
  const beside: Promise<void>[] = [];
  const touched = new Set<number>();
  const down = new Set<number>();
  watcher.watch(guest, touched);
  for (let life = 0; life < setting.lives; life += 1) {
    if (life > 0) {
      guest = await guest.nextProcess();
      watcher.watch(guest, touched);
    }
    const table = {
      context,
      engine,
      guest,
      desk: newDesk(guest, foreign),
      careless: setting.careless,
      touched,
      beside,
      down,
    };
    await live(table, actsOfLife(acts, life, setting), setting);
    await letThingsRest(context, engine);
    watcher.exits();
    await guest.exitProcess();
    for (const each of beside.splice(0)) await each;
    if (down.size > 0) break;
    check(watcher.ended(engine.world, guest));
  }
  await guest.close();
  check(watcher.ended(engine.world, guest));
}

function check(trouble: Trouble | null): void {
  if (trouble !== null) throw new DoesNotHold(trouble);
}

function newDesk({ hAdapter }: OpenGuestAdapter, foreign: readonly number[]): Desk {
  const desk = new Desk();
  desk.add({ kind: "adapter", handle: hAdapter, place: -1 });
  desk.foreign.push(...foreign);
  return desk;
}

/** The host's own process, whose handles are none of the guest's; it stays. */
async function openHostProcess({ umd }: ProgramContext): Promise<number[]> {
  const { hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1 });
  const { hDevice } = await umd.D3DKMTCreateDevice({ hAdapter });
  const { hPagingQueue, hSyncObject } = await umd.D3DKMTCreatePagingQueue({ hDevice });
  const { pAllocationInfo2 } = await umd.D3DKMTCreateAllocation2({ hDevice, pAllocationInfo2: [{ Size: 4096 }] });
  return [hAdapter, hDevice, hPagingQueue, hSyncObject, pAllocationInfo2[0]?.hAllocation ?? 0];
}

/** The threads of a process, until each has done its acts. */
async function live(table: Table, acts: readonly Act[], { threads }: Setting): Promise<void> {
  const running = Array.from(
    { length: threads },
    (_, number) =>
      table.context.spawn(`program ${number}`, async (thread) => {
        for (const act of acts) if (act.thread % threads === number) await perform(new Hand(act, thread, table));
      }),
  );
  for (const each of running) await each;
}

/** A thread of the host's that served a process which has exited: no call of that returns. */
const DEAD_THREAD = /^host WaitSyncFromCpu waits in umd#/;

/** What is played. */
interface Played {
  readonly acts: readonly Act[];
  readonly setting: Setting;
}

function play(seed: number, acts: readonly Act[]): Promise<ProgramEnd> {
  const setting = settingOf(seed);
  const watcher = new GpuPvWatcher(setting.options, {
    isOneThread: setting.threads === 1,
  });
  return runWatched({
    program: (context, engine) => program(context, { acts, setting, watcher, engine }),
    options: setting.options,
    seed,
    watcher,
    mayBeStuck: (what) => DEAD_THREAD.test(what),
  });
}

/** What simulates the paravirtualised path. */
export const GPU_PV_WORLD: Simulated = {
  name: "gpupv",
  async run({ seed, steps }: SeedRun) {
    const { options, rates } = settingOf(seed);
    const acts = chooseActs(seed, { steps: Math.ceil(steps / INPUTS_PER_ACT), rates, always: ALWAYS });
    const { trouble, events } = await play(seed, acts);
    const failed = trouble === null ? null : { seed, options, trouble, steps: acts, events };
    const again = async (fewer: readonly Act[]): Promise<Shortened | null> => {
      const end = await play(seed, fewer);
      return end.trouble?.check === trouble?.check && end.trouble !== null
        ? { steps: fewer, trouble: end.trouble, events: end.events }
        : null;
    };
    return {
      result: { seed, events: events.length, failed, seen: seenIn(events) },
      shorten: (attempts) =>
        failed === null
          ? Promise.reject(new Error("Cannot make shorter what did not fail"))
          : shortened({ steps: acts, again, attempts }, failed),
    };
  },
};

/** An act of a program is about so many inputs of the engine: a step counts the same in every world. */
const INPUTS_PER_ACT = 5;
