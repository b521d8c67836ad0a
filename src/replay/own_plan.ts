// Which of this version's declarations a recorded call is of: a trace brings its own, and another version's may be others.
// It must not know what calls mean.

import { type CallPlan, findPlan, type ParamPlan } from "../api/mod.ts";

/** This version's declaration with the name and the parameters of a trace's; null: it has none. */
export function ownPlan(recorded: CallPlan): CallPlan | null {
  const own = findPlan(recorded.name);
  return own !== undefined && (own === recorded || areSameCalls(own, recorded)) ? own : null;
}

function areSameCalls(one: CallPlan, other: CallPlan): boolean {
  return one.level === other.level && one.isCallback === other.isCallback &&
    one.declaration.returns === other.declaration.returns && areSame(one.params, other.params);
}

function areSame(some: readonly ParamPlan[], others: readonly ParamPlan[]): boolean {
  return some.length === others.length && some.every((one, index) => {
    const other = others[index];
    return other !== undefined && one.name === other.name && one.word === other.word && one.storage === other.storage &&
      one.isArray === other.isArray && one.direction === other.direction && areSame(one.members, other.members);
  });
}
