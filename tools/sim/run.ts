// Runs seeds: chooses steps until one breaks something or enough were done, and makes a failing run short.
// It must not know what is checked, nor files or clocks.

import type { Ref } from "../../src/api/mod.ts";
import { Chooser } from "./chooser.ts";
import {
  type Failure,
  type SeedResult,
  type SeedRun,
  seenIn,
  type Shortened,
  shortened,
  type Simulated,
} from "./seed_result.ts";
import type { SimulatedWorld, Trouble } from "./simulated_world.ts";
import { Simulation } from "./simulation.ts";
import type { Step } from "./step.ts";

/** A seed that failed. */
export interface FailedSeed extends Failure {
  readonly about: SimulatedWorld;
  readonly steps: readonly Step[];
  readonly made: ReadonlyMap<number, readonly Ref[]>;
}

/** Compares the state around every so many calls: a snapshot costs as much as many of them. */
const SNAPSHOT_EVERY = 40;

/** What only snapshots show. */
const SNAPSHOT_CHECKS: ReadonlySet<string> = new Set([
  "a failed call changes nothing",
  "snapshot, restore, snapshot",
]);

/** Simulates one seed. */
export function runSeed(about: SimulatedWorld, { seed, steps }: SeedRun): SeedResult<FailedSeed> {
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

/** Drops steps as long as the same check fails; at most `attempts` runs. */
export function shorten(failed: FailedSeed, attempts: number): Promise<Shortened> {
  return shortened({ steps: failed.steps, again: (fewer) => again(failed, fewer), attempts }, failed);
}

/** A world of steps, as a tool runs it. */
export function stepped(about: SimulatedWorld): Simulated {
  return {
    name: about.name,
    run(how) {
      const result = runSeed(about, how);
      const { failed } = result;
      const shorter = (attempts: number) =>
        failed === null
          ? Promise.reject(new Error("Cannot make shorter what did not fail"))
          : shorten(failed, attempts);
      return Promise.resolve({ result, shorten: shorter });
    },
  };
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
