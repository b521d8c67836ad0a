// The worlds that can be simulated, by name.

import { GPU_VA_WORLD } from "./gpu_va_world.ts";
import { KMCL_WORLD } from "./kmcl_world.ts";
import type { SimulatedWorld } from "./simulated_world.ts";

/** Every world. */
export const WORLDS: readonly SimulatedWorld[] = [KMCL_WORLD, GPU_VA_WORLD];

/** The world of a name; `RangeError` where there is none. */
export function worldNamed(name: string): SimulatedWorld {
  const found = WORLDS.find((world) => world.name === name);
  if (found === undefined) {
    throw new RangeError(`Cannot simulate "${name}": worlds are ${WORLDS.map((world) => world.name)}`);
  }
  return found;
}
