// What a simulation of the paravirtualised path does, as data: acts of a guest's program, one after the other in each thread.
// An act draws from a seed of its own and takes what fits best by its place, so that others can be left out and it stays
// the same. It must not know what acts do.

import { Random } from "../../src/driver/mod.ts";

/** `Act.share` of a run's end. */
export const STEPS_BOUND = 1 << 20;
/** The least common multiple of how many threads there may be. */
const THREADS = 6;

/** One act. */
export interface Act {
  readonly place: number;
  /** Which thread of the program does it, of as many as there are. */
  readonly thread: number;
  /** How far in the run it is, below `STEPS_BOUND`. */
  readonly share: number;
  readonly form: string;
  readonly seed: number;
}

/** How often forms are chosen beside each other. */
export type Rates = Readonly<Record<string, number>>;

/** Acts of a run: each seed is without some forms, and has weights of its own for the others. */
export function chooseActs(
  seed: number,
  { steps, rates, always }: {
    readonly steps: number;
    readonly rates: Rates;
    readonly always: ReadonlySet<string>;
  },
): Act[] {
  const random = new Random(seed);
  const weighted = Object.entries(rates)
    .filter(([form]) => always.has(form) || random.below(8) > 0)
    .map(([form, rate]) => [form, rate * random.pick([1, 1, 2, 4])] as const);
  const total = weighted.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length: steps }, (_, place) => ({
    place,
    thread: random.below(THREADS),
    share: Math.floor(STEPS_BOUND * place / steps),
    form: formAt(weighted, random.below(1 << 20) / (1 << 20) * total),
    seed: random.next(),
  }));
}

function formAt(weighted: readonly (readonly [form: string, weight: number])[], at: number): string {
  let left = at;
  for (const [form, weight] of weighted) {
    left -= weight;
    if (left < 0) return form;
  }
  return weighted[0]?.[0] ?? "";
}

/** The one of some things that an act takes: whatever else is there, the same one as long as it is there. */
export function choose<T extends { readonly place: number }>(act: Act, things: readonly T[]): T | undefined {
  let best: T | undefined;
  let lowest = Infinity;
  for (const thing of things) {
    const score = new Random((act.seed ^ Math.imul(thing.place + 1, 0x9e37_79b1)) >>> 0).next();
    if (score >= lowest) continue;
    lowest = score;
    best = thing;
  }
  return best;
}
