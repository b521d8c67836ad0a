// Runs seeds: chooses steps until one breaks something or enough were done, and makes a failing run short.
// It must not know what is checked, nor files or clocks.

import type { ModelOptions, Ref } from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { Chooser } from "./chooser.ts";
import type { SimulatedWorld, Trouble } from "./simulated_world.ts";
import { Simulation } from "./simulation.ts";
import type { Step } from "./step.ts";

/** A seed that failed. */
export interface FailedSeed {
  readonly about: SimulatedWorld;
  readonly seed: number;
  readonly options: ModelOptions;
  readonly trouble: Trouble;
  /** Steps up to the one that broke something; all of them where only the end shows it. */
  readonly steps: readonly Step[];
  readonly made: ReadonlyMap<number, readonly Ref[]>;
  readonly events: readonly TraceEvent[];
}

/** What a seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly events: number;
  readonly failed: FailedSeed | null;
  /** How often each call or callback was seen to do what it is for, and how often not. */
  readonly seen: ReadonlyMap<string, { readonly well: number; readonly badly: number }>;
}

/** Compares the state around every so many calls: a snapshot costs as much as many of them. */
const SNAPSHOT_EVERY = 40;

/** What only snapshots show. */
const SNAPSHOT_CHECKS: ReadonlySet<string> = new Set([
  "a failed call changes nothing",
  "snapshot, restore, snapshot",
]);

/** Simulates one seed. */
export function runSeed(
  about: SimulatedWorld,
  { seed, steps }: { readonly seed: number; readonly steps: number },
): SeedResult {
  const options = about.optionsOf(seed);
  const simulation = new Simulation({ about, options, snapshotEvery: SNAPSHOT_EVERY });
  const chooser = new Chooser(simulation, seed);
  const done: Step[] = [];
  let trouble: Trouble | null = null;
  for (let count = 0; count < steps && trouble === null; count += 1) {
    if (count === Math.floor(steps / 2)) simulation.keyframe();
    trouble = doNext(chooser.next(), { simulation, done });
  }
  for (let step = chooser.drain(); step !== null && trouble === null; step = chooser.drain()) {
    trouble = doNext(step, { simulation, done });
  }
  trouble ??= simulation.finish();
  const { events, made } = simulation;
  const failed = trouble === null ? null : { about, seed, options, trouble, steps: done, made, events };
  return { seed, events: events.length, failed, seen: seenIn(events) };
}

function doNext(
  step: Step,
  { simulation, done }: { readonly simulation: Simulation; readonly done: Step[] },
): Trouble | null {
  done.push(step);
  return simulation.play(step);
}

function seenIn(events: readonly TraceEvent[]): SeedResult["seen"] {
  const seen = new Map<string, { well: number; badly: number }>();
  for (const { plan, kind, outcome } of events) {
    if (plan === null || kind === "enter" || kind === "callback") continue;
    const count = seen.get(plan.name) ?? { well: 0, badly: 0 };
    seen.set(plan.name, count);
    const isWell = outcome !== null && outcome.form !== "refused" &&
      !(outcome.form === "status" && outcome.status >= 0x8000_0000);
    if (isWell) count.well += 1;
    else count.badly += 1;
  }
  return seen;
}

/** A shorter run that fails alike, and what it made happen. */
export interface Shortened {
  readonly steps: readonly Step[];
  readonly trouble: Trouble;
  readonly events: readonly TraceEvent[];
}

/** Drops steps as long as the same check fails; at most `attempts` runs. */
export function shorten(failed: FailedSeed, attempts: number): Shortened {
  let best: Shortened = failed;
  let left = attempts;
  for (let size = Math.ceil(best.steps.length / 2); size >= 1 && left > 0;) {
    let hasDropped = false;
    for (let at = best.steps.length; at > 0 && left > 0; at -= size) {
      left -= 1;
      const fewer = best.steps.filter((_, index) => index < at - size || index >= at);
      const shorter = again(failed, fewer);
      if (shorter === null) continue;
      best = shorter;
      hasDropped = true;
    }
    if (size === 1 && !hasDropped) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return best;
}

/** Does the steps again; null where the check does not fail. */
function again({ about, options, made, trouble }: FailedSeed, steps: readonly Step[]): Shortened | null {
  const simulation = new Simulation({
    about,
    options,
    snapshotEvery: SNAPSHOT_CHECKS.has(trouble.check) ? 1 : Infinity,
    made,
  });
  const done: Step[] = [];
  for (const step of steps) {
    done.push(step);
    const found = simulation.play(step);
    if (found !== null) {
      return found.check === trouble.check ? { steps: done, trouble: found, events: simulation.events } : null;
    }
  }
  const found = simulation.finish();
  return found?.check === trouble.check ? { steps: done, trouble: found, events: simulation.events } : null;
}
