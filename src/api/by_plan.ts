// Something for each declaration, made when it is asked for first. It must not know what.

import type { CallPlan } from "./catalogue.ts";

/** Ids up to which it is found without a look into a map; declared ones are far below. */
const MAX_QUICK_ID = 4096;

/** Something for each plan. Calls of a few plans take turns: finding it costs next to nothing. */
export class ByPlan<V> {
  readonly #make: (plan: CallPlan) => V;
  /** A foreign trace may bring new plans with every chunk. */
  readonly #all = new WeakMap<CallPlan, V>();
  /** By the plan's id; plans of a foreign trace may share one. */
  readonly #quick: { readonly plan: CallPlan; readonly value: V }[] = [];

  constructor(make: (plan: CallPlan) => V) {
    this.#make = make;
  }

  /** What belongs to a plan. */
  of(plan: CallPlan): V {
    const quick = this.#quick[plan.id];
    return quick !== undefined && quick.plan === plan ? quick.value : this.#find(plan);
  }

  #find(plan: CallPlan): V {
    let value = this.#all.get(plan);
    if (value === undefined) {
      value = this.#make(plan);
      this.#all.set(plan, value);
    }
    if (plan.id <= MAX_QUICK_ID) this.#quick[plan.id] = { plan, value };
    return value;
  }
}
