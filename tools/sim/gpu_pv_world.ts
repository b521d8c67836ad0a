// The world of the paravirtualised path, as a simulation sees it: a guest with a virtual GPU, whose program is driven at random
// through its graphics kernel, and the host that answers over VMBus (gpuva.md 5).

import { defaultOptions, type ModelOptions, parseOption } from "../../src/api/mod.ts";
import { type ProgramContext, Random } from "../../src/driver/mod.ts";
import { type GuestOptions, openGuestAdapter } from "../../src/gpupv/mod.ts";
import { type Act, chooseActs } from "./gpu_pv_act.ts";
import { ALWAYS, perform, RATES } from "./gpu_pv_acts.ts";
import { Desk } from "./gpu_pv_desk.ts";
import { type ProgramEnd, runWatched } from "./gpu_pv_run.ts";
import { GpuPvWatcher } from "./gpu_pv_watcher.ts";
import { type SeedRun, seenIn, type Shortened, shortened, type Simulated } from "./seed_result.ts";

/** What a seed decides beside its acts. */
interface Setting {
  readonly options: ModelOptions;
  readonly guest: GuestOptions;
  readonly threads: number;
}

function settingOf(seed: number): Setting {
  const random = new Random(seed ^ 0x9b7);
  const options = parseOption(defaultOptions(), "initial-callbacks", "none");
  return {
    options: random.below(3) === 0 ? parseOption(options, "wire", "on") : options,
    guest: {
      interfaceVersion: random.pick([27, 39, 40, 46, 46]),
      isAsyncEnabled: random.below(3) === 0,
      mapsGuestPages: random.below(3) === 0,
    },
    threads: random.pick([1, 1, 2, 3]),
  };
}

async function program(
  context: ProgramContext,
  { acts, setting }: { readonly acts: readonly Act[]; readonly setting: Setting },
): Promise<void> {
  const guest = await openGuestAdapter(context, setting.guest);
  const desk = new Desk();
  const threads = Array.from(
    { length: setting.threads },
    (_, number) =>
      context.spawn(`program ${number}`, async (thread) => {
        for (const act of acts.filter((each) => each.thread === number)) {
          const random = new Random(act.seed);
          await perform({ act, random, thread, context, dxg: guest.on(thread), guest, desk });
        }
      }),
  );
  for (const thread of threads) await thread;
  await guest.exitProcess();
  await guest.close();
}

function play(seed: number, acts: readonly Act[]): Promise<ProgramEnd> {
  const setting = settingOf(seed);
  return runWatched({
    program: (context) => program(context, { acts, setting }),
    options: setting.options,
    seed,
    watcher: new GpuPvWatcher(setting.options),
  });
}

/** What simulates the paravirtualised path. */
export const GPU_PV_WORLD: Simulated = {
  name: "gpupv",
  async run({ seed, steps }: SeedRun) {
    const { threads, options } = settingOf(seed);
    const acts = chooseActs(seed, { steps: Math.ceil(steps / INPUTS_PER_ACT), threads, rates: RATES, always: ALWAYS });
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
const INPUTS_PER_ACT = 10;
