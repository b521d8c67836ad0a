// The names that a line may begin with, for "did you mean". Derived from the catalogue: it must hold no name of its own.

import { CATALOGUE } from "../catalogue.ts";

/** Names of everything that a side can call. */
export const CALL_LIST: readonly string[] = CATALOGUE.filter((plan) => !plan.isCallback).map((plan) => plan.name);
/** Names of all callbacks. */
export const CALLBACK_LIST: readonly string[] = CATALOGUE.filter((plan) => plan.isCallback).map((plan) => plan.name);
