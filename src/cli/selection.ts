// The filters typed, as the selection that a recorder keeps and a trace's header says. Must not know how they are parsed.
import type { Selection } from "../trace/mod.ts";
import type { Filters } from "./flags.ts";

/** The selection that the filters say, but for rules. */
export function selectionOf({ range, calls, levels, sides, objects }: Filters): Selection {
  const { first, last } = range ?? { first: 1, last: Infinity };
  return {
    range: range === undefined ? null : { from: first, to: last === Infinity ? null : last },
    calls,
    levels,
    sides,
    objects,
  };
}
