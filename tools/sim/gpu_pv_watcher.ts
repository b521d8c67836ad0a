// What is checked while a guest's program runs over the paravirtualised path: between inputs what holds of every world of
// channels and of GPUs. It must not know what the program does.

import type { ModelOptions } from "../../src/api/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { OpenGuestAdapter } from "../../src/gpupv/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { GPU_INVARIANTS, GPU_SLOW_INVARIANTS } from "./gpu_invariants.ts";
import { GpuPages } from "./gpu_pages.ts";
import { INVARIANTS, MEMORY_INVARIANTS, watched } from "./invariants.ts";
import { firstTrouble, type Trouble, type Watcher } from "./simulated_world.ts";

const NONE: ReadonlySet<number> = new Set();

/** Watches a run. */
export class GpuPvWatcher implements Watcher {
  readonly #pages: GpuPages;

  constructor(options: ModelOptions) {
    this.#pages = new GpuPages(options);
  }

  /** A process of the guest has begun. */
  watch(_guest: OpenGuestAdapter): void {}

  /** A process of the guest has exited. */
  ended(_guest: OpenGuestAdapter): void {}

  event(event: TraceEvent): void {
    this.#pages.event(event);
  }

  check(world: World, { isSlow }: { readonly isSlow: boolean }): Trouble | null {
    this.#pages.follow(world);
    const channels = firstTrouble([INVARIANTS, isSlow ? MEMORY_INVARIANTS : {}], watched(world, NONE));
    const trouble = channels ?? firstTrouble([GPU_INVARIANTS, isSlow ? GPU_SLOW_INVARIANTS : {}], world);
    if (trouble !== null || !isSlow) return trouble;
    const message = this.#pages.difference(world);
    return message === null ? null : { check: "pages are as the oracle has them", message };
  }

  disagreements(): ReturnType<Watcher["disagreements"]> {
    return [];
  }
}
