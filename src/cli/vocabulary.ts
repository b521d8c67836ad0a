// The names that completions offer: programs, calls, rules and options of the model. Loaded only to complete, since
// finding the names loads the library. Must not know how they are completed.
import { CATALOGUE, OPTIONS } from "../api/mod.ts";
import { RULES } from "../audit/mod.ts";
import { PROGRAMS } from "../programs/mod.ts";
import type { Vocabulary } from "./flags.ts";

/** The names there are. */
export function vocabulary(): Promise<Vocabulary> {
  return Promise.resolve({
    programs: Object.keys(PROGRAMS),
    calls: CATALOGUE.map(({ name }) => name),
    rules: Object.keys(RULES),
    options: Object.keys(OPTIONS),
  });
}
