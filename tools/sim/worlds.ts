// The worlds that can be simulated, by name.

import { GPU_PV_WORLD } from "./gpu_pv_world.ts";
import { GPU_VA_WORLD } from "./gpu_va_world.ts";
import { KMCL_WORLD } from "./kmcl_world.ts";
import { stepped } from "./run.ts";
import type { Simulated } from "./seed_result.ts";

/** Every world. */
export const WORLDS: readonly Simulated[] = [stepped(KMCL_WORLD), stepped(GPU_VA_WORLD), GPU_PV_WORLD];

/** The world of a name; `RangeError` where there is none. */
export function worldNamed(name: string): Simulated {
  const found = WORLDS.find((world) => world.name === name);
  if (found === undefined) {
    throw new RangeError(`Cannot simulate "${name}": worlds are ${WORLDS.map((world) => world.name)}`);
  }
  return found;
}
