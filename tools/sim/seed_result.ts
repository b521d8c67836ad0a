// What a simulated seed came to, whatever world it simulated. It must not know any world, nor how a run is made.

import type { ModelOptions } from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import type { Trouble } from "./simulated_world.ts";

/** How a seed is run. */
export interface SeedRun {
  readonly seed: number;
  readonly steps: number;
}

/** A run that fails, with what it did. */
export interface Shortened {
  /** What was done, up to what broke something; all of it where only the end shows it. */
  readonly steps: readonly unknown[];
  readonly trouble: Trouble;
  readonly events: readonly TraceEvent[];
}

/** A seed that failed. */
export interface Failure extends Shortened {
  readonly seed: number;
  readonly options: ModelOptions;
}

/** What a seed came to. */
export interface SeedResult<F extends Failure = Failure> {
  readonly seed: number;
  readonly events: number;
  readonly failed: F | null;
  /** How often each call or callback was seen to do what it is for, and how often not. */
  readonly seen: ReadonlyMap<string, { readonly well: number; readonly badly: number }>;
}

/** Something that can be simulated, by name. */
export interface Simulated {
  readonly name: string;
  /** Simulates a seed; what failed can be made shorter with the same check failing, in at most `attempts` runs. */
  run(how: SeedRun): Promise<{ readonly result: SeedResult; shorten(attempts: number): Promise<Shortened> }>;
}

/** How often each call of a run did what it is for. */
export function seenIn(events: readonly TraceEvent[]): SeedResult["seen"] {
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

/** Drops parts of what was done as long as `again` fails alike; at most `attempts` runs. */
export async function shortened<S>(
  { steps, again, attempts }: {
    readonly steps: readonly S[];
    /** Does these instead; null where the same check does not fail. */
    readonly again: (fewer: readonly S[]) => Shortened | null | Promise<Shortened | null>;
    readonly attempts: number;
  },
  first: Shortened,
): Promise<Shortened & { readonly steps: readonly unknown[] }> {
  let best = first;
  let kept = steps;
  let left = attempts;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && left > 0;) {
    let hasDropped = false;
    for (let at = kept.length; at > 0 && left > 0; at -= size) {
      left -= 1;
      const fewer = kept.filter((_, index) => index < at - size || index >= at);
      const shorter = await again(fewer);
      if (shorter === null) continue;
      best = shorter;
      kept = fewer.slice(0, shorter.steps.length);
      hasDropped = true;
    }
    if (size === 1 && !hasDropped) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return best;
}
