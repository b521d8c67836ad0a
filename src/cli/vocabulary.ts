// The names that completions offer: programs, calls, rules and options of the model. Loaded only to complete, since
// finding the names loads the library. Must not know how they are completed.
import { NO_VOCABULARY, type Vocabulary } from "./flags.ts";

/** The names there are. */
export function vocabulary(): Promise<Vocabulary> {
  return Promise.resolve(NO_VOCABULARY);
}
