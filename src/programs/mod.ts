// The door of `programs`: the built-in programs by name. Each is also an example to copy.

import type { ProgramModule } from "../driver/mod.ts";
import deleteDeadlock from "./delete_deadlock.ts";
import doubleMap from "./double_map.ts";
import gpuPv from "./gpu_pv.ts";
import gpuPvLeak from "./gpu_pv_leak.ts";
import lda from "./lda.ts";
import netvsp from "./netvsp.ts";
import reserveRace from "./reserve_race.ts";
import residencyStorm from "./residency_storm.ts";
import saveRestore from "./save_restore.ts";
import storm from "./storm.ts";
import tiledResources from "./tiled_resources.ts";
import unmatchedUnmap from "./unmatched_unmap.ts";

export { closeChannel, type Endpoints, openChannel } from "./open_channel.ts";
export { storm };

/** The built-in programs, by the name that `record` takes; the first is what it runs without one. */
export const PROGRAMS: Readonly<Record<string, ProgramModule>> = {
  "gpu-pv": gpuPv,
  "gpu-pv-leak": gpuPvLeak,
  "double-map": doubleMap,
  "unmatched-unmap": unmatchedUnmap,
  "delete-deadlock": deleteDeadlock,
  "netvsp": netvsp,
  "save-restore": saveRestore,
  "storm": storm,
  "tiled-resources": tiledResources,
  "residency-storm": residencyStorm,
  "lda": lda,
  "reserve-race": reserveRace,
};

/** The folder that built-in programs' call sites are relative to. */
export const PROGRAMS_FOLDER = new URL("./", import.meta.url).href;
