// What a simulation must know of the part of the model that it simulates, as one value: the chooser and the run ask it.
// It must not know any part.

import type { CallPlan, ModelOptions, Value } from "../../src/api/mod.ts";
import type { Finding } from "../../src/audit/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import type { Asked, Material } from "./words.ts";

/** What does not hold. */
export interface Trouble {
  /** Names what was checked. */
  readonly check: string;
  readonly message: string;
}

/** Where an oracle and the audit differ. */
export interface Disagreement {
  readonly about: string;
  readonly message: string;
}

/** What is checked while a run goes on; it hears every event, and is asked after each step. */
export interface Watcher {
  event(event: TraceEvent): void;
  /** What does not hold now; `isSlow`: also what takes longer to look at. */
  check(world: World, how: { readonly isSlow: boolean }): Trouble | null;
  /** At the end: every difference between what a slow oracle counts and what the audit found for certain. */
  disagreements(
    events: readonly TraceEvent[],
    found: { readonly findings: readonly Finding[]; readonly options: ModelOptions },
  ): readonly Disagreement[];
}

/** A part of the model that can be simulated by itself. */
export interface SimulatedWorld {
  readonly name: string;
  /** The model's options of a seed: some are not their defaults. */
  optionsOf(seed: number): ModelOptions;
  /** How often a call is made beside the others, where it is not just a fifth of once. */
  readonly rates: Readonly<Partial<Record<string, number>>>;
  /** Calls that no seed is without: nothing would happen. */
  readonly always: ReadonlySet<string>;
  /** Calls that most seeds are without: after them there is less to compare. */
  readonly seldom: ReadonlySet<string>;
  /** Whether a call belongs to it. */
  isIn(plan: CallPlan): boolean;
  /** Calls that belong into a callback, with its name. */
  readonly places: ReadonlyMap<string, string>;
  /** What a call is worth now, beside what follows from how many objects there are. */
  need(plan: CallPlan, world: World): number;
  /** A call's side: one of its endpoint's; left out, each is as likely. */
  sideFor?(sides: readonly string[], material: Material): string;
  /** Arguments of a call, in order; null: there is no object that would fit. */
  argumentsFor(asked: Asked, material: Material): Value[] | null;
  /** Inputs that let things come to rest, beside callbacks: a call to make, null: none is left. */
  settle?(world: World, count: number): Settling | null;
  watch(options: ModelOptions): Watcher;
}

/** A call that lets things come to rest. */
export interface Settling {
  readonly name: string;
  readonly side: string;
  readonly ins: readonly Value[];
}

/** What a call is worth that will hardly do anything. */
export const HARDLY = 0.03;

/** Says what does not hold; null: it does. */
type Check<T> = (subject: T) => string | null;

/** The first of some checks that does not hold. */
export function firstTrouble<T>(tables: readonly Readonly<Record<string, Check<T>>>[], subject: T): Trouble | null {
  for (const [check, holds] of tables.flatMap((table) => Object.entries(table))) {
    const message = holds(subject);
    if (message !== null) return { check, message };
  }
  return null;
}
