// The door of `programs`: the built-in programs by name. Each is also an example to copy.

import type { ProgramModule } from "../driver/mod.ts";
import deleteDeadlock from "./delete_deadlock.ts";
import doubleMap from "./double_map.ts";
import gpuPv from "./gpu_pv.ts";
import gpuPvLeak from "./gpu_pv_leak.ts";
import saveRestore from "./save_restore.ts";
import storm from "./storm.ts";
import unmatchedUnmap from "./unmatched_unmap.ts";

export { closeChannel, type Endpoints, openChannel } from "./open_channel.ts";

/** The built-in programs, by the name that `record` takes; the first is what it runs without one. */
export const PROGRAMS: Readonly<Record<string, ProgramModule>> = {
  "gpu-pv": gpuPv,
  "gpu-pv-leak": gpuPvLeak,
  "double-map": doubleMap,
  "unmatched-unmap": unmatchedUnmap,
  "delete-deadlock": deleteDeadlock,
  "save-restore": saveRestore,
  "storm": storm,
};

/** The folder that built-in programs' call sites are relative to. */
export const PROGRAMS_FOLDER = new URL("./", import.meta.url).href;
